"""The virtual rig: four calibrated cameras around every clip of 3D motion.

It turns motion capture, or synthetic motion, into training data of the method: 2D keypoints in
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
from selflift.data.pose_set import Labels, PoseSet
from selflift.data.recording import Take
from selflift.geometry.camera import Calibration, project_pixels, world_to_camera
from selflift.skeleton import Skeleton

METRES_TO_MM = 1000.0


@dataclass(frozen=True)
class Clip:
    """One person's continuous motion.

    Attributes:
        positions: ``(T, J, 3)`` float32, world frame (z up), metres.
        subject: The person.
        action: Their action.
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
    """Place the cameras of a clip.

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


def film_clip(clip: Clip, rig: RigConfig, root: int) -> list[Take]:
    """Film one clip with each camera of its rig.

    Args:
        clip: The clip; its name is the seed of the rig.
        rig: The rig.
        root: Index of the root joint.

    Returns:
        A take per camera, ``{clip}/cam{k}``, with 2D in pixels, 3D in millimetres in the camera's
        frame and the camera's view. Frames in which a joint comes nearer to the camera than
        ``rig.min_depth_m`` are not in it; it may have no frame at all.
    """
    centre_px = rig.size_px / 2
    intrinsics = Calibration.pinhole(rig.f_px, (centre_px, centre_px)).map(torch.Tensor.double)
    R, C = rig_poses(clip, rig, root)
    X = world_to_camera(
        torch.from_numpy(clip.positions).double()[None], torch.from_numpy(R)[:, None],
        torch.from_numpy(C)[:, None],
    )  # fmt: skip
    visible = (X[..., 2] >= rig.min_depth_m).all(-1)
    takes = []
    for k in range(rig.cameras):
        seen = X[k, visible[k]]
        view = Calibration(
            f_px=np.full(2, rig.f_px),
            c_px=np.full(2, centre_px),
            radial=np.zeros(3),
            tangential=np.zeros(2),
            size_px=np.full(2, rig.size_px),
            rotation=R[k],
            centre_mm=C[k] * METRES_TO_MM,
        )
        takes.append(
            Take(
                subject=clip.subject,
                action=clip.action,
                clip=clip.name,
                camera=f"{clip.name}/cam{k}",
                poses_2d=project_pixels(seen, intrinsics).float().numpy(),
                frame=clip.frame[visible[k].numpy()],
                fps=clip.fps,
                poses_3d=(seen * METRES_TO_MM).float().numpy(),
                view=view,
            )
        )
    return takes


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
    takes = [take for clip in clips for take in film_clip(clip, rig, skeleton.root)]
    lengths = [len(take) for take in takes]
    if not any(lengths):
        raise ValueError(
            "rig: expected at least one frame of motion in front of the cameras, got none; "
            "check the clips' units (metres) and the rig's distances"
        )

    def labels(name: str) -> Labels:
        parts = zip(takes, lengths, strict=True)
        return Labels.of([value for take, n in parts for value in [getattr(take, name)] * n])

    def column(name: str, kind: type = np.float32) -> np.ndarray:
        return np.stack([getattr(take.view, name) for take in takes]).astype(kind)

    return PoseSet(
        skeleton=skeleton,
        poses_2d=np.concatenate([take.poses_2d for take in takes]),
        poses_3d=np.concatenate([take.poses_3d for take in takes if take.poses_3d is not None]),
        subject=labels("subject"),
        action=labels("action"),
        clip=labels("clip"),
        # Cameras that saw nothing keep their row, so that all have one.
        camera=Labels(
            tuple(take.camera for take in takes),
            np.repeat(np.arange(len(takes), dtype=np.int32), lengths),
        ),
        cameras=Calibration(
            f_px=column("f_px"),
            c_px=column("c_px"),
            radial=column("radial"),
            tangential=column("tangential"),
            size_px=column("size_px", np.int32),
            rotation=column("rotation"),
            centre_mm=column("centre_mm"),
        ),
        frame=np.concatenate([take.frame for take in takes]).astype(np.int64),
        fps=np.repeat(np.array([take.fps for take in takes], np.float32), lengths),
    )
