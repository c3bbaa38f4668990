"""A split that is read part by part is the split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from selflift.config import DataConfig, NoiseConfig, SubjectsConfig
from selflift.data import streamed_set as module
from selflift.data.noise import add_noise
from selflift.data.pose_set import Labels, PoseSet
from selflift.data.source import load_split, open_split
from selflift.data.streamed_set import PoseParts, _joined, parts_of, parts_of_file

from .test_pose_set import assert_same

QUIET = NoiseConfig()
DETECTOR = NoiseConfig(kind="detector")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART", 7)


@pytest.fixture
def poses(make_pose_set) -> PoseSet:
    """16 takes of 6 frames, subjects in runs that interleave, some joints missing."""
    made = make_pose_set(clips=4)
    names = np.resize(np.repeat(["A", "B", "C"], 6), len(made))
    confidence = np.random.default_rng(0).uniform(0.1, 1, made.poses_2d.shape[:2])
    confidence[::5, 3] = 0
    return replace(made, subject=Labels.of(list(names)), confidence=confidence.astype(np.float32))


def whole(parts: PoseParts) -> PoseSet:
    return _joined(list(parts.parts(truth=True)))


@pytest.mark.parametrize("noise", [QUIET, DETECTOR], ids=["exact", "noisy"])
@pytest.mark.parametrize("subjects", [None, ["B"], ["A", "C"]])
def test_parts_make_up_the_split(
    tmp_path: Path, poses: PoseSet, subjects: list[str] | None, noise: NoiseConfig
) -> None:
    poses.save(tmp_path / "set.h5")
    expected = add_noise(PoseSet.load(tmp_path / "set.h5", subjects), noise)
    parts = parts_of_file(tmp_path / "set.h5", subjects, noise)
    lengths = [len(part) for part in parts.parts()]
    assert len(parts) == sum(lengths) == len(expected)
    assert set(lengths[:-1]) == {7} and 7 <= lengths[-1] < 14
    assert_same(whole(parts), expected)
    assert all(part.poses_3d is None for part in parts.parts())
    recorded = parts.recorded()
    for name in ("subject", "clip", "camera"):
        assert np.array_equal(getattr(recorded, name).index, getattr(expected, name).index)
    assert np.array_equal(recorded.frame, expected.frame)
    assert_same(whole(parts_of(expected)), expected)


def test_takes_that_lie_in_pieces_get_the_noise_of_whole_takes(
    tmp_path: Path, poses: PoseSet
) -> None:
    mixed = poses.select(np.random.default_rng(1).permutation(len(poses)))
    mixed.save(tmp_path / "set.h5")
    assert_same(
        whole(parts_of_file(tmp_path / "set.h5", None, DETECTOR)), add_noise(mixed, DETECTOR)
    )


def test_a_selection_is_the_sets_own(tmp_path: Path, poses: PoseSet) -> None:
    poses.save(tmp_path / "set.h5")
    which = np.random.default_rng(2).permutation(len(poses))[:20]
    parts = parts_of_file(tmp_path / "set.h5", None, QUIET)
    assert_same(parts.select(which), poses.select(which))
    assert_same(parts_of(poses).select(which), poses.select(which))


def test_every_source_opens_as_it_loads(tmp_path: Path, poses: PoseSet) -> None:
    poses.save(tmp_path / "poses.h5")
    files = DataConfig(
        source="files", root=str(tmp_path), subjects=SubjectsConfig(train=["A"]), noise=DETECTOR
    )
    synthetic = DataConfig(noise=DETECTOR)
    synthetic.synthetic.train_subjects, synthetic.synthetic.clips_per_subject = 1, 2
    for data in (files, synthetic):
        assert_same(whole(open_split(data, "train")), load_split(data, "train"))


def test_bad_numbers_are_counted_over_the_whole_file(tmp_path: Path, poses: PoseSet) -> None:
    path = tmp_path / "set.h5"
    poses.save(path)
    with h5py.File(path, "r+") as file:
        for row in (11, 40, 41, 90):
            file["poses_2d"][row, 4] = np.nan
    with pytest.raises(ValueError, match="poses_2d, got NaN or Inf in 4 poses .first: pose 11, jo"):
        PoseSet.load(path)
    parts = parts_of_file(path, None, QUIET)
    with pytest.raises(ValueError) as told:
        list(parts.parts())
    with pytest.raises(ValueError) as expected:
        PoseSet.load(path)
    assert str(told.value) == str(expected.value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("frame", r"set.h5': expected frame of shape \(96,\).* got \(50,\)"),
        ("confidence", r"set.h5': expected confidence of shape \(96, 17\)"),
        ("poses_3d", r"set.h5': expected poses_3d of shape \(96, 17, 3\)"),
        (
            "clip/index",
            r"set.h5': expected clip/index between 0 and 3, got 0 to 9; the file is inc",
        ),
        ("subject/names", r"set.h5': expected a pose set .* damaged"),
    ],
)
def test_a_damaged_file_is_refused_before_it_is_read(
    tmp_path: Path, poses: PoseSet, damage: str, message: str
) -> None:
    path = tmp_path / "set.h5"
    poses.save(path)
    with h5py.File(path, "r+") as file:
        if damage == "clip/index":
            file[damage][60] = 9
        else:
            short = file[damage][:50] if damage != "subject/names" else None
            del file[damage]
            if short is not None:
                file[damage] = short
    with pytest.raises(ValueError, match=message):
        parts_of_file(path, None, QUIET)
    with pytest.raises(ValueError, match="no such file"):
        parts_of_file(tmp_path / "none.h5", None, QUIET)
    poses.save(path)
    with pytest.raises(ValueError, match="expected the subjects Z, got a file of A, B, C"):
        parts_of_file(path, ["Z"], QUIET)


def test_a_file_that_is_cut_while_it_is_read_is_named(tmp_path: Path, poses: PoseSet) -> None:
    path = tmp_path / "set.h5"
    poses.save(path)
    parts = parts_of_file(path, None, QUIET)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"set.h5': expected a pose set .* cut short"):
        list(parts.parts())
