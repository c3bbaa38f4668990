"""Poses and joints that a protocol scores.

A set is restricted in this order: subjects, cameras, takes that are left out, every n-th frame,
moving frames.
"""

from __future__ import annotations

import numpy as np

from selflift.data.pose_set import Labels, PoseSet
from selflift.data.streams import streams
from selflift.evaluate.protocols import Protocol
from selflift.formats.h36m.h36m_protocol import is_skipped
from selflift.skeleton import Skeleton

# Layouts that have one of them only mean the same joint by it.
_SAME_JOINT = {"Neck": "Thorax", "Thorax": "Neck"}


def joint_indices(protocol: Protocol, skeleton: Skeleton) -> list[int]:
    """Find the joints that a protocol scores, in the order of the layout.

    Subtract the root before taking them: it need not be among them.

    Raises:
        ValueError: If the layout lacks one of the protocol's parts.
    """
    if not protocol.joints:
        return list(range(skeleton.num_joints))
    parts = skeleton.parts or skeleton.joints
    wanted = [part if part in parts else _SAME_JOINT.get(part, part) for part in protocol.joints]
    if missing := [part for part in wanted if part not in parts]:
        raise ValueError(
            f"protocol '{protocol.name}': expected a layout with {', '.join(protocol.joints)}, got "
            f"'{skeleton.name}' without {', '.join(missing)}; convert the poses or take another "
            "protocol"
        )
    return sorted(parts.index(part) for part in wanted)


def select(poses: PoseSet, protocol: Protocol) -> PoseSet:
    """Select the poses that a protocol scores, in the set's order; see :func:`rows_of`."""
    return poses.select(rows_of(poses, protocol))


def rows_of(poses: PoseSet, protocol: Protocol) -> np.ndarray:
    """Mark the poses that a protocol scores, ``(N,)`` bool.

    Args:
        poses: The set.
        protocol: The protocol.

    Raises:
        ValueError: If the set lacks one of its subjects or cameras, has no 3D poses for the rule
            of moving frames, or nothing is left.
    """
    kept = np.ones(len(poses), bool)
    camera = suffixes(poses.camera)
    for what, labels, wanted in (
        ("subjects", poses.subject, protocol.subjects),
        ("cameras", camera, protocol.cameras),
    ):
        if wanted:
            there = sorted({labels.names[i] for i in np.unique(labels.index[kept])})
            if set(wanted) - set(there):
                raise ValueError(
                    f"protocol '{protocol.name}': expected the {what} {', '.join(wanted)}, got a "
                    f"set of {', '.join(there) or 'none'}; evaluate on a set that has them, or "
                    "take another protocol"
                )
            kept &= np.isin(np.array(labels.names, dtype=object), wanted)[labels.index]
    if protocol.skip:
        kept &= ~skipped(poses.clip, camera, protocol.skip)
    if protocol.every > 1:
        rows = np.flatnonzero(kept)
        kept[rows] = thinned(streams(poses, rows), poses.frame[rows], protocol.every)
    if protocol.moving_mm is not None:
        if poses.poses_3d is None:
            raise ValueError(
                f"protocol '{protocol.name}': expected 3D poses (poses_3d), which tell the moving "
                "frames, got a set of 2D poses alone; take another protocol"
            )
        rows = np.flatnonzero(kept)
        kept[rows] = moving(
            streams(poses, rows), poses.frame[rows], poses.poses_3d[rows], protocol.moving_mm
        )
    if not kept.any():
        raise ValueError(
            f"protocol '{protocol.name}': expected at least one pose to score, got none of "
            f"{len(poses)}; check the set and the takes that are left out"
        )
    return kept


def suffixes(camera: Labels) -> Labels:
    """Name cameras by the part after the last ``/``: ``"S9/54138969"`` is ``"54138969"``."""
    short = Labels.of([name.rsplit("/", 1)[-1] for name in camera.names])
    return Labels(short.names, short.index[camera.index])


def skipped(clip: Labels, camera: Labels, skip: tuple[str, ...]) -> np.ndarray:
    """Mark the poses of takes on a skip list, ``(N,)`` bool.

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
    """Mark the first frame that is there of every window of frames, stream by stream.

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
    """Mark frames in which a joint is far from where it was in the last frame that was kept.

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
