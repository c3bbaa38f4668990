r"""Composite bodies: poses that nobody took, in proportions that nobody has, seen from anywhere.

The cycle lifts its own random projections again; here the bodies are taken apart first. Lifted
bodies of a batch are set upright, exchange legs and arms, get other bone lengths, are turned to a
random view, projected, and brought to the size of real poses. The lifter is then to find the body
that the projection was made from. What it learns from is its own 3D alone.

Differs from the paper: not part of it. A lifter trained on the 3D of few people knows those people
and their poses; this one has seen many, and what it cannot tell from a projection it answers with
the mean of all bodies that look so, where a discriminator would have it guess.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from selflift.config import CompositeConfig
from selflift.geometry.bodies import (
    body_of,
    bones_of,
    foreshortened,
    recombine,
    rescale_bones,
)
from selflift.geometry.camera import backproject, project
from selflift.geometry.normalise import body_size, pose_size
from selflift.geometry.rotation import turn_about_root
from selflift.skeleton import Skeleton
from selflift.views import ViewSampler

MIN_SIZE = 1e-6
# The nearest depth at which a joint is projected; the paper's.
NEAREST = 1.0


@dataclass(frozen=True)
class Composites:
    """Composite bodies and what the lifter sees of them.

    Attributes:
        x: 2D poses, normalised like real ones (and jittered, if the config says so), ``(B, J, 2)``.
        X: The bodies, in the lifter's convention: without jitter, ``X`` projects to ``x``.
        elevation_rad: Elevation of the camera that sees each, ``(B,)``.
    """

    x: Tensor
    X: Tensor
    elevation_rad: Tensor


@torch.no_grad()
def make_composites(
    X: Float[Tensor, "batch J 3"],
    elevation_rad: Float[Tensor, "batch"] | None,
    views: ViewSampler,
    config: CompositeConfig,
    skeleton: Skeleton,
    depth: float,
    size: float | None,
    generator: torch.Generator,
    lengths: Float[Tensor, "batch J"] | None = None,
) -> Composites:
    """Make one composite of each body of a batch.

    Args:
        X: Lifted bodies, in the frame of their camera.
        elevation_rad: Their predicted elevation; needed by ``learned`` views.
        views: How bodies are set upright and looked at.
        config: How bodies are changed.
        skeleton: The layout.
        depth: ``c``.
        size: :func:`~selflift.geometry.normalise.pose_size` of every real pose; ``None``: real
            poses have no common size.
        generator: Source of randomness, on the device of ``X``.
        lengths: How long each bone should be, see :class:`BoneTable`; depths are moved towards it
            by the share ``config.constant_bones``. ``None``: they stay.

    Returns:
        The composites; no gradient leads back to ``X``.
    """
    upright = views.level(X, elevation_rad)
    bones = bones_of(X, skeleton)
    if lengths is not None:
        bones = foreshortened(bones, lengths, config.constant_bones)
    bones = bones @ upright.mT
    bones = recombine(bones, config.legs, config.arms, skeleton, generator)
    if config.bone_std > 0:
        bones = rescale_bones(bones, config.bone_std, skeleton, generator)
    look, elevation = views.look(X, elevation_rad, generator)
    Y = turn_about_root(body_of(bones, skeleton), look, skeleton.root, depth)
    # A limb that the turn takes behind the camera stays before it.
    d = Y[..., 2].clamp_min(NEAREST) - depth
    x = project(torch.cat([Y[..., :2], (depth + d)[..., None]], dim=-1))
    if size is not None:
        # Real poses are scaled in the image; the same factor scales their depth offsets.
        factor = (size / pose_size(x).clamp_min(MIN_SIZE))[:, None]
        x, d = x * factor[..., None], d * factor
    bodies = backproject(x, (depth + d).clamp_min(NEAREST))
    if config.jitter > 0:
        # The root errs too, and the pose is centred on where it seems to be.
        noise = torch.empty_like(x).normal_(generator=generator)
        noise = noise - noise[:, skeleton.root, None]
        x = x + config.jitter * pose_size(x)[:, None, None] * noise
    return Composites(x, bodies, elevation)


class BoneTable:
    """Running means of bone lengths, one row per stream: one person seen by one camera.

    A person's bones keep their lengths; lifted ones vary with the errors of depth. Their mean over
    a recording is nearer to the truth than any one of them. Lengths are relative to the body's
    height, left and right averaged. Nothing but lifted poses enters.

    Differs from the paper: not part of it. Yu et al. (ICCV 2021) hold bones constant over a clip by
    a loss; here composites are built of bodies that are corrected by the clip's mean bones.

    Args:
        num_streams: Number of streams.
        skeleton: The layout.
        device: Where the table lies.
        memory: What remains of a row's past at every update.
    """

    def __init__(
        self, num_streams: int, skeleton: Skeleton, device: torch.device, memory: float = 0.99
    ) -> None:
        self.skeleton, self.memory = skeleton, memory
        self.sums = torch.zeros(num_streams, skeleton.num_joints, device=device)
        self.counts = torch.zeros(num_streams, device=device)

    @torch.no_grad()
    def update(
        self, X: Float[Tensor, "batch J 3"], stream: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch J"]:
        """Take in lifted poses; returns the bone lengths of each one's stream.

        Args:
            X: Lifted poses.
            stream: Which stream each is of.

        Returns:
            Lengths in the unit of ``X``, each body's own size: the median over its bones of how
            much longer they are than the stream's.
        """
        length = bones_of(X, self.skeleton).norm(dim=-1)
        height = body_size(X, self.skeleton)
        relative = length / height[:, None].clamp_min(MIN_SIZE)
        relative = (relative + relative[:, list(self.skeleton.mirror)]) / 2
        self.sums.mul_(self.memory).index_add_(0, stream, relative)
        self.counts.mul_(self.memory).index_add_(0, stream, torch.ones_like(height))
        mean = self.sums[stream] / self.counts[stream, None]
        bones = [j for j in range(self.skeleton.num_joints) if j != self.skeleton.root]
        size = (length[:, bones] / mean[:, bones].clamp_min(MIN_SIZE)).median(-1).values
        return mean * size[:, None]

    def state_dict(self) -> dict[str, Tensor]:
        """The table as plain tensors."""
        return {"sums": self.sums, "counts": self.counts}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over a saved table.

        Raises:
            ValueError: If it is of another size.
        """
        if state["sums"].shape != self.sums.shape:
            raise ValueError(
                f"expected the bones of {len(self.sums)} streams, got {len(state['sums'])}"
            )
        self.sums.copy_(state["sums"])
        self.counts.copy_(state["counts"])
