"""What takes a lifted pose to metres."""

from __future__ import annotations

import pytest
import torch

from selflift.geometry.bodies import skeleton_height
from selflift.geometry.camera import project
from selflift.geometry.normalise import Normaliser
from selflift.lift.metres import (
    ANKLE_HEIGHT,
    NEAREST,
    can_be_lifted,
    height_share,
    in_metres,
)
from selflift.models import Lifter
from selflift.skeleton import COCO_17_HIP, H36M_17


@pytest.mark.parametrize("centre", ["rotate", "translate"])
@pytest.mark.parametrize("scale", ["sample", "set"])
def test_bodies_have_the_stature_and_project_to_the_keypoints(centre: str, scale: str) -> None:
    generator = torch.Generator().manual_seed(0)
    rays = 0.2 * torch.randn(6, 17, 2, generator=generator) + torch.tensor([0.3, -0.1])
    d = torch.randn(6, 17, generator=generator)
    d[:, 0] = 0
    lifter, normaliser = Lifter(width=8, num_blocks=1), Normaliser(centre, scale, 0.4, 0.06)
    seen = normaliser.apply(rays, H36M_17)
    X = in_metres(seen.x, d, rays, seen, lifter, normaliser, 1.8)
    height = skeleton_height(X, H36M_17)
    torch.testing.assert_close(height, torch.full((6,), 1.8 * (1 - ANKLE_HEIGHT)))
    joints = slice(None) if centre == "rotate" else slice(0, 1)
    torch.testing.assert_close(project(X)[:, joints], rays[:, joints], atol=1e-5, rtol=1e-5)
    twice = in_metres(seen.x, d, rays, seen, lifter, normaliser, torch.tensor(3.6))
    torch.testing.assert_close(twice, 2 * X)


def test_a_body_that_ends_at_the_nose_is_shorter_than_one_with_a_head() -> None:
    assert height_share(H36M_17) == pytest.approx(1 - ANKLE_HEIGHT)
    assert height_share(COCO_17_HIP) == pytest.approx(0.915 - ANKLE_HEIGHT)


@pytest.mark.parametrize(("confidences", "expected"), [(True, "ynnny"), (False, "ynnnn")])
def test_a_pose_takes_its_root_an_extent_and_enough_joints(
    confidences: bool, expected: str
) -> None:
    x_px, confidence = torch.rand(5, 17, 2), torch.ones(5, 17)
    confidence[1, 0] = 0
    confidence[2, 5:] = 0
    x_px[3] = 7.0
    x_px[4, 3], confidence[4, 3] = torch.nan, 0
    lifter = Lifter(width=8, num_blocks=1, confidences=confidences)
    assert can_be_lifted(x_px, confidence, lifter).tolist() == [c == "y" for c in expected]


def test_a_joint_stays_before_the_camera_and_a_body_without_height_is_marked() -> None:
    lifter, skeleton = Lifter(width=8, num_blocks=1).eval(), H36M_17
    normaliser = Normaliser("rotate", "sample", 1.0, 0.1)
    rays = 0.1 * torch.randn(3, 17, 2, generator=torch.Generator().manual_seed(0))
    seen = normaliser.apply(rays, skeleton)
    d = torch.zeros(3, 17)
    # Nearer than the camera itself.
    d[1, 5] = -3 * lifter.depth * float(seen.factor[1])
    X = in_metres(seen.x, d, rays, seen, lifter, normaliser, 1.7)
    assert torch.isfinite(X).all()
    ahead = (X @ seen.R.mT)[..., 2]
    assert (ahead > 0).all()
    assert float(ahead[1, 5] / ahead[1, 0]) == pytest.approx(NEAREST, rel=1e-3)
    arms = torch.zeros(3, 17, 2)
    arms[:, 12:] = seen.x[:, 12:]
    flat = in_metres(arms, torch.zeros(3, 17), rays, seen, lifter, normaliser, 1.7)
    assert torch.isnan(flat).all()
