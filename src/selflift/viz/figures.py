"""Figures of what selflift computes: evaluated examples, samples of a set, and the cycle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from selflift.method.cycle import CycleOutput
from selflift.skeleton import Skeleton
from selflift.viz.drawing import frame
from selflift.viz.page import grid, label_row
from selflift.viz.views import PANEL, SIDE_VIEW_DEG, plot_pose_2d, plot_pose_3d, view


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


def figure_poses(rows: Sequence[ExamplePose]) -> Figure:
    """Examples as rows: the input, then prediction and truth from the camera and from the side.

    Args:
        rows: The examples; the 3D panels of a row share one scale.

    Raises:
        ValueError: If there is none.
    """
    titles = ("2D input", "prediction, camera view", "truth, camera view",
              "prediction, side view", "truth, side view")  # fmt: skip
    figure, axes = grid(len(rows), titles, label_inches=1.6, gap=0.3)
    for row, line in zip(rows, axes, strict=True):
        plot_pose_2d(line[0], row.pose_2d, row.skeleton)
        views = []
        for i, azimuth_deg in ((1, 0.0), (3, SIDE_VIEW_DEG)):
            plot_pose_3d(line[i], row.prediction, row.skeleton, azimuth_deg)
            plot_pose_3d(line[i + 1], row.truth, row.skeleton, azimuth_deg)
            views += [view(X, azimuth_deg)[0] for X in (row.prediction, row.truth)]
        frame(line[1:], np.concatenate(views), PANEL)
        line[1].set_title(row.error, fontsize=9)
        label_row(line[0], row.label)
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
    figure, axes = grid(lines, titles * across, label_inches=0.1, gap=0.45)
    panels = [line[i : i + views] for line in axes for i in range(0, len(line), views)]
    for row, own in zip(rows, panels, strict=False):
        plot_pose_2d(own[0], row.pose_2d, row.skeleton)
        own[0].set_title(row.label, fontsize=8, loc="left")
        if row.pose_3d is not None:
            X = row.pose_3d - row.pose_3d[row.skeleton.root]
            plot_pose_3d(own[1], X, row.skeleton)
            plot_pose_3d(own[2], X, row.skeleton, SIDE_VIEW_DEG)
            seen = [view(X, azimuth_deg)[0] for azimuth_deg in (0.0, SIDE_VIEW_DEG)]
            frame(own[1:], np.concatenate(seen), PANEL)
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
    figure, axes = grid(len(flat["x"]), titles, label_inches=0.1, gap=0.08)
    for i, line in enumerate(axes):
        for column, name in ((0, "x"), (3, "y"), (6, "x_hat")):
            plot_pose_2d(line[column], flat[name][i], skeleton)
        for column, name, azimuth_deg in (
            (1, "X", 0.0), (2, "X", SIDE_VIEW_DEG), (4, "Y", SIDE_VIEW_DEG),
            (5, "Y_hat", SIDE_VIEW_DEG),
        ):  # fmt: skip
            plot_pose_3d(line[column], solid[name][i], skeleton, azimuth_deg)
    return figure


def _arrays(poses: Tensor, count: int) -> np.ndarray:
    return poses[:count].detach().float().cpu().numpy()
