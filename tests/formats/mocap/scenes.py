"""Folders of motion capture files of which the truth is known, and takes back in the world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from selflift.config import RigConfig
from selflift.config.prepare_schema import MocapOptions
from selflift.data.recording import Recordings, Take
from selflift.formats.mocap import open_mocap

from .acclaim_files import cmu_bones, random_amc, write_amc, write_asf
from .bvh_files import Joint, human_joints, in_file_order, random_bvh, renamed, write_bvh

RIG = RigConfig()
CMU_M = 0.0254 / 0.45
# Points that are joints of Human3.6M, in its order; the first is the middle of both hips.
ASF_JOINTS = [
    "rhipjoint", "rfemur", "rtibia", "lhipjoint", "lfemur", "ltibia", "lowerback", "thorax",
    "upperneck", "head", "lclavicle", "lhumerus", "lradius", "rclavicle", "rhumerus", "rradius",
]  # fmt: skip
BVH_JOINTS = [
    "RightUpLeg", "RightLeg", "RightFoot", "LeftUpLeg", "LeftLeg", "LeftFoot", "Spine", "Neck",
    "Head", "Head/End", "LeftArm", "LeftForeArm", "LeftHand", "RightArm", "RightForeArm",
    "RightHand",
]  # fmt: skip


def expected_world(places: dict[str, np.ndarray], joints: Sequence[str], unit: float) -> np.ndarray:
    """``(F, 17, 3)`` metres, z up, from a file with y up."""
    points = np.stack([places[name] for name in joints], 1)
    X = np.concatenate([(points[:, :1] + points[:, 3:4]) / 2, points], 1)
    return unit * np.stack([X[..., 0], -X[..., 2], X[..., 1]], -1)


def world_of(take: Take) -> np.ndarray:
    """A take's bodies back in the world, metres, by its own camera."""
    assert take.view is not None and take.poses_3d is not None
    return (take.poses_3d.astype(float) @ take.view.rotation + take.view.centre_mm) / 1000


def read(path: Path, **options: object) -> tuple[Recordings, list[Take]]:
    recordings = open_mocap(path, MocapOptions(**options), RIG)
    return recordings, list(recordings.takes)


def add_amc(folder: Path, subject: str = "02", trial: str = "01", frames: int = 25) -> list[dict]:
    folder.mkdir(parents=True, exist_ok=True)
    write_asf(folder / f"{subject}.asf", cmu_bones())
    values = random_amc(cmu_bones(), frames, seed=int(trial))
    write_amc(folder / f"{subject}_{trial}.amc", values)
    return values


def add_bvh(
    path: Path, frames: int = 25, thorax: float = 2.07, scale: float = 1.0, **words: str
) -> tuple[list[Joint], np.ndarray]:
    path.parent.mkdir(parents=True, exist_ok=True)
    joints = renamed(human_joints(thorax), {}, scale)
    values = random_bvh(joints, frames, seed=frames, unit=scale)
    write_bvh(path, joints, values, **words)
    return joints, values


def with_t_pose(joints: Sequence[Joint], values: np.ndarray, rest: bool) -> np.ndarray:
    """The motion after a frame with arms stretched out, legs turned unless it is the rest pose."""
    columns = [(j.name, c) for j in in_file_order(joints) for c in j.channels]
    first = values[0].copy()
    for i, (name, channel) in enumerate(columns):
        if channel.endswith("rotation"):
            first[i] = -21.0 if name.endswith("UpLeg") and channel[0] == "Z" and not rest else 0.0
    return np.concatenate([first[None], values])
