"""From pixels to the normalised plane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from selflift.data import rays as module
from selflift.data.rays import confidences_of, rays_of
from selflift.geometry.camera import project


def test_rays_are_the_projection_of_the_truth(make_pose_set) -> None:
    poses = make_pose_set()
    truth = project(torch.from_numpy(poses.poses_3d))
    torch.testing.assert_close(rays_of(poses, "rotate"), truth, rtol=0, atol=1e-6)


def test_chunks_change_nothing(make_pose_set, monkeypatch: pytest.MonkeyPatch) -> None:
    poses = make_pose_set()
    whole = rays_of(poses, "rotate")
    monkeypatch.setattr(module, "CHUNK", 7)
    assert torch.equal(rays_of(poses, "rotate"), whole)


def test_without_cameras_pixels_serve_where_no_camera_is_needed(make_pose_set) -> None:
    poses = replace(make_pose_set(), cameras=None)
    assert torch.equal(rays_of(poses, "translate"), torch.from_numpy(poses.poses_2d))
    with pytest.raises(ValueError, match=r"expected cameras .* set normalise.centre=translate"):
        rays_of(poses, "rotate")


def test_missing_joints_are_nan_and_the_root_may_not_be_missing(make_pose_set) -> None:
    poses = make_pose_set()
    confidence = np.ones(poses.poses_2d.shape[:2], np.float32)
    confidence[3, 5] = confidence[3, 6] = confidence[4, 5] = 0
    rays = rays_of(replace(poses, confidence=confidence), "rotate")
    assert torch.equal(torch.isnan(rays[..., 0]), torch.from_numpy(confidence == 0))
    assert torch.equal(rays[5:], rays_of(poses, "rotate")[5:])
    confidence[7, poses.skeleton.root] = 0
    with pytest.raises(ValueError, match=r"expected the root \('Hip'\).* got 1 of \d+ without it"):
        rays_of(replace(poses, confidence=confidence), "rotate")
    with pytest.raises(ValueError, match="expected at least one pose, got an empty set"):
        rays_of(poses.select(np.zeros(len(poses), bool)), "rotate")


def test_confidences_go_to_the_lifters_that_take_them(make_pose_set) -> None:
    poses = make_pose_set()
    assert confidences_of(poses, taken=False) is None
    assert torch.equal(confidences_of(poses, taken=True), torch.ones(poses.poses_2d.shape[:2]))
    confidence = np.full(poses.poses_2d.shape[:2], 0.5, np.float32)
    confidence[3, 5] = confidence[3, 6] = confidence[4, 5] = 0
    incomplete = replace(poses, confidence=confidence)
    assert torch.equal(confidences_of(incomplete, taken=True), torch.from_numpy(confidence))
    with pytest.raises(ValueError, match=r"got 2 of \d+ with missing joints .*confidences=true"):
        confidences_of(incomplete, taken=False)
