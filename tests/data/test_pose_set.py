"""Pose sets and their file format."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from selflift.data import pose_set_file
from selflift.data.pose_set import LABELS, Labels, PoseSet
from selflift.data.pose_set_file import FORMAT
from selflift.skeleton import H36M_17

DATASETS = ["poses_2d", "poses_3d", "confidence", "frame", "fps"]
CAMERA_COLUMNS = ["f_px", "c_px", "radial", "tangential", "size_px", "rotation", "centre_mm"]


def with_confidence(poses: PoseSet) -> PoseSet:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.1, 1, poses.poses_2d.shape[:2]).astype(np.float32)
    return dataclasses.replace(poses, confidence=confidence)


def assert_same(a: PoseSet, b: PoseSet) -> None:
    assert a.skeleton == b.skeleton
    for name in DATASETS:
        left, right = getattr(a, name), getattr(b, name)
        if left is None:
            assert right is None, name
        else:
            assert left.dtype == right.dtype, name
            np.testing.assert_array_equal(left, right, err_msg=name)
    for name in LABELS:
        assert getattr(a, name).names == getattr(b, name).names, name
        np.testing.assert_array_equal(getattr(a, name).index, getattr(b, name).index)
    assert (a.cameras is None) == (b.cameras is None)
    for column in CAMERA_COLUMNS if a.cameras is not None else ():
        left, right = getattr(a.cameras, column), getattr(b.cameras, column)
        assert (left is None) == (right is None), column
        if left is not None:
            assert left.dtype == right.dtype, column
            np.testing.assert_array_equal(left, right, err_msg=column)


@pytest.fixture
def poses(make_pose_set: Callable) -> PoseSet:
    return with_confidence(make_pose_set())


@pytest.fixture
def path(poses: PoseSet, tmp_path: Path) -> Path:
    """A good file."""
    poses.save(tmp_path / "train.h5")
    return tmp_path / "train.h5"


@pytest.mark.parametrize(
    "left_out",
    [{}, {"poses_3d": None}, {"confidence": None}, {"cameras": None},
     {"poses_3d": None, "confidence": None, "cameras": None}],
    ids=lambda d: "without " + ", ".join(d) if d else "all",
)  # fmt: skip
def test_load_returns_what_was_saved(poses: PoseSet, tmp_path: Path, left_out: dict) -> None:
    expected = dataclasses.replace(poses, **left_out)
    expected.save(tmp_path / "new" / "train.h5")
    assert_same(PoseSet.load(tmp_path / "new" / "train.h5"), expected)


def test_cameras_without_a_place_survive(poses: PoseSet, tmp_path: Path) -> None:
    cameras = dataclasses.replace(poses.cameras, rotation=None, centre_mm=None)
    expected = dataclasses.replace(poses, cameras=cameras)
    expected.save(tmp_path / "train.h5")
    assert_same(PoseSet.load(tmp_path / "train.h5"), expected)


def test_names_survive_in_any_script(poses: PoseSet, tmp_path: Path) -> None:
    clip = dataclasses.replace(poses.clip, names=("Größe 1/ä", "歩く"))
    expected = dataclasses.replace(poses, clip=clip)
    expected.save(tmp_path / "train.h5")
    assert PoseSet.load(tmp_path / "train.h5").clip.names == ("Größe 1/ä", "歩く")


def test_another_layout_survives(tmp_path: Path, poses: PoseSet) -> None:
    stick = dataclasses.replace(H36M_17, name="stick", legs=())
    dataclasses.replace(poses, skeleton=stick).save(tmp_path / "train.h5")
    assert PoseSet.load(tmp_path / "train.h5").skeleton == stick


def test_an_empty_set_survives(poses: PoseSet, tmp_path: Path) -> None:
    empty = poses.select(np.zeros(len(poses), bool))
    empty.save(tmp_path / "none.h5")
    again = PoseSet.load(tmp_path / "none.h5")
    assert len(again) == 0
    assert_same(again, empty)


def test_the_file_is_the_documented_one(path: Path, poses: PoseSet) -> None:
    n = len(poses)
    with h5py.File(path) as file:
        assert dict(file.attrs) | {"skeleton": None} == {
            "format": "selflift.poses", "version": 1, "skeleton": None,
            "unit_2d": "px", "unit_3d": "mm", "frame_3d": "camera",
        }  # fmt: skip
        assert json.loads(file.attrs["skeleton"])["name"] == "h36m_17"
        shapes = {"poses_2d": (n, 17, 2), "poses_3d": (n, 17, 3), "confidence": (n, 17)}
        for name, shape in shapes.items():
            assert file[name].shape == shape
            assert file[name].dtype == np.float32
            assert file[name].compression == "gzip" and file[name].shuffle
        assert (file["frame"].dtype, file["fps"].dtype) == (np.int64, np.float32)
        for name in LABELS:
            assert file[f"{name}/index"].dtype == np.int32
            names = tuple(file[f"{name}/names"].asstr()[()])
            assert names == getattr(poses, name).names
        assert set(file["cameras"]) == set(CAMERA_COLUMNS)


def test_a_save_that_fails_keeps_the_earlier_file(path: Path, poses: PoseSet) -> None:
    before = path.read_bytes()
    broken = poses.select(np.arange(3))
    object.__setattr__(broken, "fps", np.array([object()] * 3))
    with pytest.raises(TypeError):
        broken.save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_labels_name_every_pose_once() -> None:
    labels = Labels.of(["b", "a", "b", "b", "c"])
    assert labels.names == ("b", "a", "c")
    assert labels.index.tolist() == [0, 1, 0, 0, 2]
    assert labels.index.dtype == np.int32
    assert labels.values.tolist() == ["b", "a", "b", "b", "c"]
    assert labels[np.array([4, 1])].values.tolist() == ["c", "a"]


@pytest.mark.parametrize("kind", ["mask", "index"])
def test_select_takes_the_same_poses_from_every_field(poses: PoseSet, kind: str) -> None:
    rows = np.array([3, 5, 20, 40])
    which = rows if kind == "index" else np.isin(np.arange(len(poses)), rows)
    chosen = poses.select(which)
    assert len(chosen) == 4
    for i, row in enumerate(rows):
        for name in DATASETS:
            np.testing.assert_array_equal(getattr(chosen, name)[i], getattr(poses, name)[row])
        for name in LABELS:
            assert getattr(chosen, name).values[i] == getattr(poses, name).values[row]
    assert chosen.cameras is poses.cameras


def test_select_keeps_what_is_not_there_absent(poses: PoseSet) -> None:
    chosen = dataclasses.replace(poses, poses_3d=None, confidence=None).select(np.arange(2))
    assert chosen.poses_3d is None and chosen.confidence is None


def test_intrinsics_are_those_of_each_poses_camera(poses: PoseSet) -> None:
    count = len(poses.camera.names)
    table = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    cameras = dataclasses.replace(poses.cameras, f_px=table, c_px=100 + table)
    intrinsics = cameras.intrinsics(np.array([2, 0, 2]))
    assert torch.equal(intrinsics.f_px, torch.tensor([[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]))
    assert torch.equal(intrinsics.c_px, 100 + intrinsics.f_px)
    assert intrinsics.radial.shape == (3, 3) and intrinsics.tangential.shape == (3, 2)


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("poses_2d", (48, 16, 2), r"poses_2d of shape \(48, 17, 2\) .*'h36m_17'.* \(48, 16, 2\)"),
        ("poses_3d", (48, 16, 3), r"poses_3d of shape \(48, 17, 3\) .* got \(48, 16, 3\)"),
        ("poses_3d", (48, 17, 2), "poses_3d of shape"),
        ("poses_3d", (47, 17, 3), "poses_3d of shape"),
        ("confidence", (48, 17, 1), "confidence of shape"),
        ("frame", (47,), "frame of shape"),
        ("fps", (), "fps of shape"),
    ],
)
def test_a_wrong_shape_is_refused(poses: PoseSet, name: str, wrong: tuple, words: str) -> None:
    assert len(poses) == 48
    with pytest.raises(ValueError, match=f"poses: expected {words}"):
        dataclasses.replace(poses, **{name: np.zeros(wrong, getattr(poses, name).dtype)})


@pytest.mark.parametrize("name", ["poses_2d", "poses_3d", "confidence"])
def test_whole_numbers_are_refused(poses: PoseSet, name: str) -> None:
    shape = (len(poses), 17, *{"poses_2d": (2,), "poses_3d": (3,)}.get(name, ()))
    with pytest.raises(ValueError, match=f"expected {name} of floats, got int64; convert it with"):
        dataclasses.replace(poses, **{name: np.ones(shape, np.int64)})


def test_a_wrong_joint_count_in_a_file_names_file_and_remedy(path: Path) -> None:
    with h5py.File(path, "a") as file:
        wrong = file["poses_2d"][:, :16]
        del file["poses_2d"]
        file["poses_2d"] = wrong
    with pytest.raises(ValueError, match=r"train.h5': expected poses_2d of shape .*; convert the"):
        PoseSet.load(path)


@pytest.mark.parametrize("name", ["poses_2d", "poses_3d"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(path: Path, name: str, value: float) -> None:
    with h5py.File(path, "a") as file:
        file[name][7, 3, 1] = value
        file[name][9, 0, 0] = value
    words = f"train.h5': expected finite {name}, got NaN or Inf in 2 poses .first: pose 7, joint RF"
    with pytest.raises(ValueError, match=words):
        PoseSet.load(path)


def test_a_missing_joint_may_hold_anything(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["poses_2d"][7, 3] = np.nan
        file["confidence"][7, 3] = 0
    assert np.isnan(PoseSet.load(path).poses_2d[7, 3]).all()


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("value", [-1, 1000])
def test_an_index_out_of_range_is_refused(path: Path, name: str, value: int) -> None:
    with h5py.File(path, "a") as file:
        file[f"{name}/index"][5] = value
    with pytest.raises(ValueError, match=f"train.h5': expected {name}/index between 0 .*{value}"):
        PoseSet.load(path)


def test_an_index_of_fractions_is_refused(path: Path) -> None:
    with h5py.File(path, "a") as file:
        index = file["camera/index"][()].astype(np.float32)
        del file["camera/index"]
        file["camera/index"] = index
    with pytest.raises(ValueError, match="train.h5': expected camera/index of integers"):
        PoseSet.load(path)


@pytest.mark.parametrize("column", CAMERA_COLUMNS)
def test_a_row_of_cameras_too_few_is_refused(path: Path, column: str) -> None:
    with h5py.File(path, "a") as file:
        rows = file[f"cameras/{column}"][:-1]
        del file[f"cameras/{column}"]
        file[f"cameras/{column}"] = rows
    with pytest.raises(ValueError, match=f"train.h5': expected cameras/{column} of shape .8, "):
        PoseSet.load(path)


@pytest.mark.parametrize("column", ["f_px", "c_px", "radial", "tangential", "size_px"])
def test_a_missing_column_of_cameras_is_refused(path: Path, column: str) -> None:
    with h5py.File(path, "a") as file:
        del file[f"cameras/{column}"]
    with pytest.raises(ValueError, match=f"train.h5': .*damaged.*{column}"):
        PoseSet.load(path)


@pytest.mark.parametrize("name", ["poses_2d", "frame", "fps", "clip", "camera/names"])
def test_a_missing_dataset_is_refused(path: Path, name: str) -> None:
    with h5py.File(path, "a") as file:
        del file[name]
    with pytest.raises(ValueError, match="train.h5': expected a pose set .*write it again"):
        PoseSet.load(path)


def test_a_group_where_a_dataset_should_be_is_refused(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["fps"]
        file.create_group("fps")
    with pytest.raises(ValueError, match="train.h5': .*'fps' is not a dataset"):
        PoseSet.load(path)


@pytest.mark.parametrize("text", ["{broken", "3", "{}", '{"name": "x"}'])
def test_a_broken_skeleton_is_refused(path: Path, text: str) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["skeleton"] = text
    with pytest.raises(ValueError, match="train.h5': expected a pose set"):
        PoseSet.load(path)


def test_a_foreign_file_is_refused(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["poses"] = np.zeros(3)
    with pytest.raises(ValueError, match=f"train.h5': expected an HDF5 file of format '{FORMAT}'"):
        PoseSet.load(path)


def test_another_version_is_refused(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["version"] = 2
    with pytest.raises(ValueError, match="train.h5': expected format version 1, got 2; install"):
        PoseSet.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none.h5': no such file; expected a pose set"):
        PoseSet.load(tmp_path / "none.h5")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="train.h5': expected a pose set .*damaged, cut short or"):
        PoseSet.load(path)


def test_damage_anywhere_raises_nothing_but_a_value_error(path: Path) -> None:
    whole = path.read_bytes()
    refused = 0
    for at in np.random.default_rng(0).integers(len(whole), size=150):
        damaged = bytearray(whole)
        damaged[at : at + 8] = b"\xff" * len(damaged[at : at + 8])
        path.write_bytes(damaged)
        try:
            PoseSet.load(path)
        except ValueError as error:
            assert "train.h5" in str(error)
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    ("name", "value"), [("unit_2d", "mm"), ("unit_3d", "m"), ("frame_3d", "world")]
)
def test_other_units_and_frames_are_refused(
    tmp_path: Path, make_pose_set, name: str, value: str
) -> None:
    path = tmp_path / "poses.h5"
    make_pose_set().save(path)
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value
    with pytest.raises(ValueError, match=f"poses.h5': expected {name} = .*, got '{value}'"):
        PoseSet.load(path)


@pytest.mark.parametrize("value", [0.0, float("nan"), -1145.0])
def test_impossible_focal_lengths_are_refused(make_pose_set, value: float) -> None:
    poses = make_pose_set()
    f_px = poses.cameras.f_px.copy()
    f_px[1, 0] = value
    with pytest.raises(ValueError, match="expected cameras/f_px above 0, got"):
        dataclasses.replace(poses, cameras=dataclasses.replace(poses.cameras, f_px=f_px))


def test_what_the_file_does_not_hold_itself_is_refused(path: Path) -> None:
    with h5py.File(path.parent / "other.h5", "w") as other, h5py.File(path) as file:
        file.copy("fps", other)
    for name in ("fps", "subject/index", "cameras/f_px"):
        with h5py.File(path, "a") as file:
            kept = file[name][()]
            del file[name]
            file[name] = h5py.ExternalLink("other.h5", "/fps")
        with pytest.raises(ValueError, match=f"train.h5': expected '{name}' in the file itself"):
            PoseSet.load(path)
        with h5py.File(path, "a") as file:
            del file[name]
            file[name] = kept


def test_a_header_that_promises_a_trillion_poses_is_refused_at_once(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["poses_2d"]
        file.create_dataset("poses_2d", (10**12, 17, 2), "f4", chunks=(4096, 17, 2))
    for subjects in (None, ["S0"]):
        with pytest.raises(ValueError, match="train.h5': expected at most .* for 'poses_2d'"):
            PoseSet.load(path, subjects)


@pytest.mark.parametrize("name", ["poses_2d", "frame", "fps", "clip/index", "cameras/radial"])
def test_other_types_than_numbers_are_refused(path: Path, name: str) -> None:
    with h5py.File(path, "a") as file:
        shape = file[name].shape
        del file[name]
        file.create_dataset(name, shape, h5py.string_dtype())
    with pytest.raises(ValueError, match=f"train.h5': expected numbers in '{name}', got object"):
        PoseSet.load(path)


def test_frames_are_whole_numbers(path: Path) -> None:
    with h5py.File(path, "a") as file:
        frame = file["frame"][()]
        del file["frame"]
        file["frame"] = frame + 0.5
    with pytest.raises(ValueError, match="train.h5': expected frame of integers, got float64"):
        PoseSet.load(path)


@pytest.mark.parametrize("subjects", [None, ["B"], ["A", "C"]])
@pytest.mark.parametrize("above", [None, 0], ids=["memory", "mapped"])
def test_subjects_and_scratch_files_give_the_same_poses(
    tmp_path: Path, make_pose_set, monkeypatch: pytest.MonkeyPatch, subjects, above
) -> None:
    monkeypatch.setattr(pose_set_file, "BLOCK", 7)
    poses = make_pose_set(clips=4)
    names = np.resize(np.repeat(["A", "B", "C"], 6), len(poses))
    poses = dataclasses.replace(poses, subject=Labels.of(list(names)))
    poses.save(tmp_path / "set.h5")
    place = {} if above is None else {"scratch": tmp_path, "above": above}
    found = PoseSet.load(tmp_path / "set.h5", subjects, **place)
    expected = poses if subjects is None else poses.select(np.isin(names, subjects))
    assert_same(found, expected)
    assert isinstance(found.poses_2d, np.memmap) == (above is not None)
    assert PoseSet.load(tmp_path / "set.h5", subjects, truth=False, **place).poses_3d is None
    lengths = [len(block) for _, block in found.blocks()]
    assert set(lengths[:-1]) == {7} and 7 <= lengths[-1] < 14 and sum(lengths) == len(found)


def test_bad_numbers_are_counted_over_the_whole_file(
    tmp_path: Path, make_pose_set, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selflift.data.columns.FINITE_BLOCK", 7)
    make_pose_set(clips=4).save(tmp_path / "set.h5")
    with h5py.File(tmp_path / "set.h5", "r+") as file:
        for row in (11, 40, 41, 90):
            file["poses_2d"][row, 4] = np.nan
    with pytest.raises(ValueError, match="poses_2d, got NaN or Inf in 4 poses .first: pose 11, jo"):
        PoseSet.load(tmp_path / "set.h5")
