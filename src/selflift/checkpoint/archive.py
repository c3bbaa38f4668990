"""Checkpoints of training: zip archives written by ``torch.save``."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import torch

from selflift.atomic import atomic_path
from selflift.checkpoint.content import (
    FORMAT,
    VERSION,
    Checkpoint,
    CheckpointError,
    in_a_line,
    unwritten,
)
from selflift.checkpoint.record import check_archive, check_record
from selflift.untrusted import UntrustedError


def save(path: str | Path, content: Checkpoint) -> None:
    """Write a checkpoint atomically.

    Raises:
        CheckpointError: If it can't be written (a full disk, no permission); an earlier file of
            that name is intact. If the name is that of weights for inference.
    """
    if Path(path).suffix == ".safetensors":
        raise CheckpointError(
            f"checkpoint '{path}': expected a name that ends in .pt, got weights for inference; "
            "use selflift.checkpoint.save_weights"
        )
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
        raise unwritten(path, error) from error


def load(path: Path) -> Checkpoint:
    """Read a file that is there.

    Raises:
        CheckpointError: If it is damaged, foreign or of a newer format.
    """
    if not _is_whole(path):
        raise CheckpointError(
            f"checkpoint '{path}': expected a selflift checkpoint (a zip archive), got a file that "
            "is damaged, cut short or something else; use the run's other one (best.pt, last.pt)"
        )
    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
        check_record(record, path.stat().st_size)
    except Exception as error:  # torch raises many kinds; all mean that the file is not ours
        raise CheckpointError(
            f"checkpoint '{path}': expected a selflift checkpoint, got a file that can't be read "
            f"safely ({type(error).__name__}{_told(error)}); use the run's other one (best.pt, "
            "last.pt)"
        ) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise CheckpointError(
            f"checkpoint '{path}': expected format '{FORMAT}', got another file written by "
            "torch.save; give a checkpoint written by python -m selflift.train"
        )
    if record.get("version") != VERSION:
        raise CheckpointError(
            f"checkpoint '{path}': expected format version {VERSION}, got "
            f"{record.get('version')!r:.40}; install the selflift that wrote it"
        )
    try:
        metadata = json.loads(record["metadata"])
        if not isinstance(metadata, dict):
            raise ValueError(f"metadata: expected an object, got {type(metadata).__name__}")
        return Checkpoint(metadata, dict(record["lifter"]), dict(record["state"]), str(path))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"checkpoint '{path}': expected the entries metadata, lifter and state, got a file "
            f"without a valid {in_a_line(error)}; use the run's other one (best.pt, last.pt)"
        ) from error


def _told(error: Exception) -> str:
    """What is known of a file that was refused here; torch's own messages advise to run it."""
    return f": {error}" if isinstance(error, UntrustedError) else ""


def _is_whole(path: Path) -> bool:
    """Whether the file is a zip archive whose checksums hold; torch's reader ignores them."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive)
            return archive.testzip() is None
    except Exception:  # a damaged archive raises many kinds, depending on where it is damaged
        return False
