"""A run's folder: one run at a time, and no failure to save takes what was there before."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from selflift import checkpoint
from selflift.checkpoint import CheckpointError, previous
from selflift.train import trainer
from selflift.train.trainer import Run
from tests.train.devices import DEVICES
from tests.train.test_trainer import small

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "log_bodies", lambda *arguments: None)


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def step_of(path: Path) -> int:
    return int(checkpoint.load(path).state["step"])


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The folder of a run that stopped at step 8 of 12; the checkpoint before it is of step 4."""
    Run(small(tmp_path / "run")).train(stop=lambda step: step == 8)
    return tmp_path / "run"


def test_the_checkpoint_before_the_last_is_kept(stopped: Path) -> None:
    assert checkpoints(stopped) == ["best.pt", "last.previous.pt", "last.pt"]
    last = stopped / "checkpoints" / "last.pt"
    assert (step_of(previous(last)), step_of(last)) == (4, 8)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "a bit flipped": lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
    "foreign": lambda data: b"not a checkpoint",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_aloud(
    stopped: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Run(small(stopped.parent / "whole"))
    whole.train()
    last = stopped / "checkpoints" / "last.pt"
    last.write_bytes(DAMAGES[damage](last.read_bytes()))
    damaged = last.read_bytes()
    resumed = Run(small(stopped), resume=True)
    assert resumed.state.step == 4
    resumed.train()
    said = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(said) == 1
    assert said[0].startswith(f"selflift: warning: checkpoint '{last}': expected")
    assert said[0].endswith(f"resuming from the one before it, {previous(last)}")
    # Kept, and never taken for the checkpoint before the next.
    assert last.with_name("last.damaged.pt").read_bytes() == damaged
    assert (step_of(previous(last)), step_of(last)) == (8, 12)
    for name, tensor in whole.state.lifter.state_dict().items():
        assert torch.equal(tensor, resumed.state.lifter.state_dict()[name]), name


def test_a_checkpoint_of_another_format_of_torch_is_passed_over(stopped: Path) -> None:
    torch.save({"some": "weights"}, stopped / "checkpoints" / "last.pt")
    assert Run(small(stopped), resume=True).state.step == 4


def test_a_last_checkpoint_that_is_gone_has_one_before_it(
    stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stopped / "checkpoints" / "last.pt").unlink()
    with pytest.raises(ValueError, match="got one that holds a run"):
        Run(small(stopped))
    Run(small(stopped), resume=True).train()
    assert "last.pt': missing; resuming from" in capsys.readouterr().err


def test_two_damaged_checkpoints_are_an_error_and_stay(stopped: Path) -> None:
    for name in ("last.pt", "last.previous.pt"):
        (stopped / "checkpoints" / name).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="got neither .* start the run anew"):
        Run(small(stopped), resume=True)
    assert checkpoints(stopped) == ["best.pt", "last.previous.pt", "last.pt"]


