"""Conversion between layouts."""

from __future__ import annotations

import numpy as np
import pytest

from selflift.skeleton import (
    CMU_31,
    COCO_17,
    H36M_17,
    H36M_32,
    H36M_SH_16,
    MPI_INF_3DHP_17,
    MPI_INF_3DHP_28,
    MPII_16,
    OPENPOSE_BODY_25,
    PAPER_14,
    SKELETONS,
    Skeleton,
    convert,
    derived_joints,
    make_skeleton,
)


def numbered(skeleton: Skeleton, *batch: int) -> np.ndarray:
    """Poses whose joints are (j, 100 + j), exact in float32."""
    j = np.arange(skeleton.num_joints, dtype=np.float32)
    return np.broadcast_to(np.stack([j, 100 + j], -1), (*batch, skeleton.num_joints, 2)).copy()


def indices(source: Skeleton, target: Skeleton) -> list[float]:
    return convert(numbered(source), source, target).positions[:, 0].tolist()


def test_32_joints_become_the_fields_17() -> None:
    expected = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    assert indices(H36M_32, H36M_17) == expected


def test_mpi_inf_3dhp_training_joints_become_its_test_joints_by_the_official_list() -> None:
    expected = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]
    assert indices(MPI_INF_3DHP_28, MPI_INF_3DHP_17) == expected


def test_mpi_inf_3dhp_becomes_human36m_with_head_below_head_top() -> None:
    test_order = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
    assert indices(MPI_INF_3DHP_17, H36M_17) == test_order
    train_order = [4, 23, 24, 25, 18, 19, 20, 3, 5, 6, 7, 9, 10, 11, 14, 15, 16]
    assert indices(MPI_INF_3DHP_28, H36M_17) == train_order


def test_coco_becomes_human36m_as_the_field_does_it() -> None:
    out = indices(COCO_17, H36M_17)
    assert out[1:7] == [12, 14, 16, 11, 13, 15]
    assert out[11:] == [5, 7, 9, 6, 8, 10]
    assert out[0] == (11 + 12) / 2
    assert out[8] == (5 + 6) / 2
    assert out[7] == (11 + 12 + 5 + 6) / 4
    assert out[9] == 0
    assert out[10] == (1 + 2) / 2
    assert derived_joints(COCO_17, H36M_17) == {
        "Hip": ("LHip", "RHip"),
        "Spine": ("LHip", "RHip", "LShoulder", "RShoulder"),
        "Thorax": ("LShoulder", "RShoulder"),
        "Head": ("LEye", "REye"),
    }


def test_hourglass_joints_become_human36m() -> None:
    same = [6, 2, 1, 0, 3, 4, 5]
    fine_tuned, pretrained = indices(H36M_SH_16, H36M_17), indices(MPII_16, H36M_17)
    for out in (fine_tuned, pretrained):
        assert out[:7] == same
        assert out[11:] == [13, 14, 15, 12, 11, 10]
    assert [fine_tuned[i] for i in (7, 8, 9, 10)] == [7, 8, (8 + 9) / 2, 9]
    assert [pretrained[i] for i in (7, 8, 9, 10)] == [(6 + 7) / 2, 7, (8 + 9) / 2, 9]


def test_cmu_bone_ends_become_human36m() -> None:
    joints = [CMU_31.joints[int(i)] for i in indices(CMU_31, H36M_17)[1:]]
    assert joints == [
        "rhipjoint", "rfemur", "rtibia", "lhipjoint", "lfemur", "ltibia", "lowerback", "thorax",
        "upperneck", "head", "lclavicle", "lhumerus", "lradius", "rclavicle", "rhumerus", "rradius",
    ]  # fmt: skip


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_conversion_to_itself_changes_nothing(skeleton: Skeleton) -> None:
    poses = np.random.default_rng(0).standard_normal((4, skeleton.num_joints, 3))
    np.testing.assert_array_equal(convert(poses, skeleton, skeleton).positions, poses)
    assert derived_joints(skeleton, skeleton) == {}


