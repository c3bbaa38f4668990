"""Damage to npz archives and pickles by somebody who knows the formats."""

from __future__ import annotations

import functools
import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.fuzz.damage import Damage, damaged, flip, pick
from tests.fuzz.values import changed, laughs

Members = dict[str, bytes]
MAGIC = b"\x93NUMPY\x01\x00"
DESCRIPTIONS = (
    "'<f4'", "'<U1000000000'", "'|S2000000000'", "'|V1000000000'", "'<U0'", "'|O'", "'<M8[ns]'",
    "[('x', '<f4'), ('y', '<f4')]", "[('x', '<f4', (1000000, 1000))]", "'(9999,9999,99)f8'",
    "[('a', " * 60 + "'<f4'" + ")]" * 60, "None", "'nothing'", "{'a': 'b'}", "1", "'<f4', '<f4'",
)  # fmt: skip
SHAPES = (
    "(1000000000000,)", "(4294967296, 4294967296)", "(9223372036854775807,)", "(-1,)", "(3,)", "()",
    "(1e12,)", "(True, 2)", "(0, 10**18)", "(0, 1000000000000000000)", "('3',)", "3", "(4, 17, 2)",
    "((3,),)", "(" + "1, " * 70 + ")", "(" * 300 + ")" * 300,
)  # fmt: skip
PICKLES = (
    b"\x80\x04" + b"]" * 100_000 + b".", b"\x80\x04" + b"(" * 100_000,
    b"\x80\x04)" + b"\x85" * 9999,
    b"cos\nsystem\n(S'true'\ntR.", b"\x80\x04\x96" + struct.pack("<Q", 2**45) + b"a.",
    b"\x80\x04\x8e" + struct.pack("<Q", 2**45) + b"a.", b"I" + b"9" * 4000 + b"\n.",
    b"c__builtin__\ncomplex\n(I1\nI1\ntR.", b"N.", b"}.", b"].", b"\x80\x04r\xff\xff\xff\x7f.",
    b"\x80\x04Nr\xff\xff\xff\x7f.",
)  # fmt: skip


def header(description: str, shape: str, fortran: str = "False") -> bytes:
    """What an npy file begins with."""
    text = f"{{'descr': {description}, 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    return MAGIC + struct.pack("<H", min(len(text), 65535)) + text[:65535]


def forged(rng: np.random.Generator) -> bytes:
    """An array that promises something."""
    description = pick(rng, DESCRIPTIONS)
    shape = pick(rng, SHAPES)
    return header(description, shape) + bytes(int(rng.choice([0, 8, 500])))


def growing(rng: np.random.Generator) -> bytes:
    """A pickle that names the same bytes for one array after the other."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1000000\nt"
        b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI0\nh\x00tb"
    )
    copied = (array, b"c_codecs\nencode\n(h\x01S'latin1'\ntR", b"c__builtin__\nset\n(h\x02tR")[
        int(rng.integers(3))
    ]
    head = b"\x80\x02" + b"T" + struct.pack("<i", 10**6) + b"x" * 10**6 + b"q\x000"
    head += b"X" + struct.pack("<i", 10**6) + b"x" * 10**6 + b"q\x010"
    head += b"](" + b"".join(b"J" + struct.pack("<i", n) for n in range(50_000)) + b"eq\x020"
    return head + b"](" + copied * 3000 + b"e."


def hostile(rng: np.random.Generator) -> bytes:
    """A pickle that means no good."""
    kind = int(rng.integers(len(PICKLES) + 2))
    if kind == len(PICKLES):
        return pickle.dumps(laughs(), 4)
    return growing(rng) if kind > len(PICKLES) else PICKLES[kind]


def damage(change: Callable[[np.random.Generator, Members], Any]) -> Damage:
    """Damage of an archive's bytes by a change of its members."""

    @functools.wraps(change)
    def apply(rng: np.random.Generator, data: bytes) -> bytes:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
        except zipfile.BadZipFile:
            return flip(rng, data)
        return change(rng, members) or packed(members)

    return apply


