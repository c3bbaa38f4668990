"""The command `selflift`: what it answers, how fast, in which shell, and what Ctrl-C leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import selflift
from selflift.cli import main
from tests.cli.test_hydra_entry import SRC, command, environment

HEAVY = {"torch", "numpy", "matplotlib", "scipy", "tensorboard", "h5py", "hydra", "omegaconf"}
# Runs a command and says which of some packages it imported.
WATCHED = """
import sys
from selflift.cli.main import main
sys.argv = ["selflift", *{words!r}]
try:
    main()
finally:
    print("\\nimported:", *sorted({heavy!r} & set(sys.modules)), file=sys.stderr)
"""


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment(),
                          capture_output=True, text=True, timeout=120)  # fmt: skip


@pytest.fixture
def say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Call `selflift` with some words: exit status, standard output, standard error."""
    monkeypatch.setattr(main, "leave_at_once", lambda: None)

    def say(*words: str, called: str = "/usr/bin/selflift") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [called, *words])
        status = 0
        try:
            main.main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        return status, *capsys.readouterr()

    return say


def test_help_names_every_command(say: Callable[..., tuple[int, str, str]]) -> None:
    for words in (["--help"], ["-h"], ["help"]):
        status, out, _ = say(*words)
        assert status == 0 and out.startswith("usage: selflift COMMAND")
        assert all(f"\n  {command} " in out for command in ("train", "eval", "predict", "prepare"))
    assert say() == (2, out, "")
    _, out, _ = say("--help", called="/src/selflift/__main__.py")
    assert out.startswith("usage: python -m selflift COMMAND")


def test_the_version_is_the_packages(say: Callable[..., tuple[int, str, str]]) -> None:
    assert say("--version") == (0, f"selflift {selflift.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["trian"], "no command 'trian'; did you mean selflift train?"),
        (["evaluate"], "no command 'evaluate'; did you mean selflift eval?"),
        (["lunch"], "no command 'lunch'; expected one of prepare, train, eval, predict"),
        (
            ["experiment=cmu", "seed=1"],
            "no command 'experiment=cmu'; the command comes first: selflift train experiment=cmu "
            "seed=1",
        ),
    ],
)
def test_a_mistyped_command_is_one_line_with_the_nearest(
    say: Callable[..., tuple[int, str, str]], words: list[str], line: str
) -> None:
    assert say(*words) == (2, "", f"selflift: error: {line}\n")


