"""Under pytest shapes and types are checked at run time, and no other machine is asked anything."""

from __future__ import annotations

from jaxtyping import install_import_hook

# Before anything of the package is imported: the hook only reaches modules loaded after it.
# The numeric tower: an int may stand where a float is expected, as for every static checker.
install_import_hook(
    "selflift", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)

from collections.abc import Callable, Iterator  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from selflift.config import RigConfig  # noqa: E402
from selflift.data.pose_set import PoseSet  # noqa: E402
from selflift.data.rig import Clip, film  # noqa: E402
from selflift.skeleton import H36M_17  # noqa: E402
from tests import network  # noqa: E402

torch.set_num_threads(1)

# What this process would have asked other machines.
ATTEMPTS: list[str] = []
network.forbid(ATTEMPTS.append)

# A standing person who faces world +y (z up, metres) with slightly bent knees and elbows; left
# and right differ, so that no symmetry can hide a mistake.
STANDING = np.array([
    [0.00, 0.00, 0.92],
    [0.13, 0.00, 0.92], [0.14, 0.14, 0.49], [0.15, 0.02, 0.08],
    [-0.13, 0.00, 0.92], [-0.16, 0.09, 0.48], [-0.18, -0.02, 0.08],
    [0.00, -0.01, 1.16], [0.01, -0.02, 1.42], [0.02, 0.09, 1.52], [0.02, 0.03, 1.66],
    [-0.17, -0.02, 1.40], [-0.27, -0.04, 1.13], [-0.24, 0.17, 0.98],
    [0.18, -0.01, 1.39], [0.34, 0.10, 1.21], [0.30, 0.31, 1.30],
])  # fmt: skip

# World (z up) to a level camera that looks along world +y: x right, y down, z forward.
WORLD_TO_LEVEL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


@pytest.fixture(autouse=True)
def stay_here() -> Iterator[None]:
    """A test during which something tried to leave this machine fails, even if it was hidden."""
    before = len(ATTEMPTS)
    yield
    if attempts := ATTEMPTS[before:]:
        pytest.fail(f"expected no network, got {'; '.join(attempts)}")


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


@pytest.fixture(params=[(), (1,), (2, 3)], ids=["batch()", "batch(1,)", "batch(2,3)"])
def batch(request: pytest.FixtureRequest) -> tuple[int, ...]:
    return request.param


@pytest.fixture
def tol(dtype: torch.dtype) -> float:
    """Rounding of a few operations on numbers of the order of 1."""
    return 1e-5 if dtype == torch.float32 else 1e-12


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def standing() -> np.ndarray:
    """``(17, 3)``: the standing person in the world, metres."""
    return STANDING.copy()


@pytest.fixture
def make_bodies() -> Callable[..., Tensor]:
    """Random variations of the standing person, in a level camera's axes, root at the origin.

    About one unit from root to head; the camera sees the person's back at angle 0.
    """

    def make(
        *batch: int, seed: int = 0, dtype: torch.dtype = torch.float64, noise: float = 0.05
    ) -> Tensor:
        rng = np.random.default_rng(seed)
        bodies = STANDING + noise * rng.standard_normal((*batch, *STANDING.shape))
        angle = rng.uniform(-np.pi, np.pi, batch)
        c, s, o, i = np.cos(angle), np.sin(angle), np.zeros(batch), np.ones(batch)
        turn = np.stack([c, -s, o, s, c, o, o, o, i], -1).reshape(*batch, 3, 3)
        bodies = (bodies - bodies[..., :1, :]) @ np.swapaxes(turn, -1, -2) @ WORLD_TO_LEVEL.T
        return torch.from_numpy(bodies / 0.75).to(dtype)

    return make


@pytest.fixture
def make_clip() -> Callable[..., Clip]:
    """Made-up clips: the standing person sways, somewhere on the floor, facing anywhere."""

    def make(name: str = "clip", frames: int = 6, seed: int = 0) -> Clip:
        rng = np.random.default_rng(seed)
        angle = rng.uniform(-np.pi, np.pi)
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        sway = 0.04 * rng.standard_normal((frames, *STANDING.shape))
        positions = (STANDING + sway) @ turn.T + [*rng.uniform(-1, 1, 2), 0.0]
        return Clip(
            positions=positions.astype(np.float32),
            subject=f"S{seed}",
            action="sway",
            name=name,
            fps=25.0,
            frame=2 * np.arange(frames, dtype=np.int64),
        )

    return make


@pytest.fixture
def make_pose_set(make_clip: Callable[..., Clip]) -> Callable[..., PoseSet]:
    """Small pose sets: a few made-up clips, filmed."""

    def make(clips: int = 2, frames: int = 6, seed: int = 0, **rig: float) -> PoseSet:
        made = [make_clip(f"clip{i}", frames, seed + i) for i in range(clips)]
        return film(made, RigConfig(**rig), H36M_17)

    return make
