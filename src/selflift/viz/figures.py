"""Figures of evaluated examples, of samples of a set, and of the cycle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from selflift.method.cycle import CycleOutput, run_cycle
from selflift.method.views import ViewSampler
from selflift.models import Lifter
from selflift.skeleton import Skeleton
from selflift.viz.drawing import SIDE_VIEW_DEG, frame, plot_pose_2d, plot_pose_3d, view
from selflift.viz.panels import grid, label_row
from selflift.viz.pose_figure import Poses

# Of the size that normalised poses have, 1 / c.
OFF_CENTRE = 1e-3


@dataclass(frozen=True)
class ExamplePose:
    """One evaluated pose, to be drawn as a row of :func:`figure_poses`.

    Attributes:
        pose_2d: Input in pixels, ``(J, 2)``.
        prediction: Root-centred, in camera axes and of the truth's scale, ``(J, 3)``.
        truth: Root-centred, in camera axes, ``(J, 3)``.
        label: A few short lines on what the row shows.
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
        label: One short line or two.
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
        frame(line[1:], np.concatenate(views))
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
            frame(own[1:], np.concatenate(seen))
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


def plot_cycle(
    lifter: Lifter,
    x: Poses,
    views: ViewSampler | None = None,
    seed: int = 0,
    *,
    confidence: Poses | None = None,
    count: int = 4,
) -> Figure:
    """Draw the cycle of a lifter: lift, turn to a random view, project, lift again, turn back.

    A lifter that is right closes the cycle: the last column equals the first, ``Y_hat`` equals
    ``Y``, and the random view looks like a real pose.

    Args:
        lifter: ``G``; its mode (training or evaluation) is left as it is.
        x: Normalised, root-centred 2D poses, ``(B, J, 2)`` or ``(J, 2)``, see
            :mod:`selflift.geometry.normalise`.
        views: How random views are drawn; if ``None``, as the lifter allows: ``learned`` with an
            elevation head (whose elevations are those of all ``B`` poses), ``paper`` without.
        seed: Which random views.
        confidence: ``(B, J)`` or ``(J,)``; 0 marks a missing joint, which is not drawn in ``x``.
        count: How many of the poses to draw, at most.

    Returns:
        The figure, a row per pose; see :func:`~selflift.viz.figure_cycle`.

    Raises:
        ValueError: If poses or confidences don't fit the lifter, or aren't normalised.
    """
    skeleton, weight = lifter.skeleton, lifter.depth_head.weight
    poses = torch.as_tensor(x).detach().to(weight)
    poses = poses[None] if poses.ndim == 2 else poses
    J = skeleton.num_joints
    if poses.ndim != 3 or poses.shape[1:] != (J, 2):
        raise ValueError(
            f"x: expected (B, {J}, 2) or ({J}, 2), the lifter's '{skeleton.name}', got "
            f"{tuple(torch.as_tensor(x).shape)}; convert with selflift.skeleton.convert"
        )
    sure = None
    if confidence is not None:
        sure = torch.as_tensor(confidence).detach().to(weight)
        sure = sure[None] if sure.ndim == 1 else sure
        if sure.shape != poses.shape[:2]:
            raise ValueError(
                f"confidence: expected shape {tuple(poses.shape[:2])}, one number per joint, got "
                f"{tuple(sure.shape)}"
            )
    _check_normalised(poses, sure, lifter)
    if views is None:
        views = ViewSampler("paper" if lifter.elevation_head is None else "learned")
    generator = torch.Generator(weight.device).manual_seed(seed)
    training = lifter.training
    try:
        with torch.no_grad():
            cycle = run_cycle(lifter.eval(), poses, views, generator, sure)
    finally:
        lifter.train(training)
    if sure is not None:
        cycle = replace(cycle, x=cycle.x.masked_fill((sure <= 0)[..., None], float("nan")))
    return figure_cycle(cycle, skeleton, count)


def _check_normalised(x: Tensor, confidence: Tensor | None, lifter: Lifter) -> None:
    present = torch.ones_like(x[..., 0]) > 0 if confidence is None else confidence > 0
    if not x[present].isfinite().all():
        raise ValueError(
            "x: expected finite poses, got NaN; mark missing joints by confidence 0, for a lifter "
            "with model.lifter.confidences=true"
        )
    root = x[:, lifter.skeleton.root]
    off = float(root.abs().max()) if len(root) else 0.0
    if not off * lifter.depth < OFF_CENTRE:
        raise ValueError(
            f"x: expected normalised poses with {lifter.skeleton.joints[lifter.skeleton.root]} at "
            f"the origin, got it up to {off:.3g} away; see selflift.geometry.normalise"
        )


def _arrays(poses: Tensor, count: int) -> np.ndarray:
    return poses[:count].detach().float().cpu().numpy()
