"""Alignment before scoring, against SciPy in a loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import minimize_scalar
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.transform import Rotation
from torch import Tensor

from selflift.geometry.align import procrustes, procrustes_both, scale_fit, scale_norm

MIRROR = torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)


def noise(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def error(aligned: Tensor, target: Tensor) -> Tensor:
    return (aligned - target).norm(dim=-1).mean(-1)


def reflected_oracle(P: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Best similarity, mirror images allowed."""
    mu = T.mean(0)
    P, T = P - P.mean(0), T - mu
    R, scale = orthogonal_procrustes(P, T)
    return scale / (P * P).sum() * P @ R + mu


def proper_oracle(P: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Best similarity without reflection: SciPy's solution of Wahba's problem, then the scale."""
    mu = T.mean(0)
    P, T = P - P.mean(0), T - mu
    turned = Rotation.align_vectors(T, P)[0].apply(P)
    return (turned * T).sum() / (P * P).sum() * turned + mu


@pytest.mark.parametrize(
    ("reflection", "oracle"), [(False, proper_oracle), (True, reflected_oracle)]
)
def test_procrustes_agrees_with_scipy_in_a_loop(
    batch: tuple, dtype: torch.dtype, tol: float, reflection: bool, oracle: Callable
) -> None:
    for seed in range(5):
        P, T = noise(*batch, 17, 3, seed=seed), noise(*batch, 17, 3, seed=100 + seed) + 3
        aligned = procrustes(P.to(dtype), T.to(dtype), reflection)
        assert aligned.dtype == dtype and aligned.shape == P.shape
        for index in np.ndindex(batch):
            expected = oracle(P[index].numpy(), T[index].numpy())
            np.testing.assert_allclose(aligned[index].double().numpy(), expected, atol=20 * tol)


def test_both_variants_from_one_svd_agree_with_scipy_in_a_loop(
    batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    mirrored = 0
    for seed in range(5):
        P, T = noise(*batch, 17, 3, seed=seed), noise(*batch, 17, 3, seed=100 + seed) + 3
        both = procrustes_both(P.to(dtype), T.to(dtype))
        for aligned, oracle in zip(both, (proper_oracle, reflected_oracle), strict=True):
            assert aligned.dtype == dtype and aligned.shape == P.shape
            for index in np.ndindex(batch):
                expected = oracle(P[index].numpy(), T[index].numpy())
                np.testing.assert_allclose(aligned[index].double().numpy(), expected, atol=20 * tol)
        mirrored += int((error(*both) > 0.01).sum())
    # Noise has no handedness: some of it must have been better off mirrored, for both to differ.
    assert mirrored > 0


def test_millimetres_are_aligned_to_a_thousandth_in_single_precision(make_bodies: Callable) -> None:
    T = 750 * make_bodies(50)
    P = 0.004 * (T + 60 * noise(50, 17, 3)) * MIRROR ** torch.arange(50)[:, None, None]
    both = procrustes_both(P.float(), T.float())
    for aligned, oracle in zip(both, (proper_oracle, reflected_oracle), strict=True):
        expected = [oracle(p, t) for p, t in zip(P.numpy(), T.numpy(), strict=True)]
        np.testing.assert_allclose(aligned.double().numpy(), np.stack(expected), atol=5e-3)


def test_reflected_error_is_scipys_disparity() -> None:
    P, T = noise(17, 3, seed=1), noise(17, 3, seed=2)
    _, _, disparity = scipy_procrustes(T.numpy(), P.numpy())
    squared = (procrustes(P, T, reflection=True) - T).square().sum()
    assert squared / (T - T.mean(0)).square().sum() == pytest.approx(disparity, rel=1e-12)


@pytest.mark.parametrize("reflection", [False, True])
def test_procrustes_recovers_an_exact_similarity(
    make_bodies: Callable, batch: tuple, dtype: torch.dtype, tol: float, reflection: bool
) -> None:
    T = make_bodies(*batch, dtype=dtype)
    R = torch.from_numpy(Rotation.random(rng=0).as_matrix()).to(dtype)
    P = 0.37 * T @ R + torch.tensor([1.0, -2.0, 5.0], dtype=dtype)
    torch.testing.assert_close(procrustes(P, T, reflection), T, atol=20 * tol, rtol=0)


def test_only_a_reflection_undoes_a_depth_mirror(make_bodies: Callable, dtype: torch.dtype) -> None:
    T = make_bodies(20, dtype=dtype)
    P = T * MIRROR.to(dtype)
    assert (error(procrustes(P, T, reflection=True), T) < 1e-5).all()
    assert (error(procrustes(P, T), T) > 0.05).all()


def test_reflection_never_fits_worse() -> None:
    P, T = noise(200, 17, 3, seed=1), noise(200, 17, 3, seed=2)
    proper = (procrustes(P, T) - T).square().sum((-2, -1))
    reflected = (procrustes(P, T, reflection=True) - T).square().sum((-2, -1))
    assert (reflected <= proper + 1e-9).all()
    # Noise has no handedness: for about half of it the mirror image fits better.
    assert 60 < int((reflected < proper - 1e-9).sum()) < 140


@pytest.mark.parametrize("reflection", [False, True])
@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e6])
def test_the_predictions_unit_does_not_matter(
    dtype: torch.dtype, tol: float, reflection: bool, factor: float
) -> None:
    P, T = noise(5, 17, 3, dtype=dtype, seed=1), noise(5, 17, 3, dtype=dtype, seed=2)
    expected = procrustes(P, T, reflection)
    aligned = procrustes(P * factor, T, reflection)
    torch.testing.assert_close(aligned, expected, atol=20 * tol, rtol=0)


def test_the_result_has_the_targets_unit() -> None:
    P, T = noise(5, 17, 3, seed=1), noise(5, 17, 3, seed=2)
    torch.testing.assert_close(procrustes(P, 1000 * T), 1000 * procrustes(P, T))


def test_turning_the_prediction_changes_nothing(dtype: torch.dtype, tol: float) -> None:
    P, T = noise(5, 17, 3, dtype=dtype, seed=1), noise(5, 17, 3, dtype=dtype, seed=2)
    R = torch.from_numpy(Rotation.random(5, rng=0).as_matrix()).to(dtype)
    torch.testing.assert_close(procrustes(P @ R + 1, T), procrustes(P, T), atol=50 * tol, rtol=0)


@pytest.mark.parametrize("reflection", [False, True])
def test_batched_equals_one_by_one(reflection: bool) -> None:
    P, T = noise(2, 3, 17, 3, seed=1), noise(2, 3, 17, 3, seed=2)
    aligned = procrustes(P, T, reflection)
    for index in np.ndindex(2, 3):
        torch.testing.assert_close(aligned[index], procrustes(P[index], T[index], reflection))


@pytest.mark.parametrize("reflection", [False, True])
def test_float32_agrees_with_float64(reflection: bool) -> None:
    P, T = noise(50, 17, 3, seed=1), noise(50, 17, 3, seed=2) * 500
    single = procrustes(P.float(), T.float(), reflection)
    torch.testing.assert_close(single.double(), procrustes(P, T, reflection), atol=0.01, rtol=0)


@pytest.mark.parametrize("reflection", [False, True])
def test_collinear_poses_are_aligned_along_their_line(
    dtype: torch.dtype, tol: float, reflection: bool
) -> None:
    along = torch.linspace(-1, 2, 17, dtype=dtype)[:, None]
    P = along * torch.tensor([1.0, 0.0, 0.0], dtype=dtype)
    T = 3 * along * torch.tensor([0.0, 0.6, 0.8], dtype=dtype) + 1
    torch.testing.assert_close(procrustes(P, T, reflection), T, atol=20 * tol, rtol=0)


@pytest.mark.parametrize("reflection", [False, True])
def test_flat_poses_are_aligned_alike(
    make_bodies: Callable, dtype: torch.dtype, reflection: bool
) -> None:
    T = make_bodies(6)
    P = T * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    aligned = procrustes(P.to(dtype), T.to(dtype), reflection)
    expected = [proper_oracle(p, t) for p, t in zip(P.numpy(), T.numpy(), strict=True)]
    np.testing.assert_allclose(aligned.double().numpy(), np.stack(expected), atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1234.5])
@pytest.mark.parametrize("side", [0, 1])
def test_a_pose_without_extent_is_refused(dtype: torch.dtype, value: float, side: int) -> None:
    poses = [noise(3, 17, 3, dtype=dtype, seed=1), noise(3, 17, 3, dtype=dtype, seed=2)]
    poses[side][1] = value
    for align in (procrustes, procrustes_both):
        with pytest.raises(ValueError, match="procrustes: expected poses with an extent.*drop"):
            align(*poses)


def test_a_pose_that_is_not_a_number_is_refused() -> None:
    P, T = noise(3, 17, 3, seed=1), noise(3, 17, 3, seed=2)
    P[1, 4] = torch.nan
    with pytest.raises(ValueError, match="procrustes: "):
        procrustes(P, T)


def test_scale_fit_is_the_least_squares_factor(
    batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    P, T = noise(*batch, 17, 3, seed=1), noise(*batch, 17, 3, seed=2) + noise(17, 3, seed=1)
    fitted = scale_fit(P.to(dtype), T.to(dtype))
    for index in np.ndindex(batch):
        p, t = P[index].numpy(), T[index].numpy()
        best = minimize_scalar(lambda s, p=p, t=t: ((s * p - t) ** 2).sum()).x
        np.testing.assert_allclose(fitted[index].double().numpy(), best * p, atol=1e-6 + 10 * tol)


def test_scale_fit_ignores_the_predictions_unit() -> None:
    P, T = noise(4, 17, 3, seed=1), noise(4, 17, 3, seed=2)
    torch.testing.assert_close(scale_fit(1e-3 * P, T), scale_fit(P, T))
    torch.testing.assert_close(scale_fit(0.2 * T, T), T)


def test_scale_fit_refuses_a_pose_without_extent() -> None:
    P, T = noise(3, 17, 3, seed=1), noise(3, 17, 3, seed=2)
    P[2] = 0
    with pytest.raises(ValueError, match="scale_fit: expected poses with an extent.*drop such"):
        scale_fit(P, T)


def test_scale_norm_gives_the_targets_norm_and_keeps_the_shape(
    batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    P, T = noise(*batch, 17, 3, seed=1), noise(*batch, 17, 3, seed=2) * 500
    scaled = scale_norm(P.to(dtype), T.to(dtype))
    assert scaled.dtype == dtype
    for index in np.ndindex(batch):
        p, t = P[index].numpy(), T[index].numpy()
        expected = p / np.linalg.norm(p) * np.linalg.norm(t)
        np.testing.assert_allclose(scaled[index].double().numpy(), expected, rtol=0, atol=900 * tol)


@pytest.mark.parametrize("side", [0, 1])
def test_scale_norm_refuses_a_pose_without_extent(side: int) -> None:
    poses = [noise(3, 17, 3, seed=1), noise(3, 17, 3, seed=2)]
    poses[side][2] = 0
    with pytest.raises(ValueError, match="scale_norm: expected poses with an extent.*drop such"):
        scale_norm(*poses)
