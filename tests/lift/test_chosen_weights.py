"""Which lifter is meant, and what tells two of them apart."""

from __future__ import annotations

import pytest

from selflift.lift.chosen_weights import open_lifter, weights_sha256


def test_a_run_folder_or_its_file_is_opened(run_folder: str) -> None:
    by_folder = open_lifter(run_folder, "cpu", "float32")
    by_file = open_lifter(f"{run_folder}/checkpoints/best.pt", "cpu", "float32")
    assert weights_sha256(by_folder) == weights_sha256(by_file)
    assert by_folder.lifter.mirror_average is False
    mirrored = open_lifter(run_folder, "cpu", "float32", mirror_average=True)
    assert mirrored.lifter.mirror_average and mirrored._fast.mirror_average
    assert mirrored.metadata["step"] == 7


def test_the_checksum_is_of_the_weights(run_folder: str) -> None:
    lifter = open_lifter(run_folder, "cpu", "float32")
    before = weights_sha256(lifter)
    lifter.lifter.mirror_depth()
    assert weights_sha256(lifter) != before


def test_names_are_those_of_the_weights_that_come_along() -> None:
    lifter = open_lifter("cmu17", "cpu", "float32")
    assert lifter.name == "cmu17" and lifter.lifter.confidences


def test_an_unknown_name_is_answered_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="cmu17"):
        open_lifter("cmu71", "cpu", "auto")
    with pytest.raises(ValueError, match="no such file"):
        open_lifter("nowhere/best.pt", "cpu", "auto")
