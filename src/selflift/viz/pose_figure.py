"""A pose, or a few, in 2D or 3D, as a figure; and the checks of users' poses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from selflift.geometry.axes import turn_axes
from selflift.skeleton import Skeleton, get_skeleton
from selflift.viz.drawing import PANEL, SIDE_VIEW_DEG, Bodies, frame, half_size, plain_panel, view
from selflift.viz.panels import add_legend, grid, label_row, new_figure

Poses = np.ndarray | Tensor

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
        image: ``(H, W, 3)``, the image of the 2D poses; all of them are drawn over it.
        labels: A short text for every pose.
        up: The axis that points up in 3D: ``"-y"`` for camera axes (x right, y down, z forward);
            ``"y"`` or ``"z"``, see :mod:`selflift.geometry.axes`.

    Returns:
        The figure; a notebook shows it, and :func:`~selflift.viz.save_figure` writes it.

    Raises:
        ValueError: If a shape does not fit, or there is nothing, or too much, to draw.
    """
    X, layout = poses_of(pose, "pose", skeleton, (2, 3), ("N",))
    if len(X) > MOST_POSES:
        raise ValueError(
            f"pose: expected at most {MOST_POSES} poses in a figure, got {len(X)}; choose some, or "
            "see selflift.viz.animate"
        )
    Y = None if truth is None else _matching(truth, "truth", X.shape, "the poses")
    seen = None if confidence is None else _matching(confidence, "confidence", X.shape[:-1], "them")
    if labels is not None and len(labels) != len(X):
        raise ValueError(f"labels: expected one per pose ({len(X)}), got {len(labels)}")
    if X.shape[-1] == 3:
        if image is not None:
            raise ValueError("image: expected 2D poses to draw over it, got 3D ones")
        X = turn_axes(X, up, "-y")
        Y = None if Y is None else turn_axes(Y, up, "-y")
        return _solid(_Shown(X, Y, seen, labels, layout), "camera" if up == "-y" else "front")
    shown = _Shown(X * [1, -1], None if Y is None else Y * [1, -1], seen, labels, layout)
    return _flat(shown) if image is None else _over_image(_image_of(image), shown)


@dataclass(frozen=True)
class _Shown:
    """Checked poses: ``(N, J, D)``, their truth and confidence, and their labels."""

    X: np.ndarray
    Y: np.ndarray | None
    seen: np.ndarray | None
    labels: Sequence[str] | None
    skeleton: Skeleton

    def draw(
        self, ax: Axes, which: slice, angles: tuple[float, float] | None = None, bold: float = 1.0
    ) -> np.ndarray:
        """Draw some poses, of 3D ones a view, over their truth; returns all points, y up."""
        points, depth = self.X[which], None
        below = None if self.Y is None else self.Y[which]
        if angles is not None:
            points, depth = view(points, *angles)
            below = None if below is None else view(below, *angles)[0]
        if below is not None:
            Bodies(ax, self.skeleton, len(below), pale=True, bold=bold).move(below)
        seen = None if self.seen is None else self.seen[which]
        Bodies(ax, self.skeleton, len(points), bold=bold).move(points, depth, seen)
        plain_panel(ax)
        return points if below is None else np.stack([points, below])


def _solid(shown: _Shown, front: str) -> Figure:
    titles = (f"{front} view", "side view", "from above")
    inches = 0.1 if shown.labels is None else 1.6
    figure, axes = grid(len(shown.X), titles, inches, 0.08, truth=shown.Y is not None)
    for i, line in enumerate(axes):
        drawn = [
            shown.draw(ax, slice(i, i + 1), angles) for ax, angles in zip(line, VIEWS, strict=True)
        ]
        half = np.max([half_size(points, PANEL) for points in drawn], axis=0)
        for ax, points in zip(line, drawn, strict=True):
            frame([ax], points, half=half)
        if shown.labels is not None:
            label_row(line[0], shown.labels[i])
    return figure


