"""The commands of the pages for users are run, word for word, on files made for it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selflift.config import RigConfig, SyntheticConfig
from selflift.data import synthetic
from selflift.data.pose_set import Labels, PoseSet
from selflift.data.rig import film
from selflift.skeleton import H36M_17

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/predict.md", "docs/own-data.md")
SMALL = [
    "model=small", "trainer.steps=20", "trainer.validate_every=20", "trainer.batch_size=32",
    "trainer.validation_poses=64",
]  # fmt: skip

pytestmark = pytest.mark.skipif(
    not all((ROOT / page).is_file() for page in PAGES), reason="an installation without docs/"
)


def shown(page: str, *commands: str) -> list[list[str]]:
    """The words of a page's lines that begin with one of the commands."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = text.replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines if line.startswith("selflift ")]
    return [line[1:] for line in words if line[1] in commands]


def run(folder: Path, words: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", f"selflift.{words[0]}", *words[1:]]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"


@pytest.fixture
def poses() -> PoseSet:
    """Walkers of three names, seen by four cameras each."""
    clips = synthetic.generate(
        "train", SyntheticConfig(train_subjects=3, clips_per_subject=1, frames_per_clip=12)
    )
    found = film(clips, RigConfig(), H36M_17)
    names = np.array(["A", "B", "C"])[found.subject.index]
    return replace(found, subject=Labels.of(names.tolist()))


@pytest.fixture
def folder(tmp_path: Path, poses: PoseSet) -> Path:
    """Somebody's files: OpenPose's folders, AlphaPose's results, an array."""
    one = poses.poses_2d[poses.camera.index == 0].astype(float)
    body = np.zeros((len(one), 25, 3))
    # BODY_25: nose, neck, right arm, left arm, middle hip, right leg, left leg.
    body[:, :15, :2] = one[:, [9, 8, 14, 15, 16, 11, 12, 13, 0, 1, 2, 3, 4, 5, 6]]
    body[:, :15, 2] = 0.8
    for name in ("openpose_folder", "FOLDER"):
        (tmp_path / name).mkdir()
        for frame, joints in enumerate(body):
            person = {"pose_keypoints_2d": joints.ravel().tolist()}
            path = tmp_path / name / f"video_{frame:012d}_keypoints.json"
            path.write_text(json.dumps({"people": [person]}))
    coco = one[:, [9, 9, 9, 9, 9, 11, 14, 12, 15, 13, 16, 4, 1, 5, 2, 6, 3]]
    np.save(tmp_path / "keypoints.npy", coco)
    people = [
        {
            "image_id": f"{frame}.jpg", "category_id": 1, "score": 2.5, "idx": 1,
            "keypoints": np.concatenate([x, np.full((17, 1), 0.9)], 1).ravel().tolist(),
        }
        for frame, x in enumerate(coco)
    ]  # fmt: skip
    (tmp_path / "alphapose-results.json").write_text(json.dumps(people))
    return tmp_path


@pytest.mark.parametrize("page", ["README.md", "docs/predict.md"])
def test_keypoints_are_lifted(folder: Path, page: str) -> None:
    lines = shown(page, "predict")
    assert len(lines) >= 2
    for words in lines:
        run(folder, [*words, "overwrite=true"])
    assert {"walk.npz", "walk.html", "walk.csv", "walk.bvh"} <= {p.name for p in folder.iterdir()}


def test_a_lifter_is_trained_on_ones_own_2d(folder: Path, poses: PoseSet) -> None:
    prepare, train, evaluate, predict = shown(
        "docs/own-data.md", "prepare", "train", "eval", "predict"
    )
    run(folder, prepare)
    assert len(PoseSet.load(folder / "mine.h5")) == 12
    # Three people take part in the rest, and nothing is known of their cameras or their 3D.
    flat = replace(poses, poses_3d=None, cameras=None)
    flat.save(folder / "mine.h5")
    flat.save(folder / "mine_test.h5")
    run(folder, [*train, *SMALL])
    run(folder, [*evaluate, "report=false", "resamples=100"])
    run(folder, predict)
    assert (folder / "lifted.npz").is_file() and (folder / "lifted.html").is_file()
