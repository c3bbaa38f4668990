"""Help texts promise nothing that is not there; mistyped arguments are answered with a remedy."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from omegaconf import OmegaConf

from selflift.cli import eval, help, hydra_entry, train
from selflift.cli.help import FLAGS, VALUED, mistake
from selflift.config import EvalConfig, TrainConfig
from selflift.config.folder import config_folder, groups

BOTH = pytest.mark.parametrize(
    ("command", "schema"), [(train, TrainConfig), (eval, EvalConfig)], ids=["train", "eval"]
)
KEYS = ["seed", "input", "trainer.steps", "domain.steps", "trainer.batch_size", "loss.w_3d", "loss"]
OPTIONS = {"experiment": ["cmu", "h36m", "smoke"], "data": ["cmu", "files"]}


@pytest.fixture(autouse=True)
def called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["selflift train"])


def composes(command: ModuleType, schema: type, words: list[str]) -> None:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose(command.__name__.split(".")[-1], [word for word in words if word != "-m"])
    if OmegaConf.missing_keys(config):
        config.checkpoint = "run"
    hydra_entry.to_schema(config, schema)


@BOTH
def test_what_is_often_set_can_be_set(command: ModuleType, schema: type) -> None:
    often = command.usage().split("Often set:")[1].split("Examples:")[0]
    overrides = re.findall(r"^  (\S+=\S+)", often, re.MULTILINE)
    assert len(overrides) > 10
    for override in overrides:
        composes(command, schema, [override])


@BOTH
def test_examples_compose(command: ModuleType, schema: type) -> None:
    shown = command.usage().split("Examples:")[1].split("More:")[0]
    examples = re.findall(r"^  selflift train(.*)", shown, re.MULTILINE)
    assert 3 <= len(examples) <= 5
    for example in examples:
        words = [word.replace("seed=0,1,2", "seed=0") for word in shlex.split(example)]
        composes(command, schema, words)


def test_every_group_and_option_is_shown_and_the_default_marked() -> None:
    text = train.usage()
    for group in groups("train"):
        # A line that is too long goes on in the next, further to the right.
        found = re.search(rf"^  {group.name} (.*(?:\n {{10,}}.*)*)", text, re.MULTILINE)
        assert found is not None
        shown = " ".join(found[1].split()).split(", ")
        marked = [f"[{o}]" if o == group.default else o for o in group.options]
        assert shown == marked


def test_lines_fit_a_terminal() -> None:
    for command in (train, eval):
        assert max(map(len, command.usage().splitlines())) <= 100


def test_the_users_own_experiments_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# Nobody else's.\n")
    assert "experiment=mine" not in train.usage()
    for words in (["--config-dir", str(tmp_path)], [f"--config-dir={tmp_path}"]):
        monkeypatch.setattr(sys, "argv", ["selflift train", *words])
        assert "experiment=mine         Nobody else's" in train.usage()


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
    assert train.usage().startswith(f"usage: {own} ")


def said(*words: str, required: tuple[str, ...] = ()) -> str | None:
    return mistake(words, KEYS, OPTIONS, required)


@pytest.mark.parametrize(
    ("words", "got", "remedy"),
    [
        (["--seed", "3"], "--seed 3", "seed=3"),
        (["--seed=3"], "--seed=3", "seed=3"),
        (["-seed", "3"], "-seed 3", "seed=3"),
        (["seed", "3"], "seed 3", "seed=3"),
        (["seed", "=", "3"], "seed = 3", "seed=3"),
        (["seed=", "3"], "seed= 3", "seed=3"),
        (["loss.w_3d", "-1"], "loss.w_3d -1", "loss.w_3d=-1"),
        (["experiment=smoke", "--batch-size", "8"], "--batch-size 8", "trainer.batch_size=8"),
        (["--steps", "5"], "--steps 5", "trainer.steps=5 or domain.steps=5"),
        (["trainer.steps"], "trainer.steps", "trainer.steps=VALUE"),
        (["--sead", "3"], "--sead 3", "seed=3"),
        (["smoke"], "smoke", "experiment=smoke"),
        (["-m", "cmu"], "cmu", "experiment=cmu or data=cmu"),
        (["experiment", "cmu"], "experiment cmu", "experiment=cmu"),
    ],
)
def test_a_key_without_its_sign_is_answered_with_it(
    words: list[str], got: str, remedy: str
) -> None:
    assert said(*words) == f"command line: expected KEY=VALUE, got '{got}'; write {remedy}"


def test_an_unknown_word_is_answered_with_where_to_look() -> None:
    expected = "command line: expected KEY=VALUE, got 'gibberish'; --help shows what can be set"
    assert said("gibberish") == expected


def test_a_path_is_taken_for_the_value_that_is_missing() -> None:
    for path in ("outputs/run", "best.pt", "./a b"):
        assert (said(path, required=("checkpoint",)) or "").endswith(f"; write checkpoint={path}")


@pytest.mark.parametrize(
    "words",
    [
        ["seed=3", "trainer.steps=5"],
        ["-m", "seed=0,1"],
        ["--cfg", "job"],
        ["--cfg=job", "seed=3"],
        ["--config-dir", "smoke", "experiment=mine"],
        ["--info", "defaults"],
        ["-sc", "install=bash"],
        ["+loss.w_4d=1", "++seed=3", "~experiment", "data@domain.data=cmu"],
        ["hydra/launcher=joblib", "seed="],
        ['input="a b"', "unread]"],
    ],
)
def test_what_hydra_understands_is_left_to_it(words: list[str]) -> None:
    assert said(*words) is None


def test_flags_are_those_of_the_hydra_that_is_installed() -> None:
    actions = [action for action in get_args_parser()._actions if action.option_strings]
    valued = {flag for a in actions if a.nargs != 0 for flag in a.option_strings}
    plain = {flag for a in actions if a.nargs == 0 for flag in a.option_strings}
    assert valued == VALUED
    assert plain == FLAGS
