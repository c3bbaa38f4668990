"""Open untrusted HDF5 files; every reader of HDF5 does so here.

A file of 2 kB can promise 10^12 rows that were never written, hold 10 GB of zeros, or name other
files, whose content would then be read as its own. No link or reference out of the file is
followed, and sizes are compared with the file's before anything is allocated (the rule stands in
:mod:`selflift.files.untrusted`).

A corrupt structure makes the library itself crash, loop, or allocate gigabytes, so that a child
process walks a file first: it opens every object and reads all texts and attributes. Numbers are
read, block by block if need be, in this process only.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from selflift.files.child_process import IsolatedReader
from selflift.files.untrusted import MOST_GROWTH, UntrustedError, check_promise, most_bytes

# Built into every HDF5 library. Others it would load from folders of programs, as the file asks.
FILTERS = {
    h5py.h5z.FILTER_DEFLATE: "gzip", h5py.h5z.FILTER_SHUFFLE: "shuffle",
    h5py.h5z.FILTER_FLETCHER32: "fletcher32", h5py.h5z.FILTER_LZF: "lzf",
}  # fmt: skip
DEFLATE_GROWTH = 1032
LONGEST_NUMBER = 8

_WALK = """
from selflift.files.hdf5 import walk as read

def warm():
    pass
