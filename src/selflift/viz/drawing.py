"""Bodies in one panel: their bones and joints, sides told by colours, the nearer over the farther.

Positions reach this module as ``(P, J, 2)``, y up, with depths ``(P, J)``: views are taken in
:mod:`selflift.viz.views`.
"""

from __future__ import annotations

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
# Panels are taller than wide, as most bodies are; inches.
PANEL_WIDTH, PANEL_HEIGHT = 1.75, 2.2


class Bodies:
    """The people of one panel, as artists that can be moved.

    Args:
        ax: Where to draw.
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
        # White along each bone tells at crossings which is the nearer.
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
        """Put the people elsewhere.

        Args:
            points: ``(P, J, 2)``, y up; a joint that is NaN is left out, with its bones.
            depth: ``(P, J)``; what is nearer covers what is farther. None: in the layout's order.
            seen: Confidences, ``(P, J)``: joints below 1 are fainter; those of 0 are left out.
        """
        colours = self._colours
        if seen is not None:
            points = np.where((seen > 0)[..., None], points, np.nan)
            colours = colours.copy()
            colours[..., 3] *= FAINTEST + (1 - FAINTEST) * np.clip(np.nan_to_num(seen), 0, 1)
        ends, shades = points[:, self._bones].reshape(-1, 2, 2), colours[:, self._bones[:, 1]]
        # A bone is as faint as the fainter of its ends.
        shades = shades.copy()
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


def plain_panel(ax: Axes) -> None:
    """No ticks, a pale frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color("#CCCCCC")


def frame(axes: Sequence[Axes], points: np.ndarray, panel: tuple[float, float] = (1, 1)) -> None:
    """Limits that hold all points, the same in every panel, undistorted.

    Args:
        axes: The panels.
        points: ``(..., 2)``; NaN is left out.
        panel: Width and height of a panel, any unit.
    """
    size = np.array(panel, dtype=float)
    frame_around(axes, centre(points), half_size(points, size))


def centre(points: np.ndarray) -> np.ndarray:
    """The middle of the box around points ``(..., 2)``; the origin if all are NaN."""
    low, high = _box(points)
    return (low + high) / 2


def half_size(points: np.ndarray, panel: np.ndarray) -> np.ndarray:
    """Half the width and height, of the panel's proportions, that hold points, with a margin."""
    low, high = _box(points)
    return MARGIN * panel * max(float(((high - low) / 2 / panel).max()), 1e-9)


def extent(points: np.ndarray) -> np.ndarray:
    """Width and height of the box around points ``(..., 2)``."""
    low, high = _box(points)
    return high - low


def frame_around(axes: Sequence[Axes], middle: np.ndarray, half: np.ndarray) -> None:
    """Limits from their middle and half their size."""
    for ax in axes:
        ax.set_xlim(middle[0] - half[0], middle[0] + half[0])
        ax.set_ylim(middle[1] - half[1], middle[1] + half[1])
        ax.set_aspect("equal")


def _box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = points.reshape(-1, 2)
    flat = flat[np.isfinite(flat).all(-1)]
    if not len(flat):
        return np.zeros(2), np.zeros(2)
    return flat.min(0), flat.max(0)


def _colour(joint: int, skeleton: Skeleton, trunk: str) -> str:
    if joint in skeleton.left:
        return LEFT_COLOUR
    return RIGHT_COLOUR if joint in skeleton.right else trunk
