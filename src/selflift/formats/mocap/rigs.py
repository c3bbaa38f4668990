"""Bone names of public programs, and the parts of the body that they are.

Every program that writes motion capture has bone names of its own; a :class:`Rig` is one such set.
The joints of a BVH file are where bones *begin*, so ``LeftLeg`` is the left knee; those of an ASF
file are where they *end*, so ``lfemur`` is the left knee.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selflift.formats.mocap.numbered_lines import wrong
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
        name: The program or database that uses it.
        parts: Anatomical part to point; ``"Head/End"`` is the end site of the joint ``Head``.
        marks: Further bones that distinguish it from similar rigs.
        from_cmu: Whether CMU's ASF/AMC files were converted to it, which can lose the thorax.
    """

    name: str
    parts: Mapping[str, str]
    marks: tuple[str, ...] = ()
    from_cmu: bool = False


def _rig(
    name: str, trunk: str, limbs: str, sides: str, marks: str = "", from_cmu: bool = False
) -> Rig:
    """A rig from ``part=point`` words, the limbs' names with ``*`` for the side, and the sides."""
    parts = dict(word.split("=") for word in trunk.split())
    for side, word in zip("LR", sides.split(), strict=True):
        for part, limb in zip(LIMBS, limbs.split(), strict=True):
            parts[side + part] = limb.replace("*", word)
    return Rig(name, parts, tuple(marks.split()), from_cmu)


_HUMAN_IK = "*UpLeg *Leg *Foot *Arm *ForeArm *Hand"
_JOINTS = "*Hip *Knee *Ankle *Shoulder *Elbow *Wrist"
_DAZ = "*Thigh *Shin *Foot *Shldr *ForeArm *Hand"
_HEAD = "Thorax=Neck Nose=Head HeadTop=Head/End"
# The point of the trunk nearest to the middle of hips and neck is the Spine.
BVH_RIGS = (
    _rig("cgspeed, MotionBuilder names", f"Spine=Spine {_HEAD}", _HUMAN_IK, "Left Right",
         "LHipJoint RHipJoint LowerBack Spine1 Neck1", from_cmu=True),
    _rig("cgspeed, 3ds Max names", "Spine=Chest Thorax=lowerneck Nose=Head HeadTop=Head/End",
         _JOINTS, "Left Right", "LHipJoint RHipJoint lowerback Chest2", from_cmu=True),
    _rig("cgspeed, DAZ names", "Spine=chest Thorax=neck Nose=head LEye=leftEye REye=rightEye",
         _DAZ, "l r", "abdomen"),
    _rig("Poser or DAZ", "Spine=chest Thorax=neck Nose=head HeadTop=head/End", _DAZ, "l r",
         "abdomen"),
    _rig("CMU's own names", "Spine=upperback Thorax=lowerneck Nose=head HeadTop=head/End",
         "*femur *tibia *foot *humerus *radius *wrist", "l r"),
    _rig("Mixamo", "Spine=Spine1 Thorax=Neck Nose=Head HeadTop=HeadTop_End", _HUMAN_IK,
         "Left Right", "Spine2"),
    _rig("Mixamo", f"Spine=Spine1 {_HEAD}", _HUMAN_IK, "Left Right", "Spine2 LeftToeBase"),
    _rig("LAFAN1", f"Spine=Spine2 {_HEAD}", _HUMAN_IK, "Left Right", "Spine1 LeftToe"),
    _rig("Bandai Namco", f"Spine=Spine {_HEAD}",
         "UpperLeg_* LowerLeg_* Foot_* UpperArm_* LowerArm_* Hand_*", "L R", "Chest"),
    _rig("Biovision", f"Spine=Chest {_HEAD}", _JOINTS, "Left Right"),
    _rig("Biovision, long spine", f"Spine=Chest2 {_HEAD}", _JOINTS, "Left Right",
         "Chest Chest3"),
    Rig("selflift", dict(zip(H36M_17.parts, H36M_17.joints, strict=True))),
)  # fmt: skip
ASF_RIGS = (Rig("CMU", {p: j for j, p in zip(CMU_31.joints, CMU_31.parts, strict=True) if p != j}),)


