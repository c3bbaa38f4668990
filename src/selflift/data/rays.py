"""From a pose set's pixels to the normalised plane that the method works in."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.data.pose_set import PoseSet
from selflift.geometry.camera import pixels_to_rays
from selflift.skeleton import Skeleton

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
    check_roots(without_root(poses), len(poses), poses.skeleton)
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


def without_root(poses: PoseSet) -> int:
    """Count the poses without a root."""
    if poses.confidence is None:
        return 0
    return int((poses.confidence[:, poses.skeleton.root] <= 0).sum())


def check_roots(without: int, poses: int, skeleton: Skeleton) -> None:
    """Raise if poses lack their root.

    Args:
        without: How many do.
        poses: Of how many.
        skeleton: The layout.

    Raises:
        ValueError: If there are any.
    """
    if without:
        raise ValueError(
            f"poses: expected the root ('{skeleton.joints[skeleton.root]}'), which poses are "
            f"centred on, in every pose, got {without} of {poses} without it; leave them out: "
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
    check_complete(incomplete(poses), len(poses))
    return None


def incomplete(poses: PoseSet) -> int:
    """Count the poses that lack a joint."""
    return 0 if poses.confidence is None else int((poses.confidence <= 0).any(1).sum())


def check_complete(incomplete: int, poses: int) -> None:
    """Raise if poses lack joints, for a lifter that takes no confidences.

    Args:
        incomplete: How many do.
        poses: Of how many.

    Raises:
        ValueError: If there are any.
    """
    if incomplete:
        raise ValueError(
            f"poses: expected complete poses, because the lifter takes no confidences, got "
            f"{incomplete} of {poses} with missing joints (confidence 0); train it with "
            "model.lifter.confidences=true, or leave them out: python -m selflift.prepare "
            "complete=true, or PoseSet.select"
        )
