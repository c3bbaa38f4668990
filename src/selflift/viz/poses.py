"""A pose, or a few, in 2D or 3D, as a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selflift.geometry.axes import turn_axes
from selflift.skeleton import Skeleton
from selflift.viz.drawing import (
    Bodies,
    centre,
    frame,
    frame_around,
    half_size,
    plain_panel,
)
from selflift.viz.given import Poses, image_of, layout_of, matching, poses_of
from selflift.viz.page import add_legend, grid, label_row, new_figure
from selflift.viz.views import PANEL, SIDE_VIEW_DEG, view

MOST_POSES = 24
ACROSS = 6
# Azimuth and elevation, degrees.
VIEWS = ((0.0, 0.0), (SIDE_VIEW_DEG, 0.0), (0.0, 90.0))
IMAGE_WIDTH, IMAGE_HEIGHT = 8.0, 6.0


def plot_pose(
    pose: Poses,
    skeleton: str | Skeleton = "h36m_17",
    *,
    truth: Poses | None = None,
    confidence: Poses | None = None,
    image: Poses | None = None,
    labels: Sequence[str] | None = None,
    up: str = "-y",
) -> Figure:
    """Draw one pose or a few: 2D as it is, 3D from the camera, from the side and from above.

    The views of a 3D pose have one scale. From above, the camera stands at the lower edge.

    Args:
        pose: ``(J, 2)``, pixels, y down, or ``(J, 3)``, any unit; or several, ``(N, J, 2)`` or
            ``(N, J, 3)``. Joints that are NaN are left out, with their bones.
        skeleton: Their layout, or its name.
        truth: Poses of the same shape to compare with, drawn broad and pale under the others, as
            they are: nothing is aligned.
        confidence: ``(J,)`` or ``(N, J)``: joints below 1 are fainter, and those of 0 left out.
        image: ``(H, W, 3)``, what the 2D poses were seen in; all of them are drawn over it.
        labels: A short text for every pose.
        up: The axis that points up in 3D: ``"-y"`` for camera axes (x right, y down, z forward);
            ``"y"`` or ``"z"``, see :mod:`selflift.geometry.axes`.

    Returns:
        The figure; a notebook shows it, and :func:`~selflift.viz.save_figure` writes it.

    Raises:
        ValueError: If a shape does not fit, or there is nothing, or too much, to draw.
    """
    layout = layout_of(skeleton)
    X = poses_of(pose, "pose", layout, (2, 3), ("N",))
    if len(X) > MOST_POSES:
        raise ValueError(
            f"pose: expected at most {MOST_POSES} poses in a figure, got {len(X)}; choose some, or "
            "see selflift.viz.animate"
        )
    Y = None if truth is None else matching(truth, "truth", X.shape, "the poses")
    seen = None if confidence is None else matching(confidence, "confidence", X.shape[:-1], "them")
    if labels is not None and len(labels) != len(X):
        raise ValueError(f"labels: expected one per pose ({len(X)}), got {len(labels)}")
    if X.shape[-1] == 3:
        if image is not None:
            raise ValueError("image: expected 2D poses to draw over it, got 3D ones")
        X = turn_axes(X, up, "-y")
        Y = None if Y is None else turn_axes(Y, up, "-y")
        return _solid(X, Y, seen, labels, layout, "camera" if up == "-y" else "front")
    X = X * [1, -1]
    Y = None if Y is None else Y * [1, -1]
    if image is not None:
        return _over_image(image_of(image), X, Y, seen, labels, layout)
    return _flat(X, Y, seen, labels, layout)


def _solid(
    X: np.ndarray, Y: np.ndarray | None, seen: np.ndarray | None, labels: Sequence[str] | None,
    skeleton: Skeleton, front: str,
) -> Figure:  # fmt: skip
    titles = (f"{front} view", "side view", "from above")
    inches = 0.1 if labels is None else 1.6
    figure, axes = grid(len(X), titles, inches, 0.08, truth=Y is not None)
    for i, line in enumerate(axes):
        drawn = []
        for ax, (azimuth_deg, elevation_deg) in zip(line, VIEWS, strict=True):
            points, depth = view(X[i : i + 1], azimuth_deg, elevation_deg)
            below = None if Y is None else view(Y[i : i + 1], azimuth_deg, elevation_deg)[0]
            _draw(ax, skeleton, points, depth, below, None if seen is None else seen[i : i + 1])
            drawn.append(points if below is None else np.stack([points, below]))
        half = np.max([half_size(points, np.array(PANEL)) for points in drawn], axis=0)
        for ax, points in zip(line, drawn, strict=True):
            frame_around([ax], centre(points), half)
        if labels is not None:
            label_row(line[0], labels[i])
    return figure


def _flat(
    X: np.ndarray, Y: np.ndarray | None, seen: np.ndarray | None, labels: Sequence[str] | None,
    skeleton: Skeleton,
) -> Figure:  # fmt: skip
    # A single panel is larger, and as wide as the legend needs.
    panel = (4.4, 4.4) if len(X) == 1 else PANEL
    across = min(len(X), ACROSS if len(X) > 2 * ACROSS or len(X) <= ACROSS else -(-len(X) // 2))
    gap = 0.08 if labels is None else 0.3
    figure, axes = grid(
        math.ceil(len(X) / across), [""] * across, 0.1, gap, panel, truth=Y is not None
    )
    panels = [ax for line in axes for ax in line]
    for i, ax in enumerate(panels[: len(X)]):
        one = slice(i, i + 1)
        below = None if Y is None else Y[one]
        sure, bold = None if seen is None else seen[one], 1.5 if len(X) == 1 else 1.0
        _draw(ax, skeleton, X[one], None, below, sure, bold)
        frame([ax], X[one] if below is None else np.stack([X[one], below]), panel)
        if labels is not None:
            ax.set_title(labels[i], fontsize=9)
    for ax in panels[len(X) :]:
        ax.set_axis_off()
    return figure


def _over_image(
    image: np.ndarray, X: np.ndarray, Y: np.ndarray | None, seen: np.ndarray | None,
    labels: Sequence[str] | None, skeleton: Skeleton,
) -> Figure:  # fmt: skip
    high, wide = image.shape[:2]
    scale = min(IMAGE_WIDTH / wide, IMAGE_HEIGHT / high)
    figure = new_figure(max(scale * wide, 4.6), scale * high + 0.4)
    box = (0.0, 0.4 / (scale * high + 0.4), 1.0, scale * high / (scale * high + 0.4))
    ax = figure.add_axes(box)
    # Pixel (0, 0) has its centre there.
    extent, white = (-0.5, wide - 0.5, 0.5 - high, 0.5), 255 if image.dtype == np.uint8 else 1
    ax.imshow(image, extent=extent, cmap="gray", vmin=0, vmax=white, zorder=0)
    _draw(ax, skeleton, X, None, Y, seen)
    ax.set_xlim(-0.5, wide - 0.5)
    ax.set_ylim(0.5 - high, 0.5)
    if labels is not None:
        for p, label in enumerate(labels):
            highest = X[p][np.nanargmax(X[p, :, 1])] if np.isfinite(X[p]).any() else (0, 0)
            ax.annotate(
                label, highest, (0, 6), textcoords="offset points", ha="center", fontsize=9,
                color="white", annotation_clip=True, bbox={"fc": "#000000B0", "lw": 0, "pad": 1.5},
            )  # fmt: skip
    add_legend(figure, truth=Y is not None, people=len(X))
    return figure


def _draw(
    ax: Axes, skeleton: Skeleton, points: np.ndarray, depth: np.ndarray | None,
    below: np.ndarray | None, seen: np.ndarray | None, bold: float = 1.0,
) -> None:  # fmt: skip
    if below is not None:
        Bodies(ax, skeleton, len(below), pale=True, bold=bold).move(below)
    Bodies(ax, skeleton, len(points), bold=bold).move(points, depth, seen)
    plain_panel(ax)
