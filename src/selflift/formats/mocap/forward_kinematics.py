"""Skeletons of motion files, and the positions of their bones in every frame.

ASF/AMC and BVH describe the same tree. A bone turns what hangs on it by
``W = W_parent C R_1 R_2 R_3 C^-1``: its rotation channels in order, about axes ``C`` of its own
(the identity in BVH). Its point lies at ``p = p_parent + W_carrier t``, where ``t`` is its offset
and the carrier is its parent (BVH, where points begin bones) or itself (ASF, where they end them).
A position channel replaces its component of the offset, as public BVH files with such channels at
every joint (Bandai Namco's) expect.

A rotation of every frame is an array ``(3, 3, F)``: with the frames last, an operation runs over
all of them at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

AXES = "xyz"
# Positions and rotations, as channels are called here.
TRANSLATIONS, ROTATIONS = ("tx", "ty", "tz"), ("rx", "ry", "rz")
END = "/End"


@dataclass(frozen=True)
class Bone:
    """A bone, or the end site of one.

    Attributes:
        name: Its name; ``"Head/End"`` is the end site of ``Head``.
        parent: Index of its parent; -1 for the root.
        offset: From its parent's point, or the root's position, ``(3,)``, file units.
        channels: ``"tx"`` ... ``"rz"``, in the order of multiplication.
        start: The first of its columns in a motion's values.
        axes: Rotation from the world to the axes of its motion, ``(3, 3)``, if they differ.
    """

    name: str
    parent: int
    offset: np.ndarray
    channels: tuple[str, ...]
    start: int
    axes: np.ndarray | None = None


@dataclass(frozen=True)
class MotionSkeleton:
    """The skeleton of a motion file; parents come before their children.

    Attributes:
        path: Its file.
        bones: The root, the bones and the end sites.
        at_ends: Whether points are where bones end (ASF) or where they begin (BVH).
    """

    path: Path
    bones: tuple[Bone, ...]
    at_ends: bool

    @cached_property
    def points(self) -> dict[str, int]:
        """Names and indices of what :meth:`place` returns, without end sites of no length."""
        return {
            bone.name: i
            for i, bone in enumerate(self.bones)
            if bone.offset.any() or END not in bone.name
        }

    @cached_property
    def is_angle(self) -> np.ndarray:
        """True for each column of a motion's values that is an angle, ``(columns,)``."""
        columns = {b.start + i: c for b in self.bones for i, c in enumerate(b.channels)}
        return np.array([columns[i] in ROTATIONS for i in range(len(columns))], bool)

    def place(self, values: np.ndarray) -> np.ndarray:
        """Positions of the points.

        Args:
            values: ``(F, columns)``, file units and radians.

        Returns:
            ``(F, bones, 3)``, file units.
        """
        frames = len(values)
        positions = np.empty((len(self.bones), 3, frames))
        turns: list[np.ndarray] = []
        for b, bone in enumerate(self.bones):
            root = bone.parent < 0
            above = np.repeat(np.eye(3)[:, :, None], frames, 2) if root else turns[bone.parent]
            t = np.repeat(bone.offset[:, None], frames, axis=1)
            W = above if bone.axes is None else np.einsum("ikf,kj->ijf", above, bone.axes)
            columns = values[:, bone.start : bone.start + len(bone.channels)].T
            for channel, column in zip(bone.channels, columns, strict=True):
                if channel in TRANSLATIONS:
                    t[TRANSLATIONS.index(channel)] = column
                else:
                    W = turned(W, channel[1], column)
            if bone.axes is not None:
                W = np.einsum("ikf,jk->ijf", W, bone.axes)
            turns.append(W)
            carried = np.einsum("ijf,jf->if", W if self.at_ends else above, t)
            positions[b] = t if root else positions[bone.parent] + carried
        return np.ascontiguousarray(positions.transpose(2, 0, 1))


def turned(R: np.ndarray, axis: str, angle_rad: np.ndarray | float) -> np.ndarray:
    """``R``, ``(3, 3, F)``, times the elementary rotation about an axis.

    Args:
        R: ``(3, 3, F)``.
        axis: ``"x"``, ``"y"`` or ``"z"``; the rotation takes the next axis towards the one after.
        angle_rad: ``(F,)``, or one for all frames.
    """
    fixed = AXES.index(axis)
    a, b = (fixed + 1) % 3, (fixed + 2) % 3
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    out = np.empty_like(R)
    out[:, fixed] = R[:, fixed]
    out[:, a] = c * R[:, a] + s * R[:, b]
    out[:, b] = c * R[:, b] - s * R[:, a]
    return out
