"""JSON files of any size, read item by item.

Annotation files reach hundreds of megabytes, and parsed at once they take several times that in
memory. The outermost list or object, and the lists directly in it, are read piece by piece. NaN and
Infinity, which Python's ``json.dump`` writes, are numbers here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any

from selflift.files.untrusted import ImportFileError

CHUNK = 1 << 20
# Characters of a file that may be read to recognise it.
PEEK = 4 << 20
# Longest token that the end of a chunk can cut: -Infinity, or a character's two \uXXXX.
EDGE = 20

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"[0-9.eE+\-]*")


class _ShapeError(ValueError):
    """JSON, but not a list or an object."""


def items(path: Path, limit: int | None = None) -> Iterator[tuple[str, Any]]:
    """Read the items of the outermost list or object, one after another.

    Args:
        path: The file.
        limit: Characters after which it counts as cut short; ``None`` reads all of it.

    Yields:
        ``("", item)`` for every item of a list. For every member of an object ``(key, value)``; if
        the value is a list, ``(key, item)`` for every item of it.

    Raises:
        ImportFileError: If the file is missing, cut short, corrupt or not JSON.
    """
    count = 0
    with (
        _errors_in_a_line(path, lambda: f" after {count:,} items"),
        open(path, encoding="utf-8-sig") as stream,
    ):
        for member in _members(_Text(stream, limit)):
            yield member
            count += 1


def first_items(path: Path, count: int = 20) -> list[tuple[str, Any]]:
    """Read the first few :func:`items` of a ``.json`` file; none if it is something else."""
    out: list[tuple[str, Any]] = []
    if path.suffix.lower() == ".json" and path.is_file():
        with suppress(ImportFileError):
            for item in islice(items(path, PEEK), count):
                out.append(item)
    return out


def load_json(path: Path) -> Any:
    """Parse a small JSON file at once.

    Raises:
        ImportFileError: If the file is missing, cut short, corrupt or not JSON.
    """
    with _errors_in_a_line(path, lambda: ""):
        return json.loads(path.read_bytes())


@contextmanager
def _errors_in_a_line(path: Path, progress: Callable[[], str]) -> Iterator[None]:
    if path.exists() and not path.is_file():
        raise ImportFileError(
            f"'{path}': expected a JSON file, got none that can be read (a folder, a pipe or a "
            "device)"
        )
    try:
        yield
    except OSError as error:
        raise ImportFileError(
            f"'{path}': expected a JSON file, got none that can be read ({error.strerror})"
        ) from error
    except ImportFileError:
        raise
    except (ValueError, RecursionError) as error:
        raise ImportFileError(
            f"'{path}': expected JSON, got a file that is corrupt, cut short or of another format"
            f"{progress()} ({_reason(error)}); write it again"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    if isinstance(error, RecursionError):
        return "lists or objects too deep in each other"
    if isinstance(error, UnicodeDecodeError):
        return "not in UTF-8"
    return str(error) if isinstance(error, _ShapeError) else "a number of too many digits"


class _Text:
    """A window on a text, moved forward."""

    def __init__(self, stream: IO[str], limit: int | None) -> None:
        self._stream = stream
        self._left = limit
        self._text = ""
        self._at = 0

    def _more(self, size: int) -> bool:
        if self._left is not None:
            size = min(size, self._left)
            self._left -= size
        piece = self._stream.read(size)
        if piece:
            self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)

    def peek(self) -> str:
        """Return the next character that is not blank; empty at the end."""
        while True:
            blank = _BLANK.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(CHUNK):
                return ""

    def take(self, expected: str) -> str:
        """Take the next character, which must be one of these."""
        character = self.peek()
        if not character or character not in expected:
            raise json.JSONDecodeError(f"Expecting one of {' '.join(expected)}", self._text, 0)
        self._at += 1
        return character

    def value(self) -> Any:
        """Take the next value."""
        self.peek()
        size = CHUNK
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # An error before the window's edge is corruption: reading on would not help.
                cut = error.msg.startswith("Unterminated") or error.pos > len(self._text) - EDGE
                if not cut or not self._more(size):
                    raise
                size *= 2
                continue
            # A number at the window's edge may go on behind it: "1." is read as 1.
            if _NUMBER.fullmatch(self._text, end) and self._more(size):
                continue
            self._at = end
            return value


def _members(text: _Text) -> Iterator[tuple[str, Any]]:
    if text.take("[{") == "[":
        yield from (("", item) for item in _sequence(text, "]"))
    else:
        for key in _sequence(text, "}"):
            if not isinstance(key, str):
                raise _ShapeError("a key that is no text")
            text.take(":")
            if text.peek() == "[":
                text.take("[")
                yield from ((key, item) for item in _sequence(text, "]"))
            else:
                yield key, text.value()
    if text.peek():
        raise _ShapeError("text behind the end")


def _sequence(text: _Text, end: str) -> Iterator[Any]:
    """Read what commas separate, up to the closing bracket."""
    if text.peek() == end:
        text.take(end)
        return
    separator = ","
    while separator == ",":
        yield text.value()
        separator = text.take("," + end)
