"""Checkpoints that claim what they don't hold, and archives that are something else."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from selflift import checkpoint
from selflift.checkpoint import CheckpointError

NUMBERS = torch.arange(6.0).reshape(2, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "last.pt"


def save(path: Path, tensor: Any, **state: Any) -> None:
    # Without a checksum, as an attacker may write it.
    record = {
        "format": checkpoint.FORMAT, "version": checkpoint.VERSION, "metadata": "{}",
        "lifter": {"weight": NUMBERS}, "state": {"tensor": tensor, **state},
    }  # fmt: skip
    torch.save(record, path)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    "tensor",
    [NUMBERS, NUMBERS.T, NUMBERS[:, 1], torch.nn.Parameter(NUMBERS), torch.tensor(3), NUMBERS[:0]],
)
def test_plain_tensors_and_their_views_are_read(path: Path, tensor: torch.Tensor) -> None:
    save(path, tensor, again=tensor)
    state = checkpoint.load(path).state
    assert torch.equal(state["tensor"], tensor) and torch.equal(state["again"], tensor)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).as_strided((10**6, 10**6), (0, 0)),
        torch.sparse_coo_tensor(
            torch.zeros(2, 1, dtype=torch.int64), torch.ones(1), (10**6, 10**6),
            check_invariants=True,
        ),
        torch.empty(10**6, 10**6, device="meta"),
        torch.zeros(3, dtype=torch.complex64),
    ],
    ids=["view", "sparse", "nothing", "complex"],
)  # fmt: skip
def test_tensors_that_claim_more_than_the_file_holds_are_refused(
    path: Path, tensor: torch.Tensor
) -> None:
    save(path, tensor)
    with pytest.raises(CheckpointError, match="last.pt'.*Error: expected .*tensors"):
        checkpoint.load(path)


def test_a_size_that_is_not_the_storages_is_refused(path: Path) -> None:
    # The program says 32,000 x 3 floats.
    save(path, NUMBERS)
    content = members(path)
    name = next(name for name in content if name.endswith("data.pkl"))
    assert content[name].count(b"K\x02K\x03\x86") >= 1
    content[name] = content[name].replace(b"K\x02K\x03\x86", b"M\x00\x7dK\x03\x86")
    write(path, content)
    with pytest.raises(CheckpointError, match="expected a selflift checkpoint"):
        checkpoint.load(path)


def test_containers_without_end_are_refused(path: Path) -> None:
    laughs: list = ["ha"]
    for _ in range(60):
        laughs = [laughs, laughs]
    save(path, laughs)
    with pytest.raises(CheckpointError, match="name each other"):
        checkpoint.load(path)
    torch.save({"format": checkpoint.FORMAT, "version": laughs}, path)
    with pytest.raises(CheckpointError, match="name each other"):
        checkpoint.load(path)


def test_packed_archives_are_refused_before_they_are_unpacked(path: Path) -> None:
    save(path, NUMBERS)
    write(path, {**members(path), "last/data/9": bytes(10**8)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**6
    with pytest.raises(CheckpointError, match="expected a selflift checkpoint"):
        checkpoint.load(path)


def test_a_program_is_not_run(path: Path) -> None:
    save(path, NUMBERS)
    folder = next(iter(members(path))).split("/")[0]
    write(path, {**members(path), f"{folder}/constants.pkl": b"\x80\x02]."})
    with pytest.raises(CheckpointError, match="expected a selflift checkpoint"):
        checkpoint.load(path)


def test_what_stands_before_the_archive_is_not_read(path: Path, tmp_path: Path) -> None:
    """Torch reads by a file's first bytes, zip readers by its last: it may be two files."""
    trace = tmp_path / "trace"

    class Hostile:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(trace),)

    save(path, NUMBERS)
    before = io.BytesIO()
    torch.save(Hostile(), before, _use_new_zipfile_serialization=False)
    path.write_bytes(before.getvalue() + path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    with pytest.raises(CheckpointError, match="expected a selflift checkpoint"):
        checkpoint.load(path)
    assert not trace.exists()
    # The trap is a real one.
    torch.load(path, weights_only=False)
    assert trace.exists()


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "null"])
def test_metadata_are_an_object(path: Path, text: str) -> None:
    record = {
        "format": checkpoint.FORMAT, "version": checkpoint.VERSION, "metadata": text, "lifter": {},
        "state": {},
    }  # fmt: skip
    torch.save(record, path)
    with pytest.raises(CheckpointError, match="without a valid metadata: expected an object"):
        checkpoint.load(path)
