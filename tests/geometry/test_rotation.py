"""Rotations of the cycle, and the exact inverse of the turn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from selflift.geometry.rotation import (
    axis_angle,
    azimuth,
    pitch,
    ray_to_axis,
    turn_about_root,
    turn_back,
)

DEPTH = 10.0


def uniform(*shape: int, scale: float, dtype: torch.dtype, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * (2 * torch.rand(shape, generator=generator, dtype=dtype) - 1)


def unit_vectors(*batch: int, dtype: torch.dtype) -> Tensor:
    axis = torch.randn(*batch, 3, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return axis / axis.norm(dim=-1, keepdim=True)


def every_rotation(batch: tuple, dtype: torch.dtype) -> dict[str, Tensor]:
    angle = uniform(*batch, scale=math.pi, dtype=dtype)
    return {
        "azimuth": azimuth(angle),
        "pitch": pitch(angle),
        "axis_angle": axis_angle(unit_vectors(*batch, dtype=dtype), angle),
        "ray_to_axis": ray_to_axis(uniform(*batch, 2, scale=1.5, dtype=dtype)),
    }


def rotation_angle(R: Tensor) -> np.ndarray:
    return Rotation.from_matrix(R.double().reshape(-1, 3, 3).numpy()).magnitude()


def test_rotations_are_orthonormal_with_determinant_one(
    batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    for R in every_rotation(batch, dtype).values():
        assert R.shape == (*batch, 3, 3) and R.dtype == dtype
        eye = torch.eye(3, dtype=dtype).expand_as(R)
        torch.testing.assert_close(R @ R.mT, eye, atol=tol, rtol=0)
        torch.testing.assert_close(
            torch.linalg.det(R), torch.ones(batch, dtype=dtype), atol=tol, rtol=0
        )


def test_axis_angle_agrees_with_scipy(batch: tuple, dtype: torch.dtype, tol: float) -> None:
    angle = uniform(*batch, scale=math.pi, dtype=dtype)
    axis = unit_vectors(*batch, dtype=dtype)
    rotvec = (axis * angle[..., None]).double().reshape(-1, 3).numpy()
    oracle = torch.from_numpy(Rotation.from_rotvec(rotvec).as_matrix()).reshape(*batch, 3, 3)
    torch.testing.assert_close(axis_angle(axis, angle).double(), oracle, atol=tol, rtol=0)


@pytest.mark.parametrize(("make", "axis"), [(azimuth, (0, 1, 0)), (pitch, (1, 0, 0))])
def test_azimuth_and_pitch_turn_about_the_cameras_axes(make: Callable, axis: tuple) -> None:
    angle = uniform(7, scale=math.pi, dtype=torch.float64)
    axes = torch.tensor(axis, dtype=torch.float64).expand(7, 3)
    torch.testing.assert_close(make(angle), axis_angle(axes, angle))


def test_positive_azimuth_takes_x_towards_minus_z() -> None:
    turned = azimuth(torch.tensor(0.3)) @ torch.tensor([1.0, 0.0, 0.0])
    torch.testing.assert_close(turned, torch.tensor([math.cos(0.3), 0.0, -math.sin(0.3)]))


def test_azimuth_changes_the_order_of_depths() -> None:
    left, right = torch.tensor([-1.0, 0.0, 0.2]), torch.tensor([1.0, 0.0, -0.2])
    R = azimuth(torch.tensor(-math.pi / 2))
    assert left[2] > right[2]
    assert (R @ left)[2] < (R @ right)[2]


def test_azimuth_keeps_heights() -> None:
    X = torch.randn(17, 3, dtype=torch.float64)
    turned = X @ azimuth(torch.tensor(1.1, dtype=torch.float64)).mT
    torch.testing.assert_close(turned[:, 1], X[:, 1])


def test_looking_down_leans_the_head_towards_the_camera() -> None:
    head = torch.tensor([0.0, -1.0, 0.0])
    seen = pitch(torch.tensor(0.2)) @ head
    torch.testing.assert_close(seen, torch.tensor([0.0, -math.cos(0.2), -math.sin(0.2)]))


def test_angles_add(dtype: torch.dtype, tol: float) -> None:
    a, b = uniform(2, 5, scale=math.pi, dtype=dtype)
    for make in (azimuth, pitch):
        torch.testing.assert_close(make(a) @ make(b), make(a + b), atol=tol, rtol=0)
        torch.testing.assert_close(make(-a), make(a).mT)


def test_ray_to_axis_brings_the_ray_onto_the_axis(
    batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    ray = uniform(*batch, 2, scale=2.0, dtype=dtype)
    direction = torch.cat([ray, torch.ones_like(ray[..., :1])], dim=-1)
    turned = (ray_to_axis(ray) @ direction[..., None])[..., 0]
    expected = torch.zeros_like(direction)
    expected[..., 2] = direction.norm(dim=-1)
    torch.testing.assert_close(turned, expected, atol=tol, rtol=0)


def test_ray_to_axis_is_the_smallest_rotation_that_does(
    batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    ray = uniform(*batch, 2, scale=2.0, dtype=dtype)
    rays = ray.double().reshape(-1, 2).numpy()
    direction = np.concatenate([rays, np.ones((len(rays), 1))], axis=1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    between = np.arccos(direction[:, 2])
    axis = np.cross(direction, [0.0, 0.0, 1.0])
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    oracle = Rotation.from_rotvec(axis * between[:, None]).as_matrix()
    R = ray_to_axis(ray)
    np.testing.assert_allclose(R.double().reshape(-1, 3, 3).numpy(), oracle, atol=tol)
    np.testing.assert_allclose(rotation_angle(R), between, atol=1e-3 if tol > 1e-6 else 1e-9)


def test_a_ray_on_the_axis_needs_no_turn() -> None:
    assert torch.equal(ray_to_axis(torch.zeros(2)), torch.eye(3))


def test_turn_back_restores_the_body(
    make_bodies: Callable, batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    X = make_bodies(*batch, dtype=dtype) + torch.tensor([0.3, -0.2, 9.0], dtype=dtype)
    for R in every_rotation(batch, dtype).values():
        Y = turn_about_root(X, R, 0, DEPTH)
        again = turn_back(Y, R, X[..., 0, :], DEPTH)
        torch.testing.assert_close(again, X, atol=10 * tol, rtol=0)


def test_turn_about_root_is_the_formula(make_bodies: Callable) -> None:
    X = make_bodies(3) + torch.tensor([0.3, -0.2, 9.0])
    R = every_rotation((3,), torch.float64)["axis_angle"]
    root = 8
    Y = turn_about_root(X, R, root, DEPTH)
    for b in range(3):
        for j in range(17):
            expected = R[b] @ (X[b, j] - X[b, root]) + torch.tensor([0.0, 0.0, DEPTH])
            torch.testing.assert_close(Y[b, j], expected)


def test_the_root_stands_on_the_axis_at_depth_c(
    make_bodies: Callable, batch: tuple, dtype: torch.dtype
) -> None:
    X = make_bodies(*batch, dtype=dtype) + torch.tensor([5.0, -2.0, 9.0], dtype=dtype)
    R = every_rotation(batch, dtype)["axis_angle"]
    root = turn_about_root(X, R, 0, DEPTH)[..., 0, :]
    assert torch.equal(root, torch.tensor([0.0, 0.0, DEPTH], dtype=dtype).expand_as(root))


def test_turning_keeps_all_distances(make_bodies: Callable) -> None:
    X = make_bodies(3)
    R = every_rotation((3,), torch.float64)["axis_angle"]
    Y = turn_about_root(X, R, 0, DEPTH)
    torch.testing.assert_close(torch.cdist(Y, Y), torch.cdist(X, X))


def test_one_rotation_turns_a_whole_batch(make_bodies: Callable) -> None:
    X = make_bodies(4)
    R = azimuth(torch.tensor(0.7, dtype=torch.float64))
    Y = turn_about_root(X, R, 0, DEPTH)
    torch.testing.assert_close(Y[2], turn_about_root(X[2], R, 0, DEPTH))


@pytest.mark.parametrize("make", [azimuth, pitch])
def test_gradient_of_an_angle_is_right_at_zero_too(make: Callable) -> None:
    for value in (0.0, 0.9):
        angle = torch.full((2,), value, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(make, (angle,))


def test_gradient_of_ray_to_axis_is_right_on_the_axis_too() -> None:
    for value in (0.0, 0.4):
        ray = torch.full((2, 2), value, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(ray_to_axis, (ray,))


def test_gradient_flows_through_turn_and_back(make_bodies: Callable) -> None:
    X = make_bodies(2).requires_grad_()
    angle = torch.tensor([0.4, -2.0], dtype=torch.float64, requires_grad=True)

    def there_and_back(X: Tensor, angle: Tensor) -> Tensor:
        R = azimuth(angle)
        Y = turn_about_root(X, R, 0, DEPTH)
        return turn_back(Y * 1.01, R, X[:, 0], DEPTH)

    assert torch.autograd.gradcheck(there_and_back, (X, angle))
