"""From pixels to what the lifter sees, and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from selflift.geometry import normalise
from selflift.geometry.bodies import bone_lengths, skeleton_height
from selflift.geometry.camera import backproject, project
from selflift.geometry.normalise import Normaliser, centre, pose_size
from selflift.geometry.rotation import ray_to_axis
from selflift.skeleton import H36M_17

DEPTH = 10.0
ROOT, HEAD = H36M_17.root, H36M_17.head


@pytest.fixture
def make_rays(make_bodies: Callable) -> Callable[..., Tensor]:
    """Persons in a room, seen by a camera: off the axis, near and far."""

    def make(*batch: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
        rng = np.random.default_rng(seed)
        place = rng.uniform([-1.5, -0.8, 4.0], [1.5, 0.8, 7.0], (*batch, 3))
        X = 0.75 * make_bodies(*batch, seed=seed) + torch.from_numpy(place)[..., None, :]
        return project(X).to(dtype)

    return make


def in_plane(x: Tensor) -> Tensor:
    """What a roll of the camera leaves alone: all scalar products and the orientation."""
    a, b = x[..., :, None, :], x[..., None, :, :]
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return torch.stack([(a * b).sum(-1), cross])


@pytest.mark.parametrize("method", ["rotate", "translate"])
def test_the_root_comes_to_the_origin(
    make_rays: Callable, batch: tuple, dtype: torch.dtype, tol: float, method: str
) -> None:
    centred = centre(make_rays(*batch, dtype=dtype), ROOT, method)
    root = centred.x[..., ROOT, :]
    assert centred.x.dtype == dtype and centred.R.shape == (*batch, 3, 3)
    torch.testing.assert_close(root, torch.zeros_like(root), atol=tol, rtol=0)


def test_rotate_is_the_view_of_a_virtual_camera(
    make_bodies: Callable, batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    X = make_bodies(*batch, dtype=dtype) + torch.tensor([1.2, -0.7, 5.0], dtype=dtype)
    centred = centre(project(X), ROOT, "rotate")
    R = ray_to_axis(project(X)[..., ROOT, :])
    torch.testing.assert_close(centred.R, R)
    torch.testing.assert_close(centred.x, project(X @ R.mT), atol=tol, rtol=0)


def test_rotate_sees_the_same_wherever_the_person_is_turned_about_the_camera(
    make_bodies: Callable,
) -> None:
    X = make_bodies(8) + torch.tensor([0.0, 0.0, 6.0])
    rng = np.random.default_rng(0)
    turn = Rotation.from_rotvec(rng.uniform(-0.35, 0.35, (8, 3))).as_matrix()
    moved = X @ torch.from_numpy(turn).mT
    here, there = (centre(project(Y), ROOT, "rotate").x for Y in (X, moved))
    torch.testing.assert_close(in_plane(there), in_plane(here), atol=1e-12, rtol=0)
    # Subtracting the root instead leaves a perspective error.
    here, there = (centre(project(Y), ROOT, "translate").x for Y in (X, moved))
    assert (in_plane(there) - in_plane(here)).abs().max() > 1e-3


def test_translate_subtracts_the_root(make_rays: Callable) -> None:
    rays = make_rays(3)
    centred = centre(rays, ROOT, "translate")
    torch.testing.assert_close(centred.x, rays - rays[:, :1])
    assert torch.equal(centred.R, torch.eye(3, dtype=rays.dtype).expand(3, 3, 3))


def test_unknown_centring_is_refused(make_rays: Callable) -> None:
    with pytest.raises(ValueError, match="normalise.centre: expected 'rotate' or 'translate', got"):
        centre(make_rays(2), ROOT, "crop")


def test_pose_size_is_the_root_mean_square_of_the_distances(make_rays: Callable) -> None:
    x = make_rays(2)
    for b in range(2):
        mean = sum(float(u**2 + v**2) for u, v in x[b]) / 17
        assert float(pose_size(x)[b]) == pytest.approx(math.sqrt(mean), rel=1e-12)


@pytest.mark.parametrize("method", ["rotate", "translate"])
def test_set_brings_the_mean_head_root_distance_to_one_over_c(
    make_rays: Callable, method: str
) -> None:
    rays = make_rays(200)
    normaliser = Normaliser.fit(rays, H36M_17, DEPTH, method, "set")
    normalised = normaliser.apply(rays, H36M_17)
    distance = (normalised.x[:, HEAD] - normalised.x[:, ROOT]).norm(dim=-1)
    assert float(distance.mean()) == pytest.approx(1 / DEPTH, rel=1e-12)
    assert float(distance.std()) > 0.005, "one factor must not make all poses alike"
    assert (normalised.factor == normaliser.factor).all()
    assert float(pose_size(normalised.x).mean()) == pytest.approx(normaliser.size, rel=1e-12)


def test_sample_gives_every_pose_the_average_size(make_rays: Callable) -> None:
    rays = make_rays(200)
    normaliser = Normaliser.fit(rays, H36M_17, DEPTH, "rotate", "sample")
    other = make_rays(2, 3, seed=1)
    normalised = normaliser.apply(other, H36M_17)
    sizes = pose_size(normalised.x)
    torch.testing.assert_close(sizes, torch.full_like(sizes, normaliser.size))
    as_set = Normaliser.fit(rays, H36M_17, DEPTH, "rotate", "set").apply(rays, H36M_17)
    assert normaliser.size == pytest.approx(float(pose_size(as_set.x).mean()), rel=1e-12)


def test_sample_ignores_the_persons_distance(make_bodies: Callable) -> None:
    flat = make_bodies(4) * torch.tensor([1.0, 1.0, 0.0])
    near, far = (flat + torch.tensor([0.0, 0.0, z]) for z in (4.0, 9.0))
    rays = project(near)
    sample, whole = (
        Normaliser.fit(rays, H36M_17, DEPTH, scale=scale) for scale in ("sample", "set")
    )
    torch.testing.assert_close(sample.apply(project(far), H36M_17).x, sample.apply(rays, H36M_17).x)
    ratio = whole.apply(project(far), H36M_17).x / whole.apply(rays, H36M_17).x
    torch.testing.assert_close(ratio[:, 1:], torch.full_like(ratio[:, 1:], 4 / 9))


@pytest.mark.parametrize("scale", ["set", "sample"])
def test_normalising_can_be_undone(
    make_rays: Callable, batch: tuple, dtype: torch.dtype, tol: float, scale: str
) -> None:
    normaliser = Normaliser.fit(make_rays(50, seed=1), H36M_17, DEPTH, "rotate", scale)
    rays = make_rays(*batch, dtype=dtype)
    normalised = normaliser.apply(rays, H36M_17)
    assert normalised.x.dtype == dtype and normalised.factor.shape == batch
    x = normalised.x / normalised.factor[..., None, None]
    back = project(normalised.to_camera(backproject(x, torch.ones_like(x[..., 0]))))
    torch.testing.assert_close(back, rays, atol=10 * tol, rtol=0)


def test_to_camera_turns_a_lifted_pose_back_to_the_real_camera(make_bodies: Callable) -> None:
    X = make_bodies(5) + torch.tensor([1.0, -0.5, 5.0])
    rays = project(X)
    normalised = Normaliser.fit(rays, H36M_17, DEPTH).apply(rays, H36M_17)
    seen_virtually = X @ normalised.R.mT
    torch.testing.assert_close(normalised.to_camera(seen_virtually), X)


def test_a_person_has_about_one_unit_from_root_to_head(make_rays: Callable) -> None:
    rays = make_rays(100)
    x = Normaliser.fit(rays, H36M_17, DEPTH).apply(rays, H36M_17).x
    body = backproject(x, torch.full_like(x[..., 0], DEPTH))
    assert float((body[:, HEAD] - body[:, ROOT]).norm(dim=-1).mean()) == pytest.approx(1, abs=1e-9)


def test_unknown_scale_is_refused(make_rays: Callable) -> None:
    with pytest.raises(ValueError, match="normalise.scale: expected 'set' or 'sample', got 'all'"):
        Normaliser.fit(make_rays(3), H36M_17, DEPTH, scale="all")


def test_unknown_centring_is_refused_by_fit(make_rays: Callable) -> None:
    with pytest.raises(ValueError, match="normalise.centre: expected 'rotate' or 'translate', got"):
        Normaliser.fit(make_rays(3), H36M_17, DEPTH, centre_method="crop")


@pytest.mark.parametrize("method", ["rotate", "translate"])
def test_heads_on_the_roots_are_refused(
    make_rays: Callable, dtype: torch.dtype, method: str
) -> None:
    rays = make_rays(3, dtype=dtype)
    rays[:, HEAD] = rays[:, ROOT]
    with pytest.raises(ValueError, match="heads that all lie on the roots; check the joint order"):
        Normaliser.fit(rays, H36M_17, DEPTH, method)


@pytest.mark.parametrize("scale", ["set", "sample"])
@pytest.mark.parametrize("method", ["rotate", "translate"])
def test_a_pose_in_one_point_is_refused(
    make_rays: Callable, dtype: torch.dtype, scale: str, method: str
) -> None:
    normaliser = Normaliser.fit(make_rays(20), H36M_17, DEPTH, method, scale)
    for seed in range(10):
        rays = make_rays(4, seed=seed, dtype=dtype)
        rays[2] = rays[2, :1]
        with pytest.raises(ValueError, match="all joints in one point; drop such poses"):
            normaliser.apply(rays, H36M_17)


def test_bone_lengths_agree_with_a_loop(
    make_bodies: Callable, batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    X = make_bodies(*batch, dtype=dtype)
    lengths = bone_lengths(X, H36M_17)
    assert lengths.shape == (*batch, 16)
    for i, (parent, child) in enumerate(H36M_17.bones):
        expected = (X[..., child, :] - X[..., parent, :]).square().sum(-1).sqrt()
        torch.testing.assert_close(lengths[..., i], expected, atol=tol, rtol=0)


def test_skeleton_height_is_legs_and_spine_added_up(make_bodies: Callable, batch: tuple) -> None:
    X = make_bodies(*batch)
    height = skeleton_height(X, H36M_17)
    assert height.shape == batch

    def length(body: Tensor, a: str, b: str) -> float:
        return math.dist(body[H36M_17.index(a)].tolist(), body[H36M_17.index(b)].tolist())

    for index in np.ndindex(batch):
        body = X[index]
        spine = ["Hip", "Spine", "Thorax", "Nose", "Head"]
        expected = sum(length(body, a, b) for a, b in pairwise(spine))
        for side in "LR":
            thigh = length(body, f"{side}Hip", f"{side}Knee")
            expected += (thigh + length(body, f"{side}Knee", f"{side}Foot")) / 2
        assert float(height[index]) == pytest.approx(expected, rel=1e-12)


def test_skeleton_height_of_a_stick_man_is_his_height_in_any_posture() -> None:
    joints = dict.fromkeys(H36M_17.joints, (0.0, 0.0, 0.0))
    joints |= {"RKnee": (0, 0, -0.5), "LKnee": (0, 0, -0.5)}
    joints |= {"RFoot": (0, 0, -0.9), "LFoot": (0, 0, -0.9)}
    joints |= {"Spine": (0, 0, 0.2), "Thorax": (0, 0, 0.5), "Nose": (0, 0, 0.6)}
    joints |= {"Head": (0, 0, 0.7)}
    upright = torch.tensor([joints[name] for name in H36M_17.joints])
    joints |= {"RKnee": (0, 0.5, 0), "RFoot": (0, 0.5, -0.4), "Head": (0, 0.1, 0.6)}
    seated = torch.tensor([joints[name] for name in H36M_17.joints])
    for pose in (upright, seated):
        assert float(skeleton_height(pose, H36M_17)) == pytest.approx(1.6)


def incomplete(rays: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The same poses with about a third of the joints missing, never the root; and which."""
    rng = np.random.default_rng(seed)
    missing = torch.from_numpy(rng.random(rays.shape[:-1]) < 1 / 3)
    missing[..., ROOT] = False
    return rays.masked_fill(missing[..., None], torch.nan), missing


