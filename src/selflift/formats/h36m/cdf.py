"""Human3.6M's own archives of poses: CDF files, as downloaded or as h36m-fetch unpacks them.

====================================================  ==============================================
``S1/MyPoseFeatures/D3_Positions_mono/NAME.cdf`` or   ``Pose`` (1, F, 96): 32 joints in the
``S1/Poses_D3_Positions_mono/NAME.cdf``               camera's frame, mm; NAME is
                                                      ``Directions 1.54138969``
``S1/MyPoseFeatures/D3_Positions/NAME.cdf`` or        the same in the world's frame; NAME is
``S1/Poses_D3_Positions/NAME.cdf``                    ``Directions 1``
``S1/MyPoseFeatures/D2_Positions/NAME.cdf`` or        ``Pose`` (1, F, 64), pixels; names of cameras,
``S1/Poses_D2_Positions/NAME.cdf``                    like the first
====================================================  ==============================================

Camera-frame files are preferred; world files are seen by the four calibrated cameras. Without 2D
files, the 3D is projected.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selflift.config import H36MOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.files.child_process import IsolatedReader
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.h36m_cameras import CAMERAS
from selflift.formats.h36m.h36m_protocol import Recording
from selflift.formats.h36m.h36m_takes import TakeBuilder, check_joints, chosen_subjects

# By kind of content: as downloaded, and as h36m-fetch unpacks.
_MONO = ("MyPoseFeatures/D3_Positions_mono", "Poses_D3_Positions_mono")
_WORLD = ("MyPoseFeatures/D3_Positions", "Poses_D3_Positions")
_FLAT = ("MyPoseFeatures/D2_Positions", "Poses_D2_Positions")
_WHOLE_SESSION = "_ALL"


@dataclass(frozen=True)
class _Files:
    """One 3D file, and the 2D files of the cameras that it serves."""

    recording: Recording
    path: Path
    world: bool
    flat: dict[str, Path | None]


def recognise(path: Path) -> bool:
    """Recognise a folder with 3D poses in CDF files."""
    try:
        return bool(_subject_folders(Path(path)))
    except OSError:
        return False


def open_cdf(path: Path, options: H36MOptions) -> Recordings:
    """Human3.6M's CDF archives, unpacked.

    Args:
        path: The folder that holds ``S1``, ``S5``, ...; one above it, or one of them.
        options: ``lens``, ``joints`` (17 or 32), ``subjects`` and ``skip`` apply.

    Raises:
        ImportFileError: If no such file is there, cdflib is not installed, or (while reading) a
            file is corrupt or contradicts its name.
    """
    path = Path(path)
    check_joints(path, options, (17, 32))
    folders = _subject_folders(path)
    if not folders:
        packed = next(path.rglob("*.tgz"), None) if path.is_dir() else None
        remedy = f"unpack '{packed.name}' and the others" if packed else "is it the right folder?"
        raise ImportFileError(
            f"'{path}': expected a folder with S*/{_MONO[0]}/*.cdf, S*/{_MONO[1]}/*.cdf or "
            f"S*/{_WORLD[0]}/*.cdf, got {'none of them' if path.exists() else 'no folder'}; "
            f"{remedy}"
        )
    _check_reader(path)
    report = Report()
    subjects = chosen_subjects(path, options, folders, report)
    found = [files for s in subjects for files in _recordings(s, folders[s], report)]
    if not found:
        raise ImportFileError(
            f"'{path}': expected recordings of {', '.join(subjects)}, got none; is it the right "
            "folder?"
        )
    flat = [file is not None for files in found for file in files.flat.values()]
    source_2d = "D2_Positions" if all(flat) else "projected from 3D"
    if any(flat) and not all(flat):
        source_2d = f"D2_Positions, projected from 3D for {flat.count(False)} of {len(flat)} takes"
    kinds = {False: "D3_Positions_mono", True: "D3_Positions, world to camera"}
    source_3d = " and ".join(kinds[world] for world in sorted({files.world for files in found}))
    builder = TakeBuilder(options, report, ("D2_Positions", "D3_Positions", "mm"))
    return builder.recordings(
        "h36m_cdf", _takes(found, builder), len(flat), **{"2D": source_2d, "3D": source_3d}
    )


def _takes(found: list[_Files], builder: TakeBuilder) -> Iterator[Take]:
    for files in found:
        solid = _read(files.path, 3)
        for camera, flat in files.flat.items():
            yield from builder.take(
                f"'{files.path}' (camera {camera})",
                files.recording,
                camera,
                world=solid if files.world else None,
                X=None if files.world else solid,
                x=None if flat is None else _read(flat, 2),
            )


def _subject_folders(path: Path) -> dict[str, Path]:
    """Folder by subject: the path itself, its children, or theirs, whichever has 3D files."""
    if not path.is_dir():
        return {}
    for found in ([path], path.glob("S*"), path.glob("*/S*")):
        folders = {
            folder.name: folder
            for folder in found
            if re.fullmatch(r"S\d+", folder.name) and _first(folder, _MONO + _WORLD)
        }
        if folders:
            return folders
    return {}


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The first of the subfolders that has CDF files."""
    return next((folder / n for n in names if next((folder / n).glob("*.cdf"), None)), None)


