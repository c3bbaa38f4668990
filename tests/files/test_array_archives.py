"""Pickles are read, not run."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from selflift.files import untrusted
from selflift.files.array_archives import npz_keys, read_npz, read_pickle
from selflift.files.untrusted import ImportFileError

CONTENT = {
    "plain": [1, 2.5, "text", None, True, (1, 2), {"a": b"bytes"}],
    "order": OrderedDict(a=1),
    "array": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "text": np.array(["S1", "S11"]),
    "objects": np.array([{"S1": np.ones(2)}, None], dtype=object),
    "big-endian": np.arange(6, dtype=">i2"),
    "empty": np.empty((0, 17, 2), np.float32),
    "no bytes": b"",
    "scalar": np.float32(1.5),
    "text scalar": np.str_("S1"),
    "set": {1, 2},
    "frozen set": frozenset([("S1", "54138969")]),
    "keys": {("S1", "54138969"): 1, 2: 3},
}


class Hostile:
    """Runs a command where a pickle of it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.system, (f"touch '{self.trace}'",)


def assert_same(read: object, written: object) -> None:
    if isinstance(written, dict):
        assert isinstance(read, dict) and list(read) == list(written)
        for key in written:
            assert_same(read[key], written[key])
    elif isinstance(written, np.ndarray) and written.dtype != object:
        # NumPy unpickles to the machine's byte order.
        assert isinstance(read, np.ndarray) and read.dtype == written.dtype.newbyteorder("=")
        np.testing.assert_array_equal(read, written)
    elif isinstance(written, np.ndarray):
        for a, b in zip(read, written, strict=True):
            assert_same(a, b)
    else:
        assert type(read) is type(written) and read == written


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_containers_are_read(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(CONTENT, protocol))
    content = read_pickle(path)
    assert_same(content, CONTENT)


def test_npz_archives_of_the_field_are_read(tmp_path: Path) -> None:
    path = tmp_path / "data_3d.npz"
    positions = {"S1": {"Walking 1": np.ones((3, 32, 3), np.float32)}}
    np.savez_compressed(path, positions_3d=positions, plain=np.arange(3), names=np.array(["a"]))
    assert npz_keys(path) == ["positions_3d", "plain", "names"]
    content = read_npz(path, "positions_3d", "plain")
    assert_same(content["positions_3d"], positions)
    np.testing.assert_array_equal(content["plain"], np.arange(3))
    assert list(content) == ["positions_3d", "plain"]


def test_numpys_own_reader_agrees(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    arrays = {k: v for k, v in CONTENT.items() if isinstance(v, np.ndarray) and k != "objects"}
    np.savez(path, **arrays, zero=np.float64(3))
    ours = read_npz(path)
    with np.load(path, allow_pickle=False) as theirs:
        for key in theirs.files:
            np.testing.assert_array_equal(ours[key], theirs[key])


def test_a_hostile_pickle_is_refused_by_name_and_runs_nothing(tmp_path: Path) -> None:
    path, trace = tmp_path / "h36m.pkl", tmp_path / "trace"
    path.write_bytes(pickle.dumps({"train": [Hostile(trace)]}))
    with pytest.raises(ValueError, match=r"h36m.pkl': expected only NumPy.*got '\w+.system'"):
        read_pickle(path)
    assert not trace.exists()
    # The trap is a real one: a plain unpickler falls into it.
    pickle.loads(path.read_bytes())
    assert trace.exists()


def test_a_hostile_npz_is_refused_by_name_and_runs_nothing(tmp_path: Path) -> None:
    path, trace = tmp_path / "data_3d_h36m.npz", tmp_path / "trace"
    np.savez(path, positions_3d=np.array(Hostile(trace), dtype=object))
    with pytest.raises(ValueError, match=r"expected only NumPy.*system', which was not run"):
        read_npz(path, "positions_3d")
    assert not trace.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.",
        b"c_codecs\nencode\n(Vabc\nVhex\ntR.",
        b"ccollections\nnamedtuple\n(S'x'\nS'y'\ntR.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c\x011\x85R.",
        b"\x80\x02\x82\x01.",
        b"P123\n.",
    ],
)
def test_other_ways_to_reach_code_are_refused(tmp_path: Path, program: bytes) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(program)
    with pytest.raises(ValueError, match="x.pkl': expected"):
        read_pickle(path)


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
FLOATS = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
SCALAR = b"cnumpy.core.multiarray\nscalar\n("
# A tuple in a tuple, 300,000 times.
DEEP = b")" + b"\x85" * 300_000


