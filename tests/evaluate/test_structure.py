"""Bones, symmetry and facing against loops over named joints, on bodies and their mirror images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from selflift.evaluate.structure import (
    bone_asymmetry,
    bone_length_error,
    facing_correct,
    nose_side,
)
from selflift.skeleton import COCO_17, COCO_17_HIP, H36M_17, MPI_INF_3DHP_17, SKELETONS, Skeleton

MIRROR = torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
CALLS = {
    "bone_length_error": lambda P, T: bone_length_error(P, T, H36M_17),
    "facing_correct": lambda P, T: facing_correct(P, T, H36M_17),
    "bone_asymmetry": lambda P, T: bone_asymmetry(P, H36M_17),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


def length(pose: Tensor, a: str, b: str, skeleton: Skeleton = H36M_17) -> float:
    return float(np.linalg.norm(pose[skeleton.index(a)] - pose[skeleton.index(b)]))


def test_bone_length_error_is_the_mean_over_named_bones(
    make_bodies: Callable, dtype: torch.dtype
) -> None:
    P, T = 700 * make_bodies(8, seed=1), 750 * make_bodies(8, seed=2)
    found = bone_length_error(P.to(dtype), T.to(dtype), H36M_17)
    assert found.dtype == dtype
    names = H36M_17.joints
    for i in range(8):
        errors = [
            abs(length(P[i], names[p], names[j]) - length(T[i], names[p], names[j]))
            for j, p in enumerate(H36M_17.parents)
            if p != -1
        ]
        assert len(errors) == 16
        assert found[i].item() == pytest.approx(np.mean(errors), rel=1e-4)


def test_bone_lengths_do_not_see_where_bones_point_but_their_size(make_bodies: Callable) -> None:
    T = 750 * make_bodies(4)
    turn = torch.from_numpy(Rotation.random(rng=0).as_matrix())
    assert bone_length_error(T @ turn + 100, T, H36M_17).max() < 1e-9
    assert bone_length_error(1.1 * T, T, H36M_17).min() > 10


def test_asymmetry_is_the_mean_over_named_pairs(make_bodies: Callable, dtype: torch.dtype) -> None:
    P = make_bodies(8)
    found = bone_asymmetry(P.to(dtype), H36M_17)
    assert found.dtype == dtype
    pairs = [
        ("Hip", "Hip"), ("Hip", "Knee"), ("Knee", "Foot"), ("Thorax", "Shoulder"),
        ("Shoulder", "Elbow"), ("Elbow", "Wrist"),
    ]  # fmt: skip
    middle = ("Hip", "Thorax")
    for i in range(8):
        shares = []
        for k, (near, far) in enumerate(pairs):
            ends = [
                (near if near in middle and k in (0, 3) else side + near, side + far)
                for side in "LR"
            ]
            l, r = (length(P[i], *end) for end in ends)
            shares.append(abs(l - r) / ((l + r) / 2) * 100)
        assert found[i].item() == pytest.approx(np.mean(shares), rel=1e-4)
    assert found.min() > 1


def test_a_symmetric_body_has_no_asymmetry_in_any_unit_and_a_lame_one_has(
    make_bodies: Callable,
) -> None:
    X = make_bodies(6)
    swapped = (X * torch.tensor([-1.0, 1.0, 1.0]))[:, list(H36M_17.mirror)]
    symmetric = (X + swapped) / 2
    assert bone_asymmetry(symmetric, H36M_17).max() < 1e-9
    torch.testing.assert_close(bone_asymmetry(300 * X, H36M_17), bone_asymmetry(X, H36M_17))
    lame = symmetric.clone()
    wrist, elbow = H36M_17.index("LWrist"), H36M_17.index("LElbow")
    lame[:, wrist] = lame[:, elbow] + 3 * (lame[:, wrist] - lame[:, elbow])
    # 3 against 1 is 100 % of one of the six pairs, something against nothing 200 %.
    np.testing.assert_allclose(bone_asymmetry(lame, H36M_17).numpy(), 100 / 6)
    lame[:, wrist] = lame[:, elbow]
    np.testing.assert_allclose(bone_asymmetry(lame, H36M_17).numpy(), 200 / 6)


def test_a_pair_of_bones_without_length_raises(make_bodies: Callable) -> None:
    X = make_bodies(5)
    for side in "LR":
        X[3, H36M_17.index(f"{side}Foot")] = X[3, H36M_17.index(f"{side}Knee")]
    with pytest.raises(ValueError, match="bones with a length, got 1 of 5 poses.*pose 3"):
        bone_asymmetry(X, H36M_17)


def test_a_layout_without_pairs_raises(make_bodies: Callable) -> None:
    bare = replace(H36M_17, left=(), right=())
    with pytest.raises(ValueError, match="expected bones on the left with counterparts"):
        bone_asymmetry(make_bodies(1), bare)


@pytest.mark.parametrize("name", sorted(SKELETONS))
def test_every_layout_has_pairs_of_the_same_limbs(name: str) -> None:
    skeleton = SKELETONS[name]
    X = torch.randn(4, skeleton.num_joints, 3, generator=torch.Generator().manual_seed(0))
    order = list(skeleton.mirror)
    torch.testing.assert_close(bone_asymmetry(X[:, order], skeleton), bone_asymmetry(X, skeleton))


def test_a_standing_persons_nose_is_in_front_whatever_way_they_turn(
    make_bodies: Callable, dtype: torch.dtype
) -> None:
    X = make_bodies(50, noise=0.02, dtype=dtype)
    assert (nose_side(X, H36M_17) == 1).all()
    assert (nose_side(X * MIRROR.to(dtype), H36M_17) == -1).all()
    tumbled = X @ torch.from_numpy(Rotation.random(50, rng=0).as_matrix()).to(dtype) + 9
    assert (nose_side(tumbled, H36M_17) == 1).all()


def test_the_nose_side_follows_the_nose(standing: np.ndarray) -> None:
    # They face the world's +y, and the world is right-handed like the camera's frame.
    X = torch.from_numpy(standing)[None]
    assert nose_side(X, H36M_17).item() == 1
    X[0, H36M_17.index("Nose"), 1] -= 0.4
    assert nose_side(X, H36M_17).item() == -1


def test_the_truth_and_any_similar_pose_face_right_and_the_depth_mirror_wrong(
    make_bodies: Callable, dtype: torch.dtype
) -> None:
    T = make_bodies(30, dtype=dtype)
    thrown_back = T.clone()
    thrown_back[:10] = thrown_back[:10] * MIRROR.to(dtype)
    for truth in (T, thrown_back):
        correct = facing_correct(0.01 * truth, 1000 * truth, H36M_17)
        assert correct.dtype == dtype and correct.tolist() == [1.0] * 30
        assert facing_correct(truth * MIRROR.to(dtype), truth, H36M_17).tolist() == [0.0] * 30
    assert facing_correct(thrown_back, T, H36M_17).tolist() == [0.0] * 10 + [1.0] * 20


def test_a_prediction_without_depth_faces_no_way_even_after_rounding(make_bodies: Callable) -> None:
    T = make_bodies(40).float()
    flat = T * torch.tensor([1.0, 1.0, 0.0])
    assert facing_correct(flat, T, H36M_17).sum() == 0
    turn = torch.from_numpy(Rotation.random(40, rng=0).as_matrix()).float()
    assert facing_correct(flat @ turn, T @ turn, H36M_17).sum() == 0


def test_a_truth_with_the_nose_in_the_torso_plane_is_excluded(make_bodies: Callable) -> None:
    T = make_bodies(4)
    P = T.clone()
    T[2, H36M_17.index("Nose")] = (
        T[2, H36M_17.index("LShoulder")] + T[2, H36M_17.index("RShoulder")]
    ) / 2
    correct = facing_correct(P, T, H36M_17)
    assert correct.isnan().tolist() == [False, False, True, False]
    assert correct.nansum() == 3


@pytest.mark.parametrize(
    ("skeleton", "words"),
    [(MPI_INF_3DHP_17, "without Nose"), (COCO_17, "without a root in the middle of the hips")],
)
def test_a_layout_that_cannot_tell_raises(skeleton: Skeleton, words: str) -> None:
    X = torch.randn(2, 17, 3)
    with pytest.raises(ValueError, match=f"'{skeleton.name}'.*{words}.*leave this metric out"):
        facing_correct(X, X, skeleton)


def test_layouts_are_read_by_their_parts_or_else_their_joints(make_bodies: Callable) -> None:
    X = make_bodies(5, noise=0.02)
    renamed = replace(
        H36M_17, joints=tuple(f"j{i}" for i in range(17)), parts=H36M_17.parts or H36M_17.joints
    )
    bare = replace(H36M_17, parts=())
    for skeleton in (renamed, bare):
        assert nose_side(X, skeleton).tolist() == [1.0] * 5
    assert nose_side(torch.randn(2, 18, 3), COCO_17_HIP).shape == (2,)


@every_call
@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_poses_that_cannot_be_scored_raise(
    make_bodies: Callable, call: Callable, value: float
) -> None:
    X, bad = make_bodies(3), make_bodies(3)
    bad[1] = value
    with pytest.raises(ValueError, match="expected (finite )?predictions.*1 of 3.*pose 1"):
        call(bad, X)
