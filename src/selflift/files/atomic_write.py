"""Files that are either wholly written or not at all."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that replaces it when the block ends without an error."""
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner reads; give the usual permissions instead.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except OSError as error:
        # The user knows the file that was to be written, not the temporary one.
        raise type(error)(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Have a new name survive a power cut, where the system can be asked to."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems know of no such thing; the file itself is on the disk.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)


class _Disk(io.FileIO):
    """A file that remembers the first failed write, and goes on as if nothing had happened.

    HDF5 writes much of a file when it closes it, and ends the process if it can't.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.error = self.error or error
            return memoryview(data).nbytes

    def readinto(self, buffer: Any) -> int:
        read = super().readinto(buffer) or 0
        if self.error is not None:
            # What was not written can't be read back; its content no longer matters.
            view = memoryview(buffer).cast("B")
            view[read:] = bytes(len(view) - read)
            return len(view)
        return read

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def check(self) -> None:
        """Raise the first failed write."""
        if self.error is not None:
            raise self.error


@contextmanager
def atomic_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """An HDF5 file that replaces ``path`` when the block ends without an error.

    Raises:
        OSError: If it can't be written whole; an earlier file of that name is intact.
    """
    with atomic_path(path) as temporary:
        disk = _Disk(temporary, "r+b")
        try:
            with h5py.File(disk, "w") as file:
                yield file
            disk.check()
        finally:
            disk.close()
