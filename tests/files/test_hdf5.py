"""HDF5 files that mean harm, and ordinary ones."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from selflift.files.hdf5 import open_hdf5
from selflift.files.untrusted import UntrustedError

CHUNK = 2**22
X = np.arange(12.0).reshape(4, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "set.h5"


def read(path: Path, name: str = "x") -> np.ndarray:
    with open_hdf5(path) as file:
        return file.array(name)


@pytest.mark.parametrize(
    "packing",
    [
        {}, {"compression": "gzip", "shuffle": True, "fletcher32": True}, {"compression": "lzf"},
        {"chunks": (2, 3)},
    ],
)  # fmt: skip
def test_ordinary_datasets_are_read_as_they_are(path: Path, packing: dict) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "x": X, "group/y": rng.integers(0, 255, (1000, 3), np.uint8), "z": np.ones((3, 1), bool),
        "half": X.astype(np.float16), "none": np.empty((0, 17, 2)),
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, **(packing if array.size > 3 else {}))
        file["big-endian"] = X.astype(">f4")
        file["names"] = np.array(["S1", "é"], h5py.string_dtype())
        file["bytes"] = np.array([b"S1", b"S11"])
        file.attrs["format"], file.attrs["version"] = "x", 1
    with open_hdf5(path) as file:
        for name, array in arrays.items():
            found = file.array(name)
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array)
        np.testing.assert_array_equal(file["group/y"][100:200], arrays["group/y"][100:200])
        native = file.array("big-endian")
        assert native.dtype.isnative and (native == X).all()
        assert file.texts("names") == ["S1", "é"] and file.texts("bytes") == ["S1", "S11"]
        assert (file.attrs["format"], int(file.attrs["version"])) == ("x", 1)
        assert file.attrs.get("other") is None
        assert "group/y" in file and "group/x" not in file and "nothing/y" not in file
        assert file.names("group") == ["y"] and file.names("nothing") == []


def test_rows_that_were_never_written_are_not_allocated(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (10**12, 17, 2), "f4", chunks=(1000, 17, 2))
        file.create_dataset("overflow", (2**32, 2**32), "f4", chunks=(64, 64))
    assert path.stat().st_size < 10_000
    for name in ("x", "overflow"):
        with pytest.raises(UntrustedError, match=f"expected at most 34 MB.* for '{name}'"):
            read(path, name)


def test_the_sizes_of_all_datasets_count(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name in "xy":
            file.create_dataset(name, (20 * 2**20,), "u1", chunks=(1000,))
    with open_hdf5(path) as file:
        assert file["x"].shape == (20 * 2**20,) and file["x"] is not None
        with pytest.raises(UntrustedError, match="got 42 MB for 'y'"):
            file["y"]


def bomb(path: Path, rows: int, chunk: int, packed: bytes, **filters: object) -> None:
    with h5py.File(path, "w") as file:
        made = file.create_dataset(
            "x", (rows,), "u1", chunks=(chunk,), compression="gzip", **filters
        )
        for start in range(0, rows, chunk):
            made.id.write_direct_chunk((start,), packed)


@pytest.mark.parametrize(("rows", "chunk"), [(64 * CHUNK, CHUNK), (16 * CHUNK, 16 * CHUNK)])
def test_zeros_that_were_packed_a_thousandfold_are_not_unpacked(
    path: Path, rows: int, chunk: int
) -> None:
    bomb(path, rows, chunk, zlib.compress(bytes(chunk), 9))
    with pytest.raises(UntrustedError, match="expected at most"):
        read(path)


def test_a_chunk_that_unpacks_to_more_than_itself_is_refused(path: Path) -> None:
    # HDF5 unpacks all of it before it sees that.
    bomb(path, 1000, 1000, zlib.compress(bytes(16 * CHUNK), 9))
    with pytest.raises(UntrustedError, match="expected chunks of 1000 bytes in 'x', got a larger"):
        read(path)


def test_what_is_packed_twice_or_by_strangers_is_refused(path: Path) -> None:
    for filters in ((1, 1), (307,)):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((4, 3))
        for number in filters:
            plist.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (4,) if number == 1 else ())
        with h5py.File(path, "w") as file:
            space = h5py.h5s.create_simple((4, 3))
            h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_DOUBLE, space, plist)
        with pytest.raises(UntrustedError, match="packed by gzip, .*, each at most once, got"):
            read(path)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A file of somebody's, and what would tell that it was opened."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = X
    return tmp_path / "other.h5"


def links(file: h5py.File, other: Path) -> None:
    file["x"] = h5py.ExternalLink(str(other), "/x")
    file["group/x"] = h5py.ExternalLink(os.path.relpath(other, other.parent), "/x")
    file["soft"] = h5py.SoftLink("/sound")
    file["circle"] = h5py.SoftLink("/circle")
    file["nowhere"] = h5py.SoftLink("/nothing")


def test_no_link_is_followed(path: Path, other: Path) -> None:
    with h5py.File(path, "w") as file:
        file["sound"] = X
        links(file, other)
        assert (file["x"][()] == X).all() and (file["group/x"][()] == X).all()
    with open_hdf5(path) as guarded:
        for name in ("x", "group/x", "soft", "circle", "nowhere", "soft/deeper"):
            for look in (guarded.array, guarded.__contains__, guarded.is_dataset, guarded.texts):
                with pytest.raises(UntrustedError, match=f"'{name}' .* got a link, which"):
                    look(name)  # type: ignore[operator]


def test_no_other_file_is_opened(path: Path, other: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(X.tobytes())
    layout = h5py.VirtualLayout(X.shape, X.dtype)
    layout[...] = h5py.VirtualSource(str(other), "x", X.shape)
    with h5py.File(path, "w") as file:
        file.create_dataset("external", X.shape, X.dtype, external=[(str(raw), 0, X.nbytes)])
        file.create_virtual_dataset("virtual", layout)
        assert (file["virtual"][()] == X).all()
    for name in ("external", "virtual"):
        with pytest.raises(UntrustedError, match=f"'{name}' in the file itself, .* is not opened"):
            read(path, name)


@pytest.mark.parametrize(
    "dtype",
    [
        np.dtype([("x", "f4")]), np.dtype("V8"), np.dtype("c8"), np.dtype(("f4", (3,))),
        np.dtype("longdouble"), h5py.vlen_dtype(np.dtype("i4")), h5py.ref_dtype,
        h5py.string_dtype(), np.dtype("S5"),
    ],
)  # fmt: skip
def test_other_types_than_numbers_are_refused(path: Path, dtype: np.dtype) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (3,), dtype)
    with pytest.raises(UntrustedError, match="expected numbers in 'x', got"):
        read(path)


def test_texts_that_are_one_long_text_many_times_are_refused(path: Path) -> None:
    with h5py.File(path, "w") as file:
        names = file.create_dataset("names", (1000,), h5py.string_dtype())
        names[:1] = "x" * 50_000
    # Every name becomes a reference to the first one's text.
    data = path.read_bytes()
    with h5py.File(path, "r") as file:
        start = file["names"].id.get_offset()
    first = data[start : start + 16]
    path.write_bytes(data[:start] + 1000 * first + data[start + 16_000 :])
    with h5py.File(path, "r") as file:
        assert len(file["names"].asstr()[999]) == 50_000
    with pytest.raises(UntrustedError, match="expected at most 34 MB"):
        read_names(path)


def test_more_names_than_the_file_has_bytes_are_refused(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("names", (1_000_000,), h5py.string_dtype(), chunks=(1000,))
    with pytest.raises(UntrustedError, match="the number of names"):
        read_names(path)


@pytest.mark.parametrize(
    "write",
    [
        lambda file: file.attrs.create("a", np.zeros(8000)),
        lambda file: file.attrs.create("a", file.ref, dtype=h5py.ref_dtype),
        lambda file: file.attrs.create("a", h5py.Empty("f4")),
    ],
)
def test_attributes_are_one_text_or_number(path: Path, write: Callable) -> None:
    with h5py.File(path, "w") as file:
        write(file)
    with open_hdf5(path) as guarded, pytest.raises(UntrustedError, match="attribute 'a' as one"):
        guarded.attrs.get("a")


HEAP = b"GCOL\x01\x00\x00\x00"


def with_texts(path: Path) -> tuple[bytes, int, int]:
    """A file with texts; its bytes, its heap's place, and that of what is free in it."""
    with h5py.File(path, "w") as file:
        file.attrs["a"] = "x" * 50
        file["names"] = ["a", "b"]
    data = path.read_bytes()
    place = at = data.index(HEAP)
    at += 16
    while data[at : at + 2] != b"\0\0":
        at += 16 + (int.from_bytes(data[at + 8 : at + 16], "little") + 7) // 8 * 8
    return data, place, at


