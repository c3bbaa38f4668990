"""What is written as text is the motion, to the rounding that is promised."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selflift.skeleton import COCO_17_HIP, H36M_17, Skeleton
from selflift.viewer import Person
from selflift.viewer.html_page import choose_step, encode_person

MakePerson = Callable[..., Person]


def numbers(text: str) -> list[int]:
    """The numbers of a text, byte by byte."""
    found, value, place = [], 0, 0
    for byte in base64.b64decode(text):
        value |= (byte & 127) << place
        place += 7
        if byte < 128:
            found.append(value)
            value, place = 0, 0
    assert place == 0
    return found


def signed(code: int) -> int:
    return -(code + 1) // 2 if code % 2 else code // 2


def decoded(table: dict[str, Any], skeleton: Skeleton, step_px: float) -> Person:
    """The inverse of ``encode_person`` as a plain loop."""
    T, J, root = table["count"], skeleton.num_joints, skeleton.root
    frame = np.cumsum(numbers(table["frame"]))
    codes = iter(numbers(table["X_mm"]))
    X, place = np.zeros((T, J, 3)), np.zeros((J, 3))
    for t in range(T):
        for j in range(J):
            place[j] += [signed(next(codes)) for _ in range(3)]
        X[t] = place + place[root]
        X[t, root] = place[root]
    assert next(codes, None) is None
    steps = iter(numbers(table["pose_2d"]))
    pose, last = np.full((T, J, 2), np.nan), np.zeros((J, 2))
    for t in range(T):
        for j in range(J):
            for k in range(2):
                if code := next(steps):
                    last[j, k] += signed(code - 1)
                    pose[t, j, k] = last[j, k] * step_px
    filled = None
    if table["filled"] is not None:
        runs = numbers(table["filled"])
        flags = [i % 2 == 1 for i, length in enumerate(runs) for _ in range(length)]
        filled = np.array(flags).reshape(J, T).T
    return Person(table["name"], frame, X / 1000, pose, filled)


@pytest.mark.parametrize("skeleton", [H36M_17, COCO_17_HIP], ids=lambda s: s.name)
def test_decoding_gives_the_motion_to_half_a_millimetre(skeleton: Skeleton) -> None:
    rng = np.random.default_rng(0)
    T, J = 40, skeleton.num_joints
    X = rng.normal(0, 3, (T, J, 3))
    pose = rng.uniform(-100, 2000, (T, J, 2))
    pose[rng.random((T, J)) < 0.3] = np.nan
    pose[0, 1], pose[:, 2], pose[5] = np.nan, np.nan, np.nan
    filled = rng.random((T, J)) < 0.2
    person = Person("Ana", np.sort(rng.choice(10_000, T, replace=False)), X, pose, filled)
    back = decoded(encode_person(person, skeleton, 0.5), skeleton, 0.5)
    np.testing.assert_array_equal(back.frame, person.frame)
    np.testing.assert_allclose(back.X_m, X, atol=0.00051)
    np.testing.assert_array_equal(np.isnan(back.pose_2d), np.isnan(pose))
    np.testing.assert_allclose(back.pose_2d, pose, atol=0.2501)
    assert back.filled is not None
    np.testing.assert_array_equal(back.filled, filled)


@pytest.mark.parametrize("filled", [np.zeros((12, 17), bool), np.ones((12, 17), bool), None])
def test_filled_in_joints_may_be_none_all_or_unknown(
    make_person: MakePerson, filled: np.ndarray | None
) -> None:
    back = decoded(encode_person(make_person(filled=filled), H36M_17, 1.0), H36M_17, 1.0)
    np.testing.assert_array_equal(back.filled, filled)


def test_a_joint_with_one_coordinate_is_missing(make_person: MakePerson) -> None:
    person = make_person()
    person.pose_2d[3, 4, 1] = np.nan
    back = decoded(encode_person(person, H36M_17, 0.5), H36M_17, 0.5)
    assert np.isnan(back.pose_2d[3, 4]).all() and np.isfinite(back.pose_2d[4, 4]).all()


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_numbers_survive_as_text(values: list[int]) -> None:
    from selflift.viewer.html_page import _text

    assert numbers(_text(np.array(values))) == values


@pytest.mark.parametrize(
    ("height_px", "step_px"), [(400, 0.5), (520, 1.0), (1100, 2.0), (60, 0.0625)]
)
def test_a_body_is_512_to_1024_steps_tall(
    make_person: MakePerson, height_px: float, step_px: float
) -> None:
    person = make_person()
    pose = person.pose_2d * height_px / np.ptp(person.pose_2d[..., 1], axis=1).mean()
    pose[0, 3] = 1e5
    assert choose_step([replace(person, pose_2d=pose)]) == step_px


def test_unseen_people_have_a_step_too(make_person: MakePerson) -> None:
    assert choose_step([make_person(pose_2d=np.full((12, 17, 2), np.nan))]) == 1.0


def test_a_lifters_motion_takes_at_most_100_bytes_a_frame(make_person: MakePerson) -> None:
    rng = np.random.default_rng(0)
    person = make_person(frames=500)
    person = replace(person, X_m=person.X_m + 0.01 * rng.standard_normal(person.X_m.shape))
    table = encode_person(person, H36M_17, choose_step([person]))
    size = sum(len(base64.b64decode(table[k])) for k in ("frame", "X_mm", "pose_2d"))
    assert size < 100 * 500
