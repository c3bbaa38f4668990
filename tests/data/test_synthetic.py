"""The synthetic people are human, diverse and reproducible."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from selflift.config import SyntheticConfig
from selflift.data.rig import Clip
from selflift.data.synthetic import (
    ACTIONS,
    ELBOW_FLEXION,
    KNEE_FLEXION,
    SPLITS,
    draw_body,
    generate,
    pose,
)

PARENTS = np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15])
R_HIP, L_HIP, SPINE, THORAX, NOSE, HEAD = 1, 4, 7, 8, 9, 10
KNEES, ANKLES, ELBOWS, WRISTS = (2, 5), (3, 6), (12, 15), (13, 16)
CONFIG = SyntheticConfig(train_subjects=2, val_subjects=1, test_subjects=1)
BRIEF = replace(CONFIG, clips_per_subject=4)


@pytest.fixture(scope="module")
def clips() -> dict[str, list[Clip]]:
    """Every split, with fewer subjects than by default."""
    return {split: generate(split, CONFIG) for split in SPLITS}


@pytest.fixture(scope="module")
def positions(clips: dict[str, list[Clip]]) -> np.ndarray:
    """(clips, T, 17, 3) of all splits together."""
    return np.stack([c.positions for split in SPLITS for c in clips[split]]).astype(np.float64)


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def bend_deg(positions: np.ndarray, joint: int) -> np.ndarray:
    """Angle between the bone that enters a joint and the one that leaves it; 0 is straight."""
    enters = unit(positions[..., joint, :] - positions[..., joint - 1, :])
    leaves = unit(positions[..., joint + 1, :] - positions[..., joint, :])
    return np.asarray(np.degrees(np.arccos(np.clip((enters * leaves).sum(-1), -1.0, 1.0))))


def bone_lengths(positions: np.ndarray) -> np.ndarray:
    """(..., 16) lengths in metres, by child joint 1..16."""
    bones = positions[..., 1:, :] - positions[..., PARENTS[1:], :]
    return np.asarray(np.linalg.norm(bones, axis=-1))


def test_clips_have_the_documented_shapes_and_types(clips: dict[str, list[Clip]]) -> None:
    for split in SPLITS:
        count = getattr(CONFIG, f"{split}_subjects") * CONFIG.clips_per_subject
        assert len(clips[split]) == count
        for clip in clips[split]:
            assert clip.positions.shape == (CONFIG.frames_per_clip, 17, 3)
            assert clip.positions.dtype == np.float32
            assert np.isfinite(clip.positions).all()
            assert clip.frame.dtype == np.int64
            assert (clip.frame == np.arange(CONFIG.frames_per_clip)).all()
            assert clip.fps == CONFIG.fps
            assert re.fullmatch(rf"SYN_{split}_\d{{3}}_{clip.action}_\d+", clip.name)


def test_clip_names_are_unique(clips: dict[str, list[Clip]]) -> None:
    names = [c.name for split in SPLITS for c in clips[split]]
    assert len(set(names)) == len(names)


def test_default_sizes_are_those_documented() -> None:
    config = SyntheticConfig()
    per_subject = config.clips_per_subject * config.frames_per_clip
    assert config.train_subjects * per_subject == 40_500
    assert config.val_subjects * per_subject == 3_000
    assert config.test_subjects * per_subject == 6_000


def test_same_seed_gives_the_same_bits(clips: dict[str, list[Clip]]) -> None:
    for a, b in zip(clips["val"], generate("val", CONFIG), strict=True):
        assert a.name == b.name
        assert a.positions.tobytes() == b.positions.tobytes()


def test_a_larger_split_begins_with_the_smaller_one() -> None:
    small = generate("train", replace(BRIEF, train_subjects=1))
    large = generate("train", BRIEF)
    assert len(small) < len(large)
    for a, b in zip(small, large, strict=False):
        assert a.name == b.name
        assert a.positions.tobytes() == b.positions.tobytes()


def test_another_seed_gives_other_people_and_motions() -> None:
    ours = generate("val", BRIEF)
    theirs = generate("val", replace(BRIEF, seed=1))
    for one, other in zip(ours, theirs, strict=True):
        assert not np.array_equal(one.positions, other.positions)
    a, b = (bone_lengths(people[0].positions[0]) for people in (ours, theirs))
    assert not np.allclose(a, b, atol=1e-4)


def test_splits_share_no_subject_by_name_or_by_body(clips: dict[str, list[Clip]]) -> None:
    bodies = {c.subject: bone_lengths(c.positions[0]) for s in SPLITS for c in clips[s]}
    expected = sum(getattr(CONFIG, f"{split}_subjects") for split in SPLITS)
    assert len(bodies) == expected
    lengths = np.stack(list(bodies.values()))
    apart = np.abs(lengths[:, None] - lengths[None]).max(-1) + np.eye(expected)
    assert apart.min() > 1e-3


def test_bone_lengths_are_constant_per_subject(clips: dict[str, list[Clip]]) -> None:
    lengths: dict[str, list[np.ndarray]] = {}
    for split in SPLITS:
        for clip in clips[split]:
            lengths.setdefault(clip.subject, []).append(bone_lengths(clip.positions))
    for subject in lengths.values():
        assert np.ptp(np.concatenate(subject), axis=0).max() < 1e-5


def test_left_and_right_bones_are_equally_long(positions: np.ndarray) -> None:
    lengths = bone_lengths(positions)
    right, left = [0, 1, 2, 13, 14, 15], [3, 4, 5, 10, 11, 12]
    np.testing.assert_allclose(lengths[..., right], lengths[..., left], atol=1e-5)


def test_bodies_have_human_proportions() -> None:
    for k in range(30):
        body = draw_body(np.random.default_rng(k))
        assert 1.45 < body.stature < 2.0
        assert 0.45 < body.leg / body.stature < 0.57
        assert 0.8 < body.shin / body.thigh < 1.25
        assert 0.5 < (body.upper_arm + body.forearm) / body.leg < 0.72


def test_knees_bend_forward_only_and_within_range(positions: np.ndarray) -> None:
    right = unit(positions[..., R_HIP, :] - positions[..., L_HIP, :])
    for knee in KNEES:
        hip, ankle = positions[..., knee - 1, :], positions[..., knee + 1, :]
        # The knee lies on the front of the hip-ankle line, as seen along the pelvis's axis.
        front = np.cross(right, unit(ankle - hip))
        assert ((positions[..., knee, :] - hip) * front).sum(-1).min() > 0.0
        flexion = bend_deg(positions, knee)
        assert flexion.min() >= KNEE_FLEXION[0] - 0.5
        assert flexion.max() <= KNEE_FLEXION[1] + 0.5


def test_elbows_flex_within_range(positions: np.ndarray) -> None:
    for elbow in ELBOWS:
        flexion = bend_deg(positions, elbow)
        assert flexion.min() >= ELBOW_FLEXION[0] - 0.5
        assert flexion.max() <= ELBOW_FLEXION[1] + 0.5


def test_a_hanging_arm_flexes_forward_only(positions: np.ndarray) -> None:
    across = unit(positions[..., 14, :] - positions[..., 11, :])
    up = positions[..., THORAX, :] - positions[..., SPINE, :]
    forward, up = unit(np.cross(up, across)), unit(up)
    for elbow in ELBOWS:
        upper = unit(positions[..., elbow, :] - positions[..., elbow - 1, :])
        fore = unit(positions[..., elbow + 1, :] - positions[..., elbow, :])
        hanging = (upper * up).sum(-1) < -np.cos(np.radians(15.0))
        assert hanging.sum() > 100
        assert ((fore - upper) * forward).sum(-1)[hanging].min() > -0.15


@pytest.mark.parametrize("action", ACTIONS)
def test_extreme_plans_stay_within_the_limits(action: str) -> None:
    body = draw_body(np.random.default_rng(3))
    t = np.arange(20) / 25.0
    motion = ACTIONS[action](np.random.default_rng(4), t, body)
    motion.arms *= 4.0
    motion.root[:, 2] *= np.linspace(0.3, 1.6, len(t))
    joints = pose(body, motion)
    for joint, limits in [(k, KNEE_FLEXION) for k in KNEES] + [(e, ELBOW_FLEXION) for e in ELBOWS]:
        flexion = bend_deg(joints, joint)
        assert limits[0] - 0.01 <= flexion.min()
        assert flexion.max() <= limits[1] + 0.01


def test_the_nose_lies_in_front_of_the_neck(positions: np.ndarray) -> None:
    across = positions[..., 14, :] - positions[..., 11, :]
    up = positions[..., THORAX, :] - positions[..., SPINE, :]
    forward = unit(np.cross(up, across))
    thorax, nose, head = (positions[..., j, :] for j in (THORAX, NOSE, HEAD))
    line = unit(head - thorax)
    off = (nose - thorax) - ((nose - thorax) * line).sum(-1, keepdims=True) * line
    assert np.linalg.norm(off, axis=-1).min() > 0.01
    # A turned head faces sideways, never backward.
    assert (off * forward).sum(-1).min() > 0.0


def test_heads_are_above_hips_and_bodies_above_the_ground(positions: np.ndarray) -> None:
    assert positions[..., 2].min() > -0.03
    upright = positions[..., HEAD, 2] > positions[..., 0, 2]
    assert upright.mean() > 0.97


def test_the_lowest_ankle_is_near_the_ground(positions: np.ndarray) -> None:
    lowest = positions[..., ANKLES, 2].min(-1)
    assert lowest.min() > 0.0
    # Running bodies leave the ground, others do not.
    assert np.quantile(lowest, 0.97) < 0.14
    assert lowest.max() < 0.35


def test_standing_feet_do_not_slide(clips: dict[str, list[Clip]]) -> None:
    for split in SPLITS:
        for clip in clips[split]:
            if clip.action in ("idle", "gesture", "reach", "stretch", "wave"):
                assert np.ptp(clip.positions[:, ANKLES], axis=0).max() < 0.01, clip.name


def test_motion_is_smooth_and_speeds_are_human(clips: dict[str, list[Clip]]) -> None:
    for split in SPLITS:
        for clip in clips[split]:
            velocity = np.diff(clip.positions.astype(np.float64), axis=0) * clip.fps
            speed = np.linalg.norm(velocity, axis=-1)
            swift = 8.0 if clip.action in ("run", "kick") else 6.0
            assert speed[:, WRISTS].max() < 6.0, clip.name
            assert speed[:, ANKLES].max() < swift, clip.name
            assert speed[:, 0].max() < 4.0, clip.name
            acceleration = np.linalg.norm(np.diff(velocity, axis=0), axis=-1) * clip.fps
            assert acceleration.max() < (130.0 if clip.action == "run" else 90.0), clip.name


def test_a_finer_clock_gives_the_same_motion() -> None:
    body = draw_body(np.random.default_rng(0))
    for action in ACTIONS.values():
        coarse, fine = (
            pose(body, action(np.random.default_rng(5), np.arange(0.0, 2.001, 1.0 / rate), body))
            for rate in (25.0, 100.0)
        )
        # Between frames a joint moves little: what a plan does is a continuous function of time.
        step = np.linalg.norm(np.diff(fine, axis=0), axis=-1).max()
        assert step < 0.1
        assert np.abs(fine[::4] - coarse).max() < 0.05


def test_gaits_travel_and_arms_swing_against_the_legs() -> None:
    body = draw_body(np.random.default_rng(1))
    t = np.arange(100) / 25.0
    against = []
    for seed in range(12):
        motion = ACTIONS["walk"](np.random.default_rng(seed), t, body)
        joints = pose(body, motion)
        forward = np.stack([-np.sin(motion.yaw), np.cos(motion.yaw)], -1)
        legs, arms = (
            ((joints[:, r, :2] - joints[:, le, :2]) * forward).sum(-1)
            for r, le in ((3, 6), (16, 13))
        )
        travelled = np.linalg.norm(np.diff(joints[:, 0], axis=0), axis=-1).sum()
        assert travelled > 0.5
        against.append(np.corrcoef(legs, arms)[0, 1])
    # Some walkers have something else to do with their hands, or walk backward.
    assert np.median(against) < -0.5


def test_walkers_stay_near_the_origin_however_long() -> None:
    body = draw_body(np.random.default_rng(2))
    t = np.arange(1500) / 25.0
    for action in ("walk", "run", "step", "dance"):
        joints = pose(body, ACTIONS[action](np.random.default_rng(0), t, body))
        assert np.abs(joints[:, 0, :2]).max() < 3.0


def test_every_action_is_in_every_split(clips: dict[str, list[Clip]]) -> None:
    for split in SPLITS:
        assert {c.action for c in clips[split]} == set(ACTIONS)


def test_headings_cover_the_circle(positions: np.ndarray) -> None:
    right = positions[:, 0, R_HIP] - positions[:, 0, L_HIP]
    heading = np.arctan2(right[:, 1], right[:, 0])
    count, _ = np.histogram(heading, bins=8, range=(-np.pi, np.pi))
    assert count.min() > 0.04 * len(heading)


def test_poses_are_diverse(positions: np.ndarray) -> None:
    knees, elbows = (np.stack([bend_deg(positions, j) for j in js]) for js in (KNEES, ELBOWS))
    for flexion in (knees, elbows):
        assert np.quantile(flexion, 0.9) - np.quantile(flexion, 0.1) > 60.0
        # Left and right go their own ways.
        assert np.abs(flexion[0] - flexion[1]).mean() > 10.0
    raised = positions[..., WRISTS, 2] > positions[..., THORAX, None, 2]
    assert 0.1 < raised.mean() < 0.6


def test_an_unknown_split_is_refused_in_one_line() -> None:
    message = "synthetic split: expected one of train, val, test, got 'dev'; choose one of these"
    with pytest.raises(ValueError, match=re.escape(message)):
        generate("dev", CONFIG)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "synthetic seed: expected at least 0, got -1; set data.synthetic.seed"),
        ({"val_subjects": 0}, "synthetic val_subjects: expected at least 1, got 0"),
        ({"frames_per_clip": 1}, "synthetic frames_per_clip: expected at least 2, got 1"),
        ({"fps": 0.0}, "synthetic fps: expected a positive number, got 0.0"),
    ],
)
def test_impossible_sizes_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        generate("train", replace(CONFIG, **change))
