"""Poses that belong together in time: recordings, their streams, the frame that follows."""

from __future__ import annotations

import numpy as np

from selflift.data.pose_set import PoseSet

NO_FRAME = -1
# Poses that are looked at together: what they take in memory is the set's no more.
BLOCK = 2**20


def streams(poses: PoseSet, rows: np.ndarray) -> np.ndarray:
    """Number the streams (a subject's clip through one camera) that poses belong to.

    Returns:
        Numbers from 0, ``(len(rows),)``.
    """
    code = np.zeros(len(rows), np.int64)
    for labels in (poses.subject, poses.clip, poses.camera):
        code *= len(labels.names)
        code += labels.index[rows]
    if not len(code):
        return code
    # Poses mostly lie stream by stream: what is sorted are the runs, not the poses.
    starts = np.concatenate([[0], np.flatnonzero(code[1:] != code[:-1]) + 1])
    number = np.asarray(np.unique(code[starts], return_inverse=True)[1]).reshape(-1)
    return np.repeat(number, np.diff(np.append(starts, len(code))))


def recordings(poses: PoseSet) -> np.ndarray:
    """Number the recordings (a subject's clip, all cameras) of all poses, ``(N,)`` from 0."""
    code = poses.subject.index.astype(np.int64) * len(poses.clip.names) + poses.clip.index
    return np.asarray(np.unique(code, return_inverse=True)[1]).reshape(-1)


def next_frames(poses: PoseSet, min_frames: int, max_frames: int) -> np.ndarray:
    """Index of each pose's next frame, ``(N,)``; -1 for none.

    The next frame is of the same stream, and the nearest one that is between
    ``min_frames`` and ``max_frames`` later.

    Args:
        poses: The poses, in any order.
        min_frames: Frames of the source recording between the two, at least.
        max_frames: The same, at most.
    """
    stream = streams(poses, np.arange(len(poses)))
    order = np.lexsort((poses.frame, stream))
    frame, stream = poses.frame[order], stream[order]
    following = np.full(len(poses), NO_FRAME, np.int64)
    for first in range(0, len(poses), BLOCK):
        here = np.arange(first, min(first + BLOCK, len(poses)))
        # The k-th frame after each, for as many as can lie within the bounds: frames may be
        # thinned.
        for k in range(1, max_frames + 1):
            here = here[: np.searchsorted(here, len(poses) - k)]
            distance = frame[here + k] - frame[here]
            near = (stream[here + k] == stream[here]) & (distance <= max_frames)
            here, distance = here[near], distance[near]
            fits = distance >= min_frames
            following[order[here[fits]]] = order[here[fits] + k]
            here = here[~fits]
            if not len(here):
                break
    return following