def _flat(shown: _Shown) -> Figure:
    # A single panel is larger, and as wide as the legend needs.
    count, panel = len(shown.X), (4.4, 4.4) if len(shown.X) == 1 else PANEL
    across = min(count, ACROSS if count > 2 * ACROSS or count <= ACROSS else -(-count // 2))
    gap = 0.08 if shown.labels is None else 0.3
    figure, axes = grid(
        math.ceil(count / across), [""] * across, 0.1, gap, panel, truth=shown.Y is not None
    )
    panels = [ax for line in axes for ax in line]
    for i, ax in enumerate(panels[:count]):
        points = shown.draw(ax, slice(i, i + 1), bold=1.5 if count == 1 else 1.0)
        frame([ax], points, panel)
        if shown.labels is not None:
            ax.set_title(shown.labels[i], fontsize=9)
    for ax in panels[count:]:
        ax.set_axis_off()
    return figure


def _over_image(image: np.ndarray, shown: _Shown) -> Figure:
    high, wide = image.shape[:2]
    scale = min(IMAGE_WIDTH / wide, IMAGE_HEIGHT / high)
    figure = new_figure(max(scale * wide, 4.6), scale * high + 0.4)
    box = (0.0, 0.4 / (scale * high + 0.4), 1.0, scale * high / (scale * high + 0.4))
    ax = figure.add_axes(box)
    # Pixel (0, 0) has its centre there.
    extent, white = (-0.5, wide - 0.5, 0.5 - high, 0.5), 255 if image.dtype == np.uint8 else 1
    ax.imshow(image, extent=extent, cmap="gray", vmin=0, vmax=white, zorder=0)
    shown.draw(ax, slice(None))
    ax.set_xlim(-0.5, wide - 0.5)
    ax.set_ylim(0.5 - high, 0.5)
    for label, body in zip(shown.labels or (), shown.X, strict=False):
        highest = body[np.nanargmax(body[:, 1])] if np.isfinite(body).any() else (0, 0)
        ax.annotate(
            label, highest, (0, 6), textcoords="offset points", ha="center", fontsize=9,
            color="white", annotation_clip=True, bbox={"fc": "#000000B0", "lw": 0, "pad": 1.5},
        )  # fmt: skip
    add_legend(figure, truth=shown.Y is not None, people=len(shown.X))
    return figure


def poses_of(
    values: Poses, what: str, skeleton: str | Skeleton, dims: tuple[int, ...], lead: tuple[str, ...]
) -> tuple[np.ndarray, Skeleton]:
    """Validate poses and their layout.

    Args:
        values: ``(..., J, D)``; infinite numbers count as missing.
        what: Their name, for messages.
        skeleton: Their layout, or its name.
        dims: The ``D`` that are allowed.
        lead: Names of the leading dimensions; the first may be missing.

    Returns:
        ``(*lead, J, D)`` floats, NaN where something is missing; and the layout.

    Raises:
        ValueError: If the shape is another, or there is nothing to draw.
    """
    layout = get_skeleton(skeleton) if isinstance(skeleton, str) else skeleton
    X = _array_of(values)
    J, wanted = layout.num_joints, " or ".join(map(str, dims))
    fits = X.ndim in (len(lead) + 1, len(lead) + 2) and X.shape[-2] == J and X.shape[-1] in dims
    if not fits:
        named = ", ".join(lead)
        short = ", ".join((*lead[1:], f"{J}", wanted))
        raise ValueError(
            f"{what}: expected ({short}) or ({named}, {J}, {wanted}) of skeleton "
            f"'{layout.name}', got {X.shape}; name the skeleton that the poses have"
        )
    X = np.where(np.isfinite(X), X, np.nan)
    if not np.isfinite(X).all(-1).any():
        raise ValueError(f"{what}: expected at least one joint to draw, got none that is finite")
    return X if X.ndim == len(lead) + 2 else X[None], layout


def _array_of(values: Poses) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return np.array(values, dtype=float)


def _matching(values: Poses, what: str, shape: tuple[int, ...], of: str) -> np.ndarray:
    X = _array_of(values)
    X = X[None] if X.ndim == len(shape) - 1 else X
    if X.shape != shape:
        raise ValueError(f"{what}: expected shape {shape}, to fit {of}, got {X.shape}")
    return X


def _image_of(image: Poses) -> np.ndarray:
    pixels = image.detach().cpu().numpy() if isinstance(image, Tensor) else np.asarray(image)
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[-1] not in (3, 4)):
        raise ValueError(
            f"image: expected (H, W), (H, W, 3) or (H, W, 4), got {pixels.shape}; put the colours "
            "last"
        )
    if pixels.dtype != np.uint8 and not (pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError(
            f"image: expected bytes, or floats from 0 to 1, got {pixels.dtype} from "
            f"{pixels.min():g} to {pixels.max():g}; convert it with .astype('uint8')"
        )
    return pixels
