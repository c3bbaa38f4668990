"""HDF5 files from somebody else: every reader opens them here.

A file of 2 kB can promise 10^12 rows that were never written, hold 10 GB of zeros, or name other
files, whose content would then be read as its own. Here nothing is followed that leads out of the
file or round in it, and sizes are compared with the file's before anything is allocated: the rule
stands in :mod:`selflift.files.untrusted`.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np

from selflift.files.hdf5_heaps import check_heaps
from selflift.files.untrusted import MOST_GROWTH, UntrustedError, check_promise, most_bytes

# What every HDF5 library has. Others it would look for in folders of programs, by the file's word.
FILTERS = {
    h5py.h5z.FILTER_DEFLATE: "gzip", h5py.h5z.FILTER_SHUFFLE: "shuffle",
    h5py.h5z.FILTER_FLETCHER32: "fletcher32", h5py.h5z.FILTER_LZF: "lzf",
}  # fmt: skip
DEFLATE_GROWTH = 1032
LONGEST_NUMBER = 8
# How texts are stored: how long each is, and the heap and the object in it that hold it.
REFERENCE = np.dtype([("length", "<u4"), ("heap", "<u8"), ("object", "<u4")])


@contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[Hdf5File]:
    """A file to read.

    Raises:
        OSError: If it is no HDF5 file.
        UntrustedError: If HDF5 would read in a circle.
        Exception: Within the block whatever a damaged file makes h5py raise.
    """
    with h5py.File(path, "r") as file:
        check_heaps(path, file.id.get_create_plist().get_sizes())
        yield Hdf5File(file, os.path.getsize(path), most_bytes(path))


class Hdf5File:
    """An open file; gives datasets whose type, size and place have been checked.

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
        """The attributes of the file."""
        return Attributes(self._file.attrs)

    def __contains__(self, name: str) -> bool:
        return self._item(name) is not None

    def names(self, group: str = "") -> list[str]:
        """What a group holds; the file itself if none is named, nothing if there is no such."""
        place = self._item(group) if group else self._file
        return list(place) if isinstance(place, h5py.Group) else []

    def is_dataset(self, name: str) -> bool:
        """Whether there is a dataset of that name."""
        return isinstance(self._item(name), h5py.Dataset)

    def has_texts(self, name: str) -> bool:
        """Whether there is a dataset of that name, and of texts."""
        item = self._item(name)
        return isinstance(item, h5py.Dataset) and is_text(item.dtype)

    def __getitem__(self, name: str) -> h5py.Dataset:
        """A dataset of numbers.

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
            filters = self._check_place(name, item)
            # Python's integers: those of NumPy overflow.
            self._promised[name] = math.prod(item.shape) * dtype.itemsize
            check_promise(name, sum(self._promised.values()), self._most)
            if item.chunks is not None:
                self._check_chunks(name, item, filters)
        return item

    def array(self, name: str) -> np.ndarray:
        """All numbers of a dataset."""
        found = np.asarray(self[name][()])
        return found.astype(found.dtype.newbyteorder("="), copy=False)

    def texts(self, name: str) -> list[str]:
        """All texts of a dataset: a list of them, or one.

        Raises:
            UntrustedError: If it is another one, or they are longer than the file explains: many
                may be one long text.
        """
        dataset = self._dataset(name, texts=True)
        if dataset.ndim > 1:
            raise UntrustedError(
                f"expected '{name}' as a list of texts, got {dataset.ndim} dimensions; write it "
                "again"
            )
        self._check_lengths(name, dataset)
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

    def _check_lengths(self, name: str, texts: h5py.Dataset) -> None:
        """Refuse texts that say they are longer than the file, which HDF5 allocates first."""
        start = texts.id.get_offset()
        if start is None or h5py.check_string_dtype(texts.dtype).length is not None:
            return
        with open(self._file.filename, "rb") as file:
            file.seek(start)
            places = np.fromfile(file, REFERENCE, texts.size)
        if len(places):
            check_promise(name, int(places["length"].max()), self._size)

    def _item(self, name: str) -> Any:
        """What lies under a name; ``None``: nothing."""
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
        """Refuse what lies elsewhere or is packed by who knows whom; returns the filters."""
        made = item.id.get_create_plist()
        if made.get_layout() == h5py.h5d.VIRTUAL or made.get_external_count():
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
        """Refuse chunks that fill the memory when they are unpacked, which HDF5 does whole."""
        chunk = math.prod(item.chunks) * item.dtype.itemsize
        check_promise(f"a chunk of {name}", chunk, self._most)
        # What unpacks to more than its chunk is unpacked by HDF5 all the same.
        stored = item.id.get_storage_size()
        if h5py.h5z.FILTER_DEFLATE not in filters or stored * DEFLATE_GROWTH <= self._most:
            return
        check_promise(f"the chunks of {name}", stored, self._most)
        for info in _chunks(item.id):
            left_out = info.filter_mask >> filters.index(h5py.h5z.FILTER_DEFLATE) & 1
            if left_out or info.size * DEFLATE_GROWTH <= self._most:
                continue
            check_promise(f"a chunk of {name}", info.size, self._most)
            _, packed = item.id.read_direct_chunk(info.chunk_offset)
            if len(zlib.decompressobj().decompress(packed, chunk + 1)) > chunk:
                raise UntrustedError(
                    f"expected chunks of {chunk} bytes in '{name}', got a larger one; the file is "
                    "damaged or means harm: get it again"
                )


def is_text(dtype: np.dtype) -> bool:
    """Whether it is a type of texts."""
    return h5py.check_string_dtype(dtype) is not None


def is_number(dtype: np.dtype) -> bool:
    """Whether it is a type of numbers that all that computes knows."""
    return dtype.kind in "fiub" and dtype.subdtype is None and dtype.itemsize <= LONGEST_NUMBER


def _kind(texts: bool) -> str:
    return "texts" if texts else "numbers"


def _chunks(dataset: Any) -> list[Any]:
    """Where the chunks of a dataset are and how large."""
    if not hasattr(dataset, "chunk_iter"):
        return [dataset.get_chunk_info(n) for n in range(dataset.get_num_chunks())]
    found: list[Any] = []
    dataset.chunk_iter(found.append)
    return found


class Attributes:
    """Attributes of a file that are one text or one number."""

    def __init__(self, attributes: h5py.AttributeManager) -> None:
        self._attributes = attributes

    def __getitem__(self, name: str) -> Any:
        """The value.

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
        """The value; ``None`` if there is none of that name."""
        return self[name] if name in self._attributes else None
