"""The calibration against its own definitions, and against the room that it was made in."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from selflift.formats.h36m.h36m_cameras import (
    CAMERAS,
    SUBJECTS,
    intrinsics_of,
    to_camera,
    to_pixels,
    view_of,
)
from selflift.formats.h36m.h36m_takes import MAX_SLOPE
from selflift.geometry.camera import (
    Calibration,
    camera_to_world,
    distort,
    pixels_to_rays,
    undistort,
)
from tests.formats.h36m.people import TABLE
from tests.formats.h36m.videopose3d_files import seen_by

ALL = list(itertools.product(SUBJECTS, CAMERAS))
EVERY = pytest.mark.parametrize(("subject", "camera"), ALL)


def people() -> np.ndarray:
    """``(50, 17, 3)``: points where people are in the room, metres."""
    rng = np.random.default_rng(0)
    return rng.uniform([-1.2, -1.2, 0.0], [1.2, 1.2, 1.9], (50, 17, 3))


def test_there_are_four_cameras_for_each_of_seven_subjects() -> None:
    assert len(ALL) == len(set(ALL)) == 28
    assert {(s, c) for s, row in TABLE["extrinsics"].items() for c in row} == set(ALL)
    assert set(TABLE["intrinsics"]) == set(CAMERAS)


@EVERY
def test_the_rotation_is_the_inverse_of_the_quaternion(subject: str, camera: str) -> None:
    w, x, y, z = TABLE["extrinsics"][subject][camera]["orientation_wxyz"]
    expected = Rotation.from_quat([x, y, z, w]).inv().as_matrix()
    rotation = view_of(subject, camera).rotation
    assert rotation is not None
    np.testing.assert_allclose(rotation, expected, atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


@EVERY
def test_a_camera_stands_upright_at_the_edge_of_the_room_and_looks_in(
    subject: str, camera: str
) -> None:
    view = view_of(subject, camera)
    assert view.rotation is not None and view.centre_mm is not None
    assert 4000 < np.linalg.norm(view.centre_mm) < 6500
    assert 1300 < view.centre_mm[2] < 1800
    right, down, forward = view.rotation
    assert down @ [0, 0, -1] > 0.95
    # The published orientations have a roll: up to 5.3 degrees, for 60457274 as it stood for S6.
    assert abs(right[2]) < np.sin(np.radians(6))
    inward = -view.centre_mm / np.linalg.norm(view.centre_mm)
    assert forward @ inward > np.cos(np.radians(15))
    middle = to_pixels(to_camera(np.array([[[0.0, 0.0, 1000.0]]]), view), view)
    assert np.linalg.norm(middle[0, 0] - view.size_px / 2) < 250


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_four_cameras_of_a_subject_stand_in_the_four_corners(subject: str) -> None:
    centres = np.array([view_of(subject, camera).centre_mm for camera in CAMERAS])
    assert set(map(tuple, np.sign(centres[:, :2]))) == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


@pytest.mark.parametrize("camera", CAMERAS)
def test_intrinsics_are_those_of_the_camera_in_use(camera: str) -> None:
    view = view_of("S9", camera)
    height = 1002 if camera in ("54138969", "60457274") else 1000
    assert view.size_px.tolist() == [1000, height]
    assert np.abs(view.f_px - 1147).max() < 4
    assert np.abs(view.c_px - view.size_px / 2).max() < 20
    assert -0.21 < view.radial[0] < -0.19 and 0.21 < view.radial[1] < 0.26
    assert np.abs(view.tangential).max() < 0.003


@EVERY
def test_pixels_and_depth_return_to_the_world(subject: str, camera: str) -> None:
    view = view_of(subject, camera)
    assert view.rotation is not None and view.centre_mm is not None
    world = 1000 * people()
    seen = to_camera(world, view)
    pixels = to_pixels(seen, view)
    rays = pixels_to_rays(torch.from_numpy(pixels), intrinsics_of(view))
    depth = torch.from_numpy(seen[..., 2:])
    back = camera_to_world(
        torch.cat([rays * depth, depth], -1),
        torch.from_numpy(view.rotation),
        torch.from_numpy(view.centre_mm),
    )
    error_mm = np.linalg.norm(back.numpy() - world, axis=-1)
    assert error_mm.max() < 0.01


@EVERY
@pytest.mark.parametrize("lens", [True, False])
def test_projection_is_that_of_opencv(subject: str, camera: str, lens: bool) -> None:
    view = view_of(subject, camera, lens)
    points = people()[:3]
    expected = seen_by(subject, camera, points, lens)
    seen = to_camera(1000 * points, view)
    np.testing.assert_allclose(seen, expected[..., :3], atol=1e-8)
    np.testing.assert_allclose(to_pixels(seen, view), expected[..., 3:], atol=1e-8)


def test_the_lens_matters_and_can_be_left_out() -> None:
    true, ideal = view_of("S1", CAMERAS[0]), view_of("S1", CAMERAS[0], lens=False)
    assert not ideal.radial.any() and not ideal.tangential.any()
    np.testing.assert_array_equal(ideal.f_px, true.f_px)
    corner = np.array([[[0.4, 0.4, 1.0]]])
    moved = np.linalg.norm(to_pixels(corner, true) - to_pixels(corner, ideal))
    assert 10 < moved < 60


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_lens_can_be_undone_wherever_projection_is_allowed(camera: str) -> None:
    lens = intrinsics_of(view_of("S1", camera))
    angle = torch.linspace(0, 2 * torch.pi, 360, dtype=torch.float64)
    rim = torch.stack([angle.cos(), angle.sin()], -1)
    for slope in np.linspace(0.1, MAX_SLOPE, 10):
        at = slope * rim
        assert float((undistort(distort(at, lens), lens) - at).abs().max()) < 1e-4
    # Further out it could not: the bound is needed.
    with pytest.raises(ValueError, match="undistort: expected points that the lens can show"):
        undistort(distort(1.3 * rim, lens), lens)


@pytest.mark.parametrize(("subject", "camera"), [("S2", CAMERAS[0]), ("S1", "cam0")])
def test_an_unknown_subject_or_camera_is_named(subject: str, camera: str) -> None:
    with pytest.raises(ValueError, match=f"got '{subject}' and '{camera}'; their calibration is"):
        view_of(subject, camera)


def test_a_camera_without_a_place_takes_nothing_from_the_world() -> None:
    view = view_of("S1", CAMERAS[0])
    loose = Calibration(view.f_px, view.c_px, view.radial, view.tangential, view.size_px)
    with pytest.raises(ValueError, match="expected one with rotation and centre_mm"):
        to_camera(np.zeros((1, 17, 3)), loose)
