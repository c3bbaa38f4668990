"""MPI-INF-3DHP, training set: ``S1/Seq1/annot.mat`` ... ``S8/Seq2/annot.mat``.

Each file holds, for 14 cameras that film one person, ``annot2`` (pixels), ``annot3`` and
``univ_annot3`` (camera frame, mm; the second scaled to one body height): cell arrays, one cell per
entry of ``cameras``, in which a row is a frame, ``x1, y1, (z1,) x2, ...`` of 28 joints. ``frames``
numbers the rows. They come as 17 joints in Human3.6M's order; one camera of one sequence is one
take. Only ``annot3`` projects to ``annot2``: it checks the cameras of ``camera.calibration``, or
gives them.

Three public facts about the files matter: the annotations may go on after the end of the video
and are cut there, as the README advises; the rate is 25 or 50 frames per second, depending on the
sequence; and in a part of S4 Seq2 left and right are said to be exchanged (mentioned, not changed).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from selflift.config import MPIInf3DHPOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.mpi_inf_3dhp.annotations import (
    CAMERAS,
    SEQUENCES,
    TRAIN_SIZE_PX,
    TRAIN_SUBJECTS,
    VIDEOS,
    Annotated,
    check_options,
    chosen_subjects,
    keys_of,
    note_rays,
)
from selflift.formats.mpi_inf_3dhp.calibration import (
    CALIBRATION,
    distance_px,
    fit_view,
    read_calibration,
)
from selflift.formats.mpi_inf_3dhp.matlab import (
    cells,
    check_version,
    load_scipy,
    read_mat5,
    wrong,
)
from selflift.geometry.anatomy import knee_score
from selflift.geometry.camera import Calibration
from selflift.skeleton import H36M_17, MPI_INF_3DHP_28

SOURCE = "mpi_inf_3dhp_train"
FILE = "annot.mat"
# annot2 is the projection of annot3: more than rounding is a wrong camera.
LIMIT_PX = 2.0
# A person is in one place, seen from any camera.
AGREEMENT_MM = 20.0
MAX_FRAME = 2**31
# Frames in which public code for the data set exchanges left and right.
EXCHANGED = {("S4", 2): slice(3759, 5853)}


@dataclass(frozen=True)
class Sequence:
    """An annotation file and the cameras beside it, by number, if there are any."""

    subject: str
    number: int
    path: Path
    views: dict[int, Calibration] | None

    @property
    def name(self) -> str:
        """``"S1 Seq1"``."""
        return f"{self.subject} Seq{self.number}"


def recognise(path: Path) -> bool:
    """Recognise files named like the training set's annotations."""
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
    settings = check_options(options)
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
    if missing := [
        f"{subject} Seq{number}"
        for subject, number in VIDEOS
        if (subject, number) not in files
        and number in options.sequences
        and subject in (options.subjects or TRAIN_SUBJECTS)
    ]:
        report.note(f"of the training set's sequences, not there: {', '.join(missing)}")
    sequences = []
    for subject, number in wanted:
        file = files[subject, number]
        check_version(file, hdf5=False)
        sequences.append(Sequence(subject, number, file, _views(file, options, report)))
    settings |= {
        "cameras": ", ".join(map(str, options.cameras)),
        "calibration": _calibration(sequences),
        "rate": "as published, 25 fps; 50 in S1 Seq2, S3 and S5",
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


def _views(file: Path, options: MPIInf3DHPOptions, report: Report) -> dict[int, Calibration] | None:
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
    # Take to the median distance (px) of projected annot3, or univ_annot3, and annot2.
    distances: dict[str, dict[str, float]] = {"projected": {}, "fitted": {}}
    off_rays: dict[str, float] = {}
    outside = frames = 0
    for sequence in sequences:
        frame, cameras = _read(sequence.path, keys_of(options), options.cameras)
        fps, length = VIDEOS[sequence.subject, sequence.number]
        if len(frame) < length:
            report.note(
                f"{sequence.name}: {len(frame)} of the video's {length} frames are annotated"
            )
        place: np.ndarray | None = None
        for camera, poses in cameras:
            name = f"{sequence.name}/{camera}"
            kept = poses.keep(np.arange(len(poses)) < length, "after the end of the video", report)
            if not kept.any():
                report.note(f"{name}: no frame is left")
                continue
            poses = poses[kept]
            poses.check_bodies(sequence.path)
            view, distance = _view(sequence, camera, poses)
            distances["fitted" if sequence.views is None else "projected"][name] = distance
            if poses.universal is not None:
                off_rays[name] = distance_px(view, poses.pixels, poses.universal)
            place = _compare_places(name, view, poses, kept, place, report)
            if camera == options.cameras[0]:
                _note_exchanged(sequence, frame[kept], poses, report)
            beyond = (poses.pixels < 0) | (poses.pixels >= view.size_px)
            outside, frames = outside + int(beyond.any((1, 2)).sum()), frames + len(poses)
            yield poses.take(
                options.head_order, subject=sequence.subject, action=f"Seq{sequence.number}",
                clip=sequence.name, camera=name, frame=frame[kept], fps=fps, view=view,
            )  # fmt: skip
    for what, of in distances.items():
        if of:
            worst = max(of, key=of.__getitem__)
            settings["calibration"] += (
                f"; {what}, annot3 is within {of[worst]:.2f} px of annot2 (median; worst {worst})"
            )
    note_rays(off_rays, report)
    if outside:
        report.note(
            f"{outside:,} of {frames:,} frames have a joint outside the image; they are kept"
        )


def _read(
    path: Path, keys: list[str], wanted: Iterable[int]
) -> tuple[np.ndarray, Iterator[tuple[int, Annotated]]]:
    """Frame numbers, and the annotations of each wanted camera (converted one by one)."""
    content = read_mat5(path, [*keys, "cameras", "frames"])
    columns = {}
    for key in keys:
        width = MPI_INF_3DHP_28.num_joints * (2 if key == "annot2" else 3)
        columns[key] = cells(path, key, content[key], CAMERAS, width)
    rows = len(columns["annot2"][0])
    if rows == 0:
        raise wrong(path, "annot2", "at least one frame", "none")
    for key in keys:
        if lengths := {len(cell) for cell in columns[key]} - {rows}:
            expected = f"{rows} frames in every cell, as in the first of annot2"
            raise wrong(path, key, expected, ", ".join(map(str, sorted(lengths))))
    numbers = content["cameras"].ravel()
    if numbers.dtype.kind not in "fiu" or sorted(numbers) != list(range(CAMERAS)):
        raise wrong(path, "cameras", f"the numbers 0 to {CAMERAS - 1}", str(numbers)[:80])
    frame = content["frames"].ravel()
    if not (len(frame) == rows and _rising(frame)):
        raise wrong(path, "frames", f"{rows} rising whole numbers", f"{len(frame)}: {frame[:5]}...")

    def of(camera: int) -> Annotated:
        cell = int(np.flatnonzero(numbers == camera)[0])
        shape = (rows, MPI_INF_3DHP_28.num_joints, -1)
        joints = {key: columns[key][cell].reshape(shape) for key in keys}
        return Annotated.of(joints, MPI_INF_3DHP_28)

    return frame.astype(np.int64), ((camera, of(camera)) for camera in wanted)


def _rising(frame: np.ndarray) -> bool:
    if frame.dtype.kind not in "fiu" or not (np.abs(frame) < MAX_FRAME).all():
        return False
    return bool((frame == frame.round()).all() and (np.diff(frame.astype(np.int64)) > 0).all())


def _view(sequence: Sequence, camera: int, poses: Annotated) -> tuple[Calibration, float]:
    """The camera, and the median distance (px) of projected ``annot3`` and ``annot2``."""
    where = f"'{sequence.path}': camera {camera}"
    if sequence.views is None:
        return fit_view(where, poses.pixels, poses.metric, TRAIN_SIZE_PX, LIMIT_PX)
    view = sequence.views[camera]
    distance = distance_px(view, poses.pixels, poses.metric)
    if not distance <= LIMIT_PX:
        raise ImportFileError(
            f"{where}: expected annot3 to project to annot2 within {LIMIT_PX:g} px (median) by "
            f"'{CALIBRATION}' beside it, got {distance:.1f} px; get both again, or remove "
            f"{CALIBRATION} to fit the intrinsics instead"
        )
    return view, distance


def _compare_places(
    name: str,
    view: Calibration,
    poses: Annotated,
    kept: np.ndarray,
    place: np.ndarray | None,
    report: Report,
) -> np.ndarray | None:
    """Note a camera that sees the person elsewhere in the world than the first one did."""
    if view.rotation is None or view.centre_mm is None:
        return place
    here = np.full((len(kept), 3), np.nan)
    here[kept] = poses.metric[:, H36M_17.root] @ view.rotation + view.centre_mm
    if place is None:
        return here
    both = np.isfinite(here).all(-1) & np.isfinite(place).all(-1)
    if both.any():
        gap = float(np.median(np.linalg.norm(here[both] - place[both], axis=-1)))
        if gap > AGREEMENT_MM:
            report.note(
                f"{name}: by its rotation and centre in {CALIBRATION} the person is {gap:,.0f} mm "
                "from where the first camera sees them; don't trust them (poses don't use them)"
            )
    return place


def _note_exchanged(
    sequence: Sequence, frame: np.ndarray, poses: Annotated, report: Report
) -> None:
    """Note frames in which left and right are said to be exchanged, and the knees' score."""
    span = EXCHANGED.get((sequence.subject, sequence.number))
    if span is None:
        return
    inside = (frame >= span.start) & (frame < span.stop)
    if not inside.any():
        return
    score = knee_score(torch.from_numpy(poses.metric[inside]), H36M_17)
    report.note(
        f"{sequence.name}, frames {span.start} to {span.stop - 1}: other code for this data set "
        "exchanges left and right here; they are kept as they are (knee score there "
        f"{score:.1f}; below 0, knees bend backward, as they seem to with left and right exchanged)"
    )
