"""Everything that training differentiates has finite gradients, also where norms are 0."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from selflift.geometry import align
from selflift.geometry.bodies import bone_lengths
from selflift.geometry.camera import backproject, project_unchecked
from selflift.geometry.normalise import pose_size
from selflift.geometry.rotation import azimuth, pitch, ray_to_axis, turn_about_root, turn_back
from selflift.method import losses
from selflift.method.cycle import as_seen_by_discriminator, keep_in_front
from selflift.method.domain_adapter import apply_correction
from selflift.method.views import ViewSampler
from selflift.skeleton import H36M_17
from tests.geometry.extremes import body, finite, seeds, shapes

C, NEAREST = 10.0, 1.0
quick = settings(max_examples=60, deadline=None)
# Poses as training sees them, and far beyond: a lifter that has gone astray must be able to return.
reached = st.integers(-12, 6).map(lambda exponent: 10.0**exponent)


def slopes(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    at = at.detach().clone().requires_grad_(True)
    found = function(at)
    assert finite(found)
    # Uneven weights, so that no sum over joints cancels by itself.
    weights = torch.linspace(0.5, 1.5, found.numel()).reshape(found.shape).to(found)
    (slope,) = torch.autograd.grad((found * weights).sum(), at)
    return slope


def around(X: Tensor) -> Tensor:
    """The cycle's geometry with the lifter left out: turned, seen, turned back, seen."""
    R = pitch(torch.tensor(0.3)) @ azimuth(torch.tensor(2.0))
    Y = turn_about_root(X, R, 0, C)
    y = project_unchecked(keep_in_front(Y, NEAREST))
    Y_hat = backproject(y, (C + Y[..., 2] - C).clamp_min(NEAREST))
    X_hat = turn_back(Y_hat, R, X[..., 0, :], C)
    return project_unchecked(keep_in_front(X_hat, NEAREST))


@quick
@given(seeds(), shapes(), reached)
def test_the_geometry_of_the_cycle(seed: int, shape: str, scale: float) -> None:
    X = (scale * body(seed, shape)).float()
    assert finite(slopes(around, X + torch.tensor([0.0, 0.0, C])))
    # The root itself at the camera, and joints on both sides of the nearest depth.
    assert finite(slopes(around, X))


@quick
@given(seeds(), st.floats(-1e-3, 1e-3))
def test_depths_next_to_the_nearest(seed: int, off: float) -> None:
    x = 0.1 * body(seed, d=2).float()

    def lifted(d: Tensor) -> Tensor:
        return project_unchecked(backproject(x, (C + d).clamp_min(NEAREST)))

    d = torch.full((3, 17), NEAREST - C + off)
    assert finite(slopes(lifted, d))
    assert finite(slopes(lifted, torch.full((3, 17), NEAREST - C)))


@quick
@given(seeds(), shapes(), reached)
def test_lengths_sizes_and_what_discriminators_see(seed: int, shape: str, scale: float) -> None:
    X = (scale * body(seed, shape)).float()
    x, few = X[..., :2], torch.zeros(3, 17, dtype=torch.bool)
    few[:, 0] = True
    for function in (
        lambda X: bone_lengths(X, H36M_17),
        lambda X: pose_size(X),
        lambda X: pose_size(X, few),
        lambda X: X.norm(dim=-1),
    ):
        assert finite(slopes(function, X))
    for size in ("unit", "kept"):
        assert finite(slopes(partial(as_seen_by_discriminator, depth=C, size=size), x))
        seen = partial(as_seen_by_discriminator, depth=C, size=size, present=few.float())
        assert finite(slopes(seen, x))
    for known, common in product((None, few.float()), (None, 0.1)):
        change = partial(apply_correction, x, confidence=known, root=0, size=common)
        assert finite(slopes(change, torch.zeros_like(x)), slopes(change, -x))


@quick
@given(seeds(), shapes(), reached)
def test_losses(seed: int, shape: str, scale: float) -> None:
    X, Y = (scale * body(seed, shape)).float(), (scale * body(seed + 1)).float()
    for other in (X, Y):
        assert finite(slopes(partial(losses.consistency_3d, other), X))
        assert finite(slopes(partial(losses.consistency_2d, other[..., :2]), X[..., :2]))
        bones = partial(losses.bone_constancy, corrected=other, skeleton=H36M_17)
        assert finite(slopes(bones, X))
    logits = X.flatten()
    for game in losses.GAMES:
        assert finite(slopes(partial(losses.generator_loss, game), logits))
        for real in (logits, -logits):
            assert finite(slopes(partial(losses.discriminator_loss, game, real), logits))


def test_penalties_where_a_discriminator_has_no_slope() -> None:
    weight = torch.zeros(34, requires_grad=True)

    def flat(x: Tensor) -> Tensor:
        return (x.flatten(1) @ weight) + 0 * x.square().sum((-2, -1))

    x = body(0, d=2).float()
    for penalty in (
        losses.r1_penalty(flat, x), losses.gradient_penalty(flat, x, -x, torch.full((3,), 0.5)),
    ):  # fmt: skip
        (slope,) = torch.autograd.grad(penalty, weight)
        assert finite(penalty, slope)


@quick
@given(st.sampled_from([0.0, 1e-30, -1e-12, torch.pi, -torch.pi, torch.pi / 2, 1e6]))
def test_rotations_at_nothing_at_half_a_turn_and_beyond(angle: float) -> None:
    for turn in (azimuth, pitch):
        assert finite(slopes(turn, torch.full((3,), angle)))
    ray = torch.tensor([[0.0, 0.0], [angle, 0.0], [angle, -angle]])
    assert finite(slopes(ray_to_axis, ray))


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("elevation", [0.0, 0.3, 1e-30])
def test_elevations_that_are_all_the_same(n: int, elevation: float) -> None:
    views = ViewSampler("learned")

    def drawn(elevations: Tensor) -> Tensor:
        like = torch.zeros(n, 17, 2)
        return views.sample(like, elevations, torch.Generator().manual_seed(0))

    assert finite(slopes(drawn, torch.full((n,), elevation)))


@quick
@given(seeds(), st.sampled_from(["body", "coplanar", "collinear"]))
def test_scales_and_their_gradients(seed: int, shape: str) -> None:
    P, T = body(seed, shape), body(seed + 1)
    for scale in (align.scale_fit, align.scale_norm):
        assert finite(slopes(lambda P, scale=scale: scale(P, T), P))
