"""One training step: the cycle, the lifter's update and, every few steps, the discriminators'."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor

from selflift import parallel
from selflift.config import OptimConfig, TrainConfig
from selflift.method import losses
from selflift.method.adversary import (
    Judgement,
    Redirect,
    Shown,
    gradient_norm,
    judge,
    play,
    set_rate,
    settle,
)
from selflift.method.batches import DROPOUT_STREAM, STEP_STREAM, Batch, seeded
from selflift.method.cycle import CycleOutput, as_seen_by_discriminator, run_cycle
from selflift.method.domain_adapter import adapter_step, source_poses
from selflift.method.self_distillation import composite_loss, teach
from selflift.method.training_state import TrainState, shares_pass, teaches
from selflift.method.views import ViewSampler


@dataclass(frozen=True)
class StepOutput:
    """Result of a step; detached scalars under their TensorBoard names."""

    scalars: dict[str, Tensor]
    cycle: CycleOutput


def learning_rate_factor(step: int, steps: int, optim: OptimConfig) -> float:
    """Factor of the learning rates at a step.

    Raises:
        ValueError: If the schedule is unknown.
    """
    rise = min(1.0, (step + 1) / optim.warmup) if optim.warmup else 1.0
    if optim.schedule == "constant":
        return rise
    if optim.schedule == "exponential":
        return rise * optim.decay ** (step // optim.decay_every)
    if optim.schedule == "cosine":
        return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    raise ValueError(
        f"optim.schedule: expected 'constant', 'exponential' or 'cosine', got '{optim.schedule}'"
    )


@dataclass(frozen=True)
class Pace:
    """Schedules at one step.

    Attributes:
        factor: What the learning rates are multiplied by; a number, or a tensor that is filled anew
            before each step.
        rise: What the weights of composites and bones are multiplied by; likewise.
        decay: Of the running average; likewise.
        due: Whether the discriminators are updated.
    """

    factor: float | Tensor
    rise: float | Tensor
    decay: float | Tensor
    due: bool


def pace_of(step: int, config: TrainConfig) -> Pace:
    """The pace of a step."""
    warmup = config.composite.warmup
    return Pace(
        factor=learning_rate_factor(step, config.trainer.steps, config.optim),
        rise=min(1.0, (step + 1) / warmup) if warmup else 1.0,
        # It grows with the step, so that the first steps do not linger in the average.
        decay=min(config.optim.ema, (2 + step) / (11 + step)),
        due=step % config.optim.discriminator_every == 0,
    )


def train_step(
    state: TrainState,
    batch: Batch,
    config: TrainConfig,
    views: ViewSampler,
    size: float | None = None,
) -> StepOutput:
    """One lifter update and, when they are due, the discriminators'; advances ``state.step``.

    All randomness is a function of the seed and the step.

    Args:
        state: Changed in place.
        batch: Normalised poses.
        config: The run's config.
        views: The view sampler.
        size: The common size of all poses (``Normaliser.size``), if they have one.
    """
    pace = pace_of(state.step, config)
    generator = seeded(batch.x.device, config.seed, STEP_STREAM, state.step)
    with ExitStack() as stack:
        if drops(config):
            # Dropout draws from the global generator: seed it for this step, and put it back.
            devices = [batch.x.device] if batch.x.is_cuda else []
            stack.enter_context(torch.random.fork_rng(devices=devices))
            # Processes that share a batch out drop each their own.
            rank = (parallel.world().rank,) if parallel.world().size > 1 else ()
            key = (config.seed, DROPOUT_STREAM, state.step, *rank)
            seed = seeded(batch.x.device, *key).initial_seed()
            torch.manual_seed(seed)
        with state.computing(config.engine.precision):
            out = update(state, batch, config, views, size, pace, generator)
    state.step += 1
    out.scalars.update(rates(config, pace))
    return out


def drops(config: TrainConfig) -> bool:
    """Return whether any network has dropout."""
    model = config.model
    networks = (model.lifter, model.discriminator, model.temporal_discriminator, model.adapter,
                model.domain_discriminator)  # fmt: skip
    return any(network.dropout > 0 for network in networks)


def rates(config: TrainConfig, pace: Pace) -> dict[str, Tensor]:
    """The learning rates as scalars."""
    optim = config.optim
    return {
        "optim/lr": torch.tensor(optim.lr * pace.factor),
        "optim/lr_discriminator": torch.tensor(optim.lr_discriminator * pace.factor),
    }


def update(
    state: TrainState,
    batch: Batch,
    config: TrainConfig,
    views: ViewSampler,
    size: float | None,
    pace: Pace,
    generator: torch.Generator,
) -> StepOutput:
    """All updates of one step: a function of its arguments alone, that never waits for the device.

    Args:
        state: Its networks, optimisers, average and bones are changed in place; not its step.
        batch: As in :func:`train_step`.
        config: As there.
        views: As there.
        size: As there.
        pace: What the step number decides.
        generator: Source of randomness.
    """
    loss, lifter, c = config.loss, state.lifter, config.model.lifter.depth
    set_rate(state.lifter_optimiser, config.optim.lr * pace.factor)
    x, confidence = batch.x, batch.confidence
    scalars: dict[str, Tensor] = {}
    if batch.source is not None and config.domain.adapter != "bones":
        joint = config.domain.adapter == "joint"
        source, correction = source_poses(state, batch, size, learns=joint)
        if correction is not None and joint:
            scalars |= adapter_step(state, batch, correction, config, pace.factor, size, generator)
        x = torch.cat([x, source])
        if confidence is not None and batch.source_confidence is not None:
            confidence = torch.cat([confidence, batch.source_confidence])

    taught = None
    if teaches(config):
        taught = teach(state, batch, x, confidence, config, size, generator)
    lifter.train()
    out = run_cycle(lifter, x, views, generator, confidence, batch.following)
    terms: dict[str, tuple[float | Tensor, Tensor]] = {
        "2d": (loss.w_2d, losses.consistency_2d(out.x, out.x_hat, loss.joints, confidence)),
        "3d": (loss.w_3d, losses.consistency_3d(out.Y, out.Y_hat, loss.joints)),
    }
    if taught is not None and taught.corrected and loss.w_bone > 0:
        constancy = losses.bone_constancy(out.X, taught.X[: len(x)], lifter.skeleton)
        terms["bone"] = (loss.w_bone * pace.rise, constancy)
    if taught is not None and loss.w_composite > 0:
        composite = composite_loss(state, taught, config, views, size, generator)
        terms["composite"] = (loss.w_composite * pace.rise, composite)
    if loss.w_truth > 0:
        # Supervised training: of the target's poses, those of another domain are no matter.
        assert batch.truth is not None
        distance = losses.consistency_3d(batch.truth, out.X[: len(batch.x)], loss.joints)
        terms["truth"] = (loss.w_truth, distance)
    one_pass = pace.due and shares_pass(config)
    shown = _shown(out, batch, c, loss.discriminator_size)
    players = {name: poses for name, poses in shown.items() if name in state.networks}
    judged: dict[str, Judgement] = {}
    for name, (real, fake) in players.items():
        D, (key, term) = state.networks[name], PLAYERS[name]
        weight = getattr(loss, key)
        if one_pass:
            redirect = Redirect()
            judged[name] = judge(D, real, (redirect(fake[0]), fake[1]), loss, generator)
            terms[term] = (weight, redirect.set(loss.game, judged[name].fake, weight))
            state.optimisers[name].zero_grad(set_to_none=True)
        else:
            D.requires_grad_(False)
            terms[term] = (weight, losses.generator_loss(loss.game, D(*fake)))
            D.requires_grad_(True)
    counted = [
        weight * term for weight, term in terms.values() if isinstance(weight, Tensor) or weight > 0
    ]
    total = torch.stack(counted).sum()
    state.lifter_optimiser.zero_grad(set_to_none=True)
    torch.stack([total, *(judgement.total for judgement in judged.values())]).sum().backward()
    parallel.sum_gradients(lifter)
    scalars |= {f"loss/{name}": term.detach() for name, (_, term) in terms.items()}
    scalars |= {"loss/total": total.detach(), "gradient/lifter": gradient_norm(lifter)}
    state.lifter_optimiser.step()

    rate = config.optim.lr_discriminator * pace.factor
    for name, (real, fake) in players.items() if pace.due else ():
        if one_pass:
            told = settle(state, name, judged[name], loss, rate)
        else:
            told = play(state, name, real, (fake[0].detach(), fake[1]), loss, rate, generator)
        scalars |= {f"{name}/{key}": value for key, value in told.items()}
    state.update_average(pace.decay)
    return StepOutput(scalars, out)


# Each discriminator that the lifter plays against: its weight in the config, and its term's name.
PLAYERS = {
    "discriminator": ("w_adv", "adversarial"),
    "temporal_discriminator": ("w_temporal", "temporal"),
}


def _shown(
    out: CycleOutput, batch: Batch, depth: float, size: str
) -> dict[str, tuple[Shown, Shown]]:
    """Real and generated poses, and motions, as the discriminators see them."""
    confidence = out.confidence
    present = None if confidence is None else (confidence > 0).to(out.x)
    real = as_seen_by_discriminator(out.x, depth, size, present)
    fake = as_seen_by_discriminator(out.y, depth, size, present)
    players: dict[str, tuple[Shown, Shown]] = {"discriminator": ((real, present), (fake, present))}
    following = batch.following
    if following is None or out.y_next is None or len(following.of) == 0:
        return players
    # A joint's motion is known where both frames have it.
    both = None
    if present is not None and following.confidence is not None:
        both = present[following.of] * (following.confidence > 0).to(out.x)
        real = as_seen_by_discriminator(out.x[following.of], depth, size, both)
        fake = as_seen_by_discriminator(out.y[following.of], depth, size, both)
    else:
        real, fake = real[following.of], fake[following.of]
    real = real - as_seen_by_discriminator(following.x, depth, size, both)
    fake = fake - as_seen_by_discriminator(out.y_next, depth, size, both)
    # Differences are small: real ones give the unit for both.
    unit = real.square().mean().sqrt().clamp_min(1e-6)
    players["temporal_discriminator"] = ((real / unit, both), (fake / unit, both))
    return players
