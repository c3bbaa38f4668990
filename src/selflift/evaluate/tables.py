"""Tables of errors: for the terminal, Markdown, LaTeX, and CSV in long form.

One summary gives a table with a row per action; several (of checkpoints, or of the spread over
seeds) give a row each. Every table says in its caption which poses it is of, how it averages and
what was aligned; a metric whose answer the truth helps to choose bears a dagger; published numbers
that are not comparable stand in parentheses, in LaTeX in grey.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from selflift.evaluate.catalogue import METRICS
from selflift.evaluate.protocols import Protocol
from selflift.evaluate.summary import Mean, SeedSummary, Summary
from selflift.evaluate.table_rows import (
    ALIGNMENTS,
    OVER_ACTIONS,
    OVER_FRAMES,
    Cell,
    Entries,
    Row,
    build,
    heading,
)

__all__ = [
    "ALIGNMENTS", "CSV_COLUMNS", "Entries", "csv_rows", "latex_table", "markdown_table",
    "text_table",
]  # fmt: skip

CSV_COLUMNS = (
    "protocol", "checkpoint", "metric", "variant", "action", "value", "low", "high", "poses",
    "unit",
)  # fmt: skip
Value = str | float | int | None
# Metric, checkpoint, action, mean, poses.
Line = tuple[str, str, str, Mean, int]

OVER_SEEDS = "standard deviation over seeds"
WIDTH = 100
POSES = "poses"

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$", "†": r"$^\dagger$",
}  # fmt: skip


def text_table(entries: Entries, protocol: Protocol, published: bool = False) -> str:
    """A table for the terminal.

    Args:
        entries: Summaries by the names of their checkpoints.
        protocol: The protocol by which all of them were evaluated.
        published: Whether to add the protocol's numbers from the literature.

    Raises:
        ValueError: If there is no summary, or one is of another protocol or without its headline.
    """
    grid = build(entries, protocol, published)
    heads = [(grid.stub, ""), (POSES, ""), *map(heading, grid.columns)]
    lines = [[head[i] for head in heads] for i in (0, 1)]
    groups = [[_line(row, _text_cell) for row in group] for group in grid.groups]
    every = [*lines, *(line for group in groups for line in group)]
    widths = [max(len(line[c]) for line in every) for c in range(len(heads))]

    def set_line(line: list[str]) -> str:
        first, *others = (f"{line[0]:<{widths[0]}}", *line[1:])
        cells = [f"{text:>{width}}" for text, width in zip(others, widths[1:], strict=True)]
        return "  ".join([first, *cells]).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    body = [set_line(line) for line in lines]
    for group in groups:
        body += [rule, *map(set_line, group)]
    wrap = textwrap.TextWrapper(WIDTH, break_on_hyphens=False)
    return "\n".join([*body, "", *map(wrap.fill, (*grid.caption, *grid.notes))])


def markdown_table(entries: Entries, protocol: Protocol, published: bool = False) -> str:
    """A Markdown table, caption and notes below it; arguments and errors of :func:`text_table`."""
    grid = build(entries, protocol, published)
    heads = [grid.stub, POSES, *("<br>".join(map(_markdown, heading(m))) for m in grid.columns)]
    lines = [f"| {' | '.join(heads)} |", f"|:---|{'---:|' * (len(heads) - 1)}"]
    for row in (row for group in grid.groups for row in group):
        lines.append(f"| {' | '.join(_line(row, _markdown_cell, _markdown))} |")
    caption = _markdown(" ".join(grid.caption))
    return "\n".join([*lines, "", caption, *(f"\n- {_markdown(note)}" for note in grid.notes)])


def latex_table(entries: Entries, protocol: Protocol, published: bool = False) -> str:
    r"""A LaTeX ``table`` in the style of booktabs; arguments and errors of :func:`text_table`.

    The best number of a column is bold where several checkpoints have a row. Needs the packages
    booktabs and, with published numbers, xcolor.
    """
    grid = build(entries, protocol, published)
    titles, variants = zip(*map(heading, grid.columns), strict=True)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(' '.join(grid.caption))}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(grid.columns) + 1)}}}",
        r"\toprule",
        _latex_line([_latex(text) for text in (grid.stub, POSES, *titles)]),
        _latex_line([_latex(text) for text in ("", "", *variants)]),
    ]
    for group in grid.groups:
        lines.append(r"\midrule")
        for row in group:
            cells = _line(row, _latex_cell, _latex)
            if row.grey:
                cells[0] = _grey(cells[0])
            lines.append(_latex_line(cells))
    lines += [r"\bottomrule", r"\end{tabular}"]
    if grid.notes:
        notes = [rf"{_latex(note)}\par" for note in grid.notes]
        lines += [r"\par\medskip{\footnotesize\raggedright", *notes, "}"]
    return "\n".join([*lines, r"\end{table}"])


def csv_rows(entries: Entries) -> list[dict[str, Value]]:
    """Every number of every metric as a row of :data:`CSV_COLUMNS`; ``None`` where there is none.

    Means over seeds have a row for each training, ``NAME seed 1``, one for their mean and one for
    their standard deviation. ``poses`` counts excluded poses, too.

    Args:
        entries: Summaries by the names of their checkpoints, of any protocols.

    Raises:
        ValueError: If a metric is not in the catalogue.
    """
    rows = []
    for label, entry in entries.items():
        if unknown := [name for name in entry.metrics if name not in METRICS]:
            raise ValueError(
                f"table: expected metrics of {', '.join(METRICS)}, got {', '.join(unknown)}"
            )
        lines = (
            _summary_lines(label, entry)
            if isinstance(entry, Summary)
            else _seed_lines(label, entry)
        )
        for name, of, action, mean, poses in lines:
            metric, (low, high) = METRICS[name], mean.ci95 or (None, None)
            values = (
                entry.protocol, of, name, metric.variant, action, mean.value, low, high, poses,
                metric.unit,
            )  # fmt: skip
            rows.append(dict(zip(CSV_COLUMNS, values, strict=True)))
    return rows


def _summary_lines(label: str, summary: Summary) -> Iterator[Line]:
    for name, means in summary.metrics.items():
        for row in summary.actions:
            yield name, label, row.action, row.metrics[name], row.num_poses
        yield name, label, OVER_ACTIONS, means.over_actions, summary.num_poses
        yield name, label, OVER_FRAMES, means.over_frames, summary.num_poses


def _seed_lines(label: str, summary: SeedSummary) -> Iterator[Line]:
    action = OVER_ACTIONS if summary.averaging == "actions" else OVER_FRAMES
    for name, score in summary.metrics.items():
        for k, value in enumerate(score.values, start=1):
            yield name, f"{label} seed {k}", action, Mean(value, None), summary.num_poses
        yield name, label, action, Mean(score.mean, None), summary.num_poses
        yield name, label, OVER_SEEDS, Mean(score.std, None), summary.num_poses


def _line(
    row: Row, show: Callable[[Cell, bool], str], escape: Callable[[str], str] = str
) -> list[str]:
    return [escape(row.label), row.poses, *(show(cell, row.grey) for cell in row.cells)]


def _text_cell(cell: Cell, grey: bool) -> str:
    text = f"{cell.value} ±{cell.spread}" if cell.spread else cell.value
    return f"({text})" if grey and text else text


def _markdown_cell(cell: Cell, grey: bool) -> str:
    return _text_cell(replace(cell, value=f"**{cell.value}**") if cell.best else cell, grey)


def _latex_cell(cell: Cell, grey: bool) -> str:
    text = _latex(cell.value)
    if cell.best:
        text = rf"\textbf{{{text}}}"
    if cell.spread:
        text = rf"{text} $\pm$ {cell.spread}"
    return _grey(text) if grey and text else text


def _grey(text: str) -> str:
    return rf"\textcolor{{gray}}{{{text}}}"


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|\[\]<>#])", r"\\\1", text)
