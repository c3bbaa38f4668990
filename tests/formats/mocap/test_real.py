"""Real CMU files against the ``cmu17`` arrays, which were made from the same recordings.

Those arrays have the trunk rebuilt with constant lengths, from the hips up; so legs are compared
relative to the hips, arms to the shoulders, the head to the neck.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from selflift.config import RigConfig
from selflift.config.prepare_schema import MocapOptions
from selflift.data.recording import Report
from selflift.formats.mocap import open_mocap, recognise
from selflift.formats.mocap.importer import resample
from selflift.formats.mocap.motion_files import find_files
from selflift.formats.mocap.world_motion import choose_frame, open_sources, read_bodies
from selflift.geometry.anatomy import knee_score
from selflift.skeleton import H36M_17

DATA = Path(os.environ.get("SELFLIFT_DATA") or Path(__file__).parents[4] / "shared" / "data")
RAW = DATA / "samples" / "raw_mocap"
pytestmark = pytest.mark.skipif(
    not RAW.is_dir(), reason="set SELFLIFT_DATA to the folder that holds samples/raw_mocap"
)
INDEX = {name: j for j, name in enumerate(H36M_17.joints)}
# Joints that the trunk's rebuilding moved only together with the first.
RIGID = (
    ("Hip", "RHip", "RKnee", "RFoot", "LHip", "LKnee", "LFoot"),
    ("LShoulder", "LElbow", "LWrist"),
    ("RShoulder", "RElbow", "RWrist"),
    ("Thorax", "LShoulder", "RShoulder"),
    ("Nose", "Head"),
)


def world(name: str, fps: float | None = 50.0, skip: int = 0) -> np.ndarray:
    """The bodies of a sample, ``(F, 17, 3)``, without what was put before the motion."""
    (source,) = open_sources(find_files(RAW / name, None, Report()), {})
    X, t_pose = read_bodies(source)
    frame = choose_frame(source.file.path, X, "auto", "auto", source.length)
    assert (frame.unit, frame.up) == ("cmu", "y")
    assert t_pose == (name in ("02_01.bvh", "49_04.bvh"))
    X = frame.to_world(X[t_pose + skip :])
    return X if fps is None else resample(X, 120.0, fps)


def published(clip: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    path = DATA / f"cmu17_{split}.npz"
    if not path.is_file():
        pytest.skip(f"set SELFLIFT_DATA to the folder that holds cmu17_{split}.npz")
    with np.load(path) as file:
        rows = file["clip"] == clip
        return file["positions"][rows].astype(float), file["frame"][rows]


@pytest.mark.parametrize(
    ("name", "clip", "split", "skip"),
    [
        ("02_01.amc", "CMU002_01", "test", 0),
        ("02_01.bvh", "CMU002_01", "test", 0),
        ("49_20.amc", "CMU049_20", "train", 0),
        ("49_04.bvh", "CMU049_04", "train", 0),
        # The arrays left out this file's first frame, which is no T-pose.
        ("131_01_3dsmax_names.bvh", "CMU131_01", "val", 1),
    ],
)
def test_rigid_parts_agree_to_half_a_millimetre(
    name: str, clip: str, split: str, skip: int
) -> None:
    truth, frame = published(clip, split)
    assert len(truth) > 40
    X = world(name, skip=skip)[frame]
    assert 1000 * np.linalg.norm(X[:, 0] - truth[:, 0], axis=-1).max() < 0.5
    for first, *rest in RIGID:
        a, others = INDEX[first], [INDEX[joint] for joint in rest]
        error = (X[:, others] - X[:, a, None]) - (truth[:, others] - truth[:, a, None])
        assert 1000 * np.linalg.norm(error, axis=-1).max() < 0.5, (first, rest)


@pytest.mark.parametrize(
    ("name", "clip", "split", "median_mm"),
    [("02_01.amc", "CMU002_01", "test", 2), ("49_20.amc", "CMU049_20", "train", 5)],
)
def test_the_rest_of_the_trunk_agrees_but_for_its_rebuilding(
    name: str, clip: str, split: str, median_mm: float
) -> None:
    """The data's own sheet: joints moved by 1.6 mm on average, 20 mm at most in single frames."""
    truth, frame = published(clip, split)
    error = 1000 * np.linalg.norm(world(name)[frame] - truth, axis=-1)
    assert np.median(error, axis=0).max() < median_mm
    assert error.max() < 20


def test_asf_and_bvh_of_one_trial_agree_below_the_thorax_that_the_bvh_has_lost() -> None:
    asf, bvh = world("02_01.amc", None), world("02_01.bvh", None)
    assert asf.shape == bvh.shape == (343, 17, 3)
    error = 1000 * np.linalg.norm(asf - bvh, axis=-1)
    assert error[:, :8].max() < 0.01
    # The lost bone is 2.06807 units of CMU's long.
    assert error[:, 8:] == pytest.approx(1000 * 2.06807 * 0.0564444, abs=0.05)


@pytest.mark.parametrize("path", sorted(RAW.glob("*.[ab][mv][ch]")), ids=lambda path: path.name)
def test_knees_bend_forward_and_limbs_keep_their_length(path: Path) -> None:
    raw, X = world(path.name, None), world(path.name)
    assert knee_score(torch.from_numpy(X), H36M_17) > 0.5
    for parent, child in H36M_17.bones:
        if H36M_17.joints[parent] in ("Hip", "Thorax", "Spine"):
            continue
        before = np.linalg.norm(raw[:, child] - raw[:, parent], axis=-1)
        after = np.linalg.norm(X[:, child] - X[:, parent], axis=-1)
        assert 1000 * np.ptp(before) < 0.01
        assert 1000 * np.abs(after - before[0]).max() < 1


def test_the_folder_of_samples_becomes_four_clips() -> None:
    assert recognise(RAW)
    recordings = open_mocap(RAW, MocapOptions(), RigConfig())
    takes = list(recordings.takes)
    counts = {take.clip: len(take) for take in takes}
    assert counts == {"02_01": 143, "131_01_3dsmax_names": 414, "49_04": 105, "49_20": 374}
    assert {take.subject for take in takes} == {"02", "131", "49"}
    assert recordings.report.dropped == {"T-pose before the motion": 4}
    notes = "\n".join(recordings.report.notes)
    assert (
        "the thorax was lost" in notes and "2 files (131_01_3dsmax_names.bvh, 49_04.bvh)" in notes
    )
    assert "BVH left out" in notes and "1 file (02_01.bvh)" in notes
    assert recordings.settings["unit"] == "cmu (0.0564444 m)"
