"""Inputs of an evaluation: the checkpoint, the data."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from selflift.config import (
    DataConfig,
    EvalConfig,
    EvalDataConfig,
    RigConfig,
    SubjectsConfig,
    SyntheticConfig,
)
from selflift.evaluate import inputs

TRAINED_ON = DataConfig(
    source="cmu", root="there", mirror=False, rig=RigConfig(f_px=900.0),
    synthetic=SyntheticConfig(seed=7),
)  # fmt: skip


def metadata(**changes: object) -> dict[str, object]:
    return {"config": {"data": {**asdict(TRAINED_ON), **changes}}}


@pytest.fixture(autouse=True)
def no_data_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SELFLIFT_DATA", raising=False)


def test_the_checkpoints_own_data_are_used_by_default() -> None:
    assert inputs.resolve_data(EvalConfig(), metadata()) == TRAINED_ON


def test_a_folder_of_another_machine_is_looked_for_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELFLIFT_DATA", "here")
    assert inputs.resolve_data(EvalConfig(), metadata()).root == "here"
    there = inputs.resolve_data(EvalConfig(), metadata(root=str(tmp_path)))
    assert there.root == str(tmp_path)
    told = EvalConfig(data=EvalDataConfig(root="told"))
    assert inputs.resolve_data(told, metadata()).root == "told"


def test_what_the_config_names_replaces_the_checkpoints_data() -> None:
    config = EvalConfig(data=EvalDataConfig(root="here"))
    assert inputs.resolve_data(config, metadata()) == replace(TRAINED_ON, root="here")
    config = EvalConfig(data=EvalDataConfig(source="files", name="h36m"))
    expected = replace(TRAINED_ON, source="files", name="h36m")
    assert inputs.resolve_data(config, metadata()) == expected


def test_noise_can_be_put_on_or_taken_off(tmp_path: Path) -> None:
    noisy = replace(TRAINED_ON.noise, kind="detector", jitter=3.0)
    for trained, asked in (("none", "detector"), ("detector", "none")):
        there = metadata(noise=asdict(replace(noisy, kind=trained)))
        config = EvalConfig(data=EvalDataConfig(noise=asked))
        assert inputs.resolve_data(config, there).noise == replace(noisy, kind=asked)
        assert inputs.resolve_data(EvalConfig(), there).noise.kind == trained


def test_named_subjects_are_those_of_the_split_alone() -> None:
    config = EvalConfig(split="val", data=EvalDataConfig(subjects=["S7"]))
    found = inputs.resolve_data(config, metadata(subjects={"train": ["S1"], "val": ["S8"]}))
    assert found.subjects == SubjectsConfig(train=["S1"], val=["S7"])


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
        inputs.resolve_data(EvalConfig(), metadata(**changes))


def test_a_checkpoint_without_its_data_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the data of its training"):
        inputs.resolve_data(EvalConfig(), {})
