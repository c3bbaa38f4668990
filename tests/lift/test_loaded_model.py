"""A checkpoint as one uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from selflift.checkpoint import Checkpoint, CheckpointError
from selflift.lift.loaded_model import checkpoint_path, normaliser_of


def test_a_run_folder_means_its_best_checkpoint(tmp_path: Path) -> None:
    best = tmp_path / "checkpoints" / "best.pt"
    with pytest.raises(ValueError, match="expected a run folder with checkpoints/best.pt"):
        checkpoint_path(str(tmp_path))
    best.parent.mkdir()
    best.touch()
    assert checkpoint_path(str(tmp_path)) == best
    assert checkpoint_path(best) == best


def test_a_checkpoint_without_its_normaliser_is_refused() -> None:
    for normaliser in ({}, {"normaliser": {"centre": "rotate"}}):
        with pytest.raises(CheckpointError, match="'x.pt': expected a normaliser"):
            normaliser_of(Checkpoint(normaliser, {}, path="x.pt"))


@pytest.mark.parametrize("number", [10**400, -1, float("nan"), float("inf"), "1", None])
def test_a_normaliser_of_numbers_that_are_none_is_refused(number: object) -> None:
    stored = {"centre": "rotate", "scale": "sample", "factor": 1.0, "size": 0.06, "shares": []}
    assert normaliser_of(Checkpoint({"normaliser": stored}, {})).size == 0.06
    for name, value in (("factor", number), ("size", number), ("shares", [number])):
        with pytest.raises(CheckpointError, match="'x.pt': expected a normaliser"):
            normaliser_of(Checkpoint({"normaliser": {**stored, name: value}}, {}, path="x.pt"))
