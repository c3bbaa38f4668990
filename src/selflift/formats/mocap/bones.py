"""Which point of a file is which part of the body.

Every program that writes motion capture has bone names of its own. A :class:`Rig` is one such set.
The joints of a BVH file are where bones *begin*, so ``LeftLeg`` is the left knee; those of an ASF
file are where they *end*, so ``lfemur`` is the left knee.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selflift.formats.mocap.text import wrong
from selflift.skeleton import CMU_31, H36M_17, PARTS, Skeleton, convert, derived_joints

LIMBS = ("Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist")
KNOWN_PARTS = sorted(
    {*H36M_17.parts, *PARTS, *(p for ways in PARTS.values() for w in ways for p in w)}
)
OWN = "mocap.bones"


@dataclass(frozen=True)
class Rig:
    """One set of bone names.

    Attributes:
        name: What to call it.
        parts: Anatomical part to point; ``"Head/End"`` is the end site of the joint ``Head``.
        marks: Further bones that it has, which tell it from its likes.
        thorax_lost: Whether files of it can lack the thorax, see :func:`loses_thorax`.
    """

    name: str
    parts: Mapping[str, str]
    marks: tuple[str, ...] = ()
    thorax_lost: bool = False


def _rig(
    name: str, trunk: str, limbs: str, sides: str, marks: str = "", thorax_lost: bool = False
) -> Rig:
    """A rig from ``part=point`` words, the limbs' names with ``*`` for the side, and the sides."""
    parts = dict(word.split("=") for word in trunk.split())
    for side, word in zip("LR", sides.split(), strict=True):
        for part, limb in zip(LIMBS, limbs.split(), strict=True):
            parts[side + part] = limb.replace("*", word)
    return Rig(name, parts, tuple(marks.split()), thorax_lost)


_HUMAN_IK = "*UpLeg *Leg *Foot *Arm *ForeArm *Hand"
_HEAD = "Thorax=Neck Nose=Head HeadTop=Head/End"
# The point of the trunk nearest to the middle of hips and neck is the Spine.
BVH_RIGS = (
    _rig("cgspeed, MotionBuilder names", f"Spine=Spine {_HEAD}", _HUMAN_IK, "Left Right",
         "LHipJoint RHipJoint LowerBack Spine1 Neck1", thorax_lost=True),
    _rig("cgspeed, 3ds Max names", "Spine=Chest Thorax=lowerneck Nose=Head HeadTop=Head/End",
         "*Hip *Knee *Ankle *Shoulder *Elbow *Wrist", "Left Right",
         "LHipJoint RHipJoint lowerback Chest2", thorax_lost=True),
    _rig("cgspeed, DAZ names", "Spine=chest Thorax=neck Nose=head LEye=leftEye REye=rightEye",
         "*Thigh *Shin *Foot *Shldr *ForeArm *Hand", "l r", "abdomen"),
    _rig("Poser or DAZ", "Spine=chest Thorax=neck Nose=head HeadTop=head/End",
         "*Thigh *Shin *Foot *Shldr *ForeArm *Hand", "l r", "abdomen"),
    _rig("CMU's own names", "Spine=upperback Thorax=lowerneck Nose=head HeadTop=head/End",
         "*femur *tibia *foot *humerus *radius *wrist", "l r"),
    _rig("Mixamo", "Spine=Spine1 Thorax=Neck Nose=Head HeadTop=HeadTop_End", _HUMAN_IK,
         "Left Right", "Spine2"),
    _rig("Mixamo", f"Spine=Spine1 {_HEAD}", _HUMAN_IK, "Left Right", "Spine2 LeftToeBase"),
    _rig("LAFAN1", f"Spine=Spine2 {_HEAD}", _HUMAN_IK, "Left Right", "Spine1 LeftToe"),
    _rig("Bandai Namco", f"Spine=Spine {_HEAD}",
         "UpperLeg_* LowerLeg_* Foot_* UpperArm_* LowerArm_* Hand_*", "L R", "Chest"),
    _rig("Biovision", f"Spine=Chest {_HEAD}", "*Hip *Knee *Ankle *Shoulder *Elbow *Wrist",
         "Left Right"),
    _rig("Biovision, long spine", f"Spine=Chest2 {_HEAD}",
         "*Hip *Knee *Ankle *Shoulder *Elbow *Wrist", "Left Right", "Chest Chest3"),
    Rig("selflift", dict(zip(H36M_17.parts, H36M_17.joints, strict=True))),
)  # fmt: skip
ASF_RIGS = (Rig("CMU", {p: j for j, p in zip(CMU_31.joints, CMU_31.parts, strict=True) if p != j}),)


