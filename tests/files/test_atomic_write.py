"""Files that are either wholly written or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import h5py
import numpy as np
import pytest

from selflift.files.atomic_write import atomic_hdf5, atomic_path


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "file.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("content")
        assert not target.exists()
        assert temporary.parent == target.parent
    assert target.read_text() == "content"
    assert list(target.parent.iterdir()) == [target]


def test_the_earlier_file_stays_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


def test_an_error_keeps_the_earlier_file_and_leaves_no_other(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="midway"), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("midway")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupt_keeps_the_earlier_file_and_leaves_no_other(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_target_that_is_a_folder_leaves_no_other_file(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError), atomic_path(target) as temporary:
        temporary.write_text("content")
    assert list(tmp_path.iterdir()) == [target]
    assert list(target.iterdir()) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    with atomic_path(target) as first, atomic_path(target) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_follow_the_umask(tmp_path: Path, umask: int) -> None:
    target = tmp_path / "file.txt"
    before = os.umask(umask)
    try:
        with atomic_path(target) as temporary:
            temporary.write_text("content")
        assert os.umask(umask) == umask, "the process's umask was left changed"
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask


def test_a_disk_that_fills_up_is_an_error_and_leaves_the_earlier_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of a process are of Unix")
    path = tmp_path / "poses.h5"
    with atomic_hdf5(path) as file:
        file["a"] = np.arange(10)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for rows in (2_000, 200_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
        try:
            with pytest.raises(OSError, match="poses.h5"), atomic_hdf5(path) as file:
                file.create_dataset(
                    "a", data=np.random.default_rng(0).random((rows, 34)), chunks=True
                )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


def test_an_hdf5_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "poses.h5"
    with pytest.raises(KeyboardInterrupt), atomic_hdf5(path) as file:
        file["a"] = np.arange(10)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with atomic_hdf5(path) as file:
        file["a"] = np.arange(10)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["a"][()], np.arange(10))
