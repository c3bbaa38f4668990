"""Checkpoints of training: zip archives written by ``torch.save``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from selflift.checkpoint.content import (
    FORMAT,
    VERSION,
    Checkpoint,
    CheckpointError,
    DamagedError,
    check_archive,
    check_record,
    in_a_line,
    unwritten,
)
from selflift.files.atomic_write import atomic_path
from selflift.files.untrusted import UntrustedError


def save(path: str | Path, content: Checkpoint, keep: bool = False) -> None:
    """Write a checkpoint atomically.

    Args:
        path: A name that ends in ``.pt``.
        content: What to write.
        keep: Whether the file that has this name now is kept beside it, as :func:`previous`. At
            every moment one of the two is whole.

    Raises:
        CheckpointError: If it can't be written (a full disk, no permission); earlier files are
            intact. If the name is that of weights for inference.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        raise CheckpointError(
            f"checkpoint '{path}': expected a name that ends in .pt, got weights for inference; "
            "use selflift.checkpoint.save_weights"
        )
    record: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "metadata": json.dumps(content.metadata),
        "lifter": {k: v.detach().cpu() for k, v in content.lifter.items()},
        "state": content.state,
    }
    record["sha256"] = digest([record[name] for name in DIGESTED])
    try:
        with atomic_path(path) as temporary:
            with open(temporary, "wb") as file:
                torch.save(record, file)
            if keep and path.exists():
                _keep(path, previous(path))
    except (OSError, RuntimeError) as error:
        # torch reports a failed write as a RuntimeError of its zip writer.
        raise unwritten(path, error) from error


def previous(path: Path) -> Path:
    """Return where the one before ``path`` is kept: ``last.previous.pt`` for ``last.pt``."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def _keep(path: Path, place: Path) -> None:
    """Give a file a second name, so that it outlives its replacement."""
    link = place.with_name(f".{place.name}.tmp")
    link.unlink(missing_ok=True)
    try:
        os.link(path, link)
    except OSError:
        # A file system without hard links: a copy does as well, and takes longer.
        with atomic_path(place) as temporary:
            shutil.copyfile(path, temporary)
        return
    os.replace(link, place)
    # Where both were names of one file already, renaming does nothing.
    link.unlink(missing_ok=True)


# Covered by the checksum, in this order.
DIGESTED = ("metadata", "lifter", "state")


def load(path: Path) -> Checkpoint:
    """Read a file that is there.

    Raises:
        DamagedError: If it is corrupt, cut short or foreign.
        CheckpointError: If it may not be read, or is of a newer format.
    """
    try:
        with open(path, "rb"):
            pass
    except PermissionError as error:
        raise CheckpointError(
            f"checkpoint '{path}': expected a file that may be read, got none ({error.strerror}); "
            "change its permissions"
        ) from error
    except OSError as error:
        raise _damaged(path, f"a file that can't be read ({error.strerror})") from error
    if not _is_whole(path):
        raise _damaged(
            path,
            "a file that is corrupt, cut short or something else",
            "selflift checkpoint (a zip archive)",
        )
    try:
        with warnings.catch_warnings():
            # PyTorch 2.15 warns of the time that a sparse tensor takes, which is refused anyway.
            warnings.filterwarnings("ignore", "Validating sparse tensor", UserWarning)
            record = torch.load(path, map_location="cpu", weights_only=True)
        check_record(record, path.stat().st_size)
    except Exception as error:  # torch raises many kinds; all mean that the file is not ours
        raise _damaged(
            path, f"a file that can't be read safely ({type(error).__name__}{_reason(error)})"
        ) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise DamagedError(
            f"checkpoint '{path}': expected format '{FORMAT}', got another file written by "
            "torch.save; give a checkpoint written by python -m selflift.train"
        )
    if record.get("version") != VERSION:
        raise CheckpointError(
            f"checkpoint '{path}': expected format version {VERSION}, got "
            f"{in_a_line(repr(record.get('version')), 40)}; install the selflift that wrote it"
        )
    try:
        # Files written before there was a checksum have none.
        if "sha256" in record and record["sha256"] != digest([record[k] for k in DIGESTED]):
            raise _damaged(path, "a file whose checksum differs from its content's")
        metadata = json.loads(record["metadata"])
        if not isinstance(metadata, dict):
            raise TypeError(f"metadata: expected an object, got {type(metadata).__name__}")
        return Checkpoint(metadata, dict(record["lifter"]), dict(record["state"]), str(path))
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, RecursionError) as error:
        raise DamagedError(
            f"checkpoint '{path}': expected the entries metadata, lifter and state, got a file "
            f"without a valid {in_a_line(error)}; use the run's other one (best.pt, last.pt)"
        ) from error


def load_newest(path: Path) -> tuple[Checkpoint, list[str]]:
    """Read a checkpoint, or the one that was kept beside it if it is corrupt, foreign or gone.

    Returns:
        The checkpoint, whose ``path`` says which it is, and why the one before was passed over: a
        line, or none.

    Raises:
        CheckpointError: If neither can be used; or if the first may not be read or is of a newer
            format, so that passing over it might lose what it holds.
    """
    refused: list[str] = []
    for candidate in (path, previous(path)):
        if candidate.is_file():
            try:
                return load(candidate), refused
            except DamagedError as error:
                refused.append(str(error))
    if not refused:
        raise CheckpointError(f"checkpoint '{path}': no such file, and none kept beside it")
    raise CheckpointError(
        f"checkpoint '{path}': expected it, or the one kept beside it, to be whole, got neither "
        f"({refused[-1]}); start the run anew, with another output_dir"
    )


def digest(value: Any) -> str:
    """Return the SHA-256 of nested plain values and tensors, in hexadecimal.

    Raises:
        TypeError: If there is something else among them.
    """
    found = hashlib.sha256()

    def take(value: Any) -> None:
        if isinstance(value, Tensor):
            found.update(f"\n{value.dtype} {list(value.shape)}\n".encode())
            flat = value.detach().cpu().contiguous().reshape(-1)
            found.update(flat.view(torch.uint8).numpy().data)
        elif isinstance(value, dict):
            found.update(f"\ndict {len(value)}\n".encode())
            for key, kept in value.items():
                take(key)
                take(kept)
        elif isinstance(value, (list, tuple)):
            found.update(f"\nlist {len(value)}\n".encode())
            for kept in value:
                take(kept)
        elif value is None or isinstance(value, (bool, int, float, str)):
            found.update(f"\n{value!r}\n".encode(errors="surrogatepass"))
        else:
            raise TypeError(f"value of a plain type: {type(value).__name__}")

    take(value)
    return found.hexdigest()


def _reason(error: Exception) -> str:
    """Return the reason of our own checks; torch's messages advise to run the file."""
    return f": {error}" if isinstance(error, UntrustedError) else ""


def _is_whole(path: Path) -> bool:
    """Return whether it is a zip archive whose checksums hold; torch's reader ignores them."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive)
            return archive.testzip() is None
    except Exception:  # a corrupt archive raises many kinds, depending on the place
        return False


def _damaged(path: Path, got: str, expected: str = "selflift checkpoint") -> DamagedError:
    return DamagedError(
        f"checkpoint '{path}': expected a {expected}, got {got}; use the run's other one "
        "(best.pt, last.pt)"
    )
