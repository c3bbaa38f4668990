"""Content of a checkpoint file, checks of it, and errors.

``torch.load(weights_only=True)`` runs nothing, but a few bytes are enough for a view of one number
as 10^12, for sparse or quantised tensors of any size, for uninitialised memory, and for containers
that name each other without end. :func:`check_archive` and :func:`check_record` reject those.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from selflift.files.untrusted import UntrustedError, check_nesting

FORMAT = "selflift.checkpoint"
VERSION = 1
# How torch.save's archives begin. What begins otherwise torch reads by older formats' rules, which
# could be made to run code (CVE-2025-32434, before torch 2.6), even with an archive at its end.
MAGIC = b"PK\x03\x04"
# TorchScript's, which is a program.
PROGRAM = "constants.pkl"


class CheckpointError(ValueError):
    """Raised if a checkpoint can't be read or written; the message names the remedy."""


class DamagedError(CheckpointError):
    """Raised for a file that is corrupt or that selflift didn't write."""


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint file.

    Attributes:
        metadata: Plain JSON values.
        lifter: Weights for inference.
        state: Training state; empty if the file is for inference alone.
        path: The file that it was read from.
    """

    metadata: dict[str, Any]
    lifter: dict[str, Tensor]
    state: dict[str, Any] = field(default_factory=dict)
    path: str = ""


def mismatch(content: Checkpoint, what: str, error: Exception) -> CheckpointError:
    """Make the error for weights that don't fit the network of the metadata."""
    return CheckpointError(
        f"checkpoint '{content.path}': expected the weights of the {what} that its metadata "
        f"describe, got a mismatch ({in_a_line(error, 300)}); use the file as training wrote it"
    )


def unwritten(path: object, error: Exception) -> CheckpointError:
    """Make the error for a file that can't be written."""
    return CheckpointError(
        f"checkpoint '{path}': could not be written ({in_a_line(error)}); an earlier file of that "
        "name is intact; free some space or choose another output_dir"
    )


def in_a_line(error: object, most: int = 200) -> str:
    """Return a library's error message in one line of bounded length."""
    return " ".join(str(error).split())[:most]


def check_archive(archive: zipfile.ZipFile) -> None:
    """Raise UntrustedError for an archive unlike ``torch.save``'s: compressed, or a program."""
    assert archive.fp is not None
    archive.fp.seek(0)
    if archive.fp.read(len(MAGIC)) != MAGIC:
        raise UntrustedError("expected a file that is an archive from its first byte, got another")
    for entry in archive.infolist():
        if entry.compress_type != zipfile.ZIP_STORED:
            raise UntrustedError("expected an archive that is not packed, got a packed one")
        if entry.filename.split("/")[-1] == PROGRAM:
            raise UntrustedError("expected tensors, got a TorchScript program")


def check_record(record: Any, size: int) -> None:
    """Raise UntrustedError unless all tensors are plain and lie in the file.

    Args:
        record: The loaded content.
        size: The file's bytes.
    """
    check_nesting(record)
    parts, storages = [record], dict[int, int]()
    while parts:
        part = parts.pop()
        if isinstance(part, Tensor):
            _check_tensor(part)
            storage = part.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
        elif isinstance(part, dict):
            parts += part.values()
        elif isinstance(part, (list, tuple, set, frozenset)):
            parts += part
    if sum(storages.values()) > size:
        raise UntrustedError("expected tensors whose numbers lie in the file, got larger ones")


def _check_tensor(tensor: Tensor) -> None:
    # A subclass, or a view that shows a number more than once, may claim any size.
    plain = type(tensor) in (Tensor, torch.nn.Parameter) and tensor.layout == torch.strided
    if not plain or tensor.is_quantized or tensor.is_complex() or tensor.device.type != "cpu":
        raise UntrustedError(
            f"expected plain tensors, got one of {tensor.dtype}, {tensor.layout}, "
            f"{tensor.device.type}"
        )
    if tensor.nbytes > tensor.untyped_storage().nbytes():
        raise UntrustedError(
            f"expected tensors that show each number once, got {str(tuple(tensor.shape))[:60]}"
        )
