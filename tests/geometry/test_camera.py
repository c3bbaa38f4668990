"""Projection, back-projection, the lens model and the frames."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError
from scipy.spatial.transform import Rotation
from torch import Tensor

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

# Human3.6M's published calibration of its first and second camera.
H36M_54138969 = {
    "f_px": (1145.0494, 1143.7811),
    "c_px": (512.5415, 515.4515),
    "radial": (-0.2070989, 0.2477752, -0.0030751),
    "tangential": (-0.0009756, -0.0014245),
}
H36M_55011271 = {
    "f_px": (1149.6757, 1147.5917),
    "c_px": (508.8486, 508.0649),
    "radial": (-0.1942136, 0.2404085, 0.0068820),
    "tangential": (-0.0027408, -0.0016190),
}


def camera(calibration: dict, dtype: torch.dtype = torch.float64) -> Calibration:
    return Calibration(**{k: torch.tensor(v, dtype=dtype) for k, v in calibration.items()})


def points_in_front(*batch: int, dtype: torch.dtype, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(*batch, 17, 3, generator=generator, dtype=dtype)
    return X + torch.tensor([0.0, 0.0, 10.0], dtype=dtype)


def image_grid(width: int, height: int, dtype: torch.dtype = torch.float64) -> Tensor:
    u, v = torch.linspace(0, width, 51, dtype=dtype), torch.linspace(0, height, 51, dtype=dtype)
    return torch.cartesian_prod(u, v)


def opencv_distort(x: float, y: float, k: list[float], p: list[float]) -> tuple[float, float]:
    """The formula of OpenCV's calib3d documentation, one point at a time."""
    k1, k2, k3 = k
    p1, p2 = p
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    return (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2),
        y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y,
    )


def random_rotation(*batch: int, dtype: torch.dtype, seed: int = 0) -> Tensor:
    count = int(torch.tensor(batch).prod()) if batch else 1
    matrices = torch.from_numpy(Rotation.random(count, rng=seed).as_matrix())
    return matrices.reshape(*batch, 3, 3).to(dtype)


def test_backproject_inverts_project(batch: tuple, dtype: torch.dtype, tol: float) -> None:
    X = points_in_front(*batch, dtype=dtype)
    torch.testing.assert_close(backproject(project(X), X[..., 2]), X, atol=10 * tol, rtol=0)


def test_project_inverts_backproject(batch: tuple, dtype: torch.dtype, tol: float) -> None:
    X = points_in_front(*batch, dtype=dtype)
    x, z = X[..., :2], X[..., 2]
    torch.testing.assert_close(project(backproject(x, z)), x, atol=tol, rtol=0)


def test_projection_ignores_the_unit() -> None:
    X = points_in_front(4, dtype=torch.float64)
    torch.testing.assert_close(project(1000 * X), project(X))


def test_farther_bodies_project_smaller() -> None:
    X = torch.tensor([[1.0, 2.0, 4.0], [1.0, 2.0, 8.0]])
    torch.testing.assert_close(project(X), torch.tensor([[0.25, 0.5], [0.125, 0.25]]))


def test_distort_is_opencvs_model() -> None:
    intrinsics = camera(H36M_54138969)
    k, p = H36M_54138969["radial"], H36M_54138969["tangential"]
    x = (image_grid(1000, 1002) - intrinsics.c_px) / intrinsics.f_px
    oracle = [opencv_distort(u, v, list(k), list(p)) for u, v in x.tolist()]
    torch.testing.assert_close(
        distort(x, intrinsics), torch.tensor(oracle, dtype=x.dtype), atol=1e-14, rtol=0
    )


def test_tangential_coefficients_are_not_exchanged() -> None:
    only_p1 = Calibration(torch.ones(2), torch.zeros(2), torch.zeros(3), torch.tensor([0.01, 0.0]))
    # OpenCV: p1 moves (x, y) by (2 x y, r^2 + 2 y^2).
    moved = distort(torch.tensor([[0.3, 0.0], [0.0, 0.3]]), only_p1)
    expected = torch.tensor([[0.3, 0.01 * 0.09], [0.0, 0.3 + 0.01 * 0.27]])
    torch.testing.assert_close(moved, expected)


@pytest.mark.parametrize("calibration", [H36M_54138969, H36M_55011271])
def test_pixels_to_rays_inverts_project_pixels_over_the_whole_image(calibration: dict) -> None:
    intrinsics = camera(calibration)
    pixels = image_grid(1000, 1002)
    rays = pixels_to_rays(pixels, intrinsics)
    again = project_pixels(backproject(rays, torch.full_like(rays[:, 0], 3.0)), intrinsics)
    assert (again - pixels).abs().max() < 1e-3
    # The lens matters: without its model, pixels near the corners are off by several.
    plain = rays * intrinsics.f_px + intrinsics.c_px
    assert (plain - pixels).abs().max() > 5


