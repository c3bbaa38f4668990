"""Another frame rate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from selflift.formats.mocap.importer import resample

RATES = [(120, 50), (60, 50), (30, 50), (120, 48), (119.88, 50), (25, 120), (100, 99.9)]


def swing(fps: float, seconds: float = 2.0, hz: float = 2.0) -> np.ndarray:
    """A double pendulum of two limbs of 0.4 m, ``(F, 3, 3)`` metres, swinging at ``hz``."""
    t = np.arange(int(seconds * fps) + 1) / fps
    a, b = 0.9 * np.sin(2 * np.pi * hz * t), 0.5 + 1.1 * np.cos(2 * np.pi * hz * t)
    hip = np.stack([1.5 * t, 0.05 * np.sin(4 * np.pi * hz * t), 0.9 + 0 * t], -1)
    knee = hip + 0.4 * np.stack([np.sin(a), 0 * t, -np.cos(a)], -1)
    ankle = knee + 0.4 * np.stack([np.sin(a - b), 0 * t, -np.cos(a - b)], -1)
    return np.stack([hip, knee, ankle], 1)


@pytest.mark.parametrize(("source", "target", "step"), [(120, 60, 2), (50, 50, 1), (120, 24, 5)])
def test_frames_are_picked_where_the_rate_divides(source: int, target: int, step: int) -> None:
    X = np.random.default_rng(0).normal(size=(31, 17, 3))
    np.testing.assert_array_equal(resample(X, source, target), X[::step])


@pytest.mark.parametrize(("source", "target"), RATES)
def test_cubic_motion_is_exact_up_to_the_ends(source: float, target: float) -> None:
    polynomial = np.random.default_rng(1).normal(size=(4, 5, 3))
    t = np.arange(40) / 40
    X = np.polynomial.polynomial.polyval(t, polynomial).transpose(2, 0, 1)
    at = np.arange(int(39 * target / source + 1e-9) + 1) * (source / target) / 40
    expected = np.polynomial.polynomial.polyval(at, polynomial).transpose(2, 0, 1)
    Y = resample(X, source, target)
    assert Y.shape == expected.shape
    np.testing.assert_allclose(Y, expected, atol=1e-12)


@pytest.mark.parametrize(("source", "target"), [(120, 50), (60, 50)])
def test_fast_limbs_keep_their_length_and_place_to_a_millimetre(source: int, target: int) -> None:
    Y = resample(swing(source), source, target)
    truth = swing(target)[: len(Y)]
    assert 1000 * np.linalg.norm(Y - truth, axis=-1).max() < 1
    lengths = np.linalg.norm(np.diff(Y, axis=1), axis=-1)
    assert 1000 * np.abs(lengths - 0.4).max() < 1


def test_it_agrees_with_a_cubic_spline() -> None:
    X = swing(120)
    spline = CubicSpline(np.arange(len(X)), X, axis=0)
    Y = resample(X, 120, 50)
    at = np.arange(len(Y)) * 2.4
    assert 1000 * np.abs(Y - spline(at)).max() < 0.1


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("source", "target"), RATES)
def test_short_motion_is_followed_to_its_last_frame(
    frames: int, source: float, target: float
) -> None:
    """A straight line: as many points as fit between the first frame and the last."""
    X = np.arange(frames, dtype=float)[:, None, None] * np.ones((1, 2, 3))
    Y = resample(X, source, target)
    count = sum(k * source / target <= frames - 1 + 1e-9 for k in range(1000))
    assert len(Y) == count
    np.testing.assert_allclose(Y[:, 0, 0], np.arange(count) * source / target, atol=1e-9)


def test_the_first_frame_stays_the_same_to_the_bit() -> None:
    X = np.random.default_rng(2).normal(size=(9, 17, 3))
    np.testing.assert_array_equal(resample(X, 120, 50)[0], X[0])
