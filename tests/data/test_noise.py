"""The detector-like noise: its sizes, what it leaves alone, and what it depends on."""

from __future__ import annotations

from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from selflift.config import NoiseConfig
from selflift.data.noise import (
    CONFIDENCE_NOISE,
    DEFAULT_STD,
    DROP,
    RANGES,
    STD,
    add_noise,
)  # fmt: skip
from selflift.data.pose_set import Labels, PoseSet
from selflift.skeleton import COCO_17, COCO_17_HIP, H36M_17, H36M_32, OPENPOSE_BODY_25, Skeleton

QUIET = NoiseConfig(
    kind="detector", jitter=0, outlier_share=0, swap_share=0, drop=0, hip_shift=0, head_shift=0
)
DETECTOR = NoiseConfig(kind="detector")
LEGS, ARMS = range(1, 7), range(11, 17)


def scattered(takes: int = 4, frames: int = 5000, skeleton: Skeleton = H36M_17) -> PoseSet:
    """Joints anywhere in boxes of some 100 to 500 pixels; takes of two cameras, interleaved."""
    rng = np.random.default_rng(3)
    n = takes * frames
    side = rng.uniform(100, 500, (n, 1, 1))
    take = np.arange(n) % takes
    return PoseSet(
        skeleton=skeleton,
        poses_2d=(side * rng.random((n, skeleton.num_joints, 2))).astype(np.float32),
        poses_3d=rng.normal(size=(n, skeleton.num_joints, 3)).astype(np.float32),
        subject=Labels.of([f"S{t}" for t in take]),
        action=Labels.of(["a"] * n),
        clip=Labels.of([f"clip{t // 2}" for t in take]),
        camera=Labels.of([f"cam{t % 2}" for t in take]),
        frame=np.arange(n, dtype=np.int64) // takes,
        fps=np.full(n, 25, np.float32),
    )


@pytest.fixture(scope="module")
def poses() -> PoseSet:
    return scattered()


def size_px(poses: PoseSet) -> np.ndarray:
    return np.ptp(poses.poses_2d, axis=1).max(-1)


def errors(noisy: PoseSet, poses: PoseSet) -> np.ndarray:
    """``(N, J, 2)`` as shares of the pose's size."""
    return (noisy.poses_2d - poses.poses_2d) / size_px(poses)[:, None, None]


def part(skeleton: Skeleton, joint: int, table: dict[str, float], default: float) -> float:
    name = skeleton.parts[joint]
    return table.get(name, table.get(name[1:], default))


@pytest.mark.parametrize("skeleton", [H36M_17, COCO_17_HIP, H36M_32], ids=lambda s: s.name)
def test_jitter_has_each_part_s_standard_deviation(skeleton: Skeleton) -> None:
    poses = scattered(2, 8000, skeleton)
    off = errors(add_noise(poses, replace(QUIET, jitter=2.0)), poses)
    expected = [2 * part(skeleton, j, STD, DEFAULT_STD) for j in range(skeleton.num_joints)]
    np.testing.assert_allclose(off.std((0, 2)), expected, rtol=0.03)
    np.testing.assert_allclose(off.mean((0, 2)), 0, atol=1e-3)
    # x and y, joints and frames have errors of their own.
    assert abs(np.corrcoef(off.reshape(len(off), -1).T) - np.eye(2 * off.shape[1])).max() < 0.05
    assert abs(np.corrcoef(off[:-2:2, 0, 0], off[2::2, 0, 0])[0, 1]) < 0.05


def test_jitter_is_as_large_as_the_person_appears(poses: PoseSet) -> None:
    px = np.linalg.norm(add_noise(poses, DETECTOR).poses_2d - poses.poses_2d, axis=-1)
    size = size_px(poses)
    far, near = size < 200, size > 400
    ratio = np.nanmedian(px[near]) / np.nanmedian(px[far])
    assert ratio == pytest.approx(size[near].mean() / size[far].mean(), rel=0.05)


