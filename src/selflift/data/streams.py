"""Which poses belong together in time: recordings, their streams, the frame that follows."""

from __future__ import annotations

import numpy as np

from selflift.data.parts import PoseParts
from selflift.data.poses import PoseSet

NO_FRAME = -1


def streams(poses: PoseSet | PoseParts, rows: np.ndarray) -> np.ndarray:
    """Which stream, a subject's clip through one camera, each of some poses belongs to.

    Returns:
        Numbers from 0, ``(len(rows),)``.
    """
    code = np.zeros(len(rows), np.int64)
    for labels in (poses.subject, poses.clip, poses.camera):
        code = code * len(labels.names) + labels.index[rows]
    return np.asarray(np.unique(code, return_inverse=True)[1]).reshape(-1)


def recordings(poses: PoseSet) -> np.ndarray:
    """Which recording, a subject's clip with all its cameras, each pose is of, ``(N,)`` from 0."""
    code = poses.subject.index.astype(np.int64) * len(poses.clip.names) + poses.clip.index
    return np.asarray(np.unique(code, return_inverse=True)[1]).reshape(-1)


def next_frames(poses: PoseSet | PoseParts, min_frames: int, max_frames: int) -> np.ndarray:
    """Which pose is the next frame of each, ``(N,)``; -1 for none.

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
    open_ = np.ones(len(poses), bool)
    # The k-th frame after each, for as many as can lie within the bounds: frames may be thinned.
    for k in range(1, max_frames + 1):
        if k >= len(poses):
            break
        same = stream[k:] == stream[:-k]
        distance = frame[k:] - frame[:-k]
        fits = same & (distance >= min_frames) & (distance <= max_frames)
        fits &= open_[:-k]
        following[order[:-k][fits]] = order[k:][fits]
        open_[:-k] &= ~fits
    return following
