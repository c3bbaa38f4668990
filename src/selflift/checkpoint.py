"""Checkpoint file format, version 1. Knows files and plain values; knows no network.

A checkpoint is a zip archive written by ``torch.save`` that holds one dictionary of plain values
and tensors:

==============  ===================================================================================
``format``      the string ``"selflift.checkpoint"``
``version``     the integer 1
``metadata``    JSON text: selflift's version, the lifter's constructor arguments, the
                normalisation, the resolved config, step, the depth sign and how it was settled
``lifter``      the lifter's weights for inference, name -> tensor
``state``       all that training needs to go on, or nothing; nested dictionaries of plain values
                and tensors
==============  ===================================================================================

Reading uses ``torch.load(weights_only=True)``: a file can name tensors and plain containers, and
nothing in it can execute code. Writing is atomic: a temporary file beside the target, flushed to
disk, then renamed; whatever happens, the previous file stays whole.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from selflift.atomic import atomic_path

FORMAT = "selflift.checkpoint"
VERSION = 1


class CheckpointError(ValueError):
    """A checkpoint can't be read or written; the message says what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file.

    Attributes:
        metadata: Plain JSON values.
        lifter: Weights for inference.
        state: What training needs to go on; empty if the file is for inference alone.
        path: Where it was read from.
    """

    metadata: dict[str, Any]
    lifter: dict[str, Tensor]
    state: dict[str, Any] = field(default_factory=dict)
    path: str = ""


def save(path: str | Path, content: Checkpoint) -> None:
    """Write a checkpoint atomically.

    Raises:
        CheckpointError: If it can't be written (a full disk, no permission); an earlier file of
            that name is intact.
    """
    record = {
        "format": FORMAT,
        "version": VERSION,
        "metadata": json.dumps(content.metadata),
        "lifter": {k: v.detach().cpu() for k, v in content.lifter.items()},
        "state": content.state,
    }
    try:
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            torch.save(record, file)
    except (OSError, RuntimeError) as error:
        # torch reports a failed write as a RuntimeError of its zip writer.
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"checkpoint '{path}': could not be written ({reason}); an earlier file of that name "
            "is intact; free some space or choose another output_dir"
        ) from error


def load(path: str | Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: If the file is missing, damaged, foreign or of a newer format.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            f"checkpoint '{path}': no such file; expected one written by "
            "python -m selflift.train, e.g. RUN_DIR/checkpoints/best.pt"
        )
    if not _is_whole(path):
        raise CheckpointError(
            f"checkpoint '{path}': expected a selflift checkpoint (a zip archive), got a file that "
            "is damaged, cut short or something else; use the run's other one (best.pt, last.pt)"
        )
    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; all mean that the file is not ours
        raise CheckpointError(
            f"checkpoint '{path}': expected a selflift checkpoint, got a file that can't be read "
            f"safely ({type(error).__name__}); use the run's other one (best.pt, last.pt)"
        ) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise CheckpointError(
            f"checkpoint '{path}': expected format '{FORMAT}', got another file written by "
            "torch.save; give a checkpoint written by python -m selflift.train"
        )
    if record.get("version") != VERSION:
        raise CheckpointError(
            f"checkpoint '{path}': expected format version {VERSION}, got "
            f"{record.get('version')!r}; install the selflift that wrote it"
        )
    try:
        metadata = json.loads(record["metadata"])
        return Checkpoint(metadata, dict(record["lifter"]), dict(record["state"]), str(path))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"checkpoint '{path}': expected the entries metadata, lifter and state, got a file "
            f"without a valid {error}; use the run's other one (best.pt, last.pt)"
        ) from error


def mismatch(content: Checkpoint, what: str, error: Exception) -> CheckpointError:
    """What to raise for weights that don't fit the network which the metadata describe.

    Args:
        content: The file's content.
        what: The network's name.
        error: Why they don't.
    """
    reason = " ".join(str(error).split())[:300]
    return CheckpointError(
        f"checkpoint '{content.path}': expected the weights of the {what} that its metadata "
        f"describe, got a mismatch ({reason}); use the file as training wrote it"
    )


def _is_whole(path: Path) -> bool:
    """Whether the file is a zip archive whose checksums hold; torch's reader ignores them."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # a damaged archive raises many kinds, depending on where it is damaged
        return False
