"""Result of lifting a user's keypoints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from selflift.lift.camera_assumptions import Camera
from selflift.skeleton import Skeleton

POSE_FIELDS = (
    "X_m", "root_m", "up", "pose_2d", "confidence", "filled", "lifted", "elevation_rad",
)  # fmt: skip


@dataclass(frozen=True)
class LiftedPoses:
    """3D poses, for keypoints of any leading shape ``...``; NumPy arrays, float32.

    Two frames: the **camera's** (x right, y down, z forward), and the **levelled** one (x right,
    y up, z towards the camera), which is the camera's with its pitch undone.

    Attributes:
        X_m: Poses in the camera's axes, centred on the root, in metres at the stated stature,
            ``(..., J, 3)``; NaN where ``lifted`` is false.
        root_m: Where the root is, in the camera's axes, ``(..., 3)``. Its depth is a guess from the
            person's size in the image and the assumed stature and focal length.
        up: The vertical as the lifter sees it, in the camera's axes, of length 1, ``(..., 3)``.
        pose_2d: The keypoints in the lifter's layout, in pixels, ``(..., J, 2)``; joints that were
            missing lie where the 3D pose has them.
        confidence: Of the keypoints in the lifter's layout, ``(..., J)``; 0 for missing ones.
        filled: Joints that were missing and that the lifter filled in, ``(..., J)``.
        lifted: Whether the pose could be lifted, ``(...)``: the root was seen, and so was every
            joint, or, for a lifter that takes incomplete poses, enough of them.
        elevation_rad: How far the camera looks down on the person, pose by pose, ``(...)``;
            ``None`` for a lifter without such a head.
        skeleton: The layout.
        stature_m: The body height at which ``X_m`` is in metres.
        camera: The camera, and what was assumed of it.
        notes: Warnings about the keypoints, a sentence each.
    """

    X_m: np.ndarray
    root_m: np.ndarray
    up: np.ndarray
    pose_2d: np.ndarray
    confidence: np.ndarray
    filled: np.ndarray
    lifted: np.ndarray
    elevation_rad: np.ndarray | None
    skeleton: Skeleton
    stature_m: float
    camera: Camera
    notes: tuple[str, ...] = ()

    def __getitem__(self, which: Any) -> LiftedPoses:
        """Some of the poses: ``which`` indexes the leading axes."""
        own: dict[str, Any] = {name: getattr(self, name) for name in POSE_FIELDS}
        own = {name: np.asarray(v[which]) for name, v in own.items() if v is not None}
        return replace(self, **own)

    @property
    def levelled_m(self) -> np.ndarray:
        """``X_m`` in the levelled frame: x right, y up, z towards the camera; ``(..., J, 3)``."""
        return self.X_m @ levelling(self.up).swapaxes(-1, -2)

    @property
    def levelled_root_m(self) -> np.ndarray:
        """``root_m`` in the levelled frame, whose origin is the camera's too; ``(..., 3)``."""
        return (levelling(self.up) @ self.root_m[..., None])[..., 0]


def levelling(up: np.ndarray) -> np.ndarray:
    """Return the rotation from the camera's axes to the levelled ones.

    Args:
        up: The vertical in the camera's axes, of length 1, ``(..., 3)``; not along the optical
            axis.

    Returns:
        ``(..., 3, 3)``; its rows are the levelled frame's axes.
    """
    towards = np.zeros_like(up)
    towards[..., 2] = -1
    towards -= (towards * up).sum(-1, keepdims=True) * up
    towards /= np.linalg.norm(towards, axis=-1, keepdims=True)
    return np.stack([np.cross(up, towards), up, towards], axis=-2)
