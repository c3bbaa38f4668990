"""Numbers without truth: they equal loops, don't look at the truth, and tell wrong from right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from selflift.data.pose_set import PoseSet
from selflift.data.rays import rays_of
from selflift.evaluate import without_truth
from selflift.evaluate.without_truth import MEANING, Unlabelled, assess
from selflift.geometry.anatomy import knee_score
from selflift.geometry.bodies import skeleton_height
from selflift.geometry.normalise import Normaliser
from selflift.geometry.rotation import azimuth
from selflift.method.views import ViewSampler
from selflift.models import Lifter
from selflift.skeleton import H36M_17, PAPER_14_HIP

MakePoseSet = Callable[..., PoseSet]
ROOT = H36M_17.root
MIRROR = list(H36M_17.mirror)


class ViewOfPose(ViewSampler):
    """Turns each pose by an angle of its own, so that neither order nor batch matters."""

    def sample(self, like: Tensor, elevation_rad: Tensor | None, generator: object) -> Tensor:
        return azimuth(angle_of(like))


class Tilt(Lifter):
    """Offsets that are ``slope`` times the image's x: asymmetric when mirrored, unlike a body."""

    def __init__(self, slope: float, elevation_rad: float | None = None) -> None:
        super().__init__(width=8, num_blocks=1, elevation=elevation_rad is not None)
        self.slope, self.own = slope, elevation_rad

    def _network(self, x: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor | None, None]:
        own = None if self.own is None else torch.full_like(x[..., 0, 0], self.own)
        return self.slope * x[..., 0], own, None


def angle_of(x: Tensor) -> Tensor:
    return 1 + 20 * x[..., 16, 0]


def network(elevation: bool = False, mirror_average: bool = False) -> Lifter:
    torch.manual_seed(0)
    lifter = Lifter(width=16, num_blocks=1, elevation=elevation, mirror_average=mirror_average)
    # Freshly initialised it is nearly flat, and nothing can go wrong with a flat body.
    lifter.depth_head.weight.data *= 20
    return lifter


@pytest.fixture
def poses(make_pose_set: MakePoseSet) -> PoseSet:
    return make_pose_set(clips=2, frames=5)


@pytest.fixture
def fitted(poses: PoseSet) -> Normaliser:
    return Normaliser.fit(rays_of(poses, "rotate"), H36M_17, depth=10.0, scale="sample")


def same(a: Unlabelled, b: Unlabelled) -> bool:
    return a.per_set == b.per_set and all(
        np.array_equal(a.per_pose[key], b.per_pose[key], equal_nan=True) for key in a.per_pose
    )


@pytest.mark.parametrize("mirror_average", [False, True])
def test_consistency_equals_the_cycle_pose_by_pose(
    poses: PoseSet, fitted: Normaliser, mirror_average: bool
) -> None:
    lifter = network(mirror_average=mirror_average)
    found = assess(lifter, fitted, poses, batch_size=7, views=3, sampler=ViewOfPose())
    seen = fitted.apply(rays_of(poses, "rotate"), H36M_17).x
    for i, x in enumerate(seen):
        with torch.no_grad():
            X = lifter.lift(x[None])[0].numpy()
            c, s = np.cos(float(angle_of(x))), np.sin(float(angle_of(x)))
            turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
            axis = np.array([0, 0, 10])
            Y = (X - X[ROOT]) @ turn.T + axis
            y = torch.from_numpy((Y[:, :2] / Y[:, 2:]).astype(np.float32))
            Y_hat = lifter.lift(y[None])[0].numpy()
        X_hat = (Y_hat - axis) @ turn + X[ROOT]
        x_hat = X_hat[:, :2] / X_hat[:, 2:]
        height = float(skeleton_height(torch.from_numpy(X), H36M_17))
        in_3d = np.linalg.norm(Y - Y_hat, axis=-1).mean()
        in_2d = np.linalg.norm(x.numpy() - x_hat, axis=-1).mean()
        assert found.per_pose["consistency_3d_pct"][i] == pytest.approx(
            100 * in_3d / height, rel=1e-3
        )
        assert found.per_pose["consistency_2d_pct"][i] == pytest.approx(
            100 * 10 * in_2d / height, rel=1e-3
        )


def test_consistency_is_perfect_when_the_view_does_not_change(
    poses: PoseSet, fitted: Normaliser
) -> None:
    still = ViewSampler("paper", azimuth_range_deg=0.0, elevation_range_deg=0.0)
    found = assess(network(), fitted, poses, sampler=still).per_pose
    assert found["consistency_3d_pct"].max() < 1e-3
    assert found["consistency_2d_pct"].max() < 1e-3