def test_what_can_not_be_used_but_may_be_whole_is_not_passed_over(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selflift.checkpoint.archive.VERSION", 2)
    with pytest.raises(CheckpointError, match="expected format version 2, got 1; install"):
        Run(small(stopped), resume=True)
    monkeypatch.undo()

    def refused(path: Path, mode: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("selflift.checkpoint.archive.open", refused, raising=False)
    with pytest.raises(CheckpointError, match=r"got none \(Permission denied\); change its perm"):
        Run(small(stopped), resume=True)


FAULTS = {errno.ENOSPC: "No space left", errno.EIO: "Input/output", errno.EACCES: "Permission"}


def half_written(error: OSError) -> Callable[..., None]:
    def save(record: object, file: Any) -> None:
        file.write(b"PK\x03\x04 half of it")
        raise error

    return save


class Faults:
    """Makes one of the calls that a save is made of fail, until it is healed."""

    def __init__(self) -> None:
        self._patch = pytest.MonkeyPatch()

    def fail(self, call: str, number: int) -> None:
        error = OSError(number, os.strerror(number))

        def raises(*args: object, **kwargs: object) -> None:
            raise error

        module: Any = {"save": torch, "mkstemp": tempfile}.get(call, os)
        self._patch.setattr(module, call, half_written(error) if call == "save" else raises)

    def heal(self) -> None:
        self._patch.undo()


@pytest.fixture
def faults() -> Iterator[Faults]:
    faults = Faults()
    yield faults
    faults.heal()


@pytest.mark.parametrize("number", FAULTS)
@pytest.mark.parametrize("call", ["mkstemp", "save", "fsync", "replace"])
def test_a_save_that_fails_in_the_midst_of_training_is_said_and_tried_again(
    tmp_path: Path, call: str, number: int, faults: Faults, capsys: pytest.CaptureFixture[str]
) -> None:
    """The saves of steps 4 and 8 fail, that of step 12 does not."""
    folder = tmp_path / "run"
    seen: list[list[str]] = []

    def stop(step: int) -> bool:
        if step == 1:
            faults.fail(call, number)
        if step == 11:
            seen.append(checkpoints(folder) if (folder / "checkpoints").exists() else [])
            faults.heal()
        return False

    run = Run(small(folder))
    run.train(stop)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert FAULTS[number] in said[0] and "saves again at step 8" in said[0]
    assert "saves again at step 12" in said[1]
    # Nothing half written was left, and what was owed was written when it could be.
    assert seen == [[]]
    assert checkpoints(folder) == ["best.pt", "last.pt"]
    assert step_of(folder / "checkpoints" / "last.pt") == 12
    best = checkpoint.load(folder / "checkpoints" / "best.pt")
    assert best.metadata["step"] == run.state.best_step


def test_the_best_checkpoint_is_that_of_its_own_step_however_late_it_is_written(
    tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights are those it had when it was found, not those of the step that writes it."""
    real = trainer.validate

    def run_in(name: str, stop: Callable[[int], bool]) -> dict[str, torch.Tensor]:
        criteria = iter([-9.0, -1.0, -1.0])

        def scored(*arguments: Any) -> Any:
            return replace(real(*arguments), criterion=next(criteria), knee_score=0.5)

        with monkeypatch.context() as patch:
            patch.setattr(trainer, "validate", scored)
            config = small(tmp_path / name)
            config.sign.first_step = 1000
            Run(config).train(stop)
        best = checkpoint.load(tmp_path / name / "checkpoints" / "best.pt")
        assert best.metadata["step"] == 4
        return best.lifter

    def stop(step: int) -> bool:
        if step == 3:
            faults.fail("save", errno.ENOSPC)
        if step == 7:
            faults.heal()
        return False

    expected, got = run_in("whole", lambda step: False), run_in("run", stop)
    for name, tensor in expected.items():
        assert torch.equal(tensor, got[name]), name


def test_a_last_save_that_fails_ends_the_run_and_keeps_the_ones_before(
    tmp_path: Path, faults: Faults
) -> None:
    def stop(step: int) -> bool:
        if step == 9:
            faults.fail("save", errno.ENOSPC)
        return False

    with pytest.raises(CheckpointError, match=r"could not be written \(.*No space left"):
        Run(small(tmp_path / "run")).train(stop)
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    assert (step_of(previous(last)), step_of(last)) == (4, 8)


def test_a_file_system_without_hard_links_keeps_the_previous_one_too(
    tmp_path: Path, faults: Faults
) -> None:
    faults.fail("link", errno.EPERM)
    Run(small(tmp_path / "run")).train()
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    assert (step_of(previous(last)), step_of(last)) == (8, 12)
    assert checkpoints(tmp_path / "run") == ["best.pt", "last.previous.pt", "last.pt"]


# TensorBoard's own thread tells of it, too.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_folder_that_vanishes_is_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"

    def stop(step: int) -> bool:
        if step == 6:
            shutil.rmtree(folder)
        return False

    Run(small(folder)).train(stop)
    assert (
        f"step 8: the folder '{folder}' was gone and has been recreated" in capsys.readouterr().err
    )
    for name in ("config.yaml", "metrics.json", "checkpoints/last.pt", ".lock"):
        assert (folder / name).is_file(), name
    assert list(folder.glob("events.out.tfevents.*"))
    assert Run(small(folder), resume=True).state.step == 12


def test_a_folder_that_another_run_has_taken_meanwhile_is_left_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    other = Run(small(folder))

    def stop(step: int) -> bool:
        if step == 6:
            folder.rename(tmp_path / "moved")
            other.train(stop=lambda step: step == 5)
        return False

    with pytest.raises(ValueError, match="expected a new folder, got one that holds a run"):
        Run(small(folder)).train(stop)
    assert step_of(folder / "checkpoints" / "last.pt") == 5
    assert step_of(tmp_path / "moved" / "checkpoints" / "last.pt") == 4


HOLD = """
import sys, time
from pathlib import Path
from selflift.train.run_folder import RunFolder
with RunFolder(Path(sys.argv[1]), writes=True).locked("", resumes=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_runs_of_one_folder_do_not_meet(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = Run(small(folder))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    before = sorted(folder.iterdir())
    message = rf"that no other run trains in, got one in use by process {holder.pid} on .*; wait"
    with pytest.raises(ValueError, match=message):
        run.train()
    assert sorted(folder.iterdir()) == before
    # Killed, it holds nothing.
    holder.kill()
    holder.communicate()
    assert run.train()["step"] == 12


def test_a_run_that_has_ended_lets_its_folder_go(tmp_path: Path) -> None:
    first = Run(small(tmp_path / "run"))
    first.train(stop=lambda step: step == 4)
    assert Run(small(tmp_path / "run"), resume=True).train()["step"] == 12
    assert first.state.step == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("device", DEVICES)
def test_a_run_killed_again_and_again_ends_as_one_that_was_not(tmp_path: Path, device: str) -> None:
    done = subprocess.run(
        [
            sys.executable, "scripts/kill_and_resume.py", "--kills", "5", "--steps", "20",
            "--folder", str(tmp_path), "--device", device,
        ],
        capture_output=True, text=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed 5 times" in done.stdout and "runs that ended otherwise: 0" in done.stdout


# TensorBoard's own thread tells of it, too.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_tensorboard_that_fails_does_not_end_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: object, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def stop(step: int) -> bool:
        if step == 3:
            written = "tensorboard.summary.writer.record_writer.RecordWriter.write"
            monkeypatch.setattr(written, full)
        return False

    metrics = Run(small(tmp_path / "run")).train(stop)
    assert metrics["step"] == 12
    said = capsys.readouterr().err
    assert said.count("TensorBoard's file") == 1 and "No space left" in said