def test_the_default_is_a_detector_s_error(poses: PoseSet) -> None:
    noisy = add_noise(poses, replace(DETECTOR, swap_share=0))
    share = np.linalg.norm(errors(noisy, poses), axis=-1)
    assert 0.012 < np.nanmean(share) < 0.016
    mean = dict(zip(H36M_17.joints, np.nanmean(share, axis=0), strict=True))
    worst = sorted(mean, key=mean.__getitem__)[-6:]
    assert set(worst) == {f"{s}{part}" for s in "LR" for part in ("Wrist", "Elbow", "Foot")}
    assert 0.5 < (noisy.confidence > 0).all(1).mean() < 0.67


def test_some_joints_are_outliers(poses: PoseSet) -> None:
    plain = errors(add_noise(poses, replace(QUIET, jitter=1)), poses)
    heavy = replace(QUIET, jitter=1, outlier_share=0.1, outlier_factor=6)
    # Where the jitter is large enough for rounded pixels not to matter.
    large = np.abs(plain) > 0.005
    ratio = errors(add_noise(poses, heavy), poses)[large] / plain[large]
    outlier = ratio > 3
    assert outlier.mean() == pytest.approx(0.1, abs=0.01)
    np.testing.assert_allclose(ratio[outlier], 6, rtol=1e-2)
    np.testing.assert_allclose(ratio[~outlier], 1, rtol=1e-2)


def test_exchanged_limbs_keep_their_places_under_the_other_name(poses: PoseSet) -> None:
    noisy = add_noise(poses, replace(QUIET, swap_share=0.3))
    moved = (noisy.poses_2d != poses.poses_2d).any(-1)
    mirrored = poses.poses_2d[:, list(H36M_17.mirror)]
    for limb in (LEGS, ARMS):
        of_limb = moved[:, list(limb)]
        assert (of_limb.all(1) == of_limb.any(1)).all(), "a limb is exchanged as a whole"
        assert of_limb[:, 0].mean() == pytest.approx(0.3, abs=0.015)
    legs, arms = moved[:, LEGS[0]], moved[:, ARMS[0]]
    assert (legs & arms).mean() == pytest.approx(0.09, abs=0.01)
    np.testing.assert_array_equal(noisy.poses_2d[moved], mirrored[moved])
    others = [j for j in range(17) if j not in (*LEGS, *ARMS)]
    assert not moved[:, others].any()
    # The detector is sure of it.
    np.testing.assert_array_less(CONFIDENCE_NOISE - 1e-3, noisy.confidence)


def test_limbs_of_other_layouts_hang_on_hips_and_shoulders() -> None:
    feet = "BigToe SmallToe Heel"
    # COCO's hips hang on its shoulders.
    for skeleton, legs in ((COCO_17, "Hip Knee Ankle"), (COCO_17_HIP, "Hip Knee Ankle"),
                           (OPENPOSE_BODY_25, f"Hip Knee Ankle {feet}")):  # fmt: skip
        poses = scattered(1, 400, skeleton)
        noisy = add_noise(poses, replace(QUIET, swap_share=0.5))
        moved = (noisy.poses_2d != poses.poses_2d).any(-1)
        of_legs = [skeleton.index(f"{side}{name}") for side in "LR" for name in legs.split()]
        arms = [skeleton.index(f"{s}{n}") for s in "LR" for n in ("Shoulder", "Elbow", "Wrist")]
        for limb in (of_legs, arms):
            assert (moved[:, limb].all(1) == moved[:, limb].any(1)).all()
            assert 0.4 < moved[:, limb[0]].mean() < 0.6
        assert (moved[:, arms[0]] != moved[:, of_legs[0]]).any()
        assert not np.delete(moved, [*of_legs, *arms], axis=1).any()


