"""Where the numbers of all training poses lie: in memory, or in a file that batches are read from.

The file has no name: it is gone with the process, however that ends. Its rows are read at need
instead of being mapped: what is read of a mapped file counts as the process's own memory, soon all
of it, and a disk that fails then ends the process by a signal.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FLOAT_BYTES = 4
GIB = 2**30
# Normalised poses that take more than this lie in a file, unless the config says else.
MOST_IN_MEMORY = 4 * GIB


class RowFile:
    """An array ``(N, ...)`` of float32 in a scratch file; reads and writes as a tensor's.

    Args:
        shape: Its shape.
        folder: A folder on the disk where the file is to lie.

    Raises:
        OSError: If the disk has no room for it, before anything is written.
    """

    device = torch.device("cpu")

    def __init__(self, shape: tuple[int, ...], folder: Path) -> None:
        self.shape = shape
        self._row_shape, self._row_bytes = shape[1:], prod(shape[1:]) * FLOAT_BYTES
        size = shape[0] * self._row_bytes
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                self._handle = os.dup(file.fileno())
            weakref.finalize(self, os.close, self._handle)
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._handle, 0, size)
        except OSError as error:
            words = f"{error.strerror} (training poses take {size / GIB:.2f} GiB there)"
            raise type(error)(error.errno, words, str(folder)) from error

    def __len__(self) -> int:
        return self.shape[0]

    def __setitem__(self, rows: slice, values: Tensor) -> None:
        start, stop, _ = rows.indices(len(self))
        given = values.detach().to("cpu", torch.float32).expand(stop - start, *self._row_shape)
        numbers: Any = given.contiguous().numpy().reshape(-1)
        held = memoryview(numbers).cast("B")
        place = start * self._row_bytes
        while len(held):
            written = os.pwrite(self._handle, held, place)
            held, place = held[written:], place + written

    def __getitem__(self, rows: slice) -> Tensor:
        start, stop, _ = rows.indices(len(self))
        return self._tensor(self._read(start * self._row_bytes, (stop - start) * self._row_bytes))

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Some rows, ``(B, ...)``, as :meth:`torch.Tensor.index_select`; ``dim`` is 0."""
        places = (rows.cpu() * self._row_bytes).tolist()
        return self._tensor(b"".join([self._read(place, self._row_bytes) for place in places]))

    def _read(self, place: int, size: int) -> bytes:
        found = os.pread(self._handle, size, place)
        if len(found) == size:
            return found
        # One call reads 2 GiB at most.
        parts, done = [found], len(found)
        while found and done < size:
            found = os.pread(self._handle, size - done, place + done)
            parts.append(found)
            done += len(found)
        return b"".join(parts)

    def _tensor(self, held: bytes) -> Tensor:
        # Copied once more, since bytes can't be written to.
        values = torch.frombuffer(bytearray(held), dtype=torch.float32) if held else torch.empty(0)
        return values.view(-1, *self._row_shape)


Rows = Tensor | RowFile


def make_rows(shape: tuple[int, ...], folder: Path | None) -> Rows:
    """Room for an array ``(N, ...)``: in a file in ``folder``, or in memory."""
    return torch.empty(shape) if folder is None else RowFile(shape, folder)


def on_disk(asked: bool | None, size: int) -> bool:
    """Whether poses are to lie in a file.

    Args:
        asked: What the config says; ``None``: if they take more than :data:`MOST_IN_MEMORY`.
        size: Bytes of all of them.

    Raises:
        ValueError: If a file is asked for where rows of files can't be read.
    """
    possible = hasattr(os, "pread")
    if asked and not possible:
        raise ValueError(
            "trainer.poses_on_disk: expected false on a system without positional reads (Windows), "
            "got true; leave it out"
        )
    return possible and (size > MOST_IN_MEMORY if asked is None else asked)


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Values on a device; a GPU copies them while the host goes on."""
    if values.device == device:
        return values
    if device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=device.type == "cuda")
