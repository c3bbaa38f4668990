"""Weights: find a checkpoint by name or path, make one portable, and compute its checksum."""

from __future__ import annotations

import hashlib
import ntpath
import os
import posixpath
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from selflift.checkpoint import Checkpoint
from selflift.checkpoint.weights import SUFFIX
from selflift.models import Lifter

FOLDER = Path(__file__).parents[1] / "weights"
# Keys of a training config that describe the machine it ran on.
MACHINE_KEYS = ("output_dir", "resume", "root")


def bundled() -> dict[str, Path]:
    """Return the weights that ship with the package, name -> file; each has a model card."""
    return {path.stem: path for path in sorted(FOLDER.glob(f"*{SUFFIX}"))}


def checkpoint_path(given: str | os.PathLike[str]) -> Path:
    """Resolve bundled names, checkpoint files and run folders (their best checkpoint) to a file.

    A string that names bundled weights takes precedence over a path of that name.

    Raises:
        ValueError: If a folder has no ``checkpoints/best.pt``, or the string is neither a name nor
            a path.
    """
    path, known = Path(given), bundled()
    if isinstance(given, str):
        if given in known:
            return known[given]
        like_a_path = given.endswith((SUFFIX, ".pt")) or bool({"/", os.sep} & set(given))
        if not like_a_path and not path.exists():
            raise ValueError(
                f"checkpoint {given[:80]!r}: expected the name of bundled weights "
                f"({', '.join(known) or 'none'}) or the path of a checkpoint or run folder, got "
                "neither; check the spelling, or give a path"
            )
    if not path.is_dir():
        return path
    best = path / "checkpoints" / "best.pt"
    if not best.is_file():
        raise ValueError(
            f"checkpoint '{given}': expected a run folder with checkpoints/best.pt, got a folder "
            f"without it ('{best}'); name a checkpoint file, or train until the first validation"
        )
    return best


def portable(content: Checkpoint) -> Checkpoint:
    """Return a checkpoint to share: without training state and without a machine's paths."""
    return replace(content, metadata=_without_paths(content.metadata), state={})


def _without_paths(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in MACHINE_KEYS and not _is_path(v)}
        return {k: _without_paths(v) for k, v in kept.items()}
    if isinstance(value, list):
        return [_without_paths(v) for v in value if not _is_path(v)]
    return value


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and (
        posixpath.isabs(value) or bool(ntpath.splitdrive(value)[0]) or value.startswith("~")
    )


def weights_sha256(lifter: Lifter) -> str:
    """Return a checksum of a lifter's weights, independent of the file that held them."""
    digest = hashlib.sha256()
    for name, weight in sorted(lifter.state_dict().items()):
        values = weight.detach().cpu().float().numpy()
        digest.update(f"{name} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values, "<f4").tobytes())
    return digest.hexdigest()
