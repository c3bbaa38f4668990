"""Errors of extreme poses: those of a float64 reference, or one clear ``ValueError``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from selflift.evaluate import metrics
from selflift.geometry.precision import least_size
from tests.geometry.extremes import FLOATS, body, finite, scales, seeds, shapes

METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mpjpe": metrics.mpjpe,
    "mpjpe_train_scale": lambda P, T: metrics.mpjpe_train_scale(P, T, 1.5),
    "n_mpjpe": metrics.n_mpjpe,
    "n_mpjpe_norm": metrics.n_mpjpe_norm,
    "pa_mpjpe": metrics.pa_mpjpe,
    "pa_mpjpe reflection": lambda P, T: metrics.pa_mpjpe(P, T, reflection=True),
    "depth_flip_mpjpe": metrics.depth_flip_mpjpe,
    "distances": metrics.distances,
}
# float32 against float64, relative to the larger pose.
BOUND = 2e-6


@settings(max_examples=60, deadline=None)
@given(seeds(), shapes(), shapes(), scales(), scales())
def test_errors_are_those_of_float64_or_refused(
    seed: int, of_p: str, of_t: str, p: float, t: float
) -> None:
    P, T = (p * body(seed, of_p)).float(), (t * body(seed + 1, of_t)).float()
    for name, metric in METRICS.items():
        if "point" in (of_p, of_t):
            with pytest.raises(ValueError, match="metrics: expected .* with an extent"):
                metric(P, T)
            continue
        found, exact = metric(P, T), metric(P.double(), T.double())
        assert finite(found), name
        size = max(float(T.abs().max()), float(P.abs().max()) if name[0] in "md" else 0)
        error = float((found.double() - exact).abs().max()) / size
        # Straight and flat poses leave the turn about themselves open: no error depends on it.
        assert error < BOUND, (name, error)


@settings(max_examples=30, deadline=None)
@given(seeds(), scales(), scales())
def test_the_training_scale_is_that_of_float64_or_refused(seed: int, p: float, t: float) -> None:
    shape = body(seed)
    P, T = (p * shape).float(), (t * (shape + 0.1 * body(seed + 1))).float()
    found, exact = metrics.training_scale(P, T), metrics.training_scale(P.double(), T.double())
    assert found == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_sizes_whose_squares_are_no_numbers_are_refused(
    metric: Callable[[Tensor, Tensor], Tensor], scale: float
) -> None:
    P, T = body(0).float(), body(1).float()
    for pair in ((scale * P, T), (P, scale * T)):
        with pytest.raises(ValueError, match="of a size between 1e-15 and 9e.14, got"):
            metric(*pair)
    assert finite(metric(scale * P.double(), scale * T.double()))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_half_precision_is_scored_in_float32(
    metric: Callable[[Tensor, Tensor], Tensor], dtype: torch.dtype
) -> None:
    # Millimetres, whose squares float16 does not reach.
    P, T = (700 * body(0)).to(dtype), (700 * body(1)).to(dtype)
    found = metric(P, T)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(found.double(), metric(P.double(), T.double()), rtol=1e-5, atol=0)


def test_one_pose_in_either_precision_is_scored() -> None:
    P, T = body(0, n=1).float(), body(1, n=1)
    for metric in METRICS.values():
        assert metric(P, T).dtype == torch.float64


def test_the_least_size_has_a_square() -> None:
    for dtype in (torch.float32, torch.float64):
        assert least_size(dtype) ** 2 >= 0.99 * torch.finfo(dtype).tiny
