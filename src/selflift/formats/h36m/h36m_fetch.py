"""Human3.6M as h36m-fetch processes it: ``processed/S1/Directions-1/annot.h5`` and so on.

A file holds thinned frames, all cameras one after another:

==========================  ========================================================================
``pose/2d``                 (N, 32, 2), pixels
``pose/3d``                 (N, 32, 3), the camera's frame, mm; absent in older files
``pose/3d-univ``            the same, of bodies scaled to a universal skeleton
``intrinsics-univ/CAMERA``  fx, cx, fy, cy, fitted to the 2D and ``pose/3d-univ``; in older files
                            ``intrinsics/CAMERA``
``frame``                   (N,), 1-based index in the 50 Hz video
``camera``, ``subject``     (N,), 54138969 and 1
``action``                  (N,), 2 to 16; in older files, which lack ``subaction``, 1 to 15
``subaction``               (N,), 1 or 2
==========================  ========================================================================

The number in a clip's name, ``S1 Directions 1``, is the *subaction*: the first or second recording
of the action in the data set's tables. It is not always the number in the recording's own name.
Older folders, ``S1/Directions``, have no number; they hold one recording of each action.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from selflift.config import H36MOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.files.hdf5 import Hdf5File, open_hdf5
from selflift.files.untrusted import ImportFileError, UntrustedError
from selflift.formats.h36m.h36m_cameras import CAMERAS, view_of
from selflift.formats.h36m.h36m_protocol import (
    ACTIONS,
    FIRST_ACTION_NUMBER,
    Recording,
    by_subaction,
    is_skipped,
)
from selflift.formats.h36m.h36m_takes import (
    TakeBuilder,
    check_array,
    check_joints,
    chosen_subjects,
)
from selflift.geometry.camera import Calibration

METRIC, UNIVERSAL = "pose/3d", "pose/3d-univ"
_NAME = "annot.h5"


@dataclass(frozen=True)
class AnnotFile:
    """One file, and the names of its folders; ``number`` 0 is the older layout, without one."""

    path: Path
    recording: Recording
    number: int


def recognise(path: Path) -> bool:
    """Recognise a folder of h36m-fetch, with ``S1/Directions-1/annot.h5`` at most 3 below."""
    try:
        return next(_found(Path(path)), None) is not None
    except OSError:
        return False


def open_fetch(path: Path, options: H36MOptions) -> Recordings:
    """h36m-fetch's processed files.

    Args:
        path: The folder ``processed``, one above it, or one of a subject or take.
        options: ``lens``, ``joints`` (17 or 32), ``subjects`` and ``skip`` apply; skip lists name
            recordings, of which the usual ones are known by their subaction.

    Raises:
        ImportFileError: If no such file is there, some have metric poses and some not, or (while
            reading) a file is corrupt or contradicts its folder.
    """
    path = Path(path)
    check_joints(path, options, (17, 32))
    report = Report()
    files = list(_found(path, report))
    if not files:
        raise ImportFileError(
            f"'{path}': expected a folder with S*/ACTION-NUMBER/{_NAME}, as h36m-fetch writes "
            f"them, got {'none' if path.exists() else 'no folder'}; is it the right folder?"
        )
    subjects = chosen_subjects(path, options, {file.recording.subject for file in files}, report)
    files = [file for file in files if file.recording.subject in subjects]
    files.sort(
        key=lambda f: (
            subjects.index(f.recording.subject), ACTIONS.index(f.recording.action), f.number,
        )
    )  # fmt: skip
    numbered = all(file.number for file in files)
    if not numbered and any(file.number for file in files):
        raise ImportFileError(
            f"'{path}': expected folders like 'Directions-1' or like 'Directions', got both; "
            "convert them one at a time"
        )
    key = _common_key(files)
    if key == UNIVERSAL:
        report.note(
            f"no {METRIC}: {UNIVERSAL} is used, whose bodies are scaled to a universal skeleton "
            "and project into the image only through the intrinsics fitted to them"
        )
    report.note(
        "frames are thinned; a clip's number is that of its subaction, not of the recording"
        if numbered
        else "frames are thinned, one recording of each action"
    )
    skip = by_subaction(options.skip) if numbered else options.skip
    builder = TakeBuilder(options, report, ("pose/2d", key, "mm"), skip)
    return builder.recordings(
        "h36m_fetch",
        _takes(files, key, builder, report),
        len(files) * len(CAMERAS),
        **{"2D": "pose/2d", "3D": key},
    )


def _found(path: Path, report: Report | None = None) -> Iterator[AnnotFile]:
    """The files; what lies in folders of other names is noted, so that none is lost unseen."""
    for pattern in (_NAME, f"*/{_NAME}", f"*/*/{_NAME}", f"*/*/*/{_NAME}"):
        for file in path.glob(pattern):
            named = file.absolute()
            subject, folder = named.parent.parent.name, named.parent.name
            match = re.fullmatch(r"([A-Za-z]+)(?:-(\d+))?", folder)
            if not match or not re.fullmatch(r"S\d+", subject):
                continue
            number = int(match[2] or 0)
            try:
                recording = Recording.of(subject, match[1] + (f" {number}" if number else ""))
            except ValueError:
                if report is not None:
                    report.note(f"left out, since '{folder}' is no action: '{file}'")
                continue
            yield AnnotFile(file, recording, number)


def _common_key(files: list[AnnotFile]) -> str:
    """The 3D poses that all files have; metric ones, if they do."""
    have = []
    for file in files:
        with _opened(file.path) as content:
            have.append([key for key in (METRIC, UNIVERSAL) if key in content])
    for key in (METRIC, UNIVERSAL):
        if all(key in keys for keys in have):
            return key
    lacking = next(f for f, keys in zip(files, have, strict=True) if METRIC not in keys)
    count = sum(METRIC in keys for keys in have)
    raise ImportFileError(
        f"'{lacking.path}': expected {METRIC}, as in {count} of the {len(files)} files, got none; "
        "process the take again, or name the subjects that have it in h36m.subjects"
    )


def _takes(
    files: list[AnnotFile], key: str, builder: TakeBuilder, report: Report
) -> Iterator[Take]:
    for file in files:
        arrays, intrinsics = _read(file, key)
        for camera in CAMERAS:
            rows = np.flatnonzero(arrays["camera"] == int(camera))
            where = f"'{file.path}' (camera {camera})"
            if len(rows) == 0:
                if not is_skipped(file.recording.clip, camera, builder.skip):
                    report.note(f"{file.recording.clip}: no frames of camera {camera}")
                continue
            numbers = arrays["frame"][rows]
            frame = numbers.astype(np.int64) - 1
            if frame[0] < 0 or (np.diff(frame) <= 0).any():
                raise ImportFileError(
                    f"{where}: expected frame to rise from 1 or more, got "
                    f"{numbers[:3].tolist()} ...; process the take again"
                )
            through = None
            if key == UNIVERSAL:
                through = _fitted_view(where, file.recording.owner, camera, intrinsics.get(camera))
            yield from builder.take(
                where, file.recording, camera, frame,
                X=arrays[key][rows], x=arrays["pose/2d"][rows], through=through,
            )  # fmt: skip


def _read(file: AnnotFile, key: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The arrays of a file, and the intrinsics fitted to its universal poses, by camera."""
    labels = ["frame", "camera", "subject", "action", *["subaction"] * bool(file.number)]
    names = ["pose/2d", key, *labels]
    with _opened(file.path) as content:
        if missing := [name for name in names if name not in content]:
            raise ImportFileError(
                f"'{file.path}': expected the datasets {', '.join(names)}, got no "
                f"{', '.join(missing)}; process the take again"
            )
        arrays = {name: content.array(name) for name in names}
        group = "intrinsics-univ" if "intrinsics-univ" in content else "intrinsics"
        cameras = content.names(group) if key == UNIVERSAL else []
        intrinsics = {camera: content.array(f"{group}/{camera}") for camera in cameras}
    n = arrays["frame"].size
    shapes = {"pose/2d": (n, 32, 2), key: (n, 32, 3)}
    for name, array in arrays.items():
        kind = "f" if name in shapes else "iu"
        check_array(
            f"'{file.path}'", name, array, kind, [shapes.get(name, (n,))], "process the take again"
        )
    expected = {
        "subject": int(file.recording.subject[1:]),
        "action": ACTIONS.index(file.recording.action)
        + (FIRST_ACTION_NUMBER if file.number else 1),
        "subaction": file.number,
    }
    for name, number in expected.items():
        if name in arrays and (arrays[name] != number).any():
            raise ImportFileError(
                f"'{file.path}': expected {name} {number}, as its folders say, got "
                f"{arrays[name][arrays[name] != number][0]}; the file lies in the wrong folder"
            )
    if foreign := sorted(set(np.unique(arrays["camera"]).astype(str)) - set(CAMERAS)):
        raise ImportFileError(
            f"'{file.path}': expected camera of {', '.join(CAMERAS)}, got {', '.join(foreign)}; "
            "process the take again"
        )
    return arrays, intrinsics


