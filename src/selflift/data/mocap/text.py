"""Lines of text files, with their numbers for error messages."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from selflift.data.takes import ImportFileError


class Line(NamedTuple):
    """The words of a line that is not blank, and its number, counted from 1."""

    number: int
    words: list[str]


def read_lines(path: Path, comment: str | None = None) -> Iterator[Line]:
    """The lines of a text file that are not blank, one after another.

    Args:
        path: The file.
        comment: What begins a comment that goes to the end of its line.

    Raises:
        ImportFileError: If the file can't be read.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            for number, text in enumerate(file, 1):
                if "\0" in text:
                    raise wrong(path, "expected text, got a binary file; get it again", number)
                words = (text if comment is None else text.split(comment, 1)[0]).split()
                if words:
                    yield Line(number, words)
    except OSError as error:
        reason = error.strerror or error
        raise wrong(path, f"expected a file that can be read, got '{reason}'") from error


def wrong(path: Path, message: str, line: int | None = None) -> ImportFileError:
    """The error to raise for a file, with the line that it is about."""
    where = f"mocap '{path}'" if line is None else f"mocap '{path}', line {line}"
    return ImportFileError(f"{where}: {message}")


def numbers(path: Path, line: Line, words: list[str], count: int, what: str) -> list[float]:
    """The first ``count`` words as finite numbers.

    Raises:
        ImportFileError: If there are fewer, or one is none.
    """
    values = [_number(word) for word in words[:count]]
    bad = [word for word, value in zip(words, values, strict=False) if not isfinite(value)]
    if bad or len(values) < count:
        plural = "a number" if count == 1 else f"{count} numbers"
        got = bad[0] if bad else " ".join(words)
        raise wrong(
            path,
            f"expected {plural} as {what}, got '{got}'; mend the line or get the file again",
            line.number,
        )
    return values


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
