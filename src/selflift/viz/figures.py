"""Skeleton figures: poses in 2D and 3D, evaluated examples, and the cycle.

3D poses are given in camera axes (x right, y down, z forward) and drawn orthographically, up
upwards, after a turn about the vertical: 0 degrees is the camera's own view, at 90 degrees depth
grows to the right, so the camera stands at the left. Left limbs, right limbs and trunk have three
colours that the colour-blind can tell apart (Okabe and Ito, 2008).

Figures are drawn off screen, without pyplot and its global state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from selflift.atomic import atomic_path
from selflift.cycle import CycleOutput
from selflift.skeleton import Skeleton

LEFT_COLOUR = "#0072B2"
RIGHT_COLOUR = "#D55E00"
TRUNK_COLOUR = "#333333"
SIDE_VIEW_DEG = 90.0
MARGIN = 1.12
# Panels are taller than wide, as most bodies are.
PANEL_WIDTH, PANEL_HEIGHT = 1.75, 2.2


@dataclass(frozen=True)
class ExamplePose:
    """One evaluated pose, to be drawn as a row of :func:`figure_poses`.

    Attributes:
        pose_2d: Input in pixels, ``(J, 2)``.
        prediction: Root-centred, in camera axes and of the truth's scale, ``(J, 3)``.
        truth: Root-centred, in camera axes, ``(J, 3)``.
        label: What the row shows, a few short lines.
        error: The prediction's error with its name and unit, e.g. ``"PA-MPJPE 45.2 mm"``.
        skeleton: The layout.
    """

    pose_2d: np.ndarray
    prediction: np.ndarray
    truth: np.ndarray
    label: str
    error: str
    skeleton: Skeleton


@dataclass(frozen=True)
class SamplePose:
    """A pose of a set, to be drawn by :func:`figure_samples`.

    Attributes:
        pose_2d: Pixels, ``(J, 2)``; NaN where a joint is missing.
        pose_3d: ``(J, 3)`` in camera axes, if it is known.
        label: What it is, one short line or two.
        skeleton: The layout.
    """

    pose_2d: np.ndarray
    pose_3d: np.ndarray | None
    label: str
    skeleton: Skeleton


def plot_pose_2d(ax: Axes, pose_2d: np.ndarray, skeleton: Skeleton) -> None:
    """Draw a 2D pose, y down as in the image.

    Args:
        ax: Where to draw.
        pose_2d: ``(J, 2)``, any unit; a joint that is NaN is left out, with its bones.
        skeleton: The layout.
    """
    _draw(ax, pose_2d * [1, -1], np.zeros(len(pose_2d)), skeleton)
    _frame([ax], pose_2d * [1, -1])


def plot_pose_3d(ax: Axes, X: np.ndarray, skeleton: Skeleton, azimuth_deg: float = 0.0) -> None:
    """Draw an orthographic view of a 3D pose; what is nearer covers what is farther.

    Args:
        ax: Where to draw.
        X: ``(J, 3)`` in camera axes, any unit.
        skeleton: The layout.
        azimuth_deg: Turn about the vertical (the camera's y axis) before drawing; see the module.
    """
    seen, depth = _view(X, azimuth_deg)
    _draw(ax, seen, depth, skeleton)
    _frame([ax], seen)


def figure_poses(rows: Sequence[ExamplePose]) -> Figure:
    """Examples as rows: the input, then prediction and truth from the camera and from the side.

    Args:
        rows: The examples; the 3D panels of a row share one scale.

    Raises:
        ValueError: If there is none.
    """
    titles = ("2D input", "prediction, camera view", "truth, camera view",
              "prediction, side view", "truth, side view")  # fmt: skip
    figure, axes = _grid(len(rows), titles, label_inches=1.6, gap=0.3)
    for row, line in zip(rows, axes, strict=True):
        plot_pose_2d(line[0], row.pose_2d, row.skeleton)
        views = []
        for i, azimuth_deg in ((1, 0.0), (3, SIDE_VIEW_DEG)):
            plot_pose_3d(line[i], row.prediction, row.skeleton, azimuth_deg)
            plot_pose_3d(line[i + 1], row.truth, row.skeleton, azimuth_deg)
            views += [_view(X, azimuth_deg)[0] for X in (row.prediction, row.truth)]
        _frame(line[1:], np.concatenate(views))
        line[1].set_title(row.error, fontsize=9)
        line[0].annotate(
            row.label, (0, 0.5), (-12, 0), xycoords="axes fraction", textcoords="offset points",
            ha="right", va="center", fontsize=9, linespacing=1.5,
        )  # fmt: skip
    return figure


def figure_samples(rows: Sequence[SamplePose]) -> Figure:
    """Samples of a pose set: the 2D pose and, where it is known, the 3D pose from two sides.

    Args:
        rows: The samples; all of them with 3D or none.

    Raises:
        ValueError: If there is none.
    """
    if not rows:
        raise ValueError("figure: expected at least one pose to draw, got none")
    solid = rows[0].pose_3d is not None
    views = 3 if solid else 1
    across = 2 if solid else 6
    lines = math.ceil(len(rows) / across)
    titles = ("2D pose", "3D, camera view", "3D, side view") if solid else ("",)
    figure, axes = _grid(lines, titles * across, label_inches=0.1, gap=0.45)
    panels = [line[i : i + views] for line in axes for i in range(0, len(line), views)]
    for row, own in zip(rows, panels, strict=False):
        plot_pose_2d(own[0], row.pose_2d, row.skeleton)
        own[0].set_title(row.label, fontsize=8, loc="left")
        if row.pose_3d is not None:
            X = row.pose_3d - row.pose_3d[row.skeleton.root]
            plot_pose_3d(own[1], X, row.skeleton)
            plot_pose_3d(own[2], X, row.skeleton, SIDE_VIEW_DEG)
            _frame(own[1:], np.concatenate([_view(X, a)[0] for a in (0.0, SIDE_VIEW_DEG)]))
    for own in panels[len(rows) :]:
        for ax in own:
            ax.set_axis_off()
    return figure


def figure_cycle(cycle: CycleOutput, skeleton: Skeleton, count: int) -> Figure:
    r"""The method's figure for the first poses of a batch.

    Columns: ``x``; ``X`` from the camera and from the side; the random projection ``y``; ``Y`` and
    ``Y_hat`` from the side; ``x_hat``. Closed cycles show equal first and last columns.

    Args:
        cycle: A turn of the cycle.
        skeleton: The layout.
        count: Poses to draw, at most.

    Raises:
        ValueError: If there is no pose to draw.
    """
    titles = (r"$x$, input", r"$X$, camera view", r"$X$, side view", r"$y$, random view",
              r"$Y$, side view", r"$\hat{Y}$, side view", r"$\hat{x}$, closed")  # fmt: skip
    flat = {name: _arrays(getattr(cycle, name), count) for name in ("x", "y", "x_hat")}
    solid = {name: _arrays(getattr(cycle, name), count) for name in ("X", "Y", "Y_hat")}
    figure, axes = _grid(len(flat["x"]), titles, label_inches=0.1, gap=0.08)
    for i, line in enumerate(axes):
        for column, name in ((0, "x"), (3, "y"), (6, "x_hat")):
            plot_pose_2d(line[column], flat[name][i], skeleton)
        for column, name, azimuth_deg in (
            (1, "X", 0.0), (2, "X", SIDE_VIEW_DEG), (4, "Y", SIDE_VIEW_DEG),
            (5, "Y_hat", SIDE_VIEW_DEG),
        ):  # fmt: skip
            plot_pose_3d(line[column], solid[name][i], skeleton, azimuth_deg)
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure, atomically; the name's ending gives the format.

    Raises:
        OSError: If it can't be written; an earlier file of that name is intact.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lstrip(".") or "png", dpi=120)


def bone_colours(skeleton: Skeleton) -> list[str]:
    """The colour of every bone, in the order of ``skeleton.bones``."""
    return [_colour(child, skeleton) for _, child in skeleton.bones]


def _colour(joint: int, skeleton: Skeleton) -> str:
    if joint in skeleton.left:
        return LEFT_COLOUR
    return RIGHT_COLOUR if joint in skeleton.right else TRUNK_COLOUR


def _arrays(poses: Tensor, count: int) -> np.ndarray:
    return poses[:count].detach().float().cpu().numpy()


def _view(X: np.ndarray, azimuth_deg: float) -> tuple[np.ndarray, np.ndarray]:
    # Differs from geometry.rotation.azimuth in nothing but the library.
    c, s = math.cos(math.radians(azimuth_deg)), math.sin(math.radians(azimuth_deg))
    x, y, z = X[:, 0], X[:, 1], X[:, 2]
    return np.stack([c * x + s * z, -y], axis=-1), c * z - s * x


def _draw(ax: Axes, points: np.ndarray, depth: np.ndarray, skeleton: Skeleton) -> None:
    bones = np.array(skeleton.bones)
    colours = np.array(bone_colours(skeleton))
    # A bone with a missing end, or a joint that is missing, is not drawn.
    whole = np.isfinite(points[bones]).all((1, 2))
    bones, colours = bones[whole], colours[whole]
    order = np.argsort(-depth[bones].mean(1), kind="stable")
    ax.add_collection(
        LineCollection(
            list(points[bones[order]]), colors=list(colours[order]), linewidths=2.2,
            capstyle="round",
        )
    )  # fmt: skip
    joints = [_colour(j, skeleton) for j in range(skeleton.num_joints)]
    ax.scatter(points[:, 0], points[:, 1], s=9, c=joints, zorder=3, linewidths=0)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color("#CCCCCC")


def _frame(axes: Sequence[Axes], points: np.ndarray) -> None:
    low, high = np.nanmin(points, 0), np.nanmax(points, 0)
    centre = (low + high) / 2
    panel = np.array([PANEL_WIDTH, PANEL_HEIGHT])
    half = MARGIN * panel * max(((high - low) / 2 / panel).max(), 1e-9)
    for ax in axes:
        ax.set_xlim(centre[0] - half[0], centre[0] + half[0])
        ax.set_ylim(centre[1] - half[1], centre[1] + half[1])
        ax.set_aspect("equal")


def _grid(
    num_rows: int, titles: Sequence[str], label_inches: float, gap: float
) -> tuple[Figure, list[list[Axes]]]:
    if num_rows == 0:
        raise ValueError("figure: expected at least one pose to draw, got none")
    heading, legend, between = 0.3, 0.4, 0.08
    width = label_inches + len(titles) * (PANEL_WIDTH + between)
    height = heading + num_rows * (PANEL_HEIGHT + gap) + legend
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    grid = figure.subplots(num_rows, len(titles), squeeze=False)
    figure.subplots_adjust(
        left=label_inches / width, right=1 - between / width, bottom=legend / height,
        top=1 - (heading + gap) / height, wspace=between / PANEL_WIDTH, hspace=gap / PANEL_HEIGHT,
    )  # fmt: skip
    axes = [list(line) for line in grid]
    for ax, title in zip(axes[0], titles, strict=True):
        box = ax.get_position()
        middle = (box.x0 + box.x1) / 2
        figure.text(middle, 1 - heading / 2 / height, title, ha="center", va="center", fontsize=10)
    sides = {"left limbs": LEFT_COLOUR, "right limbs": RIGHT_COLOUR, "trunk": TRUNK_COLOUR}
    figure.legend(
        handles=[Line2D([], [], color=c, linewidth=2.5, label=name) for name, c in sides.items()],
        loc="lower center", ncols=3, frameon=False, fontsize=10,
    )  # fmt: skip
    return figure, axes