@pytest.mark.parametrize("source", SKELETONS.values(), ids=lambda s: s.name)
def test_every_layout_becomes_human36m_with_left_and_right_kept(source: Skeleton) -> None:
    out = convert(numbered(source, 2), source, H36M_17)
    assert out.positions.shape == (2, 17, 2)
    assert np.isfinite(out.positions).all()
    mirrored = convert(numbered(source)[list(source.mirror)], source, H36M_17).positions
    np.testing.assert_array_equal(mirrored, out.positions[0][list(H36M_17.mirror)])


def test_a_derived_joint_is_as_sure_as_its_least_sure_source() -> None:
    confidence = np.full((1, 25), 0.9, np.float32)
    confidence[0, OPENPOSE_BODY_25.index("REye")] = 0.3
    out = convert(numbered(OPENPOSE_BODY_25, 1), OPENPOSE_BODY_25, H36M_17, confidence)
    assert out.confidence is not None
    np.testing.assert_array_equal(
        out.confidence[0], np.where(np.arange(17) == 10, 0.3, 0.9).astype(np.float32)
    )


def test_what_is_derived_from_a_missing_joint_is_missing() -> None:
    poses, confidence = numbered(COCO_17, 1), np.ones((1, 17), np.float32)
    poses[0, COCO_17.index("LHip")] = np.nan
    confidence[0, COCO_17.index("LHip")] = 0
    out = convert(poses, COCO_17, H36M_17, confidence)
    missing = [H36M_17.index(joint) for joint in ("Hip", "LHip", "Spine")]
    assert np.flatnonzero(out.confidence == 0).tolist() == missing
    assert np.flatnonzero(np.isnan(out.positions[0]).any(-1)).tolist() == missing


def test_a_head_without_eyes_is_found_by_what_is_seen_of_it() -> None:
    eyes, ears = ["LEye", "REye"], ["LEar", "REar"]
    for hidden, seen in (
        ([], eyes), (["LEye"], ears), ([*eyes], ears), (["LEye", "LEar"], ["REye"]),
        ([*eyes, "LEar"], ["REar"]), ([*eyes, *ears], []),
    ):  # fmt: skip
        poses, confidence = numbered(COCO_17, 1), np.full((1, 17), 0.9, np.float32)
        confidence[0, [COCO_17.index(joint) for joint in hidden]] = 0
        out = convert(poses, COCO_17, H36M_17, confidence)
        if seen:
            expected = np.mean([COCO_17.index(joint) for joint in seen])
            assert out.positions[0, 10, 0] == expected
            assert out.confidence[0, 10] == np.float32(0.9)
        else:
            assert np.isnan(out.positions[0, 10]).all() and out.confidence[0, 10] == 0
        assert (out.confidence[0, :10] > 0).all()


def test_conversion_does_not_touch_its_input() -> None:
    poses, confidence = numbered(COCO_17, 3), np.ones((3, 17), np.float32)
    confidence[:, 0] = 0
    convert(poses, COCO_17, COCO_17, confidence)
    np.testing.assert_array_equal(poses, numbered(COCO_17, 3))


def test_a_part_that_cannot_be_had_is_named() -> None:
    feet = make_skeleton("feet", "LAnkle RAnkle<LAnkle")
    with pytest.raises(ValueError, match="expected 'Pelvis' of 'h36m_17' to be in 'feet'"):
        convert(numbered(feet), feet, H36M_17)
    with pytest.raises(ValueError, match="expected 'REye' of 'openpose_body_25'"):
        convert(numbered(PAPER_14), PAPER_14, OPENPOSE_BODY_25)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 17 joints \(skeleton 'coco_17'\), got 25"):
        convert(numbered(OPENPOSE_BODY_25), COCO_17, H36M_17)
    with pytest.raises(ValueError, match=r"confidence: expected shape \(2, 17\)"):
        convert(numbered(COCO_17, 2), COCO_17, H36M_17, np.ones(17))
