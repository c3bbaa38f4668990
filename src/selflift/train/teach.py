"""What the lifter learns from beside the game: bodies that its own running average has lifted.

The average is steadier than the lifter, and what it lifts is corrected by what a single image
doesn't show: that a person's bones keep their lengths from image to image. The lifter is drawn to
these bodies (``loss.w_bone``) and lifts composites of them (``loss.w_composite``).

Differs from the paper: not part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from selflift import losses
from selflift.composites import make_composites
from selflift.config import TrainConfig
from selflift.models.blocks import frozen_statistics
from selflift.train.adapt import source_poses
from selflift.train.batches import Batch
from selflift.train.state import TrainState
from selflift.views import ViewSampler


@dataclass(frozen=True)
class Taught:
    """Bodies to learn from; where they stand doesn't matter.

    Attributes:
        X: Of the poses that the lifter lifts, ``(B, J, 3)``.
        corrected: Whether they are corrected by their person's bones: not where nothing is known
            of people.
        elevation_rad: Of the camera that sees each, ``(B,)``, if the lifter predicts it.
        donors: Further bodies for composites, ``(S, J, 3)``, those of another domain in the
            proportions of the target's people; ``None``: there are none.
        donors_elevation_rad: Of the camera that sees each, ``(S,)``, if the lifter predicts it.
        donors_confidence: Of their joints, ``(S, J)``, if the lifter takes confidences.
    """

    X: Tensor
    corrected: bool
    elevation_rad: Tensor | None
    donors: Tensor | None = None
    donors_elevation_rad: Tensor | None = None
    donors_confidence: Tensor | None = None


def teaches(config: TrainConfig) -> bool:
    """Whether a run asks for such bodies."""
    return config.loss.w_bone > 0 or config.loss.w_composite > 0


@torch.no_grad()
def teach(
    state: TrainState,
    batch: Batch,
    x: Float[Tensor, "batch J 2"],
    confidence: Float[Tensor, "batch J"] | None,
    config: TrainConfig,
    size: float | None,
    generator: torch.Generator,
) -> Taught:
    """The bodies of a step.

    Args:
        state: Holds the running average; its table of bones takes them in.
        batch: Says whose each pose is, and brings the source domain's.
        x: What the lifter lifts: the batch's poses, and source poses that join them.
        confidence: Of their joints.
        config: The run's config.
        size: The common size of all poses, if they have one.
        generator: Source of randomness.
    """
    own = state.average.lift_with_elevation(x, confidence)
    X, elevation = own.X, own.elevation_rad
    person, table = batch.person, state.bones
    if table is None or person is None:
        return Taught(X, False, elevation)
    table.update(X, person[: len(x)])
    corrected = table.corrected(X, person[: len(x)])
    if config.domain.adapter != "bones" or batch.source is None:
        return Taught(corrected, True, elevation)
    shown, _ = source_poses(state, batch, size, learns=False)
    seen = batch.source_confidence
    other = state.average.lift_with_elevation(shown, seen)
    whose = person[len(x) :]
    table.update(other.X, whose)
    bodies = table.corrected(other.X, whose)
    heir = torch.randint(len(x), (len(bodies),), generator=generator, device=x.device)
    bodies = table.in_proportions_of(bodies, person[heir])
    return Taught(corrected, True, elevation, bodies, other.elevation_rad, seen)


def composite_loss(
    state: TrainState,
    taught: Taught,
    confidence: Float[Tensor, "batch J"] | None,
    config: TrainConfig,
    views: ViewSampler,
    size: float | None,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """How far the lifter is from composite bodies that it sees.

    Args:
        state: Holds the lifter.
        taught: What composites are made of.
        confidence: Of the joints of the poses that the lifter lifts: composites miss the same.
        config: The run's config.
        views: How they are looked at.
        size: The common size of all poses, if they have one.
        generator: Source of randomness.
    """
    lifter = state.lifter
    X, elevation, hidden = taught.X, taught.elevation_rad, confidence
    X = X - X[:, lifter.skeleton.root, None]
    if taught.donors is not None:
        X = torch.cat([X, taught.donors])
        if elevation is not None and taught.donors_elevation_rad is not None:
            elevation = torch.cat([elevation, taught.donors_elevation_rad])
        if hidden is not None and taught.donors_confidence is not None:
            hidden = torch.cat([hidden, taught.donors_confidence])
    made = make_composites(
        X, elevation, views, config.composite, lifter.skeleton, lifter.depth, size, generator
    )
    hidden = None if hidden is None else hidden.roll(1, 0)
    with frozen_statistics(lifter):
        lifted = lifter.lift(made.x, hidden)
    return losses.consistency_3d(made.X, lifted, config.loss.joints)
