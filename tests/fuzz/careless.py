"""Readers that are attacked to see whether the harness would notice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.fuzz.target import Target

SOUND = b"sound" * 20


def _write(folder: Path) -> None:
    (folder / "file").write_bytes(SOUND)


def _reader(harm: Callable[[], object]) -> Callable[[Path], None]:
    """Reads the file; whatever is damaged does harm."""

    def read(folder: Path) -> None:
        if (folder / "file").read_bytes() != SOUND:
            harm()

    return read


def _key_error() -> None:
    raise KeyError("poses_2d")


def _lines() -> None:
    raise ValueError("expected one line,\ngot two of them")


def _hang() -> None:
    while True:
        pass


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _refuse() -> None:
    raise ValueError("expected a sound file, got a damaged one")


TARGETS = (
    Target("refuses", _write, _reader(_refuse)),
    Target("raises a KeyError", _write, _reader(_key_error)),
    Target("says too many lines", _write, _reader(_lines)),
    Target("eats memory", _write, _reader(lambda: np.zeros(2**28))),
    Target("hangs", _write, _reader(_hang)),
    Target("crashes", _write, _reader(_crash)),
)
