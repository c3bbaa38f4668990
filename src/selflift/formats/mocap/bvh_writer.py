"""Write BVH, which Blender, MotionBuilder and game engines read, from joint positions.

A BVH file holds a figure of constant bones and its joints' rotations. Positions alone determine
neither: bones get their median lengths, each joint the rotation that best fits the bones that begin
in it, and a turn about a bone, which positions don't show, is left out
(:mod:`selflift.formats.mocap.bvh_fit`). So joints lie where they were if the bones keep their
lengths, and bones that begin in one joint their angles. They don't keep them where a shoulder is
shrugged or the back bends above the hips (a few millimetres): with ``split`` each of these bones
turns by itself, about a joint without length (``Thorax_LShoulder``).

Files are y up, in centimetres, facing z at rest. Angles go on past 180 degrees instead of jumping
by 360.
"""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from selflift.files.atomic_write import atomic_path
from selflift.formats.mocap.bvh_fit import angles_zxy_deg, fit_rotations, rest_offsets
from selflift.formats.mocap.forward_kinematics import TRANSLATIONS, Bone, MotionSkeleton
from selflift.geometry.axes import turn_axes
from selflift.skeleton import Skeleton, get_skeleton

CM_PER_M = 100.0
MM_PER_M = 1000.0
# Drawn beyond a last joint, of which nothing is known; as a share of its bone.
END_LENGTH = 0.25
ROTATIONS = "Zrotation Xrotation Yrotation"
ANGLES = ("rz", "rx", "ry")
KEYWORDS = {"joint", "end", "offset", "channels", "motion"}


class BvhFit(NamedTuple):
    """Distances of the joints of a file from the given ones.

    Attributes:
        mean_mm: Over joints and frames.
        max_mm: The farthest.
    """

    mean_mm: float
    max_mm: float


def write_bvh(
    path: str | Path,
    joints: np.ndarray | Tensor,
    skeleton: str | Skeleton,
    fps: float,
    up: str = "y",
    split: bool = False,
) -> BvhFit:
    """Write a clip of one person.

    Args:
        path: The file.
        joints: ``(T, J, 3)`` in metres. All finite: a BVH file has no way to leave a joint out.
        skeleton: Their layout, or its name.
        fps: Frames per second.
        up: The axis that points up in ``joints``: ``"y"``, ``"z"``, or ``"-y"`` for a camera's
            axes; see :mod:`selflift.geometry.axes`. The file has y up in any case.
        split: Whether bones that begin in one joint turn one by one, so that joints are where they
            were for every body of constant bones.

    Returns:
        How well the file's figure fits the joints.

    Raises:
        ValueError: If joints have another shape or are missing, or ``fps`` or ``up`` is wrong.
        OSError: If the file can't be written; an earlier one of that name is intact.
    """
    path = Path(path)
    layout = get_skeleton(skeleton) if isinstance(skeleton, str) else skeleton
    X = CM_PER_M * turn_axes(_checked(path, joints, layout, fps), up, "y")
    parents = [j if p < 0 else p for j, p in enumerate(layout.parents)]
    ways = X - X[:, parents]
    offsets = rest_offsets(ways, layout)
    bones, carried, points = _tree(layout, offsets, split)
    turns: list[np.ndarray] = []
    local = np.empty((len(X), len(bones), 3, 3))
    for b, (bone, children) in enumerate(zip(bones, carried, strict=True)):
        above = turns[bone.parent] if bone.parent >= 0 else np.eye(3)[None]
        local[:, b] = fit_rotations(offsets[children], ways[:, children] @ above, fps)
        turns.append(above @ local[:, b])
    angles = angles_zxy_deg(local).reshape(len(X), -1)
    # Adding 0 turns -0 into 0.
    values = np.round(np.concatenate([X[:, layout.root], angles], axis=1), 6) + 0.0
    with atomic_path(path) as temporary, open(temporary, "w", encoding="ascii") as file:
        file.write("\n".join(["HIERARCHY", *_hierarchy(bones)]))
        file.write(f"\nMOTION\nFrames: {len(X)}\nFrame Time: {1 / fps:.10g}\n")
        row = " ".join(["%.6f"] * values.shape[1])
        file.writelines(row % tuple(frame) + "\n" for frame in values.tolist())
    figure = MotionSkeleton(path, tuple(bones), at_ends=False)
    values[:, figure.is_angle] = np.radians(values[:, figure.is_angle])
    error = np.linalg.norm(figure.place(values)[:, points] - X, axis=-1) * (MM_PER_M / CM_PER_M)
    return BvhFit(float(error.mean()), float(error.max()))


