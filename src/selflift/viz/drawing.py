"""Bodies in one panel: views, bones and joints, colours of sides, near limbs over far ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.patheffects import withStroke

from selflift.skeleton import Skeleton

LEFT_COLOUR = "#0072B2"
RIGHT_COLOUR = "#D55E00"
TRUNK_COLOUR = "#333333"
# The trunks of several people; from the same palette as the sides.
PEOPLE_COLOURS = (TRUNK_COLOUR, "#009E73", "#CC79A7", "#A67C00", "#56B4E9")
BONE_WIDTH, HALO_WIDTH, PALE_WIDTH = 2.2, 3.8, 6.5
JOINT_AREA = 9.0
FAINTEST, PALE = 0.15, 0.28
MARGIN = 1.12
# Width and height of a panel, which is taller than wide as most bodies are; inches.
PANEL = (1.75, 2.2)
SIDE_VIEW_DEG = 90.0


class Bodies:
    """The people of one panel, as artists that can be moved.

    Args:
        ax: The panel.
        skeleton: The layout.
        people: ``P``; each has a trunk of its own colour.
        pale: Whether they are drawn broad and pale, to lie under others.
        bold: How much broader all lines are than in a small panel.
    """

    def __init__(
        self, ax: Axes, skeleton: Skeleton, people: int = 1, pale: bool = False, bold: float = 1.0
    ) -> None:
        self._bones = np.array(skeleton.bones, dtype=int).reshape(-1, 2)
        trunks = [PEOPLE_COLOURS[p % len(PEOPLE_COLOURS)] for p in range(people)]
        joints = range(skeleton.num_joints)
        self._colours = np.stack(
            [to_rgba_array([_colour(j, skeleton, trunk) for j in joints]) for trunk in trunks]
        )
        if pale:
            # Tints, not transparent colours, which would add up where bones meet.
            self._colours = 1 - PALE * (1 - self._colours)
            self._colours[..., 3] = 1
        # White along each bone shows at crossings which is the nearer.
        halo = withStroke(linewidth=bold * HALO_WIDTH, foreground="white", capstyle="butt")
        self._lines = LineCollection(
            [], linewidths=bold * (PALE_WIDTH if pale else BONE_WIDTH), capstyle="round",
            path_effects=[] if pale else [halo], zorder=1 if pale else 2,
        )  # fmt: skip
        ax.add_collection(self._lines, autolim=False)
        self._dots = None
        if not pale:
            self._dots = ax.scatter([], [], s=bold**2 * JOINT_AREA, zorder=3, linewidths=0)

    def move(
        self, points: np.ndarray, depth: np.ndarray | None = None, seen: np.ndarray | None = None
    ) -> None:
        """Move the people.

        Args:
            points: ``(P, J, 2)``, y up; a joint that is NaN is left out, with its bones.
            depth: ``(P, J)``; the nearer covers the farther. None: in the layout's order.
            seen: Confidences, ``(P, J)``: joints below 1 are fainter; those of 0 are left out.
        """
        colours = self._colours
        if seen is not None:
            points = np.where((seen > 0)[..., None], points, np.nan)
            colours = colours.copy()
            colours[..., 3] *= FAINTEST + (1 - FAINTEST) * np.clip(np.nan_to_num(seen), 0, 1)
        ends, shades = points[:, self._bones].reshape(-1, 2, 2), colours[:, self._bones[:, 1]]
        # A bone is as faint as the fainter of its ends.
        shades[..., 3] = colours[:, self._bones, 3].min(-1)
        shades = shades.reshape(-1, 4)
        order = np.arange(len(ends))
        if depth is not None:
            order = np.argsort(-depth[:, self._bones].mean(-1).ravel(), kind="stable")
        order = order[np.isfinite(ends).all((1, 2))[order]]
        self._lines.set_segments(list(ends[order]))
        self._lines.set_color(list(map(tuple, shades[order])))
        if self._dots is not None:
            there = np.isfinite(points).all(-1)
            self._dots.set_offsets(points[there])
            self._dots.set_facecolor(list(map(tuple, colours[there])))


def bone_colours(skeleton: Skeleton) -> list[str]:
    """The colour of every bone, in the order of ``skeleton.bones``."""
    return [_colour(child, skeleton, TRUNK_COLOUR) for _, child in skeleton.bones]


def view(
    X: np.ndarray, azimuth_deg: float, elevation_deg: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Orthographic view of positions after a turn about the vertical.

    Args:
        X: ``(..., 3)`` in camera axes.
        azimuth_deg: The turn; 0 degrees is the camera's own view, at 90 degrees depth grows to the
            right.
        elevation_deg: How far the viewer then looks down; at 90 degrees from straight above.

    Returns:
        Right and up, ``(..., 2)``; and depth, ``(...)``.
    """
    c, s = math.cos(math.radians(azimuth_deg)), math.sin(math.radians(azimuth_deg))
    x, up, z = X[..., 0], -X[..., 1], X[..., 2]
    right, away = c * x + s * z, c * z - s * x
    c, s = math.cos(math.radians(elevation_deg)), math.sin(math.radians(elevation_deg))
    return np.stack([right, c * up + s * away], axis=-1), c * away - s * up


