"""From a plan to joints: the limits of the joints, the leg solver and the kinematic tree."""

from __future__ import annotations

import numpy as np

from selflift.data.synthetic.body import SIDE, Array, Body, Motion, Range, pelvis_rotation, rotation

# Ranges of motion in degrees, after the normal values of the American Academy of Orthopaedic
# Surgeons as tabulated by Norkin and White, "Measurement of Joint Motion". Lowest and highest;
# the lowest is the opposite movement (flexion -30 is extension 30).
HIP_FLEXION: Range = (-30, 122)
HIP_ABDUCTION: Range = (-30, 45)  # half as much again where the hip is flexed
KNEE_OUTWARD: Range = (-35, 82)  # roll about the hip-ankle line: rotation and abduction
KNEE_FLEXION: Range = (2, 148)  # never backward
SPINE_FLEXION: Range = (-30, 85)  # lumbar 60 and thoracic 25
SPINE_SIDE_BEND: Range = (-35, 35)
SPINE_TWIST: Range = (-45, 45)
NECK_FLEXION: Range = (-50, 48)
NECK_SIDE_BEND: Range = (-42, 42)
NECK_TWIST: Range = (-75, 75)
SHOULDER_FLEXION: Range = (-58, 168)
SHOULDER_ABDUCTION: Range = (-30, 168)
SHOULDER_INWARD_ROTATION: Range = (-80, 88)
ELBOW_FLEXION: Range = (3, 147)  # never backward


def _limit(angles: Array, limits: Range) -> Array:
    """Keep angles (radians) within limits (degrees), smoothly: identity but near the ends."""
    low, high = np.radians(limits)
    margin = 0.06 * (high - low)
    over = np.maximum(angles - (high - margin), 0.0)
    under = np.maximum((low + margin) - angles, 0.0)
    inner = np.clip(angles, low + margin, high - margin)
    bounded: Array = inner + margin * (np.tanh(over / margin) - np.tanh(under / margin))
    return bounded


def _limit_each(angles: Array, *limits: Range) -> Array:
    """`_limit` for each channel of the last axis."""
    return np.stack([_limit(angles[..., i], r) for i, r in enumerate(limits)], axis=-1)


def _trunk_turn(angles: Array) -> Array:
    """Rotation (T, 3, 3) by flexion, bend to the right and twist to the left."""
    return rotation(angles * np.array([-1.0, 1.0, 1.0]))


def _legs(body: Body, hips: Array, pelvis: Array, motion: Motion) -> tuple[Array, Array]:
    """Two-bone inverse kinematics with a hinge for a knee and limits at the hip.

    Args:
        body: The person.
        hips: (T, 2, 3) world metres.
        pelvis: (T, 3, 3) pelvis-to-world rotations.
        motion: The plan: where the ankles should be and where the knees point.

    Returns:
        Knees and ankles, (T, 2, 3) world metres. An ankle is where the plan has it unless a limit
        of the hip or the knee keeps the leg from it.
    """
    # In the pelvis frame x is the axis that knees turn about, y is forward.
    goal = (motion.ankles - hips) @ pelvis
    distance = np.linalg.norm(goal, axis=-1)
    u = goal / distance[..., None]
    a, b = body.thigh, body.shin
    # Limit the knee's flexion; the length of the leg follows by the law of cosines.
    cosine = (distance**2 - a**2 - b**2) / (2.0 * a * b)
    knee = _limit(np.arccos(np.clip(cosine, -1.0, 1.0)), KNEE_FLEXION)
    # Angle at the hip between the thigh and the hip-ankle line.
    alpha = np.arctan2(b * np.sin(knee), a + b * np.cos(knee))[..., None]

    # `front` is where an unrolled knee points: right x u, forward for a hanging leg.
    zero = np.zeros_like(distance)
    front = np.stack([zero, -u[..., 2], u[..., 1]], axis=-1)
    front /= np.linalg.norm(front, axis=-1, keepdims=True)
    roll = _limit(motion.knees_out, KNEE_OUTWARD)[..., None]
    n = np.cos(roll) * front + np.sin(roll) * SIDE[:, None] * np.cross(u, front)
    thigh = np.cos(alpha) * u + np.sin(alpha) * n
    axis = np.cross(u, n)

    flexion = _limit(np.arctan2(thigh[..., 1], -thigh[..., 2]), HIP_FLEXION)
    abduction = np.arcsin(np.clip(SIDE * thigh[..., 0], -1.0, 1.0))
    room = 1.0 + 0.5 * np.sin(np.clip(flexion, 0.0, 0.5 * np.pi)) ** 2
    abduction = room * _limit(abduction / room, HIP_ABDUCTION)
    thigh = np.stack(
        [
            SIDE * np.sin(abduction),
            np.cos(abduction) * np.sin(flexion),
            -np.cos(abduction) * np.cos(flexion),
        ],
        axis=-1,
    )
    # The hinge stays square to a thigh that a limit has moved.
    axis -= (axis * thigh).sum(axis=-1, keepdims=True) * thigh
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    shin = np.cos(knee)[..., None] * thigh - np.sin(knee)[..., None] * np.cross(axis, thigh)
    to_world = np.swapaxes(pelvis, -1, -2)
    knees = hips + (a * thigh) @ to_world
    return knees, knees + (b * shin) @ to_world


