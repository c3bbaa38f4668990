"""From a pose set's pixels to the normalised plane that the method works in."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.data.pose_set import PoseSet
from selflift.geometry.camera import pixels_to_rays

CHUNK = 65536


def rays_of(poses: PoseSet, centre_method: str) -> Float[Tensor, "N J 2"]:
    """The poses in the normalised plane, float32.

    Lens distortion is undone in double precision, in chunks that bound the memory.

    Args:
        poses: Poses that have their root. Without cameras their pixels are returned as they are:
            any later scale is fitted to the set, so only the perspective of off-centre persons is
            lost.
        centre_method: How the poses will be centred; ``"rotate"`` needs cameras.

    Returns:
        NaN where a joint is missing (confidence 0).

    Raises:
        ValueError: If the set is empty, lacks a root, or has no cameras where it needs them.
    """
    if len(poses) == 0:
        raise ValueError("poses: expected at least one pose, got an empty set; check the split")
    missing = None if poses.confidence is None else torch.from_numpy(poses.confidence <= 0)
    check_roots(poses)
    pixels = _without(torch.from_numpy(poses.poses_2d), missing)
    if poses.cameras is None:
        if centre_method == "rotate":
            raise ValueError(
                "poses: expected cameras (intrinsics) for normalise.centre=rotate, got none; "
                "set normalise.centre=translate or add cameras to the set"
            )
        return pixels.to(torch.float32, copy=True)
    index = poses.camera.index
    parts = []
    for start in range(0, len(poses), CHUNK):
        rows = slice(start, start + CHUNK)
        intrinsics = poses.cameras.intrinsics(index[rows]).map(torch.Tensor.double)
        parts.append(pixels_to_rays(pixels[rows].double(), intrinsics).float())
    return torch.cat(parts)


def check_roots(poses: PoseSet) -> None:
    """Raise if poses lack their root.

    Raises:
        ValueError: If there are any.
    """
    if poses.confidence is None:
        return
    root = poses.skeleton.root
    if lacking := int((poses.confidence[:, root] <= 0).sum()):
        raise ValueError(
            f"poses: expected the root ('{poses.skeleton.joints[root]}'), which poses are centred "
            f"on, in every pose, got {lacking} of {len(poses)} without it; leave them out: "
            "PoseSet.select(poses.confidence[:, root] > 0)"
        )


def _without(pixels: Tensor, missing: Tensor | None) -> Tensor:
    """Pixels without those of missing joints, which may be anything."""
    return pixels if missing is None else pixels.masked_fill(missing[..., None], torch.nan)


def confidences_of(poses: PoseSet, taken: bool) -> Float[Tensor, "N J"] | None:
    """The joints' confidence, if the set has any and the lifter takes it.

    Args:
        poses: The poses.
        taken: Whether the lifter takes confidences.

    Returns:
        In [0, 1]; 0 where a joint is missing. ``None`` for a lifter that doesn't take them.

    Raises:
        ValueError: If joints are missing and the lifter takes no confidences.
    """
    if poses.confidence is None:
        return torch.ones(poses.poses_2d.shape[:2]) if taken else None
    if taken:
        return torch.from_numpy(poses.confidence).float().clamp(0, 1)
    check_complete(poses)
    return None


def check_complete(poses: PoseSet) -> None:
    """Raise if poses lack joints, for a lifter that takes no confidences.

    Raises:
        ValueError: If there are any.
    """
    if poses.confidence is None:
        return
    if incomplete := int((poses.confidence <= 0).any(1).sum()):
        raise ValueError(
            f"poses: expected complete poses, because the lifter takes no confidences, got "
            f"{incomplete} of {len(poses)} with missing joints (confidence 0); train it with "
            "model.lifter.confidences=true, or leave them out: python -m selflift.prepare "
            "complete=true, or PoseSet.select"
        )
