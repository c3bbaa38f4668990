"""Numbers in a scratch file read as those in memory, and leave nothing behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from selflift.method.pose_storage import GIB, RowFile, make_rows, on_disk, sent


@pytest.mark.parametrize("shape", [(50, 17, 2), (50, 17), (50, 4, 3)])
def test_a_file_reads_as_a_tensor(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    file, memory = make_rows(shape, tmp_path), make_rows(shape, None)
    for rows in (slice(0, 13), slice(13, 40), slice(40, 50)):
        file[rows] = values[rows]
        memory[rows] = values[rows]
    chosen = torch.tensor([49, 0, 7, 7, 23])
    for held in (file, memory):
        assert len(held) == 50
        assert torch.equal(held[0:50], values)
        assert torch.equal(held[5:9], values[5:9])
        assert torch.equal(held.index_select(0, chosen), values[chosen])
        assert len(held.index_select(0, chosen[:0])) == 0
    file[3:5] = values[7:9]
    assert torch.equal(file[3:5], values[7:9]) and torch.equal(file[5:9], values[5:9])


def test_what_is_read_may_be_changed_without_changing_the_file(tmp_path: Path) -> None:
    file = RowFile((4, 2), tmp_path)
    file[0:4] = torch.ones(4, 2)
    file.index_select(0, torch.arange(4)).zero_()
    assert torch.equal(file[0:4], torch.ones(4, 2))


def test_nothing_is_seen_of_the_file(tmp_path: Path) -> None:
    file = RowFile((1000, 17, 2), tmp_path)
    file[0:1000] = torch.zeros(1000, 17, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    message = rf"No space left on device \(training poses take 1.27 GiB there\): '{tmp_path}'"
    with pytest.raises(OSError, match=message) as told:
        RowFile((10_000_000, 17, 2), tmp_path)
    assert told.value.errno == errno.ENOSPC


def test_large_sets_lie_in_a_file_unless_the_config_says_else() -> None:
    assert not on_disk(None, 4 * GIB) and on_disk(None, 4 * GIB + 1)
    assert on_disk(True, 1) and not on_disk(False, 100 * GIB)


def test_a_system_without_positional_reads_keeps_poses_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "pread")
    assert not on_disk(None, 100 * GIB)
    with pytest.raises(ValueError, match="poses_on_disk: expected false on a system without"):
        on_disk(True, 1)


def test_values_that_are_where_they_are_wanted_are_not_copied() -> None:
    values = torch.ones(3)
    assert sent(values, torch.device("cpu")) is values
    assert sent(values, torch.device("meta")).device.type == "meta"