@pytest.mark.parametrize("method", ["rotate", "translate"])
def test_missing_joints_come_to_the_origin_and_change_no_other(
    make_rays: Callable, batch: tuple, dtype: torch.dtype, tol: float, method: str
) -> None:
    normaliser = Normaliser.fit(make_rays(50, seed=1), H36M_17, DEPTH, method, "set")
    rays = make_rays(*batch, dtype=dtype)
    lacking, missing = incomplete(rays)
    assert bool(missing.any()), "the case is to occur"
    whole, seen = normaliser.apply(rays, H36M_17), normaliser.apply(lacking, H36M_17)
    assert torch.equal(seen.present, ~missing) and bool(whole.present.all())
    assert bool((seen.x[missing] == 0).all())
    torch.testing.assert_close(seen.x[~missing], whole.x[~missing], atol=tol, rtol=0)
    assert torch.equal(seen.R, whole.R) and torch.equal(seen.factor, whole.factor)


def test_a_joint_without_one_of_its_coordinates_is_missing(make_rays: Callable) -> None:
    normaliser = Normaliser.fit(make_rays(50, seed=1), H36M_17, DEPTH)
    rays = make_rays(3)
    rays[0, 5, 1], rays[2, 9, 0] = torch.nan, torch.inf
    seen = normaliser.apply(rays, H36M_17)
    assert (~seen.present).nonzero().tolist() == [[0, 5], [2, 9]]
    assert bool(torch.isfinite(seen.x).all())


