"""Gaps and jitter: what is filled, what is split, and that smoothing neither lags nor drifts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from selflift.lift import Camera, LiftedPoses
from selflift.lift.people import LiftedPerson
from selflift.lift.smoothing import fill_gaps, gaussian, smooth, unbroken
from selflift.skeleton import H36M_17


def person(frame: list[int], lifted: list[bool] | None = None, fps: float = 25.0) -> LiftedPerson:
    """Somebody who moves in a straight line, a metre a frame."""
    T = len(frame)
    there = np.ones(T, bool) if lifted is None else np.array(lifted)
    base = np.arange(17 * 3, dtype=np.float32).reshape(17, 3)
    way = np.array(frame, np.float32)[:, None]
    X = np.where(there[:, None, None], base + way[:, :, None], np.nan).astype(np.float32)
    poses = LiftedPoses(
        X_m=X, root_m=np.where(there[:, None], np.repeat(way, 3, 1), np.nan).astype(np.float32),
        up=np.tile(np.float32([0, -1, 0]), (T, 1)), pose_2d=X[..., :2],
        confidence=np.ones((T, 17), np.float32), filled=np.zeros((T, 17), bool), lifted=there,
        elevation_rad=None, skeleton=H36M_17, stature_m=1.7,
        camera=Camera((1.0, 1.0), (0.0, 0.0), (1.0, 1.0)),
    )  # fmt: skip
    return LiftedPerson("anna", 0, np.array(frame), fps, poses, np.zeros(T, bool))


def test_short_gaps_are_filled_in_a_straight_line_and_marked() -> None:
    filled = fill_gaps(person([0, 1, 4, 5, 9, 10]), 3)
    assert filled.frame.tolist() == list(range(11))
    assert np.flatnonzero(filled.interpolated).tolist() == [2, 3, 6, 7, 8]
    np.testing.assert_allclose(filled.poses.X_m, person(list(range(11))).poses.X_m, rtol=1e-6)
    np.testing.assert_allclose(filled.poses.root_m[:, 0], np.arange(11), rtol=1e-6)
    between = filled.interpolated
    assert filled.poses.filled[between].all() and (filled.poses.confidence[between] == 0).all()
    assert not filled.poses.lifted[between].any() and filled.there.all()
    assert not filled.poses.filled[~between].any()


def test_longer_gaps_split_the_motion() -> None:
    kept = fill_gaps(person([0, 1, 5, 6, 8]), 2)
    assert kept.frame.tolist() == [0, 1, 5, 6, 7, 8]
    assert unbroken(kept) == [slice(0, 2), slice(2, 6)]
    assert fill_gaps(person([0, 1, 5]), 0).frame.tolist() == [0, 1, 5]


def test_poses_that_could_not_be_lifted_are_gaps_too() -> None:
    lifted = [False, True, False, False, True, True, False]
    filled = fill_gaps(person(list(range(7)), lifted), 2)
    assert filled.frame.tolist() == list(range(7))
    assert np.flatnonzero(filled.interpolated).tolist() == [2, 3]
    assert np.isnan(filled.poses.X_m[[0, 6]]).all()
    assert unbroken(filled) == [slice(1, 6)]
    split = fill_gaps(person(list(range(7)), lifted), 1)
    assert unbroken(split) == [slice(1, 2), slice(4, 6)]
    assert unbroken(person([0, 1], [False, False])) == []


def test_thinned_frames_are_no_gaps() -> None:
    filled = fill_gaps(person([0, 5, 15, 20]), 5)
    assert filled.frame.tolist() == [0, 5, 10, 15, 20] and filled.step == 5
    # Nothing lies between frames that are one and a half steps apart.
    odd = fill_gaps(person([0, 2, 5, 7]), 5)
    assert odd.frame.tolist() == [0, 2, 5, 7] and unbroken(odd) == [slice(0, 2), slice(2, 4)]


def test_smoothing_keeps_straight_motion_and_does_not_lag() -> None:
    line = np.arange(20.0)[:, None] * [1.0, -2.0]
    np.testing.assert_allclose(gaussian(line, 1.7), line, atol=1e-12)
    peak = np.exp(-0.5 * ((np.arange(41.0) - 20) / 4) ** 2)
    found = gaussian(peak, 2.0)
    np.testing.assert_allclose(found, found[::-1], atol=1e-12)
    assert found.argmax() == 20
    # Gaussians of Gaussians: their variances add.
    np.testing.assert_allclose(found[20], 4 / np.sqrt(4**2 + 2**2), rtol=2e-3)


def test_smoothing_is_the_weighted_line_of_its_formula() -> None:
    values = np.random.default_rng(0).standard_normal((9, 2))
    found = gaussian(values, 1.3)
    for t in range(9):
        s = np.arange(9.0) - t
        w = np.exp(-0.5 * (s / 1.3) ** 2) * (np.abs(s) <= np.ceil(3 * 1.3))
        design = np.stack([np.ones(9), s], 1) * np.sqrt(w)[:, None]
        line = np.linalg.lstsq(design, values * np.sqrt(w)[:, None], rcond=None)[0]
        np.testing.assert_allclose(found[t], line[0], atol=1e-10)


def test_parts_are_smoothed_apart_and_the_rest_is_untouched() -> None:
    one = person([0, 1, 2, 3, 20, 21, 22, 23])
    jitter = np.random.default_rng(0).standard_normal(one.poses.X_m.shape).astype(np.float32)
    noisy = replace(one, poses=replace(one.poses, X_m=one.poses.X_m + jitter))
    found = smooth(noisy, 0.06)
    apart = replace(noisy, frame=noisy.frame[:4], poses=noisy.poses[:4],
                    interpolated=noisy.interpolated[:4])  # fmt: skip
    np.testing.assert_array_equal(found.poses.X_m[:4], smooth(apart, 0.06).poses.X_m)
    error = [np.abs(p.poses.X_m - one.poses.X_m).mean() for p in (noisy, found)]
    assert error[1] < 0.75 * error[0]
    np.testing.assert_array_equal(found.poses.pose_2d, noisy.poses.pose_2d)
    assert smooth(noisy, 0.0) is noisy


@pytest.mark.parametrize(("fps", "step"), [(25.0, 1), (100.0, 1), (100.0, 4)])
def test_the_strength_is_in_seconds(fps: float, step: int) -> None:
    frames = list(range(0, 200 * step, step))
    one = person(frames, fps=fps)
    wave = np.sin(2 * np.pi * 2.0 * np.array(frames) / fps)[:, None, None]
    moved = replace(one, poses=replace(one.poses, X_m=wave * np.ones((1, 17, 3), np.float32)))
    found = smooth(moved, 0.06).poses.X_m[80:120] / moved.poses.X_m[80:120]
    # What a Gaussian of 0.06 s leaves of 2 Hz.
    np.testing.assert_allclose(np.median(found), np.exp(-0.5 * (2 * np.pi * 2 * 0.06) ** 2),
                               rtol=0.02)  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_motions_are_smoothed_without_harm(count: int) -> None:
    values = np.random.default_rng(0).standard_normal((count, 4))
    assert np.isfinite(gaussian(values, 5.0)).all()
    if count == 1:
        np.testing.assert_array_equal(gaussian(values, 5.0), values)
