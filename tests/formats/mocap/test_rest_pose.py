"""The rest pose: median lengths, arms out, facing z, whatever the recording does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from selflift.formats.mocap.rest_pose import rest_offsets
from selflift.skeleton import H36M_17, SKELETONS, make_skeleton

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
