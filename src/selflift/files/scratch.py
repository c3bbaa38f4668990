"""Arrays that may be larger than memory: in memory, or mapped from an unnamed scratch file."""

from __future__ import annotations

import os
import tempfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

GIB = 2**30
# Arrays above this size lie in a scratch file, unless the caller decides otherwise.
MAX_IN_MEMORY = 4 * GIB


def make_array(
    shape: tuple[int, ...],
    dtype: Any = np.float32,
    folder: Path | None = None,
    above: int = MAX_IN_MEMORY,
) -> np.ndarray:
    """Allocate an array, in memory or mapped from a scratch file.

    The file has no name, so it is gone when the process ends, however it ends.

    Args:
        shape: Shape of the array.
        dtype: Its type.
        folder: Folder whose disk holds scratch files, or the nearest existing one above it;
            ``None``: always allocate in memory.
        above: Bytes above which the array lies in a file.

    Raises:
        OSError: If the disk has no room for it, before anything is written.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    if folder is None or size <= above or size == 0:
        return np.empty(shape, dtype)
    folder = folder.absolute()
    place = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            # A sparse file would end the process by a signal when the disk is full.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, dtype, "w+", 0, shape)
    except OSError as error:
        words = f"{error.strerror} (the poses take {size / GIB:.2f} GiB there)"
        raise type(error)(error.errno, words, str(place)) from error
