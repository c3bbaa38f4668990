"""Poses reduced to what a chart shows, so that its size doesn't depend on how many there are."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from selflift.evaluate.page.svg import nice_step

TREND_BINS = 12
# Share of the poses at either end that doesn't stretch an axis.
TAIL = 0.005


class Bin(NamedTuple):
    """The errors of the poses whose covariate lies in one bin."""

    low: float
    high: float
    num_poses: int
    mean: float
    quarter: float
    three_quarters: float


def marks(errors: np.ndarray, higher_is_better: bool) -> dict[str, float]:
    """The three numbers that are marked in a distribution.

    Args:
        errors: One per pose, finite.
        higher_is_better: Which tail is the bad one.

    Returns:
        Name -> value: median, mean, and what 95 % of the poses don't exceed (or reach).
    """
    bad = "95 % above" if higher_is_better else "95 % below"
    return {
        "median": float(np.median(errors)),
        "mean": float(errors.mean(dtype=np.float64)),
        bad: float(np.quantile(errors, 0.05 if higher_is_better else 0.95)),
    }


def bin_by(covariate: np.ndarray, errors: np.ndarray) -> list[Bin]:
    """Errors in bins of a covariate: equal, round widths; the outermost hold the tails as well.

    Args:
        covariate: One value per pose, NaN where it isn't known.
        errors: One per pose, NaN where there is none.

    Returns:
        The bins that hold poses; none if no pose has both.
    """
    known = np.isfinite(covariate) & np.isfinite(errors)
    covariate, errors = covariate[known].astype(np.float64), errors[known].astype(np.float64)
    if len(errors) == 0:
        return []
    low, high = np.quantile(covariate, [TAIL, 1 - TAIL])
    # Few poses get few bins.
    count = int(np.clip(math.sqrt(len(errors)) / 2, 1, TREND_BINS))
    smallest = 1e-3 * max(1.0, abs(float(high)))
    step = nice_step(max(float(high - low), smallest), count)
    first, last = math.floor(low / step), max(math.ceil(high / step) - 1, math.floor(low / step))
    place = np.clip(np.floor(covariate / step), first, last).astype(np.int64) - first
    order = np.argsort(place, kind="stable")
    groups = np.split(errors[order], np.cumsum(np.bincount(place, minlength=last - first + 1))[:-1])
    return [
        Bin(
            (first + i) * step,
            (first + i + 1) * step,
            len(own),
            float(own.mean()),
            *np.quantile(own, [0.25, 0.75]).tolist(),
        )
        for i, own in enumerate(groups)
        if len(own)
    ]


def axis_end(errors: np.ndarray) -> float:
    """Where the axis of a distribution ends: round, with all but the tail below.

    Args:
        errors: One per pose, finite and at least 0.
    """
    top = float(np.quantile(errors, 1 - TAIL, method="higher")) or 1.0
    step = nice_step(top, 10)
    return math.ceil(top / step - 1e-9) * step
