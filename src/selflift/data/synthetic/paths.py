"""Paths on the ground for whoever does not stay in place: where to be, and where to face."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from selflift.data.synthetic.body import Array, Range, Rng
from selflift.data.synthetic.motion import TAU, between

Path = Callable[[Array], tuple[Array, Array]]


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
