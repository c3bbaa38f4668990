"""JSON files of any size, item by item.

Annotation files reach hundreds of megabytes, and parsed at once they take several times that in
memory. Here the outermost list or object, and the lists directly in it, are read piece by piece.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from selflift.files.untrusted import ImportFileError

CHUNK = 1 << 20
# What recognising a file may read of it.
PEEK = 4 << 20
# Longer than what a window can cut apart: -Infinity, and a character's two \uXXXX.
EDGE = 20

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"[0-9.eE+\-]*")


def items(path: Path, limit: int | None = None) -> Iterator[tuple[str, Any]]:
    """The items of the outermost list or object, one after another.

    Args:
        path: The file.
        limit: Characters after which it counts as cut short; ``None`` reads all of it.

    Yields:
        ``("", item)`` for every item of a list. For every member of an object ``(key, value)``; if
        the value is a list, ``(key, item)`` for every item of it.

    Raises:
        ImportFileError: If the file is missing, cut short, damaged or no JSON.
    """
    count = 0
    if path.exists() and not path.is_file():
        raise ImportFileError(
            f"'{path}': expected a JSON file, got none that can be read (a folder, a pipe or a "
            "device)"
        )
    try:
        with open(path, encoding="utf-8-sig") as stream:
            for member in _members(_Text(stream, limit)):
                yield member
                count += 1
    except OSError as error:
        raise ImportFileError(
            f"'{path}': expected a JSON file, got none that can be read ({error.strerror})"
        ) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, ImportFileError):
            raise
        raise ImportFileError(
            f"'{path}': expected JSON, got a file that is damaged, cut short or something else "
            f"after {count:,} items ({reason_of(error)}); get it again"
        ) from error


def reason_of(error: Exception) -> str:
    """Why a JSON text can't be read, in a few words."""
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    if isinstance(error, RecursionError):
        return "lists or objects too deep in each other"
    if isinstance(error, UnicodeDecodeError):
        return "not in UTF-8"
    return str(error) if isinstance(error, _ShapeError) else "a number of too many digits"


class _ShapeError(ValueError):
    """JSON, but not a list or an object of this kind."""


def first_items(path: Path, count: int = 20) -> list[tuple[str, Any]]:
    """The first few :func:`items` of a ``.json`` file; none if it is something else."""
    out: list[tuple[str, Any]] = []
    if path.suffix.lower() != ".json" or not path.is_file():
        return out
    try:
        for item in items(path, PEEK):
            out.append(item)
            if len(out) == count:
                break
    except ImportFileError:
        pass
    return out


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
        if not piece:
            return False
        self._text = self._text[self._at :] + piece
        self._at = 0
        return True

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            blank = _BLANK.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(CHUNK):
                return ""

    def take(self, expected: str) -> str:
        """The next character, which must be one of these."""
        character = self.peek()
        if not character or character not in expected:
            raise json.JSONDecodeError(f"Expecting one of {' '.join(expected)}", self._text, 0)
        self._at += 1
        return character

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        size = CHUNK
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # Elsewhere than at the window's edge it is damage: no need to read on.
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
        yield from (("", item) for item in _list(text))
    elif text.peek() == "}":
        text.take("}")
    else:
        separator = ","
        while separator == ",":
            key = text.value()
            if not isinstance(key, str):
                raise _ShapeError("a key that is no text")
            text.take(":")
            if text.peek() == "[":
                text.take("[")
                for item in _list(text):
                    yield key, item
            else:
                yield key, text.value()
            separator = text.take(",}")
    if text.peek():
        raise _ShapeError("text behind the end")


def _list(text: _Text) -> Iterator[Any]:
    if text.peek() == "]":
        text.take("]")
        return
    separator = ","
    while separator == ",":
        yield text.value()
        separator = text.take(",]")