@pytest.mark.parametrize("skeleton", [H36M_17, OPENPOSE_BODY_25], ids=lambda s: s.name)
def test_joints_drop_out_but_never_the_root(skeleton: Skeleton) -> None:
    poses = scattered(2, 8000, skeleton)
    noisy = add_noise(poses, replace(QUIET, drop=2.0))
    missing = noisy.confidence == 0
    expected = np.array([2 * part(skeleton, j, DROP, 0.0) for j in range(skeleton.num_joints)])
    expected[skeleton.root] = 0
    np.testing.assert_allclose(missing.mean(0), expected, rtol=0.1, atol=0.002)
    most = add_noise(poses, replace(QUIET, drop=RANGES["drop"][1]))
    assert (most.confidence[:, skeleton.root] > 0).all()
    np.testing.assert_array_equal(np.isnan(noisy.poses_2d), np.repeat(missing[..., None], 2, -1))


def test_shifted_hips_keep_their_middle(poses: PoseSet) -> None:
    noisy = add_noise(poses, replace(QUIET, hip_shift=0.25))
    before, after = poses.poses_2d, noisy.poses_2d
    right, left = H36M_17.index("RHip"), H36M_17.index("LHip")
    np.testing.assert_allclose(
        after[:, left] - after[:, right], 1.5 * (before[:, left] - before[:, right]), atol=1e-3
    )
    np.testing.assert_allclose(
        after[:, left] + after[:, right], before[:, left] + before[:, right], atol=1e-3
    )
    others = [j for j in range(17) if j not in (left, right)]
    np.testing.assert_array_equal(after[:, others], before[:, others])


def test_a_shifted_head_moves_along_the_neck(poses: PoseSet) -> None:
    noisy = add_noise(poses, replace(QUIET, head_shift=-0.2))
    before, after = poses.poses_2d, noisy.poses_2d
    thorax, nose, head = (H36M_17.index(joint) for joint in ("Thorax", "Nose", "Head"))
    down = -0.2 * (before[:, head] - before[:, thorax])
    np.testing.assert_allclose(after[:, head], before[:, head] + down, atol=1e-3)
    np.testing.assert_allclose(after[:, nose], before[:, nose] + down, atol=1e-3)
    others = [j for j in range(17) if j not in (nose, head)]
    np.testing.assert_array_equal(after[:, others], before[:, others])


def test_what_was_missing_stays_missing_and_harms_no_other_joint(poses: PoseSet) -> None:
    rng = np.random.default_rng(5)
    confidence = rng.uniform(0.2, 0.8, poses.poses_2d.shape[:2]).astype(np.float32)
    confidence[rng.random(confidence.shape) < 0.2] = 0
    confidence[0] = 0
    x = poses.poses_2d.copy()
    x[confidence == 0] = np.nan
    # A joint of confidence 0 may have numbers, which mean nothing.
    x[1, confidence[1] == 0] = 1e9
    given = replace(poses, poses_2d=x, confidence=confidence)
    noisy = add_noise(given, replace(DETECTOR, drop=0, hip_shift=0.1, head_shift=0.1))
    np.testing.assert_array_equal(noisy.confidence == 0, confidence == 0)
    np.testing.assert_array_equal(np.isnan(noisy.poses_2d).any(-1), confidence == 0)
    assert np.nanmax(np.abs(noisy.poses_2d)) < 2000
    swapped = add_noise(given, replace(QUIET, swap_share=1))
    l, r = LEGS[0], LEGS[3]
    both, one = (confidence[:, [l, r]] > 0).all(1), (confidence[:, [l, r]] > 0).sum(1) == 1
    np.testing.assert_array_equal(swapped.poses_2d[both, l], x[both, r])
    # The confidence of what is seen goes with it, but for the detector's own doubt.
    ratio = swapped.confidence[both, l] / confidence[both, r]
    assert CONFIDENCE_NOISE - 1e-3 < ratio.min() <= ratio.max() < 1 + 1e-3
    np.testing.assert_array_equal(swapped.poses_2d[one & (confidence[:, l] > 0), l],
                                  x[one & (confidence[:, l] > 0), l])  # fmt: skip


