"""Weights that come with selflift, each a file and a model card, and what is put into them."""

from __future__ import annotations

import ntpath
import os
import posixpath
from dataclasses import replace
from pathlib import Path
from typing import Any

from selflift.checkpoint import Checkpoint
from selflift.checkpoint.weights import SUFFIX
from selflift.lift.pose_lifter import PoseLifter

FOLDER = Path(__file__).parents[1] / "weights"
# What a training's config says of the machine that it ran on.
OF_THE_MACHINE = ("output_dir", "resume", "root")


def bundled() -> dict[str, Path]:
    """The bundled weights, name -> file."""
    return {path.stem: path for path in sorted(FOLDER.glob(f"*{SUFFIX}"))}


def load(
    name_or_path: str | os.PathLike[str], device: str = "auto", precision: str = "auto"
) -> PoseLifter:
    """See :func:`selflift.load`."""
    given = os.fspath(name_or_path)
    known = bundled()
    if isinstance(name_or_path, str):
        if given in known:
            lifter = PoseLifter.from_checkpoint(known[given], device, precision)
            lifter.name = given
            return lifter
        like_a_path = given.endswith((SUFFIX, ".pt")) or bool({"/", os.sep} & set(given))
        if not like_a_path and not os.path.exists(given):
            raise ValueError(
                f"checkpoint {given[:80]!r}: expected the name of bundled weights "
                f"({', '.join(known) or 'none'}) or the path of a checkpoint or run folder, got "
                "neither; check the spelling, or give a path"
            )
    return PoseLifter.from_checkpoint(given, device, precision)


def portable(content: Checkpoint) -> Checkpoint:
    """A checkpoint for others: without its training state, and without a machine's paths."""
    return replace(content, metadata=_without_paths(content.metadata), state={})


def _without_paths(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in OF_THE_MACHINE and not _is_path(v)}
        return {k: _without_paths(v) for k, v in kept.items()}
    if isinstance(value, list):
        return [_without_paths(v) for v in value if not _is_path(v)]
    return value


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and (
        posixpath.isabs(value) or bool(ntpath.splitdrive(value)[0]) or value.startswith("~")
    )
