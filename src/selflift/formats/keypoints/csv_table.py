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
from 0 or 1. An empty field, ``nan``, or (0, 0) is a missing joint. Other columns are ignored, which
the report notes.
"""

from __future__ import annotations

import csv
import math
import re
from array import array
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Report
from selflift.files.untrusted import ImportFileError, in_a_line
from selflift.formats.keypoints.layout_recognition import place_by_names
from selflift.formats.keypoints.person_table import MOST, NO_TRACK, Detections
from selflift.formats.keypoints.reader import recordings

ENDINGS = (".csv", ".tsv")
ROLES = {"frame": "frame", "person": "person", "track": "person", "joint": "joint"}
NUMBERS = {"x": 0, "y": 1, "confidence": 2, "conf": 2, "score": 2}
_WIDE = re.compile(rf"(?P<joint>.+?)[_. ](?P<number>{'|'.join(NUMBERS)})")
# A table with more columns or joints is not one of keypoints.
MOST_COLUMNS = 1000
# Longer than a line of so many columns; a file without line ends is not read whole.
LONGEST_LINE = 1 << 20
LONGEST_NOTE = 300
EMPTY = ("", "nan", "null", "none")


def recognise(path: Path) -> bool:
    """Return whether it is a file that ends in ``.csv`` or ``.tsv``."""
    return path.is_file() and path.suffix.lower() in ENDINGS


def open_keypoints(path: Path, options: KeypointOptions) -> Recordings:
    """Open a table, which is one clip."""
    content = _read(path)
    if not content.joints or not content.frame:
        raise ImportFileError(f"'{path}': expected lines below the header, got none")
    layout, places = place_by_names(f"'{path}'", list(content.joints), options.layout)
    table = content.table(np.array(places), layout.skeleton.num_joints)

    def read(report: Report) -> Iterator[Detections]:
        if content.unused:
            names = in_a_line(", ".join(content.unused[:8]), LONGEST_NOTE)
            report.note(f"columns that are not used: {names}")
        if not any(number == 2 for _, number in content.values.values()):
            report.note(
                "the table has no confidences; joints with a place count as seen, with confidence 1"
            )
        yield table

    form = "long, a line for each joint" if content.long else "wide, a line for each person"
    return recordings("table", options, layout, read, videos=1, settings={"form": form})


def _read(path: Path) -> _Content:
    if not path.is_file():
        raise ImportFileError(f"'{path}': expected a table (CSV), got a folder or nothing")
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            header, lines = _lines(stream)
            content = _Content(path, header)
            for number, line in enumerate(lines, start=2):
                if line:
                    content.add(f"'{path}', line {number}", line)
            return content
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


class _Content:
    """The columns of a table, and its numbers, one row per joint."""

    def __init__(self, path: Path, header: list[str]) -> None:
        self.path = path
        self.width = len(header)
        # Column of each role; joint ("" in the long form) and number of each column of values.
        self.roles: dict[str, int] = {}
        self.values: dict[int, tuple[str, int]] = {}
        self.unused: list[str] = []
        self.frame, self.person, self.joint = array("q"), array("q"), array("q")
        self.numbers = array("f")
        self.people: dict[str, int] = {}
        self.joints: dict[str, int] = {}
        self._read_header(header)

    @property
    def long(self) -> bool:
        return "joint" in self.roles

    def _read_header(self, header: list[str]) -> None:
        if self.width > MOST_COLUMNS:
            raise ImportFileError(
                f"'{self.path}': expected at most {MOST_COLUMNS} columns, got {self.width}; is it "
                "a table of keypoints?"
            )
        for column, title in enumerate(header):
            word = title.strip().lower()
            wide = _WIDE.fullmatch(word)
            if word in ROLES and ROLES[word] not in self.roles:
                self.roles[ROLES[word]] = column
            elif word in NUMBERS:
                self.values[column] = "", NUMBERS[word]
            elif wide:
                self.values[column] = wide["joint"], NUMBERS[wide["number"]]
            else:
                self.unused.append(title.strip() or f"(column {column + 1})")
        # Only the long form has x and y without a joint, only the wide one nose_x.
        surplus = [column for column, (joint, _) in self.values.items() if bool(joint) == self.long]
        self.unused += [header[column].strip() for column in surplus]
        for column in surplus:
            del self.values[column]
        seen = list(self.values.values())
        lacking = [joint for joint, _ in seen if not {(joint, 0), (joint, 1)} <= set(seen)]
        twice = [joint for joint, number in seen if seen.count((joint, number)) > 1]
        if seen and not lacking and not twice and (not self.long or "frame" in self.roles):
            return
        reason = f" (x or y of '{lacking[0]}' is absent)" if lacking and lacking[0] else ""
        reason = f" ('{twice[0]}' has a column twice)" if twice and twice[0] else reason
        raise ImportFileError(
            f"'{self.path}': expected the columns frame, joint, x, y (person and confidence may "
            "follow), or frame and NAME_x, NAME_y, NAME_confidence for every joint, got "
            f"{', '.join(header[:8]) or 'an empty file'}{', ...' if len(header) > 8 else ''}"
            f"{reason}"
        )

    def add(self, where: str, line: list[str]) -> None:
        """Add a line."""
        if len(line) != self.width:
            raise ImportFileError(
                f"{where}: expected {self.width} fields, as in the header, got {len(line)}; the "
                "table is corrupt or cut short"
            )
        # Without a column of frames each line is one, in order.
        frame, person = len(self.frame) // max(len(self.joints), 1), NO_TRACK
        if "frame" in self.roles:
            frame = _frame(where, line[self.roles["frame"]])
        if "person" in self.roles:
            name = line[self.roles["person"]].strip()
            person = self.people.setdefault(name, len(self.people) + 1)
        found: dict[str, list[float]] = {}
        for column, (joint, number) in self.values.items():
            name = line[self.roles["joint"]].strip() if self.long else joint
            found.setdefault(name, [math.nan, math.nan, 1.0])[number] = _number(where, line[column])
        for name, numbers in found.items():
            if not name or len(self.joints) > MOST_COLUMNS:
                raise ImportFileError(
                    f"{where}: expected the name of one of a layout's joints, got '{name}'"
                )
            self.frame.append(frame)
            self.person.append(person)
            self.joint.append(self.joints.setdefault(name, len(self.joints)))
            self.numbers.extend(numbers)

    def table(self, places: np.ndarray, joints: int) -> Detections:
        """Sort the numbers into a table; ``places`` has the layout's joint of each name."""
        frame, person = np.array(self.frame, np.int64), np.array(self.person, np.int64)
        pairs, row = np.unique(np.stack([frame, person], 1), axis=0, return_inverse=True)
        flat = row.reshape(-1) * joints + places[np.array(self.joint, np.int64)]
        _, first, count = np.unique(flat, return_index=True, return_counts=True)
        if (count > 1).any():
            raise ImportFileError(
                f"'{self.path}': expected every joint once in a frame of a person, got one twice "
                f"in frame {frame[first[count > 1].min()]}; "
                + ("leave one out" if "person" in self.roles else "add a column person")
            )
        filled = np.full((len(pairs) * joints, 3), np.nan, np.float32)
        filled[flat] = np.array(self.numbers, np.float32).reshape(-1, 3)
        numbers = filled.reshape(len(pairs), joints, 3)
        low = np.nanmin(numbers[..., 2], initial=0.0)
        if low < 0:
            raise ImportFileError(f"'{self.path}': expected confidences of 0 or more, got {low:g}")
        return Detections(
            video=self.path.stem,
            frame=pairs[:, 0],
            keypoints=numbers[..., :2],
            confidence=np.nan_to_num(numbers[..., 2], nan=0.0),
            track=pairs[:, 1],
        )


def _number(where: str, text: str) -> float:
    if text.strip().lower() in EMPTY:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        raise ImportFileError(f"{where}: expected a number, got '{text[:40]}'") from None
    # Numbers too large for float32 are outside any image.
    return number if abs(number) < 1e30 else math.nan


def _frame(where: str, text: str) -> int:
    number = _number(where, text)
    if not (math.isfinite(number) and number == int(number) and 0 <= number <= MOST):
        raise ImportFileError(
            f"{where}: expected a frame of 0 or more, a whole number, got '{text[:40]}'"
        )
    return int(number)
