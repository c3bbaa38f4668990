"""Losses and views of extreme poses: a finite, correct result, or one clear ``ValueError``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from selflift.geometry.normalise import pose_size
from selflift.method import losses
from selflift.method.cycle import as_seen_by_discriminator
from selflift.method.views import KINDS, ViewSampler
from selflift.skeleton import H36M_17
from tests.geometry.extremes import body, finite, poses, scales, seeds, shapes

quick = settings(max_examples=40, deadline=None)


def critic(x: Tensor) -> Tensor:
    return x.square().sum((-2, -1)) + x[..., 0, 0]


def every_loss(a: Tensor, b: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Each term on bodies ``(n, J, 3)``."""
    x, y = a[..., :2], b[..., :2]
    logits, others = x.sum((-2, -1)), y.sum((-2, -1))
    found: dict[str, Callable[[], Tensor]] = {
        "consistency_3d": lambda: losses.consistency_3d(a, b),
        "consistency_3d sum": lambda: losses.consistency_3d(a, b, "sum"),
        "consistency_2d": lambda: losses.consistency_2d(x, y),
        "consistency_2d shown": lambda: losses.consistency_2d(x, y, "mean", (x[..., 0] > 0).to(x)),
        "consistency_2d hidden": lambda: losses.consistency_2d(x, y, "sum", 0 * x[..., 0]),
        "correction_size": lambda: losses.correction_size(x),
        "bone_constancy": lambda: losses.bone_constancy(a, b, H36M_17),
        "r1_penalty": lambda: losses.r1_penalty(critic, x),
        "gradient_penalty": lambda: losses.gradient_penalty(critic, x, y, logits * 0),
    }
    for game in losses.GAMES:
        found |= {
            f"D {game}": lambda game=game: losses.discriminator_loss(game, logits, others),
            f"G {game}": lambda game=game: losses.generator_loss(game, others),
            f"accuracy {game}": lambda game=game: losses.discriminator_accuracy(
                game, logits, others
            ),
        }
    return found


@quick
@given(seeds(), shapes(), scales(), scales(), st.integers(1, 3))
def test_losses_are_finite_and_those_of_float64(
    seed: int, shape: str, a: float, b: float, n: int
) -> None:
    X, Y = (a * body(seed, shape, n)).float(), (b * body(seed + 1, "body", n)).float()
    exact = every_loss(X.double(), Y.double())
    for name, loss in every_loss(X, Y).items():
        found = loss()
        assert finite(found), name
        # Shares jump, and games and the penalty are differences of nearly equal numbers.
        if name[:3] in ("con", "cor", "bon", "r1_"):
            torch.testing.assert_close(
                found.double(), exact[name](), rtol=1e-5, atol=1e-30, msg=name
            )


def test_the_mean_over_no_pose_is_refused() -> None:
    for name, loss in every_loss(torch.zeros(0, 17, 3), torch.zeros(0, 17, 3)).items():
        with pytest.raises(ValueError, match="losses: expected at least one pose, got none"):
            loss()
            pytest.fail(name)


def test_what_stands_at_a_missing_joint_reaches_neither_loss_nor_gradient() -> None:
    x, x_hat = body(0, d=2), body(1, d=2).requires_grad_(True)
    present = torch.ones(3, 17, dtype=torch.float64)
    present[1, 4] = 0
    expected = losses.consistency_2d(x, x_hat, "mean", present)
    x[1, 4] = torch.nan
    found = losses.consistency_2d(x, x_hat, "mean", present)
    assert torch.equal(found, expected)
    found.backward()
    assert x_hat.grad is not None and finite(x_hat.grad) and (x_hat.grad[1, 4] == 0).all()
    for size in ("unit", "kept"):
        assert finite(as_seen_by_discriminator(x, 10.0, size, present))
    assert finite(pose_size(x, present > 0))


@quick
@given(poses(), st.sampled_from(["unit", "kept"]))
def test_discriminators_see_finite_poses(X: Tensor, size: str) -> None:
    assert finite(as_seen_by_discriminator(X[..., :2], 10.0, size))


@quick
@given(
    st.sampled_from(KINDS), st.integers(0, 3), st.sampled_from((torch.float32, torch.float64)),
    st.sampled_from([0.0, 1e-12, 1.5, 1e12]), seeds(),
)  # fmt: skip
def test_views_are_rotations_also_of_one_pose_or_none(
    kind: str, n: int, dtype: torch.dtype, elevation: float, seed: int
) -> None:
    like = torch.zeros(n, 17, 2, dtype=dtype)
    elevations = torch.full((n,), min(elevation, float(torch.finfo(dtype).max)), dtype=dtype)
    views, generator = ViewSampler(kind), torch.Generator().manual_seed(seed)
    R = views.sample(like, elevations, generator)
    assert R.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    eye = torch.eye(3, dtype=R.dtype).expand_as(R)
    torch.testing.assert_close(R @ R.mT, eye, atol=1e-5, rtol=0)
    assert views.level(like, elevations).shape == (n, 3, 3)
