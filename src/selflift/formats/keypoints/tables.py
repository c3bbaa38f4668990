"""Tables of keypoints: CSV with a header, in a long or a wide form.

Long, a line for each joint::

    frame,person,joint,x,y,confidence
    0,1,nose,312.5,201.0,0.93

Wide, a line for each person in each frame::

    frame,person,nose_x,nose_y,nose_confidence,left_eye_x,...
    0,1,312.5,201.0,0.93,318.2,...

Columns come in any order, separated by commas, semicolons or tabs; upper and lower case are the
same. ``person`` (or ``track``) and ``confidence`` (``conf``, ``score``) may be absent; in the wide
form also ``frame``, if every line is a frame. Joints have the names of a known layout, or numbers
from 0 or 1. An empty field, ``nan``, or (0, 0) is a missing joint. Other columns are left out, and
said.
"""

from __future__ import annotations

import csv
import math
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Report
from selflift.files.untrusted import ImportFileError, in_a_line
from selflift.formats.keypoints.assemble import recordings
from selflift.formats.keypoints.detections import MOST, NO_TRACK, Detections
from selflift.formats.keypoints.layouts import place_by_names

ENDINGS = (".csv", ".tsv")
FRAME, PERSON, JOINT = ("frame",), ("person", "track"), ("joint",)
NUMBERS = {"x": 0, "y": 1, "confidence": 2, "conf": 2, "score": 2}
_WIDE = re.compile(rf"(?P<joint>.+?)[_. ](?P<number>{'|'.join(NUMBERS)})")
# Columns of a table wider than this are no joints.
MOST_COLUMNS = 1000
# Longer than a line of so many columns; a file without line ends is not read whole.
LONGEST_LINE = 1 << 20
LONGEST_NOTE = 300
EMPTY = ("", "nan", "null", "none")


