"""What a checkpoint holds, and what is raised where it doesn't."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

FORMAT = "selflift.checkpoint"
VERSION = 1


class CheckpointError(ValueError):
    """A checkpoint can't be read or written; the message says what to do."""


class DamagedError(CheckpointError):
    """The file is not one that selflift wrote, or no longer."""


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


def mismatch(content: Checkpoint, what: str, error: Exception) -> CheckpointError:
    """What to raise for weights that don't fit the network which the metadata describe.

    Args:
        content: The file's content.
        what: The network's name.
        error: Why they don't.
    """
    return CheckpointError(
        f"checkpoint '{content.path}': expected the weights of the {what} that its metadata "
        f"describe, got a mismatch ({in_a_line(error, 300)}); use the file as training wrote it"
    )


def unwritten(path: object, error: Exception) -> CheckpointError:
    """What to raise for a file that can't be written."""
    return CheckpointError(
        f"checkpoint '{path}': could not be written ({in_a_line(error)}); an earlier file of that "
        "name is intact; free some space or choose another output_dir"
    )


def in_a_line(error: object, most: int = 200) -> str:
    """What somebody else's error says, in one line of bounded length."""
    return " ".join(str(error).split())[:most]
