"""The whole path from pixels to metres as one network, for programs without selflift."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selflift.lift import PoseLifter
from selflift.lift.metres import can_be_lifted, in_metres
from selflift.skeleton import Skeleton

INPUTS = ("keypoints", "confidence", "f_px", "c_px", "stature_m")
OUTPUTS = ("X_m", "root_m", "elevation_rad")


class PixelLifter(nn.Module):
    """A :class:`selflift.PoseLifter` for keypoints of one pinhole camera; float32.

    Keypoints are in the lifter's own layout. There are no checks: of pixels, ranges or layouts.

    Args:
        pose_lifter: The lifter; this is a copy of it, on the CPU, that can't be trained.
    """

    def __init__(self, pose_lifter: PoseLifter) -> None:
        super().__init__()
        lifter = copy.deepcopy(pose_lifter.lifter).cpu()
        self.lifter = lifter.for_inference("float32")
        self.normaliser = pose_lifter.normaliser

    @property
    def skeleton(self) -> Skeleton:
        """The layout of keypoints and poses."""
        return self.lifter.skeleton

    def forward(
        self,
        keypoints: Float[Tensor, "batch J 2"],
        confidence: Float[Tensor, "batch J"],
        f_px: Float[Tensor, "2"],
        c_px: Float[Tensor, "2"],
        stature_m: Float[Tensor, ""],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Lift keypoints.

        Args:
            keypoints: Pixels, x right, y down.
            confidence: In [0, 1]; 0 marks a missing joint, whose keypoint may be anything.
            f_px: Focal length along x and y.
            c_px: Principal point.
            stature_m: The body height at which results are in metres.

        Returns:
            ``X_m``, poses in the camera's axes (x right, y down, z forward), centred on the root,
            in metres at the stated stature, ``(B, J, 3)``; ``root_m``, where the root is in these
            axes, ``(B, 3)``; and ``elevation_rad``, how far the camera looks down on each person,
            ``(B)``, 0 for a lifter without such a head. NaN for poses that can't be lifted.
        """
        seen_at_all = torch.isfinite(keypoints).all(-1)
        confidence = torch.where(seen_at_all, confidence, 0.0)
        rays = (keypoints - c_px) / f_px
        seen = self.normaliser.apply_unchecked(rays, confidence > 0, self.skeleton)
        lifted = self.lifter.lift_with_elevation(seen.x, confidence)
        X = in_metres(lifted.x, lifted.d, rays, seen, self.lifter, self.normaliser, stature_m)
        can = can_be_lifted(keypoints, confidence, self.lifter)
        X = torch.where(can[:, None, None], X, torch.nan)
        elevation = lifted.elevation_rad
        tilt = torch.zeros_like(X[:, 0, 0]) if elevation is None else elevation
        root = self.skeleton.root
        return X - X[:, root : root + 1], X[:, root], torch.where(can, tilt, torch.nan)
