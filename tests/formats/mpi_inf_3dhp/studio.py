"""Files of the data set's public layout, made of a person who walks about in a made-up studio.

The first camera is the published one of S1 Seq1; the others stand around the same room. Everything
here is computed point by point from the published conventions, not with the code under test.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

# mpii_get_joint_set.m, "all", in its order; the world of the recordings is in mm with y up.
JOINTS_28 = {
    "spine3": (0, 1250, 0), "spine4": (0, 1350, 0), "spine2": (0, 1150, 0), "spine": (0, 1050, 0),
    "pelvis": (0, 950, 0), "neck": (0, 1450, 0), "head": (0, 1550, 30), "head_top": (0, 1700, 20),
    "left_clavicle": (60, 1440, 0), "left_shoulder": (170, 1430, 0), "left_elbow": (200, 1150, -10),
    "left_wrist": (210, 920, 60), "left_hand": (215, 830, 80), "right_clavicle": (-60, 1440, 0),
    "right_shoulder": (-170, 1430, 0), "right_elbow": (-220, 1160, 10),
    "right_wrist": (-250, 960, 120), "right_hand": (-255, 880, 150), "left_hip": (110, 930, 0),
    "left_knee": (120, 500, 60), "left_ankle": (125, 90, -20), "left_foot": (130, 40, 80),
    "left_toe": (130, 20, 140), "right_hip": (-110, 930, 0), "right_knee": (-125, 510, 90),
    "right_ankle": (-130, 80, 10), "right_foot": (-140, 30, 110), "right_toe": (-140, 15, 170),
}  # fmt: skip
# Written down by hand from the names above and Human3.6M's order.
TO_H36M_28 = [4, 23, 24, 25, 18, 19, 20, 3, 5, 6, 7, 9, 10, 11, 14, 15, 16]
TO_H36M_17 = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
# mpii_get_joint_set.m, "relevant", from 0.
RELEVANT = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]

CAMERAS = 14
PUBLISHED_ROTATION = np.array([
    [0.9650164, 0.00488022, 0.262144],
    [-0.004488356, -0.9993728, 0.0351275],
    [0.262151, -0.03507521, -0.9643893],
])  # fmt: skip
PUBLISHED_TRANSLATION = np.array([-562.8666, 1398.138, 3852.623])


def focal(camera: int) -> tuple[float, float]:
    return 1497.693 + camera, 1497.103 - camera


def principal(camera: int) -> tuple[float, float]:
    return 1024.704 - 3 * camera, 1051.394 - 5 * camera


def rotation(camera: int) -> np.ndarray:
    """World (y up) to camera."""
    c, s = np.cos(0.4 * camera), np.sin(0.4 * camera)
    return PUBLISHED_ROTATION @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def people(frames: int, seed: int = 0) -> np.ndarray:
    """``(F, 28, 3)``: the person in the world, mm, y up."""
    rng = np.random.default_rng(seed)
    body = np.array(list(JOINTS_28.values()), float)
    out = np.empty((frames, 28, 3))
    for f in range(frames):
        angle = rng.uniform(-np.pi, np.pi)
        c, s = np.cos(angle), np.sin(angle)
        turned = body @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
        place = np.array([rng.uniform(-600, 600), 0, rng.uniform(-600, 600)])
        out[f] = turned + place + 15 * rng.standard_normal((28, 3))
    return out


def seen(world: np.ndarray, camera: int) -> np.ndarray:
    """Camera coordinates, joint by joint."""
    out = np.empty_like(world)
    for f, pose in enumerate(world):
        for j, point in enumerate(pose):
            out[f, j] = rotation(camera) @ point + PUBLISHED_TRANSLATION
    return out


def projected(
    points: np.ndarray, f_px: tuple[float, float], c_px: tuple[float, float]
) -> np.ndarray:
    return np.stack(
        [
            f_px[0] * points[..., 0] / points[..., 2] + c_px[0],
            f_px[1] * points[..., 1] / points[..., 2] + c_px[1],
        ],
        axis=-1,
    )


def universal(points: np.ndarray, pelvis: int) -> np.ndarray:
    """Scaled about the pelvis: it no longer projects to the same pixels."""
    root = points[:, pelvis : pelvis + 1]
    return root + 1.1 * (points - root)


def train_arrays(frames: int = 12, seed: int = 0) -> dict[str, np.ndarray]:
    """Variables of one ``annot.mat`` as numbers: ``(14, F, 28, D)``, ``cameras``, ``frames``."""
    world = people(frames, seed)
    metric = np.stack([seen(world, camera) for camera in range(CAMERAS)])
    pixels = np.stack([projected(metric[k], focal(k), principal(k)) for k in range(CAMERAS)])
    return {
        "annot2": pixels,
        "annot3": metric,
        "univ_annot3": np.stack([universal(metric[k], 4) for k in range(CAMERAS)]),
        "cameras": np.arange(CAMERAS, dtype=np.uint8)[None],
        "frames": np.arange(frames, dtype=np.uint16)[:, None],
    }


def cells(array: np.ndarray) -> np.ndarray:
    """A 14 x 1 cell array of ``(F, 28 D)``."""
    out = np.empty((len(array), 1), dtype=object)
    for k, cell in enumerate(array):
        out[k, 0] = cell.reshape(len(cell), cell.shape[1] * cell.shape[2])
    return out


def write_mat(folder: Path, arrays: dict[str, np.ndarray], compressed: bool = True) -> Path:
    """``annot.mat`` of arrays, those of four dimensions as cells."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "annot.mat"
    savemat(
        path,
        {key: cells(a) if a.ndim == 4 else a for key, a in arrays.items()},
        do_compression=compressed,
    )
    return path


