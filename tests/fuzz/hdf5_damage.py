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

from tests.fuzz.damage import Damage, flip
from tests.fuzz.values import TEXTS, changed_array, odd

BOMB_CHUNK = 2**24
UNKNOWN_FILTER = 307
ATTRIBUTE_LISTS = (np.zeros(8000), np.array([1, 2]), np.float64("nan"), np.bytes_(b"\xff\xfe"))
OTHER_TYPES = (
    np.dtype([("x", "f4"), ("y", "f4")]), np.dtype("V16"), np.dtype("c8"), np.dtype(("f4", (3,))),
    np.dtype("f2"), np.dtype("f8"), np.dtype("longdouble"), np.dtype("i8"), np.dtype("u8"),
    np.dtype(">f4"), np.dtype("?"), np.dtype("S10"), np.dtype("S1000000"),
    h5py.vlen_dtype(np.dtype("i4")), h5py.string_dtype(), h5py.ref_dtype, h5py.regionref_dtype,
    h5py.enum_dtype({"A": 0, "B": 1}, "i4"),
)  # fmt: skip


@functools.cache
def trap() -> Path:
    """A pipe: whoever opens it waits for ever."""
    path = Path(tempfile.mkdtemp(), "pipe.h5")
    os.mkfifo(path)
    return path


def damage(change: Callable[[np.random.Generator, h5py.File], None]) -> Damage:
    """Damage of a file's bytes by a change of the opened file."""

    @functools.wraps(change)
    def apply(rng: np.random.Generator, data: bytes) -> bytes:
        buffer = io.BytesIO(data)
        try:
            with h5py.File(buffer, "r+") as file:
                change(rng, file)
        except (OSError, ValueError):  # also what HDF5 itself refuses to write
            return flip(rng, data)
        return buffer.getvalue()

    return apply


def one_of(rng: np.random.Generator, file: h5py.File) -> str:
    """The name of some dataset."""
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
    return names[int(rng.integers(len(names)))]


@damage
def promise(rng: np.random.Generator, file: h5py.File) -> None:
    """Rows that were never written: filled in, if somebody asks for them."""
    name = one_of(rng, file)
    dtype, shape = file[name].dtype, file[name].shape
    del file[name]
    rows = int(rng.choice([10**6, 10**8, 10**10, 10**12, 2**62]))
    shape = (rows, *shape[1:]) if rng.random() < 0.7 else (2**32, 2**32)
    chunks = tuple(min(n, 64) for n in shape) if rng.random() < 0.7 else None
    file.create_dataset(name, shape, dtype, chunks=chunks)


