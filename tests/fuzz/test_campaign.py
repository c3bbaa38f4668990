"""The harness would find a reader that does harm, and goes on after it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.fuzz.campaign import attack
from tests.fuzz.target import Target

SOUND = b"sound" * 20


def _target(name: str, harm: Callable[[], object]) -> Target:
    """A reader to which whatever is damaged does harm."""

    def read(folder: Path) -> None:
        if (folder / "file").read_bytes() != SOUND:
            harm()

    return Target(name, lambda folder: (folder / "file").write_bytes(SOUND), read)


def _raise(error: Exception) -> None:
    raise error


def _hang() -> None:
    while True:
        pass


TARGETS = (
    _target("refuses", lambda: _raise(ValueError("expected a sound file, got a damaged one"))),
    _target("raises a KeyError", lambda: _raise(KeyError("poses_2d"))),
    _target("says too many lines", lambda: _raise(ValueError("expected a line,\ngot two"))),
    _target("eats memory", lambda: np.zeros(2**28)),
    _target("hangs", _hang),
    _target("crashes", lambda: os.kill(os.getpid(), signal.SIGSEGV)),
)


def test_a_reader_that_does_harm_is_found_whatever_the_harm_is() -> None:
    names = [target.name for target in TARGETS]
    results = attack(names, cases=2, targets="tests.fuzz.test_campaign", patience_s=0.3)
    found = {result.name: result.outcomes for result in results}
    assert found == {
        "refuses": {"refused": 2}, "raises a KeyError": {"error": 2},
        "says too many lines": {"message": 2}, "eats memory": {"memory": 2}, "hangs": {"slow": 2},
        "crashes": {"crash": 2},
    }  # fmt: skip
    assert [len(result.findings) for result in results] == [0, 2, 2, 2, 2, 2]
