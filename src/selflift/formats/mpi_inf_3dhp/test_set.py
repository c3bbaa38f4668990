"""MPI-INF-3DHP, test set: ``TS1/annot_data.mat`` ... ``TS6/annot_data.mat`` (MATLAB v7.3, HDF5).

``annot2`` (F, 1, 17, 2) in pixels, ``annot3`` and ``univ_annot3`` (F, 1, 17, 3) in the camera
frame, mm, ``valid_frame`` (F, 1), which the protocol evaluates, and ``activity_annotation`` (F, 1),
1 to 7. The 17 joints come in Human3.6M's order; the frames of one activity of one sequence are one
take.

The annotation files carry no camera. Focal lengths and principal point are fitted to ``annot2`` and
``annot3`` sequence by sequence; published fits of other people are f = 1500.07, 1500.66 and c =
1017.38, 1043.06 px for TS1 to TS4, and f = 1683.48, 1671.93 and c = 939.93, 560.21 px for TS5 and
TS6. The official calibration of TS5 and TS6 also has lens distortion; that these fits agree with
its pinhole part shows that ``annot2`` is free of it.

TS1 to TS4 are continuous at 25 fps. The rate of TS5 and TS6 is not documented; 25 is assumed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from selflift.config import MPIInf3DHPOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.mpi_inf_3dhp.annotations import (
    ACTIVITIES,
    TEST_SEQUENCES,
    Annotated,
    check_options,
    chosen_subjects,
    keys_of,
    note_rays,
)
from selflift.formats.mpi_inf_3dhp.calibration import distance_px, fit_view
from selflift.formats.mpi_inf_3dhp.matlab import read_mat73, wrong
from selflift.geometry.camera import Calibration
from selflift.skeleton import H36M_17, MPI_INF_3DHP_17

SOURCE = "mpi_inf_3dhp_test"
FILE = "annot_data.mat"
# The official archive unpacks into it.
FOLDER = "mpi_inf_3dhp_test_set"
FPS = 25.0
LIMIT_PX = 5.0
UNKNOWN = "unknown"


def recognise(path: Path) -> bool:
    """Recognise files named like the test set's annotations."""
    return bool(_files(path))


def open_test(path: Path, options: MPIInf3DHPOptions) -> Recordings:
    """The test set, or the part of it that is there.

    Args:
        path: The folder with ``TS1`` to ``TS6``, the one around it, or one of these six.
        options: What to read of it; ``cameras`` and ``sequences`` don't apply.

    Returns:
        One take per sequence and activity, clip ``"TS1"``, camera ``"TS1/0"``.

    Raises:
        ImportFileError: If there is nothing to read, an option is wrong, a file can't be read or
            holds another content, or no camera fits its annotations.
    """
    settings = check_options(options)
    files = _files(path)
    if not files:
        raise ImportFileError(
            f"'{path}': expected TS1/{FILE} to TS6/{FILE} (or some of them), got none; name the "
            "folder that holds TS1"
        )
    report = Report()
    subjects = chosen_subjects(options.subjects, list(files), path)
    asked = options.subjects or TEST_SEQUENCES
    if missing := [name for name in TEST_SEQUENCES if name in asked and name not in files]:
        report.note(f"of the test set's sequences, not there: {', '.join(missing)}")
    settings |= {
        "frames": "valid_frame = 1" if options.valid_only else "all, valid or not",
        "rate": "25 fps (for TS5 and TS6 assumed)",
    }
    # The files are small, and errors are reported at once.
    scenes = {name: _read(files[name], options) for name in subjects}
    views, off_rays = {}, {}
    for name, (poses, valid, _) in scenes.items():
        usable = poses[valid & poses.usable()]
        size_px, published = TEST_SEQUENCES[name]
        views[name], residual = fit_view(
            f"'{files[name]}'", usable.pixels, usable.metric, size_px, LIMIT_PX
        )
        usable.check_bodies(files[name])
        if usable.universal is not None:
            off_rays[name] = distance_px(views[name], usable.pixels, usable.universal)
        (fx, fy), (cx, cy) = views[name].f_px, views[name].c_px
        settings[f"{name}: camera"] = (
            f"fitted, f {fx:.2f} {fy:.2f}, c {cx:.2f} {cy:.2f} px; annot3 is within "
            f"{residual:.2f} px of annot2 (median)"
        )
        if valid.sum() != published:
            report.note(
                f"{name}: expected {published} valid frames, as published, got {valid.sum()}"
            )
    note_rays(off_rays, report)
    return Recordings(
        source=SOURCE,
        skeleton=H36M_17,
        takes=_takes(scenes, views, options, report),
        total=len(subjects) * len(ACTIVITIES),
        settings=settings,
        report=report,
    )


