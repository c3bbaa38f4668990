"""Clips in motion: 3D people on a floor, beside the 2D that they were lifted from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selflift.geometry.axes import turn_axes
from selflift.skeleton import Skeleton
from selflift.viz.drawing import (
    PEOPLE_COLOURS,
    Bodies,
    centre,
    extent,
    frame_around,
    half_size,
    plain_panel,
)
from selflift.viz.given import Poses, layout_of, poses_of
from selflift.viz.page import LEGEND, add_legend, new_figure
from selflift.viz.stage import Stage
from selflift.viz.views import view

# What is drawn of a clip unless `every` says otherwise.
MOST_FPS, MOST_FRAMES = 30.0, 600
HEIGHT = 4.2
NARROWEST, WIDEST = 0.62, 1.7
BOLD = 1.35
# Of a notebook, at most.
EMBED_MB = 60.0


class PoseAnimation(FuncAnimation):
    """An animation that notebooks play.

    Attributes:
        fps: Drawn frames per second, at the clip's own pace.
    """

    fps: float

    def __del__(self) -> None:
        """Nothing: matplotlib warns here of windows that never came to be; there is no window."""

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
    layout = layout_of(skeleton)
    X = poses_of(poses_3d, "poses_3d", layout, (3,), ("P", "T"))
    x = None
    if poses_2d is not None:
        x = poses_of(poses_2d, "poses_2d", layout, (2,), ("P", "T")) * [1, -1]
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
    people = len(X)
    # The stage knows where the middle is only after it was made, so its panel comes first.
    figure = new_figure(1, 1)
    ax = figure.add_axes((0, 0, 1, 1))
    stage = Stage(ax, X, skeleton)
    X = X - stage.middle
    seen = [view(X[:, t], a, elevation_deg) for t, a in enumerate(azimuths)]
    rim = np.stack([view(stage.rim, a, elevation_deg)[0] for a in azimuths])
    bodies = np.stack([points for points, _ in seen])
    panels = [(ax, np.concatenate([bodies.reshape(-1, 2), rim.reshape(-1, 2)]))]
    if x is not None:
        panels.insert(0, (figure.add_axes((0, 0, 1, 1), label="2D"), x))
    clock = _lay_out(figure, panels)
    solid = Bodies(ax, skeleton, people, bold=BOLD)
    flat = None if x is None else Bodies(panels[0][0], skeleton, people, bold=BOLD)
    names = [_Names(panel, people) for panel, _ in panels]
    add_legend(figure, people=people)

    def draw(t: int) -> list[Any]:
        points, depth = seen[t]
        stage.move(X[:, t], float(azimuths[t]), elevation_deg)
        solid.move(points, depth)
        names[-1].move(points)
        if flat is not None and x is not None:
            flat.move(x[:, t])
            names[0].move(x[:, t])
        clock.set_text(f"{t / fps:.2f} s")
        return []

    draw(0)
    return figure, draw


def _lay_out(figure: Figure, panels: list[tuple[Axes, np.ndarray]]) -> Any:
    """Panels side by side, each as wide as what it holds, within bounds; returns the clock."""
    widths = []
    for _, points in panels:
        wide, high = extent(points)
        widths.append(HEIGHT * min(max(wide / max(high, 1e-9), NARROWEST), WIDEST))
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
        frame_around([ax], centre(points), half_size(points, np.array([wide, HEIGHT])))
        if len(panels) > 1:
            figure.text(
                (left + wide / 2) / width, 1 - top / 2 / height, "3D" if ax.get_label() != "2D"
                else "2D", ha="center", va="center", fontsize=10,
            )  # fmt: skip
        left += wide + gap
    return panels[-1][0].text(
        0.985, 0.015, "", transform=panels[-1][0].transAxes, ha="right", va="bottom", fontsize=9,
        color="#777777",
    )  # fmt: skip


@dataclass
class _Names:
    """The numbers of several people, above their heads."""

    ax: Axes
    people: int

    def __post_init__(self) -> None:
        shown = range(self.people if self.people > 1 else 0)
        self._texts = [
            self.ax.annotate(
                str(p + 1), (0, 0), (0, 5), textcoords="offset points", ha="center", fontsize=9,
                color=PEOPLE_COLOURS[p % len(PEOPLE_COLOURS)], fontweight="bold", zorder=4,
            )
            for p in shown
        ]  # fmt: skip

    def move(self, points: np.ndarray) -> None:
        """Put them above the highest joint of people ``(P, J, 2)``; nobody's is hidden."""
        for text, body in zip(self._texts, points, strict=False):
            there = body[np.isfinite(body).all(-1)]
            text.set_visible(len(there) > 0)
            if len(there):
                text.xy = tuple(there[there[:, 1].argmax()])
