"""One ``annot.mat`` of MPI-INF-3DHP's training set, camera by camera.

``annot2``, ``annot3`` and ``univ_annot3`` are 14 x 1 cell arrays, one cell per entry of
``cameras``; a row of a cell is a frame: ``x1, y1, (z1,) x2, ...`` of 28 joints. ``frames`` numbers
the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from selflift.config import MPIInf3DHPOptions
from selflift.data.recording import Report, Take, View
from selflift.files.untrusted import ImportFileError
from selflift.formats.mpi_inf_3dhp.calibration import CALIBRATION, distance_px, fit_view
from selflift.formats.mpi_inf_3dhp.layout import (
    BEHIND,
    CAMERAS,
    NOT_ANNOTATED,
    TRAIN_SIZE_PX,
    VIDEOS,
    Annotated,
    check_bodies,
    head_ordered,
    to_h36m,
)
from selflift.formats.mpi_inf_3dhp.matlab import cells, read_mat5, wrong
from selflift.geometry.anatomy import knee_score
from selflift.skeleton import H36M_17, MPI_INF_3DHP_28

# annot2 is the projection of annot3: more than rounding is a wrong camera.
LIMIT_PX = 2.0
# A person is in one place, whichever camera looks.
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
    views: dict[int, View] | None

    @property
    def name(self) -> str:
        """``"S1 Seq1"``."""
        return f"{self.subject} Seq{self.number}"


@dataclass
class Seen:
    """What adds up over the takes.

    Attributes:
        checked: Take to the median distance (px) of projected ``annot3`` and ``annot2``, where the
            camera is from a file.
        fitted: The same where the camera is fitted.
        off_rays: The same of ``univ_annot3``.
        outside: Frames with a joint outside the image.
        frames: Frames.
    """

    checked: dict[str, float] = field(default_factory=dict)
    fitted: dict[str, float] = field(default_factory=dict)
    off_rays: dict[str, float] = field(default_factory=dict)
    outside: int = 0
    frames: int = 0


def read_sequence(
    sequence: Sequence, options: MPIInf3DHPOptions, seen: Seen, report: Report
) -> Iterator[Take]:
    """The takes of one file, one per camera of the options.

    Args:
        sequence: The file.
        options: Which cameras, and which 3D.
        seen: Grows.
        report: Is told of frames that are left out and of what looks odd.

    Raises:
        ImportFileError: If the file can't be read, holds another content, or its cameras don't
            project ``annot3`` to ``annot2``.
    """
    universal = options.annotation == "universal"
    frame, cameras = _read(sequence.path, universal, options.cameras)
    fps, length = VIDEOS[sequence.subject, sequence.number]
    if len(frame) < length:
        report.note(f"{sequence.name}: {len(frame)} of the video's {length} frames are annotated")
    place: np.ndarray | None = None
    for camera, poses in cameras:
        name = f"{sequence.name}/{camera}"
        kept = _kept(poses, length, report)
        if not kept.any():
            report.note(f"{name}: no frame is left")
            continue
        poses = poses[kept]
        check_bodies(sequence.path, "annot3", poses.metric)
        if poses.universal is not None:
            check_bodies(sequence.path, "univ_annot3", poses.universal)
        view = _view(sequence, camera, poses, seen)
        if poses.universal is not None:
            seen.off_rays[name] = distance_px(view, poses.pixels, poses.universal)
        place = _compare_places(name, view, poses, kept, place, report)
        if camera == options.cameras[0]:
            _note_exchanged(sequence, frame[kept], poses, report)
        beyond = (poses.pixels < 0) | (poses.pixels >= view.size_px)
        seen.outside += int(beyond.any((1, 2)).sum())
        seen.frames += len(poses.pixels)
        yield Take(
            subject=sequence.subject,
            action=f"Seq{sequence.number}",
            clip=sequence.name,
            camera=name,
            poses_2d=head_ordered(poses.pixels, options.head_order),
            frame=frame[kept],
            fps=fps,
            poses_3d=head_ordered(poses.poses_3d, options.head_order),
            view=view,
        )


def _read(
    path: Path, universal: bool, wanted: Iterable[int]
) -> tuple[np.ndarray, Iterator[tuple[int, Annotated]]]:
    """Frame numbers, and the annotations of each wanted camera (converted one by one)."""
    keys = ["annot2", "annot3"] + ["univ_annot3"] * universal
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
        joints = {
            key: to_h36m(columns[key][cell].reshape(rows, MPI_INF_3DHP_28.num_joints, -1),
                         MPI_INF_3DHP_28)
            for key in keys
        }  # fmt: skip
        return Annotated(joints["annot2"], joints["annot3"], joints.get("univ_annot3"))

    return frame.astype(np.int64), ((camera, of(camera)) for camera in wanted)


def _rising(frame: np.ndarray) -> bool:
    if frame.dtype.kind not in "fiu" or not (np.abs(frame) < MAX_FRAME).all():
        return False
    return bool((frame == frame.round()).all() and (np.diff(frame.astype(np.int64)) > 0).all())


def _kept(poses: Annotated, length: int, report: Report) -> np.ndarray:
    in_video = np.arange(len(poses.pixels)) < length
    whole = poses.whole()
    in_front = poses.in_front()
    report.drop("after the end of the video", int((~in_video).sum()))
    report.drop(NOT_ANNOTATED, int((in_video & ~whole).sum()))
    report.drop(BEHIND, int((in_video & whole & ~in_front).sum()))
    return in_video & whole & in_front


def _view(sequence: Sequence, camera: int, poses: Annotated, seen: Seen) -> View:
    name = f"{sequence.name}/{camera}"
    if sequence.views is None:
        view, seen.fitted[name] = fit_view(
            f"'{sequence.path}': camera {camera}",
            poses.pixels,
            poses.metric,
            TRAIN_SIZE_PX,
            LIMIT_PX,
        )
        return view
    view = sequence.views[camera]
    distance = seen.checked[name] = distance_px(view, poses.pixels, poses.metric)
    if not distance <= LIMIT_PX:
        raise ImportFileError(
            f"'{sequence.path}': camera {camera}: expected annot3 to project to annot2 within "
            f"{LIMIT_PX:g} px (median) by '{CALIBRATION}' beside it, got {distance:.1f} px; get "
            f"both again, or remove {CALIBRATION} to fit the intrinsics instead"
        )
    return view


def _compare_places(
    name: str,
    view: View,
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
    """Note frames in which left and right are said to be exchanged, and what the knees say."""
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
