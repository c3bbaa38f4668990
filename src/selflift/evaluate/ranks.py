"""Does a number rank runs as their error does? Spearman's rank correlation, with an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

MIN_RUNS = 4
MIN_RESAMPLES = 100


class RankCorrelation(NamedTuple):
    """Spearman's correlation of a number with the error.

    Attributes:
        rho: 1 when it puts the runs in the order of their errors, -1 in the opposite order.
        low: Lower end of the 95% interval.
        high: Upper end of the 95% interval.
        n: Runs that have both numbers.
    """

    rho: float
    low: float
    high: float
    n: int


def rank_correlation(
    values: Mapping[str, Sequence[float] | np.ndarray],
    error: Sequence[float] | np.ndarray,
    resamples: int = 5000,
    seed: int = 0,
) -> dict[str, RankCorrelation]:
    """How each of several numbers ranks runs, against their error.

    Spearman's correlation is Pearson's of the ranks; ties share their mean rank. The interval is
    the percentile bootstrap over runs. It takes the runs for independent (two checkpoints of one
    run are not), and with fewer than about ten it is a hint, not a test.

    Args:
        values: Name -> one number per run; NaN where a run has none.
        error: The error of each run, in the same order.
        resamples: Bootstrap resamples.
        seed: Of the resampling; the same seed gives the same interval.

    Returns:
        Name -> correlation, interval and number of runs. All NaN but ``n`` where it does not exist:
        with fewer than 4 runs, or with all values or all errors equal.

    Raises:
        ValueError: If there are not as many values as errors, or there are too few resamples for an
            interval.
    """
    if resamples < MIN_RESAMPLES:
        raise ValueError(f"resamples: expected at least {MIN_RESAMPLES}, got {resamples}")
    truth = np.asarray(error, np.float64)
    found = {}
    for name, given in values.items():
        value = np.asarray(given, np.float64)
        if value.shape != truth.shape:
            raise ValueError(
                f"rank_correlation: expected '{name}' to have one value for each of the "
                f"{truth.size} errors, got {value.size}; give NaN where a run has none"
            )
        both = np.isfinite(value) & np.isfinite(truth)
        found[name] = _spearman(value[both], truth[both], resamples, seed)
    return found


def _spearman(a: np.ndarray, b: np.ndarray, resamples: int, seed: int) -> RankCorrelation:
    n = len(a)
    nothing = RankCorrelation(np.nan, np.nan, np.nan, n)
    if n < MIN_RUNS or np.ptp(a) == 0 or np.ptp(b) == 0:
        return nothing
    # A resample is how often it holds each run: its ranks are sums over the runs below.
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), resamples)
    counts = np.concatenate([np.ones((1, n)), counts])
    rho = _weighted_pearson(_ranks(a, counts), _ranks(b, counts), counts)
    # A resample of tied runs alone has no ranks to correlate.
    low, high = np.nanpercentile(rho[1:], [2.5, 97.5])
    return RankCorrelation(float(rho[0]), float(low), float(high), n)


def _ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Rank of every run in every resample less 1/2, ties at their mean: ``(resamples, n)``."""
    others, own = values[:, None], values[None, :]
    return counts @ ((others < own) + 0.5 * (others == own))


def _weighted_pearson(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    def centred(table: np.ndarray) -> np.ndarray:
        mean = (weights * table).sum(1, keepdims=True) / weights.sum(1, keepdims=True)
        return table - mean

    a, b = centred(a), centred(b)
    norm = np.sqrt((weights * a * a).sum(1) * (weights * b * b).sum(1))
    result = np.full(len(norm), np.nan)
    # Ranks are multiples of 1/2: what is smaller than any of their squares is rounding.
    np.divide((weights * a * b).sum(1), norm, out=result, where=norm > 1e-6)
    return np.clip(result, -1, 1)
