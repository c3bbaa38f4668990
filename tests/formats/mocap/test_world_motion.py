"""Unit and vertical axis of files that don't tell them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selflift.files.untrusted import ImportFileError
from selflift.formats.mocap.world_motion import (
    WorldFrame,
    check_height,
    choose_frame,
    height_of,
    is_upright,
    units_m,
)

FILE = Path("a.bvh")
UNITS = units_m(0.45)


@pytest.fixture
def people(standing: np.ndarray) -> np.ndarray:
    """``(9, 17, 3)``: a swaying person in world metres, z up."""
    return standing + 0.02 * np.random.default_rng(0).normal(size=(9, 17, 3))


def y_up(X: np.ndarray) -> np.ndarray:
    """From z up to y up, right-handed: forward +y becomes -z."""
    return np.stack([X[..., 0], X[..., 2], -X[..., 1]], -1)


def test_height_is_the_chain_of_bones(standing: np.ndarray) -> None:
    def bone(a: int, b: int) -> float:
        return float(np.linalg.norm(standing[a] - standing[b]))

    legs = (bone(1, 2) + bone(2, 3) + bone(4, 5) + bone(5, 6)) / 2
    expected = legs + bone(0, 7) + bone(7, 8) + bone(8, 9) + bone(9, 10)
    assert height_of(standing[None]) == pytest.approx(expected, rel=1e-12)


def test_cmus_unit_is_an_inch_over_its_length() -> None:
    assert UNITS["cmu"] == pytest.approx(2.54 / 100 / 0.45, rel=1e-15)
    assert UNITS["cmu"] == pytest.approx(0.056444, abs=1e-6)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("size", [0.85, 1.0, 1.25])
def test_unit_and_axis_are_found(people: np.ndarray, unit: str, up: str, size: float) -> None:
    world = size * people
    X = (world if up == "z" else y_up(world)) / UNITS[unit]
    frame = choose_frame(FILE, X, "auto", "auto", 0.45)
    assert (frame.unit, frame.up) == (unit, up)
    np.testing.assert_allclose(1000 * frame.to_world(X), 1000 * world, atol=1e-6)


def test_y_up_to_z_up_keeps_hands_apart() -> None:
    frame = WorldFrame("m", 1.0, "y")
    np.testing.assert_array_equal(frame.to_world(np.array([[1.0, 2.0, 3.0]])), [[1.0, -3.0, 2.0]])
    turn = frame.to_world(np.eye(3)).T
    assert np.linalg.det(turn) == pytest.approx(1)


def test_the_unit_of_an_asf_file_is_its_own(people: np.ndarray) -> None:
    frame = choose_frame(FILE, people / units_m(0.3)["cmu"], "auto", "z", 0.3)
    assert frame.unit == "cmu" and frame.metres == pytest.approx(0.0254 / 0.3)


@pytest.mark.parametrize("factor", [3.3, 0.4, 1e4])
def test_bodies_that_fit_no_unit_are_refused_with_their_height(
    people: np.ndarray, factor: float
) -> None:
    with pytest.raises(ImportFileError, match="got .* file units: .* m in cmu.*; set mocap.unit"):
        choose_frame(FILE, factor * people, "auto", "z", 0.45)


def test_bodies_that_fit_two_units_are_refused(people: np.ndarray) -> None:
    X = 1.25 * people / 0.0254
    with pytest.raises(
        ImportFileError, match="in one unit, got .* m in cmu.* m in inch; set mocap"
    ):
        choose_frame(FILE, X, "auto", "z", 1.3)


def test_a_unit_that_is_named_is_taken(people: np.ndarray) -> None:
    frame = choose_frame(FILE, people, "cm", "y", 0.45)
    assert frame == WorldFrame("cm", 0.01, "y")
    with pytest.raises(
        ImportFileError, match=r"0.8 to 2.5 m .* got 0.01\d+ m with unit cm \(0.01 m"
    ):
        check_height(FILE, frame.to_world(people), frame)


@pytest.mark.parametrize(("size", "fine"), [(0.45, False), (0.6, True), (1.4, True), (1.7, False)])
def test_only_heights_of_people_pass(people: np.ndarray, size: float, fine: bool) -> None:
    frame = WorldFrame("m", 1.0, "z")
    if fine:
        check_height(FILE, size * people, frame)
    else:
        with pytest.raises(ImportFileError, match="set mocap.unit, and read files of different"):
            check_height(FILE, size * people, frame)


@pytest.mark.parametrize("order", [(2, 0, 1), (2, 1, 0), (0, 1, 2)])
def test_lying_and_upside_down_people_leave_the_axis_open(people: np.ndarray, order: tuple) -> None:
    X = people[..., list(order)]
    if order == (0, 1, 2):
        X = -X
    with pytest.raises(ImportFileError, match="expected heads above ankles along y or z.*mocap.up"):
        choose_frame(FILE, X, "m", "auto", 0.45)


def test_upright_is_told_from_upside_down(people: np.ndarray) -> None:
    assert is_upright(people)
    assert not is_upright(-people)
