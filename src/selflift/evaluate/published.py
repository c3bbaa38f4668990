"""Numbers from the literature, each with the alignment and the protocol it was measured under.

A number may stand beside one's own only where both were measured the same way. Many sources state
neither whether their alignment admits reflections nor which frames they score: such numbers are
listed, for readers look for them, but as not comparable. They lie in ``published.csv``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

# Values of the column ``input``; the third is "detected".
GROUND_TRUTH, NOT_STATED = "GT", "unstated"

GRADES: dict[str, str] = {
    "code": "the authors' public code reports it",
    "agreed": "in the abstract or in two independent restatements",
    "single": "in one good secondary source",
    "recalled": "from memory, not confirmed",
    "ungraded": "at second hand, not graded",
}


@dataclass(frozen=True)
class Published:
    """A number from the literature.

    Attributes:
        method: Authors and setting.
        value: In the metric's unit.
        metric: Key of :data:`selflift.evaluate.catalogue.METRICS`; the nearest one if ``protocol``
            is ``None``.
        input: The 2D it was lifted from: ``"GT"``, ``"detected"`` or ``"unstated"``.
        grade: How well the number is attested, one of :data:`GRADES`.
        protocol: The protocol it was measured under; ``None`` if its alignment is not known or
            none of the protocols has it, so that it is comparable with nothing.
        note: What the reader has to know beside it.
    """

    method: str
    value: float
    metric: str
    input: str
    grade: str
    protocol: str | None
    note: str = ""

    def comparable(self, protocol: str) -> bool:
        """True if numbers of this metric under that protocol may stand beside it."""
        return self.protocol == protocol


def published(table: str) -> tuple[Published, ...]:
    """Numbers of one table of ``published.csv``."""
    return _tables()[table]


@cache
def _tables() -> dict[str, tuple[Published, ...]]:
    text = resources.files(__package__).joinpath("published.csv").read_text(encoding="utf-8")
    tables: dict[str, tuple[Published, ...]] = {}
    for row in csv.DictReader(text.splitlines()):
        number = Published(
            row["method"], float(row["value"]), row["metric"], row["input"], row["grade"],
            row["protocol"] or None, row["note"],
        )  # fmt: skip
        tables[row["table"]] = (*tables.get(row["table"], ()), number)
    return tables
