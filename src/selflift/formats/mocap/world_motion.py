"""From a motion file to bodies of Human3.6M's 17 joints in world metres, z up.

ASF/AMC and BVH share the way: values, forward kinematics, parts of the body, world axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from selflift.formats.mocap.acclaim import CMU_LENGTH, AcclaimSkeleton, read_amc, read_asf
from selflift.formats.mocap.bvh import BvhHeader, read_header, read_motion
from selflift.formats.mocap.motion_files import MotionFile
from selflift.formats.mocap.numbered_lines import wrong
from selflift.formats.mocap.rigs import ASF_RIGS, BVH_RIGS, BodyPoints, find_body
from selflift.geometry.axes import turn_axes
from selflift.geometry.bodies import skeleton_height
from selflift.skeleton import H36M_17

# A pose that was put before the motion: nobody moves all joints by 3 % of their height in a frame.
JUMP = 0.03
STILL_RAD = np.radians(1e-3)
ALONG = 0.94
INCH_M = 0.0254
UNITS = ("cmu", "m", "cm", "mm", "inch")
UPS = ("y", "z")
# A person's bones from the ankles to the head: of adults, which reveals the unit, and of anybody.
GROWN_M = (1.2, 2.2)
POSSIBLE_M = (0.8, 2.5)
UPRIGHT = 0.8
ANKLES = [H36M_17.legs[0][2], H36M_17.legs[1][2]]


@dataclass(frozen=True)
class MotionSource:
    """A motion file whose skeleton is read.

    Attributes:
        file: The file and its names.
        skeleton: The skeleton that its values move.
        body: The parts of the body among its points.
    """

    file: MotionFile
    skeleton: AcclaimSkeleton | BvhHeader
    body: BodyPoints

    @property
    def fps(self) -> float | None:
        """The rate that the file states; AMC files state none."""
        return self.skeleton.fps if isinstance(self.skeleton, BvhHeader) else None

    @property
    def length(self) -> float:
        """The unit of length of an ASF file; CMU's elsewhere."""
        return self.skeleton.length if isinstance(self.skeleton, AcclaimSkeleton) else CMU_LENGTH

    @property
    def lost_thorax(self) -> bool:
        """True if the bone from spine to neck is missing.

        The converter ``amc2bvh`` sets the offsets of a bone's children to zero when there are
        several: the neck and both collars then begin where the thorax does, not where it ends. At
        the hips the same zeros are right.
        """
        bones = self.skeleton.bones
        thorax = bones[self.body.index.get("Thorax", 0)]
        siblings = [bone for bone in bones if bone.parent == thorax.parent]
        return self.body.from_cmu and not any(bone.offset.any() for bone in siblings)


class WorldFrame(NamedTuple):
    """The unit and the axes of a file.

    Attributes:
        unit: Its name.
        metres: Metres in it.
        up: ``"y"`` or ``"z"``.
    """

    unit: str
    metres: float
    up: str

    def to_world(self, X: np.ndarray) -> np.ndarray:
        """Positions of the file, ``(..., 3)``, in world metres, z up."""
        return turn_axes(self.metres * X, self.up, "z")


def open_sources(files: list[MotionFile], own: Mapping[str, str]) -> list[MotionSource]:
    """Read every file's skeleton.

    Args:
        files: The files.
        own: Bone names of the user's own to parts.

    Raises:
        ImportFileError: If one can't be read, or its bones are not known.
    """

    @cache
    def acclaim(path: Path) -> tuple[AcclaimSkeleton, BodyPoints]:
        skeleton = read_asf(path)
        return skeleton, find_body(path, skeleton.points, ASF_RIGS, own)

    def bvh(path: Path) -> tuple[BvhHeader, BodyPoints]:
        header = read_header(path)
        return header, find_body(path, header.points, BVH_RIGS, own)

    return [MotionSource(f, *(acclaim(f.asf) if f.asf else bvh(f.path))) for f in files]


def read_bodies(source: MotionSource) -> tuple[np.ndarray, bool]:
    """Read the motion of a file.

    Returns:
        Bodies ``(F, 17, 3)`` in file units, and whether the first one is a T-pose before the
        motion.

    Raises:
        ImportFileError: If the file is corrupt.
    """
    skeleton, rest = source.skeleton, False
    bodies: list[np.ndarray] = []
    if isinstance(skeleton, BvhHeader):
        blocks = read_motion(skeleton)
    else:
        blocks = read_amc(source.file.path, skeleton)
    for values in blocks:
        # Converters to BVH put the rest pose before the motion.
        if isinstance(skeleton, BvhHeader) and not bodies:
            rest = bool((np.abs(values[0, skeleton.is_angle]) < STILL_RAD).all())
        bodies.append(source.body.to_h36m(skeleton.place(values)))
    X = np.concatenate(bodies)
    return X, _jumps(X) and (rest or _is_t_pose(X[0]))


