"""Rotations of whole motions, against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from selflift.formats.mocap.forward_kinematics import turned


@pytest.mark.parametrize("axis", "xyz")
def test_a_turn_multiplies_from_the_right(axis: str) -> None:
    rng = np.random.default_rng(0)
    before = Rotation.from_rotvec(rng.normal(size=(7, 3)))
    angle = rng.uniform(-4, 4, 7)
    R = turned(before.as_matrix().transpose(1, 2, 0), axis, angle)
    expected = (before * Rotation.from_euler(axis, angle[:, None])).as_matrix()
    np.testing.assert_allclose(R.transpose(2, 0, 1), expected, atol=1e-14)
