"""The parts of charts: numbers as text, ticks, and a plot with axes, as SVG text.

Charts are drawn 360 units wide, about as many CSS pixels as they get, so that their text is as
large as the page's. Colours are left to the classes of ``style.css``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH = 360.0
MINUS = "\N{MINUS SIGN}"


def number(value: float, decimals: int = 1) -> str:
    """A number as text: thousands separated by commas, a true minus sign, no negative zero."""
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def decimals_of(unit: str) -> int:
    """Decimals that the field prints numbers of a unit with."""
    return 2 if unit in ("mm/frame", "m", "m/s") else 1


def nice_step(span: float, count: int) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that divides a span into ``count`` at most.

    Args:
        span: Above 0.
        count: Number of parts, at least 1.
    """
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    # The tolerance keeps an exact step from being passed over for its rounding error.
    return next(f * power for f in (1, 2, 5, 10) if f * power >= raw * (1 - 1e-9))


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between ``low`` and ``high``, both included, about ``count`` of them."""
    step = nice_step(high - low, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def tick_labels(values: Sequence[float]) -> list[str]:
    """Ticks as text, with as many decimals as their distance asks for."""
    step = values[1] - values[0] if len(values) > 1 else 1.0
    return [number(v, max(0, -math.floor(math.log10(step) + 1e-9))) for v in values]


def coordinate(value: float) -> str:
    """A coordinate with one decimal, without what needn't be written."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def path(points: Sequence[tuple[float, float]]) -> str:
    """The ``d`` of a polyline."""
    return "M" + "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points)


def text(x: float, y: float, content: str, anchor: str = "start", kind: str = "") -> str:
    """A line of text; its content is escaped."""
    style = f' class="{kind}"' if kind else ""
    return (
        f'<text x="{coordinate(x)}" y="{coordinate(y)}" text-anchor="{anchor}"{style}>'
        f"{escape(content)}</text>"
    )


def shape(element: str, kind: str, tip: str = "", **attributes: float | str) -> str:
    """An element with a class, a tooltip and attributes; numbers become coordinates.

    Underscores in the attributes' names stand for hyphens.
    """
    written = "".join(
        f' {name.replace("_", "-")}="{coordinate(v) if isinstance(v, (int, float)) else escape(v)}"'
        for name, v in attributes.items()
    )
    tooltip = f"<title>{escape(tip)}</title>" if tip else ""
    return f'<{element} class="{kind}"{written}>{tooltip}</{element}>'


def image(parts: Sequence[str], label: str, width: float, height: float, kind: str = "") -> str:
    """An SVG image that says what it shows to those who can't see it."""
    return (
        f'<svg viewBox="0 0 {coordinate(width)} {coordinate(height)}" role="img" '
        f'class="{kind or "chart"}" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


class Plot:
    """A rectangle with two linear axes, to which shapes are added in data units.

    Args:
        x_range: Data at the left and right edge.
        y_range: Data at the lower and upper edge.
        x_title: What the horizontal axis shows, with unit.
        y_title: The same of the vertical axis; it stands above the axis.
        height: Of the whole chart, in its units.
        top: Height above the plot, for its title and more.
        left: Width of the vertical axis' labels.
    """

    def __init__(
        self,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        x_title: str,
        y_title: str,
        height: float = 230.0,
        top: float = 26.0,
        left: float = 46.0,
    ) -> None:
        self.x_range, self.y_range = x_range, y_range
        self.left, self.right = left, WIDTH - 14.0
        self.top, self.bottom, self.height = top, height - 40.0, height
        self.parts: list[str] = [
            text((self.left + self.right) / 2, height - 6, x_title, "middle", "axis-title"),
            text(2, 12, y_title, "start", "axis-title"),
        ]

    def x(self, value: float) -> float:
        """The place of a value on the horizontal axis."""
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        """The place of a value on the vertical axis."""
        low, high = self.y_range
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def add(self, *parts: str) -> None:
        """Draw over what is there."""
        self.parts.extend(parts)

    def axes(self, suffix: str = "") -> None:
        """Draw the grid, the base line and the ticks; ``suffix`` follows the vertical labels."""
        values = ticks(*self.x_range)
        for value, label in zip(values, tick_labels(values), strict=True):
            x = self.x(value)
            self.add(shape("line", "tick", x1=x, x2=x, y1=self.bottom, y2=self.bottom + 4))
            self.add(text(x, self.bottom + 16, label, "middle"))
        values = ticks(*self.y_range)
        for value, label in zip(values, tick_labels(values), strict=True):
            y = self.y(value)
            self.add(shape("line", "rule", x1=self.left, x2=self.right, y1=y, y2=y))
            self.add(text(self.left - 6, y + 4, label + suffix, "end"))
        self.add(shape("line", "tick", x1=self.left, x2=self.right, y1=self.bottom, y2=self.bottom))

    def bar(self, x: tuple[float, float], y: tuple[float, float], kind: str, tip: str) -> None:
        """A rectangle between two values of each axis."""
        left, right = self.x(x[0]), self.x(x[1])
        low, high = self.y(y[0]), self.y(y[1])
        self.add(shape("rect", kind, tip, x=left, y=high, width=right - left, height=low - high))

    def line(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """A polyline through values."""
        self.add(shape("path", kind, d=path([(self.x(x), self.y(y)) for x, y in points])))

    def render(self, label: str) -> str:
        """The chart; ``label`` says what it shows."""
        return image(self.parts, label, WIDTH, self.height)
