"""The tables of the named layouts, against facts written down elsewhere."""

from __future__ import annotations

import pytest

from selflift.skeleton import (
    COCO_17,
    COCO_17_HIP,
    H36M_17,
    H36M_32,
    HALPE_26,
    MPI_INF_3DHP_28,
    OPENPOSE_BODY_25,
    PAPER_14,
    PAPER_14_HIP,
    SKELETONS,
    get_skeleton,
    make_skeleton,
    register,
)

# A user's layout in ten lines.
LAB_9 = (
    "MidHip LHip<MidHip LKnee<LHip LAnkle<LKnee RHip<MidHip RKnee<RHip RAnkle<RKnee "
    "Neck<MidHip Crown<Neck"
)


@pytest.fixture(autouse=True)
def registry() -> object:
    before = dict(SKELETONS)
    yield
    SKELETONS.clear()
    SKELETONS.update(before)


def test_human36m_raw_tree_is_the_published_one() -> None:
    assert H36M_32.parents == (
        -1, 0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 13, 14, 12, 16, 17, 18, 19, 20, 19, 22, 12,
        24, 25, 26, 27, 28, 27, 30,
    )  # fmt: skip
    assert H36M_32.left == (6, 7, 8, 9, 10, 16, 17, 18, 19, 20, 21, 22, 23)
    assert H36M_32.right == (1, 2, 3, 4, 5, 24, 25, 26, 27, 28, 29, 30, 31)


def test_coco_pairs_are_neighbours() -> None:
    assert COCO_17.left == (1, 3, 5, 7, 9, 11, 13, 15)
    assert COCO_17.right == (2, 4, 6, 8, 10, 12, 14, 16)


@pytest.mark.parametrize(
    ("skeleton", "joints"),
    [
        (OPENPOSE_BODY_25, {0: "Nose", 1: "Neck", 8: "MidHip", 14: "LAnkle", 19: "LBigToe",
                            24: "RHeel"}),
        (HALPE_26, {5: "LShoulder", 17: "Head", 18: "Neck", 19: "Hip", 25: "RHeel"}),
        (MPI_INF_3DHP_28, {4: "Pelvis", 5: "Neck", 6: "Head", 7: "HeadTop", 14: "RShoulder",
                           18: "LHip", 23: "RHip", 27: "RToe"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_joints_stand_where_their_publishers_put_them(skeleton, joints: dict[int, str]) -> None:
    assert {i: skeleton.joints[i] for i in joints} == joints


def test_a_layout_without_pelvis_cannot_be_trained_on_until_it_gets_one() -> None:
    for bare, rooted in ((COCO_17, COCO_17_HIP), (PAPER_14, PAPER_14_HIP)):
        assert not bare.trainable
        assert rooted.trainable
        assert rooted.joints == (*bare.joints, "Hip")
        assert rooted.joints[rooted.root] == "Hip"
        hips = [rooted.index("LHip"), rooted.index("RHip")]
        assert {rooted.parents[hip] for hip in hips} == {rooted.root}


def test_a_user_adds_a_layout_by_its_table() -> None:
    mine = register(
        make_skeleton("lab_9", LAB_9, head="Crown", parts={"MidHip": "Pelvis", "Crown": "HeadTop"})
    )
    assert get_skeleton("lab_9") is mine
    assert mine.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7)
    assert (mine.left, mine.right) == ((1, 2, 3), (4, 5, 6))
    assert mine.legs == ((1, 2, 3), (4, 5, 6))
    assert mine.joints[mine.head] == "Crown"


@pytest.mark.parametrize(
    ("tree", "options", "culprit"),
    [
        ("Hip Knee<Hop", {}, "Hop"),
        ("Hip Knee<Hip", {"head": "Crown"}, "Crown"),
        ("Hip Knee<Hip", {"parts": {"Toe": "LToe"}}, "Toe"),
    ],
)
def test_a_name_that_is_no_joint_is_refused(tree: str, options: dict, culprit: str) -> None:
    with pytest.raises(ValueError, match=f"of its joints Hip, Knee, got {culprit}"):
        make_skeleton("bad", tree, **options)


def test_h36m_17_did_not_change_by_getting_parts() -> None:
    assert H36M_17.parts[9] == "Nose"
    assert type(H36M_17).from_json(H36M_17.to_json()) == H36M_17
    older = H36M_17.to_json().replace('"parts"', '"unknown"')
    assert type(H36M_17).from_json(older) == H36M_17
