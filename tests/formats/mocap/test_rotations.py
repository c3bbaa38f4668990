"""Rotations of whole motions, against SciPy's."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from selflift.formats.mocap.rotations import applied, from_axes, identity, turned

ORDERS = ["".join(order) for order in permutations("xyz")]


@pytest.mark.parametrize("axis", "xyz")
def test_a_turn_multiplies_from_the_right(axis: str) -> None:
    rng = np.random.default_rng(0)
    before = Rotation.from_rotvec(rng.normal(size=(7, 3)))
    angle = rng.uniform(-4, 4, 7)
    R = turned(before.as_matrix().transpose(1, 2, 0), axis, angle)
    expected = (before * Rotation.from_euler(axis, angle[:, None])).as_matrix()
    np.testing.assert_allclose(R.transpose(2, 0, 1), expected, atol=1e-14)


@pytest.mark.parametrize("order", ORDERS)
def test_axes_are_fixed_and_apply_in_their_order(order: str) -> None:
    angles = [0.3, -1.1, 2.0]
    expected = Rotation.from_euler(order, angles).as_matrix()
    np.testing.assert_allclose(from_axes(order, angles), expected, atol=1e-14)


def test_vectors_are_turned_frame_by_frame() -> None:
    turns = Rotation.from_rotvec(np.random.default_rng(1).normal(size=(5, 3)))
    R = turns.as_matrix().transpose(1, 2, 0)
    one, many = np.array([1.0, 2.0, 3.0]), np.random.default_rng(2).normal(size=(3, 5))
    np.testing.assert_allclose(applied(R, one).T, turns.apply(one), atol=1e-14)
    np.testing.assert_allclose(applied(R, many).T, turns.apply(many.T), atol=1e-14)
    np.testing.assert_array_equal(applied(identity(5), many), many)
