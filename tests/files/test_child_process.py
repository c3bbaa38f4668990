"""Readers in a process of their own, which may do what they like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from selflift.files.child_process import IsolatedReader

PROGRAM = """
def warm():
    pass

def read(path, names):
    import os
    import signal
    import numpy as np
    what = open(path).read()
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "circle":
        while True:
            pass
    if what == "memory":
        np.ones(2**30)
    if what == "error":
        raise KeyError("Pose")
    return {names[0]: np.arange(3), "process": np.array(os.getpid())}
"""


@pytest.fixture
def reader() -> Iterator[IsolatedReader]:
    made = IsolatedReader(PROGRAM, patience_s=0.1)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("crash", "its reader ended by -11"), ("circle", "its reader did not end within 0 s"),
        ("memory", "MemoryError: Unable to allocate"), ("error", "KeyError: 'Pose'"),
    ],
)  # fmt: skip
def test_harm_is_told_and_the_next_file_is_read(
    tmp_path: Path, reader: IsolatedReader, harm: str, told: str
) -> None:
    path, good = tmp_path / "bad", tmp_path / "good"
    path.write_text(harm)
    good.write_text("good")
    with pytest.raises(ValueError, match=told):
        reader(path, ["Pose"])
    np.testing.assert_array_equal(reader(good, ["Pose"])["Pose"], [0, 1, 2])


def test_one_process_reads_file_after_file(tmp_path: Path, reader: IsolatedReader) -> None:
    path = tmp_path / "good"
    path.write_text("good")
    processes = {int(reader(path, ["Pose"])["process"]) for _ in range(3)}
    assert len(processes) == 1