def packed(members: Members, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def _one(rng: np.random.Generator, members: Members) -> str:
    return pick(rng, list(members))


@damage
def promise(rng: np.random.Generator, members: Members) -> None:
    """A header that promises something."""
    members[_one(rng, members)] = forged(rng)


@damage
def bomb(rng: np.random.Generator, members: Members) -> None:
    """Zeros, of which a thousand take a byte."""
    count = int(rng.choice([2**20, 2**24, 2**27]))
    members[_one(rng, members)] = header("'<f8'", f"({count // 8},)") + bytes(count)


@damage
def objects(rng: np.random.Generator, members: Members) -> None:
    """An array of objects, which is a pickle."""
    members[_one(rng, members)] = header("'|O'", "()") + hostile(rng)


@damage
def within(rng: np.random.Generator, members: Members) -> None:
    """Damage inside, under a sound checksum."""
    name = _one(rng, members)
    members[name] = damaged(rng, members[name], text=False)


@damage
def values(rng: np.random.Generator, members: Members) -> None:
    """Other numbers, shapes, types."""
    name = _one(rng, members)
    array = np.load(io.BytesIO(members[name]), allow_pickle=True)
    content = array.item() if array.dtype == object and array.shape == () else array
    made = np.asanyarray(changed(rng, content)) if isinstance(content, np.ndarray) else None
    if made is None:
        made = np.empty((), object)
        made[()] = changed(rng, content)
    out = io.BytesIO()
    np.save(out, made, allow_pickle=True)
    members[name] = out.getvalue()


@damage
def names(rng: np.random.Generator, members: Members) -> bytes | None:
    """Members that are missing, twice, somewhere else, or many."""
    name = _one(rng, members)
    data = members.pop(name)
    kind = int(rng.integers(6))
    if kind == 0:
        members[f"../{name}"] = data
    elif kind == 1:
        members["/etc/passwd"] = members["\u202ex.npy"] = data
    elif kind == 2:
        members[name.removesuffix(".npy")] = data
    elif kind == 3:
        members |= {name: data, **{f"{n}.npy": b"" for n in range(2000)}}
    elif kind == 4:
        out = io.BytesIO(packed({**members, name: data, f"{name[:-1]}_": forged(rng)}))
        return out.getvalue().replace(f"{name[:-1]}_".encode(), name.encode())
    return None


@damage
def packing(rng: np.random.Generator, members: Members) -> bytes:
    """Packed in another way, encrypted, or so it says."""
    kind = int(rng.integers(4))
    if kind < 2:
        return packed(members, (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)[kind])
    data = bytearray(packed(members))
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(sign) + at
        if kind == 2:
            data[place] |= 1
        else:
            data[place + 2] = int(rng.choice([1, 6, 9, 14, 93, 98]))
    return bytes(data)


NPZ: tuple[Damage, ...] = (
    promise, bomb, objects, within, values, values, values, values, names, packing
)  # fmt: skip


def npy_promise(rng: np.random.Generator, data: bytes) -> bytes:
    """A single array that promises something."""
    return forged(rng)


def npy_values(rng: np.random.Generator, data: bytes) -> bytes:
    """Other numbers, shapes, types."""
    out = io.BytesIO()
    np.save(out, np.asanyarray(changed(rng, np.load(io.BytesIO(data)))), allow_pickle=True)
    return out.getvalue()


NPY: tuple[Damage, ...] = (npy_promise, npy_values)


def pickle_values(rng: np.random.Generator, data: bytes) -> bytes:
    """Other numbers, shapes, types."""
    return pickle.dumps(changed(rng, pickle.loads(data)), 4)


def pickle_hostile(rng: np.random.Generator, data: bytes) -> bytes:
    """A pickle that means no good."""
    return hostile(rng)


PICKLE: tuple[Damage, ...] = (pickle_values, pickle_values, pickle_values, pickle_hostile)
