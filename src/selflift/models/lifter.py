r"""The lifter ``G``: 2D pose in, depth offsets out.

``z_i = max(1, c + d_i)`` and ``X_i = (x_i z_i, y_i z_i, z_i)``, with the body at constant depth
``c = 10``.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selflift import checkpoint, parallel
from selflift.device import PRECISIONS, choose_precision, resident
from selflift.geometry.camera import backproject
from selflift.models.blocks import ResidualTrunk
from selflift.models.stored import network_of
from selflift.skeleton import get_skeleton


@dataclass(frozen=True)
class Lifted:
    """Output of the lifter for a batch of 2D poses.

    Attributes:
        X: 3D poses in the camera frame, ``(..., J, 3)``, in units of about a head-root distance.
        d: Depth offsets from ``c``, ``(..., J)``.
        elevation_rad: How far the camera looks down on each pose, ``(...)``; ``None`` without an
            elevation head.
        x: The 2D positions that were lifted, ``(..., J, 2)``: the input, with missing joints
            filled in (``confidences``) and seen ones corrected (``refine``).
    """

    X: Tensor
    d: Tensor
    elevation_rad: Tensor | None
    x: Tensor


class Lifter(nn.Module):
    """Residual MLP that lifts root-centred, normalised 2D poses (see ``geometry.normalise``).

    Differs from the paper: ``elevation=True`` adds a linear head for the camera's elevation
    (ElePose, Wandt et al., CVPR 2022), because where cameras look down the vertical is not the
    camera's y axis. ``confidences=True`` and ``refine=True`` add a head for 2D positions, because
    detectors miss and misplace joints: the paper's lifter takes complete poses as they are.

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
            looks straight down explains any pose, and training does not recover from there.
        confidences: Whether the input has a third channel, each joint's confidence; joints of
            confidence 0 are missing, and the lifter predicts them.
        refine: Whether the lifter also corrects the 2D positions of the joints that are there.
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
        confidences: bool = False,
        refine: bool = False,
    ) -> None:
        super().__init__()
        self.skeleton = get_skeleton(skeleton)
        self.depth = depth
        self.min_depth = min_depth
        self.fix_root = fix_root
        self.mirror_average = mirror_average
        self.max_elevation_rad = math.radians(max_elevation_deg)
        self._built: dict[str, Any] = {
            "width": width, "num_blocks": num_blocks, "norm": norm, "dropout": dropout,
            "max_elevation_deg": max_elevation_deg,
        }  # fmt: skip
        joints = self.skeleton.num_joints
        self.confidences = confidences
        self.refine = refine
        channels = 3 if confidences else 2
        self.trunk = ResidualTrunk(channels * joints, width, num_blocks, norm, dropout)
        self.depth_head = nn.Linear(width, joints)
        self.elevation_head = nn.Linear(width, 1) if elevation else None
        self.position_head = nn.Linear(width, 2 * joints) if confidences or refine else None
        if self.position_head is not None:
            # An untrained lifter leaves 2D positions unchanged.
            nn.init.zeros_(self.position_head.weight)
            nn.init.zeros_(self.position_head.bias)

    @property
    def arguments(self) -> dict[str, Any]:
        """Constructor arguments as plain values, for a checkpoint's metadata."""
        same = ("depth", "min_depth", "fix_root", "mirror_average", "confidences", "refine")
        return {
            "skeleton": self.skeleton.name,
            **self._built,
            **{name: getattr(self, name) for name in same},
            "elevation": self.elevation_head is not None,
        }

    def forward(
        self, x: Float[Tensor, "*batch J 2"], confidence: Float[Tensor, "*batch J"] | None = None
    ) -> Float[Tensor, "*batch J"]:
        """Depth offsets ``d`` of each joint, ``(..., J)``; arguments as in :meth:`lift`."""
        return self.lift_with_elevation(x, confidence).d

    def lift(
        self, x: Float[Tensor, "*batch J 2"], confidence: Float[Tensor, "*batch J"] | None = None
    ) -> Float[Tensor, "*batch J 3"]:
        """3D poses in the camera frame, ``(..., J, 3)``.

        Args:
            x: Normalised poses; values at missing joints are ignored.
            confidence: 0 marks a missing joint; all joints are there if ``None``. A lifter without
                ``confidences`` ignores it.
        """
        return self.lift_with_elevation(x, confidence).X

    def lift_with_elevation(
        self, x: Float[Tensor, "*batch J 2"], confidence: Float[Tensor, "*batch J"] | None = None
    ) -> Lifted:
        """3D poses, depth offsets and elevation; arguments as in :meth:`lift`."""
        if confidence is None or not self.confidences:
            confidence = torch.ones_like(x[..., 0])
        d, elevation_rad, shift = self._network(x, confidence)
        if not self.training and self.mirror_average:
            # Seen in a mirror (x negated, left and right exchanged) a body keeps its depths.
            order, flip = resident(self.skeleton.mirror, x), resident((-1, 1), x, x.dtype)
            seen = self._network(x[..., order, :] * flip, confidence[..., order])
            d = (d + seen[0][..., order]) / 2
            if elevation_rad is not None and seen[1] is not None:
                elevation_rad = (elevation_rad + seen[1]) / 2
            if shift is not None and seen[2] is not None:
                shift = (shift + seen[2][..., order, :] * flip) / 2
        if shift is not None:
            present = (confidence > 0)[..., None]
            x = torch.where(present, x + shift if self.refine else x, shift)
        z = (self.depth + d).clamp_min(self.min_depth)
        return Lifted(backproject(x, z), d, elevation_rad, x)

    def _network(
        self, x: Tensor, confidence: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Depth offsets, elevation, and the shift of 2D positions (missing joints: positions)."""
        joints = self.skeleton.num_joints
        given = x
        if self.confidences:
            present = (confidence > 0)[..., None]
            # Of the order of the poses, about 1 / c: larger, their scatter drowns the poses.
            sure = confidence[..., None] / self.depth
            given = torch.cat([torch.where(present, x, 0.0), sure], dim=-1)
        rows = given.reshape(-1, given.shape[-1] * joints)
        said = parallel.shared_out(self._heads, rows).to(x.dtype)
        d = said[:, :joints].reshape(x.shape[:-1])
        mask = None
        if self.fix_root:
            mask = torch.ones_like(d)
            mask[..., self.skeleton.root] = 0
            d = d * mask
        elevation_rad, shift = None, None
        if self.elevation_head is not None:
            raw = said[:, joints].reshape(x.shape[:-2])
            elevation_rad = self.max_elevation_rad * torch.tanh(raw / self.max_elevation_rad)
        if self.position_head is not None:
            # Of the order of the poses themselves, which are about 1 / c.
            shift = said[:, -2 * joints :].reshape(x.shape) / self.depth
            shift = shift if mask is None else shift * mask[..., None]
        return d, elevation_rad, shift

    def _heads(self, rows: Tensor) -> Tensor:
        """Outputs of all heads, concatenated: depths, elevation, positions."""
        features = self.trunk(rows)
        heads = (self.depth_head, self.elevation_head, self.position_head)
        return torch.cat([head(features) for head in heads if head is not None], dim=-1)

    def for_inference(self, precision: str = "auto") -> Lifter:
        """A copy that lifts the same and faster, and can't be trained.

        Batch norms are folded into the layers before them. Blocks may compute in bfloat16: depths
        then differ by about a hundredth of a head-root distance.

        Args:
            precision: ``"float32"``, ``"bfloat16"``, or ``"auto"``: bfloat16 where the device
                multiplies it faster and the lifter is wide.

        Raises:
            ValueError: If the precision is unknown.
        """
        if precision not in ("auto", *PRECISIONS):
            raise ValueError(
                f"precision: expected one of auto, {', '.join(PRECISIONS)}, got '{precision}'"
            )
        weight = self.depth_head.weight
        if precision == "auto":
            precision = choose_precision(weight.device, weight.shape[1])
        lifter = copy.deepcopy(self).eval().requires_grad_(False)
        lifter.trunk = lifter.trunk.folded(PRECISIONS[precision])
        return lifter

    @torch.no_grad()
    def mirror_depth(self) -> None:
        """Negate all depth offsets and elevations: the lifter becomes its mirror image."""
        for parameter in self.sign_parameters():
            parameter.neg_()

    def sign_parameters(self) -> list[nn.Parameter]:
        """Parameters whose negation mirrors the lifter: those of its last layers."""
        heads = [h for h in (self.depth_head, self.elevation_head) if h is not None]
        return [p for head in heads for p in head.parameters()]

    @classmethod
    def from_checkpoint(cls, path: str | Path, device: torch.device | str = "cpu") -> Lifter:
        """Load a lifter from a checkpoint, ready for inference.

        Args:
            path: A checkpoint written by selflift's training.
            device: Device of the weights.

        Raises:
            CheckpointError: If the file is missing, corrupt or not a selflift checkpoint.
        """
        return cls.from_content(checkpoint.load(path), device)

    @classmethod
    def from_content(
        cls, content: checkpoint.Checkpoint, device: torch.device | str = "cpu"
    ) -> Lifter:
        """Build the lifter of a checkpoint already loaded (see :meth:`from_checkpoint`)."""
        try:
            lifter = network_of(cls, content.metadata["lifter"], content.lifter)
        except (
            AttributeError,
            TypeError,
            KeyError,
            RuntimeError,
            ValueError,
            OverflowError,
        ) as error:
            raise checkpoint.mismatch(content, "lifter", error) from error
        return lifter.to(device).eval()
