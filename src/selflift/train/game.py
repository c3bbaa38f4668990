"""The discriminators' side of a step: one update of ``D``, ``T`` or ``D_D``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from selflift import losses
from selflift.config import LossConfig
from selflift.train.state import TrainState

# What a discriminator is shown: poses, and which of their joints are there.
Shown = tuple[Tensor, Tensor | None]


def play(
    state: TrainState,
    name: str,
    real: Shown,
    fake: Shown,
    loss: LossConfig,
    rate: float,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """One update of a discriminator.

    Args:
        state: Changed in place.
        name: Which one.
        real: What is real.
        fake: What is not; no gradient leads back from it.
        loss: The game and its penalties.
        rate: The learning rate.
        generator: Source of randomness.

    Returns:
        The terms: ``loss``, ``r1``, ``gradient_penalty``, ``gradient``, ``accuracy``.
    """
    D, optimiser = state.networks[name], state.optimisers[name]
    set_rate(optimiser, rate)
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
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    scalars = {name: term.detach() for name, term in terms.items()}
    scalars["gradient"] = gradient_norm(D)
    optimiser.step()
    scalars["accuracy"] = losses.discriminator_accuracy(
        loss.game, real_logits.detach(), fake_logits.detach()
    )
    return scalars


def gradient_norm(network: nn.Module) -> Tensor:
    """Norm of all gradients of the last backward pass."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameters of an optimiser one learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