@damage
def bomb(rng: np.random.Generator, file: h5py.File) -> None:
    """Zeros, of which a thousand take a byte."""
    name = one_of(rng, file)
    dtype, row = file[name].dtype, file[name].shape[1:]
    if dtype.kind not in "fiu":
        return
    per = max(1, BOMB_CHUNK // (dtype.itemsize * int(np.prod(row, dtype=int))))
    del file[name]
    chunks = int(rng.choice([1, 4, 64, 256]))
    bombs = file.create_dataset(
        name, (per * chunks, *row), dtype, chunks=(per, *row), compression="gzip"
    )
    packed = _packed(per * dtype.itemsize * int(np.prod(row, dtype=int)))
    for n in range(chunks):
        bombs.id.write_direct_chunk((n * per, *(0 for _ in row)), packed)


@functools.cache
def _packed(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


@damage
def big_chunk(rng: np.random.Generator, file: h5py.File) -> None:
    """A few rows in a chunk that has to be unpacked whole."""
    name = one_of(rng, file)
    dtype, shape = file[name].dtype, file[name].shape
    if dtype.kind not in "fiu" or not shape:
        return
    del file[name]
    size = 64 * BOMB_CHUNK // dtype.itemsize // int(np.prod(shape[1:], dtype=int))
    kept = file.create_dataset(
        name, shape, dtype, chunks=(size, *shape[1:]), maxshape=(None, *shape[1:]),
        compression="gzip",
    )  # fmt: skip
    kept.id.write_direct_chunk((0,) * len(shape), _packed(64 * BOMB_CHUNK))


@damage
def link(rng: np.random.Generator, file: h5py.File) -> None:
    """Somewhere else, nowhere, or round in a circle."""
    name = one_of(rng, file)
    if rng.random() < 0.3:
        name = name.split("/")[0]
    del file[name]
    kind = int(rng.integers(7))
    if kind == 0:
        file[name] = h5py.ExternalLink(str(trap()), "/x")
    elif kind == 1:
        file[name] = h5py.ExternalLink("elsewhere.h5", "/x")
    elif kind == 2:
        file[name] = h5py.SoftLink(f"/{name}")
    elif kind == 3:
        file[name] = h5py.SoftLink("/nowhere")
    elif kind == 4:
        file[name] = h5py.SoftLink("/" + one_of(rng, file))
    elif kind == 5:
        file[name] = file["/"]
    else:
        file[name] = file[one_of(rng, file)]


@damage
def outside(rng: np.random.Generator, file: h5py.File) -> None:
    """Content in another file."""
    name = one_of(rng, file)
    dtype, shape = file[name].dtype, file[name].shape
    if dtype.kind not in "fiu" or not shape:
        return
    del file[name]
    other = str(trap() if rng.random() < 0.5 else Path(__file__))
    if rng.random() < 0.5:
        size = dtype.itemsize * int(np.prod(shape, dtype=int))
        file.create_dataset(name, shape, dtype, external=[(other, 0, size)])
        return
    layout = h5py.VirtualLayout(shape, dtype)
    layout[...] = h5py.VirtualSource("." if rng.random() < 0.3 else other, "/x", shape)
    file.create_virtual_dataset(name, layout)


@damage
def another_type(rng: np.random.Generator, file: h5py.File) -> None:
    """The same shape of something else."""
    name = one_of(rng, file)
    shape = file[name].shape
    del file[name]
    dtype = OTHER_TYPES[int(rng.integers(len(OTHER_TYPES)))]
    file.create_dataset(name, shape if dtype.itemsize < 1000 else (3,), dtype)


@damage
def values(rng: np.random.Generator, file: h5py.File) -> None:
    """Other numbers, another shape."""
    name = one_of(rng, file)
    if file[name].dtype.kind == "O":
        return text.__wrapped__(rng, file)  # type: ignore[attr-defined]
    made = changed_array(rng, file[name][()])
    if made.dtype.kind == "U":
        made = made.astype("S3")
    del file[name]
    file[name] = made


@damage
def text(rng: np.random.Generator, file: h5py.File) -> None:
    """Names that are none."""
    name = one_of(rng, file)
    count = file[name].shape
    del file[name]
    kind = int(rng.integers(4))
    if kind == 0:
        file.create_dataset(name, count, h5py.string_dtype())
    elif kind == 1:
        file.create_dataset(name, data=np.full(count, b"\xff\xfe\x00x", dtype="S4"))
    elif kind == 2:
        some = [TEXTS[int(rng.integers(len(TEXTS)))].replace("\x00", "") for _ in range(3)]
        file.create_dataset(name, data=np.array(some, h5py.string_dtype()))
    else:
        made = file.create_dataset(name, (1_000_000,), h5py.string_dtype(), chunks=(1000,))
        made[:1] = "x" * 100_000


@damage
def attribute(rng: np.random.Generator, file: h5py.File) -> None:
    """What the file says of itself."""
    if not len(file.attrs):
        return
    name = list(file.attrs)[int(rng.integers(len(file.attrs)))]
    kind = int(rng.integers(6))
    if kind == 0:
        del file.attrs[name]
    elif kind == 1:
        file.attrs[name] = ATTRIBUTE_LISTS[int(rng.integers(len(ATTRIBUTE_LISTS)))]
    elif kind == 2:
        file.attrs[name] = file.ref
    elif kind == 3:
        file.attrs[name] = h5py.Empty("f4")
    elif kind == 4:
        file.attrs[name] = str(odd(rng)).replace("\x00", "")[:60_000]
    else:
        was = str(file.attrs[name])
        for _ in range(int(rng.integers(1, 4))):
            place = int(rng.integers(len(was)))
            was = was[:place] + str(odd(rng)).replace("\x00", "")[:20_000] + was[place + 1 :]
        file.attrs[name] = was[:60_000]


@damage
def lost(rng: np.random.Generator, file: h5py.File) -> None:
    """Something is not there, or not what it was: a group, nothing, one number."""
    name = one_of(rng, file)
    place = name if rng.random() < 0.7 else name.split("/")[0]
    del file[place]
    kind = int(rng.integers(4))
    if kind == 0:
        file.create_group(place)
    elif kind == 1:
        file[place] = h5py.Empty("f4")
    elif kind == 2:
        file[place] = 3.0


@damage
def unknown_filter(rng: np.random.Generator, file: h5py.File) -> None:
    """Packed by what this machine may have or not."""
    name = one_of(rng, file)
    dtype, shape = file[name].dtype, file[name].shape
    if not shape or dtype.kind not in "fiu":
        return
    del file[name]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(shape)
    plist.set_filter(UNKNOWN_FILTER, h5py.h5z.FLAG_OPTIONAL, ())
    space = h5py.h5s.create_simple(shape)
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    made = h5py.h5d.create(
        file.id, name.encode(), h5py.h5t.py_create(dtype), space, plist, lcpl=links
    )
    made.write_direct_chunk((0,) * len(shape), b"\x00" * 100, 0)


HDF5: tuple[Damage, ...] = (
    promise, bomb, big_chunk, link, outside, another_type, values, values, values, text, attribute,
    lost, unknown_filter,
)  # fmt: skip
