"""Where an animation takes place: a round floor with a grid, and the shadows of people on it."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection

from selflift.skeleton import Skeleton
from selflift.viz.views import view

FLOOR_COLOUR, GRID_COLOUR, SHADOW_COLOUR = "#F4F4F4", "#DDDDDD", "#CFCFCF"
SHADOW_WIDTH = 2.6
RIM_POINTS = 96
# The floor reaches so much further than the people, and has about so many squares across.
BEYOND, SQUARES = 1.15, 7


class Stage:
    """The floor under a clip: level in the poses' axes, as high as their lowest joint.

    Args:
        ax: Where to draw.
        X: All positions of the clip, ``(..., J, 3)`` in camera axes.
        skeleton: The layout.

    Attributes:
        middle: What a turning view turns about, ``(3,)``.
        rim: Points on the floor's edge, ``(96, 3)``, from the middle.
    """

    def __init__(self, ax: Axes, X: np.ndarray, skeleton: Skeleton) -> None:
        flat = X.reshape(-1, 3)
        flat = flat[np.isfinite(flat).all(-1)]
        self.middle = (flat.min(0) + flat.max(0)) / 2
        self._floor = float(flat[:, 1].max() - self.middle[1])
        reach = np.linalg.norm((flat - self.middle)[:, [0, 2]], axis=-1).max()
        tall = float(np.ptp(flat[:, 1]))
        self._radius = BEYOND * max(float(reach), 0.3 * tall, 1e-9)
        angle = np.linspace(0, 2 * np.pi, RIM_POINTS)
        self.rim = self._radius * np.stack([np.cos(angle), 0 * angle, np.sin(angle)], -1)
        self.rim[:, 1] = self._floor
        self._lines = self._grid()
        self._bones = np.array(skeleton.bones, dtype=int).reshape(-1, 2)
        self._disc = PolyCollection([], facecolors=FLOOR_COLOUR, edgecolors=GRID_COLOUR, zorder=0)
        self._squares = LineCollection([], colors=GRID_COLOUR, linewidths=0.8, zorder=0.5)
        self._shadows = LineCollection(
            [], colors=SHADOW_COLOUR, linewidths=SHADOW_WIDTH, capstyle="round", zorder=1
        )
        for artist in (self._disc, self._squares, self._shadows):
            ax.add_collection(artist, autolim=False)

    def move(self, X: np.ndarray, azimuth_deg: float, elevation_deg: float) -> None:
        """Another view, and the shadows of the people, ``(P, J, 3)`` from the middle."""
        self._disc.set_verts([view(self.rim, azimuth_deg, elevation_deg)[0]])
        self._squares.set_segments(list(view(self._lines, azimuth_deg, elevation_deg)[0]))
        fallen = X.copy()
        fallen[..., 1] = np.where(np.isfinite(X).all(-1), self._floor, np.nan)
        ends = view(fallen, azimuth_deg, elevation_deg)[0][:, self._bones].reshape(-1, 2, 2)
        self._shadows.set_segments(list(ends[np.isfinite(ends).all((1, 2))]))

    def _grid(self) -> np.ndarray:
        """Chords of the floor, ``(L, 2, 3)``, at distances of 1, 2 or 5 times a power of 10."""
        rough = 2 * self._radius / SQUARES
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * min((1, 2, 5, 10), key=lambda m: abs(math.log(m * power / rough)))
        at = step * np.arange(-math.floor(self._radius / step), math.floor(self._radius / step) + 1)
        half = np.sqrt(np.maximum(self._radius**2 - at**2, 0))
        level = np.full_like(at, self._floor)
        along = [np.stack([at, level, sign * half], -1) for sign in (-1, 1)]
        across = [np.stack([sign * half, level, at], -1) for sign in (-1, 1)]
        return np.concatenate([np.stack(along, 1), np.stack(across, 1)])
