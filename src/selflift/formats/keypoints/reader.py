"""The way from a detector's files to recordings, which all formats share.

A format is a module with a :class:`Reader`: it recognises its files and opens them. A reader of
records (:class:`~selflift.formats.keypoints.person_table.Person`) calls :func:`open_people`, a
reader of arrays fills tables and calls :func:`recordings`. Here missing joints are marked, people
chosen or tracked, the camera is named, and what is left out is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.layout_recognition import BY_COUNT, Layout, choose_layout
from selflift.formats.keypoints.person_table import (
    NOBODY,
    AbsentFrames,
    Collector,
    Detections,
    Person,
)
from selflift.formats.keypoints.tracking import CHOICES, choose
from selflift.geometry.camera import Calibration
from selflift.skeleton import Skeleton

CAMERA = "camera"
MEANING = {
    "best": "the one of the highest score in each frame",
    "track": "everybody, each followed from frame to frame",
    "all": "everybody; clip .../personK has the K-th by score of each frame, not one person",
}
MEAN_CONFIDENCE = "the mean confidence of a person's joints"


@runtime_checkable
class Reader(Protocol):
    """A format of 2D keypoints."""

    def recognise(self, path: Path) -> bool:
        """Return whether a file or folder looks like this format."""

    def open_keypoints(self, path: Path, options: KeypointOptions) -> Recordings:
        """Open a file or folder.

        Raises:
            ImportFileError: If it is corrupt, empty, or of another format or layout; behind the
                first person, while the takes are read.
        """


def open_people(
    source: str,
    path: Path,
    people: Callable[[], Iterable[Person]],
    options: KeypointOptions,
    *,
    videos: int | None,
    score: str,
    gaps: str,
    known: Mapping[int, Skeleton] = BY_COUNT,
    mixed: bool = False,
) -> Recordings:
    """Open a file or folder of records; the first person decides the layout.

    Args:
        source: Name of the format.
        path: The file or folder, for errors.
        people: Reads all records, from the beginning at every call.
        options: The user's choices.
        videos: Number of videos, if known.
        score: Meaning of the scores, for the summary.
        gaps: What is wrong with absent frames, as in ``"have no file"``.
        known: Layouts by their number of joints.
        mixed: Whether the records of several videos are mixed; all are then collected first.

    Raises:
        ImportFileError: If there is nobody, or the first person's joints have no known layout.
    """
    first = next((person for person in people() if person.numbers is not NOBODY), None)
    if first is None:
        raise ImportFileError(f"'{path}': expected people, got nobody in any frame")
    if not isinstance(first.numbers, list) or not first.numbers or len(first.numbers) % 3:
        raise ImportFileError(
            f"{first.where}: expected keypoints as x, y and confidence of each joint, got "
            f"{first.numbers!r:.80}; have the detector write the body's keypoints"
        )
    count = len(first.numbers) // 3
    layout = choose_layout(first.where, count, options.layout, first.names, known)

    def read(report: Report) -> Iterator[Detections]:
        absent = AbsentFrames()
        found: dict[str, tuple[Collector, list[int]]] = {}

        def tables() -> Iterator[Detections]:
            for video, (collector, frames) in found.items():
                absent.add(video, np.unique(frames))
                yield collector.table(video, layout.skeleton.num_joints)
            found.clear()

        for person in people():
            if person.video not in found:
                if not mixed:
                    yield from tables()
                found[person.video] = Collector(layout.count), []
            collector, frames = found[person.video]
            frames.append(person.frame)
            if person.numbers is NOBODY:
                report.drop("nobody detected", 1)
            else:
                collector.add(person)
        yield from tables()
        absent.report(report, gaps)

    return recordings(source, options, layout, read, videos=videos, settings={"score": score})


def recordings(
    source: str,
    options: KeypointOptions,
    layout: Layout,
    read: Callable[[Report], Iterable[Detections]],
    *,
    videos: int | None,
    people: str = "best",
    has_size: bool = False,
    settings: dict[str, str] | None = None,
) -> Recordings:
    """Make recordings of tables.

    Args:
        source: Name of the format.
        options: The user's choices.
        layout: The layout of the joints.
        read: Yields the table of each video.
        videos: Number of videos, if known.
        people: The choice of people where the options have none.
        has_size: Whether the files hold the size of the images.
        settings: Further lines for the summary.

    Raises:
        ImportFileError: If an option is unusable.
    """
    how = people if options.people is None else options.people
    _check(options, how, has_size)
    report = Report()
    if layout.note:
        report.note(layout.note)
    weak = options.min_confidence
    summary = {
        "layout": str(layout),
        "people": f"{how}: {MEANING[how]}{' (the default)' if options.people is None else ''}",
        "missing joints": "confidence 0, at (0, 0), or no number"
        + (f"; also confidence below {weak:g}" if weak > 0 else ""),
        "camera": "not calibrated" if options.f_px is None else f"pinhole, f = {options.f_px:g} px",
        "rate": f"{options.fps:g} frames per second (keypoints.fps)",
        **(settings or {}),
    }
    return Recordings(
        source=source,
        skeleton=layout.skeleton,
        takes=_takes(read, options, how, report),
        total=videos if how == "best" else None,
        settings=summary,
        report=report,
    )


def _check(options: KeypointOptions, how: str, has_size: bool) -> None:
    size, f_px, fps, weak = options.size_px, options.f_px, options.fps, options.min_confidence
    for fits, expected, got in (
        (how in CHOICES, f"people: expected one of {', '.join(CHOICES)}", f"'{how}'"),
        (
            size is None or (len(size) == 2 and min(size) >= 1),
            "size_px: expected width and height, as in [1920,1080]", size,
        ),
        (f_px is None or (np.isfinite(f_px) and f_px > 0), "f_px: expected pixels above 0", f_px),
        (
            f_px is None or size is not None or has_size,
            "f_px: expected the size of the images with it",
            "none; set keypoints.size_px=[WIDTH,HEIGHT]",
        ),
        (np.isfinite(fps) and fps > 0, "fps: expected a rate above 0", fps),
        (np.isfinite(weak) and weak >= 0, "min_confidence: expected 0 or more", weak),
        (options.min_frames >= 1, "min_frames: expected at least 1", options.min_frames),
    ):  # fmt: skip
        if not fits:
            raise ImportFileError(f"keypoints.{expected}, got {got}")


def files_of(path: Path, ending: str) -> list[Path]:
    """List the files with an ending in a folder; a file stands for itself.

    Raises:
        ImportFileError: If the folder has none, or can't be listed.
    """
    try:
        files = sorted(path.glob(f"*{ending}")) if path.is_dir() else [path]
    except OSError as error:
        raise ImportFileError(f"'{path}': can't be listed ({error.strerror})") from error
    if not files:
        raise ImportFileError(f"'{path}': expected a folder with *{ending}, got none in it")
    return files


def _takes(
    read: Callable[[Report], Iterable[Detections]],
    options: KeypointOptions,
    how: str,
    report: Report,
) -> Iterator[Take]:
    views: dict[tuple[int, int], Calibration] = {}
    joints = absent = weak = 0
    for people in read(report):
        size = _size(people, options)
        found, no_joint, low = _mark_missing(people, options.min_confidence)
        joints += found.confidence.size
        absent, weak = absent + no_joint, weak + low
        somebody = np.any(found.confidence > 0, axis=1)
        report.drop("no joint of the person is there", int((~somebody).sum()))
        found = found.select(somebody)
        if len(found) == 0:
            continue
        _check_pixels(found, size)
        view = None
        if options.f_px is not None and size is not None:
            view = views.setdefault(size, _pinhole(options.f_px, size))
        choice = choose(found, how, options.fps, options.min_frames)
        for reason, number in choice.dropped.items():
            report.drop(reason, number)
        if choice.note:
            report.note(choice.note)
        for name, rows in choice.takes:
            yield Take(
                subject=options.subject,
                action=options.action,
                clip=f"{found.video}/{name}" if name else found.video,
                camera=CAMERA if view is None or size is None else f"{size[0]}x{size[1]}",
                poses_2d=found.keypoints[rows],
                frame=found.frame[rows],
                fps=options.fps,
                confidence=found.confidence[rows],
                view=view,
                size_px=size,
            )
    if absent or weak:
        low_text = f", {weak:,} below keypoints.min_confidence" if weak else ""
        report.note(
            f"of {joints:,} joints {absent:,} are missing{low_text}; complete=true leaves out "
            "poses that lack one"
        )


def _size(people: Detections, options: KeypointOptions) -> tuple[int, int] | None:
    asked = None if options.size_px is None else (options.size_px[0], options.size_px[1])
    if asked and people.size_px and asked != people.size_px:
        raise ImportFileError(
            f"'{people.video}': expected images of {people.size_px[0]} x {people.size_px[1]} "
            f"pixels, as the file says, got keypoints.size_px={list(asked)}; leave it out"
        )
    return people.size_px or asked


def _mark_missing(people: Detections, least: float) -> tuple[Detections, int, int]:
    """Set missing joints to NaN and confidence 0; count the absent and the weak ones."""
    xy, confidence = people.keypoints, people.confidence
    there = np.isfinite(confidence) & (confidence > 0)
    there &= np.isfinite(xy).all(-1) & (xy != 0).any(-1)
    strong = there & (confidence >= least)
    marked = replace(
        people,
        keypoints=np.where(strong[..., None], xy, np.float32("nan")),
        confidence=np.where(strong, confidence, np.float32(0)),
    )
    return marked, int((~there).sum()), int((there & ~strong).sum())


def _check_pixels(people: Detections, size: tuple[int, int] | None) -> None:
    joints = people.keypoints[people.confidence > 0]
    if len(joints) > 1 and np.abs(joints).max() <= 1:
        raise ImportFileError(
            f"'{people.video}': expected keypoints in pixels, got all of them between "
            f"{joints.min():g} and {joints.max():g}; they are scaled: multiply them by the image's "
            "size, or have the detector write pixels"
        )
    if size is None:
        return
    outside = ((joints < 0) | (joints > np.array(size))).any(-1).mean()
    if outside > 0.5:
        raise ImportFileError(
            f"'{people.video}': expected keypoints inside the images of {size[0]} x {size[1]} "
            f"pixels, got {outside:.0%} of them outside (up to {joints.max():,.0f}); check the size"
        )


def _pinhole(f_px: float, size: tuple[int, int]) -> Calibration:
    return Calibration(
        f_px=np.array([f_px, f_px]),
        c_px=np.array(size) / 2,
        radial=np.zeros(3),
        tangential=np.zeros(2),
        size_px=np.array(size),
    )
