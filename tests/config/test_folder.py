"""Groups, options and their descriptions are read from the folder of YAML files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from selflift.config import folder
from selflift.config.folder import config_folder, groups


def test_every_option_of_a_group_is_listed_once() -> None:
    for group in groups("train"):
        files = sorted(path.stem for path in (config_folder() / group.name).glob("*.yaml"))
        assert list(group.options) == files and files, group.name


def test_groups_and_defaults_are_those_that_hydra_sees() -> None:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        composed = compose("train", return_hydra_config=True)
    chosen = OmegaConf.to_container(composed.hydra.runtime.choices)
    found = {group.name: group.default for group in groups("train")}
    assert {"data", "experiment", "ablation"} <= set(found)
    assert {name: chosen[name] for name in found} == found


def test_an_option_is_described_by_the_first_sentence_of_its_file() -> None:
    (experiment,) = [group for group in groups("train") if group.name == "experiment"]
    assert experiment.options["h36m"].startswith("Human3.6M: our recommended recipe, never run on")
    assert experiment.options["smoke"].startswith("A few steps on a few bodies")


def test_the_users_own_options_are_listed_too(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# My own. And more.\nseed: 3\n")
    (experiment,) = [g for g in groups("train", [tmp_path]) if g.name == "experiment"]
    assert experiment.options["mine"] == "My own"


def test_a_command_without_groups_has_none() -> None:
    assert groups("eval") == [] == groups("nothing")


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    with pytest.raises(ValueError, match="configs: expected train.yaml in .*reinstall selflift"):
        config_folder()
