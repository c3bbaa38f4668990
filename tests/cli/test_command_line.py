"""What is written as for other programs is answered with how to write it here."""

from __future__ import annotations

import pytest
from hydra._internal.utils import get_args_parser

from selflift.cli.command_line import FLAGS, VALUED, asks_for_completion, mistake

KEYS = ["seed", "input", "trainer.steps", "domain.steps", "trainer.batch_size", "loss.w_3d", "loss"]
OPTIONS = {"experiment": ["cmu", "h36m", "smoke"], "data": ["cmu", "files"]}


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
    assert (said("outputs/run", required=("checkpoint",)) or "").endswith(
        "write checkpoint=outputs/run"
    )


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


def test_a_shells_question_is_known() -> None:
    assert asks_for_completion(["-sc", "query=bash"])
    assert not asks_for_completion(["seed=3"])
