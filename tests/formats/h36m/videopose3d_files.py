"""Files in VideoPose3D's layout, as its own scripts write them, and what a camera sees of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from selflift.config import H36MOptions
from selflift.data.recording import Recordings, Take
from selflift.formats.h36m.videopose3d import open_videopose3d
from tests.formats.h36m.people import CAMERAS, SLOTS, camera_points, pixels

H36M_SIDES = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
COCO_SIDES = [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]
HOURGLASS_SIDES = [[3, 4, 5, 13, 14, 15], [0, 1, 2, 10, 11, 12]]

Poses3D = dict[str, dict[str, np.ndarray]]
Poses2D = dict[str, dict[str, list[np.ndarray]]]


def motion(standing: np.ndarray, frames: int, seed: int) -> np.ndarray:
    """``(F, 17, 3)`` float32, metres: somebody walks a little, turning all the way round."""
    rng = np.random.default_rng(seed)
    turn = np.linspace(0, 2 * np.pi, frames) + rng.uniform(0, 6)
    c, s, o, i = np.cos(turn), np.sin(turn), np.zeros(frames), np.ones(frames)
    rotation = np.stack([c, -s, o, s, c, o, o, o, i], -1).reshape(frames, 3, 3)
    bodies = standing + 0.03 * rng.standard_normal((frames, 17, 3))
    path = np.linspace(0, 1, frames)[:, None] * rng.uniform(-0.7, 0.7, 2)
    bodies = bodies @ np.swapaxes(rotation, 1, 2)
    bodies[..., :2] += (rng.uniform(-0.7, 0.7, 2) + path)[:, None]
    return bodies.astype(np.float32)


def as_32(poses: np.ndarray) -> np.ndarray:
    """The 17 joints in their slots; the others are off, so that taking one would be seen."""
    out = np.repeat(poses[:, :1], 32, axis=1) + np.float32(0.3)
    out[:, SLOTS] = poses
    return out


def write_3d(path: Path, positions: object) -> Path:
    np.savez_compressed(path, positions_3d=np.array(positions, dtype=object))
    return path


def write_2d(path: Path, poses: object, sides: object = H36M_SIDES, **metadata: object) -> Path:
    content = {"keypoints_symmetry": sides} | metadata
    np.savez_compressed(
        path,
        positions_2d=np.array(poses, dtype=object),
        metadata=np.array(content, dtype=object),
    )
    return path


def seen_by(subject: str, camera: str, metres: np.ndarray, lens: bool = True) -> np.ndarray:
    """World positions as a camera has them, mm, and its pixels: ``(F, J, 5)`` float64."""
    points = camera_points(1000 * metres.astype(np.float64), subject, camera)
    return np.concatenate([points, pixels(points, camera, lens)], axis=-1)


def detected(positions: Poses3D, noise_px: float = 0.0) -> Poses2D:
    """What a detector of Human3.6M's joints would write about the recordings."""
    rng = np.random.default_rng(7)
    poses: Poses2D = {}
    for subject, recordings in positions.items():
        poses[subject] = {}
        for key, metres in recordings.items():
            body = metres[:, SLOTS] if metres.shape[1] == 32 else metres
            poses[subject][key] = [
                (
                    seen_by(subject, camera, body)[..., 3:]
                    + noise_px * rng.standard_normal((*body.shape[:2], 2))
                ).astype(np.float32)
                for camera in CAMERAS
            ]
    return poses


def open_pair(
    folder: Path,
    positions: Poses3D,
    poses: object,
    sides: object = H36M_SIDES,
    name: str = "data_2d_h36m_cpn.npz",
    **options: object,
) -> Recordings:
    """Recordings of a 3D file and a 2D file with this content."""
    solid = write_3d(folder / "data_3d_h36m.npz", positions)
    flat = write_2d(folder / name, poses, sides)
    return open_videopose3d(solid, H36MOptions(keypoints=str(flat), **options))  # type: ignore[arg-type]


def read_pair(*args: object, **options: object) -> tuple[Recordings, list[Take]]:
    """The same, read to the end."""
    recordings = open_pair(*args, **options)  # type: ignore[arg-type]
    return recordings, list(recordings.takes)