def _recordings(subject: str, folder: Path, report: Report) -> list[_Files]:
    positions = _first(folder, _MONO + _WORLD)
    assert positions is not None
    world = positions in [folder / name for name in _WORLD]
    flat_folder = _first(folder, _FLAT)
    out: list[_Files] = []
    there: dict[str, set[str]] = {}
    for path in sorted(positions.glob("*.cdf")):
        name, _, camera = (path.stem, "", "") if world else path.stem.rpartition(".")
        if name.split(" ")[0].split(".")[0] == _WHOLE_SESSION:
            report.note(f"left out: '{_WHOLE_SESSION}' files, which hold a whole session")
            continue
        try:
            recording = Recording.of(subject, name)
        except ValueError as error:
            raise ImportFileError(f"'{path}': {error}; rename or remove the file") from error
        if not world and camera not in CAMERAS:
            raise ImportFileError(
                f"'{path}': expected a name like 'Directions 1.54138969.cdf' with a camera of "
                f"{', '.join(CAMERAS)}, got '{path.name}'"
            )
        cameras = CAMERAS if world else (camera,)
        there.setdefault(name, set()).update(cameras)
        flat = {c: flat_folder and flat_folder / f"{name}.{c}.cdf" for c in cameras}
        flat = {c: file if file and file.is_file() else None for c, file in flat.items()}
        out.append(_Files(recording, path, world, flat))
    for name, cameras_there in there.items():
        if lacking := sorted(set(CAMERAS) - cameras_there):
            report.note(f"{subject} {name}: no 3D for {', '.join(lacking)}")
    return out


def _check_reader(path: Path) -> None:
    if importlib.util.find_spec("cdflib") is None:
        raise ImportFileError(
            f"'{path}': expected the package cdflib, which reads CDF files, got none; pip install "
            "selflift[data]"
        )


_READ = """
def warm():
    import cdflib

def read(path, names):
    import pathlib
    import numpy as np
    from cdflib import CDF
    pose = np.asarray(CDF(pathlib.Path(path)).varget("Pose"))
    if pose.dtype.kind not in "fiu":
        raise ValueError(f"expected numbers, got {pose.dtype!s:.60}")
    return {"Pose": pose}
"""
_cdf = IsolatedReader(_READ)


def _read(path: Path, dimensions: int) -> np.ndarray:
    """``Pose`` of a file, ``(F, 32, dimensions)`` float64."""
    _check_reader(path)
    try:
        pose = _cdf(path, ["Pose"])["Pose"]
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ImportFileError(
            f"'{path}': expected a CDF file with the variable Pose, got one that is corrupt, cut "
            f"short or something else ({reason}); get it again"
        ) from error
    width = 32 * dimensions
    flat = pose[0] if pose.ndim == 3 and len(pose) == 1 else pose
    if flat.ndim != 2 or flat.shape[1] != width or len(flat) == 0 or flat.dtype.kind != "f":
        raise ImportFileError(
            f"'{path}': expected Pose of floats, shape (1, frames, {width}), which is 32 joints, "
            f"got {pose.dtype} {pose.shape}; is it the right archive?"
        )
    return flat.reshape(len(flat), 32, dimensions).astype(np.float64)