@dataclass(frozen=True)
class Bones:
    """The points of a file that are parts of the body.

    Attributes:
        rig: The name of the rig that was recognised.
        index: Which points.
        skeleton: A layout of just these, by their parts.
        guessed: Joints of Human3.6M that the file has no point for, and what stands in for them.
        thorax_lost: See :class:`Rig`.
        thorax: Index of the point at the base of the neck, or -1.
    """

    rig: str
    index: tuple[int, ...]
    skeleton: Skeleton
    guessed: Mapping[str, str]
    thorax_lost: bool
    thorax: int

    def to_h36m(self, points: np.ndarray) -> np.ndarray:
        """Points of the file, ``(F, points, 3)``, as Human3.6M's 17 joints, ``(F, 17, 3)``."""
        return convert(points[:, list(self.index)], self.skeleton, H36M_17).positions


def find_bones(
    path: Path, points: Mapping[str, int], rigs: Sequence[Rig], own: Mapping[str, str]
) -> Bones:
    """Which of a file's points are which parts.

    Args:
        path: The file, for messages.
        points: Names of its points and their indices.
        rigs: Known sets of names.
        own: Point to part, of the user's own; they come first.

    Raises:
        ImportFileError: If parts of the body are missing, or the user's words don't fit.
    """
    where = {_plain(name): i for name, i in points.items()}
    complete = [rig for rig in rigs if _fits(rig, where)]
    best = max(complete, key=lambda rig: (len(_points(rig, where)), len(rig.marks)), default=None)
    index = {} if best is None else {p: where[q] for p, q in _points(best, where).items()}
    for name, part in own.items():
        if part not in KNOWN_PARTS or _plain(name) not in where:
            raise wrong(
                path,
                f"{OWN}: expected a bone of {', '.join(points)} and a part of "
                f"{', '.join(KNOWN_PARTS)}, got '{name}: {part}'; mend the option",
            )
        index[part] = where[_plain(name)]
    if missing := _missing(index):
        raise wrong(
            path,
            f"expected bones of a known rig ({', '.join(dict.fromkeys(r.name for r in rigs))}), "
            f"got {', '.join(points)}; name those that are {', '.join(missing)}, for example "
            f"'{OWN}={{{next(iter(points))}: {missing[0]}}}'",
        )
    layout = _layout(index)
    guessed = {
        joint: " and ".join(sources)
        for joint, sources in derived_joints(layout, H36M_17).items()
        # The middle of the hips is what the joint Hip is.
        if joint != "Hip"
    }
    return Bones(
        rig=", ".join([*([best.name] if best else []), *([OWN] if own else [])]),
        index=tuple(index.values()),
        skeleton=layout,
        guessed=guessed,
        thorax_lost=best is not None and best.thorax_lost,
        thorax=index.get("Thorax", -1),
    )


def _plain(name: str) -> str:
    """A name without name space and case: ``mixamorig:LeftArm`` is ``leftarm``."""
    return re.sub(r"^(.*:|mixamorig\d*_?)", "", name).casefold()


def _points(rig: Rig, where: Mapping[str, int]) -> dict[str, str]:
    """The plain names of a rig's points; without a head's end, the head itself is the top."""
    points = {part: _plain(name) for part, name in rig.parts.items()}
    if points.get("HeadTop", "").endswith("/end") and points["HeadTop"] not in where:
        points["HeadTop"] = points.pop("Nose")
    return points


def _fits(rig: Rig, where: Mapping[str, int]) -> bool:
    wanted = [*_points(rig, where).values(), *map(_plain, rig.marks)]
    return all(name in where for name in wanted)


def _layout(index: Mapping[str, int]) -> Skeleton:
    parts = tuple(index)
    return Skeleton(
        name="file", joints=parts, parents=(-1, *[0] * (len(parts) - 1)), left=(), right=(),
        head=-1, parts=parts,
    )  # fmt: skip


def _missing(index: Mapping[str, int]) -> list[str]:
    """The parts of Human3.6M's joints that are not there and can't be derived."""
    if not index:
        return list(H36M_17.parts)
    missing = []
    for part in H36M_17.parts:
        one = Skeleton("one", (part,), (-1,), (), (), -1)
        try:
            derived_joints(_layout(index), one)
        except ValueError:
            missing.append(part)
    return missing
