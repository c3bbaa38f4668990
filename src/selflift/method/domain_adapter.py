r"""The domain adapter: 2D poses of a source domain as the target domain would show them.

``x_a = x_s + C(x_s)``, against a discriminator ``D_D`` that tells adapted source poses from target
poses, and with ``w_correction |C(x_s)|^2`` to keep the change small: detectors, annotators and
skeletons define joints differently, and the body under them is the same.

Adapted poses then join what the lifter lifts and what ``D`` takes for real. The lifter's losses
don't reach the adapter: it could make the lifter's task easy rather than the poses alike.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from selflift import parallel
from selflift.config import TrainConfig
from selflift.geometry.normalise import MIN_EXTENT, pose_size
from selflift.method import losses
from selflift.method.adversary import set_rate, update_discriminator
from selflift.method.batches import ADAPTER_STREAM, Batch, seeded
from selflift.method.cycle import as_seen_by_discriminator
from selflift.method.training_state import TrainState
from selflift.models import DomainAdapter


def apply_correction(
    x: Float[Tensor, "batch J 2"],
    correction: Float[Tensor, "batch J 2"],
    confidence: Float[Tensor, "batch J"] | None,
    root: int,
    size: float | None,
) -> Float[Tensor, "batch J 2"]:
    """Corrected source poses, root-centred and normalised like target poses.

    Args:
        x: Normalised source poses.
        correction: ``C(x)``; zero to take the poses as they are.
        confidence: 0 marks a missing joint, which stays missing.
        root: Index of the root joint.
        size: The common size of target poses; ``None``: they have none.
    """
    x = x + correction
    x = x - x[:, root, None]
    present = None if confidence is None else confidence > 0
    if present is not None:
        x = torch.where(present[..., None], x, 0.0)
    if size is None:
        return x
    return x * (size / pose_size(x, present).clamp_min(MIN_EXTENT))[:, None, None]


def source_poses(
    state: TrainState, batch: Batch, size: float | None, learns: bool
) -> tuple[Tensor, Tensor | None]:
    """The batch's source poses, adapted if there is an adapter: what joins the lifter's batch.

    Args:
        state: Holds the adapter, if the run has one.
        batch: Source poses.
        size: The common size of target poses, if they have one.
        learns: Whether the adapter is being trained, or kept as it is.

    Returns:
        Poses ``(S, J, 2)`` without gradient, and the adapter's correction of the same poses with
        it (``None`` without an adapter).
    """
    x, root = batch.source, state.lifter.skeleton.root
    assert x is not None
    adapter = state.networks.get("adapter")
    if adapter is None:
        return apply_correction(x, torch.zeros_like(x), batch.source_confidence, root, size), None
    assert isinstance(adapter, DomainAdapter)
    adapter.train(learns)
    correction = adapter.correction(x)
    with torch.no_grad():
        return apply_correction(x, correction, batch.source_confidence, root, size), correction


def adapter_step(
    state: TrainState,
    batch: Batch,
    correction: Tensor,
    config: TrainConfig,
    factor: float | Tensor,
    size: float | None,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """One update of ``C`` and one of ``D_D``.

    Args:
        state: Changed in place.
        batch: Source and target poses.
        correction: ``C(x_s)``, with its gradient.
        config: The run's config.
        factor: What the learning rates are multiplied by.
        size: The common size of target poses.
        generator: Source of randomness.

    Returns:
        The terms, under the names that TensorBoard shows.
    """
    loss, domain = config.loss, config.domain
    D, root = state.networks["domain_discriminator"], state.lifter.skeleton.root
    assert batch.source is not None
    n = min(len(batch.source), len(batch.x))
    shown = apply_correction(batch.source, correction, batch.source_confidence, root, size)[:n]
    # Domains lack different joints; D_D is to see poses, so both hide what either lacks.
    present = None
    if batch.confidence is not None and batch.source_confidence is not None:
        there = (batch.confidence[:n] > 0) & (batch.source_confidence[:n] > 0)
        present = there.to(shown)
    c = config.model.lifter.depth
    fake = as_seen_by_discriminator(shown, c, loss.discriminator_size, present)
    D.requires_grad_(False)
    adversarial = losses.generator_loss(loss.game, D(fake, present))
    D.requires_grad_(True)
    # In units of the body, as all of the lifter's terms in 3D: x is about 0.1.
    change = losses.correction_size(c * correction)
    scalars = {"adapter/adversarial": adversarial.detach(), "adapter/correction": change.detach()}
    optimiser = state.optimisers["adapter"]
    set_rate(optimiser, domain.lr * factor)
    optimiser.zero_grad(set_to_none=True)
    (adversarial + domain.w_correction * change).backward()
    parallel.sum_gradients(state.networks["adapter"])
    optimiser.step()

    real = as_seen_by_discriminator(batch.x[:n], c, loss.discriminator_size, present)
    terms = update_discriminator(
        state,
        "domain_discriminator",
        (real, present),
        (fake.detach(), present),
        loss,
        domain.lr * factor,
        generator,
    )
    return scalars | {f"adapter/{name}": value for name, value in terms.items()}


def adapter_update(
    state: TrainState, batch: Batch, config: TrainConfig, size: float | None
) -> dict[str, Tensor]:
    """One update of the adapter before the lifter's training; advances ``state.adapter_step``.

    Args:
        state: Changed in place.
        batch: Source and target poses.
        config: The run's config.
        size: The common size of target poses, if they have one.

    Returns:
        The terms, under the names that TensorBoard shows.
    """
    generator = seeded(batch.x.device, config.seed, ADAPTER_STREAM, state.adapter_step)
    # To zero at the end, so that what is kept is no snapshot of a game in full swing.
    factor = 0.5 * (1 + math.cos(math.pi * state.adapter_step / config.domain.steps))
    with state.computing(config.engine.precision):
        _, correction = source_poses(state, batch, size, learns=True)
        assert correction is not None
        scalars = adapter_step(state, batch, correction, config, factor, size, generator)
    state.adapter_step += 1
    return scalars
