"""Human3.6M as MMPose's ``preprocess_h36m.py`` writes it: ``h36m_train.npz``, ``h36m_test.npz``.

===========  =======================================================================================
``imgname``  (N,) ``"S1/S1_Directions_1.54138969/S1_Directions_1.54138969_000001.jpg"``, with the
             1-based frame of the 50 Hz video; by default every fifth (10 Hz)
``part``     (N, 17, 3), pixels of the recording and visibility
``S``        (N, 17, 4), the camera's frame, *metres*, and visibility
===========  =======================================================================================

``center`` and ``scale``, boxes for cropping, are not used, nor is ``cameras.pkl``: the poses
themselves are compared with the calibration.

The whole archive, some 400 MB, is read into memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from selflift.config import H36MOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.files.array_archives import npz_keys, read_npz
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.h36m_cameras import CAMERAS
from selflift.formats.h36m.h36m_protocol import Recording
from selflift.formats.h36m.h36m_takes import (
    TakeBuilder,
    check_array,
    check_joints,
    chosen_subjects,
)

_KEYS = {"imgname", "part", "S", "center", "scale"}
_M_TO_MM = 1000.0
_FILE = re.compile(r"((S\d+)_([A-Za-z]+(?:_\d+)?)\.(\d+))_([0-9]{1,12})(?:\.jpg)?")


def recognise(path: Path) -> bool:
    """Recognise an archive with the arrays that MMPose writes."""
    path = Path(path)
    return path.suffix == ".npz" and set(npz_keys(path)) >= _KEYS


def open_mmpose(path: Path, options: H36MOptions) -> Recordings:
    """MMPose's annotations of Human3.6M.

    Args:
        path: The ``.npz`` file.
        options: ``lens``, ``subjects`` and ``skip`` apply.

    Raises:
        ImportFileError: If the file is missing, corrupt or inconsistent, or (while reading)
            unit, camera or subject can't be right.
    """
    path = Path(path)
    check_joints(path, options, (17,))
    arrays = read_npz(path, "imgname", "part", "S")
    n = len(arrays["imgname"]) if np.ndim(arrays["imgname"]) == 1 else 0
    for key, shape, kind in (
        ("imgname", (n,), "U"), ("part", (n, 17, 3), "f"), ("S", (n, 17, 4), "f")
    ):  # fmt: skip
        remedy = "is it MMPose's file of Human3.6M?"
        check_array(f"'{path}'", key, np.asarray(arrays[key]), kind, [shape], remedy)
    takes = _by_take(path, arrays.pop("imgname").tolist())
    report = Report()
    subjects = chosen_subjects(path, options, {r.subject for r, _ in takes}, report)
    takes = {take: rows for take, rows in takes.items() if take[0].subject in subjects}
    builder = TakeBuilder(options, report, ("part", "S", "metres"))
    return builder.recordings(
        "h36m_mmpose",
        _takes(path, arrays["part"], arrays["S"], takes, builder),
        len(takes),
        **{"2D": "part", "3D": "S"},
    )


def _takes(
    path: Path,
    part: np.ndarray,
    S: np.ndarray,
    takes: dict[tuple[Recording, str], list[tuple[int, int]]],
    builder: TakeBuilder,
) -> Iterator[Take]:
    for (recording, camera), numbered in takes.items():
        frame, rows = np.array(sorted(numbered)).T
        where = f"'{path}' ({recording.clip}, camera {camera})"
        if frame[0] < 1 or (np.diff(frame) == 0).any():
            raise ImportFileError(
                f"{where}: expected imgname to name each frame once, from 1, got frame "
                f"{'0' if frame[0] < 1 else 'numbers twice'}; the file is inconsistent"
            )
        flat, solid = part[rows], S[rows]
        X = _M_TO_MM * solid[..., :3].astype(np.float64)
        seen = solid[..., 3] > 0
        X[~seen] = np.nan
        confidence = np.where(seen, flat[..., 2], 0.0)
        yield from builder.take(
            where, recording, camera, frame - 1, X=X, x=flat[..., :2], confidence=confidence
        )


def _by_take(path: Path, names: list[str]) -> dict[tuple[Recording, str], list[tuple[int, int]]]:
    """Frame numbers (from 1) and rows of each recording and camera, by their first rows."""
    out: dict[tuple[Recording, str], list[tuple[int, int]]] = {}
    takes: dict[str, tuple[Recording, str]] = {}
    for row, name in enumerate(names):
        *folders, file = name.replace("\\", "/").split("/")
        match = _FILE.fullmatch(file)
        if not match or (folders and folders[-1] != match[1]) or match[4] not in CAMERAS:
            raise _unnamed(path, name, row)
        if len(folders) > 1 and folders[-2] != match[2]:
            raise _unnamed(path, name, row)
        if match[1] not in takes:
            try:
                recording = Recording.of(match[2], match[3].replace("_", " "))
            except ValueError as error:
                raise ImportFileError(f"'{path}': imgname in row {row}: {error}") from error
            takes[match[1]] = recording, match[4]
        out.setdefault(takes[match[1]], []).append((int(match[5]), row))
    return out


def _unnamed(path: Path, name: str, row: int) -> ImportFileError:
    return ImportFileError(
        f"'{path}': expected imgname like 'S1/S1_Directions_1.54138969/"
        f"S1_Directions_1.54138969_000001.jpg', its folders and file of one recording and one of "
        f"the four cameras, got '{name}' in row {row}"
    )