@dataclass
class _Columns:
    """Where each thing stands in a line."""

    frame: int | None = None
    person: int | None = None
    joint: int | None = None
    # Joint (long: none) and number of every column of coordinates.
    places: dict[int, tuple[str, int]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


@dataclass
class _Cells:
    """The numbers of a table, a joint each."""

    frame: array[int] = field(default_factory=lambda: array("q"))
    person: array[int] = field(default_factory=lambda: array("q"))
    joint: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[float] = field(default_factory=lambda: array("f"))
    people: dict[str, int] = field(default_factory=dict)
    joints: dict[str, int] = field(default_factory=dict)


def recognise(path: Path) -> bool:
    """Whether it is a file that ends in ``.csv`` or ``.tsv``."""
    return path.is_file() and path.suffix.lower() in ENDINGS


def open_table(path: str | Path, options: KeypointOptions) -> Recordings:
    """The people in a table, which is one clip.

    Args:
        path: The file.
        options: What to make of it.

    Raises:
        ImportFileError: If the columns, a number or the layout don't fit, or nobody is in it.
    """
    path = Path(path)
    columns, cells = _read(path)
    if not cells.joints or not cells.frame:
        raise ImportFileError(f"'{path}': expected lines below the header, got none")
    layout, places = place_by_names(f"'{path}'", list(cells.joints), options.layout)
    table = _table(path, cells, np.array(places), layout.skeleton.num_joints, columns)

    def read(report: Report) -> Iterator[Detections]:
        if columns.others:
            names = in_a_line(", ".join(columns.others[:8]), LONGEST_NOTE)
            report.note(f"columns that are not used: {names}")
        if not any(number == 2 for _, number in columns.places.values()):
            report.note(
                "the table has no confidences; joints with a place count as seen, with confidence 1"
            )
        yield table

    form = (
        "long, a line for each joint"
        if columns.joint is not None
        else "wide, a line for each person"
    )
    return recordings("table", options, layout, read, videos=1, settings={"form": form})


def _read(path: Path) -> tuple[_Columns, _Cells]:
    if not path.is_file():
        raise ImportFileError(f"'{path}': expected a table (CSV), got a folder or nothing")
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            header, lines = _lines(stream)
            columns = _columns(path, header)
            cells = _Cells()
            for number, line in enumerate(lines, start=2):
                if line:
                    _add(f"'{path}', line {number}", line, columns, len(header), cells)
            return columns, cells
    except OSError as error:
        raise ImportFileError(
            f"'{path}': expected a table (CSV), got none that can be read ({error.strerror})"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImportFileError(
            f"'{path}': expected a table as text (CSV, UTF-8), got something else ({error}); save "
            "it as CSV"
        ) from error


def _lines(stream: TextIO) -> tuple[list[str], Iterator[list[str]]]:
    bounded = _bounded(stream)
    first = next(bounded, "")
    separator = max(",;\t", key=first.count)
    lines = csv.reader(chain([first], bounded), delimiter=separator, strict=True)
    return next(lines, []), lines


def _bounded(stream: TextIO) -> Iterator[str]:
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise csv.Error(f"a line of more than {LONGEST_LINE} characters")
        yield line


def _columns(path: Path, header: list[str]) -> _Columns:
    if len(header) > MOST_COLUMNS:
        raise ImportFileError(
            f"'{path}': expected at most {MOST_COLUMNS} columns, got {len(header)}; is it a "
            "table of keypoints?"
        )
    found = _Columns()
    for place, title in enumerate(header):
        word = title.strip().lower()
        wide = _WIDE.fullmatch(word)
        if word in FRAME and found.frame is None:
            found.frame = place
        elif word in PERSON and found.person is None:
            found.person = place
        elif word in JOINT and found.joint is None:
            found.joint = place
        elif word in NUMBERS:
            found.places[place] = ("", NUMBERS[word])
        elif wide:
            found.places[place] = (wide["joint"], NUMBERS[wide["number"]])
        else:
            found.others.append(title.strip() or f"(column {place + 1})")
    long = found.joint is not None
    # Without a column of joints x and y alone are nobody's; with it, nose_x is one too many.
    surplus = [p for p, (joint, _) in found.places.items() if bool(joint) == long]
    found.others += [header[place].strip() for place in surplus]
    found.places = {p: v for p, v in found.places.items() if p not in surplus}
    _check(path, header, found)
    return found


def _check(path: Path, header: list[str], found: _Columns) -> None:
    seen = list(found.places.values())
    joints = dict.fromkeys(joint for joint, _ in seen)
    lacking = [j for j in joints if not {(j, 0), (j, 1)} <= set(seen)]
    twice = [joint for joint, number in seen if seen.count((joint, number)) > 1]
    if joints and not lacking and not twice and (found.joint is None or found.frame is not None):
        return
    reason = f" (x or y of '{lacking[0]}' is absent)" if lacking and lacking[0] else ""
    reason = f" ('{twice[0]}' has a column twice)" if twice and twice[0] else reason
    raise ImportFileError(
        f"'{path}': expected the columns frame, joint, x, y (person and confidence may follow), or "
        "frame and NAME_x, NAME_y, NAME_confidence for every joint, got "
        f"{', '.join(header[:8]) or 'an empty file'}{', ...' if len(header) > 8 else ''}{reason}"
    )


def _add(where: str, line: list[str], columns: _Columns, width: int, cells: _Cells) -> None:
    if len(line) != width:
        raise ImportFileError(
            f"{where}: expected {width} fields, as in the header, got {len(line)}; the table is "
            "damaged or cut short"
        )
    # Without a column of frames each line is one, in order.
    frame = (
        len(cells.frame) // max(len(cells.joints), 1)
        if columns.frame is None
        else _frame(where, line[columns.frame])
    )
    person = NO_TRACK
    if columns.person is not None:
        person = cells.people.setdefault(line[columns.person].strip(), len(cells.people) + 1)
    found: dict[str, list[float]] = {}
    for place, (joint, number) in columns.places.items():
        name = joint if columns.joint is None else line[columns.joint].strip()
        found.setdefault(name, [math.nan, math.nan, 1.0])[number] = _number(where, line[place])
    for name, numbers in found.items():
        if not name or len(cells.joints) > MOST_COLUMNS:
            raise ImportFileError(
                f"{where}: expected the name of one of a layout's joints, got '{name}'"
            )
        cells.frame.append(frame)
        cells.person.append(person)
        cells.joint.append(cells.joints.setdefault(name, len(cells.joints)))
        cells.numbers.extend(numbers)


def _number(where: str, text: str) -> float:
    if text.strip().lower() in EMPTY:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        raise ImportFileError(f"{where}: expected a number, got '{text[:40]}'") from None
    # What float32 can't hold is no place in an image either.
    return number if abs(number) < 1e30 else math.nan


def _frame(where: str, text: str) -> int:
    number = _number(where, text)
    if not (math.isfinite(number) and number == int(number) and 0 <= number <= MOST):
        raise ImportFileError(
            f"{where}: expected a frame of 0 or more, a whole number, got '{text[:40]}'"
        )
    return int(number)


def _table(
    path: Path, cells: _Cells, places: np.ndarray, joints: int, columns: _Columns
) -> Detections:
    frame, person = np.array(cells.frame, np.int64), np.array(cells.person, np.int64)
    pairs, row = np.unique(np.stack([frame, person], 1), axis=0, return_inverse=True)
    joint = places[np.array(cells.joint, np.int64)]
    flat = row.reshape(-1) * joints + joint
    _, first, count = np.unique(flat, return_index=True, return_counts=True)
    if (count > 1).any():
        where = int(first[count > 1].min())
        raise ImportFileError(
            f"'{path}': expected every joint once in a frame of a person, got one twice in frame "
            f"{frame[where]}; "
            + ("leave one out" if columns.person is not None else "add a column person")
        )
    filled = np.full((len(pairs) * joints, 3), np.nan, np.float32)
    filled[flat] = np.array(cells.numbers, np.float32).reshape(-1, 3)
    numbers = filled.reshape(len(pairs), joints, 3)
    low = np.nanmin(numbers[..., 2], initial=0.0)
    if low < 0:
        raise ImportFileError(f"'{path}': expected confidences of 0 or more, got {low:g}")
    return Detections(
        video=path.stem,
        frame=pairs[:, 0],
        keypoints=numbers[..., :2],
        confidence=np.nan_to_num(numbers[..., 2], nan=0.0),
        score=np.full(len(pairs), np.nan),
        track=pairs[:, 1],
        size_px=None,
    )
