"""Discriminators: MLPs without batch norm (real and generated batches differ in statistics)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selflift import parallel
from selflift.models.blocks import ResidualTrunk
from selflift.skeleton import get_skeleton


class PoseDiscriminator(nn.Module):
    """Discriminator ``D``: real 2D poses against random projections of lifted ones.

    The domain adapter's discriminator ``D_D`` (adapted source against target poses) has the same
    shape and is another instance of this class.

    Args:
        skeleton: Name of the keypoint layout.
        width: Features per layer.
        num_blocks: Residual blocks.
        norm: ``"none"`` (the paper's) or ``"batch"``.
        dropout: Probability of dropping a feature.
        confidences: Whether the input marks missing joints (incomplete poses).
    """

    def __init__(
        self,
        skeleton: str = "h36m_17",
        width: int = 1024,
        num_blocks: int = 3,
        norm: str = "none",
        dropout: float = 0.0,
        confidences: bool = False,
    ) -> None:
        super().__init__()
        self.num_joints = get_skeleton(skeleton).num_joints
        self.channels = 3 if confidences else 2
        self.trunk = ResidualTrunk(
            self.channels * self.num_joints, width, num_blocks, norm, dropout
        )
        self.head = nn.Linear(width, 1)

    def forward(
        self, x: Float[Tensor, "*batch J 2"], present: Float[Tensor, "*batch J"] | None = None
    ) -> Float[Tensor, "*batch"]:
        """Return one logit per pose: high for real.

        Args:
            x: Poses; missing joints at the origin.
            present: 1 for a joint that is present, else 0; all are if ``None``. Used with
                ``confidences`` only.
        """
        seen = x
        if self.channels == 3:
            present = torch.ones_like(x[..., 0]) if present is None else present
            seen = torch.cat([x, present[..., None]], dim=-1)
        rows = seen.reshape(-1, self.channels * self.num_joints)
        logits = parallel.shared_out(lambda own: self.head(self.trunk(own)), rows)
        return logits.to(x.dtype).reshape(x.shape[:-2])


class TemporalDiscriminator(PoseDiscriminator):
    """Discriminator ``T``: real against generated motion, as differences of adjacent 2D poses."""

    def forward(
        self,
        x: Float[Tensor, "*batch J 2"],
        present: Float[Tensor, "*batch J"] | None = None,
    ) -> Float[Tensor, "*batch"]:
        """Return one logit per difference ``r_t - r_{t+1}`` or ``y_t - y_{t+1}``: high for real."""
        return super().forward(x, present)
