"""Content as other people's programs write it: values that no longer are what a reader expects."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.fuzz.damage import pick

NUMBERS = (
    -1, 0, 1, 2, 10**6, 10**12, 2**63 - 1, 10**400, -(10**400), 0.5, 1e308, 1e-320, float("nan"),
    float("inf"), True,
)  # fmt: skip
TEXTS = (
    "", "x", "a\nb", "x" * 20_000, "../../x", "/etc/passwd", "\x00", "\u202e", "S1", "é", "1e9",
)  # fmt: skip
DTYPES = ("f2", "f4", "f8", ">f8", "i1", "i8", ">i4", "u1", "u8", "?", "c16", "U3", "S5")


def deep(depth: int = 5000) -> list:
    """A list in a list, and so on."""
    out: list = []
    for _ in range(depth):
        out = [out]
    return out


def laughs() -> list:
    """A few lists that name each other: 2**60 items for whoever looks at all of them."""
    out: list = ["ha"]
    for _ in range(60):
        out = [out, out]
    return out


def odd(rng: np.random.Generator) -> Any:
    """A value that nobody expects."""
    kind = int(rng.integers(9))
    if kind < 4:
        return pick(rng, NUMBERS)
    if kind < 6:
        return pick(rng, TEXTS)
    if kind < 8:
        return (None, [], {}, [None], {"x": 1}, (1, 2), [[1], [2, 3]], b"\xff")[
            int(rng.integers(8))
        ]
    return deep(200)


def changed_array(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    """An array of another shape, type or content."""
    kind = int(rng.integers(8))
    if kind == 0 and array.ndim:
        shape = list(array.shape)
        shape[int(rng.integers(array.ndim))] += int(rng.choice([-1, 1, 3]))
        return np.resize(array, [max(n, 0) for n in shape])
    if kind == 1:
        return [array[..., None], array.T, array.ravel(), array[None], array.ravel()[:0]][
            int(rng.integers(5))
        ]
    if kind == 2:
        with np.errstate(all="ignore"):
            try:
                return array.astype(pick(rng, DTYPES))
            except (ValueError, TypeError):
                return array[:0]
    if kind == 3 or not array.size:
        return np.array(odd_number(rng))
    out = array.copy()
    flat = out.reshape(-1)
    count = flat.size if kind == 4 else int(rng.integers(1, flat.size + 1))
    where = rng.choice(flat.size, count, replace=False)
    with np.errstate(all="ignore"):
        try:
            if kind == 5:
                flat[where] = rng.permutation(flat[where])
            elif kind == 6:
                flat[where] = flat[where] * rng.choice([-1, 0, 1e-30, 1e30, 2])
            else:
                flat[where] = str(odd_number(rng)) if out.dtype.kind in "US" else odd_number(rng)
        except (ValueError, OverflowError, TypeError):
            return array[:1]
    return out


def odd_number(rng: np.random.Generator) -> Any:
    """A number that fits into an array."""
    return (-1, 0, 1, 255, 2**31 - 1, 1e38, -1e308, np.nan, np.inf, 1e-300)[int(rng.integers(10))]


def changed(rng: np.random.Generator, value: Any, depth: int = 0, shared: bool = True) -> Any:
    """The same with one value replaced, somewhere inside.

    Args:
        rng: Decides.
        value: Containers, arrays, numbers, texts.
        depth: How far down it lies.
        shared: Whether the format can name one container twice.
    """
    down = depth < 6 and rng.random() < 0.9
    if isinstance(value, dict) and value and down:
        key = pick(rng, list(value))
        how = rng.random()
        if how < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if how < 0.2:
            new = (f"{key}x", "", 3, "a\nb")[int(rng.integers(4))]
            return {(new if k == key else k): v for k, v in value.items()}
        return {**value, key: changed(rng, value[key], depth + 1, shared)}
    if isinstance(value, (list, tuple)) and value and down:
        place = int(rng.integers(len(value)))
        out = list(value)
        if rng.random() < 0.1:
            del out[place]
        else:
            out[place] = changed(rng, out[place], depth + 1, shared)
        return type(value)(out) if type(value) in (list, tuple) else out
    if isinstance(value, np.ndarray):
        if value.dtype == object and value.size and down:
            out = value.copy()
            flat = out.reshape(-1)
            place = int(rng.integers(flat.size))
            flat[place] = changed(rng, flat[place], depth + 1, shared)
            return out
        if rng.random() < 0.8:
            return changed_array(rng, value)
    return laughs() if shared and depth and rng.random() < 0.05 else odd(rng)
