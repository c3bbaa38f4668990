"""Which lifter is meant, and what tells two of them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

import selflift
from selflift.lifting import PoseLifter
from selflift.predict.weights import open_lifter, weights_sha256


def test_a_run_folder_or_its_file_is_opened(run_folder: str) -> None:
    by_folder = open_lifter(run_folder, "cpu", "float32")
    by_file = open_lifter(f"{run_folder}/checkpoints/best.pt", "cpu", "float32")
    assert weights_sha256(by_folder) == weights_sha256(by_file)
    assert by_folder.lifter.mirror_average is False
    mirrored = open_lifter(run_folder, "cpu", "float32", mirror_average=True)
    assert mirrored.lifter.mirror_average and mirrored._fast.mirror_average


def test_the_checksum_is_of_the_weights(run_folder: str) -> None:
    lifter = open_lifter(run_folder, "cpu", "float32")
    before = weights_sha256(lifter)
    lifter.lifter.mirror_depth()
    assert weights_sha256(lifter) != before


def test_names_are_asked_of_the_package(
    monkeypatch: pytest.MonkeyPatch, run_folder: str, tmp_path: Path
) -> None:
    asked = []

    def load(name: str) -> PoseLifter:
        asked.append(name)
        return PoseLifter.from_checkpoint(run_folder, "cpu")

    monkeypatch.setattr(selflift, "load", load, raising=False)
    assert open_lifter("cmu17", "cpu", "float32").name == run_folder and asked == ["cmu17"]
    # What is there comes first.
    monkeypatch.chdir(tmp_path)
    open_lifter("run", "cpu", "float32")
    assert asked == ["cmu17"]


def test_without_weights_of_that_name_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selflift, "load", None, raising=False)
    with pytest.raises(ValueError, match="'cmu17': expected a run folder .* checkpoint=RUN_DIR"):
        open_lifter("cmu17", "cpu", "auto")
    with pytest.raises(ValueError, match="no such file"):
        open_lifter("nowhere/best.pt", "cpu", "auto")
