"""The virtual rig: where its cameras stand and what they see."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from selflift.config import RigConfig
from selflift.data.pose_set import PoseSet
from selflift.data.rig import Clip, film, film_clip, rig_poses
from selflift.geometry.camera import camera_to_world, project_pixels
from selflift.skeleton import H36M_17

RIG = RigConfig()


def rows_of(poses: PoseSet, clip: str, camera: int | None = None) -> np.ndarray:
    rows = poses.clip.values == clip
    if camera is not None:
        rows &= poses.camera.values == f"{clip}/cam{camera}"
    return np.flatnonzero(rows)


@pytest.fixture(scope="module")
def many_rigs() -> tuple[np.ndarray, np.ndarray]:
    """Rotations (N, 4, 3, 3) and offsets (N, 4, 3) from the target of many clips' cameras."""
    positions = np.zeros((1, 17, 3), np.float32) + np.float32([3.0, -2.0, 1.0])
    rotations, offsets = [], []
    for i in range(600):
        clip = Clip(positions, "S", "a", f"name {i}", 25.0, np.zeros(1, np.int64))
        R, C = rig_poses(clip, RIG, 0)
        rotations.append(R)
        offsets.append(C - [3.0, -2.0, 1.0])
    return np.stack(rotations), np.stack(offsets)


def azimuth_deg(offsets: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(offsets[..., 1], offsets[..., 0]))


def test_cameras_are_right_handed_rotations(many_rigs: tuple) -> None:
    R, _ = many_rigs
    np.testing.assert_allclose(R @ np.swapaxes(R, -1, -2), np.eye(3) + 0 * R, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1, atol=1e-12)


def test_cameras_stand_level_with_y_down(many_rigs: tuple) -> None:
    right, down, _ = np.moveaxis(many_rigs[0], -2, 0)
    np.testing.assert_allclose(right[..., 2], 0, atol=1e-12)
    assert (down[..., 2] < -0.9).all()


def test_cameras_look_at_the_target(many_rigs: tuple) -> None:
    R, offsets = many_rigs
    distance = np.linalg.norm(offsets, axis=-1, keepdims=True)
    np.testing.assert_allclose(R[..., 2, :], -offsets / distance, atol=1e-12)


def test_cameras_are_evenly_spaced_but_for_the_jitter(many_rigs: tuple) -> None:
    azimuth = azimuth_deg(many_rigs[1])
    off = azimuth - 90 * np.arange(4)
    # All four share one start, which is not known: compare each with the first.
    off = (off - off[:, :1] + 180) % 360 - 180
    assert np.abs(off).max() <= 2 * RIG.azimuth_jitter_deg
    assert off[:, 1:].std() == pytest.approx(np.sqrt(2 * 30**2 / 12), rel=0.1)


def test_rigs_stand_anywhere_on_the_circle(many_rigs: tuple) -> None:
    first = azimuth_deg(many_rigs[1])[:, 0]
    assert kstest(first, "uniform", args=(-180, 360)).pvalue > 0.01


def test_distances_are_uniform_in_their_range(many_rigs: tuple) -> None:
    distance = np.linalg.norm(many_rigs[1], axis=-1).ravel()
    low, high = RIG.distance_min_m, RIG.distance_max_m
    assert low <= distance.min() and distance.max() <= high
    assert kstest(distance, "uniform", args=(low, high - low)).pvalue > 0.01


def test_cameras_look_down_by_their_pitch(many_rigs: tuple) -> None:
    pitch = np.degrees(np.arcsin(-many_rigs[0][..., 2, 2])).ravel()
    mean, std = RIG.pitch_mean_deg, RIG.pitch_std_deg
    assert kstest(pitch, norm(mean, std).cdf).pvalue > 0.01


def test_the_rig_follows_its_config(make_clip: Callable) -> None:
    rig = RigConfig(
        cameras=3, azimuth_jitter_deg=0, distance_min_m=2, distance_max_m=2,
        pitch_mean_deg=30, pitch_std_deg=0,
    )  # fmt: skip
    clip = make_clip()
    R, C = rig_poses(clip, rig, 0)
    offsets = C - clip.positions[:, 0].astype(float).mean(0)
    np.testing.assert_allclose(np.linalg.norm(offsets, axis=-1), 2)
    np.testing.assert_allclose(R[:, 2, 2], -0.5)
    np.testing.assert_allclose(np.diff(azimuth_deg(offsets)) % 360, 120)


