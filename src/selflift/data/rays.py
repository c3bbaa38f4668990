"""From a pose set's pixels to the normalised plane that the method works in."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.data.poses import PoseSet
from selflift.geometry.camera import pixels_to_rays

CHUNK = 65536


def rays_of(poses: PoseSet, centre_method: str) -> Float[Tensor, "N J 2"]:
    """The poses in the normalised plane, float32.

    Lens distortion is undone in double precision, in chunks that bound the memory.

    Args:
        poses: Complete poses. Without cameras their pixels are returned as they are: any later
            scale is fitted to the set, so only the perspective of off-centre persons is lost.
        centre_method: How the poses will be centred; ``"rotate"`` needs cameras.

    Raises:
        ValueError: If the set is empty, has missing joints, or has no cameras where it needs them.
    """
    if len(poses) == 0:
        raise ValueError("poses: expected at least one pose, got an empty set; check the split")
    if poses.confidence is not None and bool((poses.confidence <= 0).any()):
        missing = int((poses.confidence <= 0).any(1).sum())
        raise ValueError(
            f"poses: expected complete poses, got {missing} of {len(poses)} with missing joints "
            "(confidence 0); leave them out: python -m selflift.prepare complete=true, or "
            "PoseSet.select"
        )
    pixels = torch.from_numpy(poses.poses_2d)
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
