"""PCK and AUC against loops over thresholds, above all where an error equals one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from selflift.evaluate.metrics import AUC_THRESHOLDS_MM, auc, pck


def slow_pck(distances: np.ndarray, threshold: float) -> float:
    return 100 * sum(bool(d < threshold) for d in distances) / len(distances)


def slow_auc(distances: np.ndarray) -> float:
    return float(np.mean([slow_pck(distances, t) for t in np.arange(0, 151, 5)]))


def errors_on_and_beside_every_threshold(dtype: torch.dtype) -> Tensor:
    """Each threshold, and its two neighbours among the floating-point numbers, ``(93, 2)``."""
    on = torch.tensor(AUC_THRESHOLDS_MM, dtype=dtype)
    below = torch.nextafter(on, torch.zeros_like(on))
    above = torch.nextafter(on, torch.full_like(on, 1e9))
    return torch.stack([on, below, above], 1).reshape(-1, 1).repeat(1, 2)


def test_the_thresholds_are_the_benchmarks() -> None:
    assert tuple(np.linspace(0, 150, 31)) == AUC_THRESHOLDS_MM


def test_both_equal_the_loop(dtype: torch.dtype) -> None:
    distances = 90 * torch.randn(200, 17, generator=torch.Generator().manual_seed(0)).abs()
    distances = distances.to(dtype)
    for function, slow in ((pck, lambda row: slow_pck(row, 150)), (auc, slow_auc)):
        found = function(distances)
        assert found.dtype == dtype and found.shape == (200,)
        np.testing.assert_allclose(found.numpy(), [slow(d) for d in distances.numpy()], rtol=1e-5)
    assert 20 < pck(distances).min() < pck(distances).max() <= 100


def test_an_error_equal_to_a_threshold_fails_it(dtype: torch.dtype) -> None:
    distances = errors_on_and_beside_every_threshold(dtype)
    np.testing.assert_allclose(
        auc(distances).numpy(), [slow_auc(d) for d in distances.numpy()], rtol=1e-6
    )
    for threshold in AUC_THRESHOLDS_MM[1:]:
        expected = [slow_pck(d, threshold) for d in distances.numpy()]
        assert pck(distances, threshold).tolist() == expected


def test_a_perfect_prediction_has_full_pck_and_misses_one_threshold_of_auc(
    dtype: torch.dtype,
) -> None:
    perfect = torch.zeros(3, 17, dtype=dtype)
    assert pck(perfect).tolist() == [100.0] * 3
    torch.testing.assert_close(auc(perfect), torch.full_like(perfect[:, 0], 100 * 30 / 31))


def test_joints_beyond_every_threshold_have_nothing() -> None:
    far = torch.full((2, 17), 1e4)
    assert pck(far).tolist() == auc(far).tolist() == [0.0, 0.0]


def test_the_default_is_150_mm() -> None:
    distances = torch.tensor([[149.9, 150.0, 150.1, 10.0]])
    assert pck(distances).item() == 50
    assert pck(distances, 200.0).item() == 100


@pytest.mark.parametrize("function", [pck, auc])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_what_is_no_error_raises(function: object, value: float) -> None:
    distances = torch.ones(5, 17)
    distances[[2, 4], 3] = value
    with pytest.raises(ValueError, match="finite errors of at least 0 mm, got others in 2 of 5.*2"):
        function(distances)


@pytest.mark.parametrize("function", [pck, auc])
@pytest.mark.parametrize("shape", [(0, 17), (3, 0)])
def test_nothing_to_count_raises(function: object, shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="errors of at least one joint, got none"):
        function(torch.zeros(shape))


@pytest.mark.parametrize("threshold", [0.0, -5.0, float("nan"), float("inf")])
def test_a_threshold_that_is_no_length_raises(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold_mm: expected a length above 0"):
        pck(torch.ones(1, 17), threshold)
