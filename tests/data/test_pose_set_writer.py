"""Pose sets written take by take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from selflift.data import pose_set_writer as writer_module
from selflift.data.pose_set import PoseSet
from selflift.data.pose_set_writer import write_poses
from selflift.data.recording import Take
from selflift.formats.pose_sets import open_poses, recognise
from selflift.geometry.camera import Calibration
from selflift.skeleton import H36M_17


def view(shift: float = 0.0) -> Calibration:
    return Calibration(
        f_px=np.array([1145.0, 1144.0]), c_px=np.array([512.0 + shift, 515.0]),
        radial=np.zeros(3), tangential=np.zeros(2), size_px=np.array([1000, 1002]),
        rotation=np.eye(3), centre_mm=np.array([1.0, 2.0, 3.0]),
    )  # fmt: skip


def take(frames: int = 5, seed: int = 0, **changes) -> Take:
    rng = np.random.default_rng(seed)
    made = Take(
        subject="S1", action="Walking", clip=f"S1 Walking {seed}", camera="S1/0",
        poses_2d=rng.uniform(0, 1000, (frames, 17, 2)).astype(np.float32),
        frame=np.arange(frames), fps=50.0,
        poses_3d=rng.normal(size=(frames, 17, 3)).astype(np.float32),
        confidence=np.ones((frames, 17), np.float32), view=view(),
    )  # fmt: skip
    return replace(made, **changes)


def write(path: Path, *takes: Take) -> PoseSet:
    with write_poses(path, H36M_17) as out:
        for one in takes:
            out.add(one)
    return PoseSet.load(path)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    takes = [take(seed=i, subject=f"S{i % 2}", camera=f"cam{i % 3}") for i in range(4)]
    poses = write(tmp_path / "x.h5", *takes)
    assert len(poses) == 20
    for name in ("poses_2d", "poses_3d", "confidence", "frame"):
        np.testing.assert_array_equal(
            getattr(poses, name), np.concatenate([getattr(t, name) for t in takes])
        )
    for name in ("subject", "clip", "camera", "action"):
        expected = [getattr(t, name) for t in takes for _ in range(len(t))]
        assert getattr(poses, name).values.tolist() == expected
    assert poses.cameras is not None
    np.testing.assert_allclose(poses.cameras.f_px, [[1145, 1144]] * 3)
    np.testing.assert_array_equal(poses.cameras.size_px, [[1000, 1002]] * 3)
    np.testing.assert_array_equal(poses.cameras.centre_mm, [[1, 2, 3]] * 3)


def test_the_size_of_the_buffer_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes = [take(frames=7, seed=i) for i in range(5)]
    whole = write(tmp_path / "whole.h5", *takes)
    monkeypatch.setattr(writer_module, "BUFFER_ROWS", 10)
    parts = write(tmp_path / "parts.h5", *takes)
    np.testing.assert_array_equal(whole.poses_2d, parts.poses_2d)
    np.testing.assert_array_equal(whole.clip.values, parts.clip.values)


def test_a_set_without_extras_has_none(tmp_path: Path) -> None:
    poses = write(tmp_path / "x.h5", take(poses_3d=None, confidence=None, view=None))
    assert poses.poses_3d is None and poses.confidence is None and poses.cameras is None


def test_a_missing_joint_may_be_nan(tmp_path: Path) -> None:
    one = take(poses_3d=None)
    one.poses_2d[2, 3] = np.nan
    with pytest.raises(
        ValueError, match=r"'S1 Walking 0' of camera 'S1/0': expected finite.*RFoot"
    ):
        write(tmp_path / "x.h5", one)
    one.confidence[2, 3] = 0
    assert np.isnan(write(tmp_path / "x.h5", one).poses_2d[2, 3]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses_3d": None}, "every take with 3D poses or none"),
        ({"confidence": None}, "every take with confidences or none"),
        ({"view": None}, "every take with a calibrated camera or none"),
        ({"view": view(1.0)}, "one calibration per camera"),
        ({"poses_2d": np.zeros((5, 16, 2), np.float32)}, r"poses_2d of shape \(5, 17, 2\)"),
        ({"frame": np.arange(4)}, r"frame of shape \(5,\)"),
    ],
)
def test_takes_that_do_not_fit_are_refused_and_leave_no_file(
    tmp_path: Path, changes: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "x.h5", take(), take(seed=1, **changes))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    write(path, take())
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), write_poses(path, H36M_17) as out:
        out.add(take(seed=1))
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_to_write_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected at least one frame to write, got none"):
        write(tmp_path / "x.h5", take(frames=0))
    assert list(tmp_path.iterdir()) == []


def test_a_pose_set_is_a_source_of_the_same_takes(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    takes = [take(seed=i, camera=f"cam{i % 2}") for i in range(3)]
    written = write(path, *takes)
    assert recognise(path)
    again = open_poses(path)
    assert again.total == 3
    copy = write(tmp_path / "copy.h5", *again.takes)
    for name in ("poses_2d", "poses_3d", "confidence", "frame", "fps"):
        np.testing.assert_array_equal(getattr(copy, name), getattr(written, name))
    for name in ("subject", "action", "clip", "camera"):
        assert getattr(copy, name).values.tolist() == getattr(written, name).values.tolist()
    np.testing.assert_array_equal(copy.cameras.rotation, written.cameras.rotation)


def test_other_files_are_no_pose_sets(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("no")
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["a"] = [1]
    assert not any(recognise(tmp_path / name) for name in ("x.txt", "y.h5", "none.h5"))
    assert not recognise(tmp_path)
