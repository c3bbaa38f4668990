r"""The lifter ``G``: 2D pose in, depth offsets out.

``z_i = max(1, c + d_i)`` and ``X_i = (x_i z_i, y_i z_i, z_i)``, with the body at constant depth
``c = 10``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selflift import checkpoint
from selflift.geometry.camera import backproject
from selflift.models.blocks import ResidualTrunk
from selflift.skeleton import get_skeleton


@dataclass(frozen=True)
class Lifted:
    """What the lifter says of a batch of 2D poses.

    Attributes:
        X: 3D poses in the camera frame, ``(..., J, 3)``, in units of about a head-root distance.
        d: Depth offsets from ``c``, ``(..., J)``.
        elevation_rad: How far the camera looks down on each pose, ``(...)``; ``None`` without an
            elevation head.
    """

    X: Tensor
    d: Tensor
    elevation_rad: Tensor | None


class Lifter(nn.Module):
    """Residual MLP that lifts root-centred, normalised 2D poses (see ``geometry.normalise``).

    Differs from the paper: ``elevation=True`` adds a linear head for the camera's elevation
    (ElePose, Wandt et al., CVPR 2022), because where cameras look down the vertical is not the
    camera's y axis.

    Args:
        skeleton: Name of the keypoint layout.
        width: Features per layer.
        num_blocks: Residual blocks.
        norm: ``"batch"`` (the paper's) or ``"none"``.
        dropout: Probability of dropping a feature.
        depth: ``c``, the depth at which bodies stand.
        min_depth: The nearest a joint may come.
        fix_root: Whether ``d_root = 0``.
        elevation: Whether to predict the camera's elevation.
        mirror_average: Whether a lifter in evaluation mode lifts the pose and its mirror image
            (left and right exchanged) and averages the two; the field's usual test-time averaging.
        max_elevation_deg: Predicted elevations stay within this (a scaled tanh): a camera that
            looks straight down explains any pose, and a game that gets there doesn't come back.
    """

    def __init__(
        self,
        skeleton: str = "h36m_17",
        width: int = 1024,
        num_blocks: int = 4,
        norm: str = "batch",
        dropout: float = 0.0,
        depth: float = 10.0,
        min_depth: float = 1.0,
        fix_root: bool = True,
        elevation: bool = False,
        mirror_average: bool = False,
        max_elevation_deg: float = 45.0,
    ) -> None:
        super().__init__()
        self.skeleton = get_skeleton(skeleton)
        self.depth = depth
        self.min_depth = min_depth
        self.fix_root = fix_root
        self.mirror_average = mirror_average
        self.max_elevation_rad = math.radians(max_elevation_deg)
        joints = self.skeleton.num_joints
        self.trunk = ResidualTrunk(2 * joints, width, num_blocks, norm, dropout)
        self.depth_head = nn.Linear(width, joints)
        self.elevation_head = nn.Linear(width, 1) if elevation else None

    def forward(self, x: Float[Tensor, "*batch J 2"]) -> Float[Tensor, "*batch J"]:
        """Depth offsets ``d`` of each joint, ``(..., J)``."""
        return self.offsets_and_elevation(x)[0]

    def lift(self, x: Float[Tensor, "*batch J 2"]) -> Float[Tensor, "*batch J 3"]:
        """3D poses in the camera frame, ``(..., J, 3)``."""
        return self.lift_with_elevation(x).X

    def lift_with_elevation(self, x: Float[Tensor, "*batch J 2"]) -> Lifted:
        """3D poses, depth offsets and the camera's elevation."""
        d, elevation_rad = self.offsets_and_elevation(x)
        z = (self.depth + d).clamp_min(self.min_depth)
        return Lifted(backproject(x, z), d, elevation_rad)

    def offsets_and_elevation(self, x: Float[Tensor, "*batch J 2"]) -> tuple[Tensor, Tensor | None]:
        """Depth offsets ``(..., J)``, and the elevation ``(...)`` or ``None``."""
        d, elevation_rad = self._network(x)
        if self.training or not self.mirror_average:
            return d, elevation_rad
        # Seen in a mirror (x negated, left and right exchanged) a body keeps its depths.
        order = list(self.skeleton.mirror)
        d_mirror, elevation_mirror = self._network(x[..., order, :] * x.new_tensor([-1.0, 1.0]))
        d = (d + d_mirror[..., order]) / 2
        if elevation_rad is not None and elevation_mirror is not None:
            elevation_rad = (elevation_rad + elevation_mirror) / 2
        return d, elevation_rad

    def _network(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        features = self.trunk(x.reshape(-1, 2 * self.skeleton.num_joints))
        d = self.depth_head(features).to(x.dtype).reshape(x.shape[:-1])
        if self.fix_root:
            mask = torch.ones_like(d)
            mask[..., self.skeleton.root] = 0
            d = d * mask
        if self.elevation_head is None:
            return d, None
        raw = self.elevation_head(features).to(x.dtype).reshape(x.shape[:-2])
        return d, self.max_elevation_rad * torch.tanh(raw / self.max_elevation_rad)

    @torch.no_grad()
    def mirror_depth(self) -> None:
        """Turn the lifter into its mirror image: all depth offsets and elevations change sign."""
        for parameter in self.sign_parameters():
            parameter.neg_()

    def sign_parameters(self) -> list[nn.Parameter]:
        """The parameters whose negation mirrors the lifter: those of its last layers."""
        heads = [h for h in (self.depth_head, self.elevation_head) if h is not None]
        return [p for head in heads for p in head.parameters()]

    @classmethod
    def from_checkpoint(cls, path: str | Path, device: torch.device | str = "cpu") -> Lifter:
        """Build a lifter and load its weights; ready for inference.

        Args:
            path: A checkpoint written by selflift's training.
            device: Where to put it.

        Raises:
            CheckpointError: If the file is missing, damaged or not a selflift checkpoint.
        """
        return cls.from_content(checkpoint.load(path), device)

    @classmethod
    def from_content(
        cls, content: checkpoint.Checkpoint, device: torch.device | str = "cpu"
    ) -> Lifter:
        """The lifter of a checkpoint already read (see :meth:`from_checkpoint`)."""
        try:
            lifter = cls(**content.metadata["lifter"])
            lifter.load_state_dict(content.lifter)
        except (TypeError, KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise checkpoint.CheckpointError(
                f"checkpoint '{content.path}': expected the weights of the lifter that its "
                f"metadata describe, got a mismatch ({reason}); use the file as training wrote it"
            ) from error
        return lifter.to(device).eval()
