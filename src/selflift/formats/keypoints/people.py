"""Which of the people in a frame become takes, and who is who from frame to frame.

Three ways: the best of every frame, everybody, or everybody followed. Following is greedy: a person
continues the track whose last pose is nearest, the pair of the smallest distance first. The
distance of two poses is the mean over the joints that both have, relative to the longer side of the
box around the larger one. It may be at most :data:`REACH`, and a track that nobody continues for
longer than :data:`PATIENCE_S` ends. There is no model of motion: people who cross may be exchanged.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.detections import NO_TRACK, Detections

CHOICES = ("best", "track", "all")

REACH = 0.5
PATIENCE_S = 0.5
# Fewer joints in common say too little of two poses' distance.
LEAST_COMMON = 3
# Every person of a frame is compared with every track that goes on: of so many people in a frame,
# and with so many tracks, the newest.
MOST_FOLLOWED = 1000
MOST_OPEN = 4000
# Distances that are computed at once.
BLOCK = 1 << 17


class Chosen(NamedTuple):
    """One take's people.

    Attributes:
        name: The person, ``"person1"``; empty where there is one take for the whole video.
        rows: Their rows, in rising order of frames.
    """

    name: str
    rows: np.ndarray


class Choice(NamedTuple):
    """What became of the people of a video.

    Attributes:
        takes: The takes.
        dropped: Reason to number of people who are in none.
        note: How tracks were found, where they were.
    """

    takes: list[Chosen]
    dropped: dict[str, int]
    note: str | None = None


def choose(people: Detections, how: str, fps: float, min_frames: int) -> Choice:
    """Sort the people of a video into takes.

    The score that orders people is the detector's; where it is not there for everybody, the mean
    confidence of a person's joints, in which missing ones count as 0.

    Args:
        people: Everybody; missing joints are NaN.
        how: One of :data:`CHOICES`.
        fps: Rate at which frames count.
        min_frames: Shorter tracks are left out.

    Raises:
        ImportFileError: If there are too many people in a frame to follow them.
    """
    order, rank = _ranking(people)
    if how == "best":
        first = rank == 0
        return Choice(
            [Chosen("", order[first])], {"other people in the frame": int((~first).sum())}
        )
    if how == "all":
        by_rank = order[np.argsort(rank, kind="stable")]
        groups = np.split(by_rank, np.cumsum(np.bincount(rank))[:-1])
        return Choice([Chosen(f"person{k}", g) for k, g in enumerate(groups, 1)], {})
    return _tracks(people, fps, min_frames)


def check_choice(how: str) -> str:
    """The way to choose people, if there is one of that name.

    Raises:
        ImportFileError: If there is none.
    """
    if how not in CHOICES:
        raise ImportFileError(
            f"keypoints.people: expected one of {', '.join(CHOICES)}, got '{how}'"
        )
    return how


def _ranking(people: Detections) -> tuple[np.ndarray, np.ndarray]:
    """Rows by frame and falling score, and the place of each in its frame."""
    score = people.score
    if np.isnan(score).any():
        score = people.confidence.mean(1, dtype=np.float64)
    order = np.lexsort((-score, people.frame))
    return order, np.arange(len(order)) - _starts(people.frame[order])


def _starts(frame: np.ndarray) -> np.ndarray:
    """For every row of a sorted column, where its frame begins."""
    new = np.r_[True, frame[1:] != frame[:-1]][: len(frame)]
    return np.maximum.accumulate(np.where(new, np.arange(len(frame)), 0))


def _tracks(people: Detections, fps: float, min_frames: int) -> Choice:
    if _has_tracks(people):
        track, note = people.track, "people are followed by the identities in the file"
    else:
        _check_crowd(people)
        track = follow(people.frame, people.keypoints, fps)
        note = (
            "people are followed by the distance of their poses, since the file has no identity of "
            "its own for each of them; who crosses another's way may be exchanged"
        )
    # Numbered in the order in which they appear.
    _, first, member = np.unique(track, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(len(first))
    member = place[member.reshape(-1)]
    lengths = np.bincount(member)
    rows = np.split(np.argsort(member, kind="stable"), np.cumsum(lengths)[:-1])
    short = int(lengths[lengths < min_frames].sum())
    takes = [Chosen(f"person{k}", r) for k, r in enumerate(rows, 1) if len(r) >= min_frames]
    return Choice(takes, {f"in a track of less than {min_frames} frames": short}, note)


def _check_crowd(people: Detections) -> None:
    frames, crowd = np.unique(people.frame, return_counts=True)
    if crowd.max(initial=0) > MOST_FOLLOWED:
        raise ImportFileError(
            f"'{people.video}', frame {frames[crowd.argmax()]}: expected at most "
            f"{MOST_FOLLOWED:,} people to follow from frame to frame, got {crowd.max():,}; take "
            "the best of each frame (keypoints.people=best) or all (keypoints.people=all)"
        )


def _has_tracks(people: Detections) -> bool:
    track = people.track
    # Trackers that are switched off write the same number, mostly 0, for everybody.
    if (track == NO_TRACK).any() or not track.any():
        return False
    pairs = np.stack([people.frame, track], 1)
    return len(np.unique(pairs, axis=0)) == len(pairs)


def follow(frame: np.ndarray, keypoints: np.ndarray, fps: float) -> np.ndarray:
    """Who is who, from the distance of poses; see the module.

    Args:
        frame: ``(P,)``, not falling.
        keypoints: ``(P, J, 2)``; NaN where a joint is missing.
        fps: Rate at which frames count.

    Returns:
        ``(P,)`` int64, a number for each track.
    """
    steps = np.diff(np.unique(frame))
    patience = max(PATIENCE_S * fps, steps.min() if len(steps) else 1)
    low, high = np.fmin.reduce(keypoints, axis=1), np.fmax.reduce(keypoints, axis=1)
    # One pixel, so that joints in one place have a distance too.
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
    """``(A, P)`` mean joint distance, relative to the body; Inf without enough in common."""
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
    """Rows and columns that belong together, the nearest first, each at most once."""
    # Python's dictionaries keep their order.
    before: dict[int, None] = {}
    after: dict[int, None] = {}
    near = np.flatnonzero(distance.ravel() <= REACH)
    for flat in near[np.argsort(distance.ravel()[near], kind="stable")]:
        row, column = divmod(int(flat), distance.shape[1])
        if row not in before and column not in after:
            before[row] = after[column] = None
    return list(before), list(after)
