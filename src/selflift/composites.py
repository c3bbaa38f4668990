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
from jaxtyping import Float
from torch import Tensor

from selflift.config import CompositeConfig
from selflift.geometry.bodies import body_of, bones_of, recombine, rescale_bones
from selflift.geometry.camera import backproject, project
from selflift.geometry.normalise import pose_size
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

    Returns:
        The composites; no gradient leads back to ``X``.
    """
    upright = views.level(X, elevation_rad)
    bones = bones_of(X, skeleton) @ upright.mT
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
