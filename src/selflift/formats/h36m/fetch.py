"""Human3.6M as h36m-fetch processes it: ``processed/S1/Directions-1/annot.h5`` and so on.

What a file holds is told in :mod:`selflift.formats.h36m.annot`.

The number in a clip's name, ``S1 Directions 1``, is the *subaction*: the first or second recording
of the action in the data set's tables. It is not always the number in the recording's own name.
Older folders, ``S1/Directions``, have no number; they hold one recording of each action.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from selflift.config.prepare_schema import H36MOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.annot import (
    METRIC,
    UNIVERSAL,
    AnnotFile,
    fitted_view,
    poses_in,
    read_annotations,
)
from selflift.formats.h36m.assemble import Assembler, chosen_subjects, output_layout, settings_of
from selflift.formats.h36m.cameras import CAMERAS
from selflift.formats.h36m.protocol import ACTIONS, action_of, is_skipped
from selflift.formats.h36m.subactions import by_subaction

_NAME = "annot.h5"


def recognise(path: Path) -> bool:
    """Whether it is a folder of h36m-fetch's, with ``S1/Directions-1/annot.h5`` at most 3 below."""
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
            reading) a file is damaged or contradicts its folder.
    """
    path = Path(path)
    skeleton = output_layout(path, options, (17, 32))
    report = Report()
    files = list(_found(path, report))
    if not files:
        raise ImportFileError(
            f"'{path}': expected a folder with S*/ACTION-NUMBER/{_NAME}, as h36m-fetch writes "
            f"them, got {'none' if path.exists() else 'no folder'}; is it the right folder?"
        )
    subjects = chosen_subjects(path, options, {file.subject for file in files}, report)
    files = [file for file in files if file.subject in subjects]
    files.sort(key=lambda f: (subjects.index(f.subject), ACTIONS.index(f.action), f.number))
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
    skip = by_subaction(options.skip) if numbered else list(options.skip)
    assembler = Assembler(options, skeleton, report, ("pose/2d", key, "mm"), skip)
    return Recordings(
        source="h36m_fetch",
        skeleton=skeleton,
        takes=_takes(files, key, assembler, skip, report),
        total=len(files) * len(CAMERAS),
        settings=settings_of(options, **{"2D": "pose/2d", "3D": key}),
        report=report,
    )


def _found(path: Path, report: Report | None = None) -> Iterator[AnnotFile]:
    """The files; what lies in folders of other names is noted, so that none is lost unseen."""
    for pattern in (_NAME, f"*/{_NAME}", f"*/*/{_NAME}", f"*/*/*/{_NAME}"):
        for file in path.glob(pattern):
            named = file.absolute()
            subject, folder = named.parent.parent.name, named.parent.name
            match = re.fullmatch(r"([A-Za-z]+)(?:-(\d+))?", folder)
            if match and re.fullmatch(r"S\d+", subject):
                try:
                    action = action_of(match[1])
                except ValueError:
                    if report is not None:
                        report.note(f"left out, since '{folder}' is no action: '{file}'")
                    continue
                yield AnnotFile(file, subject, action, int(match[2] or 0))


def _common_key(files: list[AnnotFile]) -> str:
    """Which 3D poses all files have; metric ones, if they do."""
    have = [poses_in(file) for file in files]
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
    files: list[AnnotFile], key: str, assembler: Assembler, skip: list[str], report: Report
) -> Iterator[Take]:
    for file in files:
        content = read_annotations(file, key)
        for camera in CAMERAS:
            rows = np.flatnonzero(content.camera == int(camera))
            where = f"'{file.path}' (camera {camera})"
            if len(rows) == 0:
                if not is_skipped(file.clip, camera, skip):
                    report.note(f"{file.clip}: no frames of camera {camera}")
                continue
            frame = content.frame[rows].astype(np.int64) - 1
            if frame[0] < 0 or (np.diff(frame) <= 0).any():
                raise ImportFileError(
                    f"{where}: expected frame to rise from 1 or more, got "
                    f"{content.frame[rows][:3].tolist()} ...; process the take again"
                )
            take = assembler.take(
                where,
                camera,
                file.clip,
                frame,
                x=content.x[rows],
                X=content.X[rows],
                through=fitted_view(
                    where, file.subject, camera, content.intrinsics.get(camera), key
                ),
            )
            if take is not None:
                yield take
    assembler.finish()
