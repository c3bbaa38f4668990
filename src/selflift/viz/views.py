"""Views of bodies: orthographic, from the camera's axes to a panel's right and up."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes

from selflift.skeleton import Skeleton
from selflift.viz.drawing import PANEL_HEIGHT, PANEL_WIDTH, Bodies, frame, plain_panel

SIDE_VIEW_DEG = 90.0
PANEL = (PANEL_WIDTH, PANEL_HEIGHT)


def view(
    X: np.ndarray, azimuth_deg: float, elevation_deg: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Positions as seen after a turn about the vertical.

    Args:
        X: ``(..., 3)`` in camera axes.
        azimuth_deg: The turn; 0 degrees is the camera's own view, at 90 degrees depth grows to the
            right.
        elevation_deg: How far the viewer then looks down; at 90 degrees from straight above.

    Returns:
        Right and up, ``(..., 2)``; and depth, ``(...)``.
    """
    # Differs from geometry.rotation.azimuth in nothing but the library.
    c, s = math.cos(math.radians(azimuth_deg)), math.sin(math.radians(azimuth_deg))
    x, up, z = X[..., 0], -X[..., 1], X[..., 2]
    right, away = c * x + s * z, c * z - s * x
    c, s = math.cos(math.radians(elevation_deg)), math.sin(math.radians(elevation_deg))
    return np.stack([right, c * up + s * away], axis=-1), c * away - s * up


def plot_pose_2d(ax: Axes, pose_2d: np.ndarray, skeleton: Skeleton) -> None:
    """Draw a 2D pose, y down as in the image.

    Args:
        ax: Where to draw.
        pose_2d: ``(J, 2)``, any unit; a joint that is NaN is left out, with its bones.
        skeleton: The layout.
    """
    Bodies(ax, skeleton).move(pose_2d[None] * [1, -1])
    plain_panel(ax)
    frame([ax], pose_2d * [1, -1], PANEL)


def plot_pose_3d(ax: Axes, X: np.ndarray, skeleton: Skeleton, azimuth_deg: float = 0.0) -> None:
    """Draw an orthographic view of a 3D pose; what is nearer covers what is farther.

    Args:
        ax: Where to draw.
        X: ``(J, 3)`` in camera axes, any unit.
        skeleton: The layout.
        azimuth_deg: Turn about the vertical (the camera's y axis) before drawing; see :func:`view`.
    """
    seen, depth = view(X, azimuth_deg)
    Bodies(ax, skeleton).move(seen[None], depth[None])
    plain_panel(ax)
    frame([ax], seen, PANEL)
