"""VideoPose3D's file of your own videos, ``data_2d_custom_<name>.npz``.

``positions_2d`` is ``{video: {"custom": [(T, 17, 2)]}}`` in pixels; ``metadata`` has
``layout_name``, ``num_joints`` and ``video_metadata``, ``{video: {"w": ..., "h": ...}}``. The tool
that writes it keeps one person, without confidences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Report
from selflift.files.array_archives import npz_keys, read_npz
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.layout_recognition import Layout, choose_layout
from selflift.formats.keypoints.person_table import Detections
from selflift.formats.keypoints.reader import recordings
from selflift.skeleton import COCO_17, H36M_17

LAYOUTS = {"coco": COCO_17, "h36m": H36M_17}
_ACTION = "custom"


def recognise(path: Path) -> bool:
    """Return whether it is an npz file of 2D positions with metadata of videos."""
    if not path.is_file() or not {"positions_2d", "metadata"} <= set(npz_keys(path)):
        return False
    try:
        metadata = read_npz(path, "metadata")["metadata"]
    except ImportFileError:
        return False
    return isinstance(metadata, dict) and "video_metadata" in metadata


def open_keypoints(path: Path, options: KeypointOptions) -> Recordings:
    """Open such a file; each video is a clip."""
    content = read_npz(path, "positions_2d", "metadata")
    metadata = content["metadata"]
    tracks = list(_tracks(path, content["positions_2d"]))
    if not tracks:
        raise ImportFileError(f"'{path}': expected at least one video, got none")
    sizes = metadata.get("video_metadata") if isinstance(metadata, dict) else None
    if not isinstance(sizes, dict):
        raise ImportFileError(
            f"'{path}': expected metadata with video_metadata, got "
            f"{', '.join(metadata) if isinstance(metadata, dict) else type(metadata).__name__}; "
            "files of Human3.6M are read beside their 3D poses, with h36m.keypoints"
        )
    layout = _layout(path, tracks[0][2].shape[1], metadata, options)
    tables = [_table(path, clip, track, layout, sizes.get(video)) for video, clip, track in tracks]

    def read(report: Report) -> Iterator[Detections]:
        report.note(
            "the file has no confidences and its frames without detection were interpolated by "
            "the tool that wrote it; joints with a place count as seen, with confidence 1"
        )
        yield from tables

    return recordings(
        "videopose3d_custom", options, layout, read, videos=len(tables), has_size=True
    )


def _tracks(path: Path, positions: Any) -> Iterator[tuple[str, str, np.ndarray]]:
    """Read video, clip and its ``(T, J, 2)`` array."""
    if not isinstance(positions, dict):
        raise ImportFileError(
            f"'{path}': expected positions_2d as a dict by video, got {type(positions).__name__}"
        )
    for video, actions in positions.items():
        if not isinstance(actions, dict):
            raise ImportFileError(
                f"'{path}', '{video}': expected a dict by action ('{_ACTION}'), got "
                f"{type(actions).__name__}"
            )
        for action, cameras in actions.items():
            clip = str(video) if action == _ACTION else f"{video}/{action}"
            if not isinstance(cameras, (list, np.ndarray)) or len(cameras) != 1:
                got = len(cameras) if isinstance(cameras, (list, np.ndarray)) else "none"
                raise ImportFileError(
                    f"'{path}', '{clip}': expected a list of one array (T, J, 2), got {got}"
                )
            track = np.asarray(cameras[0])
            if track.ndim != 3 or track.shape[2] != 2 or track.dtype.kind not in "iuf":
                raise ImportFileError(
                    f"'{path}', '{clip}': expected positions of shape (T, J, 2), got "
                    f"{track.shape} of {track.dtype}"
                )
            yield str(video), clip, track


def _layout(path: Path, count: int, metadata: dict[str, Any], options: KeypointOptions) -> Layout:
    name, joints = metadata.get("layout_name"), metadata.get("num_joints", count)
    if joints != count:
        raise ImportFileError(
            f"'{path}': expected {joints} joints (metadata.num_joints), got {count}; the file "
            "contradicts itself"
        )
    named = options.layout is None and name is not None
    if named and name not in LAYOUTS:
        raise ImportFileError(
            f"'{path}': expected metadata.layout_name of {', '.join(LAYOUTS)}, got '{name}'; name "
            "the layout in keypoints.layout"
        )
    known = {17: LAYOUTS.get(str(name), COCO_17)}
    layout = choose_layout(f"'{path}'", count, options.layout, known=known)
    return replace(layout, why=f"metadata.layout_name = {name}") if named else layout


def _table(path: Path, clip: str, track: np.ndarray, layout: Layout, size: Any) -> Detections:
    if track.shape[1] != layout.count:
        raise ImportFileError(
            f"'{path}', '{clip}': expected {layout.count} joints, as in the first video, got "
            f"{track.shape[1]}; one conversion takes one layout"
        )
    try:
        width, height = int(size["w"]), int(size["h"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        width = height = 0
    if min(width, height) <= 0:
        raise ImportFileError(
            f"'{path}', '{clip}': expected w and h in metadata.video_metadata, got {size!r:.60}"
        )
    return Detections(
        video=clip,
        frame=np.arange(len(track), dtype=np.int64),
        keypoints=track.astype(np.float32),
        confidence=np.ones(track.shape[:2], np.float32),
        size_px=(width, height),
    )