@dataclass(frozen=True)
class BodyPoints:
    """The points of a file that are parts of the body.

    Attributes:
        rig: The name of the rig that was recognised.
        index: Part to point.
        guessed: Joints of Human3.6M that the file has no point for, and their substitutes.
        from_cmu: See :class:`Rig`.
    """

    rig: str
    index: Mapping[str, int]
    guessed: Mapping[str, str]
    from_cmu: bool

    def to_h36m(self, points: np.ndarray) -> np.ndarray:
        """Points of the file, ``(F, points, 3)``, as Human3.6M's 17 joints, ``(F, 17, 3)``."""
        return convert(points[:, [*self.index.values()]], _layout(self.index), H36M_17).positions


def find_body(
    path: Path, points: Mapping[str, int], rigs: Sequence[Rig], own: Mapping[str, str]
) -> BodyPoints:
    """Find the parts of the body among a file's points.

    Args:
        path: The file, for messages.
        points: Names of its points and their indices.
        rigs: Known sets of names.
        own: Point to part, of the user's own; they come first.

    Raises:
        ImportFileError: If parts of the body are missing, or ``own`` doesn't fit the file.
    """
    named = {_plain(name): i for name, i in points.items()}
    # Of the rigs that are complete here, the one with the most points and marks.
    fits = [(rig, found) for rig in rigs if (found := _points(rig, named))]
    best, index = max(fits, key=lambda fit: (len(fit[1]), len(fit[0].marks)), default=(None, {}))
    for name, part in own.items():
        if part not in KNOWN_PARTS or _plain(name) not in named:
            raise wrong(
                path,
                f"{OWN}: expected a bone of {', '.join(points)} and a part of "
                f"{', '.join(KNOWN_PARTS)}, got '{name}: {part}'; fix the option",
            )
        index[part] = named[_plain(name)]
    if missing := _missing(index):
        raise wrong(
            path,
            f"expected bones of a known rig ({', '.join(dict.fromkeys(r.name for r in rigs))}), "
            f"got {', '.join(points)}; name those that are {', '.join(missing)}, for example "
            f"'{OWN}={{{next(iter(points))}: {missing[0]}}}'",
        )
    derived = derived_joints(_layout(index), H36M_17)
    return BodyPoints(
        rig=", ".join([*([best.name] if best else []), *([OWN] if own else [])]),
        index=index,
        # The middle of the hips is the definition of the joint Hip.
        guessed={joint: " and ".join(of) for joint, of in derived.items() if joint != "Hip"},
        from_cmu=best is not None and best.from_cmu,
    )


def _plain(name: str) -> str:
    """A name without name space and case: ``mixamorig:LeftArm`` is ``leftarm``."""
    return re.sub(r"^(.*:|mixamorig\d*_?)", "", name).casefold()


def _points(rig: Rig, named: Mapping[str, int]) -> dict[str, int]:
    """Part to point of a rig, empty if any is missing; a head without end is its own top."""
    parts = {part: _plain(name) for part, name in rig.parts.items()}
    if parts.get("HeadTop", "").endswith("/end") and parts["HeadTop"] not in named:
        parts["HeadTop"] = parts.pop("Nose")
    if not named.keys() >= {*parts.values(), *map(_plain, rig.marks)}:
        return {}
    return {part: named[name] for part, name in parts.items()}


def _layout(index: Mapping[str, int]) -> Skeleton:
    """A layout of just these parts."""
    parts = tuple(index)
    return Skeleton("file", parts, (-1, *[0] * (len(parts) - 1)), (), (), -1, parts=parts)


def _missing(index: Mapping[str, int]) -> list[str]:
    """The parts of Human3.6M's joints that are not there and can't be derived."""
    if not index:
        return list(H36M_17.parts)
    missing = []
    for part in H36M_17.parts:
        try:
            derived_joints(_layout(index), Skeleton("one", (part,), (-1,), (), (), -1))
        except ValueError:
            missing.append(part)
    return missing
