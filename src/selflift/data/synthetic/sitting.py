"""Low postures: sitting on a seat or on the ground, and kneeling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from selflift.data.synthetic.body import (
    SIDE,
    Array,
    Body,
    Motion,
    Rng,
    drift,
    ease,
    sequence,
    settle,
)
from selflift.data.synthetic.postures import Key, assemble, perform

_SEATED = Key(
    arms=("front", "talk", "folded", "face", "reach", "hang", "head", "any"),
    alike=0.4,
    tilt=(-22, 6),
    flex=(-8, 42),
    side=(-12, 12),
    twist=(-24, 24),
    turn=(-12, 12),
)
# On the ground the pelvis rolls back, for want of hip flexion.
_GROUNDED = replace(_SEATED, tilt=(-42, -24), flex=(5, 55))


def _chair_legs(rng: Rng, body: Body, seat: float) -> Array:
    """Ankles (2, 3) relative to a point on the ground under the hips, and knees-out (2,): (8,)."""
    ankles, out = np.zeros((2, 3)), np.radians(rng.uniform(-4.0, 28.0, 2))
    ankles[:, 0] = SIDE * body.hip_half * rng.uniform(0.3, 2.0, 2)
    straight = np.sqrt((0.97 * body.leg) ** 2 - (seat - body.ankle_height) ** 2)
    style = rng.choice(["plain", "plain", "tucked", "long", "crossed"])
    low, high = {"tucked": (0.45, 0.75), "long": (1.2, 1.7)}.get(style, (0.75, 1.25))
    ankles[:, 1] = np.minimum(body.thigh * rng.uniform(low, high, 2), straight)
    ankles[:, 2] = body.ankle_height
    if style == "crossed":
        over = int(rng.integers(2))
        # One ankle hangs past, or rests on, the other knee.
        ankles[over] = (
            -SIDE[over] * body.hip_half * rng.uniform(0.2, 1.2),
            body.thigh * rng.uniform(0.95, 1.3),
            seat * rng.uniform(0.55, 0.95),
        )
        out[over] = np.radians(rng.uniform(5.0, 50.0))
    return np.concatenate([ankles.ravel(), out])


def _floor_legs(rng: Rng, body: Body) -> Array:
    """As `_chair_legs`, for someone who sits on the ground."""
    ankles, out = np.zeros((2, 3)), np.radians(rng.uniform(-4.0, 35.0, 2))
    ankles[:, 2] = body.ankle_height
    if rng.random() < 0.35:  # cross-legged
        ankles[:, 0] = -SIDE * body.hip_half * rng.uniform(0.1, 0.9, 2)
        ankles[:, 1] = body.leg * rng.uniform(0.36, 0.5, 2)
        out = np.radians(rng.uniform(58.0, 74.0, 2))
    else:  # legs long or knees drawn up, each on its own
        ankles[:, 0] = SIDE * body.hip_half * rng.uniform(0.3, 2.4, 2)
        ankles[:, 1] = body.leg * rng.uniform(0.6, 0.96, 2)
    return np.concatenate([ankles.ravel(), out])


def sit(rng: Rng, t: Array, body: Body) -> Motion:
    """Sit on a chair, a stool or the ground; half of those on a seat sit down or stand up."""
    floor = rng.random() < 0.3
    seat = body.stature * (rng.uniform(0.05, 0.07) if floor else rng.uniform(0.24, 0.33))
    key = _GROUNDED if floor else _SEATED
    acted = perform(rng, t, body, (key,), (0.8, 1.4), (0.2, 1.2))

    def legs() -> Array:
        return _floor_legs(rng, body) if floor else _chair_legs(rng, body, seat)

    moving = not floor and rng.random() < 0.5
    if moving:
        planted = legs()
        planted[[1, 4]] = body.thigh * rng.uniform(0.6, 0.95) + rng.uniform(-0.05, 0.05, 2)
        planted[[2, 5]] = body.ankle_height
        placed = np.tile(planted, (len(t), 1))
    else:
        placed = sequence(rng, t, legs, rng.uniform(1.3, 2.2), rng.uniform(0.8, 2.5))
    motion = assemble(rng, t, body, acted, placed[:, :6].reshape(-1, 2, 3))
    motion.knees_out = placed[:, 6:]
    seated = np.array([0.0, 0.0, seat]) + drift(rng, t, [0.01, 0.01, 0.004])
    if not moving:
        motion.root = seated
        return motion
    # Standing, the hips are over the feet; on the way the trunk leans forward to balance.
    settle(body, motion, np.full(len(t), 0.01 * body.leg))
    duration = rng.uniform(1.1, 1.9)
    begin = t[0] + rng.uniform(0.1, 0.9) * max(t[-1] - t[0] - duration, 0.2)
    down = ease((t - begin) / duration)
    if rng.random() < 0.4:
        down = 1.0 - down
    motion.root += down[:, None] * (seated - motion.root)
    leaning = 4.0 * down * (1.0 - down)
    motion.pelvis[:, 0] += np.radians(rng.uniform(8.0, 18.0)) * leaning
    motion.spine[:, 0] += np.radians(rng.uniform(8.0, 22.0)) * leaning
    return motion


def kneel(rng: Rng, t: Array, body: Body) -> Motion:
    """Kneel on one knee or on both, upright or back toward the heels."""
    key = Key(
        arms=("front", "talk", "reach", "side", "up", "akimbo", "face", "any"),
        tilt=(-6, 20),
        flex=(-8, 32),
        side=(-14, 14),
        twist=(-28, 28),
    )
    acted = perform(rng, t, body, (key,), (0.8, 1.3), (0.1, 1.0))
    both = rng.random() < 0.5
    deepest = 46.0 if both else 18.0
    sit_back = sequence(
        rng, t, lambda: np.radians(rng.uniform(-4.0, deepest, 1)), rng.uniform(1.5, 2.5), 0.8
    )[:, 0]
    knee_height, rise = 0.03 * body.stature, np.radians(rng.uniform(3.0, 10.0))
    ankles = np.zeros((2, 3))
    ankles[:, 0] = SIDE * body.hip_half * rng.uniform(0.7, 1.6, 2)
    ankles[:, 1] = -body.shin * np.cos(rise)
    ankles[:, 2] = knee_height + body.shin * np.sin(rise)
    if not both:
        front = int(rng.integers(2))
        ankles[front, 1] = body.thigh * rng.uniform(0.75, 1.15)
        ankles[front, 2] = body.ankle_height
    motion = assemble(rng, t, body, acted, ankles)
    # The knees stay where they are while the thighs turn about them.
    motion.root[:, 0] = acted[:, 6] * 0.5
    motion.root[:, 1] = -body.thigh * np.sin(sit_back)
    motion.root[:, 2] = knee_height + body.thigh * np.cos(sit_back)
    motion.knees_out[:] = np.radians(rng.uniform(0.0, 15.0, 2))
    return motion
