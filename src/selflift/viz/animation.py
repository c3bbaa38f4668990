"""Clips in motion: 3D people on a floor, beside the 2D that they were lifted from."""

from __future__ import annotations

import math
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from selflift.geometry.axes import turn_axes
from selflift.skeleton import Skeleton
from selflift.viz.drawing import (
    PEOPLE_COLOURS,
    Bodies,
    box_of,
    frame,
    plain_panel,
    view,
)
from selflift.viz.panels import LEGEND, add_legend, new_figure
from selflift.viz.pose_figure import Poses, poses_of

# At most so many frames of a clip are drawn unless `every` is given.
MOST_FPS, MOST_FRAMES = 30.0, 600
HEIGHT = 4.2
NARROWEST, WIDEST = 0.62, 1.7
BOLD = 1.35
# Of a notebook, at most.
EMBED_MB = 60.0
FLOOR_COLOUR, GRID_COLOUR, SHADOW_COLOUR = "#F4F4F4", "#DDDDDD", "#CFCFCF"
SHADOW_WIDTH = 2.6
RIM_POINTS = 96
# The floor reaches so much further than the people, and has about so many squares across.
BEYOND, SQUARES = 1.15, 7


class PoseAnimation(FuncAnimation):
    """An animation that notebooks play.

    Attributes:
        fps: Drawn frames per second, at the clip's own pace.
    """

    fps: float

    def __del__(self) -> None:
        """Do nothing: matplotlib warns here of animations that were never shown in a window."""

    def _repr_html_(self) -> str:
        if mpl.rcParams["animation.html"] == "html5":
            return self.to_html5_video()
        with mpl.rc_context({"animation.embed_limit": EMBED_MB}):
            return self.to_jshtml()


def animate(
    poses_3d: Poses,
    poses_2d: Poses | None = None,
    skeleton: str | Skeleton = "h36m_17",
    fps: float = 25.0,
    *,
    up: str = "-y",
    every: int | None = None,
    azimuth_deg: float = 30.0,
    elevation_deg: float = 12.0,
    turn_deg_per_s: float = 0.0,
) -> PoseAnimation:
    """Animate a clip of one person or several.

    The limits are those of the whole clip: nothing jumps. The view is orthographic; the floor lies
    under the lowest joint of the clip. Joints that are NaN are left out, and so are people where
    all of theirs are.

    Args:
        poses_3d: ``(T, J, 3)`` or ``(P, T, J, 3)``, any unit.
        poses_2d: ``(T, J, 2)`` or ``(P, T, J, 2)`` of the same frames, pixels, y down; drawn at the
            left.
        skeleton: Their layout, or its name.
        fps: Frames per second of the clip.
        up: The axis that points up in 3D: ``"-y"`` for camera axes (x right, y down, z forward);
            ``"y"`` or ``"z"`` for levelled poses, see :mod:`selflift.geometry.axes`.
        every: Which frames to draw: every second for 2. If ``None``, so many that at most 30 are
            drawn per second, and 600 in all; the pace is the clip's in any case.
        azimuth_deg: From where people are seen, see :mod:`selflift.viz`; 0 is the camera's view.
        elevation_deg: How far one looks down on them.
        turn_deg_per_s: How fast the view turns about the vertical.

    Returns:
        The animation; a notebook plays it, and :func:`~selflift.viz.save_animation` writes it.

    Raises:
        ValueError: If shapes don't fit, a number is out of range, or there is nothing to draw.
    """
    X, layout = poses_of(poses_3d, "poses_3d", skeleton, (3,), ("P", "T"))
    x = None
    if poses_2d is not None:
        x = poses_of(poses_2d, "poses_2d", layout, (2,), ("P", "T"))[0] * [1, -1]
        if x.shape[:2] != X.shape[:2]:
            raise ValueError(
                f"poses_2d: expected {X.shape[0]} people in {X.shape[1]} frames, as in poses_3d, "
                f"got {x.shape[0]} in {x.shape[1]}"
            )
    view_deg = (azimuth_deg, elevation_deg, turn_deg_per_s)
    if not np.isfinite(view_deg).all():
        raise ValueError(
            "azimuth_deg, elevation_deg, turn_deg_per_s: expected finite numbers, got "
            f"{', '.join(map(str, view_deg))}"
        )
    step = _step(X.shape[1], fps, every)
    X = turn_axes(X[:, ::step], up, "-y")
    x = None if x is None else x[:, ::step]
    if not np.isfinite(X).all(-1).any():
        raise ValueError(
            "every: expected joints in some of the frames that are drawn, got none with "
            f"every={step}; draw more of them"
        )
    azimuths = azimuth_deg + turn_deg_per_s * step / fps * np.arange(X.shape[1])
    figure, draw = _set_up(X, x, layout, azimuths, elevation_deg, fps / step)
    animation = PoseAnimation(
        figure, draw, frames=X.shape[1], interval=1000 * step / fps, init_func=list, blit=False
    )
    animation.fps = fps / step
    return animation


