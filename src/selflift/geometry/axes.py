"""Axis conventions of poses, named by the axis that points up.

======  =============================================================  =========================
``up``  axes                                                           where
======  =============================================================  =========================
``-y``  x right, y down, z forward                                     a camera's; lifted poses
``y``   x right, y up, z towards the viewer: the camera's, half-turned  levelled poses, BVH, glTF
        about x
``z``   x right, y forward, z up                                       the world of motion capture
======  =============================================================  =========================

All three are right-handed.
"""

from __future__ import annotations

import numpy as np

# Rows: where the camera's x, y and z lie in the given axes.
TO_CAMERA = {
    "-y": np.eye(3),
    "y": np.diag([1.0, -1.0, -1.0]),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
}


def turn_axes(X: np.ndarray, given: str, wanted: str) -> np.ndarray:
    """Positions in other axes.

    Args:
        X: ``(..., 3)``, any unit.
        given: The axis that points up in ``X``: ``"-y"``, ``"y"`` or ``"z"``.
        wanted: The axis that is to point up.

    Returns:
        ``(..., 3)``.

    Raises:
        ValueError: If an axis is none of these.
    """
    for up in (given, wanted):
        if up not in TO_CAMERA:
            raise ValueError(
                f"up: expected one of {', '.join(TO_CAMERA)}, got '{up}'; '-y' is a camera's axes, "
                "whose y points down"
            )
    return X @ (TO_CAMERA[wanted].T @ TO_CAMERA[given]).T
