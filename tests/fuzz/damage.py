"""Damage to files: what disks, broken transfers and strangers do to them, drawn at random."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
NUMBERS = (
    b"-1", b"0", b"1", b"1000000000000", b"9223372036854775807", b"18446744073709551616", b"1e308",
    b"1e999", b"-1e999", b"NaN", b"Infinity", b"0.1", b"", b"null", b"true", b'"x"', b"[]", b"{}",
    b"9" * 5000,
)  # fmt: skip
WORDS = (
    b"[" * 100_000, b"{" * 3000, b'{"a":' * 3000, b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\n",
    b",", b"..", b"/", b"../../x", b'"', b"\\", b"\xed\xa0\x80", b"(" * 2000, b"]", b"}", b"-",
    b" " * 5000,
)  # fmt: skip
INTEGERS = (0, 1, -1, 2, 127, 255, 32767, 65535, 2**31 - 1, -(2**31), 10**12, 2**63 - 1, 2**40)

Damage = Callable[[np.random.Generator, bytes], bytes]


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def _place(rng: np.random.Generator, data: bytes) -> int:
    # Headers are small and matter most: half of all damage is near the beginning.
    near = rng.random() < 0.5
    return int(rng.integers(0, max(1, min(len(data), 512) if near else len(data))))


def flip(rng: np.random.Generator, data: bytes) -> bytes:
    """Flip some bits."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        if out:
            out[_place(rng, data)] ^= 1 << int(rng.integers(8))
    return bytes(out)


def cut(rng: np.random.Generator, data: bytes) -> bytes:
    """Cut it short."""
    return data[: int(rng.integers(0, len(data) + 1))]


def drop(rng: np.random.Generator, data: bytes) -> bytes:
    """Lose a run of bytes."""
    start = _place(rng, data)
    return data[:start] + data[start + int(rng.integers(1, 200)) :]


def repeat(rng: np.random.Generator, data: bytes) -> bytes:
    """Have a run of bytes twice."""
    start = _place(rng, data)
    stop = start + int(rng.integers(1, 200))
    return data[:stop] + data[start:]


def noise(rng: np.random.Generator, data: bytes) -> bytes:
    """Overwrite a run by random bytes."""
    start = _place(rng, data)
    run = rng.integers(0, 256, int(rng.integers(1, 64)), np.uint8).tobytes()
    return data[:start] + run + data[start + len(run) :]


def integer(rng: np.random.Generator, data: bytes) -> bytes:
    """Overwrite a binary integer by an extreme one."""
    value = pick(rng, INTEGERS)
    size = int(rng.choice([1, 2, 4, 8]))
    packed = struct.pack("<q", value)[:size]
    if rng.random() < 0.2:
        packed = packed[::-1]
    start = _place(rng, data)
    return data[:start] + packed + data[start + size :]


def number(rng: np.random.Generator, data: bytes) -> bytes:
    """Replace a number in text."""
    found = list(NUMBER.finditer(data[: 2**18]))
    if not found:
        return noise(rng, data)
    span = found[int(rng.integers(len(found)))].span()
    return data[: span[0]] + pick(rng, NUMBERS) + data[span[1] :]


def word(rng: np.random.Generator, data: bytes) -> bytes:
    """Insert what upsets parsers."""
    start = _place(rng, data)
    return data[:start] + pick(rng, WORDS) + data[start:]


def line(rng: np.random.Generator, data: bytes) -> bytes:
    """Lose, repeat or move a line."""
    lines = data.split(b"\n")
    a, b = int(rng.integers(len(lines))), int(rng.integers(len(lines)))
    how = int(rng.integers(3))
    if how == 0:
        del lines[a]
    elif how == 1:
        lines.insert(b, lines[a])
    else:
        lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


def other(rng: np.random.Generator, data: bytes) -> bytes:
    """Something else altogether."""
    made = rng.integers(0, 256, int(rng.integers(0, 300)), np.uint8).tobytes()
    return pick(rng, (b"", made, b"PK\x03\x04" + made, b"\x89HDF\r\n\x1a\n" + made, data[::-1]))


BINARY: tuple[Damage, ...] = (flip, flip, cut, drop, repeat, noise, integer, integer, other)
TEXT: tuple[Damage, ...] = (
    flip, cut, drop, repeat, noise, number, number, number, word, line, other
)  # fmt: skip


def damaged(rng: np.random.Generator, data: bytes, text: bool) -> bytes:
    """The bytes with one to three kinds of damage."""
    kinds = TEXT if text else BINARY
    for _ in range(int(rng.integers(1, 4))):
        data = pick(rng, kinds)(rng, data)
    return data
