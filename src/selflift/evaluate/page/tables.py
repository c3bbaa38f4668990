"""The tables of the page as HTML: this run, this run beside the literature, charts as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from selflift.evaluate.catalogue import Metric
from selflift.evaluate.page.bins import Bin
from selflift.evaluate.page.data import ActionResult, PageData, PublishedResult, Result
from selflift.evaluate.page.svg import decimals_of, number

ORACLE = " †"
NONE = "\N{EN DASH}"


def name_of(metric: Metric) -> str:
    """A metric's title and variant, and a dagger on an oracle; not escaped."""
    return f"{metric.title} ({metric.variant}){ORACLE if metric.oracle else ''}"


def interval(ci95: tuple[float, float] | None, unit: str) -> str:
    """A 95 % interval as text, a dash if there is none."""
    if ci95 is None:
        return NONE
    low, high = (number(end, decimals_of(unit)) for end in ci95)
    return f"{low} to {high}"


def results_table(data: PageData) -> str:
    """This run's numbers, one metric a row."""
    rows = []
    for result in data.results:
        metric = result.metric
        per_frame = NONE
        if result.per_frame is not None:
            per_frame = number(result.per_frame, decimals_of(metric.unit))
        cells = [
            ("n", number(result.value, decimals_of(metric.unit))),
            ("", metric.unit),
            ("n", interval(result.ci95, metric.unit)),
            ("n", per_frame),
            ("n", f"{result.excluded:,}"),
        ]
        kind = "ours" if metric.name == data.headline else "other" if metric.oracle else ""
        rows.append(_row(name_of(metric), cells, kind))
    head = [("", "metric (variant)"), ("n", "value"), ("", "unit"), ("n", "95 % interval"),
            ("n", "mean over poses"), ("n", "poses excluded")]  # fmt: skip
    return _table("results of this run", head, rows)


def published_table(data: PageData) -> str:
    """This run beside what was published under its alignment, and apart from that all else."""
    head = [("", "method"), ("", "input"), ("n", "value"), ("", "unit"), ("", "alignment"),
            ("", "note")]  # fmt: skip
    rows = []
    for result in data.results:
        same = [p for p in data.published if p.comparable and p.metric.name == result.metric.name]
        if same:
            rows.append(_group(f"{name_of(result.metric)}: comparable", len(head)))
            rows += [_our_row(data, result), *_published_rows(same, "")]
    others = [p for p in data.published if not p.comparable]
    if others:
        rows.append(_group("another alignment or protocol: not comparable", len(head)))
        rows += _published_rows(others, "other")
    return _table("published results", head, rows)


def action_table(actions: Sequence[ActionResult], unit: str) -> str:
    """The numbers of the actions' chart, in the order given."""
    rows = [
        _row(
            row.action,
            [
                ("n", f"{row.num_poses:,}"),
                ("n", number(row.value, decimals_of(unit))),
                ("n", interval(row.ci95, unit)),
            ],
        )
        for row in actions
    ]
    head = [("", "action"), ("n", "poses"), ("n", f"mean, {unit}"), ("n", "95 % interval")]
    return _table("actions", head, rows)


def bin_table(bins: Sequence[Bin], against: str, unit: str) -> str:
    """The numbers of a chart against a covariate."""
    decimals = decimals_of(unit)
    rows = [
        _row(
            f"{number(b.low, 2)} to {number(b.high, 2)}",
            [
                ("n", f"{b.num_poses:,}"),
                ("n", number(b.mean, decimals)),
                ("n", f"{number(b.quarter, decimals)} to {number(b.three_quarters, decimals)}"),
            ],
        )
        for b in bins
    ]
    head = [("", against), ("n", "poses"), ("n", f"mean, {unit}"), ("n", "middle half")]
    return _table(against, head, rows)


def _our_row(data: PageData, result: Result) -> str:
    metric = result.metric
    cells = [
        ("", data.input),
        ("n", number(result.value, decimals_of(metric.unit))),
        ("", metric.unit),
        ("", metric.variant),
        ("text", f"95 % interval {interval(result.ci95, metric.unit)}" if result.ci95 else ""),
    ]
    return _row(f"this run ({data.run})", cells, "ours")


def _published_rows(rows: Sequence[PublishedResult], kind: str) -> list[str]:
    ordered = sorted(
        rows, key=lambda p: (p.metric.title, -p.value if p.metric.higher_is_better else p.value)
    )
    return [
        _row(
            p.method,
            [
                ("", p.input),
                ("n", number(p.value, decimals_of(p.metric.unit))),
                ("", p.metric.unit),
                ("", _alignment(p)),
                ("text", p.note),
            ],
            kind,
        )
        for p in ordered
    ]


def _alignment(row: PublishedResult) -> str:
    if row.comparable:
        return row.metric.variant
    return name_of(row.metric) if row.alignment is None else f"{row.metric.title} ({row.alignment})"


def _row(name: str, cells: Sequence[tuple[str, str]], kind: str = "") -> str:
    written = "".join(f"<td{_class(k)}>{escape(content)}</td>" for k, content in cells)
    return f'<tr{_class(kind)}><th scope="row">{escape(name)}</th>{written}</tr>'


def _group(name: str, columns: int) -> str:
    return f'<tr class="group"><th scope="colgroup" colspan="{columns}">{escape(name)}</th></tr>'


def _table(label: str, head: Sequence[tuple[str, str]], rows: Sequence[str]) -> str:
    titles = "".join(f'<th scope="col"{_class(k)}>{escape(content)}</th>' for k, content in head)
    # Focusable, so that it can be scrolled from the keyboard.
    return (
        '<div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(label)}"><table>'
        f"<thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