"""
_walk = IsolatedReader(_WALK, patience_s=1.0)
# Files that passed: name, size, time of change.
_sound: set[tuple[str, int, int]] = set()


@contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[Hdf5File]:
    """Open a file to read; a process checks each file's structure once.

    Raises:
        OSError: If it is no HDF5 file.
        ValueError: If the library can't read its structure.
        UntrustedError: If its texts are larger than the file explains.
        Exception: Within the block whatever a corrupt file makes h5py raise.
    """
    about = os.stat(path)
    key = (os.path.abspath(path), about.st_size, about.st_mtime_ns)
    if key not in _sound:
        if not h5py.is_hdf5(os.fspath(path)):
            raise OSError(f"'{path}' is no HDF5 file")
        _walk(Path(path), [])
        _sound.add(key)
    with h5py.File(path, "r") as file:
        yield Hdf5File(file, about.st_size, most_bytes(path))


def walk(path: str, _: list[str]) -> list[str]:
    """Open all objects of a file and read its texts and attributes; runs in the child process."""
    size, most = os.path.getsize(path), most_bytes(Path(path))

    def look(name: str, item: Any) -> None:
        known = isinstance(item, h5py.Dataset) and _is_inside(item) and item.shape is not None
        with suppress(TypeError):  # a type that NumPy doesn't know, and that is never read
            if known and is_text(item.dtype) and item.ndim < 2:
                Hdf5File(file, size, most).texts(name)

    with h5py.File(path, "r") as file:
        for name in file.attrs:
            with suppress(UntrustedError, TypeError):  # of a type that is never read
                Attributes(file.attrs)[name]
        file.visititems(look)
    return []


class Hdf5File:
    """Open file that gives datasets whose type, size and place have been checked.

    Args:
        file: The file.
        size: Its bytes.
        most: How many bytes all that is read of it may have.
    """

    def __init__(self, file: h5py.File, size: int, most: int) -> None:
        self._file, self._size, self._most = file, size, most
        self._promised: dict[str, int] = {}

    @property
    def attrs(self) -> Attributes:
        """Attributes of the file."""
        return Attributes(self._file.attrs)

    def __contains__(self, name: str) -> bool:
        return self._item(name) is not None

    def names(self, group: str = "") -> list[str]:
        """List the members of a group (of the file if none is named; of no such group: none)."""
        place = self._item(group) if group else self._file
        return list(place) if isinstance(place, h5py.Group) else []

    def is_dataset(self, name: str) -> bool:
        """Return whether there is a dataset of that name."""
        return isinstance(self._item(name), h5py.Dataset)

    def has_texts(self, name: str) -> bool:
        """Return whether there is a dataset of texts of that name."""
        item = self._item(name)
        return isinstance(item, h5py.Dataset) and is_text(item.dtype)

    def __getitem__(self, name: str) -> h5py.Dataset:
        """Return a dataset of numbers.

        Raises:
            KeyError: If there is none of that name.
            UntrustedError: If it is larger than the file explains, of another type, or its content
                lies in another file.
        """
        return self._dataset(name, texts=False)

    def _dataset(self, name: str, texts: bool) -> h5py.Dataset:
        item = self._item(name)
        if item is None:
            raise KeyError(f"no '{name}'")
        filters = self._check_place(name, item) if isinstance(item, h5py.Dataset) else []
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            raise UntrustedError(
                f"expected {_kind(texts)}, but '{name}' is not a dataset; write the file again"
            )
        if name not in self._promised:
            dtype = item.dtype
            known = is_text(dtype) if texts else is_number(dtype)
            if not known:
                raise UntrustedError(
                    f"expected {_kind(texts)} in '{name}', got {dtype!s:.60}; write it again"
                )
            # Python's integers: those of NumPy overflow.
            self._promised[name] = math.prod(item.shape) * dtype.itemsize
            check_promise(name, sum(self._promised.values()), self._most)
            if item.chunks is not None:
                self._check_chunks(name, item, filters)
        return item

    def array(self, name: str) -> np.ndarray:
        """Read all numbers of a dataset."""
        found = np.asarray(self[name][()])
        return found.astype(found.dtype.newbyteorder("="), copy=False)

    def texts(self, name: str) -> list[str]:
        """Read all texts of a dataset: a list of them, or one.

        Raises:
            UntrustedError: If it is of another kind, or the texts are longer than the file
                explains: many may be one long text.
        """
        dataset = self._dataset(name, texts=True)
        if dataset.ndim > 1:
            raise UntrustedError(
                f"expected '{name}' as a list of texts, got {dataset.ndim} dimensions; write it "
                "again"
            )
        if dataset.ndim == 0:
            return [str(dataset.asstr()[()])]
        found: list[str] = []
        length = 0
        check_promise(f"the number of {name}", len(dataset), self._size)
        # No text is longer than the file.
        block = max(MOST_GROWTH, self._most // self._size)
        for start in range(0, len(dataset), block):
            found += dataset.asstr()[start : start + block].tolist()
            length += sum(map(len, found[start:]))
            check_promise(name, length, self._most)
        return found

    def _item(self, name: str) -> Any:
        """Return the object of a name; ``None`` if there is none."""
        place: Any = self._file
        for part in name.split("/"):
            if not isinstance(place, h5py.Group):
                return None
            link = place.get(part, getlink=True)
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                raise UntrustedError(
                    f"expected '{name}' in the file itself, got a link, which is not followed; "
                    "copy what it leads to into the file"
                )
            place = place[part]
        return place

    def _check_place(self, name: str, item: h5py.Dataset) -> list[int]:
        """Return the filters; raise UntrustedError for foreign ones and for content elsewhere."""
        made = item.id.get_create_plist()
        if not _is_inside(item):
            raise UntrustedError(
                f"expected '{name}' in the file itself, got one whose content lies in another "
                "file, which is not opened; copy it into the file"
            )
        filters = [made.get_filter(n)[0] for n in range(made.get_nfilters())]
        # Packed twice, content may grow by a million.
        if set(filters) - set(FILTERS) or len(set(filters)) < len(filters):
            raise UntrustedError(
                f"expected '{name}' packed by {', '.join(FILTERS.values())}, each at most once, "
                f"got the filters {filters[:8]}; write it again with gzip"
            )
        return filters

    def _check_chunks(self, name: str, item: h5py.Dataset, filters: list[int]) -> None:
        """Raise UntrustedError for chunks that fill the memory: HDF5 unpacks them whole."""
        chunk = math.prod(item.chunks) * item.dtype.itemsize
        check_promise(f"a chunk of {name}", chunk, self._most)
        # HDF5 also unpacks what turns out larger than its chunk.
        stored = item.id.get_storage_size()
        if h5py.h5z.FILTER_DEFLATE not in filters or stored * DEFLATE_GROWTH <= self._most:
            return
        check_promise(f"the chunks of {name}", stored, self._most)
        chunks: list[Any] = []
        item.id.chunk_iter(chunks.append)
        for info in chunks:
            left_out = info.filter_mask >> filters.index(h5py.h5z.FILTER_DEFLATE) & 1
            if left_out or info.size * DEFLATE_GROWTH <= self._most:
                continue
            check_promise(f"a chunk of {name}", info.size, self._most)
            _, packed = item.id.read_direct_chunk(info.chunk_offset)
            if len(zlib.decompressobj().decompress(packed, chunk + 1)) > chunk:
                raise UntrustedError(
                    f"expected chunks of {chunk} bytes in '{name}', got a larger one; the file is "
                    "corrupt or malicious; download it again"
                )


def is_text(dtype: np.dtype) -> bool:
    """Return whether it is a type of texts."""
    return h5py.check_string_dtype(dtype) is not None


def is_number(dtype: np.dtype) -> bool:
    """Return whether it is a type of numbers that NumPy and PyTorch know."""
    return dtype.kind in "fiub" and dtype.subdtype is None and dtype.itemsize <= LONGEST_NUMBER


def _kind(texts: bool) -> str:
    return "texts" if texts else "numbers"


def _is_inside(item: h5py.Dataset) -> bool:
    """Return whether the content lies in the file itself."""
    made = item.id.get_create_plist()
    return made.get_layout() != h5py.h5d.VIRTUAL and not made.get_external_count()


class Attributes:
    """Attributes of a file that are one text or one number."""

    def __init__(self, attributes: h5py.AttributeManager) -> None:
        self._attributes = attributes

    def __getitem__(self, name: str) -> Any:
        """Return the value.

        Raises:
            KeyError: If there is none of that name.
            UntrustedError: If it is no single text or number.
        """
        if name not in self._attributes:
            raise KeyError(f"no attribute '{name}'")
        about = self._attributes.get_id(name)
        if about.shape != () or not (is_text(about.dtype) or is_number(about.dtype)):
            raise UntrustedError(
                f"expected the attribute '{name}' as one text or number, got another; write the "
                "file again"
            )
        value = self._attributes[name]
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    def get(self, name: str) -> Any:
        """Return the value; ``None`` if there is none of that name."""
        return self[name] if name in self._attributes else None
