"""Which layout a file has."""

from __future__ import annotations

import pytest

from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.layout_recognition import choose_layout
from selflift.skeleton import (
    COCO_17,
    H36M_17,
    HALPE_26,
    MPI_INF_3DHP_17,
    MPII_16,
    SKELETONS,
    Skeleton,
)


def words(text: str) -> list[str]:
    return text.split()


COCO_NAMES = words(
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle"
)
HALPE_NAMES = [
    *COCO_NAMES, "head", "neck", "hip", "left_big_toe", "right_big_toe", "left_small_toe",
    "right_small_toe", "left_heel", "right_heel",
]  # fmt: skip
H36M_NAMES = words(
    "root right_hip right_knee right_foot left_hip left_knee left_foot spine thorax neck_base head "
    "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
)
MPII_NAMES = words(
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck "
    "head_top right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist"
)
MPI_NAMES = words(
    "head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle root spine head"
)


@pytest.mark.parametrize(
    ("names", "skeleton"),
    [
        (COCO_NAMES, COCO_17), (HALPE_NAMES, HALPE_26), (H36M_NAMES, H36M_17),
        (MPII_NAMES, MPII_16), (MPI_NAMES, MPI_INF_3DHP_17),
        ([name.replace("_", " ").title() for name in COCO_NAMES], COCO_17),
    ],
)  # fmt: skip
def test_public_names_are_recognised(names: list[str], skeleton: Skeleton) -> None:
    layout = choose_layout("file", len(names), None, names)
    assert layout.skeleton is skeleton and layout.note is None


@pytest.mark.parametrize("name", SKELETONS)
def test_every_layout_is_recognised_by_its_own_names(name: str) -> None:
    skeleton = SKELETONS[name]
    assert choose_layout("file", skeleton.num_joints, None, skeleton.joints).skeleton is skeleton


def test_mmposes_exchanged_legs_of_human36m_are_named() -> None:
    swap = {"left": "right", "right": "left"}
    names = [
        "_".join(swap.get(word, word) for word in name.split("_")) if 1 <= j <= 6 else name
        for j, name in enumerate(H36M_NAMES)
    ]
    layout = choose_layout("file", 17, None, names)
    assert layout.skeleton is H36M_17
    assert layout.note is not None and "legs are exchanged" in layout.note


@pytest.mark.parametrize(("count", "skeleton"), [(17, COCO_17), (26, HALPE_26)])
def test_the_number_of_joints_decides_where_there_are_no_names(
    count: int, skeleton: Skeleton
) -> None:
    layout = choose_layout("file", count, None)
    assert layout.skeleton is skeleton and layout.note is None
    assert str(layout) == f"{skeleton.name} (by its {count} joints)"


@pytest.mark.parametrize(("count", "skeleton"), [(133, COCO_17), (136, HALPE_26)])
def test_of_whole_bodies_the_body_is_kept_and_that_is_said(count: int, skeleton: Skeleton) -> None:
    names = [*COCO_NAMES, *HALPE_NAMES[17:], *[f"face-{n}" for n in range(200)]][:count]
    for given in ((), names):
        layout = choose_layout("file", count, None, given)
        assert layout.skeleton is skeleton and layout.count == count
        assert layout.note == (
            f"of {count} joints the first {skeleton.num_joints} ({skeleton.name}) are kept"
        )


def test_the_users_word_comes_before_names_and_number() -> None:
    assert choose_layout("file", 17, "h36m_17", COCO_NAMES).skeleton is H36M_17


def test_seventeen_joints_of_an_animal_are_not_taken_for_a_person() -> None:
    names = words("L_Eye R_Eye Nose Neck Tail a b c d e f g h i j k l")
    with pytest.raises(ImportFileError, match="got 17 joints named L_Eye, R_Eye, .*coco_17"):
        choose_layout("file", 17, None, names)


@pytest.mark.parametrize(
    ("count", "asked", "names", "message"),
    [
        (14, None, [], "expected 17 .coco_17., 26 .halpe_26. joints a person, got 14; name their"),
        (25, "coco_17", [], "expected 17 joints .keypoints.layout=coco_17., got 25; name"),
        (17, "cocoa", [], "keypoints.layout: skeleton: expected one of .*, got 'cocoa'"),
        (17, None, COCO_NAMES[:16], "expected a name for each of the 17 joints, got 16"),
    ],
)
def test_what_fits_nothing_is_refused(
    count: int, asked: str | None, names: list[str], message: str
) -> None:
    with pytest.raises(ImportFileError, match=message):
        choose_layout("file", count, asked, names)
