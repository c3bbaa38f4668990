"""Writes BVH from joint positions: what Blender, MotionBuilder and game engines read.

A BVH file holds a figure of constant bones and its joints' rotations. Positions alone determine
neither: bones get their median lengths, each joint the rotation that best fits the bones that begin
in it, and a turn about a bone, which positions can't tell, is left out
(:mod:`selflift.formats.mocap.bvh_fit`). So joints lie where they were if the bones keep
their lengths, and bones that begin in one joint their angles. They don't keep them where a
shoulder is shrugged or the back bends above the hips (a few millimetres): with ``split`` each of
these bones turns by itself, about a joint without length (``Thorax_LShoulder``).

Files are y up, in centimetres, facing z at rest (:mod:`selflift.formats.mocap.bvh_fit`). Angles
go on past 180 degrees instead of jumping by 360.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from selflift.files.atomic_write import atomic_path
from selflift.formats.mocap.bvh_fit import angles_zxy_deg, fit_rotations, rest_offsets
from selflift.geometry.axes import turn_axes
from selflift.skeleton import Skeleton, get_skeleton

CM_PER_M = 100.0
MM_PER_M = 1000.0
# What is drawn beyond a last joint, as a part of its bone: nothing is known of it.
END_LENGTH = 0.25
ROTATIONS = "Zrotation Xrotation Yrotation"
KEYWORDS = {"joint", "end", "offset", "channels", "motion"}


class BvhFit(NamedTuple):
    """How far the joints of a file lie from those that were given.

    Attributes:
        mean_mm: Over joints and frames.
        max_mm: The farthest.
    """

    mean_mm: float
    max_mm: float


@dataclass(frozen=True)
class _Node:
    """A joint of the file.

    Attributes:
        name: Its name.
        parent: Index of its parent; -1 for the root.
        joint: Whose place it has, in the layout.
        bones: The joints to which the bones lead that it turns.
        offset_of: The joint whose offset it has; none if it lies on its parent.
    """

    name: str
    parent: int
    joint: int
    bones: tuple[int, ...]
    offset_of: int | None


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
    bones = X - X[:, parents]
    offsets = rest_offsets(bones, layout)
    nodes = _tree(layout, split)
    turns: list[np.ndarray] = []
    local = np.empty((len(X), len(nodes), 3, 3))
    for n, node in enumerate(nodes):
        above = turns[node.parent] if node.parent >= 0 else np.eye(3)[None]
        rest, seen = offsets[list(node.bones)], bones[:, list(node.bones)] @ above
        local[:, n] = fit_rotations(rest, seen, fps)
        turns.append(above @ local[:, n])
    angles = angles_zxy_deg(local).reshape(len(X), -1)
    # Adding 0 turns -0 into 0.
    values = np.round(np.concatenate([X[:, layout.root], angles], axis=1), 6) + 0.0
    with atomic_path(path) as temporary, open(temporary, "w", encoding="ascii") as file:
        file.write("\n".join(["HIERARCHY", *_hierarchy(nodes, offsets)]))
        file.write(f"\nMOTION\nFrames: {len(X)}\nFrame Time: {1 / fps:.10g}\n")
        row = " ".join(["%.6f"] * values.shape[1])
        file.writelines(row % tuple(frame) + "\n" for frame in values.tolist())
    return _fit(X, nodes, offsets, turns)


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


def _tree(layout: Skeleton, split: bool) -> list[_Node]:
    """The file's joints, depth first, as it lists them."""
    names = legal_names(layout.joints)
    nodes: list[_Node] = []

    def add(joint: int, parent: int) -> None:
        children = tuple(j for j, above in enumerate(layout.parents) if above == joint)
        own = len(nodes)
        nodes.append(_Node(names[joint], parent, joint, children, joint))
        for child in children:
            below = own
            if split and len(children) > 1:
                below = len(nodes)
                name = f"{names[joint]}_{names[child]}"
                nodes.append(_Node(name, own, joint, (child,), None))
            add(child, below)

    add(layout.root, -1)
    return nodes


def legal_names(joints: tuple[str, ...]) -> list[str]:
    """Names that every reader takes: ASCII, no blanks or braces, no keyword, each once."""
    names: list[str] = []
    for joint in joints:
        name = re.sub(r"[^A-Za-z0-9_.:-]+", "_", joint) or "_"
        name = f"_{name}" if name.casefold() in KEYWORDS else name
        again = (f"{name}_{i}" for i in range(2, len(joints) + 2))
        names.append(name if name not in names else next(n for n in again if n not in names))
    return names


def _hierarchy(nodes: list[_Node], offsets: np.ndarray, own: int = 0, depth: int = 0) -> list[str]:
    node, indent = nodes[own], "\t" * depth
    offset = np.zeros(3) if depth == 0 or node.offset_of is None else offsets[node.offset_of]
    channels = f"3 {ROTATIONS}" if depth else f"6 Xposition Yposition Zposition {ROTATIONS}"
    lines = [
        f"{indent}{'JOINT' if depth else 'ROOT'} {node.name}",
        f"{indent}{{",
        f"{indent}\tOFFSET {_words(offset)}",
        f"{indent}\tCHANNELS {channels}",
    ]
    below = [n for n, other in enumerate(nodes) if other.parent == own]
    for child in below:
        lines += _hierarchy(nodes, offsets, child, depth + 1)
    if not below:
        end = f"{indent}\t\tOFFSET {_words(END_LENGTH * offset)}"
        lines += [f"{indent}\tEnd Site", f"{indent}\t{{", end, f"{indent}\t}}"]
    return [*lines, f"{indent}}}"]


def _words(offset: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in np.round(offset, 6) + 0.0)


def _fit(X: np.ndarray, nodes: list[_Node], offsets: np.ndarray, turns: list[np.ndarray]) -> BvhFit:
    placed = np.empty_like(X)
    for node in nodes:
        if node.offset_of is not None:
            above = nodes[node.parent]
            placed[:, node.joint] = (
                X[:, node.joint]
                if node.parent < 0
                else placed[:, above.joint] + turns[node.parent] @ offsets[node.joint]
            )
    error = np.linalg.norm(placed - X, axis=-1) * (MM_PER_M / CM_PER_M)
    return BvhFit(float(error.mean()), float(error.max()))
