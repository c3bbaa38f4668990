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
    DiscriminatorScores,
    SharedBackward,
    VisiblePoses,
    apply_update,
    gradient_norm,
    score_poses,
    set_rate,
    update_discriminator,
)
from selflift.method.batches import DROPOUT_STREAM, STEP_STREAM, Batch, seeded
from selflift.method.cycle import CycleOutput, as_seen_by_discriminator, run_cycle
from selflift.method.domain_adapter import adapter_step, source_poses
from selflift.method.self_distillation import composite_loss, lift_targets
from selflift.method.training_state import TrainState, distils, shares_pass
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
class StepSchedule:
    """Schedules at one step.

    Attributes:
        factor: Factor of the learning rates; a number, or a tensor that is filled before each step.
        rise: Factor of the weights of composites and bones; likewise.
        decay: Of the running average; likewise.
        due: True if the discriminators are updated.
    """

    factor: float | Tensor
    rise: float | Tensor
    decay: float | Tensor
    due: bool


def schedule_at(step: int, config: TrainConfig) -> StepSchedule:
    """The schedule of a step."""
    warmup = config.composite.warmup
    return StepSchedule(
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
    schedule = schedule_at(state.step, config)
    generator = seeded(batch.x.device, config.seed, STEP_STREAM, state.step)
    with ExitStack() as stack:
        if has_dropout(config):
            # Dropout draws from the global generator: seed it for this step, and put it back.
            devices = [batch.x.device] if batch.x.is_cuda else []
            stack.enter_context(torch.random.fork_rng(devices=devices))
            # Processes that share a batch out drop each their own.
            rank = (parallel.world().rank,) if parallel.world().size > 1 else ()
            key = (config.seed, DROPOUT_STREAM, state.step, *rank)
            seed = seeded(batch.x.device, *key).initial_seed()
            torch.manual_seed(seed)
        with state.computing(config.engine.precision):
            out = update(state, batch, config, views, size, schedule, generator)
    state.step += 1
    out.scalars.update(learning_rates(config, schedule))
    return out


def has_dropout(config: TrainConfig) -> bool:
    """Return whether any network has dropout."""
    model = config.model
    networks = (model.lifter, model.discriminator, model.temporal_discriminator, model.adapter,
                model.domain_discriminator)  # fmt: skip
    return any(network.dropout > 0 for network in networks)


def learning_rates(config: TrainConfig, schedule: StepSchedule) -> dict[str, Tensor]:
    """Learning rates as scalars."""
    optim = config.optim
    return {
        "optim/lr": torch.tensor(optim.lr * schedule.factor),
        "optim/lr_discriminator": torch.tensor(optim.lr_discriminator * schedule.factor),
    }


def update(
    state: TrainState,
    batch: Batch,
    config: TrainConfig,
    views: ViewSampler,
    size: float | None,
    schedule: StepSchedule,
    generator: torch.Generator,
) -> StepOutput:
    """All updates of one step: a function of its arguments alone, that never waits for the device.

    Args:
        state: Its networks, optimisers, average and bones are changed in place; not its step.
        batch: As in :func:`train_step`.
        config: As there.
        views: As there.
        size: As there.
        schedule: The schedules at this step.
        generator: Source of randomness.
    """
    loss, lifter, c = config.loss, state.lifter, config.model.lifter.depth
    set_rate(state.lifter_optimiser, config.optim.lr * schedule.factor)
    x, confidence = batch.x, batch.confidence
    scalars: dict[str, Tensor] = {}
    if batch.source is not None and config.domain.adapter != "bones":
        joint = config.domain.adapter == "joint"
        source, correction = source_poses(state, batch, size, learns=joint)
        if correction is not None and joint:
            scalars |= adapter_step(
                state, batch, correction, config, schedule.factor, size, generator
            )
        x = torch.cat([x, source])
        if confidence is not None and batch.source_confidence is not None:
            confidence = torch.cat([confidence, batch.source_confidence])

    targets = None
    if distils(config):
        targets = lift_targets(state, batch, x, confidence, config, size, generator)
    lifter.train()
    out = run_cycle(lifter, x, views, generator, confidence, batch.following)
    terms: dict[str, tuple[float | Tensor, Tensor]] = {
        "2d": (loss.w_2d, losses.consistency_2d(out.x, out.x_hat, loss.joints, confidence)),
        "3d": (loss.w_3d, losses.consistency_3d(out.Y, out.Y_hat, loss.joints)),
    }
    if targets is not None and targets.corrected and loss.w_bone > 0:
        constancy = losses.bone_constancy(out.X, targets.X[: len(x)], lifter.skeleton)
        terms["bone"] = (loss.w_bone * schedule.rise, constancy)
    if targets is not None and loss.w_composite > 0:
        composite = composite_loss(state, targets, config, views, size, generator)
        terms["composite"] = (loss.w_composite * schedule.rise, composite)
    if loss.w_truth > 0:
        # Supervised training: of the target's poses, those of another domain are no matter.
        assert batch.truth is not None
        distance = losses.consistency_3d(batch.truth, out.X[: len(batch.x)], loss.joints)
        terms["truth"] = (loss.w_truth, distance)
    one_pass = schedule.due and shares_pass(config)
    shown = _discriminator_inputs(out, batch, c, loss.discriminator_size)
    adversaries = {name: poses for name, poses in shown.items() if name in state.networks}
    scored: dict[str, DiscriminatorScores] = {}
    for name, (real, fake) in adversaries.items():
        D, (key, term) = state.networks[name], ADVERSARIES[name]
        weight = getattr(loss, key)
        if one_pass:
            shared = SharedBackward()
            scored[name] = score_poses(D, real, (shared(fake[0]), fake[1]), loss, generator)
            terms[term] = (weight, shared.set(loss.game, scored[name].fake, weight))
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
    torch.stack([total, *(scores.total for scores in scored.values())]).sum().backward()
    parallel.sum_gradients(lifter)
    scalars |= {f"loss/{name}": term.detach() for name, (_, term) in terms.items()}
    scalars |= {"loss/total": total.detach(), "gradient/lifter": gradient_norm(lifter)}
    state.lifter_optimiser.step()

    rate = config.optim.lr_discriminator * schedule.factor
    for name, (real, fake) in adversaries.items() if schedule.due else ():
        if one_pass:
            scalars_of_d = apply_update(state, name, scored[name], loss, rate)
        else:
            scalars_of_d = update_discriminator(
                state, name, real, (fake[0].detach(), fake[1]), loss, rate, generator
            )
        scalars |= {f"{name}/{key}": value for key, value in scalars_of_d.items()}
    state.update_average(schedule.decay)
    return StepOutput(scalars, out)


# Each discriminator that the lifter plays against: its weight in the config, and its term's name.
ADVERSARIES = {
    "discriminator": ("w_adv", "adversarial"),
    "temporal_discriminator": ("w_temporal", "temporal"),
}


def _discriminator_inputs(
    out: CycleOutput, batch: Batch, depth: float, size: str
) -> dict[str, tuple[VisiblePoses, VisiblePoses]]:
    """Real and generated poses, and motions, as the discriminators see them."""
    confidence = out.confidence
    present = None if confidence is None else (confidence > 0).to(out.x)
    real = as_seen_by_discriminator(out.x, depth, size, present)
    fake = as_seen_by_discriminator(out.y, depth, size, present)
    adversaries: dict[str, tuple[VisiblePoses, VisiblePoses]] = {
        "discriminator": ((real, present), (fake, present))
    }
    following = batch.following
    if following is None or out.y_next is None or len(following.of) == 0:
        return adversaries
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
    adversaries["temporal_discriminator"] = ((real / unit, both), (fake / unit, both))
    return adversaries
