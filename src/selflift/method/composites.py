r"""Composite bodies: limbs of several lifted poses, in new proportions, seen from random views.

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
from selflift.device import resident
from selflift.geometry.bodies import (
    body_of,
    body_size,
    bones_of,
    foreshortened,
    recombine,
    rescale_bones,
)
from selflift.geometry.camera import backproject, project_unchecked
from selflift.geometry.normalise import MIN_EXTENT, pose_size
from selflift.geometry.rotation import turn_about_root
from selflift.method.views import ViewSampler
from selflift.skeleton import Skeleton


@dataclass(frozen=True)
class Composites:
    """Composite bodies and what the lifter sees of them.

    Attributes:
        x: 2D poses, normalised like real ones, ``(B, J, 2)``.
        X: The bodies, in the lifter's convention: ``X`` projects to ``x``.
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
    min_depth: float,
    size: float | None,
    generator: torch.Generator,
) -> Composites:
    """Make one composite of each body of a batch.

    Args:
        X: Lifted bodies, in the frame of their camera; where they stand doesn't matter.
        elevation_rad: Their predicted elevation; needed by ``learned`` views.
        views: How bodies are set upright and looked at.
        config: How bodies are changed.
        skeleton: The layout.
        depth: ``c``.
        min_depth: The nearest that a joint may come, as for the lifter that learns from them.
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
    d = Y[..., 2].clamp_min(min_depth) - depth
    x = project_unchecked(torch.cat([Y[..., :2], (depth + d)[..., None]], dim=-1))
    if size is not None:
        # Real poses are scaled in the image; the same factor scales their depth offsets.
        factor = (size / pose_size(x).clamp_min(MIN_EXTENT))[:, None]
        x, d = x * factor[..., None], d * factor
    bodies = backproject(x, (depth + d).clamp_min(min_depth))
    return Composites(x, bodies, elevation)


class BoneTable:
    """Running means of lifted bone lengths, one row per person.

    A person's bones keep their lengths; lifted ones vary with the errors of depth. Their mean over
    all poses of a person is nearer to the truth than any one of them, and nearer still where those
    count most that the image itself measures: a bone that lies across the line of sight. Lengths
    are relative to the body's height, left and right averaged. Nothing but lifted poses enters.

    Differs from the paper: not part of it. Yu et al. (ICCV 2021) hold bones constant over a clip by
    a loss; here depths are solved for bones of constant length, and the lifter learns from them.

    Args:
        people: Number of people.
        skeleton: The layout.
        device: Where the table lies.
        sharpness: A bone that spans the share ``s`` of its length in the image counts
            ``s ** sharpness``; 0: all count alike.
        memory: What remains of a row's past at every update.
    """

    def __init__(
        self,
        people: int,
        skeleton: Skeleton,
        device: torch.device,
        sharpness: float = 8.0,
        memory: float = 0.99,
    ) -> None:
        self.skeleton, self.sharpness, self.memory = skeleton, sharpness, memory
        self.sums = torch.zeros(people, skeleton.num_joints, device=device)
        self.counts = torch.zeros(people, skeleton.num_joints, device=device)

    @torch.no_grad()
    def update(self, X: Float[Tensor, "batch J 3"], person: Int[Tensor, "batch"]) -> None:
        """Take in lifted poses.

        Args:
            X: Lifted poses, in the camera's axes.
            person: Whose each is.
        """
        bones = bones_of(X, self.skeleton)
        length = bones.norm(dim=-1)
        relative = length / body_size(X, self.skeleton)[:, None].clamp_min(MIN_EXTENT)
        # A bone without length (the root's) counts as one that is seen in full.
        across = (bones[..., :2].norm(dim=-1) + MIN_EXTENT) / (length + MIN_EXTENT)
        weight = across.pow(self.sharpness)
        other = resident(self.skeleton.mirror, X)
        total = relative * weight
        self.sums.mul_(self.memory).index_add_(0, person, total + total[:, other])
        self.counts.mul_(self.memory).index_add_(0, person, weight + weight[:, other])

    @torch.no_grad()
    def lengths(
        self, X: Float[Tensor, "batch J 3"], person: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch J"]:
        """Bone lengths of bodies in a person's proportions.

        Args:
            X: Lifted poses.
            person: Whose proportions; someone that :meth:`update` has seen.

        Returns:
            Lengths in the unit of ``X``, each body as tall as it is: scaled by the median over its
            bones of how much longer they are than the person's.
        """
        mean = self.sums[person] / self.counts[person].clamp_min(MIN_EXTENT)
        length = bones_of(X, self.skeleton).norm(dim=-1)
        bones = [j for j in range(self.skeleton.num_joints) if j != self.skeleton.root]
        moving = resident(bones, X)
        longer = (length[:, moving] / mean[:, moving].clamp_min(MIN_EXTENT)).sort(-1).values
        # The lower median; torch.median has no deterministic variant on GPUs.
        size = longer[:, (len(bones) - 1) // 2]
        return mean * size[:, None]

    @torch.no_grad()
    def corrected(
        self, X: Float[Tensor, "batch J 3"], person: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch J 3"]:
        """Root-centred bodies as the image shows them, at the depths where bones fit their lengths.

        Args:
            X: Lifted poses, in the camera's axes.
            person: Whose each is.
        """
        bones = foreshortened(bones_of(X, self.skeleton), self.lengths(X, person))
        return body_of(bones, self.skeleton)

    @torch.no_grad()
    def in_proportions_of(
        self, X: Float[Tensor, "batch J 3"], person: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch J 3"]:
        """Root-centred bodies in the same poses, with the bones of someone else.

        Args:
            X: Bodies.
            person: Whose proportions each gets.
        """
        bones = bones_of(X, self.skeleton)
        length = bones.norm(dim=-1).clamp_min(MIN_EXTENT)
        return body_of(bones * (self.lengths(X, person) / length)[..., None], self.skeleton)

    def state_dict(self) -> dict[str, Tensor]:
        """The table as plain tensors."""
        return {"sums": self.sums, "counts": self.counts}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over a saved table.

        Raises:
            ValueError: If it is of another size.
        """
        if state["sums"].shape != self.sums.shape or state["counts"].shape != self.counts.shape:
            raise ValueError(
                f"expected the bones of {len(self.sums)} people, got {len(state['sums'])}"
            )
        self.sums.copy_(state["sums"])
        self.counts.copy_(state["counts"])
