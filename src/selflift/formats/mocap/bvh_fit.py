"""The rest pose, the rotations and the angles of a BVH file, from where bones point.

Rest: arms out, facing z. Bones have their median lengths. A joint with one child may point its bone
anywhere, so it points where a T-pose has it. Bones that begin in one joint (hips and spine, neck
and shoulders) keep the mean shape that they have in the recording, turned as a whole towards the
T-pose.

Rotations: a joint whose bones span a plane or space has one best rotation. One whose bones lie on a
line leaves the turn about that line open: it is none, measured from the rest pose (the shortest way
from there), unless that would spin the joint. Where a bone points nearly against its rest
direction, the shortest way flips from side to side; there the turn changes no faster than
:data:`MAX_TWIST_DEG_PER_S`, and returns to none afterwards.
"""

from __future__ import annotations

import numpy as np

from selflift.skeleton import Skeleton

MAX_TWIST_DEG_PER_S = 720.0
MAX_TWIST_DEG = 30.0
# Of the longest extent of a joint's bones: below it they lie on a line.
FLAT = 1e-3
TINY = 1e-9
LOCKED = 1e-6
UP, DOWN, FRONT = np.array([0.0, 1, 0]), np.array([0.0, -1, 0]), np.array([0.0, 0, 1])
LEFT = np.array([1.0, 0, 0])
# Seen from the base of the neck.
NOSE = np.array([0.0, 12, 5]) / 13
# The first word that is in the name of a bone's end decides where the bone points at rest.
SIDEWAYS = ("shoulder", "elbow", "wrist", "hand", "finger", "thumb", "clav", "collar", "humerus",
            "radius", "ear")  # fmt: skip
FORWARD = ("foot", "toe")
DOWNWARD = ("knee", "ankle", "pelvis", "heel")
UPWARD = ("spine", "thorax", "neck", "head", "back", "eye")
ROUNDS = 10