def test_a_command_gets_its_own_arguments_and_name(
    say: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from selflift.cli import train as door

    seen: list[str] = []
    monkeypatch.setattr(door, "main", lambda: seen.extend(sys.argv))
    assert say("train", "seed=1", "-m")[0] == 0
    assert seen == ["selflift train", "seed=1", "-m"]
    seen.clear()
    say("help", "train", called="/src/selflift/__main__.py")
    assert seen == ["python -m selflift train", "--help"]


@pytest.mark.parametrize("words", [["--help"], ["trian"], ["train", "--help"], ["eval", "-h"]])
def test_help_and_dispatch_import_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    done = python(WATCHED.format(words=words, heavy=HEAVY), tmp_path)
    assert done.stderr.splitlines()[-1] == "imported:", done.stderr


@pytest.mark.parametrize("words", [["train", "seed", "3"], ["eval", "chekpoint=run"]])
def test_a_mistyped_key_is_answered_before_pytorch_is_imported(
    tmp_path: Path, words: list[str]
) -> None:
    done = python(WATCHED.format(words=words, heavy=HEAVY), tmp_path)
    assert done.returncode == 2 and "selflift: error: " in done.stderr
    assert done.stderr.splitlines()[-1] == "imported: hydra omegaconf", done.stderr


def test_training_imports_no_matplotlib_before_its_first_picture(tmp_path: Path) -> None:
    code = "import sys, selflift.train.trainer as t; print('matplotlib' in sys.modules, t.Run)"
    assert python(code, tmp_path).stdout.startswith("False ")


def test_modules_called_as_programs_answer_too(tmp_path: Path) -> None:
    for module, first in (
        ("selflift", "usage: python -m selflift COMMAND"),
        ("selflift.train", "usage: python -m selflift.train [KEY=VALUE ...] [GROUP=OPTION ...]"),
        ("selflift.eval", "usage: python -m selflift.eval [KEY=VALUE ...]"),
        ("selflift.prepare", "usage: python -m selflift.prepare [SOURCE] input=PATH"),
    ):
        done = command(tmp_path, module, "--help")
        assert done.returncode == 0 and done.stdout.startswith(first), done.stderr


@pytest.mark.parametrize("module", ["selflift", "selflift.train", "selflift.predict"])
def test_a_reader_may_leave_before_the_end_of_a_help_text(tmp_path: Path, module: str) -> None:
    # Nobody reads this pipe at all.
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", module, "--help"], cwd=tmp_path,
                          env=environment(), stdout=writing, stderr=subprocess.PIPE)  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A folder with the program `selflift`, as an installation would make it."""
    program = tmp_path / "bin" / "selflift"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom selflift.cli.main import main\nmain()\n")
    program.chmod(0o755)
    return program.parent


# Bash sets these variables when the Tab key is pressed, calls the function that the installed
# script names, and offers what it leaves in COMPREPLY.
PRESS_TAB = """
eval "$(selflift -sc install=bash)"
rule=($(complete -p selflift)); function=""
for ((i = 0; i < ${#rule[@]}; i++)); do [ "${rule[i]}" = -F ] && function=${rule[i + 1]}; done
for line in "$@"; do
    COMP_LINE=$line COMP_POINT=${#line} words=($line) COMP_CWORD=$((${#words[@]} - 1))
    [ "${line: -1}" = " " ] && COMP_CWORD=${#words[@]}
    COMPREPLY=(); $function selflift; echo "${COMPREPLY[*]}"
done
"""


def test_bash_completes_commands_groups_options_and_keys(script: Path, tmp_path: Path) -> None:
    expected = {
        "selflift ": "prepare train eval predict",
        "selflift tr": "train",
        "selflift train experiment=h3": "experiment=h36m experiment=h36m_paper",
        "selflift train experiment=h36m trainer.st": "trainer.steps=",
        "selflift eval checkp": "checkpoint=",
        "selflift train nonsense=1 trainer.st": "",
    }
    done = subprocess.run(
        ["bash", "-c", PRESS_TAB, "bash", *expected], cwd=tmp_path, text=True, timeout=120,
        env=environment(PATH=f"{script}:{os.environ['PATH']}"), capture_output=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert dict(zip(expected, done.stdout.splitlines(), strict=True)) == expected


def test_the_script_for_the_shell_is_the_same_whoever_prints_it(tmp_path: Path) -> None:
    scripts = set()
    for words in (["selflift"], ["selflift", "train"], ["selflift.train"]):
        scripts.add(command(tmp_path, *words, "-sc", "install=bash").stdout)
    (only,) = scripts
    assert only.rstrip().endswith(" selflift")


class Interrupted:
    """A process that is sent SIGINT as soon as it has said a word."""

    def __init__(self, folder: Path, *command: str, **extra: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=environment(**extra), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            # Whoever runs the tests in the background ignores it, and so would their children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    def at(self, *words: str) -> tuple[int, str, str]:
        assert self.process.stdout is not None
        for word in words:
            while (line := self.process.stdout.readline()).strip() != word:
                assert line, self.process.communicate()[1]
            self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


LINE = "selflift: interrupted\n"
RUN = ["experiment=smoke", "trainer.steps=100000", "trainer.progress=false", "output_dir=run"]
# A training that says where it is, and waits there.
HOOKED = """
import sys, time
sys.argv = ["selflift train", *{run!r}]
from selflift.cli.interrupt import leave_at_once
leave_at_once()
from selflift.train import trainer
def hook(owner, name, wait):
    before = getattr(owner, name)
    def hooked(*arguments, **named):
        print(name, flush=True)
        time.sleep(wait)
        return before(*arguments, **named)
    setattr(owner, name, hooked)
{hooks}
from selflift.cli.train import main
main()
"""


@pytest.mark.parametrize("module", ["selflift.train", "selflift.eval", "selflift.prepare"])
def test_ctrl_c_during_imports_is_one_line(tmp_path: Path, module: str) -> None:
    # Stands for any large library: in the midst of its import, exceptions are dropped.
    slow = "import time\nprint('importing', flush=True)\ntry:\n    time.sleep(60)\n"
    for name in ("torch", "numpy"):
        (tmp_path / f"{name}.py").write_text(f"{slow}except KeyboardInterrupt:\n    pass\n")
    words = {"selflift.train": RUN, "selflift.eval": ["checkpoint=run"]}.get(module, ["input=x"])
    process = Interrupted(tmp_path, "-m", module, *words, PYTHONPATH=f"{tmp_path}:{SRC}")
    assert process.at("importing") == (130, "", LINE)


def test_ctrl_c_while_data_are_loaded_is_one_line(tmp_path: Path) -> None:
    hooked = HOOKED.format(run=RUN, hooks="hook(trainer, 'load_poses', 60)")
    assert Interrupted(tmp_path, "-c", hooked).at("load_poses") == (130, "", LINE)
    assert not list(tmp_path.iterdir()), "nothing may be left behind"


def test_ctrl_c_in_training_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    hooked = HOOKED.format(run=RUN, hooks="hook(trainer.Run, '_settle_sign', 0)")
    status, out, err = Interrupted(tmp_path, "-c", hooked).at("_settle_sign")
    assert (status, err) == (130, "")
    assert out.splitlines()[-1].endswith("and saved; go on with resume=run")
    assert (tmp_path / "run" / "checkpoints" / "last.pt").is_file()


def test_a_second_ctrl_c_does_not_wait_for_saving(tmp_path: Path) -> None:
    hooks = "hook(trainer.Run, '_settle_sign', 0); hook(trainer.Run, '_save', 60)"
    process = Interrupted(tmp_path, "-c", HOOKED.format(run=RUN, hooks=hooks))
    status, _, err = process.at("_settle_sign", "_save")
    assert (status, err) == (130, LINE)
