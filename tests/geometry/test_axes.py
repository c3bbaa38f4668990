"""Axes: which points up, and back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from selflift.geometry.axes import TO_CAMERA, turn_axes

# The same three directions in each of the axes.
RIGHT = {"-y": [1, 0, 0], "y": [1, 0, 0], "z": [1, 0, 0]}
UP = {"-y": [0, -1, 0], "y": [0, 1, 0], "z": [0, 0, 1]}
AWAY = {"-y": [0, 0, 1], "y": [0, 0, -1], "z": [0, 1, 0]}


@pytest.mark.parametrize(("given", "wanted"), [*itertools.product(TO_CAMERA, repeat=2)])
def test_right_up_and_away_stay_what_they_are(given: str, wanted: str) -> None:
    for direction in (RIGHT, UP, AWAY):
        np.testing.assert_array_equal(
            turn_axes(np.array([direction[given]] * 2), given, wanted), [direction[wanted]] * 2
        )


@pytest.mark.parametrize("up", TO_CAMERA)
def test_all_axes_are_right_handed(up: str) -> None:
    assert np.linalg.det(TO_CAMERA[up]) == 1


def test_unknown_axes_are_refused() -> None:
    for given, wanted in (("x", "y"), ("y", "x")):
        with pytest.raises(ValueError, match="up: expected one of -y, y, z, got 'x'; '-y' is a ca"):
            turn_axes(np.zeros(3), given, wanted)