@pytest.mark.parametrize(
    ("program", "words"),
    [
        # NumPy's own unpickling crashes on the first of these, and reads foreign memory on others.
        (SCALAR + FLOATS.replace(b"NNN", b"\x88NN") + b"S'12345678'\ntR.", "plain type"),
        (SCALAR + FLOATS.replace(b"NNN", b"NN\x88") + b"S'12345678'\ntR.", "plain type"),
        (SCALAR + FLOATS.replace(b"'f8'", b"'V8'") + b"S'12345678'\ntR.", "the type .V8."),
        (SCALAR + FLOATS + b"S'1234'\ntR.", "more, less"),
        (ARRAY + b"(I1\n(I2\nt" + FLOATS + b"I0\nS'12345678'\ntb.", "more, less"),
        (ARRAY + b"(I1\n(I-1\nt" + FLOATS + b"I0\nS'12345678'\ntb.", "the shape of an array"),
        (ARRAY + b"(I1\n(I0\nI9000000000000000000\nt" + FLOATS + b"I0\nS''\ntb.", "more, less"),
        (ARRAY + b"(I1\n(I1\nt" + FLOATS.replace(b"f8", b"O8") + b"I0\nS'12345678'\ntb.",
         "more, less"),
        (ARRAY + b"(I1\n(I1\nt" + FLOATS.replace(b"f8", b"U1") + b"I0\nS'\xff\xff\xff\xff'\ntb.",
         "corrupt"),
        (b"cnumpy\nndarray\n(I5\nS'O'\ntR.", "corrupt"),
        # What is allowed must not be changed by a file.
        (b"c_codecs\nencode\nN}S'__defaults__'\nNs\x86b.", "only arrays to have a state"),
        (b"cnumpy\ndtype\n}S'__init__'\nNsb.", "corrupt"),
        # A few bytes that ask for all memory, or for the end of the interpreter's stack.
        (b"c__builtin__\nbytes\n(I100000000000\ntR.", "corrupt"),
        (b"\x80\x05\x96" + (1 << 45).to_bytes(8, "little") + b"a.", "MemoryError"),
        (b"\x80\x04}" + DEEP + b"Ns.", "ended by"),
        (b"\x80\x04}(" + DEEP + b"Nu.", "ended by"),
        (b"\x80\x04\x8f(" + DEEP + b"\x90.", "ended by"),
        (b"\x80\x04(" + DEEP + b"\x91.", "ended by"),
        (b"c__builtin__\nset\n]" + DEEP + b"a\x85R.", "ended by"),
        (b"ccollections\nOrderedDict\n]" + DEEP + b"N\x86a\x85R.", "ended by"),
    ],
)  # fmt: skip
def test_a_pickle_that_lies_about_memory_is_refused(
    tmp_path: Path, program: bytes, words: str
) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(program)
    with pytest.raises(ValueError, match=rf"x.pkl': expected.*({words})"):
        read_pickle(path)


def test_the_forged_pickles_are_forged_from_good_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    eight = b"S'" + b"\x00" * 6 + b"\xf0?'\n"
    path.write_bytes(SCALAR + FLOATS + eight + b"tR.")
    assert read_pickle(path) == 1.0
    path.write_bytes(ARRAY + b"(I1\n(I1\nt" + FLOATS + b"I0\n" + eight + b"tb.")
    np.testing.assert_array_equal(read_pickle(path), [1.0])


