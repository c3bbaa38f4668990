"""Damage to checkpoints by somebody who knows the formats."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selflift.checkpoint import Checkpoint, load, save_weights
from tests.fuzz.archive_damage import Members, damage, packed
from tests.fuzz.damage import Damage, damaged, pick
from tests.fuzz.values import changed, laughs, odd

LENGTHS = (0, 1, 7, 2**22, 2**22 + 1, 10**8, 10**18, 2**63, 2**64 - 1)


def odd_tensor(rng: np.random.Generator, tensor: Tensor) -> Any:
    """A tensor that is not what it should be."""
    corner = torch.zeros(2, 1, dtype=torch.int64)
    return pick(rng, (
        lambda: torch.zeros(1).as_strided((10**6, 10**6), (0, 0)),
        lambda: torch.zeros(1).expand(tensor.shape),
        lambda: tensor.to_sparse(),
        lambda: torch.sparse_coo_tensor(corner, torch.ones(1), (10**6, 10**6)),
        lambda: torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.qint8),
        lambda: tensor.to(pick(rng, (torch.complex64, torch.float16, torch.int64, torch.bool))),
        lambda: tensor * float(pick(rng, (np.nan, np.inf, 1e30, 0))),
        lambda: torch.empty(tensor.shape, device="meta"),
        lambda: tensor[..., None],
        lambda: tensor.reshape(-1)[:-1],
        lambda: torch.nn.Parameter(tensor.float()),
        lambda: odd(rng),
    ))()  # fmt: skip


def changed_record(rng: np.random.Generator, record: Any, depth: int = 0) -> Any:
    """The same with one value or tensor replaced, somewhere inside."""
    if isinstance(record, Tensor):
        return odd_tensor(rng, record)
    if isinstance(record, dict) and record and rng.random() < 0.95:
        key = pick(rng, list(record))
        if rng.random() < 0.1:
            return {k: v for k, v in record.items() if k != key}
        return {**record, key: changed_record(rng, record[key], depth + 1)}
    if isinstance(record, list) and record and rng.random() < 0.9:
        place = int(rng.integers(len(record)))
        return [
            *record[:place], changed_record(rng, record[place], depth + 1), *record[place + 1 :]
        ]  # fmt: skip
    return laughs() if rng.random() < 0.1 else odd(rng)


def changed_metadata(rng: np.random.Generator, text: str) -> str:
    """Metadata that tell something else."""
    if rng.random() < 0.2:
        return damaged(rng, text.encode(), text=True).decode(errors="replace")
    try:
        return json.dumps(changed(rng, json.loads(text), shared=False), default=str)
    except (ValueError, RecursionError, MemoryError):
        return "[" * 100_000


def _record(data: bytes) -> dict[str, Any]:
    return torch.load(io.BytesIO(data), weights_only=True)


def _saved(record: Any) -> bytes:
    out = io.BytesIO()
    torch.save(record, out)
    return out.getvalue()


def values(rng: np.random.Generator, data: bytes) -> bytes:
    """Another record, well written."""
    record = _record(data)
    if rng.random() < 0.5:
        record["metadata"] = changed_metadata(rng, record["metadata"])
        return _saved(record)
    part = ("lifter", "state", "state")[int(rng.integers(3))]
    if rng.random() < 0.1:
        return _saved(changed_record(rng, record))
    return _saved({**record, part: changed_record(rng, record[part])})


@damage
def within(rng: np.random.Generator, members: Members) -> bytes:
    """Damage in the program that builds the record, under a sound checksum."""
    name = next(name for name in members if name.endswith("data.pkl"))
    if rng.random() < 0.3:
        name = pick(rng, list(members))
    members[name] = damaged(rng, members[name], text=False)
    return packed(members, zipfile.ZIP_STORED)


@damage
def sizes(rng: np.random.Generator, members: Members) -> bytes:
    """Small numbers in the program, which are sizes, strides and offsets, become large."""
    name = next(name for name in members if name.endswith("data.pkl"))
    program = bytearray(members[name])
    places = [n for n, byte in enumerate(program[:-2]) if byte == ord("K")]
    for place in rng.choice(places, int(rng.integers(1, 4)), replace=False):
        program[place + 1] = int(rng.integers(256))
    if rng.random() < 0.6:
        place = int(rng.choice(places))
        large = int(rng.choice([2**31 - 1, 2**40, 2**62])).to_bytes(8, "little")
        program[place : place + 2] = b"\x8a\x08" + large
    members[name] = bytes(program)
    return packed(members, zipfile.ZIP_STORED)


@damage
def names(rng: np.random.Generator, members: Members) -> bytes:
    """Other members, and another packing."""
    kind = int(rng.integers(5))
    if kind == 0:
        members = {f"../{name}": data for name, data in members.items()}
    elif kind == 1:
        folder = next(iter(members)).split("/")[0]
        members[f"{folder}/constants.pkl"] = b"\x80\x02]."
    elif kind == 2:
        del members[pick(rng, list(members))]
    elif kind == 3:
        name = pick(rng, list(members))
        members[name] = bytes(2 ** int(rng.integers(10, 28)))
        return packed(members)
    return packed(members, zipfile.ZIP_STORED if kind != 4 else zipfile.ZIP_DEFLATED)


def appended(rng: np.random.Generator, data: bytes) -> bytes:
    """Two files in one: what it is depends on where one begins to read."""
    before = (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", bytes(512), b"x" * 100)
    return before[int(rng.integers(3))] + data


CHECKPOINT: tuple[Damage, ...] = (
    values, values, values, values, within, within, sizes, sizes, names, appended
)  # fmt: skip


def weights_values(rng: np.random.Generator, data: bytes) -> bytes:
    """Other metadata or weights, under a sound checksum."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.safetensors")
        path.write_bytes(data)
        try:
            content = load(path)
        except ValueError:
            return damaged(rng, data, text=True)
        metadata, lifter = content.metadata, dict(content.lifter)
        if rng.random() < 0.6:
            metadata = changed(rng, metadata, shared=False)
        else:
            name = pick(rng, list(lifter))
            shapes = (lifter[name][..., None], lifter[name].reshape(-1)[:-1], lifter[name].long(),
                      lifter[name].double(), lifter[name] * torch.nan)  # fmt: skip
            lifter[name] = pick(rng, shapes)
            if rng.random() < 0.2:
                del lifter[name]
            if rng.random() < 0.2:
                lifter |= {f"more{n}": torch.zeros(0) for n in range(500)}
        try:
            save_weights(path, Checkpoint(metadata, lifter), torch.float32)
        except (ValueError, TypeError, RecursionError, MemoryError):
            return damaged(rng, data, text=True)
        return path.read_bytes()


def weights_header(rng: np.random.Generator, data: bytes) -> bytes:
    """Another header: its length, overlapping tensors, keys twice, metadata that are no text."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < length + 8:
        return damaged(rng, data, text=True)
    kind = int(rng.integers(4))
    if kind == 0:
        lie = pick(rng, LENGTHS)
        return lie.to_bytes(8, "little") + data[8:]
    head, body = data[8 : 8 + length], data[8 + length :]
    if kind == 1:
        head = json.dumps(changed(rng, json.loads(head), shared=False), default=str).encode()
    elif kind == 2:
        head = head[:-1].rstrip().removesuffix(b"}") + b"," + head[1:]
    else:
        head = damaged(rng, head, text=True)
    return len(head).to_bytes(8, "little") + head + body


WEIGHTS: tuple[Damage, ...] = (weights_values, weights_values, weights_header)
