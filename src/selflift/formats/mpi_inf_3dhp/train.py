"""MPI-INF-3DHP, training set: ``S1/Seq1/annot.mat`` ... ``S8/Seq2/annot.mat``.

Each file holds, for 14 cameras that film one person, ``annot2`` (pixels), ``annot3`` and
``univ_annot3`` (camera frame, mm; the second scaled to one body height) of 28 joints per frame.
They come as 17 joints in Human3.6M's order; one camera of one sequence is one take. Only ``annot3``
projects to ``annot2``: it checks the cameras of ``camera.calibration``, or gives them.

Three public facts about the files are heeded: the annotations may go on after the end of the video
and are cut there, as the README advises; the rate is 25 or 50 frames per second, depending on the
sequence; and in a part of S4 Seq2 left and right are said to be exchanged (mentioned, not changed).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from selflift.config import MPIInf3DHPOptions
from selflift.data.recording import Recordings, Report, Take, View
from selflift.files.untrusted import ImportFileError
from selflift.formats.mpi_inf_3dhp.calibration import CALIBRATION, read_calibration
from selflift.formats.mpi_inf_3dhp.layout import (
    ANNOTATIONS,
    CAMERAS,
    HEAD_ORDERS,
    SEQUENCES,
    TRAIN_SUBJECTS,
    VIDEOS,
    check_choice,
    chosen_subjects,
    head_setting,
    rays_note,
)
from selflift.formats.mpi_inf_3dhp.matlab import check_version, load_scipy
from selflift.formats.mpi_inf_3dhp.sequence import Seen, Sequence, read_sequence
from selflift.skeleton import H36M_17

SOURCE = "mpi_inf_3dhp_train"
FILE = "annot.mat"


def recognise(path: Path) -> bool:
    """Whether there are files named like the training set's annotations."""
    return bool(_files(path))


def open_train(path: Path, options: MPIInf3DHPOptions) -> Recordings:
    """The training set, or the part of it that is there.

    Args:
        path: The folder with ``S1`` to ``S8``, or one of these, or one sequence of one of these.
        options: What to read of it.

    Returns:
        One take per sequence and camera, clip ``"S1 Seq1"``, camera ``"S1 Seq1/0"`` (calibration
        differs from sequence to sequence).

    Raises:
        ImportFileError: If there is nothing to read, an option or ``camera.calibration`` is wrong,
            or SciPy is missing. Reading the takes raises it for files of another content.
    """
    check_choice("annotation", options.annotation, tuple(ANNOTATIONS))
    check_choice("head_order", options.head_order, HEAD_ORDERS)
    _check_numbers("cameras", options.cameras, range(CAMERAS))
    _check_numbers("sequences", options.sequences, SEQUENCES)
    files = _files(path)
    if not files:
        raise ImportFileError(
            f"'{path}': expected S1/Seq1/{FILE} to S8/Seq2/{FILE} (or some of them), got none; "
            "name the folder that holds S1"
        )
    have = [subject for subject in TRAIN_SUBJECTS if any(s == subject for s, _ in files)]
    subjects = chosen_subjects(options.subjects, have, path)
    wanted = [key for key in files if key[0] in subjects and key[1] in options.sequences]
    if not wanted:
        raise ImportFileError(
            f"'{path}': expected sequence {' or '.join(map(str, options.sequences))} "
            f"(mpi_inf_3dhp.sequences) of {', '.join(subjects)}, got neither; change the option"
        )
    load_scipy()
    report = Report()
    _note_missing(files, options, report)
    sequences = []
    for subject, number in wanted:
        file = files[subject, number]
        check_version(file, hdf5=False)
        sequences.append(Sequence(subject, number, file, _views(file, options, report)))
    settings = {
        "3D": f"{ANNOTATIONS[options.annotation]} ({options.annotation})",
        "2D": "annot2",
        "cameras": ", ".join(map(str, options.cameras)),
        "calibration": _calibration(sequences),
        "rate": "as published, 25 fps; 50 in S1 Seq2, S3 and S5",
        "head order": head_setting(options.head_order),
    }
    return Recordings(
        source=SOURCE,
        skeleton=H36M_17,
        takes=_takes(sequences, options, settings, report),
        total=len(sequences) * len(options.cameras),
        settings=settings,
        report=report,
    )


def _files(path: Path) -> dict[tuple[str, int], Path]:
    """The annotation files in a folder, by subject and sequence, in the published order."""
    folder = Path(os.path.abspath(path))
    if folder.name == FILE:
        folder = folder.parent
    found = {}
    for subject, number in VIDEOS:
        inside = folder / subject / f"Seq{number}"
        if folder.name == subject:
            inside = folder / f"Seq{number}"
        elif (folder.parent.name, folder.name) == (subject, f"Seq{number}"):
            inside = folder
        # os.path, unlike pathlib, doesn't raise for folders that can't be read.
        if os.path.isfile(inside / FILE):
            found[subject, number] = inside / FILE
    return found


def _check_numbers(name: str, values: list[int], known: Collection[int]) -> None:
    if not values or len(set(values)) != len(values) or not set(values) <= set(known):
        raise ImportFileError(
            f"mpi_inf_3dhp.{name}: expected numbers from {min(known)} to {max(known)}, each once, "
            f"got {list(values)}"
        )


def _note_missing(
    files: Collection[tuple[str, int]], options: MPIInf3DHPOptions, report: Report
) -> None:
    missing = [
        f"{subject} Seq{number}"
        for subject, number in VIDEOS
        if (subject, number) not in files
        and number in options.sequences
        and subject in (options.subjects or TRAIN_SUBJECTS)
    ]
    if missing:
        report.note(f"of the training set's sequences, not there: {', '.join(missing)}")


def _views(file: Path, options: MPIInf3DHPOptions, report: Report) -> dict[int, View] | None:
    calibration = file.parent / CALIBRATION
    if not calibration.is_file():
        return None
    views = read_calibration(calibration, report)
    if missing := [camera for camera in options.cameras if camera not in views]:
        raise ImportFileError(
            f"'{calibration}': expected the cameras {', '.join(map(str, options.cameras))} "
            f"(mpi_inf_3dhp.cameras), got {', '.join(map(str, views))}; missing: "
            f"{', '.join(map(str, missing))}"
        )
    return views


def _calibration(sequences: list[Sequence]) -> str:
    fitted = [sequence.name for sequence in sequences if sequence.views is None]
    if not fitted:
        return f"{CALIBRATION}, its world turned from y up to z up"
    if len(fitted) == len(sequences):
        return f"fitted to annot2 and annot3 (no {CALIBRATION}), position unknown"
    # A pose set stores rotations and centres of all cameras or of none.
    return f"{CALIBRATION}, but fitted to annot2 and annot3, position unknown: {', '.join(fitted)}"


def _takes(
    sequences: list[Sequence], options: MPIInf3DHPOptions, settings: dict[str, str], report: Report
) -> Iterator[Take]:
    seen = Seen()
    for sequence in sequences:
        yield from read_sequence(sequence, options, seen, report)
    for what, distances in (("projected", seen.checked), ("fitted", seen.fitted)):
        if distances:
            worst = max(distances, key=distances.__getitem__)
            settings["calibration"] += (
                f"; {what}, annot3 is within {distances[worst]:.2f} px of annot2 (median; worst "
                f"{worst})"
            )
    if line := rays_note(seen.off_rays):
        report.note(line)
    if seen.outside:
        report.note(
            f"{seen.outside:,} of {seen.frames:,} frames have a joint outside the image; they are "
            "kept"
        )
