"""What a file from somebody else may ask of the machine: one rule for every reader.

A file of ``n`` bytes may promise ``max(MOST_BYTES, MOST_GROWTH * n)`` bytes of content, whatever
its headers say: poses shrink by a factor of 2 or 3 when they are packed, labels by a few hundred,
and both lie in one file. What is small may shrink as it likes. Sizes are compared with this before
anything is allocated.
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
    """A file asks for more than it is given: memory, other files, somebody else's programs."""


class ImportFileError(ValueError):
    """A file that an importer can't read: names file, key, expected, got and the remedy.

    Args:
        message: As told; brought into one line, since parts of it come from the file.
    """

    def __init__(self, message: str) -> None:
        super().__init__(in_a_line(message))


def most_bytes(path: str | os.PathLike[str]) -> int:
    """How many bytes of content a file may promise."""
    return max(MOST_BYTES, MOST_GROWTH * os.path.getsize(path))


def check_promise(what: str, promised: int, most: int) -> None:
    """Refuse content that is larger than its file explains.

    Args:
        what: Its name.
        promised: Its bytes.
        most: What :func:`most_bytes` allows.

    Raises:
        UntrustedError: If it is too large.
    """
    if promised > most:
        raise UntrustedError(
            f"expected at most {most / 1e6:,.0f} MB, as the file's own size explains, got "
            f"{min(promised, 10**30) / 1e6:,.0f} MB for {what[:80]!r}; it is damaged or means "
            "harm: get it again, or write it without compression"
        )


def check_nesting(content: Any, most: int = MOST_ITEMS) -> None:
    """Refuse plain containers that are deep, hold themselves, or name each other without end.

    A list that is named twice in another one, which is named twice in another one, and so on, takes
    a few bytes and would keep whoever copies or prints it busy for ever.

    Args:
        content: Mappings, lists, tuples, sets and arrays of objects; what is in other things is
            not looked at.
        most: How many items there may be in all.

    Raises:
        UntrustedError: If it is too deep or too large, or holds itself.
    """
    counted: dict[int, int] = {}
    path: list[tuple[int, int, Any]] = []
    under_way: set[int] = set()
    items, inner = 1, iter([content] if isinstance(content, CONTAINERS) else [])
    key = 0
    while True:
        child = next(inner, None)
        if child is None:
            counted[key] = items
            under_way.discard(key)
            if items > most:
                raise UntrustedError(
                    f"expected at most {most:,} values, got containers that name each other and "
                    "come to more; the file is damaged or means harm: get it again"
                )
            if not path:
                return
            whole = items
            key, items, inner = path.pop()
            items += whole
            continue
        if id(child) in counted:
            items += counted[id(child)]
            continue
        if id(child) in under_way or len(path) >= MOST_DEPTH:
            raise UntrustedError(
                f"expected values nested at most {MOST_DEPTH} deep, got deeper ones; the file is "
                "damaged or means harm: get it again"
            )
        path.append((key, items, inner))
        parts = _parts(child)
        key, items = id(child), 1 + len(parts)
        under_way.add(key)
        inner = iter([part for part in parts if isinstance(part, CONTAINERS)])


def in_a_line(message: str, most: int = LONGEST_MESSAGE) -> str:
    """A message in one line of bounded length, whatever a file put into it.

    What is not printed, such as a line's end, what steers a terminal, or half of a character, is
    written as in Python.

    Args:
        message: It.
        most: Longest length; the middle of a longer one is left out.
    """
    if len(message) > most:
        # What is wrong stands at the beginning, and what to do about it at the end.
        message = f"{message[: most - most // 3]} ... {message[-(most // 3 - 5) :]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)


def _parts(value: Any) -> Any:
    """What a container holds."""
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype.hasobject else ()
    return value
