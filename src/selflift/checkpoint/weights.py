"""Weights for inference: ``.safetensors`` files, as the package's docstring describes them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from selflift.checkpoint.content import (
    FORMAT,
    VERSION,
    Checkpoint,
    CheckpointError,
    in_a_line,
    unwritten,
)
from selflift.files.atomic_write import atomic_path

SUFFIX = ".safetensors"
# Ours are some 20 kB long; the format's own limit of 100 MB takes a GiB to parse.
LONGEST_HEADER = 2**22
DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64,
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def save_weights(path: str | Path, content: Checkpoint, dtype: torch.dtype = torch.float16) -> None:
    """Write a checkpoint's weights for inference and its metadata; its training state stays out.

    Args:
        path: A name that ends in ``.safetensors``.
        content: The checkpoint.
        dtype: What matrices are stored in: ``float32``, ``float16`` or ``bfloat16``. All else is
            small and stored as it is.

    Raises:
        CheckpointError: If the name or the precision is another one, if a weight is too large for
            the precision, or if the file can't be written; an earlier one is then intact.
    """
    if Path(path).suffix != SUFFIX:
        raise CheckpointError(
            f"checkpoint '{path}': expected a name that ends in {SUFFIX}, got another; change it, "
            "or use selflift.checkpoint.save"
        )
    if dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise CheckpointError(
            f"dtype: expected torch.float32, torch.float16 or torch.bfloat16, got {dtype}"
        )
    tensors = {name: _stored(path, name, t, dtype) for name, t in content.lifter.items()}
    text = json.dumps(content.metadata)
    # Widest types first, so that each tensor starts at a multiple of its item's size.
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {
        "__metadata__": {
            "format": FORMAT,
            "version": str(VERSION),
            "metadata": text,
            "sha256": digest(text, tensors),
        }
    }
    end = 0
    for name in order:
        start, end = end, end + tensors[name].nbytes
        header[name] = {
            "dtype": NAMES[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [start, end],
        }
    # Written here and not by the library, which puts the metadata in another order every time.
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    try:
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            file.write(len(head).to_bytes(8, "little") + head)
            for name in order:
                file.write(_bytes(tensors[name]))
    except OSError as error:
        raise unwritten(path, error) from error


def load(path: Path) -> Checkpoint:
    """Read a file that is there.

    Raises:
        CheckpointError: If it is corrupt, foreign or of a newer format.
    """
    _check_header_length(path)
    try:
        # The library checks that the tensors fill the rest of the file, neither more nor less.
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            _check_format(path, about)
            kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
            if foreign := sorted(set(kinds.values()) - set(DTYPES)):
                raise CheckpointError(
                    f"checkpoint '{path}': expected tensors of type {', '.join(DTYPES)}, got "
                    f"{', '.join(foreign)}; use the file as selflift wrote it"
                )
            # Copies: what is mapped into memory changes if somebody changes the file.
            tensors = {name: file.get_tensor(name).clone() for name in kinds}
    except CheckpointError:
        raise
    except Exception as error:  # the library raises several kinds; all mean that it is corrupt
        raise _damaged(path, in_a_line(error)) from error
    if digest(about["metadata"], tensors) != about["sha256"]:
        raise _damaged(path, "its checksum differs")
    try:
        metadata = json.loads(about["metadata"])
        if not isinstance(metadata, dict):
            raise ValueError(f"expected an object, got {type(metadata).__name__}")
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"checkpoint '{path}': expected JSON text as its metadata, got other text "
            f"({in_a_line(error)}); use the file as selflift wrote it"
        ) from error
    lifter = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    return Checkpoint(metadata, lifter, path=str(path))


def digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """Return the checksum of a file; see the package's docstring.

    Args:
        text: The metadata.
        tensors: The tensors as they are stored.
    """
    found = hashlib.sha256(text.encode(errors="surrogatepass"))
    for name in sorted(tensors):
        tensor = tensors[name]
        line = f"\n{name} {NAMES[tensor.dtype]} {list(tensor.shape)}\n"
        found.update(line.encode(errors="surrogatepass"))
        found.update(_bytes(tensor))
    return found.hexdigest()


def _stored(path: str | Path, name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype not in NAMES:
        raise CheckpointError(
            f"checkpoint '{path}': expected weights of type {', '.join(map(str, NAMES))}, got "
            f"'{name}' of {tensor.dtype}; convert it"
        )
    if not tensor.is_floating_point() or tensor.ndim < 2:
        return tensor
    narrow = tensor.to(dtype)
    if bool((narrow.isinf() & tensor.isfinite()).any()):
        raise CheckpointError(
            f"checkpoint '{path}': expected weights of at most {torch.finfo(dtype).max:.0f}, the "
            f"largest {dtype}, got {float(tensor.abs().max()):.3g} in '{name}'; use "
            "dtype=torch.float32"
        )
    return narrow


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.reshape(-1).view(torch.uint8).numpy().data


def _check_header_length(path: Path) -> None:
    """Raise for a header longer than the file, or than any of ours, before it is read."""
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError as error:
        raise _damaged(path, in_a_line(error)) from error
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > size - 8:
        raise _damaged(path, f"{size} bytes, too few for its header")
    if length > LONGEST_HEADER:
        raise _damaged(path, f"a header of {length} bytes, more than {LONGEST_HEADER}")


def _check_format(path: Path, about: Mapping[str, str]) -> None:
    if about.get("format") != FORMAT:
        raise CheckpointError(
            f"checkpoint '{path}': expected format '{FORMAT}', got another safetensors file; give "
            "one written by selflift.checkpoint.save_weights"
        )
    if about.get("version") != str(VERSION):
        raise CheckpointError(
            f"checkpoint '{path}': expected format version {VERSION}, got "
            f"{str(about.get('version'))[:40]!r}; install the selflift that wrote it"
        )
    for entry in ("metadata", "sha256"):
        if entry not in about:
            raise CheckpointError(
                f"checkpoint '{path}': expected the entry {entry} in its header, got none; use "
                "the file as selflift wrote it"
            )


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"checkpoint '{path}': expected weights written by selflift (safetensors), got a file that "
        f"is corrupt, cut short or something else ({reason}); copy or download it again"
    )
