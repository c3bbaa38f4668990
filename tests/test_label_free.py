"""Rank correlations equal SciPy's, and their intervals cover what they should."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

SCRIPT = Path(__file__).parents[1] / "scripts" / "label_free.py"
spec = importlib.util.spec_from_file_location("label_free", SCRIPT)
assert spec is not None and spec.loader is not None
sys.modules["label_free"] = script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)
rank_correlation = script.rank_correlation


@pytest.mark.parametrize("levels", [1000, 6, 3], ids=["no ties", "ties", "many ties"])
def test_rho_equals_scipys(levels: int) -> None:
    rng = np.random.default_rng(levels)
    for n in (5, 12, 40):
        error = rng.integers(0, levels, n).astype(float)
        value = error + rng.integers(0, levels, n)
        rho, *_, runs = rank_correlation(value, error, resamples=100)
        assert rho == pytest.approx(spearmanr(value, error).statistic, abs=1e-12)
        assert runs == n


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    pearson = 0.6
    expected = 6 / np.pi * np.arcsin(pearson / 2)  # Spearman's of a bivariate normal
    covered = []
    for _ in range(200):
        error, noise = rng.standard_normal((2, 30))
        value = pearson * error + np.sqrt(1 - pearson**2) * noise
        _, low, high, _ = rank_correlation(value, error, resamples=400)
        covered.append(low <= expected <= high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_a_monotone_number_ranks_perfectly_whatever_its_scale() -> None:
    error = np.array([50.0, 60, 75, 80, 130])
    assert rank_correlation(np.exp(error / 10), error) == pytest.approx((1, 1, 1, 5))
    assert rank_correlation(-(error**3), error) == pytest.approx((-1, -1, -1, 5))


def test_runs_without_the_number_are_left_out_and_not_counted() -> None:
    error, value = np.array([1.0, 2, 3, 4, 5, np.inf]), np.array([1.0, np.nan, 2, 3, 4, 0])
    assert rank_correlation(value, error) == pytest.approx((1, 1, 1, 4))


@pytest.mark.parametrize(
    ("value", "error"),
    [([1.0] * 5, [1.0, 2, 3, 4, 5]), ([1.0, 2, 3, 4], [2.0] * 4), ([1.0, 2, 3], [1.0, 2, 3])],
    ids=["values equal", "errors equal", "three runs"],
)
def test_what_does_not_exist_is_nan(value: list[float], error: list[float]) -> None:
    *found, runs = rank_correlation(np.array(value), np.array(error))
    assert np.isnan(found).all() and runs == len(error)
