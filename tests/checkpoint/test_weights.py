"""Weights for inference, and several hundred ways in which such a file can be wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch

from selflift.checkpoint import Checkpoint, CheckpointError, load, save, save_weights
from selflift.checkpoint.weights import LONGEST_HEADER, digest

METADATA = {"selflift": "0.1.0", "lifter": {"width": 8}, "step": 3, "sign": None, "scale": 1.5}


def content(seed: int = 0) -> Checkpoint:
    generator = torch.Generator().manual_seed(seed)
    return Checkpoint(
        metadata=METADATA,
        lifter={
            "trunk.weight": torch.randn(16, 8, generator=generator),
            "trunk.bias": torch.randn(16, generator=generator),
            "norm.num_batches_tracked": torch.tensor(7),
        },
        state={"step": 12},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file."""
    save_weights(tmp_path / "a.safetensors", content())
    return tmp_path / "a.safetensors"


def parts(path: Path) -> tuple[dict, bytes]:
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    return json.loads(whole[8 : 8 + length]), whole[8 + length :]


def put(path: Path, header: object, data: bytes) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def refused(path: Path) -> str:
    """The one line that a file is refused with."""
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"checkpoint '{path}': expected ") and "\n" not in message
    assert len(message) < 700
    return message


def same(got: Checkpoint, expected: Checkpoint) -> bool:
    return got.metadata == expected.metadata and all(
        torch.equal(got.lifter[name], tensor.float() if tensor.is_floating_point() else tensor)
        for name, tensor in expected.lifter.items()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_load_returns_what_was_saved(tmp_path: Path, dtype: torch.dtype) -> None:
    expected, path = content(), tmp_path / "folder" / "a.safetensors"
    save_weights(path, expected, dtype)
    got = load(path)
    assert got.metadata == METADATA and got.state == {} and got.path == str(path)
    assert sorted(got.lifter) == sorted(expected.lifter)
    assert got.lifter["trunk.weight"].dtype == torch.float32
    # Vectors and counters are small: they keep their precision.
    assert torch.equal(got.lifter["trunk.bias"], expected.lifter["trunk.bias"])
    assert got.lifter["norm.num_batches_tracked"] == 7
    rounded = expected.lifter["trunk.weight"].to(dtype).float()
    assert torch.equal(got.lifter["trunk.weight"], rounded)


def test_any_reader_of_the_format_reads_it(path: Path) -> None:
    tensors = safetensors.torch.load_file(path)
    assert tensors["trunk.weight"].dtype == torch.float16
    assert torch.equal(tensors["trunk.bias"], content().lifter["trunk.bias"])
    with safetensors.safe_open(path, framework="pt") as file:
        about = file.metadata()
    assert about["format"] == "selflift.checkpoint" and about["version"] == "1"
    assert about["sha256"] == digest(about["metadata"], tensors)
    assert json.loads(about["metadata"]) == METADATA


def test_the_same_content_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    save_weights(tmp_path / "b.safetensors", content())
    assert (tmp_path / "b.safetensors").read_bytes() == path.read_bytes()


def test_half_precision_halves_the_matrices(tmp_path: Path) -> None:
    wide = Checkpoint({}, {"weight": torch.randn(300, 200)})
    for dtype, size in ((torch.float32, 4), (torch.float16, 2)):
        save_weights(tmp_path / "a.safetensors", wide, dtype)
        assert os.path.getsize(tmp_path / "a.safetensors") == pytest.approx(60_000 * size, abs=500)


def test_what_was_loaded_outlives_the_file(path: Path) -> None:
    got = load(path)
    path.write_bytes(bytes(path.stat().st_size))
    assert same(Checkpoint(got.metadata, {"b": got.lifter["trunk.bias"]}),
                Checkpoint(METADATA, {"b": content().lifter["trunk.bias"]}))  # fmt: skip


def test_names_and_precisions_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="a.pt': expected a name that ends in .safetensors"):
        save_weights(tmp_path / "a.pt", content())
    with pytest.raises(CheckpointError, match="ends in .pt, .*selflift.checkpoint.save_weights"):
        save(tmp_path / "a.safetensors", content())
    with pytest.raises(CheckpointError, match="dtype: expected torch.float32, .* got torch.int64"):
        save_weights(tmp_path / "a.safetensors", content(), torch.int64)
    complex_one = Checkpoint({}, {"w": torch.zeros(2, dtype=torch.complex64)})
    with pytest.raises(CheckpointError, match="got 'w' of torch.complex64; convert it"):
        save_weights(tmp_path / "a.safetensors", complex_one)
    large = Checkpoint({}, {"w": torch.tensor([[1.0, -7e4]])})
    with pytest.raises(CheckpointError, match="at most 65504, .*got 7e[+]04 in 'w'; use dtype="):
        save_weights(tmp_path / "a.safetensors", large)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_midway_keeps_the_earlier_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(CheckpointError, match="could not be written .* earlier file .* intact"):
        save_weights(path, content(seed=1))
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load(tmp_path / "none.safetensors")


def test_a_file_cut_short_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        assert "corrupt, cut short" in refused(path)
    path.write_bytes(whole + b"\0")
    assert "corrupt, cut short" in refused(path)


