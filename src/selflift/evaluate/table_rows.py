"""What a table of errors says, before it is set in any format: rows, columns, caption, notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from selflift.evaluate.catalogue import METRICS, Metric
from selflift.evaluate.protocols import Protocol
from selflift.evaluate.published import GRADES, Published
from selflift.evaluate.summary import Mean, SeedSummary, Summary

Entries = Mapping[str, Summary | SeedSummary]

OVER_ACTIONS, OVER_FRAMES = "mean over actions", "mean over frames"
NOTHING = "-"
DAGGER = "†"
# In simulations, 95% intervals from 25 clips cover the truth in 95% of sets, from 6 clips in 87%.
FEW_CLIPS = 10

# What was aligned, by the variants of the catalogue.
ALIGNMENTS: dict[str, str] = {
    "proper": "similarity transform without reflection",
    "reflection": "similarity transform, reflection allowed",
    "LSQ scale": "root-centred, least-squares scale of each pose",
    "norm ratio": "root-centred, scaled by the ratio of the poses' norms",
    "assumed height": "root-centred, every prediction scaled to one assumed height; no truth used",
    "training scale": "root-centred, one scale for all, fitted to the training set",
    "depth-flip oracle": "root-centred, least-squares scale, the better of the pose and its depth "
    "flip",
    "PA, proper": "similarity transform without reflection",
    "of bone lengths": "none, left is compared with right",
    "LSQ scale and place": "least-squares scale, placed at the true root",
    "nose on the true side": "none",
}


@dataclass(frozen=True)
class Cell:
    """A number as it is printed, its spread (empty: none), and whether it is its column's best."""

    value: str
    spread: str = ""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """A line of a table; ``grey`` where its numbers are not comparable with the others."""

    label: str
    poses: str
    cells: tuple[Cell, ...]
    grey: bool = False


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        stub: Heading of the first column.
        columns: The metrics.
        groups: Rows, in groups that a rule divides.
        caption: Sentences that say what the numbers are.
        notes: What has to be known of single rows, columns or cells.
    """

    stub: str
    columns: tuple[Metric, ...]
    groups: tuple[tuple[Row, ...], ...]
    caption: tuple[str, ...]
    notes: tuple[str, ...]


def build(entries: Entries, protocol: Protocol, published: bool) -> Grid:
    """The table of one summary (a row per action) or of several (a row each).

    Args:
        entries: What was evaluated, by the name of its checkpoint.
        protocol: The protocol by which all of it was evaluated.
        published: Whether to add the protocol's numbers from the literature.

    Raises:
        ValueError: If there is no entry, or one is of another protocol, of another averaging or
            without the headline.
    """
    _check(entries, protocol)
    shown = [m for m in protocol.shown if all(m in entry.metrics for entry in entries.values())]
    columns = tuple(METRICS[name] for name in shown)
    first = next(iter(entries.values()))
    single = len(entries) == 1 and isinstance(first, Summary)
    if single and isinstance(first, Summary):
        groups = _action_rows(first, columns)
    else:
        rows = [_entry_row(label, entry, columns) for label, entry in entries.items()]
        groups = [_with_best(rows, list(entries.values()), columns)]
    notes = _notes(entries, protocol, columns)
    if published:
        listed = [number for number in protocol.published if number.metric in shown]
        groups.append(tuple(_published_row(n, columns, protocol) for n in listed))
        notes += _published_notes(listed, protocol)
    return Grid(
        "action" if single else "checkpoint",
        columns,
        tuple(group for group in groups if group),
        tuple(_caption(entries, protocol, columns, single)),
        tuple(notes),
    )


def heading(metric: Metric) -> tuple[str, str]:
    """The two lines above a column: title with unit, variant; oracles bear a dagger."""
    mark = DAGGER if metric.oracle else ""
    return f"{metric.title}{mark} [{metric.unit}]", f"({metric.variant})"


def number(metric: Metric, value: float | None) -> str:
    """A number with the digits that its unit deserves."""
    if value is None:
        return NOTHING
    return f"{value:.{2 if metric.unit in ('mm/frame', 'px') else 1}f}"


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


def _action_rows(summary: Summary, columns: tuple[Metric, ...]) -> list[tuple[Row, ...]]:
    rows = tuple(
        Row(
            action.action,
            str(action.num_poses),
            tuple(_cell(m, action.metrics[m.name]) for m in columns),
        )
        for action in summary.actions
    )
    poses = str(summary.num_poses)
    over_actions = tuple(_cell(m, summary.metrics[m.name].over_actions) for m in columns)
    over_frames = tuple(_cell(m, summary.metrics[m.name].over_frames) for m in columns)
    means = [Row(OVER_ACTIONS, poses, over_actions), Row(OVER_FRAMES, poses, over_frames)]
    # The one that leads comes first.
    return [rows, tuple(means if summary.averaging == "actions" else reversed(means))]


def _entry_row(label: str, entry: Summary | SeedSummary, columns: tuple[Metric, ...]) -> Row:
    if isinstance(entry, Summary):
        cells = [_cell(metric, entry.headline(metric.name)) for metric in columns]
    else:
        label = f"{label} ({entry.num_seeds} seeds)"
        cells = [
            Cell(number(m, score.mean), "" if score.std is None else number(m, score.std))
            for m, score in ((m, entry.metrics[m.name]) for m in columns)
        ]
    return Row(label, str(entry.num_poses), tuple(cells))


def _cell(metric: Metric, mean: Mean) -> Cell:
    if mean.ci95 is None:
        return Cell(number(metric, mean.value))
    return Cell(number(metric, mean.value), number(metric, (mean.ci95[1] - mean.ci95[0]) / 2))


def _with_best(
    rows: list[Row], entries: list[Summary | SeedSummary], columns: tuple[Metric, ...]
) -> tuple[Row, ...]:
    """Mark each column's best among several rows, all of them that print alike."""
    if len(rows) < 2:
        return tuple(rows)
    for c, metric in enumerate(columns):
        printed = [row.cells[c].value for row in rows]
        known = [float(text) for text in printed if text != NOTHING]
        # Nothing is best where all are the same, as a baseline is.
        if not known or len(set(printed)) < 2:
            continue
        best = number(metric, max(known) if metric.higher_is_better else min(known))
        for r, row in enumerate(rows):
            cells = list(row.cells)
            cells[c] = replace(cells[c], best=cells[c].value == best)
            rows[r] = replace(row, cells=tuple(cells))
    return tuple(rows)