def test_confidence_falls_with_the_error_and_multiplies_what_was_there(poses: PoseSet) -> None:
    noisy = add_noise(poses, replace(DETECTOR, swap_share=0))
    found = noisy.confidence > 0
    assert noisy.confidence.dtype == np.float32
    assert noisy.confidence.max() <= 1
    std = np.array([part(H36M_17, j, STD, DEFAULT_STD) for j in range(17)])
    off = (np.linalg.norm(errors(noisy, poses), axis=-1) / std)[found]
    sure = noisy.confidence[found]
    means = [sure[(off > low) & (off < low + 2)].mean() for low in (0, 2, 4, 8, 12)]
    assert means == sorted(means, reverse=True) and means[0] > 0.8 and means[-1] < 0.1
    assert sure[off < 1].std() > 0.05, "and is noisy"
    half = replace(poses, confidence=np.full(found.shape, 0.5, np.float32))
    again = add_noise(half, replace(DETECTOR, swap_share=0))
    np.testing.assert_allclose(again.confidence, noisy.confidence / 2, rtol=1e-5)


def test_some_takes_keep_their_exact_keypoints() -> None:
    poses = scattered(takes=400, frames=3)
    noisy = add_noise(poses, replace(DETECTOR, clean_share=0.3, drop=4.0))
    assert noisy.confidence is not None
    kept = (noisy.poses_2d == poses.poses_2d).all((1, 2)).reshape(3, 400)
    # A take keeps all or nothing.
    assert (kept == kept[0]).all()
    assert abs(kept[0].mean() - 0.3) < 0.07
    assert (noisy.confidence[kept.ravel()] == 1).all()
    other, plain = ~kept.ravel(), add_noise(poses, replace(DETECTOR, drop=4.0))
    np.testing.assert_array_equal(noisy.poses_2d[other], plain.poses_2d[other])


def test_some_takes_lack_what_other_layouts_lack() -> None:
    poses = scattered(takes=400, frames=3)
    noisy = add_noise(poses, replace(QUIET, lack_share=0.4))
    assert noisy.confidence is not None
    lacked = [H36M_17.index(joint) for joint in ("Spine", "Thorax", "Head")]
    missing = noisy.confidence <= 0
    gone = missing[:, lacked].all(1)
    assert (gone == missing.any(1)).all(), "all three or nothing"
    assert (gone.reshape(3, 400) == gone[:400]).all(), "in every frame of a take or in none"
    assert abs(gone[:400].mean() - 0.4) < 0.08
    others = [j for j in range(17) if j not in lacked]
    assert not missing[:, others].any()
    assert np.isnan(noisy.poses_2d[missing]).all()


def test_takes_differ_in_the_level_of_their_confidences() -> None:
    poses = scattered(takes=400, frames=3)
    plain, noisy = (add_noise(poses, replace(QUIET, least_level=low)) for low in (1.0, 0.4))
    assert plain.confidence is not None and noisy.confidence is not None
    np.testing.assert_array_equal(noisy.poses_2d, plain.poses_2d)
    level = (noisy.confidence / plain.confidence).reshape(3, 400, 17)
    np.testing.assert_allclose(level, np.broadcast_to(level[:1, :, :1], level.shape), rtol=1e-5)
    assert 0.4 <= level.min() < 0.43 and 0.97 < level.max() <= 1
    clean = add_noise(poses, replace(QUIET, least_level=0.4, clean_share=1.0))
    assert clean.confidence is not None and 0.4 <= clean.confidence.min() < 0.43