def test_a_clips_name_alone_decides_its_rig(make_clip: Callable) -> None:
    one, same, other = make_clip("a", 4, seed=1), make_clip("a", 4, seed=1), make_clip("b", 4, 1)
    other_subject = dataclasses.replace(same, subject="X", action="y")
    np.testing.assert_array_equal(rig_poses(one, RIG, 0)[1], rig_poses(other_subject, RIG, 0)[1])
    assert np.abs(rig_poses(one, RIG, 0)[1] - rig_poses(other, RIG, 0)[1]).max() > 0.01


def test_the_same_clip_gives_the_same_2d_whatever_else_is_filmed(make_clip: Callable) -> None:
    a, b, c = (make_clip(name, 5, seed) for seed, name in enumerate("abc"))
    alone = film([b], RIG, H36M_17)
    for others in ([a, b, c], [c, b], [b, a]):
        among = film(others, RIG, H36M_17)
        rows = rows_of(among, "b")
        np.testing.assert_array_equal(among.poses_2d[rows], alone.poses_2d)
        np.testing.assert_array_equal(among.poses_3d[rows], alone.poses_3d)


def test_poses_3d_project_to_poses_2d(make_pose_set: Callable) -> None:
    poses = make_pose_set(3)
    intrinsics = poses.cameras.intrinsics(poses.camera.index)
    pixels = project_pixels(torch.from_numpy(poses.poses_3d), intrinsics)
    np.testing.assert_allclose(pixels.numpy(), poses.poses_2d, atol=2e-3)


def test_poses_3d_are_the_clip_in_millimetres_in_the_cameras_frame(make_clip: Callable) -> None:
    clip = make_clip(frames=5)
    poses = film([clip], RIG, H36M_17)
    rotation = torch.from_numpy(poses.cameras.rotation[poses.camera.index])
    centre = torch.from_numpy(poses.cameras.centre_mm[poses.camera.index])
    world = camera_to_world(torch.from_numpy(poses.poses_3d), rotation, centre).numpy()
    np.testing.assert_allclose(world, 1000 * np.tile(clip.positions, (4, 1, 1)), atol=0.01)


def test_the_mean_root_projects_to_the_middle_of_the_image(make_clip: Callable) -> None:
    clip = make_clip()
    still = dataclasses.replace(clip, positions=np.repeat(clip.positions[:1], 6, axis=0))
    poses = film([still], RIG, H36M_17)
    np.testing.assert_allclose(poses.poses_2d[:, 0], 500, atol=0.01)
    distance = poses.poses_3d[:, 0, 2] / 1000
    assert (distance >= RIG.distance_min_m - 1e-3).all()
    assert (distance <= RIG.distance_max_m + 1e-3).all()


def test_heads_are_above_feet_in_the_image(make_pose_set: Callable) -> None:
    poses = make_pose_set(4)
    head, feet = poses.poses_2d[:, H36M_17.head, 1], poses.poses_2d[:, [3, 6], 1]
    assert (head + 100 < feet.min(1)).all()


def test_left_and_right_are_not_exchanged(make_clip: Callable) -> None:
    """Whoever shows the camera their back has their left on the image's left."""
    clip = make_clip(frames=1)
    poses = film([clip], RIG, H36M_17)
    hips = clip.positions[0, 4] - clip.positions[0, 1]
    forward = np.cross(hips, [0.0, 0.0, 1.0])
    away = poses.cameras.rotation[:, 2] @ forward
    left_minus_right = poses.poses_2d[:, 4, 0] - poses.poses_2d[:, 1, 0]
    clear = np.abs(away) > 0.1 * np.abs(away).max()
    assert clear.sum() >= 2 and {True, False} == set(away[clear] > 0)
    assert ((left_minus_right < 0) == (away > 0))[clear].all()


