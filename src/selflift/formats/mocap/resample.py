"""Another frame rate, by cubic interpolation in time.

Between two frames a joint follows the cubic that has, at both, the slope of the five frames around;
it is exact for motion that is a cubic polynomial of time.
"""

from __future__ import annotations

from math import comb

import numpy as np

EXACT = 1e-6


def resample(X: np.ndarray, source_fps: float, target_fps: float) -> np.ndarray:
    """Motion at another rate, from the same first frame on.

    Args:
        X: ``(F, ...)``, a motion.
        source_fps: Its rate.
        target_fps: The wanted rate. If it divides the source's, frames are picked, not computed.

    Returns:
        ``(G, ...)``: the frames up to the last one of the source.
    """
    ratio = source_fps / target_fps
    step = round(ratio)
    if step >= 1 and abs(ratio - step) < EXACT * step:
        return X[::step]
    count = int((len(X) - 1) / ratio + EXACT) + 1
    at = np.arange(count) * ratio
    left = np.minimum(at.astype(int), max(len(X) - 2, 0))
    s = (at - left).reshape(-1, *[1] * (X.ndim - 1))
    padded = _padded(X)
    slope = (8 * (padded[3:-1] - padded[1:-3]) - (padded[4:] - padded[:-4])) / 12
    right = np.minimum(left + 1, len(X) - 1)
    a, b = X[left], X[right]
    return (
        (1 + 2 * s) * (1 - s) ** 2 * a
        + s**2 * (3 - 2 * s) * b
        + s * (1 - s) ** 2 * slope[left]
        - s**2 * (1 - s) * slope[right]
    )


def _padded(X: np.ndarray) -> np.ndarray:
    """Two frames more at both ends, on the polynomial (at most cubic) of the frames there."""
    order = min(4, len(X))
    weights = np.array([(-1) ** k * comb(order, k + 1) for k in range(order)], float)
    for _ in range(2):
        first = np.tensordot(weights, X[:order], 1)
        last = np.tensordot(weights, X[::-1][:order], 1)
        X = np.concatenate([first[None], X, last[None]])
    return X
