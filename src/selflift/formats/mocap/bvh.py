"""BVH motion: its joints, their values and where they are.

A joint lies at ``p = p_parent + W_parent t``, where ``t`` is its ``OFFSET``, and turns what hangs
on it by ``W = W_parent R_1 R_2 R_3``, with the rotations in the order of its ``CHANNELS``. A
position channel *replaces* its component of the offset; that is what public files with such
channels at every joint (Bandai Namco's, for one) hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from selflift.formats.mocap.rotations import AXES, applied, identity, turned
from selflift.formats.mocap.text import MOST, Line, check_frames, numbers, text_lines, wrong

BLOCK_LINES = 4096
BLOCK_PLACES = 1 << 18
# A frame time has few digits; rates nearer than this to a whole number are that number.
RATE_TOLERANCE = 5e-4


@dataclass(frozen=True)
class Joint:
    """A joint, or the end of one that nothing hangs on.

    Attributes:
        name: Its name; ``"Head/End"`` is the end site of ``Head``.
        parent: Index of its parent; -1 for the root.
        offset: From its parent, ``(3,)``, file units.
        channels: ``"xposition"`` ... ``"zrotation"``, in order.
        start: The first of its columns in a motion's values.
    """

    name: str
    parent: int
    offset: np.ndarray
    channels: tuple[str, ...]
    start: int


def is_end(joint: Joint) -> bool:
    """Whether it is an end site."""
    return joint.name.split("/")[-1].startswith("End")


@dataclass(frozen=True)
class BvhHeader:
    """What stands before the motion; parents come before their children.

    Attributes:
        path: The file.
        joints: The joints and end sites.
        frames: How many frames the file is to have.
        frame_time_s: Seconds from frame to frame.
        lines: Lines before the first frame's.
    """

    path: Path
    joints: tuple[Joint, ...]
    frames: int
    frame_time_s: float
    lines: int

    @cached_property
    def points(self) -> dict[str, int]:
        """Names and indices of what :meth:`place` returns: the joints, for where they begin.

        End sites without an offset are left out: they only repeat their joint.
        """
        return {
            joint.name: i
            for i, joint in enumerate(self.joints)
            if joint.offset.any() or not is_end(joint)
        }

    @property
    def columns(self) -> int:
        """Values in a frame."""
        return sum(len(joint.channels) for joint in self.joints)

    @property
    def fps(self) -> float | None:
        """The rate of the recording, if it is told."""
        if self.frame_time_s <= 0:
            return None
        fps = 1 / self.frame_time_s
        return float(round(fps)) if abs(fps - round(fps)) <= RATE_TOLERANCE * fps else fps

    def place(self, values: np.ndarray) -> np.ndarray:
        """Where the joints are.

        Args:
            values: ``(F, columns)``, file units and degrees.

        Returns:
            ``(F, joints, 3)``, file units.
        """
        frames = len(values)
        positions = np.empty((len(self.joints), 3, frames))
        turns: list[np.ndarray] = []
        for j, joint in enumerate(self.joints):
            columns = values[:, joint.start : joint.start + len(joint.channels)].T
            W = identity(frames) if joint.parent < 0 else turns[joint.parent]
            t = np.repeat(joint.offset[:, None], frames, axis=1)
            R = W
            for channel, column in zip(joint.channels, columns, strict=True):
                if channel.endswith("position"):
                    t[AXES.index(channel[0])] = column
                else:
                    R = turned(R, channel[0], np.radians(column))
            positions[j] = t if joint.parent < 0 else positions[joint.parent] + applied(W, t)
            turns.append(R)
        return np.ascontiguousarray(positions.transpose(2, 0, 1))

    def rotations_deg(self, values: np.ndarray) -> np.ndarray:
        """The columns of ``values`` that are rotations."""
        turns = [c.endswith("rotation") for joint in self.joints for c in joint.channels]
        return values[:, np.array(turns, bool)]


def read_motion(header: BvhHeader) -> Iterator[np.ndarray]:
    """The values of the frames, block by block, ``(F, columns)``, file units and degrees.

    Raises:
        ImportFileError: If a frame has another number of values, or one that is no finite number,
            or there are more or fewer frames than the file says.
    """
    check_frames(header.path, header.frames)
    frames, at = 0, header.lines
    lines = islice(text_lines(header.path), at, None)
    # Of many joints fewer frames, so that a block never takes much memory.
    count = max(1, min(BLOCK_LINES, BLOCK_PLACES // len(header.joints)))
    while frames <= header.frames and (block := list(islice(lines, count))):
        if len(values := _values(header, block, at)):
            yield values
        frames += len(values)
        at += len(block)
    if frames != header.frames:
        reason = "is cut short" if frames < header.frames else "goes on"
        raise wrong(
            header.path,
            f"expected {header.frames} frames, got {frames}; the file {reason}, get it again or "
            "mend its 'Frames:'",
        )


def _values(header: BvhHeader, block: list[str], before: int) -> np.ndarray:
    filled = [text for text in block if not text.isspace()]
    if not filled:
        return np.empty((0, header.columns))
    try:
        values = np.loadtxt(filled, ndmin=2, comments=None)
    except ValueError:
        values = np.empty((0, 0))
    if values.shape == (len(filled), header.columns) and (np.abs(values) <= MOST).all():
        return values
    for number, text in enumerate(block, before + 1):
        words = text.split()
        if words and len(words) != header.columns:
            raise wrong(
                header.path,
                f"expected {header.columns} values in a frame, got {len(words)}; the file is "
                "damaged or cut short, get it again",
                number,
            )
        numbers(header.path, Line(number, words), words, len(words), "a frame's values")
    raise wrong(header.path, "expected lines of numbers, got something else; get the file again")
