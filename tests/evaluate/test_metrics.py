"""Metrics against slow oracles, their invariances, and that nothing scores 0 by default."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation
from torch import Tensor

from selflift.evaluate.metrics import (
    depth_flip_mpjpe,
    distances,
    mpjpe,
    mpjpe_train_scale,
    n_mpjpe,
    n_mpjpe_norm,
    pa_mpjpe,
    training_scale,
)

JOINTS = 17
VARIANTS = {
    "mpjpe": mpjpe,
    "n_mpjpe": n_mpjpe,
    "pa_mpjpe": pa_mpjpe,
    "pa_mpjpe_reflected": partial(pa_mpjpe, reflection=True),
    "n_mpjpe_norm": n_mpjpe_norm,
    "mpjpe_train_scale": partial(mpjpe_train_scale, mm_per_unit=250.0),
    "depth_flip_mpjpe": depth_flip_mpjpe,
}
every_variant = pytest.mark.parametrize("metric", VARIANTS.values(), ids=VARIANTS.keys())


def poses(count: int = 12, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Root-centred poses of about a person's size, mm."""
    X = 300 * torch.randn(count, JOINTS, 3, generator=torch.Generator().manual_seed(seed)).double()
    return (X - X[:, :1]).to(dtype)


def pair(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Truth, and predictions that are turned, scaled and noisy; every other one is mirrored."""
    truth = poses()
    noise = 0.2 * poses(seed=1)
    turn = torch.from_numpy(Rotation.random(len(truth), random_state=0).as_matrix())
    mirror = torch.ones(len(truth), 1, 3, dtype=torch.float64)
    mirror[::2, :, 2] = -1
    prediction = 0.004 * ((truth + noise) * mirror) @ turn.mT
    return prediction.to(dtype), truth.to(dtype)


def slow_distance(P: np.ndarray, T: np.ndarray) -> float:
    return sum(
        np.sqrt(sum((P[j, a] - T[j, a]) ** 2 for a in range(3))) for j in range(len(P))
    ) / len(P)


def slow_scaled(P: np.ndarray, T: np.ndarray) -> np.ndarray:
    (scale,), *_ = np.linalg.lstsq(P.reshape(-1, 1), T.reshape(-1), rcond=None)
    return scale * P


def slow_aligned(P: np.ndarray, T: np.ndarray) -> np.ndarray:
    P, mean = P - P.mean(0), T.mean(0)
    rotation, _ = Rotation.align_vectors(T - mean, P)
    return slow_scaled(rotation.apply(P), T - mean) + mean


def slow_aligned_or_mirrored(P: np.ndarray, T: np.ndarray) -> np.ndarray:
    candidates = [slow_aligned(P, T), slow_aligned(P * [1, 1, -1], T)]
    return min(candidates, key=lambda aligned: ((aligned - T) ** 2).sum())


def slow_flipped_or_not(P: np.ndarray, T: np.ndarray) -> np.ndarray:
    candidates = [slow_scaled(P, T), slow_scaled(P * [1, 1, -1], T)]
    return min(candidates, key=lambda scaled: slow_distance(scaled, T))


SLOW = {
    "mpjpe": lambda P, T: P,
    "n_mpjpe": slow_scaled,
    "pa_mpjpe": slow_aligned,
    "pa_mpjpe_reflected": slow_aligned_or_mirrored,
    "n_mpjpe_norm": lambda P, T: P / np.linalg.norm(P.ravel()) * np.linalg.norm(T.ravel()),
    "mpjpe_train_scale": lambda P, T: 250.0 * P,
    "depth_flip_mpjpe": slow_flipped_or_not,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_equals_a_slow_oracle(name: str, dtype: torch.dtype) -> None:
    prediction, truth = pair(dtype)
    expected = [
        slow_distance(SLOW[name](P, T), T)
        for P, T in zip(prediction.double().numpy(), truth.double().numpy(), strict=True)
    ]
    errors = VARIANTS[name](prediction, truth)
    assert errors.shape == (len(truth),) and errors.dtype == dtype
    tolerance = 1e-8 if dtype == torch.float64 else 0.02
    np.testing.assert_allclose(errors.numpy(), expected, atol=tolerance)


@every_variant
def test_a_perfect_prediction_has_error_zero(metric: Callable[[Tensor, Tensor], Tensor]) -> None:
    truth = poses()
    # 1 / 250 of it is perfect to the one variant that counts in units of 250 mm.
    unit = 250.0 if metric is VARIANTS["mpjpe_train_scale"] else 1.0
    assert metric(truth / unit, truth).max() < 1e-9


def test_the_zero_root_counts_as_a_joint() -> None:
    truth = poses(1)
    prediction = truth.clone()
    prediction[0, 1:, 0] += 17.0
    assert mpjpe(prediction, truth).item() == pytest.approx(16.0)


def test_distances_are_the_errors_of_single_joints(dtype: torch.dtype) -> None:
    prediction, truth = pair(dtype)
    found = distances(prediction, truth)
    assert found.dtype == dtype and found.shape == (len(truth), JOINTS)
    for i, j in np.ndindex(*found.shape):
        expected = np.linalg.norm(prediction[i, j].double() - truth[i, j].double())
        assert found[i, j].item() == pytest.approx(expected, rel=1e-5)


def test_only_mpjpe_sees_the_scale() -> None:
    prediction, truth = pair()
    for name in ("n_mpjpe", "pa_mpjpe", "pa_mpjpe_reflected", "n_mpjpe_norm", "depth_flip_mpjpe"):
        metric = VARIANTS[name]
        torch.testing.assert_close(metric(7 * prediction, truth), metric(prediction, truth))
    assert (mpjpe(1.1 * truth, truth) > 10).all()


def test_only_procrustes_forgives_a_rotation_and_a_translation() -> None:
    truth = poses()
    turn = torch.from_numpy(Rotation.from_euler("y", 30, degrees=True).as_matrix())
    moved = 2 * truth @ turn.mT + torch.tensor([100.0, -50.0, 3000.0])
    assert pa_mpjpe(moved, truth).max() < 1e-8
    assert n_mpjpe(2 * truth @ turn.mT, truth).min() > 50


def test_a_mirrored_pose_is_bad_unless_reflection_is_allowed() -> None:
    truth = poses()
    mirrored = truth * torch.tensor([1.0, 1.0, -1.0])
    assert pa_mpjpe(mirrored, truth).min() > 100
    assert pa_mpjpe(mirrored, truth, reflection=True).max() < 1e-8


def test_the_oracle_forgives_the_depth_sign_of_each_pose_but_no_turn() -> None:
    truth = poses()
    mirrored = truth.clone()
    mirrored[1::2, :, 2] *= -1
    assert depth_flip_mpjpe(3 * mirrored, truth).max() < 1e-9
    assert n_mpjpe(mirrored, truth)[1::2].min() > 100
    turn = torch.from_numpy(Rotation.from_euler("y", 30, degrees=True).as_matrix())
    assert depth_flip_mpjpe(truth @ turn.mT, truth).min() > 50


def test_the_two_scales_differ_unless_the_shape_is_right() -> None:
    prediction, truth = pair()
    lsq, norm = n_mpjpe(prediction, truth), n_mpjpe_norm(prediction, truth)
    # Bad predictions shrink under least squares, and get a lower error for it.
    assert (lsq < norm - 10).any()
    torch.testing.assert_close(n_mpjpe(truth, 2 * truth), n_mpjpe_norm(truth, 2 * truth))


def test_the_training_scale_is_the_best_constant_for_the_whole_set(dtype: torch.dtype) -> None:
    truth = poses()
    prediction = 0.004 * (truth + 0.2 * poses(seed=1)) * torch.linspace(0.5, 2, 12)[:, None, None]
    best = minimize_scalar(lambda s: float(((s * prediction - truth) ** 2).sum()), (1, 1000)).x
    found = training_scale(prediction.to(dtype), truth.to(dtype))
    assert found == pytest.approx(best, rel=1e-6)
    # One constant for all is another number than the mean of everyone's own.
    own = (prediction * truth).sum((1, 2)) / prediction.square().sum((1, 2))
    assert abs(found / own.mean().item() - 1) > 0.05


def test_a_training_scale_for_predictions_inside_out_is_refused() -> None:
    with pytest.raises(ValueError, match="training_scale: expected predictions that resemble"):
        training_scale(-poses(), poses())


@pytest.mark.parametrize("constant", [0.0, -1.0, float("nan"), float("inf")])
def test_a_constant_that_is_no_scale_is_refused(constant: float) -> None:
    with pytest.raises(ValueError, match="mm_per_unit: expected a finite number above 0"):
        mpjpe_train_scale(poses(), poses(), constant)


def test_reflection_is_off_unless_asked_for() -> None:
    prediction, truth = pair()
    torch.testing.assert_close(
        pa_mpjpe(prediction, truth), pa_mpjpe(prediction, truth, reflection=False)
    )
    assert (pa_mpjpe(prediction, truth) > 1.5 * pa_mpjpe(prediction, truth, True))[::2].all()


@every_variant
@pytest.mark.parametrize("side", ["predictions", "true poses"])
@pytest.mark.parametrize("place", [0.0, 123.456])
def test_a_pose_without_extent_raises(
    metric: Callable[[Tensor, Tensor], Tensor], side: str, place: float
) -> None:
    good, bad = poses(), poses(seed=2)
    bad[[3, 8]] = place
    arguments = (bad, good) if side == "predictions" else (good, bad)
    with pytest.raises(ValueError, match=f"expected {side} with an extent, got 2 of 12.*pose 3"):
        metric(*arguments)


@every_variant
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_non_finite_poses_raise_and_are_counted(
    metric: Callable[[Tensor, Tensor], Tensor], value: float
) -> None:
    good, bad = poses(), poses(seed=2)
    bad[2, 5, 1] = bad[7, 0, 0] = bad[7, 16, 2] = value
    with pytest.raises(ValueError, match="finite predictions, got NaN or Inf in 2 of 12.*pose 2"):
        metric(bad, good)
    with pytest.raises(ValueError, match="finite true poses, got NaN or Inf in 2 of 12.*pose 2"):
        metric(good, bad)


@every_variant
def test_no_pose_at_all_raises(metric: Callable[[Tensor, Tensor], Tensor]) -> None:
    with pytest.raises(ValueError, match="expected at least one pose, got none"):
        metric(poses()[:0], poses()[:0])
