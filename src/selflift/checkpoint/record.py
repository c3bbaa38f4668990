"""What ``torch.load`` made of a file, checked: tensors may claim what the file does not hold.

A few bytes are enough for a view of one number as 10^12, for sparse or quantised tensors of any
size, for memory that nobody wrote, and for containers that name each other without end.
"""

from __future__ import annotations

import zipfile
from typing import Any

import torch
from torch import Tensor

from selflift.files.untrusted import UntrustedError, check_nesting

# How torch.save's archives begin. What begins otherwise torch reads by older formats' rules, which
# could be made to run code (CVE-2025-32434, before torch 2.6), even with an archive at its end.
MAGIC = b"PK\x03\x04"
# TorchScript's, which is a program.
PROGRAM = "constants.pkl"


def check_archive(archive: zipfile.ZipFile) -> None:
    """Refuse an archive that ``torch.save`` doesn't write: packed, or a program.

    Raises:
        UntrustedError: If it is one.
    """
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
    """Refuse tensors that are not plain ones whose numbers lie in the file.

    Args:
        record: What was loaded.
        size: The file's bytes.

    Raises:
        UntrustedError: If there is such a tensor, or containers are too deep or without end.
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