class _Scene(NamedTuple):
    """One sequence: annotations, valid frames ``(F,)`` bool, and activity numbers ``(F,)``."""

    poses: Annotated
    valid: np.ndarray
    activity: np.ndarray


def _files(path: Path) -> dict[str, Path]:
    """The annotation files in a folder, by sequence, in order."""
    folder = Path(os.path.abspath(path))
    if folder.name == FILE:
        folder = folder.parent
    found = {}
    for name in TEST_SEQUENCES:
        places = [folder] if folder.name == name else [folder / name, folder / FOLDER / name]
        # os.path, unlike pathlib, doesn't raise for folders that can't be read.
        there = [place / FILE for place in places if os.path.isfile(place / FILE)]
        if there:
            found[name] = there[0]
    return found


def _read(path: Path, options: MPIInf3DHPOptions) -> _Scene:
    keys = keys_of(options)
    content = read_mat73(path, [*keys, "valid_frame", "activity_annotation"])
    frames = content["annot2"].size // (MPI_INF_3DHP_17.num_joints * 2)
    joints = {}
    for key in keys:
        shape = (frames, 1, MPI_INF_3DHP_17.num_joints, 2 if key == "annot2" else 3)
        array = content[key]
        # As MATLAB itself orders them; no axis can be mistaken for another.
        if array.shape == shape[::-1]:
            array = array.T
        if array.shape != shape or frames == 0:
            raise wrong(path, key, f"shape (frames, 1, {shape[2]}, {shape[3]})", str(array.shape))
        joints[key] = array[:, 0]
    flags = {}
    for key in ("valid_frame", "activity_annotation"):
        if content[key].shape not in ((frames, 1), (1, frames), (frames,)):
            raise wrong(
                path, key, f"one number for each of {frames} frames", str(content[key].shape)
            )
        flags[key] = content[key].ravel()
    valid = flags["valid_frame"]
    if not np.isin(valid, (0, 1)).all():
        raise wrong(path, "valid_frame", "zeros and ones", str(np.unique(valid)[:5]))
    if not valid.any():
        raise wrong(path, "valid_frame", "at least one valid frame", "none")
    poses = Annotated.of(joints, MPI_INF_3DHP_17)
    return _Scene(poses, valid.astype(bool), flags["activity_annotation"])


def _takes(
    scenes: dict[str, _Scene],
    views: dict[str, Calibration],
    options: MPIInf3DHPOptions,
    report: Report,
) -> Iterator[Take]:
    for name, (poses, valid, activity) in scenes.items():
        wanted = valid if options.valid_only else np.ones_like(valid)
        kept = poses.keep(wanted, "valid_frame = 0", report)
        unknown = ~np.isin(activity, range(1, len(ACTIVITIES) + 1))
        if (kept & unknown).any():
            report.note(
                f"{name}: {int((kept & unknown).sum())} frames have no activity from 1 to "
                f"{len(ACTIVITIES)}; their action is '{UNKNOWN}'"
            )
        groups = {title: activity == n for n, title in enumerate(ACTIVITIES, start=1)}
        for action, member in {**groups, UNKNOWN: unknown}.items():
            rows = np.flatnonzero(kept & member)
            if len(rows):
                yield poses[rows].take(
                    options.head_order, subject=name, action=action, clip=name, camera=f"{name}/0",
                    frame=rows, fps=FPS, view=views[name],
                )  # fmt: skip
