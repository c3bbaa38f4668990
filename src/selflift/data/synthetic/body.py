"""A person's bones and the plan of their motion, with the building blocks of plans.

Frames are right-handed, z up; a body at yaw 0 faces +y and has its right side on +x. Pairs are
ordered (right, left). Moves between poses follow minimum-jerk profiles (Flash and Hogan 1985), so a
plan is twice differentiable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Rng = np.random.Generator
Range = tuple[float, float]

SIDE = np.array([1.0, -1.0])  # the sign of x for (right, left)
FULL_REACH = 0.997  # a standing leg keeps the knee about 9 degrees short of straight
TAU = 2.0 * np.pi


@dataclass(frozen=True)
class Body:
    """Bone lengths of one person in metres; limbs are left/right symmetric."""

    stature: float
    ankle_height: float
    thigh: float
    shin: float
    hip_half: float
    lumbar: float
    thoracic: float
    nose_forward: float
    nose_up: float
    crown_back: float
    crown_up: float
    clavicle: float
    clavicle_drop: float
    upper_arm: float
    forearm: float

    @property
    def leg(self) -> float:
        """Length of the straight leg, hip to ankle, in metres."""
        return self.thigh + self.shin


def draw_body(rng: Rng) -> Body:
    """Draw a person: stature, and each length as a varied fraction of it.

    The fractions follow Drillis and Contini (1966), with joints where Human3.6M has them.
    """
    stature = float(np.clip(rng.normal(1.71, 0.09), 1.48, 1.98))

    def length(fraction: float, spread: float) -> float:
        return stature * fraction * float(np.exp(np.clip(rng.normal(), -2.2, 2.2) * spread))

    # Long legs come with long thighs and shins, long arms with both parts.
    legs, arms = length(1.0, 0.025) / stature, length(1.0, 0.03) / stature
    return Body(
        stature=stature,
        ankle_height=length(0.044, 0.08),
        thigh=length(0.250 * legs, 0.025),
        shin=length(0.254 * legs, 0.025),
        hip_half=length(0.074, 0.07),
        lumbar=length(0.135, 0.04),
        thoracic=length(0.147, 0.04),
        nose_forward=length(0.034, 0.12),
        nose_up=length(0.062, 0.06),
        crown_back=length(0.022, 0.15),
        crown_up=length(0.063, 0.06),
        clavicle=length(0.086, 0.06),
        clavicle_drop=length(0.012, 0.3),
        upper_arm=length(0.162 * arms, 0.03),
        forearm=length(0.146 * arms, 0.03),
    )


@dataclass
class Motion:
    """A plan over T frames; angles in radians, positions in metres.

    Attributes:
        root: (T, 3) mid-hip position.
        yaw: (T,) heading, counter-clockwise seen from above.
        pelvis: (T, 3) forward tilt, lean to the right, turn to the left.
        spine: (T, 3) flexion, bend to the right, twist to the left, whole trunk.
        head: (T, 3) flexion, tilt to the right, turn to the left, neck and head together.
        arms: (T, 2, 4) shoulder flexion, abduction, inward rotation, and elbow flexion.
        ankles: (T, 2, 3) where the ankles should be.
        knees_out: (T, 2) how far each knee points outward, a roll about the hip-ankle line.
    """

    root: Array
    yaw: Array
    pelvis: Array
    spine: Array
    head: Array
    arms: Array
    ankles: Array
    knees_out: Array


def rotation(vector: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3) in radians (Rodrigues)."""
    v = np.asarray(vector, dtype=np.float64)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    o = np.zeros_like(x)
    k = np.stack([o, -z, y, z, o, -x, -y, x, o], axis=-1).reshape(*v.shape[:-1], 3, 3)
    # np.sinc(a) is sin(pi a) / (pi a), which stays finite at angle 0.
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / TAU) ** 2
    squared = v[..., :, None] * v[..., None, :] - angle**2 * np.eye(3)  # k @ k
    turned: Array = np.eye(3) + first * k + second * squared
    return turned


