"""From a motion file to bodies of Human3.6M's 17 joints, still in the file's units and axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from selflift.formats.mocap.acclaim import CMU_LENGTH, AcclaimSkeleton
from selflift.formats.mocap.amc import read_amc
from selflift.formats.mocap.asf import read_asf
from selflift.formats.mocap.bones import ASF_RIGS, BVH_RIGS, Bones, find_bones
from selflift.formats.mocap.bvh import BLOCK_PLACES, BvhHeader, read_motion
from selflift.formats.mocap.discover import Found
from selflift.formats.mocap.hierarchy import read_header
from selflift.formats.mocap.world import height_of
from selflift.skeleton import H36M_17

BLOCK_FRAMES = 4096
# A pose that was put before the motion: nobody moves all joints by 3 % of their height in a frame.
JUMP = 0.03
STILL_DEG = 1e-3
ALONG = 0.94


@dataclass(frozen=True)
class Source:
    """A motion file whose bones are known.

    Attributes:
        found: The file and its names.
        figure: What its values move.
        bones: Which of its points are which parts.
    """

    found: Found
    figure: AcclaimSkeleton | BvhHeader
    bones: Bones

    @property
    def fps(self) -> float | None:
        """The rate that the file tells; AMC files tell none."""
        return self.figure.fps if isinstance(self.figure, BvhHeader) else None

    @property
    def length(self) -> float:
        """The unit of length of an ASF file; CMU's elsewhere."""
        return self.figure.length if isinstance(self.figure, AcclaimSkeleton) else CMU_LENGTH

    @property
    def lost_thorax(self) -> bool:
        """Whether the bone from spine to neck is missing.

        The converter ``amc2bvh`` sets the offsets of a bone's children to zero when there are
        several: the neck and both collars then begin where the thorax does, not where it ends. At
        the hips the same zeros are right.
        """
        if not (self.bones.thorax_lost and isinstance(self.figure, BvhHeader)):
            return False
        joints = self.figure.joints
        siblings = [j for j in joints if j.parent == joints[self.bones.thorax].parent]
        return not any(joint.offset.any() for joint in siblings)


def open_sources(files: list[Found], own: Mapping[str, str]) -> list[Source]:
    """Read every file's skeleton.

    Args:
        files: The files.
        own: Bone names of the user's own to parts.

    Raises:
        ImportFileError: If one can't be read, or its bones are not known.
    """

    @cache
    def acclaim(path: Path) -> tuple[AcclaimSkeleton, Bones]:
        skeleton = read_asf(path)
        return skeleton, find_bones(path, skeleton.points, ASF_RIGS, own)

    sources = []
    for found in files:
        if found.asf is not None:
            sources.append(Source(found, *acclaim(found.asf)))
        else:
            header = read_header(found.path)
            bones = find_bones(found.path, header.points, BVH_RIGS, own)
            sources.append(Source(found, header, bones))
    return sources


def read_bodies(source: Source) -> tuple[np.ndarray, bool]:
    """The motion of a file.

    Returns:
        Bodies ``(F, 17, 3)`` in file units, and whether the first one is a T-pose before the
        motion.

    Raises:
        ImportFileError: If the file is damaged.
    """
    figure, rest = source.figure, False
    bodies: list[np.ndarray] = []
    # Block by block: all bones of a long recording would take many times its joints' memory.
    for values in _blocks(source):
        if not bodies and isinstance(figure, BvhHeader):
            rest = bool((np.abs(figure.rotations_deg(values[:1])) < STILL_DEG).all())
        bodies.append(source.bones.to_h36m(figure.place(values)))
    X = np.concatenate(bodies)
    return X, _jumps(X) and (rest or _is_t_pose(X[0]))


def _blocks(source: Source) -> Iterator[np.ndarray]:
    if isinstance(source.figure, BvhHeader):
        yield from read_motion(source.figure)
        return
    values = read_amc(source.found.path, source.figure)
    count = max(1, min(BLOCK_FRAMES, BLOCK_PLACES // len(source.figure.bones)))
    for start in range(0, len(values), count):
        yield values[start : start + count]


def _jumps(X: np.ndarray) -> bool:
    """Whether the second frame is not what the first becomes."""
    if len(X) < 2:
        return False
    own = X[:2] - X[:2, H36M_17.root, None]
    return bool(np.linalg.norm(own[1] - own[0], axis=-1).mean() > JUMP * height_of(X[1:]))


def _is_t_pose(body: np.ndarray) -> bool:
    """Whether both arms stretch along the line of the shoulders."""
    part = {name: body[j] for j, name in enumerate(H36M_17.parts)}
    across = part["LShoulder"] - part["RShoulder"]
    bones = [
        (outward, part[f"{side}{end}"] - part[f"{side}{start}"])
        for side, outward in (("L", across), ("R", -across))
        for start, end in (("Shoulder", "Elbow"), ("Elbow", "Wrist"))
    ]
    return all(a @ b > ALONG * np.linalg.norm(a) * np.linalg.norm(b) for a, b in bones)
