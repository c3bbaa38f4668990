"""From keypoints to people with 3D motion."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from selflift.config import KeypointOptions, PredictConfig
from selflift.lift import PoseLifter
from selflift.lift.keypoint_input import open_input
from selflift.lift.lift_people import check_numbers, lift_people
from selflift.lift.people import Prediction
from tests.lift.conftest import walkers

Make = Callable[..., Prediction]


def test_each_person_gets_the_poses_that_the_lifter_gives(predicted: Make, run_folder: str) -> None:
    x = walkers(2).astype(np.float32)
    found = predicted(x, smooth=0.0)
    assert [person.name for person in found.people] == ["person1", "person2"]
    lifter = PoseLifter.from_checkpoint(run_folder, "cpu")
    # One camera for all, and one vertical.
    direct = lifter(x.swapaxes(0, 1), camera=found.scenes[0].camera)
    for p, person in enumerate(found.people):
        np.testing.assert_allclose(person.poses.X_m, direct.X_m[p], atol=1e-5)
        np.testing.assert_allclose(person.poses.root_m, direct.root_m[p], atol=1e-4)
        np.testing.assert_allclose(person.poses.up, direct.up[p], atol=1e-5)
        assert person.there.all() and not person.interpolated.any()
    assert found.smooth_s == 0 and len(found.lifter_sha256) == 64


def test_smoothing_takes_jitter_away_from_videos(predicted: Make) -> None:
    x = walkers(1, 30) + np.random.default_rng(0).normal(0, 2, (30, 1, 17, 2))
    rough, fine = predicted(x, smooth=0.0), predicted(x, smooth=0.1)
    jerk = [np.abs(np.diff(f.people[0].poses.X_m, 2, axis=0)).mean() for f in (rough, fine)]
    assert jerk[1] < 0.2 * jerk[0]
    assert fine.smooth_s == 0.1


def test_people_who_are_not_followed_are_not_smoothed(predicted: Make) -> None:
    x = walkers(2, 10) + np.random.default_rng(0).normal(0, 2, (10, 2, 17, 2))
    everybody = predicted(x, smooth=0.1, keypoints=KeypointOptions(people="all"))
    as_lifted = predicted(x, smooth=0.0, keypoints=KeypointOptions(people="all"))
    assert everybody.smooth_s == 0
    for one, other in zip(everybody.people, as_lifted.people, strict=True):
        np.testing.assert_array_equal(one.poses.X_m, other.poses.X_m)


def test_missing_frames_are_filled_and_missing_joints_too(predicted: Make) -> None:
    x = walkers(1, 12)
    x[4:6] = np.nan
    x[8, 0, 16] = np.nan
    x[10, 0, 0] = np.nan
    found = predicted(x, smooth=0.0)
    (one,) = found.people
    assert one.frame.tolist() == list(range(12))
    # Two without anybody, one without a root.
    assert np.flatnonzero(one.interpolated).tolist() == [4, 5, 10]
    assert one.poses.filled[8].sum() == 1 and one.poses.filled[8, 16]
    assert one.there.all()
    split = predicted(x, smooth=0.0, fill_gap=1).people[0]
    assert split.frame.tolist() == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]


def test_what_is_assumed_is_said_and_what_is_known_is_used(predicted: Make) -> None:
    found = predicted(walkers(1))
    said = " ".join(found.assumed)
    assert "size is not known" in said and "focal length" in said and "1.7 m tall" in said
    upside_down = 1000 - walkers(1)
    assert any("head is below the hips" in note for note in predicted(upside_down).notes)


def test_feet_stand_on_the_ground(predicted: Make) -> None:
    found = predicted(walkers(2))
    lowest = np.concatenate([p.absolute_m[..., 1].min(1) for p in found.people])
    above = lowest - found.scenes[0].ground_m
    assert 0 < (above < 0).mean() < 0.1 and abs(np.quantile(above, 0.05)) < 1e-6


def test_the_check_ends_a_prediction(run_folder: str, save_input: Callable[..., str]) -> None:
    config = PredictConfig(input=save_input(walkers(1)), progress=False, batch_size=4)
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lift_people(
            config, PoseLifter.from_checkpoint(run_folder, "cpu"), open_input(config), check
        )
    assert len(calls) == 3


def test_nobody_is_refused(predicted: Make) -> None:
    with pytest.raises(ValueError, match="expected at least one person, got nobody; left out: 12"):
        predicted(np.full((12, 1, 17, 2), np.nan))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"smooth": -0.1}, "smooth: expected 0 to 10 seconds, got -0.1"),
        ({"smooth": float("nan")}, "smooth: expected"),
        ({"fill_gap": -1}, "fill_gap: expected 0 to 10000 frames, got -1"),
        ({"batch_size": 0}, "batch_size: expected at least 1"),
        ({"stature_m": 180.0}, "stature_m: expected a body height in metres, as in 1.70"),
    ],
)
def test_numbers_out_of_range_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_numbers(PredictConfig(**changes))  # type: ignore[arg-type]


def test_real_motion_in_openposes_form_is_lifted_frame_by_frame(run_folder: str) -> None:
    folder = Path(os.environ.get("SELFLIFT_DATA", "nowhere")) / "samples" / "projected_openpose"
    if not folder.is_dir():
        pytest.skip("set SELFLIFT_DATA to the folder that holds samples/")
    config = PredictConfig(input=str(folder), progress=False, keypoints=KeypointOptions(fps=25.0))
    found = lift_people(config, PoseLifter.from_checkpoint(run_folder, "cpu"), open_input(config))
    (one,) = found.people
    assert one.name == "person1" and one.frame.tolist() == list(range(60))
    # Nobody was detected in this frame, and nobody has eyes.
    assert np.flatnonzero(one.interpolated).tolist() == [17]
    assert one.poses.filled[:, found.skeleton.index("Head")].all()
    assert one.poses.filled[one.poses.lifted].mean() < 0.1
    with np.load(folder.parent / "projected_truth.npz") as truth:
        pixels = truth["uv"]
    off = np.linalg.norm(one.poses.pose_2d - pixels, axis=-1)
    limbs = [found.skeleton.index(f"{side}{part}") for side in "LR" for part in ("Knee", "Elbow")]
    seen = ~one.poses.filled[:, limbs]
    assert seen.mean() > 0.9
    assert off[:, limbs][seen].max() < 0.01, "joints are where they were seen"
    assert any("Head = mean of LEye, REye" in note for note in found.notes)