def test_labels_go_clip_by_clip_and_camera_by_camera(make_clip: Callable) -> None:
    clips = [make_clip(f"c{i}", 3 + i, seed=i) for i in range(2)]
    poses = film(clips, RIG, H36M_17)
    assert len(poses) == 4 * (3 + 4)
    start = 0
    for clip in clips:
        for k in range(4):
            rows = slice(start, start + len(clip.positions))
            assert set(poses.clip.values[rows]) == {clip.name}
            assert set(poses.camera.values[rows]) == {f"{clip.name}/cam{k}"}
            assert set(poses.subject.values[rows]) == {clip.subject}
            assert set(poses.action.values[rows]) == {clip.action}
            np.testing.assert_array_equal(poses.frame[rows], clip.frame)
            assert (poses.fps[rows] == clip.fps).all()
            start += len(clip.positions)


def test_frames_too_near_to_a_camera_are_dropped_there(make_clip: Callable) -> None:
    clip = make_clip(frames=24)
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = 5.5 * np.stack([np.cos(around), np.sin(around), 0 * around], -1)
    clip = dataclasses.replace(clip, positions=clip.positions + ring[:, None].astype(np.float32))
    R, C = rig_poses(clip, RIG, 0)
    poses = film([clip], RIG, H36M_17)
    for k in range(4):
        depth = (clip.positions - C[k]) @ R[k, 2]
        near = depth.min(1) < RIG.min_depth_m
        assert 0 < near.sum() < 24
        rows = rows_of(poses, "clip", k)
        np.testing.assert_array_equal(poses.frame[rows], clip.frame[~near])
        np.testing.assert_allclose(poses.poses_3d[rows, :, 2], 1000 * depth[~near], atol=0.01)
    assert poses.poses_3d[..., 2].min() >= 1000 * RIG.min_depth_m - 1e-3


def test_takes_of_a_clip_are_what_is_filmed(make_clip: Callable) -> None:
    clips = [make_clip("a", 5), make_clip("b", 3, seed=1)]
    poses = film(clips, RIG, H36M_17)
    for clip in clips:
        takes = film_clip(clip, RIG, H36M_17.root)
        assert [take.camera for take in takes] == [f"{clip.name}/cam{k}" for k in range(4)]
        R, C = rig_poses(clip, RIG, H36M_17.root)
        for k, take in enumerate(takes):
            rows = rows_of(poses, clip.name, k)
            assert (take.subject, take.action, take.clip) == (clip.subject, "sway", clip.name)
            assert take.fps == clip.fps
            np.testing.assert_array_equal(take.frame, clip.frame)
            np.testing.assert_array_equal(poses.poses_2d[rows], take.poses_2d)
            np.testing.assert_array_equal(poses.poses_3d[rows], take.poses_3d)
            np.testing.assert_array_equal(take.view.rotation, R[k])
            np.testing.assert_array_equal(take.view.centre_mm, 1000 * C[k])
            assert take.view.f_px.tolist() == [1145, 1145] and not take.view.tangential.any()


def test_a_camera_that_sees_nothing_keeps_its_row(make_clip: Callable) -> None:
    clip = make_clip(frames=1)
    near = dataclasses.replace(RIG, min_depth_m=5.5)
    lengths = [len(take) for take in film_clip(clip, near, H36M_17.root)]
    assert 0 in lengths and any(lengths)
    poses = film([clip], near, H36M_17)
    assert poses.camera.names == tuple(f"clip/cam{k}" for k in range(4))
    assert len(poses.cameras.f_px) == 4
    assert np.bincount(poses.camera.index, minlength=4).tolist() == lengths


def test_filming_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="rig: expected at least one frame .*units .metres"):
        film([], RIG, H36M_17)


def test_motion_that_no_camera_sees_is_refused(make_clip: Callable) -> None:
    clip = make_clip()
    inside = dataclasses.replace(clip, positions=clip.positions * 1000)
    with pytest.raises(ValueError, match="in front of the cameras, got none; check the clips"):
        film([inside], RIG, H36M_17)