def _step(frames: int, fps: float, every: int | None) -> int:
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps: expected a rate above 0, got {fps}")
    if every is None:
        return max(math.ceil(fps / MOST_FPS - 1e-9), math.ceil(frames / MOST_FRAMES))
    if every < 1:
        raise ValueError(f"every: expected 1 or more, got {every}; 2 draws every second frame")
    return every


def _set_up(
    X: np.ndarray, x: np.ndarray | None, skeleton: Skeleton, azimuths: np.ndarray,
    elevation_deg: float, fps: float,
) -> tuple[Figure, Any]:  # fmt: skip
    figure = new_figure(1, 1)
    ax = figure.add_axes((0, 0, 1, 1), label="3D")
    stage = _Stage(ax, X, skeleton)
    X = X - stage.middle
    seen = [view(X[:, t], a, elevation_deg) for t, a in enumerate(azimuths)]
    rim = np.stack([view(stage.rim, a, elevation_deg)[0] for a in azimuths])
    bodies = np.stack([points for points, _ in seen])
    panels = [(ax, np.concatenate([bodies.reshape(-1, 2), rim.reshape(-1, 2)]))]
    if x is not None:
        panels.insert(0, (figure.add_axes((0, 0, 1, 1), label="2D"), x))
    clock = _lay_out(figure, panels)
    people = [_People(panel, skeleton, len(X)) for panel, _ in panels]
    add_legend(figure, people=len(X))

    def draw(t: int) -> list[Any]:
        stage.move(X[:, t], float(azimuths[t]), elevation_deg)
        people[-1].move(*seen[t])
        if x is not None:
            people[0].move(x[:, t])
        clock.set_text(f"{t / fps:.2f} s")
        return []

    draw(0)
    return figure, draw


def _lay_out(figure: Figure, panels: list[tuple[Axes, np.ndarray]]) -> Text:
    """Panels side by side, each as wide as its content, within bounds; returns the clock."""
    sizes = [box_of(points)[1] for _, points in panels]
    widths = [HEIGHT * min(max(w / max(h, 1e-9), NARROWEST), WIDEST) for w, h in sizes]
    gap, top = 0.1, 0.3 if len(panels) > 1 else 0.1
    width = max(sum(widths) + gap * (len(widths) + 1), 4.6)
    height = HEIGHT + top + LEGEND
    # Even numbers of pixels at 100 dpi: video codecs want them.
    width, height = 0.02 * math.ceil(50 * width), 0.02 * math.ceil(50 * height)
    figure.set_size_inches(width, height)
    left = (width - sum(widths) - gap * (len(widths) - 1)) / 2
    for (ax, points), wide in zip(panels, widths, strict=True):
        ax.set_position((left / width, LEGEND / height, wide / width, HEIGHT / height))
        plain_panel(ax)
        frame([ax], points, (wide, HEIGHT))
        if len(panels) > 1:
            figure.text(
                (left + wide / 2) / width, 1 - top / 2 / height, str(ax.get_label()), ha="center",
                va="center", fontsize=10,
            )  # fmt: skip
        left += wide + gap
    ax = panels[-1][0]
    return ax.text(
        0.985, 0.015, "", transform=ax.transAxes, ha="right", va="bottom", fontsize=9,
        color="#777777",
    )  # fmt: skip


class _People:
    """People in a panel; several have numbers above their heads."""

    def __init__(self, ax: Axes, skeleton: Skeleton, people: int) -> None:
        self._bodies = Bodies(ax, skeleton, people, bold=BOLD)
        self._texts = [
            ax.annotate(
                str(p + 1), (0, 0), (0, 5), textcoords="offset points", ha="center", fontsize=9,
                color=PEOPLE_COLOURS[p % len(PEOPLE_COLOURS)], fontweight="bold", zorder=4,
            )
            for p in range(people if people > 1 else 0)
        ]  # fmt: skip

    def move(self, points: np.ndarray, depth: np.ndarray | None = None) -> None:
        """Move them to ``(P, J, 2)``, and each number above the highest joint; NaN is hidden."""
        self._bodies.move(points, depth)
        for text, body in zip(self._texts, points, strict=False):
            there = body[np.isfinite(body).all(-1)]
            text.set_visible(len(there) > 0)
            if len(there):
                text.xy = tuple(there[there[:, 1].argmax()])


class _Stage:
    """A round floor with a grid, as high as a clip's lowest joint, and shadows on it.

    Attributes:
        middle: The centre of a turning view, ``(3,)``.
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
        """Draw another view, and the shadows of people ``(P, J, 3)``, from the middle."""
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
