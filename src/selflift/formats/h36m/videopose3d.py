"""Human3.6M in VideoPose3D's layout, and any other motion that is stored in it.

``data_3d_h36m.npz`` holds ``positions_3d = {subject: {recording: (F, 32, 3)}}``, metres in a world
with z up; ``data_2d_h36m_*.npz`` holds detections of the same recordings in the four cameras
(:mod:`selflift.formats.h36m.videopose3d_keypoints`). Every recording becomes one take per camera:
the 3D in the camera's frame, and the 2D either detected or projected through the camera's lens.

Subjects that are not Human3.6M's have no cameras of their own. The four of one of its subjects
stand in for them: each recording is moved, by one step for all its frames, so that its mean root
lies above the world's origin, which those cameras look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from selflift.config import H36MOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.files.array_archives import npz_keys, read_npz
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.h36m_cameras import CAMERAS, SUBJECTS
from selflift.formats.h36m.h36m_protocol import Recording
from selflift.formats.h36m.h36m_takes import LAYOUTS, NO_2D, TakeBuilder
from selflift.formats.h36m.videopose3d_keypoints import (
    Keypoints,
    by_recording,
    described,
    read_keypoints,
)
from selflift.geometry.bodies import skeleton_height
from selflift.skeleton import H36M_17, convert

KEY = "positions_3d"
METRES_TO_MM = 1000.0
# Names that a line spells out before it counts the rest.
_NAMES = 5
# Frames of each recording that the check of the axes looks at.
_SAMPLES = 8
_CENTRED = 1e-3


def recognise(path: Path) -> bool:
    """Recognise an ``.npz`` file with ``positions_3d``."""
    return path.suffix == ".npz" and KEY in npz_keys(path)


def open_videopose3d(path: Path, options: H36MOptions) -> Recordings:
    """Open a file of world positions, and a file of detections if one is named.

    Both are pickles, which can only be read whole; each recording is released once it is read.

    Args:
        path: ``data_3d_h36m.npz``, or another motion in that layout (17 or 32 joints).
        options: Choice of content.

    Raises:
        ImportFileError: If a file or an option is unusable, no recording is in both files, or
            (while the takes are read) a body or the detections can't belong to the positions.
    """
    if options.joints not in LAYOUTS:
        raise ImportFileError(f"h36m.joints: expected 17 or 32, got {options.joints}")
    if options.keypoints is not None and options.joints != H36M_17.num_joints:
        raise ImportFileError(
            f"h36m.joints: expected 17 with h36m.keypoints, got {options.joints}; detections have "
            "no more"
        )
    positions = read_positions(path, options.subjects)
    joints, of = options.joints, next(iter(positions.values())).shape[1]
    if joints > of:
        raise ImportFileError(
            f"'{path}': expected {joints} joints (h36m.joints), got {of}; set h36m.joints={of}"
        )
    report, keypoints, source_2d = Report(), None, "projected from the 3D"
    if options.keypoints is not None:
        keypoints = read_keypoints(Path(options.keypoints), options.subjects)
        source_2d = f"{keypoints.path.name} ({keypoints.skeleton.name})"
        positions = _paired(path, positions, keypoints, report)
    strangers = list(dict.fromkeys(r.subject for r in positions if not r.owner))
    if strangers and options.stand_in is None:
        raise ImportFileError(
            f"'{path}': expected subjects of {', '.join(SUBJECTS)}, got {_some(strangers)}, of "
            "whom no calibration is known; set h36m.stand_in=S1 to film them with that subject's "
            "cameras"
        )
    if strangers and options.stand_in not in SUBJECTS:
        raise ImportFileError(
            f"h36m.stand_in: expected one of {', '.join(SUBJECTS)} or null, got "
            f"'{options.stand_in}'"
        )
    cameras = ["Human3.6M's four, as calibrated for each subject"]
    if strangers:
        cameras = cameras if any(r.owner for r in positions) else []
        cameras.append(
            f"Human3.6M's four as calibrated for {options.stand_in}, standing in for the unknown "
            f"ones of {_some(strangers)}; each recording is moved so that its mean root lies above "
            "the world's origin"
        )
    builder = TakeBuilder(
        options, report, ("positions_2d", KEY, "metres"), detected=keypoints is not None
    )
    return builder.recordings(
        "h36m_videopose3d",
        _takes(path, positions, keypoints, builder, options.stand_in or ""),
        len(positions) * len(CAMERAS),
        **{
            "2D": source_2d,
            "cameras": "; ".join(cameras),
            "joints": str(joints) if joints == of else f"{joints} of the file's {of}",
        },
    )


def _takes(
    path: Path,
    positions: dict[Recording, np.ndarray],
    keypoints: Keypoints | None,
    builder: TakeBuilder,
    stand_in: str,
) -> Iterator[Take]:
    for recording in list(positions):
        world = METRES_TO_MM * positions.pop(recording).astype(np.float64)
        if not recording.owner:
            world[..., :2] -= world[:, 0, :2].mean(0)
            recording = replace(recording, owner=stand_in)
        found = keypoints.pop(recording) if keypoints else [(None, None)] * len(CAMERAS)
        source = keypoints.path if keypoints else path
        for camera, (x, confidence) in zip(CAMERAS, found, strict=True):
            yield from builder.take(
                f"'{source}': {recording.clip}.{camera}", recording, camera,
                world=world, x=x, confidence=confidence,
            )  # fmt: skip


def read_positions(path: Path, subjects: list[str]) -> dict[Recording, np.ndarray]:
    """Read a file ``positions_3d = {subject: {recording: (F, J, 3)}}``.

    Args:
        path: The ``.npz`` file; it is a pickle, so all of it is in memory at first.
        subjects: Subjects to keep; all that are there, if empty.

    Raises:
        ImportFileError: If the file is missing, corrupt or of another layout, holds no frame or
            numbers that are not finite, or its world has no z up.
    """
    entries = by_recording(path, KEY, read_npz(path, KEY)[KEY], subjects)
    joints = 0
    for where, array in entries.values():
        if (
            not isinstance(array, np.ndarray)
            or array.dtype.kind != "f"
            or array.ndim != 3
            or array.shape[1] not in ([joints] if joints else LAYOUTS)
            or array.shape[2] != 3
            or len(array) == 0
        ):
            counts = str(joints) if joints else " or ".join(map(str, LAYOUTS))
            remedy = "as in the recordings before it" if joints else "convert it to these joints"
            raise ImportFileError(
                f"{where}: expected floating-point positions of shape (frames, {counts}, 3), got "
                f"{described(array)}; {remedy}"
            )
        bad = ~np.isfinite(array).all((1, 2))
        if bad.any():
            raise ImportFileError(
                f"{where}: expected finite positions, got NaN or Inf in {int(bad.sum())} of "
                f"{len(array)} frames (first: frame {int(np.argmax(bad))}); cut these frames or "
                "leave the recording out"
            )
        joints = array.shape[1]
    positions = {recording: array for recording, (_, array) in entries.items()}
    _check_axes(path, positions.values(), joints)
    return positions


def _check_axes(path: Path, positions: Iterable[np.ndarray], joints: int) -> None:
    """Raise if the positions are centred on their root, or in a world without z up."""
    samples = np.stack([a[np.linspace(0, len(a) - 1, _SAMPLES).astype(int)] for a in positions])
    bodies = convert(samples.astype(np.float64), LAYOUTS[joints], H36M_17).positions
    height = float(np.median(skeleton_height(torch.from_numpy(bodies), H36M_17).numpy()))
    if np.abs(bodies[:, :, H36M_17.root]).max() < _CENTRED * height:
        raise ImportFileError(
            f"'{path}': {KEY}: expected positions in the world, got poses that are centred on "
            "their root; give the file from before that step"
        )
    ankles = bodies[:, :, [leg[2] for leg in H36M_17.legs]].mean(2)
    up = np.median(np.median(bodies[:, :, H36M_17.head] - ankles, axis=1), axis=0)
    axis = int(np.argmax(np.abs(up)))
    # Nobody lies along one and the same axis in most recordings.
    if np.linalg.norm(up) > height / 2 and (axis != 2 or up[2] < 0):
        raise ImportFileError(
            f"'{path}': {KEY}: expected a world with z up, got bodies that stand along "
            f"{'-' if up[axis] < 0 else '+'}{'xyz'[axis]}; turn the positions"
        )


def _paired(
    path: Path, positions: dict[Recording, np.ndarray], keypoints: Keypoints, report: Report
) -> dict[Recording, np.ndarray]:
    """The recordings that are in both files; the others are noted."""
    there = keypoints.poses
    both = {recording: array for recording, array in positions.items() if recording in there}
    if not both:
        raise ImportFileError(
            f"'{keypoints.path}': expected 2D of the recordings of '{path}', such as "
            f"'{next(iter(positions)).clip}', got none of them but others, such as "
            f"'{next(iter(there)).clip}'; are both of the same data set?"
        )
    if strangers := list(dict.fromkeys(r.subject for r in both if not r.owner)):
        raise ImportFileError(
            f"'{keypoints.path}': expected 2D of {', '.join(SUBJECTS)}, got 2D of "
            f"{_some(strangers)}, whose cameras are not known; name h36m.subjects without them, or "
            "leave h36m.keypoints out to project the 3D"
        )
    subjects = {recording.subject for recording in both}
    for lack, alone in (
        ("no 2D", [r for r in positions if r not in both]),
        ("no 3D", [r for r in there if r not in both]),
    ):
        if alone:
            names = dict.fromkeys(r.clip if r.subject in subjects else r.subject for r in alone)
            report.note(f"left out, since there is {lack}: {', '.join(names)}")
    lost = sum(len(array) for recording, array in positions.items() if recording not in both)
    report.drop(NO_2D, len(CAMERAS) * lost)
    if note := keypoints.note():
        report.note(note)
    return both


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {rest} more" if rest > 0 else "")
