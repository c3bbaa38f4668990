"""The command as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from selflift.cli import predict
from selflift.config import PredictConfig
from selflift.lift.keypoint_input import NAMES
from tests.cli.test_hydra_entry import command, commands, one_line
from tests.lift.conftest import walkers


def test_a_prediction_is_told_and_written(
    run_folder: str, save_input: Callable[..., str], tmp_path: Path
) -> None:
    x = walkers(2)
    x[4, 1] = np.nan
    x[6, 0, 16] = np.nan
    done = command(
        tmp_path, "selflift.predict", f"input={save_input(x)}", f"checkpoint={run_folder}",
        "output=[out/a.npz,out/a.csv]", "render=out/a.png",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for told in ("walk.npz: arrays, layout h36m_17", "assumed: the focal length is not known",
                 "assumed: everybody is 1.7 m tall", "smoothing: Gaussian of 0.06 s",
                 "person1      12", "all          23", "23 poses in", "out/a.npz"):  # fmt: skip
        assert told in done.stdout, done.stdout
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.csv", "a.npz", "a.png"]
    again = command(tmp_path, "selflift.predict", f"input={tmp_path / 'walk.npz'}",
                    f"checkpoint={run_folder}", "output=out/a.npz")  # fmt: skip
    assert "is there already" in one_line(again)


def test_mistakes_are_one_line_and_leave_nothing(
    run_folder: str, save_input: Callable[..., str], tmp_path: Path
) -> None:
    given = (f"input={save_input(walkers(1))}", f"checkpoint={run_folder}")
    full = (*given, "output=new/a.npz")
    cases = {
        ("walk.npz", "output=a.npz"): "expected KEY=VALUE, got 'walk.npz'; write input=walk.npz",
        ("output=a.npz",): "expected a value for input",
        given: "output: expected a file to write, got none",
        (given[0], "output=new/a.npz", "checkpoint=nobody"): "checkpoint 'nobody': expected",
        (*full, "smoth=1"): "no key 'smoth'; did you mean smooth",
        (*full, "smooth=much"): "smooth",
        (*full, "keypoints.layout=octopus"): "keypoints.layout",
        (*full, "device=tpu"): "device: expected auto, cpu or cuda, got 'tpu'",
        (*full, "precision=int8"): "precision: expected one of",
        (*full, "camera.f_px=[1,2,3]"): "camera.f_px: expected 2",
    }
    before = {p.name for p in tmp_path.iterdir()}
    *results, alone = commands(tmp_path, "selflift.predict", [*cases, ()])
    for done, expected in zip(results, cases.values(), strict=True):
        assert expected in one_line(done)
    assert alone.returncode == 2 and alone.stdout.startswith("usage: ")
    assert {p.name for p in tmp_path.iterdir()} == before


def test_help_names_every_format() -> None:
    text = predict.usage()
    for word in (*NAMES, ".npz", ".h5", ".json", ".csv", ".bvh", ".html", ".gif", "smooth=0"):
        assert word in text
    assert all(len(line) <= 110 for line in text.splitlines())


def test_ctrl_c_leaves_nothing(
    run_folder: str, save_input: Callable[..., str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("selflift.lift.outputs.render", interrupted)
    monkeypatch.setattr(predict, "Signals", lambda: type("S", (), {"check": lambda self: None})())
    config = PredictConfig(
        input=save_input(walkers(1)), checkpoint=run_folder, progress=False,
        output=str(tmp_path / "new" / "a.npz"), render=str(tmp_path / "new" / "a.png"),
    )  # fmt: skip
    before = set(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        predict.predict(config)
    assert set(tmp_path.iterdir()) == before


def test_a_full_disk_is_one_line(
    run_folder: str, save_input: Callable[..., str], tmp_path: Path
) -> None:
    pytest.importorskip("resource", reason="a limit on the size of files stands for a full disk")
    source = save_input(walkers(1))
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); "
        "sys.argv[0] = 'predict'; from selflift.cli.predict import main; main()"
    )
    for name in ("a.npz", "a.h5", "a.json", "a.csv", "a.png"):
        key = "render" if name == "a.png" else "output"
        done = subprocess.run(
            [sys.executable, "-c", code, f"input={source}", f"checkpoint={run_folder}",
             f"{key}=new/{name}"],
            cwd=tmp_path, capture_output=True, text=True, timeout=300,
            env={**os.environ, "PYTHONPATH": str(Path(predict.__file__).parents[2])},
        )  # fmt: skip
        assert f"new/{name}" in one_line(done)
        assert not (tmp_path / "new").exists()