def plot_pose_2d(ax: Axes, pose_2d: np.ndarray, skeleton: Skeleton) -> None:
    """Draw a 2D pose, y down as in the image.

    Args:
        ax: The panel.
        pose_2d: ``(J, 2)``, any unit; a joint that is NaN is left out, with its bones.
        skeleton: The layout.
    """
    points = pose_2d * [1, -1]
    Bodies(ax, skeleton).move(points[None])
    plain_panel(ax)
    frame([ax], points)


def plot_pose_3d(ax: Axes, X: np.ndarray, skeleton: Skeleton, azimuth_deg: float = 0.0) -> None:
    """Draw an orthographic view of a 3D pose; the nearer covers the farther.

    Args:
        ax: The panel.
        X: ``(J, 3)`` in camera axes, any unit.
        skeleton: The layout.
        azimuth_deg: Turn about the vertical (the camera's y axis) before drawing; see :func:`view`.
    """
    points, depth = view(X, azimuth_deg)
    Bodies(ax, skeleton).move(points[None], depth[None])
    plain_panel(ax)
    frame([ax], points)


def plain_panel(ax: Axes) -> None:
    """Remove the ticks and make the frame pale."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color("#CCCCCC")


def box_of(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle and size of the box around points ``(..., 2)``; zeros if all are NaN."""
    flat = points.reshape(-1, 2)
    flat = flat[np.isfinite(flat).all(-1)]
    low, high = (flat.min(0), flat.max(0)) if len(flat) else (np.zeros(2), np.zeros(2))
    return (low + high) / 2, high - low


def half_size(points: np.ndarray, panel: tuple[float, float]) -> np.ndarray:
    """Half the width and height, of the panel's proportions, that hold points, with a margin."""
    shape = np.array(panel, dtype=float)
    return MARGIN * shape * max(float((box_of(points)[1] / 2 / shape).max()), 1e-9)


def frame(
    axes: Sequence[Axes], points: np.ndarray, panel: tuple[float, float] = PANEL,
    half: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Set undistorted limits, the same in every panel, that hold all points.

    Args:
        axes: The panels.
        points: ``(..., 2)``; NaN is left out.
        panel: Width and height of a panel, any unit.
        half: Half of the limits' width and height, if it is not the points'.
    """
    middle, half = box_of(points)[0], half_size(points, panel) if half is None else half
    for ax in axes:
        ax.set_xlim(middle[0] - half[0], middle[0] + half[0])
        ax.set_ylim(middle[1] - half[1], middle[1] + half[1])
        ax.set_aspect("equal")


def _colour(joint: int, skeleton: Skeleton, trunk: str) -> str:
    if joint in skeleton.left:
        return LEFT_COLOUR
    return RIGHT_COLOUR if joint in skeleton.right else trunk
