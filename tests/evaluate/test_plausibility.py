"""Measures of bodies equal their definitions, tell a body from its mirror image, and skip none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from selflift.config import RigConfig, SyntheticConfig
from selflift.data import synthetic
from selflift.data.pose_set import Labels, PoseSet
from selflift.data.rig import film
from selflift.data.streams import streams
from selflift.evaluate.plausibility import (
    deviation_from_median,
    knees,
    proportions,
    spread,
    variation,
)
from selflift.geometry.anatomy import knee_score
from selflift.skeleton import H36M_17

MakeBodies = Callable[..., Tensor]
LEFT, RIGHT = H36M_17.legs


@pytest.fixture(scope="module")
def people() -> PoseSet:
    config = SyntheticConfig(test_subjects=2, clips_per_subject=4, frames_per_clip=12)
    return film(list(synthetic.generate("test", config)), RigConfig(), H36M_17)


def truth(people: PoseSet) -> Tensor:
    X = torch.from_numpy(people.poses_3d).double()
    return X - X[:, H36M_17.root, None]


def test_knee_score_is_that_of_each_pose(make_bodies: MakeBodies, dtype: torch.dtype) -> None:
    X = make_bodies(30, dtype=dtype, noise=0.2)
    expected = [knee_score(one[None], H36M_17) for one in X]
    np.testing.assert_allclose(knees(X, H36M_17).score, expected, atol=1e-4)
    assert min(expected) < 0 < max(expected)


def test_a_body_mirrored_in_depth_has_the_opposite_score(make_bodies: MakeBodies) -> None:
    X = make_bodies(30)
    flipped = X * torch.tensor([1.0, 1.0, -1.0])
    torch.testing.assert_close(knees(flipped, H36M_17).score, -knees(X, H36M_17).score)


def test_share_of_forward_knees_counts_bent_ones_alone(make_bodies: MakeBodies) -> None:
    X = make_bodies(noise=0.0)[None].repeat(4, 1, 1)
    facing = torch.linalg.cross(X[0, LEFT[0]] - X[0, RIGHT[0]], X[0, H36M_17.head])
    facing = facing / facing.norm()

    def bend(pose: int, leg: tuple[int, int, int], degrees: float) -> None:
        hip, knee, ankle = leg
        middle, line = (X[pose, hip] + X[pose, ankle]) / 2, X[pose, ankle] - X[pose, hip]
        out = facing - (facing @ line) / (line @ line) * line
        half = line.norm() / 2
        X[pose, knee] = middle + half * np.tan(np.radians(degrees / 2)) * out / out.norm()

    for pose, (left, right) in enumerate([(40, 40), (40, -40), (40, -14), (14, -14)]):
        bend(pose, LEFT, left)
        bend(pose, RIGHT, right)
    share = knees(X, H36M_17).forward_pct.numpy()
    np.testing.assert_array_equal(share, [100, 50, 100, np.nan])
    bend(3, LEFT, -16)
    assert knees(X, H36M_17).forward_pct[3] == 0


def test_straight_legs_and_bodies_without_a_front_say_nothing(
    make_bodies: MakeBodies, dtype: torch.dtype
) -> None:
    X = make_bodies(2, dtype=dtype)
    for hip, knee, ankle in H36M_17.legs:
        X[0, knee] = 0.4 * X[0, hip] + 0.6 * X[0, ankle]
    X[1, LEFT[0]] = X[1, RIGHT[0]]
    found = knees(X, H36M_17)
    assert torch.isnan(found.score).all()
    assert torch.isnan(found.forward_pct).all()


def test_true_bodies_are_plausible_and_flat_ones_are_not(people: PoseSet) -> None:
    X = truth(people)
    flat = X * torch.tensor([1.0, 1.0, 0.0])
    recording = streams(people, np.arange(len(people)))
    for body, rigid in ((X, True), (flat, False)):
        lengths = proportions(body, H36M_17).numpy()
        assert bool(variation(lengths, recording).mean() < 0.1) is rigid
        assert bool(deviation_from_median(lengths).mean() < 10) is rigid
    assert np.nanmean(knees(X, H36M_17).forward_pct) > 95


def test_size_of_a_pose_does_not_count(people: PoseSet) -> None:
    X = truth(people)
    scaled = X * (1 + torch.arange(len(X))[:, None, None])
    torch.testing.assert_close(proportions(scaled, H36M_17), proportions(X, H36M_17))


def test_variation_and_spread_equal_a_loop_over_recordings() -> None:
    rng = np.random.default_rng(0)
    # The means are large against the variation, where sums of squares would cancel.
    lengths = 1e3 + 1e-3 * rng.standard_normal((60, 4))
    recording = rng.permutation(np.repeat([0, 1, 2], [35, 24, 1]))
    value, deviation = variation(lengths, recording), spread(lengths[:, 0], recording)
    for i, own in enumerate(recording):
        rows = lengths[recording == own]
        if own == 2:
            assert np.isnan(value[i])
            assert np.isnan(deviation[i])
            continue
        expected = 100 * np.mean([np.std(bone, ddof=1) / np.mean(bone) for bone in rows.T])
        assert value[i] == pytest.approx(expected, rel=1e-6)
        assert deviation[i] == pytest.approx(np.std(rows[:, 0], ddof=1), rel=1e-6)


def test_deviation_from_median_equals_a_loop() -> None:
    lengths = np.random.default_rng(0).uniform(0.1, 0.4, (21, 5))
    for pose, value in zip(lengths, deviation_from_median(lengths), strict=True):
        middle = [sorted(lengths[:, bone])[10] for bone in range(5)]
        terms = [abs(pose[bone] - middle[bone]) / middle[bone] for bone in range(5)]
        assert value == pytest.approx(100 * sum(terms) / 5)


def test_bones_without_length_do_not_count() -> None:
    lengths = np.random.default_rng(0).uniform(0.1, 0.4, (20, 3))
    recording = np.repeat([0, 1], 10)
    more = np.concatenate([lengths, np.zeros((20, 1))], 1)
    np.testing.assert_allclose(variation(more, recording), variation(lengths, recording))
    np.testing.assert_allclose(deviation_from_median(more), deviation_from_median(lengths))
    assert np.isnan(variation(more[:, 3:], recording)).all()
    assert np.isnan(deviation_from_median(more[:, 3:])).all()


def test_a_recording_is_one_clip_by_one_camera(people: PoseSet) -> None:
    # One camera that films all clips, as in a studio, makes as many recordings as there are clips.
    shared = [name.split("/")[1] for name in people.camera.values]
    studio = replace(people, camera=Labels.of(shared), cameras=None)
    pairs = list(zip(studio.clip.values, studio.camera.values, strict=True))
    number = streams(studio, np.arange(len(studio)))
    assert len(set(zip(pairs, number.tolist(), strict=True))) == len(set(pairs)) == 32
    assert sorted(set(number.tolist())) == list(range(32))
