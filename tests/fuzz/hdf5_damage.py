"""Damage to HDF5 files by somebody who knows the format."""

from __future__ import annotations

import functools
import io
import os
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from tests.fuzz.damage import Damage, flip, pick
from tests.fuzz.values import TEXTS, changed_array, odd

CHUNK = 2**24
UNKNOWN_FILTER = 307
OTHER_TYPES = (
    np.dtype([("x", "f4"), ("y", "f4")]), np.dtype("V16"), np.dtype("c8"), np.dtype(("f4", (3,))),
    np.dtype("f2"), np.dtype("longdouble"), np.dtype("u8"), np.dtype(">f4"), np.dtype("?"),
    np.dtype("S1000000"), h5py.vlen_dtype(np.dtype("i4")), h5py.string_dtype(), h5py.ref_dtype,
    h5py.enum_dtype({"A": 0, "B": 1}, "i4"),
)  # fmt: skip
ATTRIBUTES = (np.zeros(8000), np.array([1, 2]), np.bytes_(b"\xff\xfe"), h5py.Empty("f4"))
Change = Callable[[np.random.Generator, h5py.File, str], object]


@functools.cache
def trap() -> Path:
    """A pipe: whoever opens it waits for ever."""
    path = Path(tempfile.mkdtemp(), "pipe.h5")
    os.mkfifo(path)
    return path


def damage(change: Change) -> Damage:
    """Damage of a file's bytes by a change of a dataset of the opened file."""

    @functools.wraps(change)
    def apply(rng: np.random.Generator, data: bytes) -> bytes:
        buffer, names = io.BytesIO(data), list[str]()
        try:
            with h5py.File(buffer, "r+") as file:
                file.visititems(lambda n, item: names.append(n) if hasattr(item, "shape") else None)
                change(rng, file, pick(rng, names))
        except (OSError, ValueError, TypeError):  # also what HDF5 itself refuses to write
            return flip(rng, data)
        return buffer.getvalue()

    return apply


def _taken(file: h5py.File, name: str, numbers: bool = True) -> tuple[np.dtype, tuple[int, ...]]:
    """Remove a dataset; its type and shape."""
    dtype, shape = file[name].dtype, file[name].shape
    if numbers and (dtype.kind not in "fiu" or not shape):
        raise ValueError("no numbers")
    del file[name]
    return dtype, shape


@damage
def promise(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    """Rows that were never written: filled in, if somebody asks for them."""
    dtype, shape = _taken(file, name, numbers=False)
    shape = pick(rng, [(n, *shape[1:]) for n in (10**6, 10**10, 2**62)] + [(2**32, 2**32)])
    chunks = pick(rng, [None, tuple(min(n, 64) for n in shape)])
    file.create_dataset(name, shape, dtype, chunks=chunks)


@damage
def bomb(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    """Zeros, of which a thousand take a byte: many chunks, or one that is unpacked whole."""
    dtype, shape = _taken(file, name)
    chunks, size = pick(rng, [(1, CHUNK), (64, CHUNK), (256, CHUNK), (1, 64 * CHUNK)])
    rows = max(1, size // (dtype.itemsize * int(np.prod(shape[1:], dtype=int))))
    whole = (rows * chunks, *shape[1:]) if size == CHUNK else shape
    made = file.create_dataset(name, whole, dtype, chunks=(rows, *shape[1:]), compression="gzip",
                               maxshape=(None, *shape[1:]))  # fmt: skip
    for n in range(chunks):
        made.id.write_direct_chunk((n * rows, *(0 for _ in shape[1:])), _packed(size))


@functools.cache
def _packed(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


@damage
def link(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    """Somewhere else, nowhere, or round in a circle."""
    name = pick(rng, (name, name, name.split("/")[0]))
    del file[name]
    file[name] = pick(rng, (
        h5py.ExternalLink(str(trap()), "/x"), h5py.ExternalLink("elsewhere.h5", "/x"),
        h5py.SoftLink(f"/{name}"), h5py.SoftLink("/nowhere"), file["/"],
        h5py.SoftLink("/" + pick(rng, list(file))), file[pick(rng, list(file))],
    ))  # fmt: skip


@damage
def outside(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    """Content in another file."""
    dtype, shape = _taken(file, name)
    other = str(pick(rng, (trap(), Path(__file__))))
    if rng.random() < 0.5:
        size = dtype.itemsize * int(np.prod(shape, dtype=int))
        file.create_dataset(name, shape, dtype, external=[(other, 0, size)])
        return
    layout = h5py.VirtualLayout(shape, dtype)
    layout[...] = h5py.VirtualSource(pick(rng, (".", other)), "/x", shape)
    file.create_virtual_dataset(name, layout)


@damage
def another_type(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    """The same shape of something else."""
    _, shape = _taken(file, name, numbers=False)
    dtype = pick(rng, OTHER_TYPES)
    file.create_dataset(name, shape if dtype.itemsize < 1000 else (3,), dtype)


@damage
def values(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    """Other numbers, another shape; texts that are none, or one long one many times."""
    if file[name].dtype.kind != "O":
        made = changed_array(rng, file[name][()])
        del file[name]
        file[name] = made.astype("S3") if made.dtype.kind == "U" else made
        return
    _, count = _taken(file, name, numbers=False)
    if rng.random() < 0.3:
        many = file.create_dataset(name, (1_000_000,), h5py.string_dtype(), chunks=(1000,))
        many[:1] = "x" * 100_000
        return
    some = [str(pick(rng, TEXTS)).replace("\x00", "") for _ in range(3)]
    file[name] = pick(rng, (np.full(count, b"\xff\xfe\x00x", "S4"), np.array(some, "S"),
                            np.array(some, h5py.string_dtype())))  # fmt: skip


@damage
def attribute(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    """Other attributes of the file."""
    if not len(file.attrs):
        return
    key = pick(rng, list(file.attrs))
    was, new = str(file.attrs[key]), str(odd(rng)).replace("\x00", "")[:20_000]
    place = int(rng.integers(len(was) + 1))
    file.attrs[key] = pick(rng, (*ATTRIBUTES, new, was[:place] + new + was[place + 1 :]))


@damage
def lost(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    """Something is not there, or not what it was: a group, nothing, one number."""
    place = pick(rng, (name, name, name.split("/")[0]))
    del file[place]
    kind = int(rng.integers(4))
    if kind == 0:
        file.create_group(place)
    elif kind < 3:
        file[place] = (h5py.Empty("f4"), 3.0)[kind - 1]


@damage
def unknown_filter(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    """Packed by what this machine may have or not."""
    dtype, shape = _taken(file, name)
    plist, links = (h5py.h5p.create(kind) for kind in (h5py.h5p.DATASET_CREATE,
                                                      h5py.h5p.LINK_CREATE))  # fmt: skip
    plist.set_chunk(shape)
    plist.set_filter(UNKNOWN_FILTER, h5py.h5z.FLAG_OPTIONAL, ())
    links.set_create_intermediate_group(True)
    made = h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(dtype),
                           h5py.h5s.create_simple(shape), plist, lcpl=links)  # fmt: skip
    made.write_direct_chunk((0,) * len(shape), b"\x00" * 100, 0)


HDF5: tuple[Damage, ...] = (
    promise, bomb, bomb, link, outside, another_type, values, values, values, attribute, lost,
    unknown_filter,
)  # fmt: skip
