"""From the people of a video to takes: missing joints marked, people chosen, the camera named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Report, Take, View
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.detections import Detections
from selflift.formats.keypoints.layouts import Layout
from selflift.formats.keypoints.people import check_choice, choose

CAMERA = "camera"
HOW = {
    "best": "the one of the highest score in each frame",
    "track": "everybody, each followed from frame to frame",
    "all": "everybody; clip .../personK has the K-th by score of each frame, not one person",
}

# Reads the videos, one table each, and reports what it leaves out.
Reader = Callable[[Report], Iterable[Detections]]


def recordings(
    source: str,
    options: KeypointOptions,
    layout: Layout,
    read: Reader,
    *,
    videos: int | None,
    people: str = "best",
    has_size: bool = False,
    settings: dict[str, str] | None = None,
) -> Recordings:
    """A source of 2D keypoints.

    Args:
        source: Its name.
        options: What the user wants.
        layout: The layout of its joints.
        read: Yields the people of each video.
        videos: How many videos there are, if known.
        people: Which people are taken where the options don't say.
        has_size: Whether the files hold the size of the images.
        settings: Further choices, for the summary.

    Raises:
        ImportFileError: If an option is unusable.
    """
    _check(options, has_size)
    how = check_choice(people if options.people is None else options.people)
    report = Report()
    if layout.note:
        report.note(layout.note)
    weak = options.min_confidence
    told = {
        "layout": str(layout),
        "people": f"{how}: {HOW[how]}{' (the default)' if options.people is None else ''}",
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
        settings=told,
        report=report,
    )


def _check(options: KeypointOptions, has_size: bool) -> None:
    size, f_px = options.size_px, options.f_px
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ImportFileError(
            f"keypoints.size_px: expected width and height, as in [1920,1080], got {list(size)}"
        )
    if f_px is not None and not (np.isfinite(f_px) and f_px > 0):
        raise ImportFileError(f"keypoints.f_px: expected pixels above 0, got {f_px}")
    if f_px is not None and size is None and not has_size:
        raise ImportFileError(
            "keypoints.f_px: expected the size of the images with it, got none; set "
            "keypoints.size_px=[WIDTH,HEIGHT]"
        )
    if not (np.isfinite(options.fps) and options.fps > 0):
        raise ImportFileError(f"keypoints.fps: expected a rate above 0, got {options.fps}")
    if not (np.isfinite(options.min_confidence) and options.min_confidence >= 0):
        raise ImportFileError(
            f"keypoints.min_confidence: expected 0 or more, got {options.min_confidence}"
        )
    if options.min_frames < 1:
        raise ImportFileError(
            f"keypoints.min_frames: expected at least 1, got {options.min_frames}"
        )


def _takes(read: Reader, options: KeypointOptions, how: str, report: Report) -> Iterator[Take]:
    views: dict[tuple[int, int], View] = {}
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
    """Missing joints as NaN of confidence 0; how many were absent, how many too weak."""
    xy, confidence = people.keypoints, people.confidence
    there = np.isfinite(confidence) & (confidence > 0)
    there &= np.isfinite(xy).all(-1) & (xy != 0).any(-1)
    strong = there & (confidence >= least)
    marked = Detections(
        people.video, people.frame, np.where(strong[..., None], xy, np.float32("nan")),
        np.where(strong, confidence, np.float32(0)), people.score, people.track, people.size_px,
    )  # fmt: skip
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


def _pinhole(f_px: float, size: tuple[int, int]) -> View:
    return View(
        f_px=np.array([f_px, f_px]),
        c_px=np.array(size) / 2,
        radial=np.zeros(3),
        tangential=np.zeros(2),
        size_px=np.array(size),
    )


class Gaps:
    """Counts the frames that lack between the first and the last of each video."""

    def __init__(self) -> None:
        self._videos = self._frames = 0
        self._first = ""

    def see(self, video: str, frames: np.ndarray) -> None:
        """Look at a video.

        Args:
            video: Its name.
            frames: ``(F,)``, the numbers that are there, rising; their smallest step is taken for
                the usual one.
        """
        steps = np.diff(frames)
        if len(steps) == 0 or not (gap := steps > steps.min()).any():
            return
        self._first = self._first or f"'{video}' after frame {int(frames[:-1][gap][0])}"
        self._videos += 1
        self._frames += int((steps[gap] // steps.min() - 1).sum())

    def tell(self, report: Report, what: str) -> None:
        """Report them; ``what`` is said of them, as in ``"have no file"``."""
        if self._frames:
            report.note(
                f"between the first and the last of a video, {self._frames:,} frames {what} (in "
                f"{self._videos:,} videos; the first: {self._first})"
            )
