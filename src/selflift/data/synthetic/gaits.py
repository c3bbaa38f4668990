"""Gaits: footholds beside a path, a foot on each in turn, and the body that moves over them.

A standing foot stays on its foothold, so feet do not slide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from selflift.data.synthetic.body import (
    SIDE,
    TAU,
    Array,
    Body,
    Motion,
    Range,
    Rng,
    between,
    drift,
    ease,
    look,
    sequence,
    settle,
    turn,
)
from selflift.data.synthetic.postures import arm_pair

# A path: from times (N,) to positions (N, 2) on the ground and headings (N,).
Path = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True)
class _Gait:
    """Timing and style of a gait; angles in radians, lengths in metres."""

    cadence_hz: float  # strides, i.e. two steps, per second
    duty: float  # share of a stride that a foot stands
    heel_off: float  # share of the stance after which the ankle sets off
    lift: float
    half_width: float
    drop: float
    tilt: float
    arm_swing: float
    elbow: float


def _walk_along(rng: Rng, t: Array, body: Body, path: Path, gait: _Gait) -> Motion:
    """Footholds beside a path, and the body that moves over them."""
    xy, yaw = path(t)
    offset = rng.uniform(0.0, 1.0)
    ankles = np.zeros((len(t), 2, 3))
    phases = gait.cadence_hz * t[:, None] + offset + np.array([0.0, 0.5])
    # The heel leaves the ground before the foot does, so the ankle sets off early.
    leave = gait.heel_off * gait.duty
    for k in range(2):
        stride, p = np.floor(phases[:, k]), np.mod(phases[:, k], 1.0)
        holds = []
        for step in (stride, stride + 1.0):
            # The hips pass over a foothold a little before mid-stance: the foot lands close in
            # front and leaves far behind.
            when = (step + 0.4 * gait.duty - offset - 0.5 * k) / gait.cadence_hz
            at, facing = path(when)
            side = np.array([SIDE[k] * gait.half_width, 0.0, 0.0])
            beside = turn(facing, np.broadcast_to(side, (len(t), 3)))
            holds.append(np.pad(at, ((0, 0), (0, 1))) + beside)
        q = np.clip((p - leave) / (1.0 - leave), 0.0, 1.0)
        ankles[:, k] = holds[0] + ease(q)[:, None] * (holds[1] - holds[0])
        # Highest early in the swing, when the knee folds; the peak of q^2 (1-q)^3 is at 0.4.
        ankles[:, k, 2] = body.ankle_height + gait.lift * q**2 * (1.0 - q) ** 3 / 0.03456

    swing = np.cos(TAU * phases)  # +1 when that foot lands in front
    pelvis = drift(rng, t, np.radians([2.0, 1.5, 3.0]))
    spine = drift(rng, t, np.radians([3.0, 2.5, 4.0]))
    turn_size = np.radians(rng.uniform(3.0, 8.0))
    pelvis[:, 0] += gait.tilt
    # The pelvis drops on the side of the swinging leg.
    pelvis[:, 1] -= np.radians(rng.uniform(1.0, 5.0)) * np.sin(TAU * phases[:, 0])
    pelvis[:, 2] += turn_size * swing[:, 0]
    spine[:, 0] += np.radians(rng.uniform(-4.0, 9.0)) + 0.5 * gait.tilt
    spine[:, 1] -= pelvis[:, 1]
    # A body that turns leans inward, the more the faster it goes.
    velocity = np.gradient(xy, t, axis=0)
    turning = np.gradient(np.unwrap(yaw), t)
    pelvis[:, 1] -= 0.4 * np.arctan(np.linalg.norm(velocity, axis=-1) * turning / 9.81)
    spine[:, 2] -= rng.uniform(1.3, 2.2) * turn_size * swing[:, 0]

    arms = np.zeros((len(t), 2, 4))
    for k in range(2):
        vigour = gait.arm_swing * rng.uniform(0.7, 1.2)
        ahead = -swing[:, k]  # an arm swings against the leg of its side
        arms[:, k, 0] = vigour * (ahead + 0.2)
        arms[:, k, 1] = np.radians(rng.uniform(4.0, 16.0))
        arms[:, k, 2] = np.radians(rng.uniform(0.0, 40.0)) + 0.2 * vigour * ahead
        arms[:, k, 3] = gait.elbow * rng.uniform(0.8, 1.2) + 0.45 * vigour * (ahead + 1.0)
    motion = Motion(
        root=np.pad(xy, ((0, 0), (0, 1))),
        yaw=yaw,
        pelvis=pelvis,
        spine=spine,
        head=look(rng, t),
        arms=arms + drift(rng, t, np.radians([3, 2, 4, 4] * 2)).reshape(len(t), 2, 4),
        ankles=ankles,
        knees_out=np.radians(rng.uniform(0.0, 12.0)) + np.zeros((len(t), 2)),
    )
    # The hips sink twice a stride, at mid-stance, the more the shorter the feet stand.
    sink = 0.06 * gait.lift * (1.0 - 0.8 * gait.duty)
    settle(body, motion, gait.drop + sink * np.cos(2.0 * (TAU * phases[:, 0] - np.pi * gait.duty)))
    return motion


def _busy_arms(
    rng: Rng, t: Array, body: Body, motion: Motion, names: tuple[str, ...], chance: float
) -> None:
    """Give each arm, with a probability, something else to do than to swing."""
    moves = sequence(
        rng, t, lambda: arm_pair(rng, body, names, 0.3), rng.uniform(0.7, 1.2), 0.8
    ).reshape(len(t), 2, 4)
    busy = rng.random(2) < chance
    # A trace of the swing remains in a busy arm.
    motion.arms[:, busy] = moves[:, busy] + 0.2 * (
        motion.arms[:, busy] - motion.arms[:, busy].mean(axis=0)
    )


def walk(rng: Rng, t: Array, body: Body) -> Motion:
    """Walk an oval; now and then backward or sidelong."""
    speed = rng.uniform(0.45, 1.6) * np.sqrt(body.leg / 0.85)
    facing = 0.0
    if rng.random() < 0.2:
        facing, speed = rng.uniform(0.6, TAU - 0.6), 0.5 * speed
    gait = _Gait(
        cadence_hz=(0.52 + 0.31 * speed) * rng.uniform(0.92, 1.1),
        duty=rng.uniform(0.58, 0.65),
        heel_off=0.66,
        lift=body.leg * rng.uniform(0.1, 0.24),
        half_width=body.hip_half * rng.uniform(0.4, 1.1),
        drop=body.leg * rng.uniform(0.0, 0.03),
        tilt=np.radians(rng.uniform(-3.0, 8.0)),
        arm_swing=np.radians(rng.uniform(6.0, 20.0) + 9.0 * speed),
        elbow=np.radians(rng.uniform(8.0, 35.0)),
    )
    motion = _walk_along(rng, t, body, loop(rng, speed, (1.1, 2.0), (0.65, 1.0), facing), gait)
    _busy_arms(rng, t, body, motion, ("talk", "front", "face", "reach", "behind", "any"), 0.35)
    return motion


def run(rng: Rng, t: Array, body: Body) -> Motion:
    """Run an oval, or on the spot."""
    spot = rng.random() < 0.3
    speed = 0.3 if spot else rng.uniform(1.7, 2.6)
    gait = _Gait(
        cadence_hz=rng.uniform(1.15, 1.45),
        duty=rng.uniform(0.34, 0.42),
        heel_off=0.52,
        lift=body.leg * (rng.uniform(0.2, 0.45) if spot else rng.uniform(0.32, 0.55)),
        half_width=body.hip_half * rng.uniform(0.3, 0.8),
        drop=body.leg * rng.uniform(0.03, 0.08),
        tilt=np.radians(rng.uniform(3.0, 14.0)),
        arm_swing=np.radians(rng.uniform(22.0, 38.0)),
        elbow=np.radians(rng.uniform(50.0, 85.0)),
    )
    path = loop(rng, speed, (1.6, 2.2), (0.8, 1.0), 0.0)
    motion = _walk_along(rng, t, body, path, gait)
    motion.pelvis[:, 0] -= gait.tilt * 0.5 * spot
    _busy_arms(rng, t, body, motion, ("talk", "front", "side"), 0.1)
    return motion


def step(rng: Rng, t: Array, body: Body) -> Motion:
    """Short steps to and fro, to the side or round on the spot."""
    gait = _Gait(
        cadence_hz=rng.uniform(0.6, 1.0),
        duty=rng.uniform(0.58, 0.68),
        heel_off=0.66,
        lift=body.leg * rng.uniform(0.08, 0.45),
        half_width=body.hip_half * rng.uniform(0.8, 1.9),
        drop=body.leg * rng.uniform(0.0, 0.14),
        tilt=np.radians(rng.uniform(-3.0, 14.0)),
        arm_swing=np.radians(rng.uniform(5.0, 20.0)),
        elbow=np.radians(rng.uniform(10.0, 60.0)),
    )
    path = shuttle(rng, (0.05, 0.6), (0.12, 0.25), (-1.2, 1.2))
    motion = _walk_along(rng, t, body, path, gait)
    _busy_arms(rng, t, body, motion, ("talk", "front", "side", "reach", "akimbo"), 0.6)
    return motion


def dance(rng: Rng, t: Array, body: Body) -> Motion:
    """Step in time while hips, trunk and arms play along."""
    gait = _Gait(
        cadence_hz=rng.uniform(0.6, 1.0),
        duty=rng.uniform(0.52, 0.66),
        heel_off=0.66,
        lift=body.leg * rng.uniform(0.06, 0.4),
        half_width=body.hip_half * rng.uniform(0.6, 2.2),
        drop=body.leg * rng.uniform(0.03, 0.18),
        tilt=np.radians(rng.uniform(-4.0, 10.0)),
        arm_swing=np.radians(rng.uniform(5.0, 15.0)),
        elbow=np.radians(rng.uniform(20.0, 80.0)),
    )
    motion = _walk_along(rng, t, body, shuttle(rng, (0.1, 0.45), (0.15, 0.3), (-1.5, 1.5)), gait)
    _busy_arms(
        rng, t, body, motion, ("any", "up", "overhead", "side", "reach", "head", "akimbo"), 1.0
    )
    beat = TAU * gait.cadence_hz * t[:, None]
    for part, size in ((motion.pelvis, (5.0, 7.0, 12.0)), (motion.spine, (10.0, 14.0, 18.0))):
        sizes = np.radians(size) * rng.uniform(0.0, 1.0, 3)
        part += sizes * np.sin(beat + rng.uniform(0.0, TAU, 3)) + drift(rng, t, sizes)
    return motion


def loop(rng: Rng, speed: float, radius: Range, aspect: Range, facing: float) -> Path:
    """A closed oval walked at constant speed: it stays near the origin however long it lasts.

    Args:
        rng: Source of the oval's shape, start and sense.
        speed: Metres per second.
        radius: Range of the long half-axis, metres.
        aspect: Range of short half-axis over long.
        facing: Angle from the direction of travel to the heading, radians.

    Returns:
        A function from times (N,) to positions (N, 2) and headings (N,).
    """
    a = between(rng, radius)
    b = a * between(rng, aspect)
    sense, start = float(rng.choice([-1.0, 1.0])), rng.uniform(0.0, 1.0)
    grid = np.linspace(0.0, TAU, 4097)
    x, y = a * np.cos(grid), b * np.sin(grid)
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])

    def path(time: Array) -> tuple[Array, Array]:
        travelled = np.mod(start * arc[-1] + sense * speed * time, arc[-1])
        u = np.interp(travelled, arc, grid)
        tangent = np.arctan2(sense * b * np.cos(u), -sense * a * np.sin(u))
        return np.stack([a * np.cos(u), b * np.sin(u)], -1), tangent - 0.5 * np.pi + facing

    return path


def shuttle(rng: Rng, reach: Range, rate_hz: Range, spin: Range) -> Path:
    """To and fro along a line in any direction, with the heading turning slowly."""
    amplitude, rate = between(rng, reach), between(rng, rate_hz)
    direction, phase, spin_rate = rng.uniform(0, TAU), rng.uniform(0, TAU), between(rng, spin)

    def path(time: Array) -> tuple[Array, Array]:
        offset = amplitude * np.sin(TAU * rate * time + phase)[..., None]
        return offset * np.array([np.cos(direction), np.sin(direction)]), spin_rate * time

    return path
