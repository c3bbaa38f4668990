"""The commands as a user types them, wrong ones included: one line, exit status 2."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

SRC = Path(__file__).resolve().parents[2] / "src"


def command(folder: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=300,
    )


# Imports what commands need once; each command then runs in a fork of it.
COMMANDS = """
import json, os, runpy, sys, tempfile
import selflift.cli.hydra_entry, selflift.evaluate.run_evaluation, selflift.lift
module, results = sys.argv[1], []
for arguments in json.loads(sys.argv[2]):
    streams = [tempfile.TemporaryFile("w+") for _ in range(2)]
    child = os.fork()
    if child == 0:
        for number, stream in enumerate(streams, 1):
            os.dup2(stream.fileno(), number)
        sys.argv = [module, *arguments]
        sys.argv[0] = f"{module.rpartition('.')[2]}.py"
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        sys.exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for stream in streams:
        stream.seek(0)
    results.append([status, *(stream.read() for stream in streams)])
print(json.dumps(results))
"""


def commands(
    folder: Path, module: str, cases: Sequence[Sequence[str]]
) -> list[subprocess.CompletedProcess]:
    """Run a command with several lists of arguments, as :func:`command` with each of them."""
    if not hasattr(os, "fork"):
        return [command(folder, module, *arguments) for arguments in cases]
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, module, json.dumps([list(case) for case in cases])],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    return [
        subprocess.CompletedProcess(case, status, out, err)
        for case, (status, out, err) in zip(cases, json.loads(done.stdout), strict=True)
    ]


def environment(**extra: str) -> dict[str, str]:
    base = {k: v for k, v in os.environ.items() if k not in ("SELFLIFT_DATA", "HYDRA_FULL_ERROR")}
    return {**base, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1", **extra}


def one_line(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("selflift: error: ")
    return lines[0]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    done = command(folder, "selflift.train", "experiment=smoke", "output_dir=run")
    assert done.returncode == 0, done.stderr
    assert "depth sign settled by: nothing yet (anatomy is asked from step 100 on)" in done.stdout
    assert "chosen without 3D truth" in done.stdout
    return folder


def test_train_writes_the_run_folder_and_nothing_else(run_folder: Path) -> None:
    assert {p.name for p in run_folder.iterdir()} == {"run"}
    assert (run_folder / "run" / "checkpoints" / "best.pt").is_file()


def test_eval_prints_a_table_and_writes_its_files(run_folder: Path, tmp_path: Path) -> None:
    done = command(tmp_path, "selflift.eval", f"checkpoint={run_folder / 'run'}",
                   f"output_dir={tmp_path / 'out'}")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "PA-MPJPE" in done.stdout and "mean over actions" in done.stdout
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    own = metrics["protocols"]["plain"]["checkpoints"]["run"]["metrics"]
    for key in ("pa_mpjpe_mm", "pa_mpjpe_reflected_mm", "n_mpjpe_mm", "mpjpe_mm",
                "flat_pa_mpjpe_mm"):  # fmt: skip
        low, high = own[key]["ci95"]
        assert low <= own[key]["value"] <= high
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "metrics.json", "table.csv", "table.md", "table.tex", "errors.h5", "figures", "report",
    }  # fmt: skip
    assert (tmp_path / "out" / "report" / "index.html").is_file()


# docs/export.md has a test of its own.
DOCS_WITH_PYTHON = [SRC.parent / "docs" / f"{name}.md" for name in ("predict", "training")]


def test_the_pages_python_runs(run_folder: Path, tmp_path: Path) -> None:
    root = SRC.parent
    (tmp_path / "data").mkdir()
    blocks = [
        block
        for page in (root / "README.md", root / "data" / "README.md", *DOCS_WITH_PYTHON)
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    ]
    assert len(blocks) >= 2
    for block in blocks:
        code = block.replace("RUN_DIR", str(run_folder / "run"))
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path,
                              env=environment(), capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "poses_train.h5").is_file()


def test_resume_says_that_nothing_is_left(run_folder: Path) -> None:
    done = command(run_folder, "selflift.train", "resume=run")
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout


def test_resume_refuses_other_overrides(run_folder: Path) -> None:
    line = one_line(command(run_folder, "selflift.train", "resume=run", "seed=3"))
    assert "expected no other overrides" in line and "got seed;" in line


def test_a_used_folder_is_refused(run_folder: Path) -> None:
    line = one_line(command(run_folder, "selflift.train", "experiment=smoke", "output_dir=run"))
    assert "resume=run" in line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["trainer.stepz=3"], "no key 'trainer.stepz'; did you mean trainer.steps"),
        (["w_3d=1"], "did you mean loss.w_3d?"),
        (["trainer.steps=many"], "trainer.steps"),
        (
            ["experiment=nowhere"],
            "no 'experiment/nowhere'; expected one of ablation, cmu, cmu_noisy",
        ),
        (["+loss.w_4d=1"], "config: no key 'loss.w_4d'; did you mean loss.w_3d"),
        (["resume=pyproject.toml"], "expected a run folder, got none"),
        (["trainer.steps=0"], "trainer.steps: expected at least 1, got 0"),
        (["resume=nowhere"], "nowhere"),
        (["experiment=cmu", "data.root=nowhere"], "set data.root"),
        (["experiment=h36m", "data.root=nowhere"], "h36m.h5"),
        (["trainer.steps"], "trainer.steps"),
    ],
)
def test_training_from_bad_input_is_one_line(
    tmp_path: Path, arguments: list[str], expected: str
) -> None:
    assert expected in one_line(command(tmp_path, "selflift.train", *arguments))
    assert not list(tmp_path.iterdir()), "bad input must leave nothing behind"


def test_evaluating_bad_input_is_one_line(run_folder: Path, tmp_path: Path) -> None:
    best = run_folder / "run" / "checkpoints" / "best.pt"
    cut = tmp_path / "cut.pt"
    cut.write_bytes(best.read_bytes()[:2000])
    cases = {
        (): "checkpoint",
        ("checkpoint=nowhere.pt",): "no such file",
        (f"checkpoint={cut}",): "cut short",
        (f"checkpoint={best}", "split=exam"): "got 'exam'",
        (f"checkpoint={best}", f"output_dir={run_folder / 'run'}"): "metrics.json would be lost",
        (f"checkpoint={best}", "data.source=cmu", "data.root=nowhere"): "cmu17_test.npz",
        (f"checkpoint={best}", "protocols=[h36m-p2]"): "expected the subjects S9, S11",
        (f"checkpoint={best}", "protocols=[p3]"): "expected one of plain",
        (f"checkpoint={best}", "poses=a=b.h5"): "goes into quotes twice",
        (f"checkpoint={best}", f"compare=[{best}]", "output_dir=x"): "each one once",
    }
    results = commands(tmp_path, "selflift.eval", list(cases))
    for done, expected in zip(results, cases.values(), strict=True):
        assert expected in one_line(done)
    np.savez(tmp_path / "cmu17_test.npz", positions=np.zeros((3, 16, 3), np.float32),
             subject=["A"] * 3, action=["walk"] * 3, clip=["c"] * 3, fps=[25] * 3,
             frame=[0, 1, 2])  # fmt: skip
    arguments = (f"checkpoint={best}", "data.source=cmu", f"data.root={tmp_path}")
    assert "(3, 16, 3)" in one_line(command(tmp_path, "selflift.eval", *arguments))


def test_a_damaged_experiment_of_the_users_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    experiment = tmp_path / "mine" / "experiment" / "bad.yaml"
    experiment.write_text("# @package _global_\ntrainer: [1, ")
    arguments = ("--config-dir", "mine", "experiment=bad")
    assert "expected YAML" in one_line(command(tmp_path, "selflift.train", *arguments))
    experiment.write_text("# @package _global_\ntrainer:\n  stepz: 3\n")
    assert "did you mean trainer.steps" in one_line(command(tmp_path, "selflift.train", *arguments))


def test_each_job_of_a_sweep_has_its_own_folder(tmp_path: Path) -> None:
    done = command(tmp_path, "selflift.train", "-m", "experiment=smoke", "trainer.steps=2",
                   "seed=0,1", "output_dir=sweep")  # fmt: skip
    assert done.returncode == 0, done.stderr
    for job in "01":
        assert (tmp_path / "sweep" / job / "checkpoints" / "best.pt").is_file()


def test_the_composed_config_is_shown_without_running(tmp_path: Path) -> None:
    done = command(tmp_path, "selflift.train", "experiment=h36m", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    assert "name: h36m" in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_line_and_keeps_earlier_files(tmp_path: Path) -> None:
    # A file where the run folder should be stands for any place that can't be written.
    (tmp_path / "taken").write_text("mine")
    done = command(tmp_path, "selflift.train", "experiment=smoke", "output_dir=taken/run")
    assert "taken" in one_line(done)
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_signal_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "selflift.train", "experiment=smoke", "output_dir=run",
         "trainer.steps=100000", "trainer.validate_every=100000"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    for _ in range(600):
        if (tmp_path / "run" / "config.yaml").exists():
            break
        time.sleep(0.1)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "go on with resume=run" in out
    assert (tmp_path / "run" / "checkpoints" / "last.pt").is_file()


AUTO = ("selflift.train", "experiment=smoke", "resume=auto", "trainer.progress=false")


def test_one_command_begins_a_run_and_goes_on_with_it(tmp_path: Path) -> None:
    """As a job of a cluster that is stopped and started again has it."""
    job = (*AUTO, "output_dir=run", "trainer.validate_every=5")
    process = subprocess.Popen(
        [sys.executable, "-m", *job], cwd=tmp_path, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    for _ in range(1200):
        if last.exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert last.exists()
    done = command(tmp_path, *job)
    assert done.returncode == 0, done.stderr
    assert "best at step" in done.stdout
    again = command(tmp_path, *job)
    assert again.returncode == 0 and "nothing to do: the run in run has reached" in again.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
    # The same command with another number is not the same run.
    line = one_line(command(tmp_path, *job, "seed=7"))
    assert "expected the config that the run in 'run' began with, got seed=7 (there: 0)" in line


def test_going_on_by_itself_needs_a_folder(tmp_path: Path) -> None:
    assert "resume=auto: expected output_dir=RUN_DIR" in one_line(command(tmp_path, *AUTO))
