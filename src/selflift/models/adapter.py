"""The domain adapter ``C``: a residual correction that maps source to target 2D poses."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selflift import checkpoint, parallel
from selflift.models.blocks import ResidualTrunk
from selflift.models.stored import network_of
from selflift.skeleton import get_skeleton


class DomainAdapter(nn.Module):
    """``x_s + C(x_s)``: poses of the source domain as the target domain would show them.

    Args:
        skeleton: Name of the keypoint layout.
        width: Features per layer.
        num_blocks: Residual blocks; the paper's number is not known.
        norm: ``"batch"`` or ``"none"``.
        dropout: Probability of dropping a feature.
    """

    def __init__(
        self,
        skeleton: str = "h36m_17",
        width: int = 1024,
        num_blocks: int = 4,
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_joints = get_skeleton(skeleton).num_joints
        self.trunk = ResidualTrunk(2 * self.num_joints, width, num_blocks, norm, dropout)
        self.head = nn.Linear(width, 2 * self.num_joints)
        # An untrained adapter is the identity: it then only learns the difference of the domains.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def correction(self, x: Float[Tensor, "*batch J 2"]) -> Float[Tensor, "*batch J 2"]:
        """Return ``C(x)``, the change alone; its square is penalised."""
        rows = x.reshape(-1, 2 * self.num_joints)
        correction = parallel.shared_out(lambda own: self.head(self.trunk(own)), rows)
        return correction.to(x.dtype).reshape(x.shape)

    def forward(self, x: Float[Tensor, "*batch J 2"]) -> Float[Tensor, "*batch J 2"]:
        """``x + C(x)``."""
        return x + self.correction(x)

    @classmethod
    def from_content(
        cls, content: checkpoint.Checkpoint, device: torch.device | str = "cpu"
    ) -> DomainAdapter:
        """Build the adapter of a run's ``last.pt`` already loaded, ready for inference.

        Raises:
            CheckpointError: If the file holds none, or one that its metadata don't describe.
        """
        networks = content.state.get("networks")
        weights = networks.get("adapter") if isinstance(networks, dict) else None
        if weights is None:
            raise checkpoint.CheckpointError(
                f"checkpoint '{content.path}': expected a domain adapter in its training state, "
                "got none; use checkpoints/last.pt of a run with domain.adapter=first or joint"
            )
        try:
            options = content.metadata["config"]["model"]["adapter"]
            skeleton = content.metadata["lifter"]["skeleton"]
            adapter = network_of(cls, {"skeleton": skeleton, **options}, weights)
        except (
            AttributeError,
            TypeError,
            KeyError,
            RuntimeError,
            ValueError,
            OverflowError,
        ) as error:
            raise checkpoint.mismatch(content, "adapter", error) from error
        return adapter.to(device).eval()
