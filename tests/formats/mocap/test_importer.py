"""Motion capture files to takes: the bodies come back, on files of the public layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selflift.skeleton import H36M_17

from .acclaim_files import cmu_bones, place_asf
from .bvh_files import SIX, human_joints, place_bvh, random_bvh, write_bvh
from .scenes import (
    ASF_JOINTS,
    BVH_JOINTS,
    CMU_M,
    add_amc,
    add_bvh,
    expected_world,
    read,
    with_t_pose,
    world_of,
)


def test_asf_bodies_come_back_from_every_camera_to_a_hundredth_of_a_millimetre(
    tmp_path: Path,
) -> None:
    values = add_amc(tmp_path)
    truth = expected_world(place_asf(cmu_bones(), values), ASF_JOINTS, CMU_M)
    recordings, takes = read(tmp_path, fps=None)
    assert recordings.skeleton is H36M_17 and recordings.total == len(takes) == 4
    assert [take.camera for take in takes] == [f"02_01/cam{k}" for k in range(4)]
    for take in takes:
        assert (take.clip, take.subject, take.action, take.fps) == ("02_01", "02", "unknown", 120)
        assert 1000 * np.abs(world_of(take) - truth).max() < 0.01
        np.testing.assert_array_equal(take.frame, np.arange(25))


def test_bvh_bodies_come_back_from_every_camera_to_a_hundredth_of_a_millimetre(
    tmp_path: Path,
) -> None:
    joints, values = add_bvh(tmp_path / "02_01.bvh")
    truth = expected_world(place_bvh(joints, values), BVH_JOINTS, CMU_M)
    _, takes = read(tmp_path / "02_01.bvh", fps=None)
    for take in takes:
        assert 1000 * np.abs(world_of(take) - truth).max() < 0.01


def test_pixels_are_what_the_view_sees_of_the_poses(tmp_path: Path) -> None:
    add_amc(tmp_path)
    _, takes = read(tmp_path)
    for take in takes:
        assert take.view is not None and take.poses_3d is not None
        f, c = take.view.f_px, take.view.c_px
        X = take.poses_3d.astype(float)
        np.testing.assert_allclose(take.poses_2d, f * X[..., :2] / X[..., 2:] + c, atol=1e-3)
        assert not take.view.radial.any() and take.view.size_px.tolist() == [1000, 1000]


@pytest.mark.parametrize(("fps", "count"), [(60.0, 13), (50.0, 11), (None, 25)])
def test_frames_count_at_the_output_rate(tmp_path: Path, fps: float | None, count: int) -> None:
    values = add_amc(tmp_path)
    truth = expected_world(place_asf(cmu_bones(), values), ASF_JOINTS, CMU_M)
    _, (take, *_) = read(tmp_path, fps=fps)
    assert take.fps == (fps or 120) and take.frame.tolist() == list(range(count))
    at = np.arange(count) * 120 / (fps or 120)
    whole = at == at.astype(int)
    error = world_of(take)[whole] - truth[at[whole].astype(int)]
    assert 1000 * np.abs(error).max() < 0.01


@pytest.mark.parametrize("unit", ["cmu", "m", "cm", "mm", "inch"])
@pytest.mark.parametrize("how", ["auto", "named"])
def test_units_are_found_or_taken_as_named(tmp_path: Path, unit: str, how: str) -> None:
    metres = {"cmu": CMU_M, "m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254}[unit]
    joints, values = add_bvh(tmp_path / "a.bvh", scale=CMU_M / metres)
    truth = expected_world(place_bvh(joints, values), BVH_JOINTS, metres)
    recordings, (take, *_) = read(tmp_path, fps=None, unit="auto" if how == "auto" else unit)
    assert recordings.settings["unit"].startswith(f"{unit} (")
    assert 1000 * np.abs(world_of(take) - truth).max() < 0.01


def test_position_channels_of_inner_joints_replace_offsets(tmp_path: Path) -> None:
    joints = [joint if joint.end else joint._replace(channels=SIX) for joint in human_joints(2.07)]
    values = random_bvh(joints, 5)
    write_bvh(tmp_path / "a.bvh", joints, values)
    truth = expected_world(place_bvh(joints, values), BVH_JOINTS, CMU_M)
    _, (take, *_) = read(tmp_path, fps=None)
    assert 1000 * np.abs(world_of(take) - truth).max() < 0.01


@pytest.mark.parametrize("rest", [True, False])
def test_a_t_pose_before_the_motion_is_dropped_and_counted(tmp_path: Path, rest: bool) -> None:
    joints, values = add_bvh(tmp_path / "02_01.bvh")
    write_bvh(tmp_path / "02_01.bvh", joints, with_t_pose(joints, values, rest))
    truth = expected_world(place_bvh(joints, values), BVH_JOINTS, CMU_M)
    recordings, (take, *_) = read(tmp_path, fps=None)
    assert recordings.report.dropped == {"T-pose before the motion": 4}
    assert 1000 * np.abs(world_of(take) - truth).max() < 0.01
    recordings, (take, *_) = read(tmp_path, fps=None, drop_t_pose=False)
    assert len(take) == 26 and not recordings.report.dropped
    assert any("T-pose, and is kept" in note for note in recordings.report.notes)


def test_motion_that_begins_in_a_t_pose_is_kept(tmp_path: Path) -> None:
    joints, values = add_bvh(tmp_path / "02_01.bvh")
    t_pose = with_t_pose(joints, values, rest=True)[0]
    slow = t_pose + np.linspace(0, 1, 25)[:, None] * (values[0] - t_pose)
    write_bvh(tmp_path / "02_01.bvh", joints, slow)
    recordings, (take, *_) = read(tmp_path, fps=None)
    assert len(take) == 25 and not recordings.report.dropped


def test_a_jump_that_is_no_t_pose_is_kept(tmp_path: Path) -> None:
    joints, values = add_bvh(tmp_path / "02_01.bvh")
    other = random_bvh(joints, 1, seed=77) * 3
    other[:, :3] = values[0, :3]
    write_bvh(tmp_path / "02_01.bvh", joints, np.concatenate([other, values]))
    recordings, (take, *_) = read(tmp_path, fps=None)
    assert len(take) == 26 and not recordings.report.dropped
