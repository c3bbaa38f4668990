"""A loaded checkpoint, and which file is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from selflift.checkpoint import Checkpoint, CheckpointError
from selflift.lift import PoseLifter
from selflift.lift.bundled_weights import checkpoint_path, weights_sha256
from selflift.lift.loaded_model import normaliser_of


def test_a_run_folder_means_its_best_checkpoint(tmp_path: Path) -> None:
    best = tmp_path / "checkpoints" / "best.pt"
    with pytest.raises(ValueError, match="expected a run folder with checkpoints/best.pt"):
        checkpoint_path(str(tmp_path))
    best.parent.mkdir()
    best.touch()
    assert checkpoint_path(str(tmp_path)) == best
    assert checkpoint_path(best) == best


def test_a_run_folder_or_its_file_is_opened(run_folder: str) -> None:
    by_folder = PoseLifter.from_checkpoint(run_folder, "cpu", "float32")
    by_file = PoseLifter.from_checkpoint(f"{run_folder}/checkpoints/best.pt", "cpu", "float32")
    assert weights_sha256(by_folder.lifter) == weights_sha256(by_file.lifter)
    assert by_folder.lifter.mirror_average is False
    mirrored = PoseLifter.from_checkpoint(run_folder, "cpu", "float32", mirror_average=True)
    assert mirrored.lifter.mirror_average and mirrored._fast.mirror_average
    assert mirrored.metadata["step"] == 7


def test_the_checksum_is_of_the_weights(run_folder: str) -> None:
    lifter = PoseLifter.from_checkpoint(run_folder, "cpu", "float32")
    before = weights_sha256(lifter.lifter)
    lifter.lifter.mirror_depth()
    assert weights_sha256(lifter.lifter) != before


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
