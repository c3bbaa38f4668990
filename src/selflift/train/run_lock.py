"""One run in a folder at a time."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import IO

NAME = ".lock"


class FolderLock:
    """Holds a folder until it is released, or the process ends in whatever way.

    The system keeps the lock, not the file's existence: what a killed run leaves is in nobody's
    way. Where a file system knows no locks, and on systems without ``fcntl``, folders are not
    protected.

    Args:
        folder: The folder, which is made if it isn't there.

    Raises:
        ValueError: If another process holds it.
        OSError: If the folder can't be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / NAME
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115
        try:
            self._lock()
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = " ".join(self._file.read(200).split()) or "another process"
            raise ValueError(
                f"output_dir '{self.folder}': expected a folder that no other run trains in, got "
                f"one in use by {holder}; wait for it, stop it, or choose another output_dir"
            ) from error
        except OSError:
            return
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._file.flush()

    def lost(self) -> bool:
        """Whether the folder, or what holds it, has been removed or moved away."""
        try:
            there, own = self.path.stat(), os.fstat(self._file.fileno())
        except FileNotFoundError:
            return True
        return (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino)

    def release(self) -> None:
        """Let others have it. The file stays: removing it could take another's lock away."""
        self._file.close()
