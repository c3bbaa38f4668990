"""A checkpoint as one uses it: the lifter, and how poses are brought to its input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from selflift import checkpoint
from selflift.geometry.normalise import Normaliser
from selflift.models import Lifter


@dataclass(frozen=True)
class Model:
    """A checkpoint, ready to lift.

    Attributes:
        path: The file.
        lifter: The lifter.
        normaliser: What was fitted to its training set.
        metadata: The checkpoint's.
    """

    path: Path
    lifter: Lifter
    normaliser: Normaliser
    metadata: Mapping[str, Any]

    @property
    def step(self) -> int | None:
        """The training step, if the file tells."""
        return self.metadata.get("step")


def load_model(
    given: str | Path, mirror_average: bool | None = None, device: torch.device | str = "cpu"
) -> Model:
    """Read a checkpoint file or a run folder's best.

    Args:
        given: The file or folder.
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


def checkpoint_path(given: str | Path) -> Path:
    """The checkpoint file that is meant: a file as it is, of a run folder its best.

    Raises:
        ValueError: If a folder has no ``checkpoints/best.pt``.
    """
    path = Path(given)
    if not path.is_dir():
        return path
    best = path / "checkpoints" / "best.pt"
    if not best.is_file():
        raise ValueError(
            f"checkpoint '{given}': expected a run folder with checkpoints/best.pt, got a folder "
            f"without it ('{best}'); name a checkpoint file, or train until the first validation"
        )
    return best


def normaliser_of(content: checkpoint.Checkpoint) -> Normaliser:
    """The normaliser that was fitted in training.

    Raises:
        CheckpointError: If the checkpoint has none, or another one.
    """
    try:
        return Normaliser.from_plain(content.metadata["normaliser"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        names = ", ".join(f.name for f in fields(Normaliser))
        raise checkpoint.CheckpointError(
            f"checkpoint '{content.path}': expected a normaliser ({names}) in its metadata, got "
            f"none or another ({error}); use the file as training wrote it"
        ) from error
