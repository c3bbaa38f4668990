"""One door to all sources."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selflift.config import DataConfig, NoiseConfig, SubjectsConfig, SyntheticConfig
from selflift.data.noise import add_noise
from selflift.data.pose_set import Labels, PoseSet
from selflift.data.source import load_split

SMALL = SyntheticConfig(
    train_subjects=2, val_subjects=1, test_subjects=1, clips_per_subject=2, frames_per_clip=10
)


def test_synthetic_data_need_no_file_and_are_the_same_each_time() -> None:
    config = DataConfig(source="synthetic", root="nowhere", synthetic=SMALL)
    one, other = load_split(config, "val"), load_split(config, "val")
    assert len(one) == 4 * 20
    np.testing.assert_array_equal(one.poses_2d, other.poses_2d)


def test_files_are_read_by_name_and_split(tmp_path: Path, make_pose_set) -> None:
    poses = make_pose_set()
    poses.save(tmp_path / "mine_test.h5")
    loaded = load_split(DataConfig(source="files", root=str(tmp_path), name="mine"), "test")
    np.testing.assert_array_equal(loaded.poses_2d, poses.poses_2d)


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    config = DataConfig(source="files", root=str(tmp_path), name="h36m")
    with pytest.raises(ValueError, match=r"h36m_train.h5': no such file.*data/README.md"):
        load_split(config, "train")


def test_an_empty_split_is_refused(tmp_path: Path, make_pose_set) -> None:
    poses = make_pose_set()
    poses.select(np.zeros(len(poses), bool)).save(tmp_path / "poses_val.h5")
    with pytest.raises(ValueError, match="expected at least one pose, got an empty split"):
        load_split(DataConfig(source="files", root=str(tmp_path)), "val")


def test_an_unknown_source_is_named() -> None:
    config = replace(DataConfig(), source="web")
    with pytest.raises(ValueError, match="expected one of synthetic, cmu, files, got 'web'"):
        load_split(config, "train")


SPLIT = SubjectsConfig(train=["S1"], test=["S9", "S11"])


def one_file(tmp_path: Path, make_pose_set) -> DataConfig:
    """Ten poses of each of three subjects, in runs that interleave."""
    poses = make_pose_set()
    names = np.resize(np.repeat(["S1", "S9", "S11"], 3), len(poses))
    replace(poses, subject=Labels.of(list(names))).save(tmp_path / "h36m.h5")
    return DataConfig(source="files", root=str(tmp_path), name="h36m", subjects=SPLIT)


def test_subjects_of_one_file_make_a_split(tmp_path: Path, make_pose_set) -> None:
    config = one_file(tmp_path, make_pose_set)
    whole = PoseSet.load(tmp_path / "h36m.h5")
    train, test = load_split(config, "train"), load_split(config, "test")
    assert set(train.subject.values) == {"S1"}
    assert set(test.subject.values) == {"S9", "S11"}
    for part, own in ((train, ["S1"]), (test, ["S9", "S11"])):
        kept = np.isin(whole.subject.values.astype(str), own)
        for name in ("poses_2d", "poses_3d", "frame", "fps"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[kept])
        np.testing.assert_array_equal(part.camera.values, whole.camera.values[kept])


def test_a_split_without_subjects_is_a_file_of_its_own(tmp_path: Path, make_pose_set) -> None:
    config = one_file(tmp_path, make_pose_set)
    with pytest.raises(ValueError, match=r"h36m_val.h5': no such file"):
        load_split(config, "val")


def test_a_subject_that_is_not_there_is_named(tmp_path: Path, make_pose_set) -> None:
    config = one_file(tmp_path, make_pose_set)
    config.subjects = SubjectsConfig(test=["S9", "S12"])
    with pytest.raises(
        ValueError, match="expected the subjects S9, S12, got a file of S1, S9, S11"
    ):
        load_split(config, "test")


def test_an_unknown_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one of train, val, test, got 'dev'"):
        load_split(DataConfig(source="files", root=str(tmp_path)), "dev")


def same(one: PoseSet, other: PoseSet) -> None:
    np.testing.assert_array_equal(one.poses_2d, other.poses_2d)
    np.testing.assert_array_equal(one.poses_3d, other.poses_3d)


def write_npz(path: Path, make_clip) -> None:
    clips = [make_clip(name, 4, seed) for seed, name in enumerate(("one", "two"))]

    def each(name: str) -> np.ndarray:
        return np.array([getattr(clip, name) for clip in clips for _ in clip.frame])

    np.savez(
        path,
        positions=np.concatenate([clip.positions for clip in clips]),
        subject=each("subject"), action=each("action"), clip=each("name"), fps=each("fps"),
        frame=np.concatenate([clip.frame for clip in clips]),
    )  # fmt: skip


def test_noise_is_added_to_every_source(tmp_path: Path, make_pose_set, make_clip) -> None:
    make_pose_set().save(tmp_path / "cmu17_test.h5")
    write_npz(tmp_path / "cmu17_test.npz", make_clip)
    noise = NoiseConfig(kind="detector")
    for source in ("synthetic", "cmu", "files"):
        config = DataConfig(source=source, root=str(tmp_path), name="cmu17", synthetic=SMALL)
        clean = load_split(config, "test")
        assert clean.confidence is None
        noisy = load_split(replace(config, noise=noise), "test")
        same(noisy, add_noise(clean, noise))
        assert (noisy.poses_2d != clean.poses_2d).any(-1).all()


def test_a_wrong_noise_is_named_before_anything_is_read(tmp_path: Path) -> None:
    config = DataConfig(source="files", root=str(tmp_path), noise=NoiseConfig(kind="gauss"))
    with pytest.raises(ValueError, match=r"^data.noise.kind: expected one of none, detector, got"):
        load_split(config, "train")


def test_motion_capture_is_named_by_data_name(tmp_path: Path, make_clip) -> None:
    write_npz(tmp_path / "dance_train_CC-BY-NC.npz", make_clip)
    config = DataConfig(source="cmu", root=str(tmp_path), name="dance")
    assert len(load_split(config, "train")) == 2 * 4 * 4
    with pytest.raises(ValueError, match=r"dance_val.npz': no such file; .* data.name"):
        load_split(config, "val")


def test_a_config_from_before_files_had_names_still_means_cmu17(tmp_path: Path, make_clip) -> None:
    write_npz(tmp_path / "cmu17_train.npz", make_clip)
    old = DataConfig(source="cmu", root=str(tmp_path), name="poses")
    same(load_split(old, "train"), load_split(replace(old, name="cmu17"), "train"))
