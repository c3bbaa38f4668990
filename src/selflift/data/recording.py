"""Recordings of an importer: takes, one after another, and a report of what was left out.

A *take* is one recording seen by one camera, or one person's track in a folder of detections. An
importer reads its source lazily, so that a set of millions of frames never lies in memory at once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from selflift.files.untrusted import ImportFileError
from selflift.geometry.camera import Calibration
from selflift.skeleton import Skeleton

# Line ends, a terminal's commands, and halves of characters: no file can be written with them.
UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Take:
    """One recording by one camera.

    Attributes:
        subject: The person.
        action: Their action.
        clip: Unique name of the recording; the cameras of one recording share it.
        camera: Unique name of the camera; one name is one :class:`Calibration`.
        poses_2d: ``(T, J, 2)`` float32, pixels; NaN where a joint is missing.
        frame: ``(T,)`` int64, index of each frame in the recording, rising.
        fps: Frames per second at which ``frame`` counts.
        poses_3d: ``(T, J, 3)`` float32, camera frame (x right, y down, z forward), mm.
        confidence: ``(T, J)`` float32; 0 marks a missing joint.
        view: The camera's calibration.
        size_px: Width and height of the image, where they are known without a calibration.
    """

    subject: str
    action: str
    clip: str
    camera: str
    poses_2d: np.ndarray
    frame: np.ndarray
    fps: float
    poses_3d: np.ndarray | None = None
    confidence: np.ndarray | None = None
    view: Calibration | None = None
    size_px: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for what in ("subject", "action", "clip", "camera"):
            if UNWRITABLE.search(name := getattr(self, what)):
                raise ImportFileError(
                    f"{what} '{name[:100]}': expected a name that can be written into a file, got "
                    "one with control characters or halves of characters; rename the files or the "
                    "images that it comes from"
                )

    def __len__(self) -> int:
        return len(self.poses_2d)

    def select(self, which: np.ndarray | slice) -> Take:
        """Select the frames named by a mask, an index array or a slice."""

        def taken(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[which]

        return replace(
            self,
            poses_2d=self.poses_2d[which],
            frame=self.frame[which],
            poses_3d=taken(self.poses_3d),
            confidence=taken(self.confidence),
        )


@dataclass
class Report:
    """Frames that an importer left out, and its notes; it grows while the takes are read.

    Attributes:
        dropped: Reason to number of frames (of one camera each).
        notes: Notes for the user, one line each, without repetition.
    """

    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def drop(self, reason: str, frames: int) -> None:
        """Count frames that were left out."""
        if frames:
            self.dropped[reason] += frames

    def note(self, line: str) -> None:
        """Add a note, once."""
        if line not in self.notes:
            self.notes.append(line)


@dataclass(frozen=True)
class Recordings:
    """An opened source.

    Attributes:
        source: The importer's name.
        skeleton: The layout of every take.
        takes: The takes; reading them reads the files.
        total: How many there will be at most, for the progress bar; ``None`` if not known.
        settings: The choices that were made, for the summary: ``{"2D": "projected", ...}``.
        report: Grows while ``takes`` is read.
    """

    source: str
    skeleton: Skeleton
    takes: Iterator[Take]
    total: int | None
    settings: dict[str, str]
    report: Report
