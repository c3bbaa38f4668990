"""The adversarial game, the discriminators' side: one update of ``D``, ``T`` or ``D_D``.

The lifter and a discriminator learn from the same generated poses. Scored once for both
(:class:`SharedBackward`), these pass the discriminator once in either direction; scored for each
of them, once more. The gradients are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from selflift import parallel
from selflift.config import LossConfig
from selflift.method import losses
from selflift.method.training_state import TrainState

# Input of a discriminator: poses, and a mask of the joints that are visible.
VisiblePoses = tuple[Tensor, Tensor | None]
# Below it a slope is taken for this: about what float32 can still be divided by.
LEAST_SLOPE = 1e-30


@dataclass(frozen=True)
class DiscriminatorScores:
    """Logits and losses of a discriminator on real and generated poses.

    Attributes:
        terms: Its objective's terms, unweighted: ``loss``, ``r1``, ``gradient_penalty``.
        total: Their weighted sum.
        real: Logits of real poses.
        fake: Logits of generated poses.
    """

    terms: dict[str, Tensor]
    total: Tensor
    real: Tensor
    fake: Tensor


def score_poses(
    D: nn.Module,
    real: VisiblePoses,
    fake: VisiblePoses,
    loss: LossConfig,
    generator: torch.Generator,
) -> DiscriminatorScores:
    """Run a discriminator on real and generated poses.

    Args:
        D: The discriminator.
        real: Real poses.
        fake: Generated poses.
        loss: The game and its penalties.
        generator: Source of randomness.
    """
    # No discriminator has batch norm, so one pass over both is the same as two.
    present = None
    if real[1] is not None and fake[1] is not None:
        present = torch.cat([real[1], fake[1]])
    logits = D(torch.cat([real[0], fake[0]]), present)
    real_logits, fake_logits = logits[: len(real[0])], logits[len(real[0]) :]
    terms = {"loss": losses.discriminator_loss(loss.game, real_logits, fake_logits)}
    total = terms["loss"]
    if loss.r1 > 0:
        terms["r1"] = losses.r1_penalty(lambda x: D(x, real[1]), real[0])
        total = total + loss.r1 * terms["r1"]
    if loss.gradient_penalty > 0:
        n = min(len(real[0]), len(fake[0]))
        shown = None if real[1] is None else real[1][:n]
        mix = torch.rand(n, generator=generator, device=real[0].device)
        terms["gradient_penalty"] = losses.gradient_penalty(
            lambda x: D(x, shown), real[0][:n], fake[0][:n], mix
        )
        total = total + loss.gradient_penalty * terms["gradient_penalty"]
    return DiscriminatorScores(terms, total, real_logits, fake_logits)


def apply_update(
    state: TrainState,
    name: str,
    scores: DiscriminatorScores,
    loss: LossConfig,
    rate: float | Tensor,
) -> dict[str, Tensor]:
    """Update a discriminator by its accumulated gradient and return its scalars.

    Args:
        state: Changed in place.
        name: Name of the discriminator.
        scores: Its logits and losses.
        loss: The game.
        rate: The learning rate.

    Returns:
        The terms, the norm of the ``gradient``, the ``accuracy``, and its two sides:
        ``accuracy_real`` and ``accuracy_generated``.
    """
    parallel.sum_gradients(state.networks[name])
    scalars = {name: term.detach() for name, term in scores.terms.items()}
    scalars["gradient"] = gradient_norm(state.networks[name])
    set_rate(state.optimisers[name], rate)
    state.optimisers[name].step()
    of_real, of_fake = losses.discriminator_accuracies(
        loss.game, scores.real.detach(), scores.fake.detach()
    )
    scalars["accuracy"] = (of_real + of_fake) / 2
    # One of them alone near 1 is a discriminator that calls everything real, or nothing.
    return scalars | {"accuracy_real": of_real, "accuracy_generated": of_fake}


def update_discriminator(
    state: TrainState,
    name: str,
    real: VisiblePoses,
    fake: VisiblePoses,
    loss: LossConfig,
    rate: float | Tensor,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """One update of a discriminator.

    Args:
        state: Changed in place.
        name: Name of the discriminator.
        real: Real poses.
        fake: Generated poses; no gradient leads back to them.
        loss: The game and its penalties.
        rate: The learning rate.
        generator: Source of randomness.

    Returns:
        The scalars of :func:`apply_update`.
    """
    scores = score_poses(state.networks[name], real, fake, loss, generator)
    state.optimisers[name].zero_grad(set_to_none=True)
    scores.total.backward()
    return apply_update(state, name, scores, loss, rate)


class SharedBackward:
    """Lets one backward pass through a discriminator serve both players.

    Poses are scored one by one, so the gradient that reaches a pose is its logit's slope in the
    discriminator's loss times something that both players share. On its way out of the
    discriminator it is multiplied by the ratio of the two slopes, and is then the lifter's.
    """

    def __init__(self) -> None:
        self._ratio: Tensor | None = None

    def __call__(self, fake: Tensor) -> Tensor:
        """The same poses, ``(B, J, 2)``, for the discriminator."""
        redirected: Tensor = _SharedBackward.apply(fake, self)
        return redirected

    def set(self, game: str, fake: Tensor, weight: float) -> Tensor:
        """Set the poses' logits before the backward pass.

        Args:
            game: The game.
            fake: Logits of the generated poses.
            weight: Of the lifter's term.

        Returns:
            The lifter's term, unweighted; no gradient leads back from it.
        """
        logits = fake.detach().requires_grad_(True)
        with torch.enable_grad():
            lifters = losses.generator_loss(game, logits)
            others = losses.discriminator_loss(game, logits.detach(), logits)
        (own,) = torch.autograd.grad(others, logits)
        (wanted,) = torch.autograd.grad(lifters, logits)
        least = torch.copysign(torch.full_like(own, LEAST_SLOPE), own)
        own = torch.where(own.abs() < LEAST_SLOPE, least, own)
        self._ratio = (weight * wanted / own)[:, None, None]
        return lifters.detach()

    def ratio(self) -> Tensor:
        """Factor of each pose's gradient, ``(B, 1, 1)``."""
        assert self._ratio is not None, "the logits were not set"
        return self._ratio


class _SharedBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, fake: Tensor, shared: SharedBackward) -> Tensor:
        ctx.shared = shared
        return fake.view_as(fake)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.shared.ratio(), None


def gradient_norm(network: nn.Module) -> Tensor:
    """Norm of all gradients of the last backward pass."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))


def set_rate(optimiser: torch.optim.Optimizer, rate: float | Tensor) -> None:
    """Give all parameters of an optimiser one learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
