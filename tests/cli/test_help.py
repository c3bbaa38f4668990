"""Help texts promise nothing that is not there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from selflift.cli import help, hydra_entry
from selflift.cli.eval_help import USAGE as EVAL
from selflift.cli.help import Usage
from selflift.cli.train_help import USAGE as TRAIN
from selflift.config import EvalConfig, TrainConfig
from selflift.config.folder import config_folder, groups

BOTH = pytest.mark.parametrize(
    ("about", "schema"), [(TRAIN, TrainConfig), (EVAL, EvalConfig)], ids=["train", "eval"]
)


@pytest.fixture(autouse=True)
def called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["selflift train"])


def composes(about: Usage, schema: type, words: list[str]) -> None:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose(about.command, [word for word in words if word != "-m"])
    if OmegaConf.missing_keys(config):
        config.checkpoint = "run"
    hydra_entry.to_schema(config, schema)


@BOTH
def test_what_is_often_set_can_be_set(about: Usage, schema: type) -> None:
    for override in about.overrides:
        composes(about, schema, [override])


@BOTH
def test_examples_compose(about: Usage, schema: type) -> None:
    assert 3 <= len(about.examples) <= 5
    for example in about.examples:
        words = [word.replace("seed=0,1,2", "seed=0") for word in shlex.split(example)]
        composes(about, schema, words)


def test_every_group_and_option_is_shown_and_the_default_marked() -> None:
    text = help.text(TRAIN)
    for group in groups("train"):
        # A line that is too long goes on in the next, further to the right.
        found = re.search(rf"^  {group.name} (.*(?:\n {{10,}}.*)*)", text, re.MULTILINE)
        assert found is not None
        shown = " ".join(found[1].split()).split(", ")
        marked = [f"[{o}]" if o == group.default else o for o in group.options]
        assert shown == marked


def test_lines_fit_a_terminal() -> None:
    for about in (TRAIN, EVAL):
        assert max(map(len, help.text(about).splitlines())) <= 100


def test_the_users_own_experiments_are_shown(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# Nobody else's.\n")
    assert "experiment=mine" not in help.text(TRAIN)
    for words in (["--config-dir", str(tmp_path)], [f"--config-dir={tmp_path}"]):
        assert "experiment=mine         Nobody else's" in help.text(TRAIN, words)


@pytest.mark.parametrize(
    ("called", "own", "other"),
    [
        ("selflift train", "selflift train", "selflift eval"),
        ("python -m selflift train", "python -m selflift train", "python -m selflift eval"),
        ("/x/train/__main__.py", "python -m selflift.train", "python -m selflift.eval"),
    ],
)
def test_commands_are_named_as_they_were_called(
    monkeypatch: pytest.MonkeyPatch, called: str, own: str, other: str
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert help.program("train") == own
    assert help.beside("train", "eval") == other
    assert help.text(TRAIN).startswith(f"usage: {own} ")
