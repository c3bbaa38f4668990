"""Pose sets as a source: to thin them, to convert their layout, to leave out incomplete poses."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

import numpy as np

from selflift.data.pose_set import PoseSet
from selflift.data.pose_set_file import FORMAT
from selflift.data.recording import Recordings, Report, Take
from selflift.files.hdf5 import open_hdf5
from selflift.geometry.camera import Calibration


def recognise(path: Path) -> bool:
    """Return whether this is a pose set."""
    try:
        with open_hdf5(path) as file:
            return file.attrs.get("format") == FORMAT
    except Exception:  # h5py raises many kinds, depending on the corruption
        return False


def open_poses(path: Path) -> Recordings:
    """Open a pose set; it is held in memory whole.

    Raises:
        ValueError: As :meth:`selflift.data.PoseSet.load`.
    """
    poses = PoseSet.load(path)
    # A take is a run of rows of one recording and camera; the writer keeps them together.
    columns = [poses.subject.index, poses.action.index, poses.clip.index, poses.camera.index]
    change = np.zeros(max(len(poses) - 1, 0), bool)
    for column in columns:
        change |= column[1:] != column[:-1]
    starts = np.concatenate([[0], np.flatnonzero(change) + 1]) if len(poses) else np.array([], int)
    return Recordings(
        source="poses",
        skeleton=poses.skeleton,
        takes=_takes(poses, starts),
        total=len(starts),
        settings={},
        report=Report(),
    )


def _takes(poses: PoseSet, starts: np.ndarray) -> Iterator[Take]:
    views: dict[int, Calibration] = {}
    for start, stop in zip(starts, [*starts[1:], len(poses)], strict=True):
        rows = slice(start, stop)
        camera = int(poses.camera.index[start])
        if poses.cameras is not None and camera not in views:
            views[camera] = poses.cameras.map(itemgetter(camera))
        yield Take(
            subject=poses.subject.names[poses.subject.index[start]],
            action=poses.action.names[poses.action.index[start]],
            clip=poses.clip.names[poses.clip.index[start]],
            camera=poses.camera.names[camera],
            poses_2d=poses.poses_2d[rows],
            frame=poses.frame[rows],
            fps=float(poses.fps[start]),
            poses_3d=None if poses.poses_3d is None else poses.poses_3d[rows],
            confidence=None if poses.confidence is None else poses.confidence[rows],
            view=views.get(camera),
        )
