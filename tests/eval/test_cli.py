"""What the command finds out before it evaluates: the file, the data, the folder."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from selflift.checkpoint import Checkpoint, CheckpointError
from selflift.config import DataConfig, EvalConfig, EvalDataConfig, RigConfig, SyntheticConfig
from selflift.eval import cli

TRAINED_ON = DataConfig(
    source="cmu", root="there", mirror=False, rig=RigConfig(f_px=900.0),
    synthetic=SyntheticConfig(seed=7),
)  # fmt: skip


def metadata(**changes: object) -> dict[str, object]:
    return {"config": {"data": {**asdict(TRAINED_ON), **changes}}}


def test_a_run_folder_means_its_best_checkpoint(tmp_path: Path) -> None:
    best = tmp_path / "checkpoints" / "best.pt"
    with pytest.raises(ValueError, match="expected a run folder with checkpoints/best.pt"):
        cli.checkpoint_path(str(tmp_path))
    best.parent.mkdir()
    best.touch()
    assert cli.checkpoint_path(str(tmp_path)) == best
    assert cli.checkpoint_path(str(best)) == best


@pytest.mark.parametrize(
    ("path", "given", "expected"),
    [
        ("run/checkpoints/best.pt", None, "run/eval_val"),
        ("models/mine.pt", None, "models/eval_val"),
        ("run/checkpoints/best.pt", "elsewhere", "elsewhere"),
    ],
)
def test_results_go_beside_the_checkpoints(path: str, given: str | None, expected: str) -> None:
    config = EvalConfig(split="val", output_dir=given)
    assert cli._output_folder(config, Path(path)) == Path(expected)


def test_the_checkpoints_own_data_are_used_by_default() -> None:
    assert cli.resolve_data(EvalConfig(), metadata()) == TRAINED_ON


def test_what_the_config_names_replaces_the_checkpoints_data() -> None:
    config = EvalConfig(data=EvalDataConfig(root="here"))
    assert cli.resolve_data(config, metadata()) == replace(TRAINED_ON, root="here")
    config = EvalConfig(data=EvalDataConfig(source="files", name="h36m"))
    expected = replace(TRAINED_ON, source="files", name="h36m")
    assert cli.resolve_data(config, metadata()) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sauce": 1}, "expected data with source, .* got also sauce"),
        ({"rig": {"lens": 1}}, "expected data.rig with cameras, .* got also lens"),
        ({"rig": 3}, "expected data.rig to be a mapping, got 3"),
    ],
)
def test_a_data_config_of_another_shape_is_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        cli.resolve_data(EvalConfig(), metadata(**changes))


def test_a_checkpoint_without_its_data_or_normaliser_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the data of its training"):
        cli.resolve_data(EvalConfig(), {})
    for normaliser in ({}, {"normaliser": {"centre": "rotate"}}):
        with pytest.raises(CheckpointError, match="'x.pt': expected a normaliser"):
            cli._normaliser(Checkpoint(normaliser, {}, path="x.pt"))
