"""The charts of the page: what goes into each, and how it is drawn.

No pose is left out silently: what lies beyond the drawn range is in the last bin or counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from selflift.evaluate.page.bins import TAIL, Bin, axis_end
from selflift.evaluate.page.svg import (
    WIDTH,
    Plot,
    coordinate,
    decimals_of,
    image,
    nice_step,
    number,
    shape,
    text,
    tick_labels,
    ticks,
)

HISTOGRAM_BINS, DENSITY_BINS, CURVE_POINTS = 60, 36, 120
NAME_LENGTH = 16
# A generous width of a letter.
LETTER = 7.2


class Bar(NamedTuple):
    """A row of :func:`bars`: its name, value, 95 % interval, class of colour and tooltip."""

    name: str
    value: float
    ci95: tuple[float, float] | None
    kind: str
    tip: str


def histogram(errors: np.ndarray, title: str, unit: str, marked: dict[str, float]) -> str:
    """How many poses have which error; what lies beyond the axis stands in the last bar.

    Args:
        errors: One per pose, finite and at least 0.
        title: What the errors are.
        unit: Their unit.
        marked: Name -> value of vertical lines.
    """
    high = axis_end(errors)
    width = nice_step(high, HISTOGRAM_BINS)
    bins = max(1, math.ceil(high / width - 1e-9))
    high = bins * width
    beyond = int((errors > high).sum())
    counts, edges = np.histogram(np.minimum(errors, high), bins, (0.0, high))
    plot = Plot(
        (0.0, high), (0.0, float(counts.max()) * 1.04), f"{title}, {unit}", "poses", 260.0, 62.0
    )
    plot.axes()
    for i, count in enumerate(counts):
        last = beyond > 0 and i == bins - 1
        reach = "and more" if last else f"to {number(edges[i + 1])}"
        tip = f"{number(edges[i])} {reach} {unit}: {count:,} poses"
        if count:
            edge = (float(edges[i]), float(edges[i + 1]))
            plot.bar(edge, (0.0, float(count)), "bar beyond" if last else "bar", tip)
    # From left to right and downwards, so that no line starts within a label further up.
    ordered = sorted(marked.items(), key=lambda item: item[1])
    labels = []
    for row, (name, value) in enumerate(ordered):
        x, y = plot.x(min(value, high)), 26.0 + 12 * row
        kind = f"mark mark-{list(marked).index(name)}"
        plot.add(shape("line", kind, x1=x, x2=x, y1=y + 2, y2=plot.bottom))
        labels.append(_label(x, y + 9, f"{name} {number(value, decimals_of(unit))}"))
    plot.add(*labels)
    said = ", ".join(f"{name} {number(v, decimals_of(unit))} {unit}" for name, v in marked.items())
    return plot.render(f"Histogram of {title} over {len(errors):,} poses: {said}")


def cumulative(errors: np.ndarray, title: str, unit: str) -> str:
    """Which share of the poses has an error of at most so much.

    Args:
        errors: One per pose, finite and at least 0.
        title: What the errors are.
        unit: Their unit.
    """
    high = axis_end(errors)
    plot = Plot((0.0, high), (0.0, 100.0), f"{title}, {unit}", "share of poses at or below", 260.0)
    plot.axes(" %")
    ordered = np.sort(errors)
    grid = np.linspace(0.0, high, CURVE_POINTS)
    share = 100.0 * np.searchsorted(ordered, grid, side="right") / len(ordered)
    plot.line(list(zip(grid.tolist(), share.tolist(), strict=True)), "curve")
    for percent in (50, 95):
        value = float(np.quantile(ordered, percent / 100))
        said = f"{percent} %: {number(value, decimals_of(unit))} {unit}"
        x, y = plot.x(min(value, high)), plot.y(percent)
        plot.add(shape("circle", "dot", said, cx=x, cy=y, r=4))
        plot.add(_label(x + 5, y + 15, said))
    return plot.render(f"Cumulative distribution of {title}: share of poses at or below each value")


def bars(rows: Sequence[Bar], title: str, unit: str, mean: float | None = None) -> str:
    """Horizontal bars from 0, with whiskers for their intervals and the values at the end.

    Args:
        rows: From top to bottom.
        title: What the values are.
        unit: Their unit.
        mean: Where to draw a dashed line, if anywhere.
    """
    row_height, top, left, right = 19.0, 8.0, 112.0, WIDTH - 50
    bottom = top + row_height * len(rows)
    longest = max([row.value if row.ci95 is None else max(row.value, row.ci95[1]) for row in rows])
    high = longest * 1.02 or 1.0

    def x(value: float) -> float:
        return left + value / high * (right - left)

    parts: list[str] = []
    values = ticks(0.0, high, 4)
    for value, label in zip(values, tick_labels(values), strict=True):
        parts.append(shape("line", "rule", x1=x(value), x2=x(value), y1=top, y2=bottom))
        parts.append(text(x(value), bottom + 15, label, "middle"))
    for i, row in enumerate(rows):
        y = top + row_height * (i + 0.5)
        short = row.name if len(row.name) <= NAME_LENGTH else row.name[: NAME_LENGTH - 1] + "…"
        parts.append(text(left - 6, y + 4, short, "end"))
        box = {"x": left, "y": y - 6, "width": x(row.value) - left, "height": 12}
        parts.append(shape("rect", f"bar {row.kind}".strip(), row.tip, **box))
        if row.ci95 is not None:
            low, up = x(row.ci95[0]), x(row.ci95[1])
            ends = "".join(f"M{coordinate(e)} {coordinate(y - 3.5)}v7" for e in (low, up))
            line = f"M{coordinate(low)} {coordinate(y)}H{coordinate(up)}"
            parts.append(shape("path", "whisker", d=line + ends))
        parts.append(text(WIDTH - 2, y + 4, number(row.value, decimals_of(unit)), "end", "label"))
    if mean is not None:
        parts.append(shape("line", "mark mark-1", x1=x(mean), x2=x(mean), y1=top - 4, y2=bottom))
    parts.append(text((left + right) / 2, bottom + 32, f"{title}, {unit}", "middle", "axis-title"))
    return image(parts, f"{title} by row, {unit}: {len(rows)} bars", WIDTH, bottom + 38)


def trend(bins: Sequence[Bin], title: str, against: str, unit: str) -> str:
    """Mean error over a covariate, the middle half of the poses, and how many there are.

    Args:
        bins: At least one, ascending.
        title: What the errors are.
        against: The covariate with its unit.
        unit: The errors' unit.
    """
    strip = 26.0
    top = max(max(b.three_quarters, b.mean) for b in bins) * 1.06 or 1.0
    plot = Plot((bins[0].low, bins[-1].high), (0.0, top), against, f"{title}, {unit}", 256.0)
    plot.bottom -= strip
    plot.axes()
    most = max(b.num_poses for b in bins)
    floor = plot.bottom + strip + 18
    # The counts stand below the axis' labels, where they can't be taken for errors.
    plot.parts[0] = text((plot.left + plot.right) / 2, floor + 14, against, "middle", "axis-title")
    plot.add(text(plot.left - 6, floor - 2, "poses", "end"))
    for b in bins:
        tip = _tip(b, against, unit)
        plot.bar((b.low, b.high), (b.quarter, b.three_quarters), "band", tip)
        x, height = plot.x(b.low), (strip - 6) * b.num_poses / most
        box = {"x": x + 0.5, "width": plot.x(b.high) - x - 1, "y": floor - height, "height": height}
        plot.add(shape("rect", "count", tip, **box))
    centres = [((b.low + b.high) / 2, b.mean) for b in bins]
    plot.line(centres, "curve")
    for b, (x_value, mean) in zip(bins, centres, strict=True):
        circle = {"cx": plot.x(x_value), "cy": plot.y(mean), "r": 3.2}
        plot.add(shape("circle", "dot", _tip(b, against, unit), **circle))
    said = f"from {number(centres[0][1])} to {number(centres[-1][1])} {unit}"
    return plot.render(f"Mean {title} against {against}, {said} over {len(bins)} bins")


def density(true: np.ndarray, learned: np.ndarray, x_title: str, y_title: str) -> str:
    """How often a predicted value falls on which true one, with the line of equality.

    Args:
        true: The true values, finite.
        learned: The predicted ones, finite.
        x_title: What the true values are, with unit.
        y_title: What the predicted ones are, with unit.
    """
    tails = [np.quantile(values, [TAIL, 1 - TAIL]) for values in (true, learned)]
    step = nice_step(max(float(np.ptp(tails)), 1e-3), 8)
    low = float(math.floor(np.min(tails) / step) * step)
    high = float((math.floor(np.max(tails) / step) + 1) * step)
    counts, edges, _ = np.histogram2d(true, learned, DENSITY_BINS, [[low, high]] * 2)
    plot = Plot((low, high), (low, high), x_title, y_title, height=360.0)
    plot.axes()
    most = counts.max()
    for i, j in np.argwhere(counts):
        cell = {"x": plot.x(edges[i]), "y": plot.y(edges[j + 1])}
        size = {"width": plot.x(edges[1]) - plot.left, "height": plot.bottom - plot.y(edges[1])}
        strength = f"{0.15 + 0.85 * math.sqrt(counts[i, j] / most):.2f}"
        tip = f"{int(counts[i, j]):,} poses"
        plot.add(shape("rect", "cell", tip, fill_opacity=strength, **cell, **size))
    plot.line([(low, low), (high, high)], "identity")
    room = plot.x(high) - 62, plot.y(high) + 22
    plot.add(text(*room, "equal", "start", "label"))
    outside = len(true) - int(counts.sum())
    said = f"; {outside:,} of {len(true):,} poses lie outside" if outside else ""
    return plot.render(f"{y_title} against {x_title}, with the line of equality{said}")


def _label(x: float, y: float, content: str) -> str:
    """A label right of a mark, or at the chart's edge where that has no room."""
    if x + 4 + LETTER * len(content) > WIDTH:
        return text(WIDTH - 2, y, content, "end", "label")
    return text(x + 4, y, content, "start", "label")


def _tip(b: Bin, against: str, unit: str) -> str:
    return (
        f"{against} {number(b.low)} to {number(b.high)}: mean {number(b.mean)} {unit}, middle "
        f"half {number(b.quarter)} to {number(b.three_quarters)} {unit}, {b.num_poses:,} poses"
    )
