"""What a prediction prints."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from selflift.data.recording import Recordings
from selflift.formats.tally import dropped
from selflift.lift.people import LiftedPerson, Prediction

MOST_ROWS = 30
MOST_NOTES = 12
TITLES = ("person", "frames", "lifted", "interpolated", "joints filled in", "parts")


def told_input(path: str, recordings: Recordings) -> str:
    """What was read, and how."""
    settings = [f"  {name}: {value}" for name, value in recordings.settings.items()
                if name != "camera"]  # fmt: skip
    head = f"{path}: {recordings.source}, layout {recordings.skeleton.name}"
    return "\n".join([head, *settings, dropped(recordings.report)])


def told_people(prediction: Prediction, parts: Counter[str]) -> str:
    """A table of the people.

    Args:
        prediction: Whose.
        parts: By name, into how many unbroken parts the motion falls.
    """
    people = prediction.people
    rows = [_row(person, parts) for person in people[:MOST_ROWS]]
    if len(people) > 1:
        rows.append(_total(people, parts))
    widths = [max(len(row[i]) for row in [TITLES, *rows]) for i in range(len(TITLES))]

    def line(row: tuple[str, ...]) -> str:
        first, *rest = row
        cells = [f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True)]
        return "  ".join([f"{first:<{widths[0]}}", *cells])

    lines = [line(TITLES), "-" * len(line(TITLES)), *map(line, rows)]
    if len(people) > MOST_ROWS:
        lines.insert(-1, f"... and {len(people) - MOST_ROWS} more")
    return "\n".join(lines)


def _row(person: LiftedPerson, parts: Counter[str]) -> tuple[str, ...]:
    return _cells(person.name, [person], parts[person.name])


def _total(people: list[LiftedPerson], parts: Counter[str]) -> tuple[str, ...]:
    return _cells("all", people, sum(parts.values()))


def _cells(name: str, people: list[LiftedPerson], parts: int) -> tuple[str, ...]:
    seen = sum(int((~person.interpolated).sum()) for person in people)
    lifted = sum(int(person.poses.lifted.sum()) for person in people)
    between = sum(int(person.interpolated.sum()) for person in people)
    filled = sum(int(person.poses.filled[person.poses.lifted].sum()) for person in people)
    joints = max(lifted * people[0].poses.filled.shape[-1], 1)
    share = lifted / max(seen, 1)
    return (
        name, f"{seen:,}", f"{lifted:,} ({share:.0%})", f"{between:,}",
        f"{filled:,} ({filled / joints:.0%})", f"{parts:,}",
    )  # fmt: skip


def told_notes(prediction: Prediction) -> str:
    """What was assumed, and what one should know."""
    lines = [f"assumed: {line}" for line in prediction.assumed]
    lines += [f"note: {line}" for line in prediction.notes]
    if len(lines) > MOST_NOTES:
        lines = [*lines[:MOST_NOTES], f"... and {len(lines) - MOST_NOTES} more, see the output"]
    return "\n".join(lines)


def told_lack(prediction: Prediction, takes_incomplete: bool) -> str:
    """Why poses could not be lifted; empty if all were."""
    people = prediction.people
    lack = [~person.there for person in people]
    number = int(sum(mask.sum() for mask in lack))
    if number == 0:
        return ""
    confidence = np.concatenate(
        [person.poses.confidence[mask] for person, mask in zip(people, lack, strict=True)]
    )
    missing = (confidence <= 0).sum(0)
    worst = np.argsort(-missing, kind="stable")[:3]
    joints = prediction.skeleton.joints
    names = ", ".join(f"{joints[j]} {missing[j]:,}" for j in worst if missing[j])
    needs = (
        "at least 6 joints and the root" if takes_incomplete
        else "all joints: this lifter takes complete poses only"
    )  # fmt: skip
    most = f" (missing most often: {names})" if names else ""
    return f"not lifted: {number:,} poses, since lifting takes {needs}{most}"


def told_files(written: list[tuple[Path, str]]) -> str:
    """Where the results are."""
    lines = [f"{'output:':<10}{path}{f' ({about})' if about else ''}" for path, about in written]
    if len(lines) > MOST_ROWS:
        lines = [*lines[:MOST_ROWS], f"... and {len(lines) - MOST_ROWS} more beside it"]
    return "\n".join(lines)
