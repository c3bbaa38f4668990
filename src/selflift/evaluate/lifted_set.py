"""Lift a set of poses: predictions in the real camera's axes.

    pixels -> rays -> centre, scale -> lift -> subtract the root -> the real camera's axes

The lifter knows no millimetres; its unit is its own. The flat-depth baseline goes the same way
with ``d = 0`` for all joints: it is what the 2D input alone is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selflift.data.pose_set import PoseSet
from selflift.data.rays import confidences_of, rays_of
from selflift.geometry.camera import backproject
from selflift.geometry.normalise import Normalised, Normaliser
from selflift.models import Lifter
from selflift.skeleton import Skeleton


@dataclass(frozen=True)
class LiftedSet:
    """Predictions for a set, in the set's order.

    Attributes:
        predictions: Root-centred, in the camera's axes, in the lifter's unit, ``(N, J, 3)``.
        flat: The flat-depth baseline, in the same way.
        elevation_rad: Predicted elevation of each pose, ``(N,)``; ``None`` without such a head.
    """

    predictions: np.ndarray
    flat: np.ndarray
    elevation_rad: np.ndarray | None

    def __getitem__(self, which: np.ndarray) -> LiftedSet:
        own = self.elevation_rad
        return replace(
            self,
            predictions=self.predictions[which],
            flat=self.flat[which],
            elevation_rad=None if own is None else own[which],
        )


@torch.no_grad()
def lift_set(
    lifter: Lifter,
    normaliser: Normaliser,
    poses: PoseSet,
    batch_size: int = 8192,
    device: torch.device | str = "cpu",
) -> LiftedSet:
    """Lift a set of poses.

    Args:
        lifter: The lifter; it is moved to the device.
        normaliser: The one that was fitted to the lifter's training set.
        poses: Poses, with cameras if the normaliser turns the camera; complete ones unless the
            lifter takes confidences.
        batch_size: Poses lifted at once.
        device: Where the lifter runs.

    Raises:
        ValueError: If the set is empty, of another skeleton, incomplete or without needed cameras,
            or the batch size is out of range.
    """
    check_liftable(lifter, poses, batch_size)
    skeleton = poses.skeleton
    # The same numbers but for rounding, in less time; never in lower precision.
    lifter = lifter.to(device).for_inference("float32")
    confidence = confidences_of(poses, lifter.confidences)
    rays = rays_of(poses, normaliser.centre)
    # Filled batch by batch: lists of parts would hold everything twice when joined.
    lifted, flat = (np.empty((*rays.shape[:2], 3), np.float32) for _ in range(2))
    elevations = []
    for start in range(0, len(rays), batch_size):
        rows = slice(start, start + batch_size)
        seen = normaliser.apply(rays[rows], skeleton)
        given = None if confidence is None else confidence[rows].to(device)
        out = lifter.lift_with_elevation(seen.x.to(device), given)
        lifted[rows] = _to_camera(seen, out.X.cpu(), skeleton.root).numpy()
        depth = torch.full_like(seen.x[..., 0], lifter.depth)
        flat[rows] = _to_camera(seen, backproject(seen.x, depth), skeleton.root).numpy()
        if out.elevation_rad is not None:
            elevations.append(out.elevation_rad.cpu())
    elevation = torch.cat(elevations).numpy() if elevations else None
    return LiftedSet(lifted, flat, elevation)


def check_liftable(lifter: Lifter, poses: PoseSet, batch_size: int) -> None:
    """Raise ``ValueError`` for an empty set, another skeleton, or a bad batch size."""
    if len(poses) == 0:
        raise ValueError("poses: expected at least one pose, got an empty set; check the split")
    if poses.skeleton != lifter.skeleton:
        raise ValueError(
            f"poses: expected the lifter's skeleton '{lifter.skeleton.name}' "
            f"({lifter.skeleton.num_joints} joints), got '{poses.skeleton.name}' "
            f"({poses.skeleton.num_joints} joints); convert the poses"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")


def check_legs(skeleton: Skeleton) -> None:
    """Raise ``ValueError`` for a layout without the two legs that give the body's height."""
    if len(skeleton.legs) != 2:
        raise ValueError(
            f"skeleton '{skeleton.name}': expected two legs (hip, knee, ankle), which give "
            f"the body's height, got {len(skeleton.legs)}; name them in Skeleton.legs"
        )


def _to_camera(seen: Normalised, X: Float[Tensor, "N J 3"], root: int) -> Float[Tensor, "N J 3"]:
    return seen.to_camera(X - X[:, root, None])
