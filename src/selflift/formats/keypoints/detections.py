"""Everybody that a detector saw in one video, as one table, and how readers fill it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from selflift.files.untrusted import ImportFileError

BLOCK_ROWS = 2048
# JSON has integers of any length: nobody counts frames or people as far as this.
MOST = 2**62
MOST_DIGITS = 19
MOST_PIXELS = 2**24
# An integer beyond it is no floating-point number.
LARGEST = 2**1023
NO_TRACK = -1

_FRAME_NAME = re.compile(r"(?P<video>.*?)[ _.\-]?(?P<frame>\d{1,18})")


@dataclass(frozen=True)
class Detections:
    """The people of one video (or image collection), a row each, in order of frames.

    Attributes:
        video: Its name.
        frame: ``(P,)`` int64, frame (or image) of each person, not falling.
        keypoints: ``(P, J, 2)`` float32, pixels, as in the file.
        confidence: ``(P, J)`` float32, as in the file.
        score: ``(P,)`` float64, the detector's score of each person; NaN where it gave none.
        track: ``(P,)`` int64, the detector's own identity of each person; -1 where it gave none.
        size_px: Width and height of the images, where the file has them.
    """

    video: str
    frame: np.ndarray
    keypoints: np.ndarray
    confidence: np.ndarray
    score: np.ndarray
    track: np.ndarray
    size_px: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, rows: np.ndarray) -> Detections:
        """The people named by a mask or an index array."""
        return Detections(
            self.video, self.frame[rows], self.keypoints[rows], self.confidence[rows],
            self.score[rows], self.track[rows], self.size_px,
        )  # fmt: skip


class Collector:
    """Gathers the people of a video from parsed JSON, in compact arrays."""

    def __init__(self, joints: int) -> None:
        self.joints = joints
        self._rows: list[list[Any]] = []
        self._where: list[object] = []
        self._blocks: list[np.ndarray] = []
        self._frame: list[int] = []
        self._score: list[float] = []
        self._track: list[int] = []

    def add(
        self, where: object, frame: int, triples: Any, score: Any = None, track: int = NO_TRACK
    ) -> None:
        """Add a person.

        Args:
            where: File or item, for errors.
            frame: Frame or image.
            triples: ``3 J`` numbers, x, y and confidence of each joint.
            score: The detector's score, if it gave one.
            track: The detector's identity of the person, if it gave one.

        Raises:
            ImportFileError: If the keypoints or the score are no such numbers.
        """
        if not isinstance(triples, list) or len(triples) != 3 * self.joints:
            got = f"{len(triples)}" if isinstance(triples, list) else type(triples).__name__
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
                    "is damaged"
                )
        if frame < 0:
            raise ImportFileError(
                f"{where}: expected a frame or an image of 0 or more, got {frame}; number them "
                "from 0 or 1"
            )
        self._rows.append(triples)
        self._where.append(where)
        self._frame.append(frame)
        self._score.append(np.nan if score is None else float(score))
        self._track.append(track)
        if len(self._rows) == BLOCK_ROWS:
            self._pack()

    def _pack(self) -> None:
        if self._rows:
            frames = self._frame[-len(self._rows) :]
            self._blocks.append(_numbers(self._where, frames, self._rows))
            self._rows, self._where = [], []

    def __len__(self) -> int:
        return len(self._frame)

    def table(
        self, video: str, keep: int | None = None, size_px: tuple[int, int] | None = None
    ) -> Detections:
        """Everybody that was added, in order of frames.

        Args:
            video: Name of the video.
            keep: Joints to keep, the first ones; all if ``None``.
            size_px: Width and height of the images, if known.

        Raises:
            ImportFileError: If some keypoint is no number.
        """
        self._pack()
        empty = [np.zeros((0, 3 * self.joints), np.float32)]
        triples = np.concatenate(self._blocks or empty).reshape(-1, self.joints, 3)[:, :keep]
        frame = np.array(self._frame, np.int64)
        order = np.argsort(frame, kind="stable")
        return Detections(
            video=video,
            frame=frame[order],
            keypoints=triples[order, :, :2],
            confidence=triples[order, :, 2],
            score=np.array(self._score, np.float64)[order],
            track=np.array(self._track, np.int64)[order],
            size_px=size_px,
        )


def _numbers(where: Sequence[object], frames: Sequence[int], rows: list[list[Any]]) -> np.ndarray:
    """``(P, 3 J)`` float32; ``null`` becomes NaN, which marks a missing joint."""
    # Asked first: a text among numbers would make texts of its length of all of them.
    kinds: set[type] = set()
    kinds.update(*(map(type, row) for row in rows))
    try:
        if kinds <= {int, float, bool, type(None)}:
            array = np.array(rows)
            plain = array.dtype.kind in "iuf" or all(all(map(_is_number, row)) for row in rows)
            if plain and array.ndim == 2:
                # What is too large for float32 becomes Inf, which is no place in an image either.
                with np.errstate(over="ignore"):
                    return array.astype(np.float32)
    except (ValueError, TypeError, OverflowError):
        pass
    bad = next((n for n, row in enumerate(rows) if not all(map(_is_number, row))), 0)
    odd = next((value for value in rows[bad] if not _is_number(value)), rows[bad])
    raise ImportFileError(
        f"{where[bad]}, frame {frames[bad]}: expected keypoints of numbers, got {str(odd)[:40]!r} "
        f"({type(odd).__name__})"
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) < LARGEST
    return value is None or isinstance(value, float)


def split_name(stem: str) -> tuple[str, int | None]:
    """Video and frame number in the name of a frame: ``walk_000012`` is frame 12 of ``walk``.

    A name that does not end in a number is a video of its own: its frame is ``None``.
    """
    match = _FRAME_NAME.fullmatch(stem)
    return (stem, None) if match is None else (match["video"], int(match["frame"]))
