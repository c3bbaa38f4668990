r"""How far predicted poses lie from their 2D input once they are seen by the camera, in pixels."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.evaluate.metrics import check_scorable
from selflift.geometry.camera import Intrinsics, project_pixels

# What a root coordinate may be instead of 0, as a part of the pose's largest coordinate.
ROOT_ROUNDING = 1e-5


def reprojection_error(
    prediction: Float[Tensor, "N J 3"],
    poses_3d: Float[Tensor, "N J 3"],
    poses_2d: Float[Tensor, "N J 2"],
    intrinsics: Intrinsics,
    root: int = 0,
) -> Float[Tensor, "N"]:
    """Mean distance in the image between the projected prediction and the 2D that was lifted.

    The prediction is put where the true root is and projected by the real camera, lens distortion
    included. So it measures scale and shape against the *input*, detection errors and all; depth
    hardly counts, and a small number says nothing about the 3D error. Place and scale come from the
    truth.

    Args:
        prediction: Root-centred predictions in the camera's axes, mm, scaled as the wanted variant
            says.
        poses_3d: Truth in the camera's frame, not centred, mm.
        poses_2d: The given 2D in pixels; NaN at a missing joint, which is left out of the mean.
        intrinsics: The camera of every pose, tensors of leading shape ``(N,)``.
        root: The joint that predictions are centred on.

    Returns:
        Error of each pose in pixels; NaN, to be counted as excluded, where a joint of the placed
        prediction is not in front of the camera.

    Raises:
        ValueError: If there is no pose, a value is infinite or NaN elsewhere, a pose lacks all of
            its joints or has them in one point, or predictions are not centred on the root.
    """
    check_scorable(prediction, poses_3d)
    missing = torch.isnan(poses_2d).any(-1)
    bad = torch.isinf(poses_2d).any(-1).any(-1) | missing.all(-1)
    if bool(bad.any()):
        raise ValueError(
            f"reprojection_error: expected poses_2d with finite joints, got Inf or no joint at all "
            f"in {int(bad.sum())} of {len(poses_2d)} poses (first: pose "
            f"{int(bad.int().argmax())}); drop such poses"
        )
    off = prediction[:, root].abs().amax(-1)
    if bool((off > ROOT_ROUNDING * prediction.abs().amax((-2, -1))).any()):
        raise ValueError(
            f"reprojection_error: expected predictions centred on joint {root}, got it up to "
            f"{float(off.max()):.4g} mm off the origin; subtract the root, or name it"
        )
    placed = prediction + poses_3d[:, root, None]
    behind = placed[..., 2] <= 0
    ahead = torch.where(behind[..., None], torch.ones_like(placed), placed)
    distance = (project_pixels(ahead, intrinsics) - poses_2d).norm(dim=-1)
    error = distance.masked_fill(missing, 0).sum(-1) / (~missing).sum(-1)
    return error.masked_fill(behind.any(-1), torch.nan)