def calibration_text() -> str:
    lines = ["Skeletool Camera Calibration File V1.0"]
    for k in range(CAMERAS):
        (fx, fy), (cx, cy) = focal(k), principal(k)
        rows = np.concatenate([rotation(k), PUBLISHED_TRANSLATION[:, None]], axis=1)
        outer = " ".join(repr(float(x)) for x in rows.ravel())
        lines += [
            f"name          {k}",
            "  sensor      10 10",
            "  size        2048 2048",
            "  animated    0",
            f"  intrinsic   {fx!r} 0 {cx!r} 0 0 {fy!r} {cy!r} 0 0 0 1 0 0 0 0 1 ",
            f"  extrinsic   {outer} 0 0 0 1 ",
            "  radial      0",
        ]
    return "\n".join(lines) + "\n"


def write_train(
    root: Path, name: str = "S1/Seq1", calibration: bool = True, **changes: np.ndarray | None
) -> Path:
    """One sequence; arguments replace variables, ``None`` leaves one out."""
    arrays = {k: v for k, v in (train_arrays() | changes).items() if v is not None}
    path = write_mat(root / name, arrays)
    if calibration:
        (path.parent / "camera.calibration").write_text(calibration_text())
    return path


TEST_F = {"TS1": (1500.17, 1500.84), "TS5": (1683.98, 1672.59)}
TEST_C = {"TS1": (1017.39, 1043.03), "TS5": (939.86, 560.14)}


def scene_arrays(scene: str = "TS1", frames: int = 21) -> dict[str, np.ndarray]:
    """Variables of one ``annot_data.mat``; the last third is not valid, all activities occur."""
    metric = seen(people(frames, seed=7), 0)[:, RELEVANT]
    like = "TS1" if scene in ("TS1", "TS2", "TS3", "TS4") else "TS5"
    return {
        "annot2": projected(metric, TEST_F[like], TEST_C[like])[:, None],
        "annot3": metric[:, None],
        "univ_annot3": universal(metric, 14)[:, None],
        "valid_frame": (np.arange(frames) < 2 * frames // 3).astype(float)[:, None],
        "activity_annotation": (np.arange(frames) % 7 + 1.0)[:, None],
        "bb_crop": np.zeros((frames, 34)),
    }


def write_scene(
    root: Path, scene: str = "TS1", userblock: bool = False, **changes: np.ndarray | None
) -> Path:
    """One sequence; arguments replace variables, ``None`` leaves one out."""
    (root / scene).mkdir(parents=True, exist_ok=True)
    path = root / scene / "annot_data.mat"
    arrays = {k: v for k, v in (scene_arrays(scene) | changes).items() if v is not None}
    with h5py.File(path, "w", userblock_size=512 if userblock else 0) as file:
        for key, array in arrays.items():
            file[key] = array
    if userblock:
        with open(path, "r+b") as stream:
            stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path
