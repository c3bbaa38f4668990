"""Rank correlations equal SciPy's, and their intervals cover what they should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from selflift.evaluate.ranks import rank_correlation


@pytest.mark.parametrize("levels", [1000, 6, 3], ids=["no ties", "ties", "many ties"])
def test_rho_equals_scipys(levels: int) -> None:
    rng = np.random.default_rng(levels)
    for n in (5, 12, 40):
        error = rng.integers(0, levels, n).astype(float)
        value = error + rng.integers(0, levels, n)
        found = rank_correlation({"v": value}, error, resamples=100)["v"]
        assert found.rho == pytest.approx(spearmanr(value, error).statistic, abs=1e-12)
        assert found.n == n


def test_interval_equals_a_slow_bootstrap() -> None:
    rng = np.random.default_rng(0)
    error = rng.integers(0, 8, 15).astype(float)
    value = error + rng.integers(0, 8, 15)
    resampled = []
    for _ in range(3000):
        rows = rng.integers(0, 15, 15)
        resampled.append(spearmanr(value[rows], error[rows]).statistic)
    found = rank_correlation({"v": value}, error)["v"]
    low, high = np.percentile(resampled, [2.5, 97.5])
    assert found.low == pytest.approx(low, abs=0.05)
    assert found.high == pytest.approx(high, abs=0.05)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    pearson = 0.6
    expected = 6 / np.pi * np.arcsin(pearson / 2)  # Spearman's of a bivariate normal
    covered = []
    for _ in range(200):
        error, noise = rng.standard_normal((2, 30))
        value = pearson * error + np.sqrt(1 - pearson**2) * noise
        found = rank_correlation({"v": value}, error, resamples=400)["v"]
        covered.append(found.low <= expected <= found.high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_a_monotone_number_ranks_perfectly_whatever_its_scale() -> None:
    error = np.array([50.0, 60, 75, 80, 130])
    found = rank_correlation({"up": np.exp(error / 10), "down": -(error**3)}, error)
    assert found["up"] == (1, 1, 1, 5)
    assert found["down"] == (-1, -1, -1, 5)


def test_runs_without_the_number_are_left_out_and_not_counted() -> None:
    error = [1.0, 2, 3, 4, 5, np.inf]
    value = [1.0, np.nan, 2, 3, 4, 0]
    found = rank_correlation({"v": value}, error)["v"]
    assert found == (1, 1, 1, 4)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([1.0, 1, 1, 1, 1], [1.0, 2, 3, 4, 5]),
        ([1.0, 2, 3, 4], [2.0] * 4),
        ([1.0, 2, 3], [1.0, 2, 3]),
    ],
    ids=["values equal", "errors equal", "three runs"],
)
def test_what_does_not_exist_is_nan(value: list[float], error: list[float]) -> None:
    found = rank_correlation({"v": value}, error)["v"]
    assert np.isnan([found.rho, found.low, found.high]).all()
    assert found.n == len(error)


def test_same_seed_same_interval() -> None:
    error, value = np.random.default_rng(0).standard_normal((2, 12))
    one, again, other = (rank_correlation({"v": value}, error, seed=s)["v"] for s in (1, 1, 2))
    assert one == again
    assert one != other


def test_bad_calls_are_refused_in_words() -> None:
    with pytest.raises(
        ValueError, match="expected 'v' to have one value for each of the 3 errors, got 2"
    ):
        rank_correlation({"v": [1.0, 2.0]}, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="resamples: expected at least 100, got 0"):
        rank_correlation({}, [], resamples=0)