def rest_offsets(bones: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The offset of each joint from its parent at rest.

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
    """Direction at rest of the bone that ends in a joint; ``before`` is the bone before it."""
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


def fit_rotations(rest: np.ndarray, seen: np.ndarray, fps: float) -> np.ndarray:
    """The rotations that best bring a joint's bones from rest to where they are seen.

    Args:
        rest: Bones at rest, ``(K, 3)``.
        seen: The same bones in the frames of a recording, in the axes of the joint's parent,
            ``(T, K, 3)``.
        fps: Frames per second.

    Returns:
        ``(T, 3, 3)``. A frame that shows no direction keeps that of the one before.
    """
    _, extent, axes = np.linalg.svd(rest)
    if not extent.size or extent[0] < TINY:
        return np.repeat(np.eye(3)[None], len(seen), axis=0)
    if len(extent) > 1 and extent[1] > FLAT * extent[0]:
        return _best_fit(rest, seen)
    axis = axes[0]
    return _least_twist(axis, np.einsum("k,tki->ti", rest @ axis, seen), fps)


def _best_fit(rest: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Least squares (Kabsch)."""
    U, s, Vt = np.linalg.svd(np.einsum("tki,kj->tij", seen, rest))
    U[..., 2] *= np.sign(np.linalg.det(U @ Vt))[:, None]
    return _held(U @ Vt, s[:, 1] > TINY * max(float(s.max()), TINY), np.eye(3))


def _least_twist(axis: np.ndarray, seen: np.ndarray, fps: float) -> np.ndarray:
    """Rotations that take ``axis`` to the directions ``seen``, ``(T, 3)``."""
    length = np.linalg.norm(seen, axis=-1, keepdims=True)
    valid = length[:, 0] > TINY
    v = _held(seen / np.where(valid[:, None], length, 1.0), valid, axis)
    swing = shortest_turns(np.broadcast_to(axis, v.shape), v)
    # How much further the swing twists the bone from frame to frame than its way alone does.
    M = np.swapaxes(shortest_turns(v[:-1], v[1:]) @ swing[:-1], 1, 2) @ swing[1:]
    sine = np.stack([M[:, 2, 1] - M[:, 1, 2], M[:, 0, 2] - M[:, 2, 0], M[:, 1, 0] - M[:, 0, 1]], -1)
    spin = np.arctan2(sine @ axis, np.trace(M, axis1=1, axis2=2) - 1)
    limit = np.radians(min(MAX_TWIST_DEG, MAX_TWIST_DEG_PER_S / fps))
    twist = np.zeros(len(v))
    if (np.abs(spin) > limit).any():
        now = 0.0
        for t, step in enumerate(spin.tolist(), 1):
            now -= step
            off = (now + np.pi) % (2 * np.pi) - np.pi
            now -= min(max(off, -limit), limit)
            twist[t] = now
    return swing @ _turns_about(axis, twist)


def shortest_turns(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest rotations that take unit vectors ``a`` to ``b``, ``(T, 3)`` each.

    Returns:
        ``(T, 3, 3)``; for opposite vectors half a turn about some axis across them.
    """
    c = np.einsum("ti,ti->t", a, b)
    opposite = c < TINY - 1
    K = _cross_matrices(np.cross(a, b))
    R = np.eye(3) + K + K @ K / np.where(opposite, 1.0, 1 + c)[:, None, None]
    across = np.cross(a, np.eye(3)[np.abs(a).argmin(-1)])
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    half = 2 * across[:, :, None] * across[:, None, :] - np.eye(3)
    return np.where(opposite[:, None, None], half, R)


def angles_zxy_deg(R: np.ndarray) -> np.ndarray:
    """The angles of ``R = R_z R_x R_y``, each as near as can be to that of the frame before.

    Args:
        R: ``(T, N, 3, 3)``, rotations of ``N`` joints.

    Returns:
        ``(T, N, 3)``: z, x, y in degrees; they may leave ``[-180, 180]``.
    """
    cosine = np.hypot(R[..., 0, 1], R[..., 1, 1])
    x = np.arctan2(R[..., 2, 1], cosine)
    z = np.arctan2(-R[..., 0, 1], R[..., 1, 1])
    # With x at a right angle only z + y or z - y is known: z stays as it was.
    free = cosine > LOCKED
    z = np.stack([_held(z[:, n], free[:, n], np.zeros(())) for n in range(R.shape[1])], axis=1)
    # R_z^-1 R = R_x R_y, whose first row is (cos y, 0, sin y).
    first = np.cos(z)[..., None] * R[..., 0, :] + np.sin(z)[..., None] * R[..., 1, :]
    y = np.arctan2(first[..., 2], first[..., 0])
    ways = np.stack([np.stack([z, x, y], -1), np.stack([z + np.pi, np.pi - x, y + np.pi], -1)], 1)
    out = np.empty_like(ways[:, 0])
    before, joints = np.zeros_like(out[0]), np.arange(R.shape[1])
    for t, way in enumerate(ways):
        near = way + 2 * np.pi * np.round((before - way) / (2 * np.pi))
        before = near[np.abs(near - before).sum(-1).argmin(0), joints]
        out[t] = before
    return np.degrees(out)


def _turns_about(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    K = _cross_matrices(axis[None])[0]
    s, c = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.eye(3) + s * K + (1 - c) * (K @ K)


def _cross_matrices(k: np.ndarray) -> np.ndarray:
    x, y, z = k.T
    o = np.zeros_like(x)
    return np.stack([o, -z, y, z, o, -x, -y, x, o], -1).reshape(-1, 3, 3)


def _held(values: np.ndarray, valid: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Values of valid frames; the others get the one before, or the first valid one."""
    if valid.all():
        return values
    if not valid.any():
        return np.broadcast_to(otherwise, values.shape).copy()
    last = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), -1))
    return values[np.where(last < 0, valid.argmax(), last)]
