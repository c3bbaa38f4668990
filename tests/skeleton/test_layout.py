"""Keypoint layouts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from selflift.skeleton import H36M_17, SKELETONS, Skeleton, get_skeleton

TABLE = {
    "name": "stick",
    "joints": ("hip", "head", "left", "right"),
    "parents": (-1, 0, 0, 0),
    "left": (2,),
    "right": (3,),
    "head": 1,
}


def test_h36m_layout_is_the_fields() -> None:
    assert H36M_17.num_joints == 17
    assert H36M_17.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
    assert H36M_17.left == (4, 5, 6, 11, 12, 13)
    assert H36M_17.right == (1, 2, 3, 14, 15, 16)
    assert H36M_17.joints[H36M_17.root] == "Hip"
    assert H36M_17.joints[H36M_17.head] == "Head"


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_registered_layouts_are_trees(skeleton: Skeleton) -> None:
    for joint in range(skeleton.num_joints):
        seen = set()
        while joint != -1:
            assert joint not in seen, "the parents form a loop"
            seen.add(joint)
            joint = skeleton.parents[joint]
        assert skeleton.root in seen


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_left_and_right_carry_the_same_names(skeleton: Skeleton) -> None:
    for a, b in zip(skeleton.left, skeleton.right, strict=True):
        left, right = skeleton.joints[a], skeleton.joints[b]
        assert left != right
        assert left[0] in "Ll" and right[0] in "Rr"
        assert left[1:] == right[1:]


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_legs_follow_the_parents(skeleton: Skeleton) -> None:
    for hip, knee, ankle in skeleton.legs:
        assert skeleton.parents[ankle] == knee
        assert skeleton.parents[knee] == hip
    if skeleton.legs:
        left, right = skeleton.legs
        assert set(left) <= set(skeleton.left)
        assert tuple(skeleton.mirror[j] for j in left) == right


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_mirror_is_its_own_inverse_and_keeps_the_tree(skeleton: Skeleton) -> None:
    mirror = skeleton.mirror
    assert [mirror[j] for j in mirror] == list(range(skeleton.num_joints))
    assert mirror != tuple(range(skeleton.num_joints))
    for parent, child in skeleton.bones:
        assert skeleton.parents[mirror[child]] == mirror[parent]


def test_bones_name_every_joint_but_the_root_once() -> None:
    children = [child for _, child in H36M_17.bones]
    assert children == [j for j in range(17) if j != H36M_17.root]
    assert all(H36M_17.parents[child] == parent for parent, child in H36M_17.bones)


def test_index_finds_a_joint_by_name() -> None:
    assert [H36M_17.index(name) for name in H36M_17.joints] == list(range(17))


def test_unknown_joint_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of Hip, RHip, .* got 'Tail'"):
        H36M_17.index("Tail")


def test_get_skeleton_returns_the_registered_one() -> None:
    assert get_skeleton("h36m_17") is H36M_17


def test_unknown_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of .*h36m_17.*, got 'octopus'; add it"):
        get_skeleton("octopus")


def test_wrong_number_of_parents_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one parent per joint \(4\), got 3"):
        Skeleton(**{**TABLE, "parents": (-1, 0, 0)})


@pytest.mark.parametrize(("parents", "roots"), [((1, 2, 3, 0), 0), ((-1, -1, 0, 0), 2)])
def test_anything_but_one_root_is_refused(parents: tuple[int, ...], roots: int) -> None:
    with pytest.raises(ValueError, match=f"exactly one root .* got {roots}"):
        Skeleton(**{**TABLE, "parents": parents})


def test_unpaired_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="as many left as right joints, got 1 and 2"):
        Skeleton(**{**TABLE, "right": (3, 1)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": 99}, "expected left, right, head and legs between 0 and 16, got 1 to 99"),
        ({"parents": (-1, 2, 1, *range(2, 16))}, "expected parents that lead to the root"),
        ({"parents": (-1, 99, *range(1, 16))}, "expected parents that lead to the root"),
    ],
)
def test_indices_that_lead_nowhere_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(H36M_17, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"joints": ["x"] * 100_000, "parents": [-1, *range(99_999)]}, {"head": float("inf")},
        {"head": 10**400}, {"parents": None}, {"legs": [[1]]}, {"name": None, "joints": 3},
    ],
)  # fmt: skip
def test_text_that_is_no_layout_is_refused(change: dict) -> None:
    table = {**json.loads(H36M_17.to_json()), **change}
    with pytest.raises(ValueError):
        Skeleton.from_json(json.dumps(table))
    with pytest.raises(ValueError, match="skeleton: expected JSON with name"):
        Skeleton.from_json("[" * 100_000)
