"""Choose the people of a video who become takes, and follow them from frame to frame.

Following is greedy: a person continues the track whose last pose is nearest, the pair of the
smallest distance first. The distance of two poses is the mean over the joints that both have,
relative to the longer side of the box around the larger one. It may be at most :data:`REACH`, and a
track that nobody continues for longer than :data:`PATIENCE_S` ends. There is no model of motion:
people who cross may be exchanged.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.person_table import NO_TRACK, Detections

CHOICES = ("best", "track", "all")

REACH = 0.5
PATIENCE_S = 0.5
# Two poses with fewer joints in common have no distance.
LEAST_COMMON = 3
# Every person of a frame is compared with every open track, of which the newest are kept.
MOST_FOLLOWED = 1000
MOST_OPEN = 4000
# Distances that are computed at a time.
BLOCK = 1 << 17


class Choice(NamedTuple):
    """The people of a video, sorted into takes.

    Attributes:
        takes: Name of the person, ``"person1"`` (empty if the take is the whole video), and its
            rows, in rising order of frames.
        dropped: Reason to number of people who are in none.
        note: How people were tracked, if they were.
    """

    takes: list[tuple[str, np.ndarray]]
    dropped: dict[str, int]
    note: str | None = None


def choose(people: Detections, how: str, fps: float, min_frames: int) -> Choice:
    """Sort the people of a video into takes.

    People are ordered by the detector's score; unless everybody has one, by the mean confidence of
    their joints, in which missing ones count as 0.

    Args:
        people: Everybody; missing joints are NaN.
        how: One of :data:`CHOICES`.
        fps: Rate at which frames count.
        min_frames: Shorter tracks are left out.

    Raises:
        ImportFileError: If there are too many people in a frame to follow them.
    """
    if how == "track":
        return _tracks(people, fps, min_frames)
    order, rank = _ranking(people)
    if how == "best":
        first = rank == 0
        return Choice([("", order[first])], {"other people in the frame": int((~first).sum())})
    by_rank = order[np.argsort(rank, kind="stable")]
    groups = np.split(by_rank, np.cumsum(np.bincount(rank))[:-1])
    return Choice([(f"person{k}", rows) for k, rows in enumerate(groups, 1)], {})


def _ranking(people: Detections) -> tuple[np.ndarray, np.ndarray]:
    """Sort rows by frame and falling score; also return the rank of each in its frame."""
    score = people.score
    if score is None or np.isnan(score).any():
        score = people.confidence.mean(1, dtype=np.float64)
    order = np.lexsort((-score, people.frame))
    _, first, member = np.unique(people.frame[order], return_index=True, return_inverse=True)
    return order, np.arange(len(order)) - first[member.reshape(-1)]


def _tracks(people: Detections, fps: float, min_frames: int) -> Choice:
    track, note = people.track, "people are followed by the identities in the file"
    if track is None or not _is_tracked(people.frame, track):
        _check_crowd(people)
        track = follow(people.frame, people.keypoints, fps)
        note = (
            "people are followed by the distance of their poses, since the file has no identity of "
            "its own for each of them; who crosses another's way may be exchanged"
        )
    # Tracks are numbered in the order in which they appear.
    _, first, member = np.unique(track, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))
    member = place[member.reshape(-1)]
    lengths = np.bincount(member)
    rows = np.split(np.argsort(member, kind="stable"), np.cumsum(lengths)[:-1])
    short = int(lengths[lengths < min_frames].sum())
    takes = [(f"person{k}", r) for k, r in enumerate(rows, 1) if len(r) >= min_frames]
    return Choice(takes, {f"in a track of less than {min_frames} frames": short}, note)


def _check_crowd(people: Detections) -> None:
    frames, crowd = np.unique(people.frame, return_counts=True)
    if crowd.max(initial=0) > MOST_FOLLOWED:
        raise ImportFileError(
            f"'{people.video}', frame {frames[crowd.argmax()]}: expected at most "
            f"{MOST_FOLLOWED:,} people to follow from frame to frame, got {crowd.max():,}; take "
            "the best of each frame (keypoints.people=best) or all (keypoints.people=all)"
        )


def _is_tracked(frame: np.ndarray, track: np.ndarray) -> bool:
    # Trackers that are switched off write the same number, mostly 0, for everybody.
    if (track == NO_TRACK).any() or not track.any():
        return False
    return len(np.unique(np.stack([frame, track], 1), axis=0)) == len(frame)


def follow(frame: np.ndarray, keypoints: np.ndarray, fps: float) -> np.ndarray:
    """Follow people from frame to frame by the distance of their poses; see the module.

    Args:
        frame: ``(P,)``, sorted.
        keypoints: ``(P, J, 2)``; NaN where a joint is missing.
        fps: Rate at which frames count.

    Returns:
        ``(P,)`` int64, a number for each track.
    """
    steps = np.diff(np.unique(frame))
    patience = max(PATIENCE_S * fps, steps.min() if len(steps) else 1)
    low, high = np.fmin.reduce(keypoints, axis=1), np.fmax.reduce(keypoints, axis=1)
    # At least one pixel, so that joints in one place have a distance too.
    size = np.fmax((high - low).max(-1), 1.0)
    begins = np.flatnonzero(np.r_[True, frame[1:] != frame[:-1]][: len(frame)])
    track = np.full(len(frame), NO_TRACK, np.int64)
    last = np.zeros(0, np.int64)
    tracks = 0
    for begin, end in zip(begins, [*begins[1:], len(frame)], strict=True):
        last = last[frame[begin] - frame[last] <= patience][-MOST_OPEN:]
        now = np.arange(begin, end)
        before, after = _pairs(_distance(keypoints, size, last, now))
        track[now[after]] = track[last[before]]
        fresh = np.setdiff1d(now, now[after])
        track[fresh] = np.arange(tracks, tracks + len(fresh))
        tracks += len(fresh)
        last = np.r_[np.delete(last, before), now]
    return track


def _distance(
    keypoints: np.ndarray, size: np.ndarray, last: np.ndarray, now: np.ndarray
) -> np.ndarray:
    """Return the ``(A, P)`` mean joint distance by body size; Inf without enough in common."""
    rows = max(1, BLOCK // (len(now) * keypoints.shape[1]))
    if len(last) > rows:
        parts = np.split(last, range(rows, len(last), rows))
        return np.concatenate([_distance(keypoints, size, part, now) for part in parts])
    gap = np.linalg.norm(keypoints[last][:, None] - keypoints[now][None], axis=-1)
    both = np.isfinite(gap)
    common = both.sum(-1)
    mean = np.where(both, gap, 0).sum(-1) / np.maximum(common, 1)
    distance = mean / np.maximum(size[last][:, None], size[now][None])
    return np.where(common >= LEAST_COMMON, distance, np.inf)


def _pairs(distance: np.ndarray) -> tuple[list[int], list[int]]:
    """Match rows and columns, the nearest first, each at most once."""
    before: dict[int, None] = {}
    after: dict[int, None] = {}
    near = np.flatnonzero(distance.ravel() <= REACH)
    for flat in near[np.argsort(distance.ravel()[near], kind="stable")]:
        row, column = divmod(int(flat), distance.shape[1])
        if row not in before and column not in after:
            before[row] = after[column] = None
    return list(before), list(after)