def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(path: Path) -> None:
    whole, expected = path.read_bytes(), load(path)
    generator = torch.Generator().manual_seed(0)
    unnoticed = 0
    for at in torch.randperm(len(whole), generator=generator)[:400].tolist():
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(torch.randint(8, (), generator=generator))
        path.write_bytes(damaged)
        try:
            got = load(path)
        except CheckpointError as error:
            assert "\n" not in str(error)
            continue
        assert same(got, expected)
        unnoticed += 1
    # A space in the header may be a tab.
    assert unnoticed < 10


def test_a_flipped_bit_in_weights_or_metadata_is_told_by_the_checksum(path: Path) -> None:
    whole = path.read_bytes()
    for at in (len(whole) - 5, len(whole) - 200, whole.index(b"1.5")):
        damaged = bytearray(whole)
        damaged[at] ^= 0x01
        path.write_bytes(damaged)
        assert "its checksum differs" in refused(path)


def wrong_headers() -> Iterator[tuple[str, Callable[[dict], object]]]:
    """Ways to change a good header."""

    def about(**changes: object) -> Callable[[dict], object]:
        return lambda h: {**h, "__metadata__": {**h["__metadata__"], **changes}}

    def tensor(**changes: object) -> Callable[[dict], object]:
        return lambda h: {**h, "trunk.weight": {**h["trunk.weight"], **changes}}

    def without(entry: str) -> Callable[[dict], object]:
        return lambda h: {
            **h, "__metadata__": {k: v for k, v in h["__metadata__"].items() if k != entry}
        }  # fmt: skip

    for entry in ("format", "version", "metadata", "sha256"):
        yield f"no {entry}", without(entry)
        for value in (None, 1, [], {}, {"a": {"b": {}}}, "", "x", "0" * 64, "\ud800", "a\nb"):
            yield f"{entry}={value!r}", about(**{entry: value})
    for value in (None, 3, [], "text", {"format": 3}, {}):
        yield f"__metadata__={value!r}", lambda h, v=value: {**h, "__metadata__": v}
    for dtype in ("F8_E4M3", "F32", "F64", "I64", "BF16", "I16", "BOOL", "X", 3, None, ""):
        yield f"dtype={dtype!r}", tensor(dtype=dtype)
    for shape in (
        [8, 16], [128], [16], [16, 8, 1], [16, 9], [2**40, 2**40], [0, 8], [-16, -8], [16.0, 8],
        ["16", 8], None, {}, [[16, 8]], [2**63, 2], [1] * 300 + [16, 8],
    ):  # fmt: skip
        yield f"shape={str(shape)[:30]}", tensor(shape=shape)
    for offsets in (
        [0, 256], [72, 327], [72, 10**18], [2**63, 2**63 + 256], [328, 72], [-1, 255], [72], [],
        [1.5, 2.5], None, [80, 336],
    ):  # fmt: skip
        yield f"offsets={offsets}", tensor(data_offsets=offsets)
    for entry in ("dtype", "shape", "data_offsets"):
        yield f"no {entry}", lambda h, e=entry: {
            **h, "trunk.weight": {k: v for k, v in h["trunk.weight"].items() if k != e}
        }  # fmt: skip
    yield "no tensor", lambda h: {k: v for k, v in h.items() if k != "trunk.weight"}
    yield "another tensor", lambda h: {**h, "b": h["trunk.weight"]}
    yield "another name", lambda h: {k.replace("trunk", "trunc"): v for k, v in h.items()}
    for other in (None, [], 3, "text", {}, {"a": []}):
        yield f"header {other!r}", lambda h, o=other: o
    for raw in (b"", b"{", b"\xff" * 40, b"[" * 100_000, b'{"a":' * 50_000, b"{}" * 40, b"nul"):
        yield f"text {raw[:12]!r}", lambda h, r=raw: r


def test_a_header_that_says_otherwise_is_refused(path: Path) -> None:
    header, data = parts(path)
    cases = list(wrong_headers())
    assert len(cases) > 90
    for name, change in cases:
        put(path, change(header), data)
        assert refused(path), name


def test_metadata_with_a_checksum_that_holds_are_not_believed(path: Path) -> None:
    header, data = parts(path)
    tensors = safetensors.torch.load(path.read_bytes())
    texts = ("", "{broken", "3", "[]", "null", "[" * 100_000, '{"a":' * 50_000, "9" * 10_000)
    for text in texts:
        header["__metadata__"].update(metadata=text, sha256=digest(text, tensors))
        put(path, header, data)
        assert "expected JSON text as its metadata" in refused(path)


@pytest.mark.parametrize("length", [0, 1, LONGEST_HEADER + 1, 2**31, 2**63, 2**64 - 1])
def test_a_header_s_length_is_not_believed(path: Path, length: int) -> None:
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    refused(path)


def test_a_header_longer_than_any_of_ours_is_refused(path: Path) -> None:
    header, data = parts(path)
    put(path, json.dumps(header).encode().ljust(LONGEST_HEADER + 8), data)
    assert f"a header of {LONGEST_HEADER + 8} bytes" in refused(path)


def test_other_files_are_refused(path: Path) -> None:
    save(path.with_suffix(".pt"), content())
    path.write_bytes(path.with_suffix(".pt").read_bytes())
    refused(path)
    path.write_text("no weights\n" * 100)
    refused(path)
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path)
    assert "expected format 'selflift.checkpoint', got another safetensors" in refused(path)
    safetensors.torch.save_file({}, path, {"format": "selflift.checkpoint", "version": "2"})
    assert "expected format version 1, got '2'; install the selflift that" in refused(path)