def arm_points(body: Body, arms: Array) -> tuple[Array, Array, Array]:
    """Shoulders, elbows and wrists, each (..., 2, 3) metres, in the frame of the upper trunk.

    The upper arm swings from hanging about a horizontal axis, then turns about its own length, so
    the angles are smooth through the hanging position. The elbow is a hinge: it only flexes.

    Args:
        body: The person.
        arms: (..., 2, 4) angles in radians as in `Motion.arms`.
    """
    flex, abduct, inward, elbow = np.moveaxis(arms, -1, 0)
    zero = np.zeros_like(flex)
    swing = rotation(np.stack([flex, -SIDE * abduct, zero], axis=-1))
    # The shoulder girdle follows a raised or forward arm (scapulohumeral rhythm), damped.
    girdle = rotation(
        np.stack([zero, -SIDE * 0.15 * np.hypot(flex, abduct), SIDE * 0.12 * flex], axis=-1)
    )
    clavicle = np.stack([SIDE * body.clavicle, 0 * SIDE, 0 * SIDE - body.clavicle_drop], axis=-1)
    shoulders = (girdle @ clavicle[..., None])[..., 0]
    elbows = shoulders - body.upper_arm * swing[..., 2]
    bend = np.sin(elbow)
    hinge = np.stack(
        [-SIDE * np.sin(inward) * bend, np.cos(inward) * bend, -np.cos(elbow)], axis=-1
    )
    wrists = elbows + body.forearm * (swing @ hinge[..., None])[..., 0]
    return shoulders, elbows, wrists


def pose(body: Body, motion: Motion) -> Array:
    """Joints of a body in motion, within the limits of its joints.

    Args:
        body: The person.
        motion: The plan over T frames.

    Returns:
        (T, 17, 3) world metres, joints in Human3.6M order.
    """
    pelvis = pelvis_rotation(motion)
    hips = motion.root[:, None] + pelvis[:, None, :, 0] * (body.hip_half * SIDE)[:, None]
    knees, ankles = _legs(body, hips, pelvis, motion)

    bend = _limit_each(motion.spine, SPINE_FLEXION, SPINE_SIDE_BEND, SPINE_TWIST)
    # The loins flex more than they twist, the chest the other way round.
    lower = pelvis @ _trunk_turn(bend * np.array([0.5, 0.45, 0.25]))
    upper = lower @ _trunk_turn(bend * np.array([0.5, 0.55, 0.75]))
    nod = _limit_each(motion.head, NECK_FLEXION, NECK_SIDE_BEND, NECK_TWIST)
    neck = upper @ _trunk_turn(nod * np.array([0.6, 0.6, 0.7]))
    head = neck @ _trunk_turn(nod * np.array([0.4, 0.4, 0.3]))
    spine = motion.root + lower[..., 2] * body.lumbar
    thorax = spine + upper[..., 2] * body.thoracic
    nose = thorax + neck @ np.array([0.0, body.nose_forward, body.nose_up])
    crown = nose + head @ np.array([0.0, -body.crown_back, body.crown_up])

    angles = _limit_each(
        motion.arms,
        SHOULDER_FLEXION,
        SHOULDER_ABDUCTION,
        SHOULDER_INWARD_ROTATION,
        ELBOW_FLEXION,
    )
    # Flexion and abduction together are one swing, which has a limit of its own.
    swing = np.hypot(angles[..., 0], angles[..., 1])
    angles[..., :2] *= (_limit(swing, SHOULDER_FLEXION) / np.maximum(swing, 1e-9))[..., None]
    arms = [thorax[:, None] + p @ np.swapaxes(upper, -1, -2) for p in arm_points(body, angles)]

    right_leg = [hips[:, 0], knees[:, 0], ankles[:, 0]]
    left_leg = [hips[:, 1], knees[:, 1], ankles[:, 1]]
    left_arm, right_arm = ([p[:, k] for p in arms] for k in (1, 0))
    joints = [motion.root, *right_leg, *left_leg, spine, thorax, nose, crown]
    return np.stack([*joints, *left_arm, *right_arm], axis=1)
