r"""Smoothing of a person's motion, and interpolation over short gaps.

Poses are lifted one by one, so they jitter. A Gaussian over time takes most of that away; it is
symmetric, so nothing lags. At the ends of a motion, where it would be one-sided, a line is fitted
under its weights instead (between them that is the same):

    X_t <- a_t  of  min sum_s w(s - t) |X_s - a_t - b_t (s - t)|^2,   w(u) = exp(-u^2 / 2 sigma^2)
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from selflift.lift.people import LiftedPerson
from selflift.lift.result import POSE_FIELDS, LiftedPoses

# Weights farther away than so many standard deviations are nothing.
REACH = 3.0


def fill_gaps(person: LiftedPerson, most: int) -> LiftedPerson:
    """Interpolate poses that are missing between two lifted ones, in a straight line.

    Args:
        person: The person.
        most: Longer gaps stay, in frames of the usual distance.

    Returns:
        The person, with rows for frames that had none; in these and in rows that couldn't be lifted
        every joint counts as filled in, with confidence 0.
    """
    frame, lifted = person.frame, np.flatnonzero(person.poses.lifted)
    step = person.step
    wanted = [
        range(int(before) + step, int(after), step)
        for before, after in zip(frame[lifted[:-1]], frame[lifted[1:]], strict=True)
        # Frames that are no whole number of steps apart have no frame between them that is missing.
        if (after - before) % step == 0 and after - before <= (most + 1) * step
    ]
    new = np.array([f for gap in wanted for f in gap], np.int64)
    if len(new) == 0:
        return person
    # Rows that are there but couldn't be lifted give way to the new ones.
    kept = ~np.isin(frame, new)
    order = np.argsort(np.concatenate([frame[kept], new]), kind="stable")
    after = np.searchsorted(frame[lifted], new)
    first, second = lifted[after - 1], lifted[after]
    share = (new - frame[first]) / (frame[second] - frame[first])
    between = _between(person.poses[first], person.poses[second], share.astype(np.float32))
    interpolated = np.concatenate([person.interpolated[kept], np.ones(len(new), bool)])
    return replace(
        person,
        frame=np.concatenate([frame[kept], new])[order],
        poses=_joined(person.poses[kept], between)[order],
        interpolated=interpolated[order],
    )


def smooth(person: LiftedPerson, sigma_s: float) -> LiftedPerson:
    """Smooth the poses and the path of the root, each unbroken part of the motion by itself.

    Args:
        person: The person.
        sigma_s: Standard deviation of the Gaussian, in seconds.
    """
    sigma = sigma_s * person.fps / person.step
    if sigma <= 0:
        return person
    X_m, root_m = person.poses.X_m.copy(), person.poses.root_m.copy()
    for part in unbroken(person):
        X_m[part] = gaussian(X_m[part], sigma)
        root_m[part] = gaussian(root_m[part], sigma)
    return replace(person, poses=replace(person.poses, X_m=X_m, root_m=root_m))


def unbroken(person: LiftedPerson) -> list[slice]:
    """Return the rows of each part of the motion without a gap."""
    there, frame = person.there, person.frame
    goes_on = there[1:] & there[:-1] & (np.diff(frame) <= person.step)
    ends = np.flatnonzero(~np.concatenate([goes_on, [False]])) + 1
    parts = zip([0, *ends[:-1]], ends, strict=True)
    return [slice(int(start), int(end)) for start, end in parts if there[start]]


def gaussian(values: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth a sequence; see the module.

    Args:
        values: ``(T, ...)``.
        sigma: Standard deviation in rows.
    """
    count, reach = len(values), min(math.ceil(REACH * sigma), len(values) - 1)
    if reach < 1:
        return values
    offset = np.arange(-reach, reach + 1)
    row = np.arange(count)[:, None] + offset
    w = np.exp(-0.5 * (offset / sigma) ** 2) * ((row >= 0) & (row < count))
    # The weighted moments of the offsets solve the line's normal equations.
    m0, m1, m2 = ((w * offset**k).sum(1, keepdims=True) for k in range(3))
    weight = w * (m2 - m1 * offset) / (m0 * m2 - m1**2)
    flat = values.reshape(count, -1).astype(np.float64)
    out = np.zeros_like(flat)
    for k in range(len(offset)):
        out += weight[:, k, None] * flat[np.clip(row[:, k], 0, count - 1)]
    return out.reshape(values.shape).astype(values.dtype)


def _between(first: LiftedPoses, second: LiftedPoses, share: np.ndarray) -> LiftedPoses:
    def mixed(name: str) -> np.ndarray:
        a, b = getattr(first, name), getattr(second, name)
        part = share.reshape(-1, *[1] * (a.ndim - 1))
        return np.asarray((1 - part) * a + part * b)

    up = mixed("up")
    return replace(
        first,
        X_m=mixed("X_m"),
        root_m=mixed("root_m"),
        up=up / np.linalg.norm(up, axis=-1, keepdims=True),
        pose_2d=mixed("pose_2d"),
        confidence=np.zeros_like(first.confidence),
        filled=np.ones_like(first.filled),
        lifted=np.zeros_like(first.lifted),
        elevation_rad=None if first.elevation_rad is None else mixed("elevation_rad"),
    )


def _joined(first: LiftedPoses, second: LiftedPoses) -> LiftedPoses:
    parts: dict[str, Any] = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in POSE_FIELDS
        if getattr(first, name) is not None
    }
    return replace(first, **parts)