def height_of(X: np.ndarray) -> float:
    """The median length of the bones from ankles to head, in the unit of ``X`` ``(F, 17, 3)``."""
    return float(skeleton_height(torch.from_numpy(X), H36M_17).median())


def units_m(length: float) -> dict[str, float]:
    """Metres in each of :data:`UNITS`; ``length`` is that of an ASF file, 0.45 elsewhere."""
    return dict(zip(UNITS, (INCH_M / length, 1.0, 0.01, 0.001, INCH_M), strict=True))


def choose_frame(path: Path, X: np.ndarray, unit: str, up: str, length: float) -> WorldFrame:
    """Infer the unit and the axes, which no file states, from its bodies.

    Args:
        path: The file, for messages.
        X: Its bodies, ``(F, 17, 3)``.
        unit: One of :data:`UNITS`, or ``"auto"``.
        up: One of :data:`UPS`, or ``"auto"``.
        length: See :func:`units_m`.

    Raises:
        ImportFileError: If the bodies leave it open.
    """
    units = units_m(length)
    if unit == "auto":
        height, (low, high) = height_of(X), GROWN_M
        fits = [unit for unit, metres in units.items() if low <= height * metres <= high]
        if len({units[unit] for unit in fits}) != 1:
            tall = ", ".join(f"{height * metres:.3g} m in {unit}" for unit, metres in units.items())
            raise wrong(
                path,
                f"expected bodies that measure {low} to {high} m from ankles to head in one unit, "
                f"got {height:.4g} file units: {tall}; set mocap.unit",
            )
        unit = fits[0]
    if up == "auto":
        upward = np.median(X[:, H36M_17.head] - X[:, ANKLES].mean(1), axis=0)
        axis = int(np.argmax(np.abs(upward)))
        if not (axis > 0 and upward[axis] > UPRIGHT * np.linalg.norm(upward)):
            raise wrong(
                path,
                "expected heads above ankles along y or z, got a median way from ankles to head of "
                f"({', '.join(f'{value:.3g}' for value in upward)}) file units; set mocap.up, or "
                "begin with a file in which people stand",
            )
        up = "xyz"[axis]
    return WorldFrame(unit, units[unit], up)


def check_height(path: Path, X: np.ndarray, frame: WorldFrame) -> None:
    """Refuse bodies ``(F, 17, 3)``, in metres, that are shorter or taller than people.

    Raises:
        ImportFileError: If they are.
    """
    low, high = POSSIBLE_M
    height = height_of(X)
    if not low <= height <= high:
        raise wrong(
            path,
            f"expected bodies that measure {low} to {high} m from ankles to head, got "
            f"{height:.3g} m with unit {frame.unit} ({frame.metres:.6g} m); set mocap.unit, and "
            "read files of different units apart",
        )


def is_upright(X: np.ndarray) -> bool:
    """True if heads are above ankles in most frames of ``(F, 17, 3)``, z up."""
    return bool(np.median(X[:, H36M_17.head, 2] - X[:, ANKLES, 2].mean(1)) > 0)


def _jumps(X: np.ndarray) -> bool:
    """True if the second frame can't have followed the first."""
    if len(X) < 2:
        return False
    own = X[:2] - X[:2, H36M_17.root, None]
    return bool(np.linalg.norm(own[1] - own[0], axis=-1).mean() > JUMP * height_of(X[1:]))


def _is_t_pose(body: np.ndarray) -> bool:
    """True if both arms stretch along the line of the shoulders."""
    part = {name: body[j] for j, name in enumerate(H36M_17.parts)}
    across = part["LShoulder"] - part["RShoulder"]
    bones = [
        (outward, part[f"{side}{end}"] - part[f"{side}{start}"])
        for side, outward in (("L", across), ("R", -across))
        for start, end in (("Shoulder", "Elbow"), ("Elbow", "Wrist"))
    ]
    return all(a @ b > ALONG * np.linalg.norm(a) * np.linalg.norm(b) for a, b in bones)
