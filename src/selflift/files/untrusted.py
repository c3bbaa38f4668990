"""Limits and errors shared by all readers of untrusted files.

A file of ``n`` bytes may hold ``max(MOST_BYTES, MOST_GROWTH * n)`` bytes of content, whatever its
headers say: poses shrink by a factor of 2 or 3 when they are packed, labels by a few hundred, and
both lie in one file. Sizes are compared with this before anything is allocated.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

MOST_GROWTH, MOST_BYTES = 100, 2**25
MOST_DEPTH, MOST_ITEMS = 64, 10**6
LONGEST_MESSAGE = 900
CONTAINERS = (dict, list, tuple, set, frozenset, np.ndarray)


class UntrustedError(ValueError):
    """Raised for a file that asks for too much memory, for other files, or for foreign code."""


class ImportFileError(ValueError):
    """Raised for a file that can't be read; names file, key, expected, got and the remedy.

    Args:
        message: Brought into one line, since parts of it come from the file.
    """

    def __init__(self, message: str) -> None:
        super().__init__(in_a_line(message))


def most_bytes(path: str | os.PathLike[str]) -> int:
    """Return how many bytes of content a file may hold."""
    return max(MOST_BYTES, MOST_GROWTH * os.path.getsize(path))


def check_promise(what: str, promised: int, most: int) -> None:
    """Raise UntrustedError if content is larger than its file explains.

    Args:
        what: Its name.
        promised: Its bytes.
        most: The limit, of :func:`most_bytes`.
    """
    if promised > most:
        raise UntrustedError(
            f"expected at most {most / 1e6:,.0f} MB, as the file's own size explains, got "
            f"{min(promised, 10**30) / 1e6:,.0f} MB for {what[:80]!r}; it is corrupt or malicious; "
            "download it again, or write it without compression"
        )


def check_nesting(content: Any, most: int = MOST_ITEMS) -> None:
    """Raise UntrustedError for containers that are deep, hold themselves, or share without end.

    A list that is named twice in another one, which is named twice in another one, and so on, takes
    a few bytes and would keep whoever copies or prints it busy for ever.

    Args:
        content: Mappings, lists, tuples, sets and arrays of objects; other things are leaves.
        most: How many items there may be in all.
    """
    known: dict[int, tuple[int, int]] = {}

    def measure(value: Any, depth: int) -> tuple[int, int]:
        """Count the items of a container and its levels."""
        if id(value) in known:
            return known[id(value)]
        parts = _parts(value)
        items, levels = 1 + len(parts), 1
        if depth < MOST_DEPTH:
            for part in parts:
                if isinstance(part, CONTAINERS):
                    inside, below = measure(part, depth + 1)
                    items, levels = items + inside, max(levels, below + 1)
        if depth >= MOST_DEPTH or levels > MOST_DEPTH:
            raise UntrustedError(
                f"expected values nested at most {MOST_DEPTH} deep, got deeper ones; the file is "
                "corrupt or malicious; download it again"
            )
        if items > most:
            raise UntrustedError(
                f"expected at most {most:,} values, got containers that name each other and come "
                "to more; the file is corrupt or malicious; download it again"
            )
        known[id(value)] = items, levels
        return items, levels

    if isinstance(content, CONTAINERS):
        measure(content, 0)


def in_a_line(message: str, most: int = LONGEST_MESSAGE) -> str:
    """Return a message in one printable line of bounded length.

    Line ends, terminal controls and halves of characters are escaped as in Python; the middle of a
    longer message is left out.
    """
    if len(message) > most:
        # The cause stands at the beginning, the remedy at the end.
        message = f"{message[: most - most // 3]} ... {message[-(most // 3 - 5) :]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)


def _parts(value: Any) -> Any:
    """Return the items of a container."""
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype.hasobject else ()
    return value