def _fitted_view(where: str, owner: str, camera: str, fitted: np.ndarray | None) -> Calibration:
    """The camera that universal poses project through."""
    if fitted is None or fitted.shape != (4,) or not np.isfinite(fitted).all():
        raise ImportFileError(
            f"{where}: expected intrinsics fx, cx, fy, cy fitted to {UNIVERSAL}, got "
            f"{'none' if fitted is None else fitted.ravel()[:4].tolist()}; process the take again"
        )
    f_px, c_px = fitted[[0, 2]].astype(float), fitted[[1, 3]].astype(float)
    return replace(view_of(owner, camera, lens=False), f_px=f_px, c_px=c_px)


@contextmanager
def _opened(path: Path) -> Iterator[Hdf5File]:
    """An HDF5 file; any error in reading it becomes one line that names it."""
    try:
        with open_hdf5(path) as file:
            yield file
    except ImportFileError:
        raise
    except UntrustedError as error:
        raise ImportFileError(f"'{path}': {error}") from error
    except Exception as error:  # h5py raises many kinds, depending on the damage
        reason = " ".join(str(error).split())[:300]
        raise ImportFileError(
            f"'{path}': expected h36m-fetch's HDF5 file, got one that is corrupt, cut short or "
            f"something else ({reason}); process the take again"
        ) from error
