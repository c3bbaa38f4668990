"""People with rigid limbs in Human3.6M's world, and its cameras, written out joint by joint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

import selflift.formats.h36m
from selflift.skeleton import H36M_17
from tests.conftest import STANDING

TABLE = json.loads((Path(selflift.formats.h36m.__file__).parent / "cameras.json").read_text())
# Where the 17 joints sit among the 32.
SLOTS = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
CAMERAS = ["54138969", "55011271", "58860488", "60457274"]


def people(frames: int, seed: int = 0, size: float = 1.0) -> np.ndarray:
    """``(F, 17, 3)``, world, mm: the standing person walks and moves every bone at random."""
    rng = np.random.default_rng(seed)
    standing = 1000 * size * STANDING
    out = np.empty((frames, 17, 3))
    for t in range(frames):
        out[t, 0] = [rng.uniform(-800, 800), rng.uniform(-800, 800), standing[0, 2]]
        turn = Rotation.from_euler("z", rng.uniform(-np.pi, np.pi))
        for parent, joint in H36M_17.bones:
            bone = standing[joint] - standing[parent]
            swing = Rotation.from_rotvec(0.3 * rng.standard_normal(3))
            out[t, joint] = out[t, parent] + turn.apply(swing.apply(bone))
    return out


def in_32(poses: np.ndarray) -> np.ndarray:
    """``(F, 17, D)`` among the 32 joints; the others lie halfway between the hip and the head."""
    out = np.repeat((poses[:, :1] + poses[:, 10:11]) / 2, 32, axis=1)
    out[:, SLOTS] = poses
    return out


def camera_points(world: np.ndarray, subject: str, camera: str) -> np.ndarray:
    """``(F, J, 3)``: ``R^-1 (X - t)``."""
    outer = TABLE["extrinsics"][subject][camera]
    w, x, y, z = outer["orientation_wxyz"]
    turn = Rotation.from_quat([x, y, z, w]).inv()
    centre = np.array(outer["centre_mm"])
    return turn.apply((world - centre).reshape(-1, 3)).reshape(world.shape)


def pixels(points: np.ndarray, camera: str, lens: bool = True) -> np.ndarray:
    """``(F, J, 2)``: OpenCV's model as its documentation writes it, point by point."""
    inner = TABLE["intrinsics"][camera]
    (k1, k2, k3), (p1, p2) = inner["radial"], inner["tangential"]
    out = np.empty((*points.shape[:-1], 2))
    for index in np.ndindex(points.shape[:-1]):
        X, Y, Z = points[index]
        x, y = X / Z, Y / Z
        if lens:
            r2 = x**2 + y**2
            radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
            x, y = (
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2),
                y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y,
            )
        out[index] = [
            inner["f_px"][0] * x + inner["c_px"][0], inner["f_px"][1] * y + inner["c_px"][1]
        ]  # fmt: skip
    return out
