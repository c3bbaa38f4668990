"""Rest poses and rotations from where bones point: best, with the least twist, continuous."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from selflift.formats.mocap.bvh_fit import (
    MAX_TWIST_DEG,
    angles_zxy_deg,
    fit_rotations,
    rest_offsets,
    shortest_turns,
)
from selflift.skeleton import H36M_17, SKELETONS, make_skeleton

RNG = np.random.default_rng(0)
STAR = np.array([[-0.13, 0.0, 0.01], [0.13, 0.0, 0.01], [0.0, 0.22, -0.03]])
AXIS = np.array([0.0, -1.0, 0.0])


def steps_deg(R: np.ndarray) -> np.ndarray:
    """How far each rotation lies from the one before."""
    step = Rotation.from_matrix(np.swapaxes(R[:-1], 1, 2) @ R[1:])
    return np.degrees(step.magnitude())


def past_the_antipode(off_deg: float, frames: int = 101) -> np.ndarray:
    """Directions on a straight way that passes opposite of AXIS at some distance."""
    angle, off = np.linspace(-0.6, 0.6, frames), np.radians(off_deg)
    return np.stack([np.sin(angle), np.cos(angle) * np.cos(off), np.cos(angle) * np.sin(off)], -1)


@pytest.mark.parametrize("bones", [STAR, STAR[[0, 2]]], ids=["three bones", "two bones"])
def test_bones_that_span_a_plane_get_their_rotation_back(bones: np.ndarray) -> None:
    R = Rotation.random(50, rng=1).as_matrix()
    np.testing.assert_allclose(
        fit_rotations(bones, bones @ np.swapaxes(R, 1, 2), 50.0), R, atol=1e-12
    )


def test_the_fit_to_bones_that_disagree_is_the_least_squares_rotation() -> None:
    seen = STAR @ Rotation.random(rng=2).as_matrix().T + 0.02 * RNG.standard_normal((5, 3, 3))
    for R, frame in zip(fit_rotations(STAR, seen, 50.0), seen, strict=True):
        expected, _ = Rotation.align_vectors(frame, STAR)
        np.testing.assert_allclose(R, expected.as_matrix(), atol=1e-9)


@pytest.mark.parametrize("bones", [STAR[:1], STAR[:1] * [[1], [-0.7]], AXIS[None]])
def test_bones_on_a_line_take_the_shortest_way(bones: np.ndarray) -> None:
    way = np.linspace([0.3, 0.2, 0.1], [0.5, 0.9, -0.6], 20)
    R = Rotation.from_rotvec(way).as_matrix()
    fitted = fit_rotations(bones, bones @ np.swapaxes(R, 1, 2), 50.0)
    np.testing.assert_allclose(
        bones @ np.swapaxes(fitted, 1, 2), bones @ np.swapaxes(R, 1, 2), atol=1e-12
    )
    about = Rotation.from_matrix(fitted).as_rotvec() @ bones[0]
    np.testing.assert_allclose(about, 0, atol=1e-12)


@pytest.mark.parametrize("off_deg", [0.0, 0.01, 1.0, -5.0])
def test_a_bone_that_passes_opposite_of_its_rest_does_not_flip(off_deg: float) -> None:
    seen = past_the_antipode(off_deg)
    R = fit_rotations(AXIS[None], seen[:, None], 50.0)
    np.testing.assert_allclose(R @ AXIS, seen, atol=1e-9)
    way = np.degrees(np.arccos(np.clip((seen[1:] * seen[:-1]).sum(-1), -1, 1)))
    assert (steps_deg(R) <= way + 720 / 50 + 1e-6).all()
    naive = steps_deg(shortest_turns(np.broadcast_to(AXIS, seen.shape), seen))
    assert off_deg in (0.0, -5.0) or naive.max() > 60, "the way is one that flips"


def test_twist_that_was_needed_to_pass_goes_away_afterwards() -> None:
    away = np.stack([np.sin(t := np.linspace(0.6, 2.5, 150)), np.cos(t), 0 * t], -1)
    seen = np.concatenate([past_the_antipode(1.0), away])
    R = fit_rotations(AXIS[None], seen[:, None], 50.0)
    shortest = shortest_turns(AXIS[None], seen[-1:])[0]
    np.testing.assert_allclose(R[-1], shortest, atol=1e-9)


def test_slow_recordings_keep_the_bound_of_a_frame() -> None:
    seen = past_the_antipode(1.0, 21)
    R = fit_rotations(AXIS[None], seen[:, None], 1.0)
    assert steps_deg(R).max() < MAX_TWIST_DEG + 6


def test_a_bone_without_length_keeps_the_direction_before() -> None:
    seen = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 0, 0.0]])[:, None]
    pointed = fit_rotations(AXIS[None], seen, 50.0) @ AXIS
    expected = [[0, 0, 1], [0, 0, 1], [0, 0, 1], [1, 0, 0], [1, 0, 0]]
    np.testing.assert_allclose(pointed, expected, atol=1e-12)
    for rest, shown in ((0 * AXIS[None], seen), (AXIS[None], 0 * seen), (STAR, 0 * STAR[None])):
        R = fit_rotations(rest, shown, 50.0)
        np.testing.assert_array_equal(R, np.broadcast_to(np.eye(3), R.shape))


def test_no_bones_no_rotation() -> None:
    R = fit_rotations(np.empty((0, 3)), np.empty((4, 0, 3)), 50.0)
    np.testing.assert_array_equal(R, np.broadcast_to(np.eye(3), (4, 3, 3)))


def test_angles_give_the_rotations_and_never_jump() -> None:
    time = np.linspace(0, 30, 1500)
    turns = np.stack([[200, 80, 150]] * 3) * np.sin(
        time[:, None, None] * RNG.uniform(0.2, 1, (3, 3))
    )
    R = Rotation.from_euler("ZXY", turns.reshape(-1, 3), degrees=True).as_matrix()
    angles = angles_zxy_deg(R.reshape(-1, 3, 3, 3))
    again = Rotation.from_euler("ZXY", angles.reshape(-1, 3), degrees=True).as_matrix()
    np.testing.assert_allclose(again, R, atol=1e-9)
    assert np.abs(angles).max() > 180, "turns that go on"
    np.testing.assert_allclose(angles, turns, atol=1e-6)


def test_angles_pass_the_lock_of_the_middle_angle() -> None:
    x = np.linspace(60, 120, 61)
    turns = np.stack([np.full_like(x, 20), x, np.full_like(x, -30)], -1)
    assert 90 in x
    R = Rotation.from_euler("ZXY", turns, degrees=True).as_matrix()
    np.testing.assert_allclose(angles_zxy_deg(R[:, None])[:, 0], turns, atol=1e-6)


# World z up, the person faces y: to y up, facing z.
TO_FACING_Z = np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])


def bones_of(X: np.ndarray) -> np.ndarray:
    return X - X[:, [j if p < 0 else p for j, p in enumerate(H36M_17.parents)]]


def placed(offsets: np.ndarray) -> dict[str, np.ndarray]:
    X = np.zeros_like(offsets)
    for parent, child in H36M_17.bones:
        X[child] = X[parent] + offsets[child]
    return dict(zip(H36M_17.joints, X, strict=True))


@pytest.fixture
def rest(standing: np.ndarray) -> np.ndarray:
    turned = Rotation.random(7, rng=0).as_matrix() @ standing.T
    return rest_offsets(bones_of(np.swapaxes(turned, 1, 2)), H36M_17)


def test_limbs_stretch_as_in_a_t_pose_however_the_recording_is_turned(rest: np.ndarray) -> None:
    for joint, direction in {
        "LElbow": [1, 0, 0], "RWrist": [-1, 0, 0], "LKnee": [0, -1, 0], "RFoot": [0, -1, 0],
        "Thorax": [0, 1, 0], "Head": [0, 1, 0],
    }.items():  # fmt: skip
        offset = rest[H36M_17.index(joint)]
        np.testing.assert_allclose(offset / np.linalg.norm(offset), direction, atol=1e-12)
    X = placed(rest)
    assert X["LHip"][0] > 0.1 and X["RHip"][0] < -0.1
    assert X["LShoulder"][0] > 0.1 and X["RShoulder"][0] < -0.1
    assert X["Nose"][1] > X["Thorax"][1] and X["Nose"][2] > X["Thorax"][2] + 0.02


def test_bones_that_begin_in_one_joint_keep_their_angles(
    rest: np.ndarray, standing: np.ndarray
) -> None:
    bones = bones_of((standing @ TO_FACING_Z.T)[None])[0]
    for joints in (("RHip", "LHip", "Spine"), ("Nose", "LShoulder", "RShoulder")):
        which = [H36M_17.index(joint) for joint in joints]
        np.testing.assert_allclose(
            rest[which] @ rest[which].T, bones[which] @ bones[which].T, atol=1e-12
        )


def test_lengths_are_medians(standing: np.ndarray) -> None:
    bones = bones_of(np.array([1.0, 1.1, 5.0])[:, None, None] * standing)
    lengths = np.linalg.norm(rest_offsets(bones, H36M_17), axis=-1)
    np.testing.assert_allclose(lengths, np.linalg.norm(bones[1], axis=-1), atol=1e-12)


@pytest.mark.parametrize("name", sorted(SKELETONS))
def test_every_layout_rests_with_left_on_the_left_and_legs_below(name: str) -> None:
    skeleton = SKELETONS[name]
    bones = np.random.default_rng(0).standard_normal((1, skeleton.num_joints, 3))
    bones[:, skeleton.root] = 0
    for joint in [skeleton.root, *skeleton.left, *skeleton.right]:
        assert np.isfinite(rest_offsets(bones, skeleton)[joint]).all()
    for hip, knee, ankle in skeleton.legs:
        assert skeleton.parents[ankle] == knee and skeleton.parents[knee] == hip
        offsets = rest_offsets(bones, skeleton)
        if skeleton.parents.count(hip) == 1:
            np.testing.assert_array_equal(np.sign(offsets[knee]), [0, -1, 0])


def test_a_bone_of_an_unknown_name_goes_on_as_the_one_before() -> None:
    skeleton = make_skeleton("odd", "Pelvis LKnee<Pelvis Q<LKnee W<Q")
    bones = np.array([[[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 0.0]]])
    np.testing.assert_array_equal(
        rest_offsets(bones, skeleton), [[0, 0, 0], [0, -1, 0], [0, -2, 0], [0, 0, 0]]
    )
