"""Arrays in a scratch file read as those in memory, and leave nothing behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from selflift.files import scratch
from selflift.files.scratch import GIB, make_array


def test_a_mapped_array_holds_what_is_written_and_no_file_is_seen(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(50, 17, 2)).astype(np.float32)
    mapped, memory = make_array(values.shape, folder=tmp_path, above=0), make_array(values.shape)
    assert isinstance(mapped, np.memmap) and not isinstance(memory, np.memmap)
    for array in (mapped, memory):
        array[:] = values
        np.testing.assert_array_equal(array, values)
    assert list(tmp_path.iterdir()) == []


def test_only_large_arrays_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scratch.MAX_IN_MEMORY == 4 * GIB
    assert not isinstance(make_array((10,), folder=tmp_path, above=40), np.memmap)
    assert isinstance(make_array((11,), folder=tmp_path, above=40), np.memmap)
    assert not isinstance(make_array((0,), folder=tmp_path, above=-1), np.memmap)


def test_the_scratch_file_lies_on_the_disk_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").write_text("a file")
    for name in ("other", "runs"):
        folder = tmp_path / name / "one"
        assert isinstance(make_array((9,), folder=folder, above=0), np.memmap)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="a system without fallocate")
def test_a_full_disk_raises_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    message = rf"No space left on device \(the poses take 1.27 GiB there\): '{tmp_path}'"
    with pytest.raises(OSError, match=message) as raised:
        make_array((10_000_000, 17, 2), folder=tmp_path, above=0)
    assert raised.value.errno == errno.ENOSPC
