"""What a camera sees of extreme poses: a finite, correct image, or one clear ``ValueError``."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from selflift.geometry.axes import turn_axes
from selflift.geometry.camera import (
    Calibration,
    backproject,
    camera_to_world,
    distort,
    pixels_to_rays,
    project,
    project_pixels,
    undistort,
    world_to_camera,
)
from selflift.geometry.centring import centre
from selflift.geometry.normalise import (
    Normaliser,
)
from selflift.geometry.rotation import (
    axis_angle,
    azimuth,
    pitch,
    ray_to_axis,
    turn_about_root,
    turn_back,
)
from selflift.skeleton import H36M_17
from tests.geometry.extremes import body, finite, poses, scales, seeds, shapes

quick = settings(max_examples=40, deadline=None)
LENS = Calibration(
    torch.tensor([1145.0, 1143.0]), torch.tensor([512.0, 515.0]),
    torch.tensor([-0.2, 0.24, -0.002]), torch.tensor([-0.0009, -0.0016]),
)  # fmt: skip
PINHOLE = Calibration.pinhole(1000.0, (500.0, 500.0))


@quick
@given(poses(), st.floats(-2, 2))
def test_points_have_an_image_or_are_refused(X: Tensor, away: float) -> None:
    X = X + torch.tensor([0.0, 0.0, away])
    try:
        x = project(X)
    except ValueError as error:
        assert "project: expected points in front of the camera (z > 0)" in str(error)
        assert (X[..., 2] <= 0).any()
        return
    assert finite(x)
    torch.testing.assert_close(backproject(x, X[..., 2]), X, rtol=1e-5, atol=0)


@pytest.mark.parametrize("z", [0.0, -1.0, -0.0, 1e-45])
def test_joints_behind_the_camera_or_in_its_plane_are_refused(z: float) -> None:
    X = torch.ones(2, 17, 3)
    X[1, 5, 2] = z
    for seen in (project, lambda X: project_pixels(X, LENS)):
        with pytest.raises(ValueError, match="project: .* got 1 of 34 behind it or in its plane"):
            seen(X)


def test_missing_joints_stay_missing_and_change_no_other() -> None:
    X = body(0).float() + torch.tensor([0.0, 0.0, 9.0])
    X[1, 4] = torch.nan
    rays = project(X)
    for found in (rays, project_pixels(X, LENS), pixels_to_rays(rays, LENS), distort(rays, LENS)):
        gone = torch.isnan(found).any(-1)
        assert gone[1, 4] and int(gone.sum()) == 1
    assert np.isnan(turn_axes(X.numpy(), "-y", "z")).any(-1).sum() == 1


@quick
@given(seeds(), st.floats(0, 12))
def test_lenses_are_undone_or_refused(seed: int, exponent: float) -> None:
    x = 10.0 ** (exponent - 2) * body(seed, d=2).float()
    for function in (distort, undistort):
        try:
            found = function(x, LENS)
        except ValueError as error:
            assert "expected points that the lens can show" in str(error)
        else:
            assert finite(found)
            if function is undistort:
                error = (distort(found, LENS) - x).abs()
                assert (error <= 2e-3 * (1 + x.abs())).all()
    assert torch.equal(undistort(x, PINHOLE), x)


def test_the_whole_image_of_a_lens_can_be_undone() -> None:
    pixels = torch.stack(
        torch.meshgrid(2 * [torch.arange(-200.0, 1201, 20)], indexing="xy"), -1
    ).flatten(0, 1)
    assert finite(pixels_to_rays(pixels.double(), LENS.map(Tensor.double)))


def test_a_camera_without_focal_length_is_refused() -> None:
    with pytest.raises(ValueError, match="pixels_to_rays: expected focal lengths above 0, got 0"):
        pixels_to_rays(torch.ones(17, 2), Calibration.pinhole(0.0, (5.0, 5.0)))


@quick
@given(seeds(), scales(), st.floats(-1e6, 1e6))
def test_rotations_are_rotations_whatever_the_angle_or_ray(
    seed: int, scale: float, angle: float
) -> None:
    axis = body(seed, n=1)[0, 1:2].float()
    ray = scale * body(seed, n=1, d=2)[0].float()
    turn = torch.tensor([angle, 0.0, torch.pi, -torch.pi, 1e-30])
    for R in (
        azimuth(turn), pitch(turn), ray_to_axis(ray),
        axis_angle((axis / axis.norm()).expand(5, 3), turn),
    ):  # fmt: skip
        torch.testing.assert_close(R @ R.mT, torch.eye(3).expand_as(R), atol=1e-5, rtol=0)
        torch.testing.assert_close(torch.linalg.det(R), torch.ones(len(R)), atol=1e-5, rtol=0)
    along = (ray_to_axis(ray) @ torch.cat([ray, torch.ones(17, 1)], -1)[..., None])[..., 0]
    assert (along[:, :2].norm(dim=-1) <= 1e-5 * along[:, 2]).all()


def test_an_axis_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="axis_angle: expected axes of norm 1"):
        axis_angle(torch.zeros(2, 3), torch.ones(2))


@quick
@given(poses(), st.floats(-4, 4))
def test_turning_back_undoes_turning(X: Tensor, angle: float) -> None:
    R = azimuth(torch.tensor(angle)) @ pitch(torch.tensor(0.3))
    Y = turn_about_root(X, R, 0, 10.0)
    back = turn_back(Y, R, X[..., 0, :], 10.0)
    size = float(X.abs().max()) if X.numel() else 0.0
    torch.testing.assert_close(back, X, rtol=0, atol=1e-5 * (10 + size))
    C = torch.tensor([1.0, -2.0, 3.0])
    again = camera_to_world(world_to_camera(X, R, C), R, C)
    torch.testing.assert_close(again, X, rtol=0, atol=1e-5 * (10 + size))


@settings(max_examples=80, deadline=None)
@given(
    seeds(), shapes(), scales(), st.sampled_from(["rotate", "translate"]),
    st.sampled_from(["set", "sample"]), st.integers(0, 3), st.booleans(),
)  # fmt: skip
def test_normalised_poses_are_finite_or_refused_in_words(
    seed: int, shape: str, scale: float, method: str, size: str, n: int, missing: bool
) -> None:
    fitted = Normaliser.fit(0.1 * body(3, d=2).float(), H36M_17, 10.0, method, size)
    rays = (scale * body(seed, shape, n, d=2)).float() + 0.3
    if missing and n:
        rays[0, 1:9] = torch.nan
        rays[0, 9, 0] = torch.inf
    for normalise in (
        lambda: fitted.apply(rays, H36M_17).x,
        lambda: centre(rays.nan_to_num(0, 0), 0, method).x,
    ):
        try:
            x = normalise()
        except ValueError as error:
            assert str(error).startswith("normalise")
        else:
            assert finite(x)
            assert (x[:, 0].abs() <= 1e-6 * (1 + x.abs().amax((-2, -1)))[:, None]).all()
    try:
        Normaliser.fit(rays, H36M_17, 10.0, method, size)
    except ValueError as error:
        assert str(error).startswith("normalise")


def test_a_joint_at_a_right_angle_from_the_root_is_refused() -> None:
    rays = torch.zeros(2, 17, 2)
    rays[:, 1:, 0] = torch.linspace(0.1, 0.5, 16)
    rays[1, :, 0] += 2
    rays[1, 4, 0] = -0.6
    with pytest.raises(ValueError, match="within 89.94 degrees of the root.* got 1 poses"):
        centre(rays, 0, "rotate")
    rays[1, 4, 0] = -0.4
    assert finite(centre(rays, 0, "rotate").x)
