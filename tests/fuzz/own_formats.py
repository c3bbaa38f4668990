"""selflift's own files."""

from __future__ import annotations

from pathlib import Path

import torch

from selflift import checkpoint
from selflift.checkpoint import Checkpoint
from tests.fuzz.target import Target


def _write_checkpoint(folder: Path) -> None:
    content = Checkpoint({"step": 1}, {"a": torch.ones(3, 4), "b": torch.zeros(2)}, {"step": 1})
    checkpoint.save(folder / "last.pt", content)


OWN_FORMATS = (
    Target("checkpoint", _write_checkpoint, lambda folder: checkpoint.load(folder / "last.pt")),
)