def _checked(path: Path, joints: np.ndarray | Tensor, layout: Skeleton, fps: float) -> np.ndarray:
    X = joints.detach().cpu().numpy() if isinstance(joints, Tensor) else np.asarray(joints)
    if X.ndim != 3 or X.shape[1:] != (layout.num_joints, 3) or len(X) == 0:
        raise ValueError(
            f"bvh '{path}': expected joints (T, {layout.num_joints}, 3) of skeleton "
            f"'{layout.name}', got {X.shape}; write one person a file, and name the layout"
        )
    bad = ~np.isfinite(X).all(-1)
    if bad.any():
        names = ", ".join(layout.joints[j] for j in np.flatnonzero(bad.any(0)))
        frames = np.flatnonzero(bad.any(1))
        raise ValueError(
            f"bvh '{path}': expected finite positions of all joints, got missing ones in "
            f"{len(frames)} of {len(X)} frames, first in frame {frames[0]} ({names}); interpolate "
            "them, or write the frames between"
        )
    if not (isfinite(fps) and fps > 0):
        raise ValueError(f"bvh '{path}': expected fps above 0, got {fps}")
    return X.astype(np.float64)


def _tree(
    layout: Skeleton, offsets: np.ndarray, split: bool
) -> tuple[list[Bone], list[list[int]], list[int]]:
    """The file's joints, depth first; the layout's joints that each carries; where those are."""
    names = legal_names(layout.joints)
    bones: list[Bone] = []
    carried: list[list[int]] = []
    points = [0] * layout.num_joints

    def add(name: str, parent: int, offset: np.ndarray, children: list[int]) -> int:
        channels = ANGLES if bones else (*TRANSLATIONS, *ANGLES)
        start = 3 + 3 * len(bones) if bones else 0
        bones.append(Bone(name, parent, offset, channels, start))
        carried.append(children)
        return len(bones) - 1

    def grow(joint: int, parent: int) -> None:
        children = [j for j, above in enumerate(layout.parents) if above == joint]
        points[joint] = own = add(names[joint], parent, offsets[joint], children)
        for child in children:
            below = own
            if split and len(children) > 1:
                below = add(f"{names[joint]}_{names[child]}", own, np.zeros(3), [child])
            grow(child, below)

    grow(layout.root, -1)
    return bones, carried, points


def legal_names(joints: tuple[str, ...]) -> list[str]:
    """Names that every reader takes: ASCII, no blanks or braces, no keyword, each once."""
    names: list[str] = []
    for joint in joints:
        name = re.sub(r"[^A-Za-z0-9_.:-]+", "_", joint) or "_"
        name = f"_{name}" if name.casefold() in KEYWORDS else name
        again = (f"{name}_{i}" for i in range(2, len(joints) + 2))
        names.append(name if name not in names else next(n for n in again if n not in names))
    return names


def _hierarchy(bones: list[Bone], own: int = 0, depth: int = 0) -> list[str]:
    bone, indent = bones[own], "\t" * depth
    channels = f"3 {ROTATIONS}" if depth else f"6 Xposition Yposition Zposition {ROTATIONS}"
    lines = [
        f"{indent}{'JOINT' if depth else 'ROOT'} {bone.name}",
        f"{indent}{{",
        f"{indent}\tOFFSET {_words(bone.offset)}",
        f"{indent}\tCHANNELS {channels}",
    ]
    below = [b for b, other in enumerate(bones) if other.parent == own]
    for child in below:
        lines += _hierarchy(bones, child, depth + 1)
    if not below:
        end = f"{indent}\t\tOFFSET {_words(END_LENGTH * bone.offset)}"
        lines += [f"{indent}\tEnd Site", f"{indent}\t{{", end, f"{indent}\t}}"]
    return [*lines, f"{indent}}}"]


def _words(offset: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in np.round(offset, 6) + 0.0)
