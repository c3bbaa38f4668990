"""What can't be shown is refused in one line, before anything is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.skeleton import H36M_17
from selflift.viewer import Person, write_viewer
from selflift.viewer.shown_person import floor_height

MakePerson = Callable[..., Person]


def nan(shape: tuple[int, ...], value: float = np.nan) -> np.ndarray:
    array = np.zeros(shape)
    array[1, 2, 0] = value
    return array


WRONG_PEOPLE: list[tuple[dict[str, Any], str]] = [
    ({"X_m": np.zeros((12, 16, 3))}, "expected X_m (12, 17, 3), got (12, 16, 3); .*'h36m_17'"),
    ({"X_m": np.zeros((11, 17, 3))}, "expected X_m (12, 17, 3), got (11, 17, 3)"),
    ({"pose_2d": np.zeros((12, 17, 3))}, "expected pose_2d (12, 17, 2), got (12, 17, 3)"),
    ({"filled": np.zeros((12, 3), bool)}, "expected filled (12, 17), got (12, 3)"),
    ({"filled": np.zeros((12, 17))}, "expected filled to be bool, got float64"),
    ({"X_m": np.zeros((12, 17, 3), int)}, "expected X_m to be floating-point numbers, got int64"),
    ({"X_m": nan((12, 17, 3))}, "expected X_m to be metres within 1000 .*, got nan; .*leave out"),
    ({"X_m": nan((12, 17, 3), -4500)}, "expected X_m to be metres .*, got -4500.0; check the unit"),
    ({"pose_2d": nan((12, 17, 2), np.inf)}, "expected pose_2d to be pixels .*, got inf"),
    ({"pose_2d": nan((12, 17, 2), 2e6)}, "expected pose_2d to be pixels .*, got 2000000.0"),
    ({"frame": np.arange(12.0)}, "expected frame to be (T,) whole numbers.*, got (12,) float64"),
    ({"frame": np.zeros((12, 1), int)}, "expected frame to be (T,) .*, got (12, 1) int64"),
    ({"frame": np.arange(0)}, ".*T at least 1, got (0,) int64; leave people without frames out"),
    ({"frame": np.arange(12)[::-1]}, "expected frames that ascend"),
    ({"frame": np.zeros(12, int)}, "expected frames that ascend.*; sort them and drop the doubles"),
    ({"frame": np.arange(-1, 11)}, "expected frames that ascend, from 0"),
]


def pattern(words: str) -> str:
    return "".join(".*" if part == ".*" else re.escape(part) for part in re.split(r"(\.\*)", words))


@pytest.mark.parametrize(("changes", "words"), WRONG_PEOPLE)
def test_a_wrong_person_is_refused(
    tmp_path: Path, make_person: MakePerson, changes: dict[str, Any], words: str
) -> None:
    people = [make_person(), make_person("Ben", **changes)]
    match = f"^viewer, person 1 'Ben': {pattern(words)}"
    with pytest.raises(ValueError, match=match) as error:
        write_viewer(tmp_path / "v.html", people, H36M_17, fps=25.0)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"people": []}, "viewer: expected at least one person, got none; give a Person"),
        ({"fps": float("nan")}, "viewer: expected fps to be a finite number above 0, got nan; "),
        ({"fps": float("inf")}, "viewer: expected fps to be a finite number above 0, got inf; "),
        ({"fps": 0.0}, "viewer: expected fps to be a finite number above 0, got 0.0; "),
        ({"size_px": (0, 5)}, "viewer: expected size_px to be width and height .*, got (0, 5); "),
        ({"title": "\ud800"}, "viewer: expected text that UTF-8 can hold, got '\\ud800'; "),
        ({"notes": ["fine", "\udcff"]}, "viewer: expected text .*, got '\\udcff'; "),
    ],
)
def test_a_wrong_page_is_refused(
    tmp_path: Path, make_person: MakePerson, changes: dict[str, Any], words: str
) -> None:
    arguments = {"people": [make_person()], "skeleton": H36M_17, "fps": 25.0, **changes}
    with pytest.raises(ValueError, match=f"^{pattern(words)}"):
        write_viewer(tmp_path / "v.html", **arguments)
    assert not list(tmp_path.iterdir())


def test_the_floor_is_where_feet_stand_not_where_one_frame_fell(make_person: MakePerson) -> None:
    person = make_person(frames=100)
    X = person.X_m - [0, person.X_m[..., 1].min(1).mean(), 0]
    X[7] -= [0, 3, 0]
    assert abs(floor_height([replace(person, X_m=X)])) < 0.2
