r"""Acclaim skeletons, and where their bones lie.

Every bone has a direction in the world of the rest pose, and axes of its own in which its motion
is given. With ``C`` the rotation to these axes and ``M`` the motion of a frame, a bone is turned by
``W_bone = W_parent C M C^-1``, and it *ends* at ``end_parent + W_bone (length direction)``. Angles
apply in the order in which they are listed, about fixed axes: ``rx ry rz`` is ``R_z R_y R_x``.

Source: J. Lander, "Working with Motion Capture File Formats", Game Developer, January 1998, and
the files of mocap.cs.cmu.edu.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from selflift.formats.mocap.rotations import applied, identity, turned

ROOT = "root"
TRANSLATIONS = ("tx", "ty", "tz")
ROTATIONS = ("rx", "ry", "rz")
# CMU's unit of length: file lengths over 0.45 are inches.
CMU_LENGTH = 0.45


@dataclass(frozen=True)
class Bone:
    """A bone, or the root, whose offset is its position.

    Attributes:
        name: Its name.
        parent: Index of the bone that it hangs on; -1 for the root.
        offset: From its start to its end in the rest pose, ``(3,)``, file units.
        axes: Rotation from the world to its own axes, ``(3, 3)``.
        dof: Its degrees of freedom in order, ``"rx"`` ... ``"tz"``.
        start: The first of its columns in a motion's values.
    """

    name: str
    parent: int
    offset: np.ndarray
    axes: np.ndarray
    dof: tuple[str, ...]
    start: int


@dataclass(frozen=True)
class AcclaimSkeleton:
    """A skeleton; parents come before their children.

    Attributes:
        path: Its file.
        bones: The root and the bones.
        length: The file's unit of length: 0.45 in CMU's files.
        degrees: Whether angles are in degrees where a motion doesn't say.
    """

    path: Path
    bones: tuple[Bone, ...]
    length: float
    degrees: bool

    @cached_property
    def points(self) -> dict[str, int]:
        """Names and indices of what :meth:`place` returns: the bones, for their ends."""
        return {bone.name: i for i, bone in enumerate(self.bones)}

    def place(self, values: np.ndarray) -> np.ndarray:
        """Where the bones end.

        Args:
            values: ``(F, columns)``, file units and radians.

        Returns:
            ``(F, bones, 3)``, file units.
        """
        frames = len(values)
        ends = np.empty((len(self.bones), 3, frames))
        turns: list[np.ndarray] = []
        for b, bone in enumerate(self.bones):
            columns = values[:, bone.start : bone.start + len(bone.dof)].T
            W = identity(frames) if bone.parent < 0 else turns[bone.parent]
            rotations = [(d[1], v) for d, v in zip(bone.dof, columns, strict=True) if d[0] == "r"]
            if rotations:
                W = np.einsum("ikf,kj->ijf", W, bone.axes)
                for axis, angle in reversed(rotations):
                    W = turned(W, axis, angle)
                W = np.einsum("ikf,jk->ijf", W, bone.axes)
            turns.append(W)
            if bone.parent < 0:
                ends[b] = bone.offset[:, None]
                for d, column in zip(bone.dof, columns, strict=True):
                    if d in TRANSLATIONS:
                        ends[b, TRANSLATIONS.index(d)] += column
            else:
                ends[b] = ends[bone.parent] + applied(W, bone.offset)
        return np.ascontiguousarray(ends.transpose(2, 0, 1))
