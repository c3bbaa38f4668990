"""Figures of panels: drawn without pyplot, shown by notebooks, written atomically."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from selflift.files.atomic_write import atomic_path
from selflift.viz.drawing import (
    LEFT_COLOUR,
    PALE_WIDTH,
    PANEL,
    PEOPLE_COLOURS,
    RIGHT_COLOUR,
    TRUNK_COLOUR,
)

HEADING, LEGEND, BETWEEN = 0.3, 0.4, 0.08


class NotebookFigure(Figure):
    """A figure that notebooks show without pyplot."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, drawn off screen; inches."""
    figure = NotebookFigure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def grid(
    num_rows: int,
    titles: Sequence[str],
    label_inches: float,
    gap: float,
    panel: tuple[float, float] = PANEL,
    truth: bool = False,
) -> tuple[Figure, list[list[Axes]]]:
    """Rows of panels under titles, over a legend of the sides.

    Args:
        num_rows: Rows.
        titles: One per column.
        label_inches: Room at the left.
        gap: Between rows, inches.
        panel: Width and height of a panel, inches.
        truth: Whether the legend explains pale bodies.

    Raises:
        ValueError: If there is no row.
    """
    if num_rows == 0:
        raise ValueError("figure: expected at least one pose to draw, got none")
    width = label_inches + len(titles) * (panel[0] + BETWEEN)
    heading = HEADING if any(titles) else 0.1
    height = heading + num_rows * (panel[1] + gap) + LEGEND
    figure = new_figure(width, height)
    panels = figure.subplots(num_rows, len(titles), squeeze=False)
    figure.subplots_adjust(
        left=label_inches / width, right=1 - BETWEEN / width, bottom=LEGEND / height,
        top=1 - (heading + gap) / height, wspace=BETWEEN / panel[0], hspace=gap / panel[1],
    )  # fmt: skip
    axes = [list(line) for line in panels]
    for ax, title in zip(axes[0], titles, strict=True):
        box = ax.get_position()
        middle = (box.x0 + box.x1) / 2
        figure.text(middle, 1 - heading / 2 / height, title, ha="center", va="center", fontsize=10)
    add_legend(figure, truth=truth)
    return figure, axes


def add_legend(figure: Figure, truth: bool = False, people: int = 1) -> None:
    """Explain the colours at the bottom: of the sides, of pale bodies, of several people."""
    named = {"left limbs": LEFT_COLOUR, "right limbs": RIGHT_COLOUR}
    if people == 1:
        named["trunk"] = TRUNK_COLOUR
    elif people <= len(PEOPLE_COLOURS):
        named |= {f"trunk {p + 1}": PEOPLE_COLOURS[p] for p in range(people)}
    handles = [Line2D([], [], color=c, linewidth=2.5, label=name) for name, c in named.items()]
    if truth:
        handles.append(Line2D([], [], color="#C4C4C4", linewidth=PALE_WIDTH, label="truth"))
    figure.legend(
        handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=10,
        columnspacing=1.4, handlelength=1.6,
    )  # fmt: skip


def label_row(ax: Axes, label: str) -> None:
    """Text at the left of a row's first panel."""
    ax.annotate(
        label, (0, 0.5), (-12, 0), xycoords="axes fraction", textcoords="offset points",
        ha="right", va="center", fontsize=9, linespacing=1.5,
    )  # fmt: skip


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure, atomically; the name's ending gives the format.

    Raises:
        OSError: If it can't be written; an earlier file of that name is intact.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lstrip(".") or "png", dpi=120)
