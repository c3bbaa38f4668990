"""Covariates against the rig that filmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from selflift.data.pose_set import PoseSet
from selflift.evaluate.covariates import depth_extent_mm, distance_m, elevation_deg, speed_m_s


def test_elevation_and_distance_are_those_of_the_rig(make_pose_set: Callable[..., PoseSet]) -> None:
    poses = make_pose_set(pitch_mean_deg=20.0, pitch_std_deg=0.0, distance_min_m=5.0,
                          distance_max_m=5.0)  # fmt: skip
    elevation, distance = elevation_deg(poses), distance_m(poses)
    assert elevation is not None and distance is not None
    # The rig aims at the mean root; this person sways by some centimetres.
    np.testing.assert_allclose(elevation, -20.0, atol=2.0)
    np.testing.assert_allclose(distance, 5.0, atol=0.2)
    cameras = replace(poses.cameras, rotation=None, centre_mm=None)
    assert elevation_deg(replace(poses, cameras=cameras)) is None
    assert elevation_deg(replace(poses, cameras=None)) is None
    assert distance_m(replace(poses, poses_3d=None)) is None


def test_depth_extent_is_the_range_of_depths() -> None:
    truth = np.zeros((2, 3, 3))
    truth[0, :, 2] = [-100, 0, 250]
    np.testing.assert_array_equal(depth_extent_mm(truth), [350, 0])


def test_speed_is_measured_until_the_next_frame(make_pose_set: Callable[..., PoseSet]) -> None:
    poses = make_pose_set(clips=2, frames=4)
    truth = np.zeros((len(poses), 17, 3))
    # Every joint moves 3 mm per frame along x; frames are two apart, at 25 frames a second.
    truth[..., 0] = 3.0 * poses.frame[:, None]
    order = np.random.default_rng(0).permutation(len(poses))
    speed = speed_m_s(poses.select(order), truth[order])
    assert speed is not None
    last = poses.frame[order] == poses.frame.max()
    assert np.isnan(speed[last]).all()
    np.testing.assert_allclose(speed[~last], 0.003 * 25)
    alone = poses.select(poses.frame == 0)
    assert speed_m_s(alone, truth[poses.frame == 0]) is None