def test_mirror_test_equals_the_formula_even_when_the_lifter_averages(
    poses: PoseSet, fitted: Normaliser
) -> None:
    # Mirrored back, the offset slope * x has the opposite sign: the gap is 2 |slope x (x, y, 1)|.
    lifter = Tilt(slope=3.0)
    x = fitted.apply(rays_of(poses, "rotate"), H36M_17).x.double().numpy()
    ray = np.concatenate([x, np.ones_like(x[..., :1])], -1)
    gap = np.linalg.norm(2 * 3.0 * x[..., :1] * ray, axis=-1).mean(-1)
    for average in (False, True):
        lifter.mirror_average = average
        height = (
            skeleton_height(lifter.eval().lift(torch.from_numpy(x).float()), H36M_17)
            .double()
            .numpy()
        )
        found = assess(lifter, fitted, poses).per_pose["mirror_pct"]
        np.testing.assert_allclose(found, 100 * gap / height, rtol=1e-4)
        assert lifter.mirror_average is average


def test_a_lifter_that_treats_left_and_right_alike_passes_the_mirror_test(
    poses: PoseSet, fitted: Normaliser
) -> None:
    assert assess(Tilt(0.0), fitted, poses).per_pose["mirror_pct"].max() < 1e-4


def test_truth_is_not_looked_at(poses: PoseSet, fitted: Normaliser) -> None:
    assert poses.poses_3d is not None
    reference = assess(network(elevation=True), fitted, poses)
    for other in (None, poses.poses_3d[::-1] * 2):
        assert same(
            assess(network(elevation=True), fitted, replace(poses, poses_3d=other)), reference
        )


def test_numbers_follow_their_poses_whatever_the_order_and_the_batch(
    poses: PoseSet, fitted: Normaliser
) -> None:
    order = np.random.default_rng(0).permutation(len(poses))
    lifter = network(elevation=True)
    one = assess(lifter, fitted, poses, sampler=ViewOfPose())
    other = assess(lifter, fitted, poses.select(order), batch_size=3, sampler=ViewOfPose())
    for key, values in one.per_pose.items():
        np.testing.assert_allclose(other.per_pose[key], values[order], rtol=2e-3, err_msg=key)


def test_same_seed_same_numbers_other_seed_others(poses: PoseSet, fitted: Normaliser) -> None:
    first, again = (assess(network(), fitted, poses, seed=1) for _ in range(2))
    assert same(first, again)
    other = assess(network(), fitted, poses, seed=2)
    assert not same(first, other)
    assert np.array_equal(first.per_pose["symmetry_pct"], other.per_pose["symmetry_pct"])
    # Of one pose the order can't change: its views must.
    alone = poses.select(np.arange(1))
    assert not same(*(assess(network(), fitted, alone, seed=seed) for seed in (1, 2)))


def test_more_views_draw_more_and_average(poses: PoseSet, fitted: Normaliser) -> None:
    one, many = (assess(network(), fitted, poses, views=v).per_pose for v in (1, 64))
    spread_of_one, spread_of_many = (p["consistency_3d_pct"].std() for p in (one, many))
    assert spread_of_many < spread_of_one
    assert many["consistency_3d_pct"].mean() == pytest.approx(
        one["consistency_3d_pct"].mean(), rel=0.3
    )


def test_views_stand_around_the_predicted_elevation_if_there_is_one(
    poses: PoseSet, fitted: Normaliser
) -> None:
    for lifter, kind in ((Tilt(3.0), "paper"), (Tilt(3.0, elevation_rad=0.4), "learned")):
        default = assess(lifter, fitted, poses)
        assert same(default, assess(lifter, fitted, poses, sampler=ViewSampler(kind)))
        assert not same(default, assess(lifter, fitted, poses, sampler=ViewSampler("known")))


def test_batches_are_a_random_sample_of_the_set(poses: PoseSet, fitted: Normaliser) -> None:
    batches: list[Tensor] = []

    class Witness(ViewSampler):
        def sample(self, like: Tensor, elevation_rad: Tensor | None, generator: object) -> Tensor:
            batches.append(like)
            return azimuth(angle_of(like))

    assess(network(), fitted, poses, batch_size=20, views=1, sampler=Witness())
    x = fitted.apply(rays_of(poses, "rotate"), H36M_17).x
    rows = [torch.cdist(part.flatten(1), x.flatten(1)).argmin(1).tolist() for part in batches]
    assert sorted(row for part in rows for row in part) == list(range(40))
    for part in rows:
        assert {poses.clip.values[row] for row in part} == {"clip0", "clip1"}


