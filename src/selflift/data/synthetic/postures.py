"""Postures: ranges of whole-body poses, and motions from one drawn pose to the next."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import numpy as np

from selflift.data.synthetic.body import (
    Array,
    Body,
    Motion,
    Range,
    Rng,
    between,
    drift,
    look,
    sequence,
)
from selflift.data.synthetic.joints import arm_points

# Shoulder flexion, abduction, inward rotation, elbow flexion: lowest and highest, degrees.
_ARM_POSES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "hang": ((-12, 4, -15, 6), (12, 18, 35, 32)),
    "akimbo": ((-30, 36, 45, 80), (-8, 55, 70, 112)),
    "front": ((5, 0, 10, 55), (45, 25, 60, 115)),
    "talk": ((-5, 5, -35, 40), (60, 45, 50, 120)),
    "folded": ((22, 5, 55, 88), (40, 22, 82, 110)),
    "face": ((35, 10, -10, 115), (85, 50, 45, 142)),
    "reach": ((50, -10, -30, 6), (115, 50, 50, 55)),
    "side": ((-25, 55, -45, 6), (30, 115, 50, 65)),
    "up": ((15, 90, -45, 6), (110, 150, 45, 60)),
    "overhead": ((50, 105, -30, 5), (105, 140, 30, 45)),
    "behind": ((-48, 5, 20, 15), (-20, 28, 80, 90)),
    "head": ((20, 90, -40, 95), (85, 140, 30, 140)),
    "any": ((-45, -10, -60, 6), (150, 150, 80, 140)),
}


def _arm_pose(rng: Rng, body: Body, name: str) -> Array:
    """One arm's angles (4,) in radians that keep elbow and hand out of the trunk and head."""
    low, high = np.array(_ARM_POSES[name])
    trials = np.radians(rng.uniform(low, high, (16, 4)))
    _, elbows, wrists = arm_points(body, np.repeat(trials[:, None], 2, axis=1))
    elbow, wrist = elbows[:, 0], wrists[:, 0]
    h = body.stature
    clear = np.ones(len(trials), dtype=bool)
    for point in (elbow, 0.5 * (elbow + wrist), wrist):
        x, y, z = point.T
        trunk = (x / (1.05 * body.clavicle)) ** 2 + (y / (0.072 * h)) ** 2 < 1.0
        skull = x**2 + (y - 0.01 * h) ** 2 + (z - 0.10 * h) ** 2 < (0.065 * h) ** 2
        clear &= ~(trunk & (z < 0.02 * h)) & ~skull
    # The hand may cross the midline, but no further than the other shoulder.
    clear &= wrist[:, 0] > -body.clavicle
    pick: Array = trials[int(np.argmax(clear))]
    return pick if clear.any() else np.radians([0.0, 12.0, 0.0, 15.0])


def arm_pair(rng: Rng, body: Body, names: tuple[str, ...], alike: float) -> Array:
    """Angles (8,) of both arms; with probability `alike` the arms mirror each other nearly."""
    right = _arm_pose(rng, body, str(rng.choice(names)))
    if rng.random() < alike:
        left = right + np.radians(rng.normal(0.0, 4.0, 4))
    else:
        left = _arm_pose(rng, body, str(rng.choice(names)))
    return np.concatenate([right, left])


@dataclass(frozen=True)
class Key:
    """Ranges that whole-body poses are drawn from: degrees, or fractions of the leg's length."""

    arms: tuple[str, ...] = ("hang",)
    alike: float = 0.25
    tilt: Range = (-4, 8)
    flex: Range = (-6, 12)
    lean: Range = (-4, 4)
    side: Range = (-7, 7)
    turn: Range = (-15, 15)
    twist: Range = (-15, 15)
    drop: Range = (0.0, 0.015)
    back: Range = (-0.03, 0.04)
    sway: Range = (-0.06, 0.06)

    def draw(self, rng: Rng, body: Body) -> Array:
        """One pose (17,): pelvis 3, spine 3, shift 2 and drop 1 (metres), arms 8."""
        ranges = (self.tilt, self.lean, self.turn, self.flex, self.side, self.twist)
        angles = np.radians([between(rng, r) for r in ranges])
        moves = body.leg * np.array(
            [between(rng, self.sway), -between(rng, self.back), between(rng, self.drop)]
        )
        return np.concatenate([angles, moves, arm_pair(rng, body, self.arms, self.alike)])


def perform(
    rng: Rng, t: Array, body: Body, keys: tuple[Key, ...], pace: Range, hold_s: Range
) -> Array:
    """Moves (T, 17) from one drawn key to the next, in turn, from a random first key."""
    first = int(rng.integers(len(keys))) + 1
    turns = cycle(keys[first:] + keys[:first])
    return sequence(
        rng, t, lambda: next(turns).draw(rng, body), between(rng, pace), between(rng, hold_s)
    )


def assemble(rng: Rng, t: Array, body: Body, acted: Array, ankles: Array) -> Motion:
    """A motion at yaw 0 from acted keys (T, 17) over ankles (2, 3) or (T, 2, 3); height unset."""
    frames = len(t)
    feet = np.broadcast_to(ankles, (frames, 2, 3)).copy()
    root = np.zeros((frames, 3))
    root[:, :2] = feet[:, :, :2].mean(axis=1) + acted[:, 6:8] + drift(rng, t, [0.012, 0.008])
    sway = np.radians([1.5, 1.5, 2.0])
    return Motion(
        root=root,
        yaw=drift(rng, t, np.radians(3.0))[:, 0],
        pelvis=acted[:, 0:3] + drift(rng, t, sway),
        spine=acted[:, 3:6] + drift(rng, t, sway),
        head=look(rng, t),
        arms=acted[:, 9:].reshape(frames, 2, 4)
        + drift(rng, t, np.radians([3, 2, 4, 4] * 2), 0.7).reshape(frames, 2, 4),
        ankles=feet,
        knees_out=np.radians(rng.uniform(0.0, 18.0, 2)) + drift(rng, t, np.radians([4.0, 4.0])),
    )
