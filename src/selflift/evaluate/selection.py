"""Which poses of a set remain: every n-th frame, moving frames, takes that are left out."""

from __future__ import annotations

import numpy as np

from selflift.data.pose_set import Labels
from selflift.formats.h36m.h36m_protocol import is_skipped


def suffixes(camera: Labels) -> Labels:
    """Cameras by what follows the last ``/`` of their name: ``"S9/54138969"``, ``"54138969"``."""
    short = Labels.of([name.rsplit("/", 1)[-1] for name in camera.names])
    return Labels(short.names, short.index[camera.index])


def skipped(clip: Labels, camera: Labels, skip: tuple[str, ...]) -> np.ndarray:
    """Which poses belong to a take on a skip list, ``(N,)`` bool.

    Args:
        clip: The poses' clips.
        camera: Their cameras, as :func:`suffixes` has them.
        skip: ``"S9 Greeting"``, or ``"S11 Directions.54138969"`` for one camera.
    """
    table = np.array(
        [[is_skipped(name, other, skip) for other in camera.names] for name in clip.names]
    )
    return np.asarray(table[clip.index, camera.index])


def thinned(stream: np.ndarray, frame: np.ndarray, every: int) -> np.ndarray:
    """The first frame that is there of every window of frames, stream by stream.

    Args:
        stream: As :func:`streams`, ``(N,)``.
        frame: Index in the recording, in any order, ``(N,)``.
        every: Frames in a window.

    Returns:
        Which are kept, ``(N,)`` bool.
    """
    order = np.lexsort((frame, stream))
    window, ordered = frame[order] // every, stream[order]
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(window) != 0) | (np.diff(ordered) != 0)
    kept = np.empty_like(first)
    kept[order] = first
    return kept


def moving(stream: np.ndarray, frame: np.ndarray, X: np.ndarray, moved_mm: float) -> np.ndarray:
    """The frames in which a joint is far from where it was in the last frame that was kept.

    Args:
        stream: As :func:`streams`, ``(N,)``.
        frame: Index in the recording, in any order, ``(N,)``.
        X: Poses in the camera's frame, not root-centred, mm, ``(N, J, 3)``.
        moved_mm: How far at least.

    Returns:
        Which are kept, the first of every stream among them, ``(N,)`` bool.

    Source: anibali/h36m-fetch, process_all.py, select_frame_indices_to_include.
    """
    order = np.lexsort((frame, stream))
    lengths = np.bincount(stream)
    # What is kept depends on what was kept before; all streams go forward together, the longest
    # first, so that those not yet at their end are the first ones.
    longest = np.argsort(-lengths, kind="stable")
    lengths, starts = lengths[longest], (np.cumsum(lengths) - lengths)[longest]
    last = X[order[starts]]
    kept = np.zeros(len(X), bool)
    kept[order[starts]] = True
    for t in range(1, lengths[0] if len(lengths) else 0):
        active = int(np.searchsorted(-lengths, -t))
        rows = order[starts[:active] + t]
        now = X[rows]
        step = now - last[:active]
        moves = np.einsum("njd,njd->nj", step, step).max(1) >= moved_mm**2
        kept[rows[moves]] = True
        last[:active][moves] = now[moves]
    return kept