@pytest.mark.parametrize("scale", ["set", "sample"])
def test_only_complete_poses_are_measured(make_rays: Callable, scale: str) -> None:
    rays = make_rays(40)
    lacking = rays.clone()
    lacking[::3], missing = incomplete(rays[::3])
    assert bool(missing.any(-1).all()), "each of these is to lack a joint"
    keep = [i for i in range(40) if i % 3]
    fitted = Normaliser.fit(lacking, H36M_17, DEPTH, "rotate", scale)
    assert fitted == Normaliser.fit(rays[keep], H36M_17, DEPTH, "rotate", scale)
    assert fitted != Normaliser.fit(rays, H36M_17, DEPTH, "rotate", scale)


def test_poses_that_all_lack_joints_are_refused(make_rays: Callable) -> None:
    rays = make_rays(6)
    rays[:, 4] = torch.nan
    with pytest.raises(ValueError, match="at least one complete pose to measure .* got 6 poses"):
        Normaliser.fit(rays, H36M_17, DEPTH)


@pytest.mark.parametrize("method", ["rotate", "translate"])
def test_poses_without_their_root_are_refused(make_rays: Callable, method: str) -> None:
    normaliser = Normaliser.fit(make_rays(20), H36M_17, DEPTH, method)
    rays = make_rays(5)
    rays[1:3, ROOT] = torch.nan
    words = "expected the root \\('Hip'\\) in every pose, got 2 without it; leave these out"
    with pytest.raises(ValueError, match=words):
        normaliser.apply(rays, H36M_17)