def test_changed_bytes_are_told_and_never_crash(tmp_path: Path) -> None:
    path, rng = tmp_path / "x.pkl", np.random.default_rng(0)
    whole = [np.frombuffer(pickle.dumps(CONTENT, p), np.uint8) for p in range(6)]
    refused = 0
    for _ in range(600):
        data = whole[rng.integers(len(whole))].copy()
        data[rng.integers(len(data), size=3)] = rng.integers(256, size=3)
        path.write_bytes(data.tobytes())
        try:
            repr(read_pickle(path))
        except ImportFileError as error:
            assert str(error).startswith(f"'{path}': expected")
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("keep", [0, 1, 20, 200])
def test_damaged_files_are_named(tmp_path: Path, keep: int) -> None:
    for name, reader in (("x.npz", read_npz), ("x.pkl", read_pickle)):
        path = tmp_path / name
        buffer = io.BytesIO()
        np.savez(buffer, a=np.arange(100))
        whole = buffer.getvalue() if name == "x.npz" else pickle.dumps(CONTENT)
        path.write_bytes(whole[:keep])
        with pytest.raises(ValueError, match=rf"{name}': expected an? \w+.*; download it again"):
            reader(path)


def test_an_array_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    buffer = io.BytesIO()
    np.save(buffer, np.arange(100))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", buffer.getvalue()[:-8])
    with pytest.raises(ValueError, match="expected 800 bytes got 792"):
        read_npz(path)


def test_a_missing_key_and_a_missing_file_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", positions=np.ones(3))
    with pytest.raises(ValueError, match="expected the key positions_3d, got positions;"):
        read_npz(tmp_path / "x.npz", "positions_3d")
    with pytest.raises(ValueError, match="y.npz': no such file; expected an npz archive"):
        read_npz(tmp_path / "y.npz")
    assert npz_keys(tmp_path / "y.npz") == []


def test_an_archive_that_grows_without_measure_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untrusted, "MOST_BYTES", 100_000)
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(1_000_000))
    with pytest.raises(ValueError, match=r"bomb.npz': expected at most .* got 8 MB for 'a'"):
        read_npz(tmp_path / "bomb.npz")
    np.savez_compressed(tmp_path / "honest.npz", a=np.random.default_rng(0).random(100_000))
    assert len(read_npz(tmp_path / "honest.npz")["a"]) == 100_000


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_numpys_own_packing_is_unpacked(tmp_path: Path, packing: int) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("a.npy", b"x")
    with pytest.raises(ValueError, match=r"x.npz': expected arrays packed as NumPy does"):
        read_npz(path)


def test_an_array_that_its_entry_does_not_hold_is_not_allocated(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    for shape in ("(10000000000,)", "(4294967296, 4294967296)"):
        text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
        with pytest.raises(ValueError, match=r"x.npz': expected an array (of at most|that fits)"):
            read_npz(path)


def test_a_pickle_that_copies_its_bytes_again_and_again_is_refused(tmp_path: Path) -> None:
    path, size = tmp_path / "x.pkl", 2**20
    head = b"\x80\x02T" + size.to_bytes(4, "little") + b"x" * size + b"q\x000]("
    array = ARRAY + f"(I1\n(I{size}\nt".encode() + FLOATS.replace(b"f8", b"u1") + b"I0\nh\x00tb"
    path.write_bytes(head + 3 * array + b"e.")
    assert [len(made) for made in read_pickle(path)] == [size] * 3
    path.write_bytes(head + 2000 * array + b"e.")
    with pytest.raises(ValueError, match="x.pkl': expected a pickle, .*MemoryError"):
        read_pickle(path)


def test_containers_without_end_or_of_themselves_are_refused(tmp_path: Path) -> None:
    path, laughs = tmp_path / "x.pkl", ["ha"]
    for _ in range(60):
        laughs = [laughs, laughs]  # type: ignore[list-item]
    circle: list = []
    circle.append(circle)
    for content, words in ((laughs, "name each other"), (circle, "nested at most 64 deep")):
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(ValueError, match=f"x.pkl': expected .*{words}"):
            read_pickle(path)
        np.savez(tmp_path / "x.npz", a=np.array({"a": content}, dtype=object))
        with pytest.raises(ValueError, match=f"x.npz': expected .*{words}"):
            read_npz(tmp_path / "x.npz")


def test_no_damage_to_an_archives_directory_escapes(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, a=np.arange(3))
    whole = path.read_bytes()
    start = whole.rindex(b"PK\x01\x02")
    for place in range(start, len(whole)):
        for value in (0, 0xFF):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            assert npz_keys(path) in (["a"], []) or len(npz_keys(path)) == 1
