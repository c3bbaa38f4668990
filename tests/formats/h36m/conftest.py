from __future__ import annotations

import numpy as np
import pytest

from tests.formats.h36m.videopose3d_files import Poses3D, as_32, motion


@pytest.fixture
def positions(standing: np.ndarray) -> Poses3D:
    """Three recordings of two subjects in VideoPose3D's layout, 32 joints, world metres."""
    return {
        "S1": {
            "Directions 1": as_32(motion(standing, 40, 1)),
            "WalkDog": as_32(motion(standing, 30, 2)),
        },
        "S9": {"Sitting 1": as_32(motion(standing, 20, 3))},
    }
