"""How far float32 is from float64: a bound for each function, and for the cycle as a whole.

Errors are the largest of a pose, relative to the largest number of the float64 result or, where a
result is a difference of larger numbers, of what goes in. Inputs are float32 numbers on both sides.
``pytest -s`` prints what is measured.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from selflift.geometry import align
from selflift.geometry.anatomy import forward_direction, knee_score
from selflift.geometry.bodies import (
    body_of,
    bone_lengths,
    bones_of,
    foreshortened,
    recombine,
    relative_bone_lengths,
    skeleton_height,
)
from selflift.geometry.camera import (
    Calibration,
    backproject,
    distort,
    pixels_to_rays,
    project,
    project_pixels,
    project_unchecked,
    undistort,
    world_to_camera,
)
from selflift.geometry.centring import centre
from selflift.geometry.normalise import Normaliser, pose_size
from selflift.geometry.rotation import (
    axis_angle,
    azimuth,
    pitch,
    ray_to_axis,
    turn_about_root,
    turn_back,
)
from selflift.method.cycle import keep_in_front
from selflift.models import Lifter
from selflift.skeleton import H36M_17
from tests.geometry.extremes import SHAPES, body

# The lens of one of Human3.6M's cameras.
LENS = Calibration(
    torch.tensor([1145.0, 1143.0]), torch.tensor([512.5, 515.5]),
    torch.tensor([-0.2097, 0.2475, -0.0031]), torch.tensor([-0.00091, -0.0016]),
).map(Tensor.float)  # fmt: skip
TURN = pitch(torch.tensor(0.3, dtype=torch.float64)) @ azimuth(torch.tensor(2.0).double())
AHEAD = torch.tensor([0.0, 0.0, 10.0])
SIZES = (1e-12, 1e-3, 1.0, 1e3, 1e12)
SEEDS = range(8)

# Name, float32 function of a body of any size, and the bound.
ANY_SIZE: list[tuple[str, Callable[[Tensor], Tensor], float]] = [
    ("bones_of", lambda X: bones_of(X, H36M_17), 1e-7),
    ("body_of", lambda X: body_of(X, H36M_17), 1e-6),
    ("bone_lengths", lambda X: bone_lengths(X, H36M_17), 1e-6),
    ("skeleton_height", lambda X: skeleton_height(X, H36M_17)[:, None], 1e-6),
    ("relative_bone_lengths", lambda X: relative_bone_lengths(X, H36M_17), 1e-6),
    ("pose_size", lambda X: pose_size(X)[:, None], 1e-6),
    ("forward_direction", lambda X: forward_direction(X, H36M_17), 1e-5),
    ("knee_score", lambda X: 1 + torch.tensor([[knee_score(X, H36M_17)]]).to(X), 1e-5),
    ("scale_fit", lambda X: align.scale_fit(X, other(X)), 1e-5),
    ("scale_norm", lambda X: align.scale_norm(X, other(X)), 1e-6),
    ("procrustes", lambda X: align.procrustes(X, other(X)), 1e-5),
    ("procrustes, reflection", lambda X: align.procrustes(X, other(X), True), 1e-5),
    ("turn_about_root, turn_back", lambda X: there_and_back(X), 1e-6),
    ("world_to_camera", lambda X: world_to_camera(X, TURN.to(X), X[:, 5]), 1e-6),
    ("recombine, legs", lambda X: mixed(X), 1e-5),
]


def other(X: Tensor) -> Tensor:
    """A body somewhat like these, of another size."""
    return 300 * (X / X.abs().max() + 0.5 * body(99).to(X))


def there_and_back(X: Tensor) -> Tensor:
    c = float(X.abs().max())
    return turn_back(turn_about_root(X, TURN.to(X), 0, c), TURN.to(X), X[:, 0], c)


def mixed(X: Tensor) -> Tensor:
    # Legs alone: their donors are drawn first, and later draws differ between precisions.
    return recombine(bones_of(X, H36M_17), 1.0, 0.0, H36M_17, torch.Generator().manual_seed(1))


# The same for functions of what a camera sees: bodies of about one unit, ten units away.
SEEN: list[tuple[str, Callable[[Tensor], Tensor], float]] = [
    ("project", lambda X: project(X), 1e-6),
    ("project, backproject", lambda X: backproject(project(X), X[..., 2]), 1e-6),
    ("distort", lambda X: distort(project(X), LENS), 1e-6),
    ("undistort", lambda X: undistort(project(X), LENS), 1e-5),
    ("project_pixels", lambda X: project_pixels(X, LENS), 1e-6),
    ("project_pixels, pixels_to_rays", lambda X: pixels_to_rays(project_pixels(X, LENS), LENS),
     1e-5),
    ("ray_to_axis", lambda X: ray_to_axis(project(X)), 1e-6),
    ("axis_angle", lambda X: axis_angle(X / X.norm(dim=-1, keepdim=True), X[..., 0]), 1e-5),
    ("azimuth, pitch", lambda X: azimuth(X[..., 0]) @ pitch(X[..., 1]), 1e-6),
    ("foreshortened", lambda X: foreshortened(X, 1.5 * X.norm(dim=-1)), 1e-6),
    ("centre rotate", lambda X: centre(project(X), 0, "rotate").x, 1e-5),
    ("centre translate", lambda X: centre(project(X), 0, "translate").x, 1e-5),
    ("Normaliser.apply", lambda X: fitted(X).apply(project(X), H36M_17).x, 1e-5),
]  # fmt: skip


def fitted(X: Tensor) -> Normaliser:
    return Normaliser.fit(project(X), H36M_17, 10.0, "rotate", "sample")


def apart(single: Tensor, double: Tensor) -> float:
    """Largest relative error of a pose."""
    assert single.dtype == torch.float32 and double.dtype == torch.float64
    error = (single.double() - double).abs().flatten(1).amax(1)
    return float((error / double.abs().flatten(1).amax(1).clamp_min(1e-300)).max())


def bodies_of_any_size(name: str) -> Iterator[Tensor]:
    for seed in SEEDS:
        for size in SIZES:
            for shape in SHAPES:
                # Without an extent nothing is aligned, and without a turn of its own about its line
                # a flat or straight body has no one best rotation: see test_extremes.
                alone = ("forward_direction", "knee_score", "recombine, legs")
                whole = "procrustes" in name or name in alone
                if shape == "point" or (whole and shape != "body"):
                    continue
                yield (size * body(seed, shape)).float()


def check(name: str, errors: list[float], bound: float) -> None:
    print(f"| {name} | {max(errors):.1e} | {bound:.0e} |")
    assert max(errors) <= bound


@pytest.mark.parametrize(("name", "function", "bound"), ANY_SIZE, ids=[n for n, *_ in ANY_SIZE])
def test_bodies_of_any_size(name: str, function: Callable[[Tensor], Tensor], bound: float) -> None:
    check(name, [apart(function(X), function(X.double())) for X in bodies_of_any_size(name)], bound)


@pytest.mark.parametrize(("name", "function", "bound"), SEEN, ids=[n for n, *_ in SEEN])
def test_bodies_before_a_camera(
    name: str, function: Callable[[Tensor], Tensor], bound: float
) -> None:
    seen = [0.7 * body(seed).float() + AHEAD for seed in range(40)]
    check(name, [apart(function(X), function(X.double())) for X in seen], bound)


def cycled(lifter: Lifter, x: Tensor) -> dict[str, Tensor]:
    """Lift, turn, project, lift, turn back, project; in a given view."""
    c, R = lifter.depth, TURN.to(x)
    X = lifter.lift(x)
    Y = turn_about_root(X, R, 0, c)
    y = project_unchecked(keep_in_front(Y, lifter.min_depth))
    Y_hat = lifter.lift(y)
    X_hat = turn_back(Y_hat, R, X[:, 0], c)
    return {"X": X, "y": y, "Y_hat": Y_hat,
            "x_hat": project_unchecked(keep_in_front(X_hat, lifter.min_depth))}  # fmt: skip


@pytest.mark.parametrize("size", [1e-12, 1e-2, 0.1, 1.0, 1e3])
def test_the_whole_cycle(size: float) -> None:
    torch.manual_seed(0)
    lifter = Lifter(width=128, num_blocks=4).eval()
    exact = copy.deepcopy(lifter).double()
    errors: dict[str, list[float]] = {}
    with torch.no_grad():
        for seed in SEEDS:
            for shape in SHAPES:
                x = (size * body(seed, shape, d=2)).float()
                found, expected = cycled(lifter, x), cycled(exact, x.double())
                for name, value in found.items():
                    errors.setdefault(name, []).append(apart(value, expected[name]))
    for name, found_errors in errors.items():
        check(f"cycle, {name}, inputs of size {size:g}", found_errors, 1e-5)