def test_the_same_seed_gives_the_same_noise_and_another_seed_another(poses: PoseSet) -> None:
    one, again = add_noise(poses, DETECTOR), add_noise(poses, DETECTOR)
    other = add_noise(poses, replace(DETECTOR, seed=1))
    np.testing.assert_array_equal(one.poses_2d, again.poses_2d)
    np.testing.assert_array_equal(one.confidence, again.confidence)
    assert (one.poses_2d != other.poses_2d).any(-1).mean() > 0.99


def test_noise_depends_on_the_take_alone(poses: PoseSet) -> None:
    whole = add_noise(poses, DETECTOR)
    rng = np.random.default_rng(1)
    takes = (poses.clip.values == "clip1") & (poses.camera.values == "cam0")
    for which in (np.flatnonzero(takes), rng.permutation(len(poses))):
        part = poses.select(which)
        # The names' order is no part of the data either.
        renamed = replace(
            part, clip=Labels.of(list(part.clip.values)), camera=Labels.of(list(part.camera.values))
        )
        for given in (part, renamed):
            noisy = add_noise(given, DETECTOR)
            np.testing.assert_array_equal(noisy.poses_2d, whole.poses_2d[which])
            np.testing.assert_array_equal(noisy.confidence, whole.confidence[which])


def test_other_cameras_and_clips_have_other_noise(poses: PoseSet) -> None:
    alike = replace(poses, poses_2d=np.repeat(poses.poses_2d[:1], len(poses), axis=0))
    noisy = add_noise(alike, replace(QUIET, jitter=1))
    first = noisy.poses_2d[poses.frame == 0]
    names = set(zip(poses.camera.values, poses.clip.values, strict=True))
    assert len(np.unique(first.reshape(len(first), -1), axis=0)) == len(names) == 4


def test_without_drop_outs_joints_lie_where_they_lay_with_them(poses: PoseSet) -> None:
    some, none = add_noise(poses, DETECTOR), add_noise(poses, replace(DETECTOR, drop=0))
    found = some.confidence > 0
    np.testing.assert_array_equal(some.poses_2d[found], none.poses_2d[found])


def test_truth_labels_and_the_given_set_stay_as_they_are(make_pose_set) -> None:
    poses = make_pose_set()
    before = poses.poses_2d.copy()
    noisy = add_noise(poses, DETECTOR)
    np.testing.assert_array_equal(poses.poses_2d, before)
    assert poses.confidence is None
    assert noisy.poses_2d.dtype == np.float32
    for field in fields(PoseSet):
        if field.name not in ("poses_2d", "confidence"):
            assert getattr(noisy, field.name) is getattr(poses, field.name)


def test_no_noise_is_the_set_itself(poses: PoseSet) -> None:
    assert add_noise(poses, NoiseConfig()) is poses


def test_an_empty_set_stays_empty(poses: PoseSet) -> None:
    assert len(add_noise(poses.select(np.zeros(len(poses), bool)), DETECTOR)) == 0


@pytest.mark.parametrize("kind", ["none", "detector"])
@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("kind", "gauss", "expected one of none, detector, got 'gauss'"),
        ("jitter", -0.1, "expected 0 to 20, got -0.1"),
        ("jitter", float("nan"), "expected 0 to 20, got nan"),
        ("outlier_share", 1.5, "expected 0 to 1, got 1.5"),
        ("outlier_factor", 0.5, "expected 1 to 100, got 0.5"),
        ("swap_share", -1.0, "expected 0 to 1, got -1.0"),
        ("drop", 13.0, "expected 0 to 12.5, got 13.0"),
        ("hip_shift", 2.0, "expected -1 to 1, got 2.0"),
        ("head_shift", -2.0, "expected -1 to 1, got -2.0"),
    ],
)
def test_a_noise_that_is_not_defined_is_refused(
    poses: PoseSet, kind: str, key: str, value: float | str, words: str
) -> None:
    noise = NoiseConfig(**{**asdict(NoiseConfig(kind=kind)), key: value})
    with pytest.raises(ValueError, match=rf"^data\.noise\.{key}: {words}$"):
        add_noise(poses, noise)