@pytest.mark.parametrize("shares", [True, False])
@pytest.mark.parametrize("method", ["rotate", "translate"])
def test_poses_of_which_only_the_root_is_there_are_refused(
    make_rays: Callable,
    dtype: torch.dtype,
    method: str,
    shares: bool,
) -> None:
    normaliser = Normaliser.fit(make_rays(20, dtype=dtype), H36M_17, DEPTH, method, "sample")
    if not shares:
        normaliser = replace(normaliser, shares=())
    for pose in make_rays(10, seed=2, dtype=dtype):
        pose[1:] = torch.nan
        with pytest.raises(ValueError, match="all joints in one point; drop such poses"):
            normaliser.apply(pose, H36M_17)


def test_shares_are_each_joints_part_of_the_mean_square(make_rays: Callable) -> None:
    rays = make_rays(30)
    shares = Normaliser.fit(rays, H36M_17, DEPTH, "translate").shares
    x = (rays - rays[:, :1]).tolist()
    squares = [sum(math.hypot(*pose[j]) ** 2 for pose in x) / 30 for j in range(17)]
    assert shares == pytest.approx([17 * square / sum(squares) for square in squares])
    assert shares[ROOT] == 0 and sum(shares) == pytest.approx(17)
    # Feet are farther from the hip than knees are.
    assert shares[H36M_17.index("RFoot")] > 2 * shares[H36M_17.index("RKnee")]


def test_pose_size_of_what_is_there_agrees_with_a_loop(make_rays: Callable) -> None:
    x = centre(make_rays(8), ROOT, "translate").x
    _, missing = incomplete(x)
    shares = torch.linspace(0.2, 1.8, 17, dtype=x.dtype)
    plain, shared = pose_size(x, ~missing), pose_size(x, ~missing, shares)
    for b in range(8):
        there = [j for j in range(17) if not missing[b, j]]
        square = sum(float(x[b, j].square().sum()) for j in there)
        assert float(plain[b]) == pytest.approx(math.sqrt(square / len(there)), rel=1e-12)
        expected = math.sqrt(square / sum(float(shares[j]) for j in there))
        assert float(shared[b]) == pytest.approx(expected, rel=1e-12)