def turn(yaw: Array | float, vectors: Array) -> Array:
    """Rotate vectors (..., 3) about the vertical by yaw (...) radians."""
    c, s = np.cos(yaw), np.sin(yaw)
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.stack([c * x - s * y, s * x + c * y, z + 0.0 * yaw], axis=-1)


def pelvis_rotation(motion: Motion) -> Array:
    """Pelvis-to-world rotations (T, 3, 3)."""
    zero = np.zeros_like(motion.yaw)
    tilt, lean, twist = motion.pelvis.T
    heading = rotation(np.stack([zero, zero, motion.yaw], axis=-1))
    return heading @ rotation(np.stack([-tilt, lean, twist], axis=-1))


def ease(q: Array) -> Array:
    """Minimum-jerk progress from 0 to 1 for q in [0, 1], constant outside."""
    q = np.clip(q, 0.0, 1.0)
    return q**3 * (10.0 - 15.0 * q + 6.0 * q**2)


def between(rng: Rng, limits: Range) -> float:
    """A number drawn uniformly between the limits."""
    return float(rng.uniform(*limits))


def drift(rng: Rng, t: Array, scale: ArrayLike, rate_hz: float = 0.4) -> Array:
    """Slow wander (T, C) of at most `scale` (C,) in size: three sinusoids per channel."""
    size = np.atleast_1d(np.asarray(scale, dtype=np.float64))
    rates = rate_hz * rng.uniform(0.25, 1.0, (3, size.size))
    phases = rng.uniform(0.0, TAU, (3, size.size))
    weights = rng.dirichlet(np.ones(3), size.size).T
    wave = np.sin(TAU * rates * t[:, None, None] + phases)
    wander: Array = size * (weights * wave).sum(axis=1)
    return wander


def sequence(rng: Rng, t: Array, draw: Callable[[], Array], pace: float, hold_s: float) -> Array:
    """Minimum-jerk moves between poses from `draw`, each held for a while: (T, C).

    Larger moves take longer (a move of 1 radian takes about `pace` seconds), which bounds speed.
    """
    pose = draw()
    start, moves, starts, durations = pose, [], [], []
    now = t[0] - rng.uniform(0.0, 1.0)
    while now < t[-1]:
        target = draw()
        now += hold_s * rng.uniform(0.0, 1.5)
        duration = pace * (0.4 + 0.6 * float(np.abs(target - pose).max()))
        moves.append(target - pose)
        starts.append(now)
        durations.append(duration)
        now += duration
        pose = target
    progress = ease((t[:, None] - np.array(starts)) / np.array(durations))
    return start + progress @ np.array(moves)


def look(rng: Rng, t: Array) -> Array:
    """Head angles (T, 3): glances around, with a slow wander."""
    low, high = (-22, -12, -50), (32, 12, 50)
    pace, hold_s = 0.8, rng.uniform(0.3, 1.5)
    glances = sequence(rng, t, lambda: np.radians(rng.uniform(low, high)), pace, hold_s)
    return glances + drift(rng, t, np.radians([4.0, 3.0, 6.0]))


def settle(body: Body, motion: Motion, drop: Array, bearing: ArrayLike = (True, True)) -> None:
    """Set the hips' height: as high as the bearing legs allow, less `drop` (T,) metres."""
    offsets = pelvis_rotation(motion)[:, None, :, 0] * (body.hip_half * SIDE)[:, None]
    gap = motion.ankles[..., :2] - motion.root[:, None, :2] - offsets[..., :2]
    reach = (FULL_REACH * body.leg) ** 2 - (gap**2).sum(axis=-1)
    height = motion.ankles[..., 2] - offsets[..., 2] + np.sqrt(np.maximum(reach, 0.01))
    height = height[:, np.asarray(bearing)]
    # A soft minimum: the height stays smooth when the legs change roles.
    softness = 0.008
    motion.root[:, 2] = -softness * np.log(np.exp(-height / softness).sum(axis=1)) - drop
