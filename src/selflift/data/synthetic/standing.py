"""Standing actions: the feet stay where they are, the body moves from key to key above them.

Feet are footholds on the ground that the leg solver has to reach, so standing feet do not slide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    ease,
    sequence,
    settle,
    turn,
)
from selflift.data.synthetic.postures import Key, assemble, perform


def _feet(rng: Rng, body: Body, width: Range = (0.7, 2.2), stagger: Range = (-0.2, 0.2)) -> Array:
    """Ankles (2, 3) on the ground: half-width in hip half-widths, stagger in leg lengths."""
    x = body.hip_half * between(rng, width) * SIDE
    y = body.leg * between(rng, stagger) * 0.5 * SIDE
    return np.stack([x, y, np.full(2, body.ankle_height)], axis=-1)


@dataclass(frozen=True)
class _Act:
    """A standing action: keys to move between, how fast, and how the feet stand."""

    keys: tuple[Key, ...]
    pace: Range = (0.7, 1.3)
    hold_s: Range = (0.1, 0.9)
    width: Range = (0.7, 2.0)
    stagger: Range = (-0.25, 0.25)

    def __call__(self, rng: Rng, t: Array, body: Body) -> Motion:
        """Plan this action at the times `t` (T,) in seconds."""
        feet = _feet(rng, body, self.width, self.stagger)
        acted = perform(rng, t, body, self.keys, self.pace, self.hold_s)
        motion = assemble(rng, t, body, acted, feet)
        settle(body, motion, acted[:, 8])
        return motion


# fmt: off
_UPRIGHT = Key(arms=("hang", "front", "akimbo", "talk"))
_TURNING = Key(
    arms=("any", "side", "reach", "akimbo", "folded", "head"), alike=0.2,
    twist=(12, 42), turn=(5, 35), side=(-15, 20), flex=(-8, 25), drop=(0.0, 0.15),
)
STANDING: dict[str, _Act] = {
    "idle": _Act(
        keys=(Key(arms=("hang", "akimbo", "front", "folded", "behind", "face"), alike=0.5),),
        pace=(1.0, 1.8), hold_s=(0.5, 2.0),
    ),
    "gesture": _Act(keys=(Key(arms=("talk", "front", "reach", "side", "face", "hang")),)),
    "reach": _Act(
        keys=(
            Key(
                arms=("reach", "up", "overhead", "side", "hang", "any"),
                tilt=(0, 25), flex=(-5, 35), side=(-18, 18), twist=(-30, 30), turn=(-25, 25),
                drop=(0.01, 0.18), back=(-0.08, 0.1),
            ),
            Key(arms=("reach", "front", "talk", "hang"), drop=(0.0, 0.08)),
        ),
        stagger=(-0.45, 0.45),
    ),
    "stretch": _Act(
        keys=(
            Key(
                arms=("overhead", "head", "up", "overhead"), alike=0.6,
                flex=(-20, 12), side=(-26, 26), twist=(-22, 22), lean=(-8, 8),
            ),
            Key(
                arms=("any", "up", "side", "behind", "overhead"), alike=0.5, side=(-20, 20),
            ),
        ),
        width=(0.7, 3.0),
    ),
    "crouch": _Act(
        keys=(
            Key(
                arms=("reach", "front", "hang", "talk"),
                tilt=(-12, 14), flex=(15, 60), side=(-12, 12), twist=(-22, 22),
                drop=(0.3, 0.6), back=(0.05, 0.22),
            ),
            Key(arms=("hang", "front", "reach", "up"), tilt=(0, 20), drop=(0.0, 0.3)),
        ),
        pace=(1.0, 1.7), width=(0.8, 2.6), stagger=(-0.4, 0.4),
    ),
    "bend": _Act(
        keys=(
            Key(
                arms=("reach", "hang", "side", "front", "any"),
                tilt=(15, 55), flex=(20, 65), side=(-22, 22), twist=(-30, 30),
                drop=(0.02, 0.2), back=(0.08, 0.2),
            ),
            _UPRIGHT,
        ),
        width=(0.8, 2.8),
    ),
    "twist": _Act(
        keys=(_TURNING, replace(_TURNING, twist=(-42, -12), turn=(-35, -5), side=(-20, 15))),
        width=(0.9, 2.6),
    ),
    "lunge": _Act(
        keys=(
            Key(
                arms=("reach", "side", "up", "akimbo", "front", "any"),
                tilt=(0, 22), flex=(-8, 25), twist=(-25, 25), drop=(0.12, 0.38),
                sway=(-0.1, 0.1), back=(-0.16, 0.16),
            ),
            Key(arms=("hang", "front", "talk", "side"), drop=(0.0, 0.15)),
        ),
        pace=(0.9, 1.5), width=(0.6, 3.4), stagger=(-1.0, 1.0),
    ),
}
# fmt: on


def wave(rng: Rng, t: Array, body: Body) -> Motion:
    """One or both raised hands wave from the elbow."""
    motion = _Act(
        keys=(Key(arms=("overhead", "up", "side", "face"), alike=0.4), _UPRIGHT),
        hold_s=(0.8, 2.0),
    )(rng, t, body)
    beat = np.sin(TAU * rng.uniform(0.8, 1.6) * t + rng.uniform(0.0, TAU))[:, None]
    raised = ease((np.hypot(motion.arms[..., 0], motion.arms[..., 1]) - 0.7) / 0.8)
    motion.arms[..., 2] += np.radians(rng.uniform(10, 30)) * beat * raised
    motion.arms[..., 3] += np.radians(rng.uniform(8, 22)) * beat * raised
    return motion


def kick(rng: Rng, t: Array, body: Body) -> Motion:
    """Balance on one leg; the other kicks forward, rises to the knee, the side or backward."""
    free = int(rng.integers(2))
    keys = (Key(arms=("side", "hang", "talk", "reach", "akimbo", "any"), drop=(0.01, 0.08)),)
    acted = perform(rng, t, body, keys, (0.7, 1.2), (0.1, 0.8))
    motion = assemble(rng, t, body, acted, _feet(rng, body, (0.5, 1.1), (-0.1, 0.1)))
    # The weight moves over the standing foot, or the body would fall.
    support = motion.ankles[:, 1 - free, :2]
    motion.root[:, :2] += 0.7 * (support - motion.root[:, :2])
    settle(body, motion, acted[:, 8], bearing=[free == 1, free == 0])

    # Flexion, abduction in degrees and the leg's length as a fraction, lowest and highest.
    goals = {
        "rest": ((-4, 2, 0.96), (4, 8, 0.98)),
        "strike": ((35, -5, 0.93), (82, 25, 0.985)),
        "knee": ((30, -5, 0.55), (65, 25, 0.8)),
        "side": ((-8, 22, 0.85), (25, 42, 0.98)),
        "back": ((-38, 0, 0.6), (-15, 15, 0.92)),
    }
    order = rng.permutation(["strike", "knee", "side", "back", "strike", "knee"])
    count = [int(rng.integers(12))]

    def draw() -> Array:
        count[0] += 1
        name = "rest" if count[0] % 3 == 0 else str(order[count[0] % len(order)])
        low, high = goals[name]
        flex, abduct, length = rng.uniform(low, high)
        return np.array([np.radians(flex), np.radians(abduct), length])

    flex, abduct, length = sequence(rng, t, draw, rng.uniform(0.45, 0.9), 0.4).T
    side = SIDE[free]
    direction = np.stack(
        [side * np.sin(abduct), np.cos(abduct) * np.sin(flex), -np.cos(abduct) * np.cos(flex)], -1
    )
    hip = np.array([side * body.hip_half, 0.0, 0.0])
    ankle = motion.root + turn(motion.yaw, hip + body.leg * length[:, None] * direction)
    # A soft floor keeps a resting foot on the ground.
    over = (ankle[:, 2] - body.ankle_height) / 0.02
    ankle[:, 2] = body.ankle_height + 0.02 * np.logaddexp(0.0, over)
    motion.ankles[:, free] = ankle
    raised = ease((flex + 0.1) / 1.4)
    motion.pelvis[:, 0] -= np.radians(14.0) * raised
    return motion