def read_names(path: Path) -> list[str]:
    with open_hdf5(path) as guarded:
        return guarded.texts("names")


def test_texts_that_the_library_would_read_for_ever_are_refused(path: Path) -> None:
    """The heap's objects lead back, or the heap is longer than the file."""
    data, place, free = with_texts(path)
    assert read_names(path) == ["a", "b"]
    for at, length in ((free, 0), (place + 16, 2**64 - 16), (place, 2**40)):
        path.write_bytes(data[: at + 8] + length.to_bytes(8, "little") + data[at + 16 :])
        with pytest.raises(ValueError, match="reader did not end within|OSError"):
            read_names(path)


def test_a_changed_file_is_checked_again(path: Path) -> None:
    data, _, free = with_texts(path)
    assert read_names(path) == read_names(path)
    path.write_bytes(data[: free + 8] + bytes(8) + data[free + 16 :])
    os.utime(path, ns=(1, 1))
    with pytest.raises(ValueError, match="reader did not end within"):
        read_names(path)


@pytest.mark.parametrize("userblock", [0, 512])
def test_a_text_that_says_it_is_longer_than_the_file_is_not_allocated(
    path: Path, userblock: int
) -> None:
    with h5py.File(path, "w", userblock_size=userblock) as file:
        file["names"] = ["a", "b"]
        file["one"] = "c"
    assert read_names(path) == ["a", "b"]
    data = path.read_bytes()
    for name, row in (("names", 1), ("one", 0)):
        with h5py.File(path, "r") as file:
            at = file[name].id.get_offset() + 16 * row
        path.write_bytes(data[:at] + (2**31).to_bytes(4, "little") + data[at + 4 :])
        with pytest.raises(ValueError, match="memory"):
            read_names(path)
        path.write_bytes(data)
