"""The virtual rig: four calibrated cameras around every clip of 3D motion.

It turns motion capture, or synthetic motion, into what the method learns from: 2D keypoints in
pixels. The rig of a clip is drawn from the clip's *name*, so that the same input gives the same 2D
whatever else is filmed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from selflift.config import RigConfig
from selflift.data.poses import Cameras, Labels, PoseSet
from selflift.geometry.camera import Intrinsics, project_pixels, world_to_camera
from selflift.skeleton import Skeleton

METRES_TO_MM = 1000.0


@dataclass(frozen=True)
class Clip:
    """One person's continuous motion.

    Attributes:
        positions: ``(T, J, 3)`` float32, world frame (z up), metres.
        subject: Who moves.
        action: What they do.
        name: Unique name; the seed of the rig.
        fps: Frames per second of the recording.
        frame: ``(T,)`` int64, index of each frame in the recording.
    """

    positions: np.ndarray
    subject: str
    action: str
    name: str
    fps: float
    frame: np.ndarray


def rig_poses(clip: Clip, rig: RigConfig, root: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the cameras of a clip stand.

    Args:
        clip: The clip; its name is the seed.
        rig: The rig.
        root: Index of the root joint.

    Returns:
        World-to-camera rotations ``(K, 3, 3)`` and optical centres ``(K, 3)`` in metres.
    """
    digest = hashlib.sha256(clip.name.encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    even = np.arange(rig.cameras) * 360.0 / rig.cameras + rng.uniform(0, 360)
    jitter = rng.uniform(-rig.azimuth_jitter_deg, rig.azimuth_jitter_deg, rig.cameras)
    azimuth = np.radians(even + jitter)
    distance = rng.uniform(rig.distance_min_m, rig.distance_max_m, rig.cameras)
    pitch = np.radians(rng.normal(rig.pitch_mean_deg, rig.pitch_std_deg, rig.cameras))
    outward = np.stack(
        [np.cos(pitch) * np.cos(azimuth), np.cos(pitch) * np.sin(azimuth), np.sin(pitch)], axis=-1
    )
    target = clip.positions[:, root].astype(np.float64).mean(0)
    forward = -outward
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    down = np.cross(forward, right)
    return np.stack([right, down, forward], axis=1), target + distance[:, None] * outward


def film(clips: Iterable[Clip], rig: RigConfig, skeleton: Skeleton) -> PoseSet:
    """Film clips with their virtual rigs.

    Args:
        clips: 3D motion in the layout of ``skeleton``.
        rig: The rig.
        skeleton: The layout.

    Returns:
        A pose set with 2D in pixels and 3D in millimetres in each camera's frame; clip by clip,
        and camera by camera within a clip.

    Raises:
        ValueError: If there is no clip, or no frame in front of the cameras.
    """
    centre_px = rig.size_px / 2
    intrinsics = Intrinsics.pinhole(rig.f_px, (centre_px, centre_px)).map(torch.Tensor.double)
    parts_2d, parts_3d, frames, fps, camera_index = [], [], [], [], []
    subjects: list[str] = []
    actions: list[str] = []
    names: list[str] = []
    camera_names: list[str] = []
    rotations, centres = [], []
    for clip in clips:
        R, C = rig_poses(clip, rig, skeleton.root)
        X = world_to_camera(
            torch.from_numpy(clip.positions).double()[None], torch.from_numpy(R)[:, None],
            torch.from_numpy(C)[:, None],
        )  # fmt: skip
        visible = (X[..., 2] >= rig.min_depth_m).all(-1)
        for k in range(rig.cameras):
            kept = visible[k].numpy()
            seen = X[k, visible[k]]
            parts_3d.append((seen * METRES_TO_MM).float().numpy())
            parts_2d.append(project_pixels(seen, intrinsics).float().numpy())
            frames.append(clip.frame[kept])
            n = int(kept.sum())
            fps.append(np.full(n, clip.fps, np.float32))
            camera_index.append(np.full(n, len(camera_names), np.int32))
            subjects += [clip.subject] * n
            actions += [clip.action] * n
            names += [clip.name] * n
            camera_names.append(f"{clip.name}/cam{k}")
        rotations.append(R)
        centres.append(C * METRES_TO_MM)
    if not names:
        raise ValueError(
            "rig: expected at least one frame of motion in front of the cameras, got none; "
            "check the clips' units (metres) and the rig's distances"
        )
    count = len(camera_names)
    cameras = Cameras(
        f_px=np.full((count, 2), rig.f_px, np.float32),
        c_px=np.full((count, 2), centre_px, np.float32),
        radial=np.zeros((count, 3), np.float32),
        tangential=np.zeros((count, 2), np.float32),
        size_px=np.full((count, 2), rig.size_px, np.int32),
        rotation=np.concatenate(rotations).astype(np.float32),
        centre_mm=np.concatenate(centres).astype(np.float32),
    )
    return PoseSet(
        skeleton=skeleton,
        poses_2d=np.concatenate(parts_2d),
        poses_3d=np.concatenate(parts_3d),
        subject=Labels.of(subjects),
        action=Labels.of(actions),
        clip=Labels.of(names),
        camera=Labels(tuple(camera_names), np.concatenate(camera_index)),
        cameras=cameras,
        frame=np.concatenate(frames).astype(np.int64),
        fps=np.concatenate(fps),
    )
