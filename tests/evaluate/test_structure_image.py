"""The reprojection error against a lens model that is written out joint by joint."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from selflift.data.pose_set import PoseSet
from selflift.evaluate.structure import reprojection_error
from selflift.geometry.camera import Calibration, project_pixels


def cameras(count: int) -> Calibration:
    """Cameras that all differ, with lens distortion."""
    rng = np.random.default_rng(3)
    columns = (
        rng.uniform(1100, 1200, (count, 2)), rng.uniform(480, 520, (count, 2)),
        rng.uniform(-0.2, 0.2, (count, 3)), rng.uniform(-2e-3, 2e-3, (count, 2)),
    )  # fmt: skip
    return Calibration(*map(torch.from_numpy, columns))


def slow_pixel(X: np.ndarray, f: np.ndarray, c: np.ndarray, k: np.ndarray, p: np.ndarray) -> list:
    x, y = X[0] / X[2], X[1] / X[2]
    r2 = x * x + y * y
    radial = 1 + k[0] * r2 + k[1] * r2**2 + k[2] * r2**3
    u = x * radial + 2 * p[0] * x * y + p[1] * (r2 + 2 * x * x)
    v = y * radial + p[0] * (r2 + 2 * y * y) + 2 * p[1] * x * y
    return [f[0] * u + c[0], f[1] * v + c[1]]


def filmed(make_bodies: Callable, count: int = 6) -> tuple[Tensor, Tensor, Tensor, Calibration]:
    """Predictions, absolute truth, the 2D of that with detection errors, and the cameras."""
    rng = np.random.default_rng(0)
    place = torch.from_numpy(rng.uniform([-900, -500, 4000], [900, 500, 6000], (count, 3)))
    truth = 750 * make_bodies(count) + place[:, None]
    prediction = 700 * make_bodies(count, seed=1)
    camera = cameras(count)
    pixels = [
        [slow_pixel(X, f, c, k, p) for X in pose.numpy()]
        for pose, f, c, k, p in zip(
            truth, *(x.numpy() for x in list(vars(camera).values())[:4]), strict=True
        )
    ]
    noise = rng.normal(0, 4, (count, 17, 2))
    return prediction, truth, torch.from_numpy(np.array(pixels) + noise), camera


def test_it_equals_the_lens_model_joint_by_joint(make_bodies: Callable, dtype: torch.dtype) -> None:
    P, T, x, camera = filmed(make_bodies)
    found = reprojection_error(
        P.to(dtype), T.to(dtype), x.to(dtype), camera.map(lambda t: t.to(dtype))
    )
    assert found.dtype == dtype
    for i in range(len(P)):
        f, c, k, p = (column[i].numpy() for column in list(vars(camera).values())[:4])
        errors = [
            np.linalg.norm(slow_pixel((P[i, j] + T[i, 0]).numpy(), f, c, k, p) - x[i, j].numpy())
            for j in range(17)
        ]
        assert found[i].item() == pytest.approx(np.mean(errors), rel=1e-3)


def test_the_truth_of_a_filmed_set_reprojects_onto_its_2d(
    make_pose_set: Callable[..., PoseSet],
) -> None:
    poses = make_pose_set()
    assert poses.cameras is not None
    truth = torch.from_numpy(poses.poses_3d)
    camera, x = poses.cameras.intrinsics(poses.camera.index), torch.from_numpy(poses.poses_2d)
    assert reprojection_error(truth - truth[:, :1], truth, x, camera).max() < 1e-2


def test_it_measures_against_the_given_2d(make_bodies: Callable) -> None:
    _, T, x, camera = filmed(make_bodies)
    P = T - T[:, :1]
    error = reprojection_error(P, T, x, camera)
    # Perfect 3D has the error of the detector: the mean length of noise of 4 px in x and in y.
    assert error.mean().item() == pytest.approx(4 * np.sqrt(np.pi / 2), rel=0.15)
    shifted = reprojection_error(P, T, x + torch.tensor([300.0, 400.0]), camera)
    assert shifted.mean().item() == pytest.approx(500, rel=0.01)


def test_it_sees_scale_and_hardly_depth(make_bodies: Callable) -> None:
    _, T, x, camera = filmed(make_bodies)
    P = T - T[:, :1]
    right, small = reprojection_error(P, T, x, camera), reprojection_error(0.5 * P, T, x, camera)
    deep = reprojection_error(P * torch.tensor([1.0, 1.0, 1.1]), T, x, camera)
    assert (small > right + 20).all()
    assert (deep < right + 3).all()


def test_the_named_root_is_where_the_prediction_is_put(make_bodies: Callable) -> None:
    P, T, x, camera = filmed(make_bodies)
    order = [*range(1, 17), 0]
    torch.testing.assert_close(
        reprojection_error(P[:, order], T[:, order], x[:, order], camera, root=16),
        reprojection_error(P, T, x, camera),
    )


def test_predictions_that_are_not_centred_there_raise(make_bodies: Callable) -> None:
    P, T, x, camera = filmed(make_bodies)
    with pytest.raises(ValueError, match="predictions centred on joint 5.*subtract the root"):
        reprojection_error(P, T, x, camera, root=5)
    P[3] += 1.0
    with pytest.raises(ValueError, match="predictions centred on joint 0, got it up to 1 mm off"):
        reprojection_error(P, T, x, camera)


def test_a_pose_that_reaches_behind_the_camera_is_excluded(make_bodies: Callable) -> None:
    P, T, x, camera = filmed(make_bodies)
    before = reprojection_error(P, T, x, camera)
    P[2, 9, 2] = -T[2, 0, 2] - 1.0
    found = reprojection_error(P, T, x, camera)
    assert found.isnan().tolist() == [i == 2 for i in range(6)]
    torch.testing.assert_close(found[3:], before[3:])


def test_missing_joints_are_left_out_of_the_mean(make_bodies: Callable) -> None:
    P, T, x, camera = filmed(make_bodies)
    x[3, 4] += torch.tensor([30.0, 40.0], dtype=x.dtype)
    before = reprojection_error(P, T, x, camera)
    x[3, 7] = torch.nan
    after = reprojection_error(P, T, x, camera)
    own = (project_pixels(P[3:4] + T[3:4, :1], camera.map(lambda t: t[3:4])) - x[3:4]).norm(dim=-1)
    torch.testing.assert_close(after[3:4], own[:, [j for j in range(17) if j != 7]].mean(-1))
    keep = [0, 1, 2, 4, 5]
    torch.testing.assert_close(after[keep], before[keep])


def test_what_cannot_be_scored_raises(make_bodies: Callable) -> None:
    P, T, x, camera = filmed(make_bodies)
    x[1], x[5, 2, 1] = torch.nan, torch.inf
    with pytest.raises(ValueError, match="finite joints, got Inf or no joint .* 2 of 6.*pose 1"):
        reprojection_error(P, T, x, camera)
    P[2] = 0
    with pytest.raises(ValueError, match="predictions with an extent, got 1 of 6.*pose 2"):
        reprojection_error(P, T, x, camera)
