"""The pose without rotations that a figure made from joint positions gets: arms out, facing z.

Bones have their median lengths. A joint with one child may point its bone anywhere, so it points
where a T-pose has it. Bones that begin in one joint (hips and spine, neck and shoulders) keep the
mean shape that they have in the recording, turned as a whole towards the T-pose.
"""

from __future__ import annotations

import numpy as np

from selflift.formats.mocap.bone_rotations import fit_rotations
from selflift.skeleton import Skeleton

UP, DOWN, FRONT = np.array([0.0, 1, 0]), np.array([0.0, -1, 0]), np.array([0.0, 0, 1])
LEFT = np.array([1.0, 0, 0])
# Seen from the base of the neck.
NOSE = np.array([0.0, 12, 5]) / 13
# The first word that is in the name of a bone's end tells where the bone points at rest.
SIDEWAYS = ("shoulder", "elbow", "wrist", "hand", "finger", "thumb", "clav", "collar", "humerus",
            "radius", "ear")  # fmt: skip
FORWARD = ("foot", "toe")
DOWNWARD = ("knee", "ankle", "pelvis", "heel")
UPWARD = ("spine", "thorax", "neck", "head", "back", "eye")
ROUNDS = 10


def rest_offsets(bones: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Where each joint lies from its parent at rest.

    Args:
        bones: From parents to joints in every frame, ``(T, J, 3)``, y up; zero for the root.
        skeleton: The layout.

    Returns:
        ``(J, 3)``, y up, facing z, in the unit of the bones; zero for the root.
    """
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)
    offsets = np.zeros((skeleton.num_joints, 3))
    todo = [skeleton.root]
    while todo:
        joint = todo.pop()
        children = [j for j, parent in enumerate(skeleton.parents) if parent == joint]
        wanted = [_direction(child, offsets[joint], skeleton) for child in children]
        ideal = lengths[children, None] * np.array(wanted).reshape(-1, 3)
        offsets[children] = ideal
        if len(children) > 1:
            shape = _mean_shape(bones[:, children])
            norm = np.linalg.norm(shape, axis=-1, keepdims=True)
            shape *= lengths[children, None] / np.where(norm > 0, norm, 1.0)
            offsets[children] = shape @ fit_rotations(shape, ideal[None], 1.0)[0].T
        todo += children
    return offsets


def _mean_shape(seen: np.ndarray) -> np.ndarray:
    """The mean of ``(T, K, 3)`` up to rotations, ``(K, 3)``."""
    shape = seen[len(seen) // 2]
    for _ in range(ROUNDS):
        R = fit_rotations(shape, seen, 1.0)
        shape = np.einsum("tij,tki->kj", R, seen) / len(seen)
    return shape


def _direction(joint: int, before: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Where the bone that ends in a joint points at rest; ``before`` is the bone before it."""
    parts = skeleton.parts or skeleton.joints
    name, above = parts[joint].casefold(), parts[skeleton.parents[joint]].casefold()
    side = LEFT * ((joint in skeleton.left) - int(joint in skeleton.right))
    if "hip" in name:
        return side if above == "pelvis" and side.any() else DOWN
    if any(word in name for word in SIDEWAYS) and side.any():
        return side
    for words, direction in (
        (FORWARD, FRONT), (DOWNWARD, DOWN), (UPWARD, UP), (("nose",), NOSE),
    ):  # fmt: skip
        if any(word in name for word in words):
            return direction
    length = np.linalg.norm(before)
    return before / length if length > 0 else UP
