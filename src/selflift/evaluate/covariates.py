"""Covariates of the errors: the camera's elevation and distance, depth extent and speed."""

from __future__ import annotations

import numpy as np

from selflift.data.pose_set import PoseSet
from selflift.data.streams import streams

MM_PER_M = 1000.0


def elevation_deg(poses: PoseSet) -> np.ndarray | None:
    """Elevation of the view, ``(N,)`` degrees, below 0 where the camera looks down.

    It is the elevation of the line from the camera to the root, which is the optical axis of the
    virtual camera that looks at the root. ``None`` without 3D or the cameras' rotations.
    """
    if poses.poses_3d is None or poses.cameras is None or poses.cameras.rotation is None:
        return None
    root = poses.poses_3d[:, poses.skeleton.root].astype(np.float64)
    # The camera's axes are the rows of its rotation; the world's third axis is up.
    upward = poses.cameras.rotation[:, :, 2].astype(np.float64)[poses.camera.index]
    return np.degrees(np.arcsin((root * upward).sum(-1) / np.linalg.norm(root, axis=-1)))


def distance_m(poses: PoseSet) -> np.ndarray | None:
    """Distance from the camera to the root, ``(N,)`` metres; ``None`` without 3D."""
    if poses.poses_3d is None:
        return None
    return np.linalg.norm(poses.poses_3d[:, poses.skeleton.root], axis=-1) / MM_PER_M


def depth_extent_mm(truth: np.ndarray) -> np.ndarray:
    """Range of the joints' depths, ``(N,)``, of poses in the camera's axes ``(N, J, 3)``, mm."""
    return np.ptp(truth[..., 2], axis=-1)


def speed_m_s(poses: PoseSet, truth: np.ndarray) -> np.ndarray | None:
    """Mean speed of the joints relative to the root until the next frame, ``(N,)``.

    NaN where there is no next frame; ``None`` if no pose has one.

    Args:
        poses: The set.
        truth: Its root-centred truth, ``(N, J, 3)``, mm.
    """
    stream = streams(poses, np.arange(len(poses)))
    order = np.lexsort((poses.frame, stream))
    now, later = order[:-1], order[1:]
    steps = poses.frame[later] - poses.frame[now]
    follows = (stream[now] == stream[later]) & (steps > 0)
    if not follows.any():
        return None
    now, later, seconds = now[follows], later[follows], (steps[follows] / poses.fps[now[follows]])
    speed = np.full(len(poses), np.nan)
    moved = np.linalg.norm(truth[later] - truth[now], axis=-1).mean(-1)
    speed[now] = moved / MM_PER_M / seconds
    return speed
