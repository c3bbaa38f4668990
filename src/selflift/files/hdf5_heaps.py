"""Where HDF5 keeps texts: heaps, damage to which makes the library read in a circle, or allocate.

A heap is a row of objects, the last of which, of number 0, is what is free. HDF5 goes on by the
size that an object says it has: where that is nothing, or so large that it leads back, it reads for
ever, in C, where no signal ends it. And it allocates what a heap says it takes before it looks
whether the file has as much. Such heaps are looked for before anything is read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO

from selflift.files.untrusted import UntrustedError

# Signature, version and what is reserved; then the heap's size. An object: number, references,
# reserved, size, content in words of 8 bytes (HDF5 File Format Specification 3.0, III.E).
HEAP, SIZE = b"GCOL\x01\x00\x00\x00", struct.Struct("<Q")
OBJECT, WORD = struct.Struct("<HHIQ"), 8
# The bytes of an address and of a size in all files whose writer didn't ask for others.
SIZES = (8, 8)
BLOCK_BYTES = 2**24
ADDRESSES = 2**64

# Files that have been looked at: name, size, time of change.
_sound: set[tuple[str, int, int]] = set()


def check_heaps(path: str | os.PathLike[str], sizes: tuple[int, int]) -> None:
    """Refuse a heap that is longer than its file or has no end; a process looks once at each file.

    Args:
        path: The file.
        sizes: How many bytes its addresses and its sizes have.

    Raises:
        UntrustedError: If there is such a heap, or the sizes are others than usual.
    """
    if sizes != SIZES:
        raise UntrustedError(
            f"expected HDF5 with addresses and sizes of {SIZES[0]} bytes, got {sizes}; write it "
            "again with the library's defaults"
        )
    about = os.stat(path)
    key = (os.path.abspath(path), about.st_size, about.st_mtime_ns)
    if key in _sound:
        return
    # Heaps don't overlap, so that a file has no more objects than room for them.
    most = about.st_size // OBJECT.size
    with open(path, "rb", buffering=0) as file, open(path, "rb") as heaps:
        for place in _places(file):
            size = _size(heaps, place)
            count = _objects(heaps, place, size, most)
            most -= count or 0
            if count is None or most < 0 or place + size > about.st_size:
                raise UntrustedError(
                    f"expected sound HDF5, got texts (at byte {place}) that are longer than the "
                    "file or without end; the file is damaged or means harm: get it again"
                )
    _sound.add(key)


def _places(file: IO[bytes]) -> Iterator[int]:
    """Where heaps may begin."""
    start, block = 0, b""
    while more := file.read(BLOCK_BYTES):
        block += more
        place = block.find(HEAP)
        while place >= 0:
            yield start + place
            place = block.find(HEAP, place + 1)
        kept = block[-len(HEAP) + 1 :]
        start, block = start + len(block) - len(kept), kept


def _size(file: IO[bytes], place: int) -> int:
    file.seek(place + len(HEAP))
    return SIZE.unpack(file.read(SIZE.size).ljust(SIZE.size, b"\0"))[0]


def _objects(file: IO[bytes], place: int, size: int, most: int) -> int | None:
    """How many objects a heap has, up to one more than ``most``; ``None``: it has no end."""
    at, end, count = place + len(HEAP) + SIZE.size, place + size, 0
    while at + OBJECT.size <= end and count <= most:
        file.seek(at)
        head = file.read(OBJECT.size)
        if len(head) < OBJECT.size:
            break
        count += 1
        number, _, _, length = OBJECT.unpack(head)
        if number == 0:
            return count if length else None
        # As the library computes it, large sizes lead back.
        step = (OBJECT.size + (length + WORD - 1) // WORD * WORD) % ADDRESSES
        if step == 0 or step > ADDRESSES // 2:
            return None
        at += step
    return count
