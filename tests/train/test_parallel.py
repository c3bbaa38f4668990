"""Several processes do what one does with the same batch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from selflift import checkpoint, parallel

SMALL = [
    "data.synthetic.train_subjects=3", "data.synthetic.frames_per_clip=20",
    "model.lifter.width=16", "model.lifter.num_blocks=1",
    "model.discriminator.width=16", "model.discriminator.num_blocks=1",
    "trainer.batch_size=32", "trainer.validation_poses=64", "trainer.log_every=2",
    "trainer.progress=false",
]  # fmt: skip


def launch(processes: int, *command: str) -> subprocess.Popen[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node"]
    return subprocess.Popen(
        [*torchrun, str(processes), *command],
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return said


def test_three_processes_do_what_one_does(tmp_path: Path) -> None:
    script = str(Path(__file__).parent / "shared_step.py")
    finish(launch(3, script, str(tmp_path / "three.pt"), "float64"))
    command = [sys.executable, script, str(tmp_path / "one.pt"), "float64"]
    done = subprocess.run(command, timeout=240)
    assert done.returncode == 0
    one, three = (torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in ("one", "three"))
    assert one.keys() == three.keys()
    assert {"lifter", "discriminator", "temporal_discriminator", "adapter"} <= {
        name.split("/")[0] for name in one
    }
    for name, expected in one.items():
        torch.testing.assert_close(
            three[name], expected, rtol=1e-6, atol=1e-8, msg=lambda m, name=name: f"{name}: {m}"
        )


def test_one_of_two_processes_writes_and_the_losses_are_those_of_one(tmp_path: Path) -> None:
    steps = ["trainer.steps=6", "trainer.validate_every=3", "sign.first_step=2", "sign.every=2"]
    options = [*SMALL, *steps]
    said = finish(launch(2, "-m", "selflift.train", *options, f"output_dir={tmp_path / 'two'}"))
    assert said.count("best at step") == 1
    alone = [sys.executable, "-m", "selflift.train", *options, f"output_dir={tmp_path / 'one'}"]
    assert subprocess.run(alone, timeout=240, capture_output=True).returncode == 0
    histories = [
        checkpoint.load(tmp_path / name / "checkpoints" / "last.pt").state["history"]
        for name in ("one", "two")
    ]
    for one, two in zip(*histories, strict=True):
        assert two == pytest.approx(one, rel=0.02, abs=0.02)


def test_a_lost_process_ends_the_run_which_can_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    options = [*SMALL, "trainer.steps=100000", "trainer.validate_every=20"]
    process = launch(2, "-m", "selflift.train", *options, f"output_dir={folder}")
    try:
        last = folder / "checkpoints" / "last.pt"
        deadline = time.monotonic() + 120
        while not last.is_file():
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
            time.sleep(0.1)
        ranks = _children(process.pid)
        assert len(ranks) == 2
        os.kill(ranks[1], signal.SIGKILL)
        said, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "another process of the run has ended" in said, said
    assert f"go on with resume={folder}" in said
    reached = checkpoint.load(last).state["step"]
    assert reached % 20 == 0 and reached > 0
    code = (
        "from pathlib import Path; from selflift.cli.hydra_entry import load_yaml; "
        "from selflift.config import TrainConfig; from selflift.train.trainer import Run; "
        f"config = load_yaml(Path({str(folder)!r}) / 'config.yaml', TrainConfig); "
        "print('reached', Run(config, resume=True).state.step)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert f"reached {reached}" in done.stdout, done.stderr


def _children(pid: int) -> list[int]:
    """The ranks, in the order in which they were started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sorted(int(child) for child in found)


def test_variables_that_make_no_sense_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="expected 0 to WORLD_SIZE - 1, got 2 of 2"):
        parallel.asked()
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ValueError, match="expected whole numbers, as torchrun sets them"):
        parallel.asked()


@pytest.mark.parametrize(("n", "size"), [(10, 3), (2, 4), (0, 2), (8, 2)])
def test_shares_are_all_rows_once(n: int, size: int) -> None:
    rows = [i for rank in range(size) for i in range(n)[parallel.World(rank, size).rows(n)]]
    assert rows == list(range(n))
