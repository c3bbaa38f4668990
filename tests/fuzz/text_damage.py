"""Damage that knows a text format: what strangers write into JSON, tables, motion and configs."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from tests.fuzz.damage import pick

MARK = "@damaged@"
# As they stand in JSON.
VALUES = (
    "1e999", "-1e999", "NaN", "-Infinity", "-1", "0", "1e30", "0.5", "1000000000000",
    "-1000000000000", "9223372036854775808", "9" * 5000, "0." + "3" * 100_000, "null", "true", "[]",
    "{}", '""', '"x"', '"12"', '"' + "7" * 5000 + '"', '"../../../etc/passwd_000001.jpg"',
    '"/etc/passwd"', r'"\ud800_000001.jpg"', r'"a\u0000b_000001.jpg"',
    r'"a\nb\u001b[31m_000001.jpg"',
    '"' + "y" * 50_000 + '"', "[" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900,
    "[" + "0," * 50_000 + "0]", "[[1,2],[3]]",
)  # fmt: skip
WORDS = (
    b"1e999", b"nan", b"-1", b"0", b"1e-300", b"1e300", b"1000000000000", b"-1000000000000",
    b"9" * 5000, b"1" * 100_000, b"0." + b"3" * 100_000, b"", b"x", b"\x00", b"\x1b[31m",
    b"\xff\xfe", b"\xef\xbb\xbf", b"y" * 200_000, b"..", b"{", b"}", b'"', b"1_000", b"0x10",
    "\u0661".encode(), "\u00b2".encode(), b"\x85", b"\r", b"\x0c", b"\xe2\x80\xa8", b"1 " * 50_000,
)  # fmt: skip
YAML = (
    b"${oc.env:SELFLIFT_FUZZ_SECRET}", b"${oc.env:HOME}", b"${oc.decode:${oc.env:HOME}}",
    b"${data.root}", b"${", b"???", b"!!python/object/apply:os.getcwd []", b"!!python/name:os.path",
    b"!!binary aGVsbG8=", b"&a [*a]", b"*a", b"[" * 3000, b"{a: " * 3000, b"- " * 3000,
    b"&b {<<: *b}", b"2001-99-99", b"9" * 5000, b"1:" * 3000 + b"1", b"'\\ud800'", b'"\\ud800"',
    b"y" * 200_000, b".inf", b".nan", b"null", b"[]", b"{}", b"-1", b"1e999",
)  # fmt: skip


def in_json(rng: np.random.Generator, data: bytes) -> bytes:
    """Change one value of a JSON text."""
    try:
        tree = json.loads(data)
    except ValueError:
        return data
    places = _places(tree)
    if not places:
        return data
    holder, key = pick(rng, places)
    how = int(rng.integers(8))
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, list):
        holder += [holder[key]] * int(rng.choice([1, 10, 1000]))
    elif how == 2:
        holder[key] = [holder[key]]
    elif how == 3 and isinstance(holder, dict):
        holder[pick(rng, VALUES).strip('"')[:300]] = holder.pop(key)
    elif how == 4:
        other, name = pick(rng, places)
        holder[key] = other[name]
    else:
        holder[key] = MARK
    try:
        text = json.dumps(tree)
    except ValueError:
        return data
    return text.replace(f'"{MARK}"', pick(rng, VALUES)).encode()


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    reached = [tree]
    for node in reached:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys if isinstance(node, (dict, list)) else ():
            found.append((node, key))
            if isinstance(node[key], (dict, list)):
                reached.append(node[key])
    return found


def again(rng: np.random.Generator, data: bytes) -> bytes:
    """Have a key of a JSON text twice."""
    found = list(re.finditer(rb'"\w+": (?:-?[\d.]+|"[^"]*"|\[\])', data[: 2**18]))
    if not found:
        return data
    one = pick(rng, found)
    value = pick(rng, VALUES).encode()
    key = one[0].partition(b":")[0]
    return data[: one.start()] + key + b": " + value + b", " + data[one.start() :]


def words(rng: np.random.Generator, data: bytes) -> bytes:
    """Put another word, one of the file's own or an odd one, in the place of a word or two."""
    for _ in range(int(rng.integers(1, 3))):
        found = list(re.finditer(rb"[^\s,;{}]+", data[: 2**18]))
        if not found:
            return data
        a, b = (found[int(i)] for i in rng.integers(len(found), size=2))
        new = b[0] if rng.random() < 0.5 else pick(rng, WORDS)
        data = data[: a.start()] + new + data[a.end() :]
    return data


def many(rng: np.random.Generator, data: bytes) -> bytes:
    """Have a line, or a few of them, a thousand times."""
    lines = data.split(b"\n")
    start = int(rng.integers(len(lines)))
    block = lines[start : start + int(rng.integers(1, 6))]
    times = min(int(rng.choice([2, 100, 5000])), 2**19 // max(sum(map(len, block)), 1))
    return b"\n".join(lines[:start] + block * max(times, 1) + lines[start:])


def one_line(rng: np.random.Generator, data: bytes) -> bytes:
    """Have no line breaks, or those of another system."""
    end = (b" ", b"", b"\r", b"\r\n", b"\x0c", "\u2028".encode())[int(rng.integers(6))]
    return data.replace(b"\n", end)


def encoded(rng: np.random.Generator, data: bytes) -> bytes:
    """Be in another encoding."""
    how = ("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "utf-7")[int(rng.integers(5))]
    return data.decode("latin-1").encode(how)


def yaml(rng: np.random.Generator, data: bytes) -> bytes:
    """Have another value in a YAML file, which wants to be run, resolved or unfolded."""
    if rng.random() < 0.1:
        return b"a0: &a0 [x, x]\n" + b"".join(
            b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 30)
        )
    found = list(re.finditer(rb"(?<=: ).+", data))
    if not found:
        return data
    one = pick(rng, found)
    return data[: one.start()] + pick(rng, YAML) + data[one.end() :]
