"""Poses in scratch files train like poses in memory, and take the memory that is promised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from selflift.config import TrainConfig
from selflift.data import pose_set_file
from selflift.data.pose_set import Labels, PoseSet
from selflift.data.rays import rays_of
from selflift.files.scratch import make_array
from selflift.geometry.normalise import Normaliser
from selflift.train import training_data
from selflift.train.trainer import Run

from .test_trainer import complete, files_config, small


def everything(folder: Path, on_disk: bool | None) -> TrainConfig:
    config = small(folder)
    complete(config, "joint")
    config.loss.w_truth = 0.1
    config.trainer.poses_on_disk = on_disk
    return config


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {
        f"{part}.{name}": tensor
        for part, network in run.state.networks.items()
        for name, tensor in network.state_dict().items()
    }


def assert_same_run(one: Run, other: Run) -> None:
    assert one.history == other.history
    expected = weights(one)
    for name, tensor in weights(other).items():
        assert torch.equal(tensor, expected[name]), name


def test_training_from_a_file_is_training_from_memory_bit_for_bit_also_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Run(everything(tmp_path / "memory", False))
    memory.train()
    monkeypatch.setattr(pose_set_file, "BLOCK", 80)
    mapped = []

    def kept(*arguments: object) -> np.ndarray:
        mapped.append(make_array(*arguments))
        return mapped[-1]

    monkeypatch.setattr(training_data, "make_array", kept)
    disk = Run(everything(tmp_path / "disk", True))
    assert mapped and all(isinstance(array, np.memmap) for array in mapped)
    disk.train()
    assert_same_run(memory, disk)
    names = ({p.name.split(".")[0] for p in (tmp_path / n).iterdir()} for n in ("disk", "memory"))
    assert next(names) == next(names)

    Run(everything(tmp_path / "both", True)).train(stop=lambda step: step == 5)
    resumed = Run(everything(tmp_path / "both", None), resume=True)
    assert not any(isinstance(array, np.memmap) for array in mapped[-3:])
    resumed.train()
    assert_same_run(memory, resumed)


@pytest.mark.parametrize("missing", [False, True])
def test_gathered_poses_are_those_of_the_whole_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_pose_set, missing: bool
) -> None:
    poses = make_pose_set(clips=7)
    if missing:
        confidence = np.random.default_rng(0).uniform(0.1, 1, poses.poses_2d.shape[:2])
        confidence[::3, 4] = 0
        poses = replace(poses, confidence=confidence.astype(np.float32))
    config = files_config(tmp_path, poses)
    config.model.lifter.confidences = missing
    monkeypatch.setattr(pose_set_file, "BLOCK", 80)
    run = Run(config)
    rays = rays_of(poses, "rotate")
    expected = Normaliser.fit(rays, poses.skeleton, 10.0, "rotate", "sample")
    assert run.poses.normaliser == expected
    assert torch.equal(run.poses.train.x, expected.apply(rays, poses.skeleton).x)
    if missing:
        assert run.poses.train.confidence is not None
        assert torch.equal(run.poses.train.confidence, torch.from_numpy(poses.confidence))


@pytest.mark.parametrize(
    ("joint", "message"),
    [(0, r"root \('Hip'\).* got 3 of 96 without it"), (5, "complete poses.* got 3 of 96 with mis")],
)
def test_what_poses_lack_is_counted_over_all_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_pose_set, joint: int, message: str
) -> None:
    poses: PoseSet = make_pose_set(clips=4)
    confidence = np.ones(poses.poses_2d.shape[:2], np.float32)
    confidence[[3, 40, 80], joint] = 0
    monkeypatch.setattr(pose_set_file, "BLOCK", 10)
    with pytest.raises(ValueError, match=message):
        Run(files_config(tmp_path, replace(poses, confidence=confidence)))


def test_truth_that_is_asked_for_has_to_be_there(tmp_path: Path, make_pose_set) -> None:
    config = files_config(tmp_path, replace(make_pose_set(), poses_3d=None))
    config.loss.w_truth = 1.0
    with pytest.raises(ValueError, match="w_truth: expected training poses with 3D truth"):
        Run(config)


# In a process of its own: the peak of a process never falls.
PEAK = """
import json, re, sys, threading, time
most = 0
def watch():
    # Mapped pages of scratch files are the system's to take back: only the process's own count.
    global most
    while True:
        text = open("/proc/self/status").read()
        most = max(most, int(re.search(r"RssAnon:\\s+(\\d+)", text)[1]))
        time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
from selflift.config import TrainConfig, from_plain
from selflift.data import pose_set_file
from selflift.train.trainer import Run
pose_set_file.BLOCK = 4096
Run(from_plain(TrainConfig, json.loads(sys.argv[1]), "config")).train()
print(most * 1024)
"""
LARGE, SMALL = 300_000, 3_000
# What is kept of a normalised pose: 17 joints of two float32.
POSE_BYTES = 17 * 2 * 4


def peak(folder: Path, poses: int, on_disk: bool) -> int:
    """Bytes that a training on so many poses held at most."""
    config = small(folder / f"run_{poses}_{on_disk}", steps=4)
    config.data.source, config.data.root, config.data.name = "files", str(folder), str(poses)
    config.trainer.poses_on_disk = on_disk
    config.loss.w_temporal = 1.0
    done = subprocess.run(
        [sys.executable, "-c", PEAK, json.dumps(config, default=vars)],
        capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux tells it")
def test_peak_memory_is_a_small_multiple_of_the_normalised_poses(
    tmp_path: Path, make_pose_set
) -> None:
    base = make_pose_set(clips=10, frames=75)
    for n in (LARGE, SMALL):
        rows = np.arange(n) % len(base)
        labels = {
            name: Labels(getattr(base, name).names, getattr(base, name).index[rows])
            for name in ("subject", "action", "clip", "camera")
        }
        PoseSet(
            base.skeleton, base.poses_2d[rows], frame=np.arange(n), fps=np.full(n, 50, np.float32),
            cameras=base.cameras, **labels,
        ).save(tmp_path / f"{n}_train.h5")  # fmt: skip
        base.save(tmp_path / f"{n}_val.h5")
    without = peak(tmp_path, SMALL, on_disk=False)
    for on_disk, most in ((False, 1.5), (True, 1.0)):
        more = peak(tmp_path, LARGE, on_disk) - without
        assert more / (LARGE * POSE_BYTES) < most, on_disk
