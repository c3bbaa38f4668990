"""Everybody that a detector saw in one video: one record per person, packed into one table."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from selflift.data.recording import Report
from selflift.files.untrusted import ImportFileError

# JSON has integers of any length; no frame, identity or score is larger.
MOST = 2**62
MOST_DIGITS = 19
# Larger integers don't fit into a floating-point number.
LARGEST = 2**1023
NO_TRACK = -1
# Keypoints of a frame in which nobody was detected.
NOBODY: Any = object()

_FRAME_NAME = re.compile(r"(?P<video>.*?)[ _.\-]?(?P<frame>\d{1,18})")


class Person(NamedTuple):
    """One person in one frame, as in the file.

    Attributes:
        where: File and item, for errors.
        video: Name of the video.
        frame: Number of the frame or image.
        numbers: x, y and confidence of each joint, one after another, not validated yet;
            :data:`NOBODY` for a frame without people.
        score: The detector's score of the person, if any.
        track: The detector's identity of the person, if any.
        names: The names of the joints, if the file has them.
    """

    where: str
    video: str
    frame: int
    numbers: Any
    score: Any = None
    track: int = NO_TRACK
    names: list[str] | tuple[()] = ()


@dataclass(frozen=True)
class Detections:
    """The people of one video or image collection, one row each, sorted by frame.

    Attributes:
        video: Its name.
        frame: ``(P,)`` int64.
        keypoints: ``(P, J, 2)`` float32, pixels, as in the file.
        confidence: ``(P, J)`` float32, as in the file.
        score: ``(P,)`` float64, the detector's scores; NaN where it gave none.
        track: ``(P,)`` int64, the detector's identities; -1 where it gave none.
        size_px: Width and height of the images, where the file has them.
    """

    video: str
    frame: np.ndarray
    keypoints: np.ndarray
    confidence: np.ndarray
    score: np.ndarray | None = None
    track: np.ndarray | None = None
    size_px: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, rows: np.ndarray) -> Detections:
        """Take the people named by a mask or an index array."""
        return replace(
            self,
            frame=self.frame[rows],
            keypoints=self.keypoints[rows],
            confidence=self.confidence[rows],
            score=None if self.score is None else self.score[rows],
            track=None if self.track is None else self.track[rows],
        )


class Collector:
    """Validate the people of a video and pack them into compact arrays."""

    def __init__(self, joints: int) -> None:
        self.joints = joints
        self._joints: list[np.ndarray] = []
        self._frame: list[int] = []
        self._score: list[float] = []
        self._track: list[int] = []

    def __len__(self) -> int:
        return len(self._frame)

    def add(self, person: Person) -> None:
        """Add a person.

        Raises:
            ImportFileError: If the keypoints or the other numbers are unusable.
        """
        where, _, frame, numbers, score, track, _ = person
        if not isinstance(numbers, list) or len(numbers) != 3 * self.joints:
            got = f"{len(numbers)}" if isinstance(numbers, list) else type(numbers).__name__
            raise ImportFileError(
                f"{where}, frame {frame}: expected {3 * self.joints} keypoint numbers (x, y, "
                f"confidence of {self.joints} joints), got {got}; one conversion takes one layout"
            )
        if score is not None and not isinstance(score, (int, float)):
            raise ImportFileError(
                f"{where}, frame {frame}: expected a number as score, got {type(score).__name__}"
            )
        for what, number in (("frame", frame), ("identity", track), ("score", score)):
            if isinstance(number, int) and abs(number) > MOST:
                raise ImportFileError(
                    f"{where}: expected a {what} of at most {MOST}, got a larger number; the file "
                    "is corrupt"
                )
        if frame < 0:
            raise ImportFileError(
                f"{where}: expected a frame or an image of 0 or more, got {frame}; number them "
                "from 0 or 1"
            )
        self._joints.append(_floats(person))
        self._frame.append(frame)
        self._score.append(np.nan if score is None else float(score))
        self._track.append(track)

    def table(
        self, video: str, keep: int | None = None, size_px: tuple[int, int] | None = None
    ) -> Detections:
        """Return everybody that was added, sorted by frame, with the first ``keep`` joints."""
        rows = np.stack(self._joints) if self._joints else np.zeros(0, np.float32)
        frame = np.array(self._frame, np.int64)
        order = np.argsort(frame, kind="stable")
        joints = rows.reshape(-1, self.joints, 3)[order, :keep]
        return Detections(
            video=video,
            frame=frame[order],
            keypoints=joints[..., :2],
            confidence=joints[..., 2],
            score=np.array(self._score, np.float64)[order],
            track=np.array(self._track, np.int64)[order],
            size_px=size_px,
        )


def _floats(person: Person) -> np.ndarray:
    """Convert to float32; ``null`` becomes NaN, which marks a missing joint."""
    numbers = person.numbers
    if set(map(type, numbers)) <= {int, float, bool, type(None)}:
        # Numbers too large for float32 become Inf, which is outside any image.
        with np.errstate(over="ignore"), suppress(OverflowError):
            return np.array(numbers, np.float64).astype(np.float32)
    odd = next(value for value in numbers if not _is_number(value))
    raise ImportFileError(
        f"{person.where}, frame {person.frame}: expected keypoints of numbers, got "
        f"{str(odd)[:40]!r} ({type(odd).__name__})"
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) < LARGEST
    return value is None or isinstance(value, float)


class AbsentFrames:
    """Count the frames that are absent between the first and the last of each video."""

    def __init__(self) -> None:
        self._videos = self._frames = 0
        self._first = ""

    def add(self, video: str, frames: np.ndarray) -> None:
        """Add the rising frames of a video; their smallest step counts as the usual one."""
        steps = np.diff(frames)
        if len(steps) == 0 or not (gap := steps > steps.min()).any():
            return
        self._first = self._first or f"'{video}' after frame {int(frames[:-1][gap][0])}"
        self._videos += 1
        self._frames += int((steps[gap] // steps.min() - 1).sum())

    def report(self, report: Report, what: str) -> None:
        """Note how many there are; ``what`` is wrong with them."""
        if self._frames:
            report.note(
                f"between the first and the last of a video, {self._frames:,} frames {what} (in "
                f"{self._videos:,} videos; the first: {self._first})"
            )


def split_name(stem: str) -> tuple[str, int | None]:
    """Split a frame's name into video and number: ``walk_000012`` is frame 12 of ``walk``.

    A name that does not end in a number is a video of its own; its frame is ``None``.
    """
    match = _FRAME_NAME.fullmatch(stem)
    return (stem, None) if match is None else (match["video"], int(match["frame"]))


def identity(value: Any) -> int:
    """Return a detector's identity of a person, or -1 if it is none."""
    return value if isinstance(value, int) and value >= 0 else NO_TRACK