def test_of_complete_poses_pose_size_is_one_with_shares_and_without(
    make_rays: Callable, batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    x = centre(make_rays(*batch, dtype=dtype), ROOT, "translate").x
    there = torch.ones(*batch, 17, dtype=torch.bool)
    shares = torch.linspace(0.2, 1.8, 17, dtype=dtype)
    for size in (pose_size(x, there), pose_size(x, there, shares)):
        torch.testing.assert_close(size, pose_size(x), atol=tol, rtol=0)


def test_a_pose_of_the_usual_extents_has_its_size_whatever_is_missing() -> None:
    # Every joint as far from the root as ever, in any direction; large and small poses.
    rng = np.random.default_rng(0)
    angle = torch.from_numpy(rng.uniform(0, 2 * np.pi, (60, 17)))
    reach = torch.from_numpy(np.concatenate([[0.0], rng.uniform(0.02, 0.2, 16)]))
    scale = torch.from_numpy(rng.uniform(0.5, 2, (60, 1)))
    x = torch.stack([angle.cos(), angle.sin()], -1) * (reach * scale)[..., None]
    normaliser = Normaliser.fit(x, H36M_17, DEPTH, "translate", "sample")
    lacking, missing = incomplete(x)
    whole, seen = normaliser.apply(x, H36M_17), normaliser.apply(lacking, H36M_17)
    torch.testing.assert_close(seen.factor, whole.factor, atol=0, rtol=1e-6)
    torch.testing.assert_close(seen.x[~missing], whole.x[~missing], atol=1e-7, rtol=1e-6)
    # Checkpoints from before count all joints alike, and such poses as smaller or larger.
    alike = replace(normaliser, shares=()).apply(lacking, H36M_17)
    assert (alike.factor / whole.factor - 1).abs().max() > 0.1


def test_without_its_feet_a_person_does_not_count_as_smaller(make_rays: Callable) -> None:
    normaliser = Normaliser.fit(make_rays(200), H36M_17, DEPTH, "rotate", "sample")
    rays = make_rays(200, seed=1)
    whole = normaliser.apply(rays, H36M_17).factor
    rays[:, [H36M_17.index("RFoot"), H36M_17.index("LFoot")]] = torch.nan
    ratio = normaliser.apply(rays, H36M_17).factor / whole
    assert float(ratio.mean()) == pytest.approx(1, abs=0.02)
    alike = replace(normaliser, shares=()).apply(rays, H36M_17).factor / whole
    assert float(alike.mean()) > 1.1


@pytest.mark.parametrize(
    "changes",
    [
        {"centre": "rotat"}, {"scale": 3}, {"factor": float("nan")}, {"size": -1.0},
        {"factor": "1"}, {"shares": [1.0, None]}, {"shares": 3}, {"colour": 3},
    ],
)  # fmt: skip
def test_a_stored_normaliser_of_another_kind_is_refused(changes: dict) -> None:
    stored = {"centre": "rotate", "scale": "set", "factor": 1.0, "size": 0.1, "shares": [1.0, 2.0]}
    assert Normaliser.from_plain(stored).shares == (1.0, 2.0)
    with pytest.raises((TypeError, ValueError)):
        Normaliser.from_plain({**stored, **changes})


@pytest.mark.parametrize("scale", ["set", "sample"])
def test_a_set_in_parts_has_the_normaliser_of_the_whole_bit_for_bit(
    make_rays: Callable, scale: str
) -> None:
    rays = make_rays(700, dtype=torch.float32)
    rays[::7, 4] = torch.nan
    whole = Normaliser.fit(rays, H36M_17, DEPTH, "rotate", scale)
    for length in (100, 350, 699):
        parts = rays.split(length)
        assert Normaliser.fit_parts(parts, 700, H36M_17, DEPTH, "rotate", scale) == whole


def test_a_mean_over_several_pieces_is_the_mean_whatever_the_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(normalise, "PIECE", 64)
    rows = torch.rand(1000, 17, generator=torch.Generator().manual_seed(0))
    found = []
    for length in (1, 63, 64, 65, 1000):
        mean = normalise.MeanRow(1000, 17)
        for some in rows.split(length):
            mean.add(some)
        found.append(mean.mean())
    torch.testing.assert_close(found[0], rows.double().mean(0), rtol=1e-14, atol=0)
    assert all(torch.equal(one, found[0]) for one in found)
