"""Charts of the report as SVG images in ``data:`` addresses, drawn by matplotlib.

Poses are reduced to bins and quantiles, so that the size of a chart doesn't grow with their
number.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ACCENT, DARK = "#00795c", "#1b1f24"
HISTOGRAM_BINS, DENSITY_BINS, TREND_BINS = 60, 36, 12
# Share of the poses at either end that doesn't stretch an axis.
TAIL = 0.005
NAME_LENGTH = 24
INCHES = (4.6, 3.3)
STYLE: dict[Any, Any] = {
    # One salt and no date: the same data give the same bytes.
    "svg.hashsalt": "selflift", "svg.fonttype": "none", "text.parse_math": False,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "axes.grid": True, "grid.color": "#e3e6ea", "font.size": 9, "legend.frameon": False,
}  # fmt: skip


class Bin(NamedTuple):
    """Errors of the poses whose covariate lies between two values."""

    low: float
    high: float
    num_poses: int
    mean: float
    quarter: float
    three_quarters: float


@contextmanager
def style() -> Iterator[None]:
    """Draw figures in the style of the report; user text is never read as mathematics."""
    with mpl.rc_context(STYLE):
        yield


def svg_address(figure: Figure) -> str:
    """Encode a figure as the address of an image."""
    buffer = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with style():
        figure.savefig(buffer, format="svg", metadata=nothing)
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def histogram(errors: np.ndarray, axis: str, marks: Mapping[str, float]) -> Figure:
    """Draw how many poses have which error; the last bar holds all beyond the axis.

    Args:
        errors: One per pose, finite.
        axis: Title of the axis, with unit.
        marks: Label -> place of vertical lines.
    """
    figure, ax = _axes(axis, "poses")
    high = float(np.quantile(errors, 1 - TAIL)) or 1.0
    ax.hist(np.minimum(errors, high), HISTOGRAM_BINS, range=(0, high), color=ACCENT, alpha=0.75)
    for (label, value), line in zip(marks.items(), ("-", "--", ":"), strict=False):
        ax.axvline(min(value, high), color=DARK, linestyle=line, linewidth=1.2, label=label)
    ax.legend()
    return figure


def cumulative(errors: np.ndarray, axis: str) -> Figure:
    """Draw the share of the poses that have at most each error."""
    figure, ax = _axes(axis, "poses at or below, %")
    percent = np.linspace(0, 100, 201)
    ax.plot(np.percentile(errors, percent), percent, color=ACCENT)
    ax.set_xlim(0, float(np.quantile(errors, 1 - TAIL)) or 1.0)
    return figure


def bars(
    values: Mapping[str, float],
    axis: str,
    intervals: Sequence[tuple[float, float] | None] = (),
    mean: float | None = None,
) -> Figure:
    """Draw horizontal bars from 0, from top to bottom, with their values and intervals.

    Args:
        values: Name -> length.
        axis: Title of the axis, with unit.
        intervals: Of each bar.
        mean: Place of a dashed line.
    """
    figure, ax = _axes(axis, "", (INCHES[0], 0.8 + 0.21 * len(values)))
    names = [n if len(n) <= NAME_LENGTH else n[: NAME_LENGTH - 1] + "…" for n in values]
    rows, lengths = np.arange(len(values)), list(values.values())
    drawn = ax.barh(rows, lengths, 0.7, color=ACCENT, alpha=0.75)
    for row, interval in enumerate(intervals):
        if interval is not None:
            ax.plot(interval, (row, row), color=DARK, linewidth=1.2, marker="|", markersize=5)
    ax.bar_label(drawn, fmt="%.1f", label_type="center", color="white", fontsize=8)
    if mean is not None:
        ax.axvline(mean, color=DARK, linestyle="--", linewidth=1.2)
    ax.set_yticks(rows, names)
    ax.grid(visible=False, axis="y")
    ax.invert_yaxis()
    return figure


def bin_by(covariate: np.ndarray, errors: np.ndarray) -> list[Bin]:
    """Sort poses by a covariate into bins of about equally many, and summarise their errors.

    Args:
        covariate: One value per pose, NaN where it isn't known.
        errors: One per pose, NaN where there is none.

    Returns:
        The bins, ascending; none if no pose has both.
    """
    known = np.isfinite(covariate) & np.isfinite(errors)
    covariate, errors = covariate[known].astype(np.float64), errors[known].astype(np.float64)
    if len(errors) == 0:
        return []
    edges = np.unique(np.quantile(covariate, np.linspace(0, 1, TREND_BINS + 1)))
    place = np.searchsorted(edges[1:-1], covariate, side="right")
    bins = []
    for i in np.unique(place):
        own = errors[place == i]
        quarter, three_quarters = np.quantile(own, [0.25, 0.75]).tolist()
        low, high = float(edges[i]), float(edges[min(i + 1, len(edges) - 1)])
        bins.append(Bin(low, high, len(own), float(own.mean()), quarter, three_quarters))
    return bins


def trend(bins: Sequence[Bin], covariate: str, axis: str) -> Figure:
    """Draw the mean error over a covariate, and the middle half of the poses."""
    figure, ax = _axes(covariate, axis)
    middle = [(one.low + one.high) / 2 for one in bins]
    low, high = [one.quarter for one in bins], [one.three_quarters for one in bins]
    ax.fill_between(middle, low, high, color=ACCENT, alpha=0.2, linewidth=0)
    ax.plot(middle, [one.mean for one in bins], color=ACCENT, marker="o", markersize=4)
    ax.set_ylim(bottom=0)
    return figure


def density(true: np.ndarray, learned: np.ndarray, x_axis: str, y_axis: str) -> Figure:
    """Draw how often a predicted value falls on each true one, and the line of equality."""
    figure, ax = _axes(x_axis, y_axis, (INCHES[0], INCHES[0]))
    both = np.concatenate([true, learned])
    low, high = np.quantile(both, [TAIL, 1 - TAIL])
    low, high = low - 1e-3, high + 1e-3
    counts, _, _ = np.histogram2d(
        np.clip(true, low, high), np.clip(learned, low, high), DENSITY_BINS, [(low, high)] * 2
    )
    ax.imshow(
        np.sqrt(counts.T), origin="lower", extent=(low, high, low, high), cmap="Greens",
        interpolation="nearest",
    )  # fmt: skip
    ax.plot([low, high], [low, high], color=DARK, linestyle="--", linewidth=1.2)
    return figure


def _axes(x: str, y: str, inches: tuple[float, float] = INCHES) -> tuple[Figure, Axes]:
    figure = Figure(figsize=inches, layout="constrained")
    ax = figure.subplots()
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return figure, ax
