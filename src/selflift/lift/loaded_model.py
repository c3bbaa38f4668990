"""A loaded checkpoint: the lifter, and the normaliser that its inputs need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from selflift import checkpoint
from selflift.geometry.normalise import Normaliser
from selflift.lift.bundled_weights import checkpoint_path
from selflift.models import Lifter


@dataclass(frozen=True)
class Model:
    """A checkpoint, ready to lift.

    Attributes:
        path: The file.
        lifter: The lifter.
        normaliser: The normaliser that was fitted to its training set.
        metadata: The checkpoint's.
    """

    path: Path
    lifter: Lifter
    normaliser: Normaliser
    metadata: Mapping[str, Any]

    @property
    def step(self) -> int | None:
        """The training step, if the file has it."""
        return self.metadata.get("step")


def load_model(
    given: str | PathLike[str],
    mirror_average: bool | None = None,
    device: torch.device | str = "cpu",
) -> Model:
    """Load bundled weights by name, a checkpoint file, or a run folder's best checkpoint.

    Args:
        given: The name, file or folder.
        mirror_average: Whether to average each pose with its mirror image; ``None``: as trained.
        device: Where the lifter runs.

    Raises:
        ValueError: If it is missing or unusable.
    """
    path = checkpoint_path(given)
    content = checkpoint.load(path)
    lifter = Lifter.from_content(content, device)
    if mirror_average is not None:
        lifter.mirror_average = mirror_average
    return Model(path, lifter, normaliser_of(content), content.metadata)


def normaliser_of(content: checkpoint.Checkpoint) -> Normaliser:
    """Read the fitted normaliser from a checkpoint's metadata.

    Raises:
        CheckpointError: If it is missing or invalid.
    """
    try:
        return Normaliser.from_plain(content.metadata["normaliser"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        names = ", ".join(f.name for f in fields(Normaliser))
        raise checkpoint.CheckpointError(
            f"checkpoint '{content.path}': expected a normaliser ({names}) in its metadata, got "
            f"none or another ({error}); use the file as training wrote it"
        ) from error
