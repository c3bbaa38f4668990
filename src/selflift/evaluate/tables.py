"""Tables of errors for the terminal, Markdown and LaTeX.

One summary gives a table with a row per action; several (of checkpoints, or of the spread over
seeds) give a row each. The caption of every table names the poses, the averaging and the
alignment; a metric whose answer the truth helps to choose bears a dagger; published numbers that
are not comparable stand in parentheses, in LaTeX in grey.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tabulate import SEPARATING_LINE, tabulate

from selflift.evaluate.catalogue import METRICS, Metric, number
from selflift.evaluate.protocols import Protocol
from selflift.evaluate.summary import Mean, SeedSummary, Summary
from selflift.evaluate.table_notes import (
    OVER_ACTIONS,
    OVER_FRAMES,
    Entries,
    caption,
    notes,
    published_notes,
)

# Formats a value and its spread; flags: best of its column, not comparable.
Style = Callable[[str, str, bool, bool], str]

NOTHING = number(METRICS["mpjpe_mm"], None)
WIDTH = 100

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$", "†": r"$^\dagger$",
}  # fmt: skip


class Row(NamedTuple):
    """A line of a table: label, number of poses, a value and its spread by metric."""

    label: str
    poses: str
    cells: dict[str, tuple[str, str]]
    grey: bool = False


class Grid(NamedTuple):
    """A table before it is set in a format; a rule divides its groups of rows."""

    stub: str
    metrics: list[Metric]
    groups: list[list[Row]]
    best: dict[str, str]
    caption: list[str]
    notes: list[str]

    def rows(self, style: Style, name: Callable[[str, bool], str]) -> list[list[list[str]]]:
        """Text of every cell, group by group; ``name`` formats a label, that may be grey."""
        return [
            [
                [name(row.label, row.grey), row.poses]
                + [self._cell(row, metric.name, style) for metric in self.metrics]
                for row in group
            ]
            for group in self.groups
        ]

    def _cell(self, row: Row, name: str, style: Style) -> str:
        value, spread = row.cells.get(name, ("", ""))
        best = not row.grey and self.best.get(name) == value
        return style(value, spread, best, row.grey) if value else ""

    def heads(self) -> tuple[list[str], list[str]]:
        """The two lines above the columns: title with unit, variant."""
        titles = [f"{m.title}{'†' if m.oracle else ''} [{m.unit}]" for m in self.metrics]
        return [self.stub, "poses", *titles], ["", "", *(f"({m.variant})" for m in self.metrics)]


def text_table(entries: Entries, protocol: Protocol, published: bool = False) -> str:
    """Format a table for the terminal.

    Args:
        entries: Summaries by the names of their checkpoints.
        protocol: The protocol by which all of them were evaluated.
        published: Whether to add the protocol's numbers from the literature.

    Raises:
        ValueError: If there is no summary, or one is of another protocol or without its headline.
    """
    grid = _build(entries, protocol, published)

    def style(value: str, spread: str, best: bool, grey: bool) -> str:
        text = f"{value} ±{spread}" if spread else value
        return f"({text})" if grey else text

    body = _set("simple", list(grid.heads()), grid.rows(style, lambda label, grey: label))
    wrap = textwrap.TextWrapper(WIDTH, break_on_hyphens=False)
    lines = [line.rstrip() for line in body.splitlines()[1:-1]]
    return "\n".join([*lines, "", *map(wrap.fill, (*grid.caption, *grid.notes))])


def markdown_table(entries: Entries, protocol: Protocol, published: bool = False) -> str:
    """Format a Markdown table; arguments and errors of :func:`text_table`."""
    grid = _build(entries, protocol, published)

    def style(value: str, spread: str, best: bool, grey: bool) -> str:
        text = f"**{value}**" if best else value
        text = f"{text} ±{spread}" if spread else text
        return f"({text})" if grey else text

    heads = [
        "<br>".join(_markdown(line) for line in head if line)
        for head in zip(*grid.heads(), strict=True)
    ]
    groups = grid.rows(style, lambda label, grey: _markdown(label))
    body = _set("pipe", [], [[row for group in groups for row in group]], heads)
    caption = _markdown(" ".join(grid.caption))
    return "\n".join([body, "", caption, *(f"\n- {_markdown(note)}" for note in grid.notes)])


def latex_table(entries: Entries, protocol: Protocol, published: bool = False) -> str:
    r"""Format a LaTeX ``table`` with booktabs; arguments and errors of :func:`text_table`.

    The best number of a column is bold where several checkpoints have a row. Needs the packages
    booktabs and, with published numbers, xcolor.
    """
    grid = _build(entries, protocol, published)

    def style(value: str, spread: str, best: bool, grey: bool) -> str:
        text = rf"\textbf{{{value}}}" if best else value
        text = rf"{text} $\pm$ {spread}" if spread else text
        return rf"\textcolor{{gray}}{{{text}}}" if grey else text

    heads = [[_latex(text) for text in line] for line in grid.heads()]
    body = _set(
        "latex_raw",
        heads,
        grid.rows(style, lambda label, grey: style(_latex(label), "", False, grey)),
    )
    first, *between, last = body.split(r"\hline")
    body = first + r"\toprule" + r"\midrule".join(between) + r"\bottomrule" + last
    caption = rf"\caption{{{_latex(' '.join(grid.caption))}}}"
    lines = [r"\begin{table}", r"\centering", caption, body]
    if grid.notes:
        notes = [rf"{_latex(note)}\par" for note in grid.notes]
        lines += [r"\par\medskip{\footnotesize\raggedright", *notes, "}"]
    return "\n".join([*lines, r"\end{table}"])


def _set(
    tablefmt: str,
    lines: list[list[str]],
    groups: list[list[list[str]]],
    heads: Sequence[str] = (),
) -> str:
    rows: list[list[str] | str] = [*lines]
    for group in groups:
        rows += [SEPARATING_LINE, *group] if rows else group
    columns = len(groups[0][0])
    return tabulate(
        rows, heads, tablefmt, colalign=["left", *["right"] * (columns - 1)],
        disable_numparse=True,
    )  # fmt: skip


def _build(entries: Entries, protocol: Protocol, published: bool) -> Grid:
    _check(entries, protocol)
    metrics = [
        METRICS[name]
        for name in protocol.shown
        if all(name in entry.metrics for entry in entries.values())
    ]
    label, first = next(iter(entries.items()))
    summary = first if len(entries) == 1 and isinstance(first, Summary) else None
    best = {}
    if summary is not None:
        groups = _action_rows(summary, metrics)
    else:
        groups = [[_entry_row(own, entry, metrics) for own, entry in entries.items()]]
        best = _best(groups[0], metrics)
    below = notes(entries, protocol, metrics)
    listed = [own for own in protocol.published if METRICS[own.metric] in metrics]
    if published and listed:
        groups.append(
            [
                Row(
                    f"{own.method} ({own.input})", "",
                    {own.metric: (number(METRICS[own.metric], own.value), "")},
                    not own.comparable(protocol.name),
                )
                for own in listed
            ]
        )  # fmt: skip
        below += published_notes(listed, protocol)
    above = caption(entries, protocol, metrics, label, summary)
    return Grid("action" if summary else "checkpoint", metrics, groups, best, above, below)


def _check(entries: Entries, protocol: Protocol) -> None:
    if not entries:
        raise ValueError("table: expected at least one summary, got none")
    for label, entry in entries.items():
        ours = (entry.protocol, entry.averaging)
        if ours != (protocol.name, protocol.averaging):
            raise ValueError(
                f"table: expected a summary of protocol '{protocol.name}' averaged over "
                f"{protocol.averaging}, got '{label}' of '{ours[0]}' over {ours[1]}; make a table "
                "for each"
            )
        if protocol.headline not in entry.metrics:
            raise ValueError(
                f"table: expected {protocol.headline}, the headline of protocol "
                f"'{protocol.name}', got '{label}' with {', '.join(entry.metrics) or 'nothing'}"
            )


def _action_rows(summary: Summary, metrics: list[Metric]) -> list[list[Row]]:
    def row(label: str, poses: int, means: Mapping[str, Mean]) -> Row:
        return Row(label, str(poses), {m.name: _cell(m, means[m.name]) for m in metrics})

    actions = [row(own.action, own.num_poses, own.metrics) for own in summary.actions]
    own, poses = summary.metrics, summary.num_poses
    means = [
        row(OVER_ACTIONS, poses, {m.name: own[m.name].over_actions for m in metrics}),
        row(OVER_FRAMES, poses, {m.name: own[m.name].over_frames for m in metrics}),
    ]
    # The one that leads comes first.
    return [actions, means if summary.averaging == "actions" else means[::-1]]


def _entry_row(label: str, entry: Summary | SeedSummary, metrics: list[Metric]) -> Row:
    if isinstance(entry, Summary):
        cells = {m.name: _cell(m, entry.headline(m.name)) for m in metrics}
    else:
        label = f"{label} ({entry.num_seeds} seeds)"
        scores = {m: entry.metrics[m.name] for m in metrics}
        cells = {
            m.name: (number(m, own.mean), "" if own.std is None else number(m, own.std))
            for m, own in scores.items()
        }
    return Row(label, str(entry.num_poses), cells)


def _cell(metric: Metric, mean: Mean) -> tuple[str, str]:
    spread = "" if mean.ci95 is None else number(metric, (mean.ci95[1] - mean.ci95[0]) / 2)
    return number(metric, mean.value), spread


def _best(rows: list[Row], metrics: list[Metric]) -> dict[str, str]:
    """Best number of each column as it is printed; none where all rows print alike."""
    best = {}
    for metric in metrics:
        printed = [row.cells[metric.name][0] for row in rows]
        known = [float(text) for text in printed if text != NOTHING]
        if known and len(set(printed)) > 1:
            best[metric.name] = number(metric, (max if metric.higher_is_better else min)(known))
    return best


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|\[\]<>#])", r"\\\1", text)