def test_project_pixels_inverts_pixels_to_rays(dtype: torch.dtype, batch: tuple) -> None:
    intrinsics = camera(H36M_54138969, dtype)
    X = points_in_front(*batch, dtype=dtype) * torch.tensor([1.5, 1.5, 1.0], dtype=dtype)
    rays = pixels_to_rays(project_pixels(X, intrinsics), intrinsics)
    atol = 1e-6 if dtype == torch.float32 else 1e-9
    torch.testing.assert_close(rays, project(X), atol=atol, rtol=0)


def test_float32_pixels_come_back_to_a_hundredth() -> None:
    intrinsics = camera(H36M_54138969, torch.float32)
    pixels = image_grid(1000, 1002, torch.float32)
    rays = pixels_to_rays(pixels, intrinsics)
    again = project_pixels(backproject(rays, torch.ones_like(rays[:, 0])), intrinsics)
    assert (again - pixels).abs().max() < 1e-2


def test_a_lens_without_distortion_changes_nothing() -> None:
    pinhole = Calibration.pinhole(1145.0, (500.0, 501.0))
    x = torch.rand(3, 17, 2) - 0.5
    assert torch.equal(distort(x, pinhole), x)
    assert torch.equal(undistort(x, pinhole), x)


def test_pinhole_pixels_are_focal_length_times_plane_plus_centre() -> None:
    pixels = project_pixels(
        torch.tensor([[0.0, 0.0, 5.0], [1.0, 2.0, 4.0]]), Calibration.pinhole(100.0, (50.0, 60.0))
    )
    torch.testing.assert_close(pixels, torch.tensor([[50.0, 60.0], [75.0, 110.0]]))


def test_intrinsics_broadcast_over_leading_shapes() -> None:
    cameras = [camera(H36M_54138969), camera(H36M_55011271)]
    both = Calibration(
        *(
            torch.stack([getattr(c, name) for c in cameras])[:, None]
            for name in ("f_px", "c_px", "radial", "tangential")
        )
    )
    X = points_in_front(2, 5, dtype=torch.float64)
    pixels = project_pixels(X, both)
    rays = pixels_to_rays(pixels, both)
    for k, one in enumerate(cameras):
        torch.testing.assert_close(pixels[k], project_pixels(X[k], one))
        torch.testing.assert_close(rays[k], pixels_to_rays(pixels[k], one))


def test_map_reaches_every_tensor() -> None:
    doubled = camera(H36M_54138969, torch.float32).map(torch.Tensor.double)
    for name in H36M_54138969:
        assert getattr(doubled, name).dtype == torch.float64


def test_camera_to_world_inverts_world_to_camera(
    batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    X = points_in_front(*batch, dtype=dtype)
    R = random_rotation(*batch, dtype=dtype)
    C = torch.randn(*batch, 3, generator=torch.Generator().manual_seed(1), dtype=dtype)
    seen = world_to_camera(X, R, C)
    torch.testing.assert_close(camera_to_world(seen, R, C), X, atol=10 * tol, rtol=0)
    distances = torch.cdist(seen.double(), seen.double())
    torch.testing.assert_close(
        distances, torch.cdist(X.double(), X.double()), atol=100 * tol, rtol=0
    )


def test_the_rows_of_the_rotation_are_the_cameras_axes() -> None:
    R = random_rotation(dtype=torch.float64)
    C = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    seen = world_to_camera(torch.stack([C, C + R[0], C + R[1], C + R[2]]), R, C)
    expected = torch.cat([torch.zeros(1, 3), torch.eye(3)]).double()
    torch.testing.assert_close(seen, expected)


def test_many_cameras_see_the_same_motion() -> None:
    X = points_in_front(1, 5, dtype=torch.float64)
    R, C = random_rotation(4, 1, dtype=torch.float64), torch.randn(4, 1, 3).double()
    seen = world_to_camera(X, R, C)
    assert seen.shape == (4, 5, 17, 3)
    for k in range(4):
        torch.testing.assert_close(seen[k], world_to_camera(X[0], R[k, 0], C[k, 0]))


def test_shapes_are_checked_under_pytest() -> None:
    with pytest.raises(TypeCheckError, match="project"):
        project(torch.zeros(17, 2))
    with pytest.raises(TypeCheckError, match="backproject"):
        backproject(torch.zeros(17, 2), torch.ones(16))