def _caption(
    entries: Entries, protocol: Protocol, columns: tuple[Metric, ...], single: bool
) -> list[str]:
    name = OVER_ACTIONS if protocol.averaging == "actions" else OVER_FRAMES
    detail = (
        "the mean over the poses of each action, then over the actions"
        if protocol.averaging == "actions"
        else "the mean over all poses"
    )
    headline = METRICS[protocol.headline]
    lead = f"Headline: {headline.title} ({headline.variant}), {name} ({detail})"
    label, first = next(iter(entries.items()))
    sentences = [f"Protocol {protocol.name}: {protocol.about}."]
    if single and isinstance(first, Summary):
        mean = first.headline(protocol.headline)
        value = f"{number(headline, mean.value)} {headline.unit}"
        if mean.ci95 is not None:
            low, high = (number(headline, bound) for bound in mean.ci95)
            value += f", 95% interval {low} to {high}"
        sentences.append(f"{lead}: {value}, of {label}.")
    else:
        sentences.append(f"{lead}. All columns are averaged so.")
    variants = dict.fromkeys(metric.variant for metric in columns)
    aligned = "; ".join(f"{variant}: {ALIGNMENTS[variant]}" for variant in variants)
    sentences.append(f"Alignment: {aligned}.")
    summaries = [entry for entry in entries.values() if isinstance(entry, Summary)]
    if any(entry.headline(protocol.headline).ci95 for entry in summaries):
        clips = " or ".join(dict.fromkeys(str(entry.num_clips) for entry in summaries))
        draws = " or ".join(dict.fromkeys(str(entry.resamples) for entry in summaries))
        sentences.append(
            f"±: half of the 95% interval of a bootstrap over {clips} clips ({draws} resamples)."
        )
    if len(summaries) < len(entries):
        sentences.append("± beside a mean of seeds: sample standard deviation over the seeds.")
    return sentences


def _notes(entries: Entries, protocol: Protocol, columns: tuple[Metric, ...]) -> list[str]:
    notes = []
    if any(metric.oracle for metric in columns):
        notes.append(
            f"{DAGGER} oracle: the truth chooses between answers; not a result of the method."
        )
    if missing := [name for name in protocol.shown if METRICS[name] not in columns]:
        notes.append(f"Not measured: {', '.join(missing)}.")
    # The same has to be known of every checkpoint on one set: it is said once.
    of: dict[str, list[str]] = {}
    for label, entry in entries.items():
        if isinstance(entry, Summary):
            for text in _entry_notes(entry, protocol, columns):
                of.setdefault(text, []).append(label)
    return [*notes, *(f"{', '.join(labels)}: {text}" for text, labels in of.items())]


def _entry_notes(entry: Summary, protocol: Protocol, columns: tuple[Metric, ...]) -> list[str]:
    notes = []
    for metric in columns:
        if excluded := entry.metrics[metric.name].excluded:
            notes.append(
                f"{excluded} of {entry.num_poses} poses excluded from {metric.title} "
                f"({metric.variant}), for they can't be scored."
            )
    alone = entry.single_clip_actions
    if entry.headline(protocol.headline).ci95 is None:
        notes.append("no interval, the set has too few clips for one, or clips of several actions.")
    elif entry.num_clips < FEW_CLIPS:
        notes.append(
            f"of {entry.num_clips} clips only; intervals from so few cover the truth less often "
            "than they say."
        )
    elif protocol.averaging == "actions" and alone:
        how = (
            "has one clip, whose variation the interval leaves out."
            if len(alone) == 1
            else "have one clip each and are drawn as one action, which makes the interval wide "
            "rather than narrow."
        )
        notes.append(f"{', '.join(alone)} {how}")
    return notes


def _published_row(given: Published, columns: tuple[Metric, ...], protocol: Protocol) -> Row:
    cells = (
        Cell(number(metric, given.value) if metric.name == given.metric else "")
        for metric in columns
    )
    grey = not given.comparable(protocol.name)
    return Row(f"{given.method} ({given.input})", "", tuple(cells), grey)


def _published_notes(listed: list[Published], protocol: Protocol) -> list[str]:
    """What has to be known of published numbers, once for all of which the same has to be."""
    of: dict[str, dict[str, None]] = {}
    for given in listed:
        facts = [given.note, GRADES[given.grade]]
        if not given.comparable(protocol.name):
            facts.insert(0, "not comparable")
            if given.protocol is not None:
                facts.insert(1, f"measured as in {given.protocol}")
        text = "; ".join(fact for fact in facts if fact)
        of.setdefault(text, {})[given.method] = None
    return [f"{', '.join(methods)}: {facts}." for facts, methods in of.items()]
