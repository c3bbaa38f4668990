"""Self-distillation: bodies lifted by the lifter's running average serve as targets.

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

from selflift.config import TrainConfig
from selflift.method import losses
from selflift.method.batches import Batch
from selflift.method.composites import make_composites
from selflift.method.domain_adapter import source_poses
from selflift.method.training_state import TrainState
from selflift.method.views import ViewSampler
from selflift.models.blocks import frozen_statistics


@dataclass(frozen=True)
class Targets:
    """Root-centred bodies to learn from.

    First those of the poses that the lifter lifts, ``B`` of them; then the donors' of another
    domain, ``S``, in the proportions of the target's people, for composites alone.

    Attributes:
        X: The bodies, ``(B + S, J, 3)``.
        elevation_rad: Of the camera that sees each, ``(B + S,)``, if the lifter predicts it.
        confidence: Of their joints, ``(B + S, J)``, if the lifter takes confidences.
        corrected: Whether bodies are corrected by their person's bones: not where nothing is known
            of people.
    """

    X: Tensor
    elevation_rad: Tensor | None
    confidence: Tensor | None
    corrected: bool


@torch.no_grad()
def lift_targets(
    state: TrainState,
    batch: Batch,
    x: Float[Tensor, "batch J 2"],
    confidence: Float[Tensor, "batch J"] | None,
    config: TrainConfig,
    size: float | None,
    generator: torch.Generator,
) -> Targets:
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
    lifted = state.average.lift_with_elevation(x, confidence)
    X, elevation, table = lifted.X, lifted.elevation_rad, state.bones
    if table is None or batch.person is None:
        X = X - X[:, state.lifter.skeleton.root, None]
        return Targets(X, elevation, confidence, corrected=False)
    person, others = batch.person[: len(x)], batch.person[len(x) :]
    table.update(X, person)
    X = table.corrected(X, person)
    if batch.source is None or config.domain.adapter != "bones":
        return Targets(X, elevation, confidence, corrected=True)
    shown, _ = source_poses(state, batch, size, learns=False)
    donors = state.average.lift_with_elevation(shown, batch.source_confidence)
    table.update(donors.X, others)
    bodies = table.corrected(donors.X, others)
    heir = torch.randint(len(x), (len(bodies),), generator=generator, device=x.device)
    bodies = table.in_proportions_of(bodies, person[heir])
    return Targets(
        torch.cat([X, bodies]),
        _both(elevation, donors.elevation_rad),
        _both(confidence, batch.source_confidence),
        corrected=True,
    )


def composite_loss(
    state: TrainState,
    targets: Targets,
    config: TrainConfig,
    views: ViewSampler,
    size: float | None,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Loss of the lifter on projected composite bodies.

    Args:
        state: Holds the lifter.
        targets: What composites are made of; each misses the joints that another's pose misses.
        config: The run's config.
        views: How they are looked at.
        size: The common size of all poses, if they have one.
        generator: Source of randomness.
    """
    lifter = state.lifter
    made = make_composites(
        targets.X, targets.elevation_rad, views, config.composite, lifter.skeleton, lifter.depth,
        lifter.min_depth, size, generator,
    )  # fmt: skip
    hidden = None if targets.confidence is None else targets.confidence.roll(1, 0)
    with frozen_statistics(lifter):
        lifted = lifter.lift(made.x, hidden)
    return losses.consistency_3d(made.X, lifted, config.loss.joints)


def _both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return None if first is None or second is None else torch.cat([first, second])
