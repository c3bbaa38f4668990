"""Rotations of a whole motion at once.

A rotation per frame is an array ``(3, 3, F)``, acting on column vectors. The frames come last, so
that every operation runs over them in one go.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

AXES = "xyz"


def identity(frames: int) -> np.ndarray:
    """No rotation in any frame, ``(3, 3, F)``."""
    return np.repeat(np.eye(3)[:, :, None], frames, axis=2)


def turned(R: np.ndarray, axis: str, angle_rad: np.ndarray | float) -> np.ndarray:
    """``R`` times the elementary rotation about an axis.

    Args:
        R: ``(3, 3, F)``.
        axis: ``"x"``, ``"y"`` or ``"z"``; the rotation takes the next axis towards the one after.
        angle_rad: ``(F,)``, or one for all frames.

    Returns:
        ``(3, 3, F)``.
    """
    fixed = AXES.index(axis)
    a, b = (fixed + 1) % 3, (fixed + 2) % 3
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    out = np.empty_like(R)
    out[:, fixed] = R[:, fixed]
    out[:, a] = c * R[:, a] + s * R[:, b]
    out[:, b] = c * R[:, b] - s * R[:, a]
    return out


def from_axes(order: str, angles_rad: Sequence[float]) -> np.ndarray:
    """The rotation that turns about the *fixed* axes of ``order``, one after another, ``(3, 3)``.

    ``from_axes("xyz", (a, b, c)) = R_z(c) R_y(b) R_x(a)``.
    """
    R = identity(1)
    for axis, angle in reversed(list(zip(order, angles_rad, strict=True))):
        R = turned(R, axis, angle)
    return R[:, :, 0]


def applied(R: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Rotated vectors, ``(3, F)``, of one vector ``(3,)`` or of one per frame ``(3, F)``."""
    return np.einsum("ijf,jf->if" if vector.ndim == 2 else "ijf,j->if", R, vector)