def test_elevation_is_reported_in_degrees_with_its_spread(
    poses: PoseSet, fitted: Normaliser
) -> None:
    found = assess(Tilt(0.0, elevation_rad=np.radians(25.0)), fitted, poses)
    np.testing.assert_allclose(found.per_pose["elevation_deg"], 25, atol=1e-4)
    np.testing.assert_allclose(found.per_pose["elevation_spread_deg"], 0, atol=1e-4)
    assert found.per_set["elevation_std_deg"] == pytest.approx(0, abs=1e-4)

    found = assess(network(elevation=True), fitted, poses)
    elevation = found.per_pose["elevation_deg"]
    assert found.per_set["elevation_std_deg"] == pytest.approx(elevation.std())
    clip, camera = poses.clip.values, poses.camera.values
    own = (clip == clip[0]) & (camera == camera[0])
    assert found.per_pose["elevation_spread_deg"][0] == pytest.approx(elevation[own].std(ddof=1))
    assert not any("elevation" in key for key in assess(network(), fitted, poses).per_set)


def test_the_set_has_means_and_its_own_knee_score_and_criterion(
    poses: PoseSet, fitted: Normaliser
) -> None:
    lifter = network(elevation=True)
    found = assess(lifter, fitted, poses)
    for key in set(found.per_pose) - {"knee_score"}:
        assert found.per_set[key] == pytest.approx(np.nanmean(found.per_pose[key]))
    X = lifter.lift(fitted.apply(rays_of(poses, "rotate"), H36M_17).x).detach()
    assert found.per_set["knee_score"] == pytest.approx(knee_score(X, H36M_17), abs=1e-5)
    product = found.per_set["bone_variation_pct"] * found.per_set["consistency_3d_pct"]
    assert found.per_set["criterion"] == pytest.approx(np.log(product))


def test_recordings_of_single_frames_are_excluded_not_perfect(
    make_pose_set: MakePoseSet, fitted: Normaliser
) -> None:
    poses = make_pose_set(clips=2, frames=5)
    clip0 = poses.clip.index == 0
    first = np.flatnonzero(clip0 | (poses.frame == 0))
    found = assess(network(elevation=True), fitted, poses.select(first))
    lonely = ~clip0[first]
    for key in ("bone_variation_pct", "elevation_spread_deg"):
        assert np.array_equal(np.isnan(found.per_pose[key]), lonely)
        assert found.per_set[f"excluded_{key}"] == lonely.sum() == 4
        assert found.per_set[key] == pytest.approx(found.per_pose[key][~lonely].mean())

    alone = assess(network(), fitted, poses.select(np.flatnonzero(poses.frame == 0)))
    assert "bone_variation_pct" not in alone.per_set
    assert "criterion" not in alone.per_set
    assert "bone_variation_pct" in alone.meaning


def test_every_number_is_explained(poses: PoseSet, fitted: Normaliser) -> None:
    found = assess(network(elevation=True), fitted, poses)
    assert set(found.meaning) == {*found.per_pose, *found.per_set}
    assert all(f"``{key}``" in str(without_truth.__doc__) for key in found.per_pose)
    assert set(MEANING) <= set(found.meaning)
    assert all(value.shape == (len(poses),) for value in found.per_pose.values())


def test_what_cannot_be_judged_is_refused_in_words(poses: PoseSet, fitted: Normaliser) -> None:
    with pytest.raises(ValueError, match="views: expected at least 1, got 0"):
        assess(network(), fitted, poses, views=0)
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        assess(network(), fitted, poses, batch_size=0)
    with pytest.raises(ValueError, match="at least one pose, got an empty set"):
        assess(network(), fitted, poses.select(np.arange(0)))
    with pytest.raises(ValueError, match=r"expected the lifter's skeleton 'paper_14_hip'.*convert"):
        assess(Lifter(PAPER_14_HIP.name, width=8, num_blocks=1), fitted, poses)
    with pytest.raises(ValueError, match="needs? an elevation|elevation head, got none"):
        assess(network(), fitted, poses, sampler=ViewSampler("learned"))
    with pytest.raises(ValueError, match=r"expected finite poses with a height, got 40 of 40"):
        assess(Tilt(float("nan")), fitted, poses)
