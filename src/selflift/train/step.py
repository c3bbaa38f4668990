"""One training step: the cycle, the lifter's update and, every few steps, the discriminator's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from selflift import losses
from selflift.config import LossConfig, OptimConfig, TrainConfig
from selflift.cycle import CycleOutput, as_seen_by_discriminator, run_cycle
from selflift.skeleton import Skeleton
from selflift.train.state import TrainState
from selflift.views import ViewSampler

# Streams of randomness that must not coincide, mixed into the seed.
BATCH_STREAM, STEP_STREAM, DROPOUT_STREAM = 1, 2, 4


class NonFiniteError(RuntimeError):
    """A term of the objective became NaN or infinite."""


@dataclass(frozen=True)
class StepOutput:
    """What a step did; detached scalars under the names that TensorBoard shows."""

    scalars: dict[str, Tensor]
    cycle: CycleOutput


class Batches:
    """Batches of training poses, each pose at most once an epoch, without any state.

    Step ``k`` is a function of the seed and ``k`` alone: the epoch's permutation is drawn anew when
    an epoch begins, or when a resumed run enters it. The poses left over by the last whole batch of
    an epoch sit that epoch out.

    Args:
        x: Normalised training poses, ``(N, J, 2)``, on the device.
        batch_size: Poses per step; the whole set if it is smaller.
        seed: The run's seed.
        skeleton: The layout, for mirroring.
        mirror: Whether to exchange left and right in half of the poses, at random.
    """

    def __init__(
        self, x: Tensor, batch_size: int, seed: int, skeleton: Skeleton, mirror: bool
    ) -> None:
        self.x = x
        self.batch_size = min(batch_size, len(x))
        self.seed = seed
        self.mirror = mirror
        self.order = torch.tensor(skeleton.mirror, device=x.device)
        self.flip = torch.tensor([-1.0, 1.0], device=x.device)
        self.per_epoch = len(x) // self.batch_size
        self._epoch = -1
        self._permutation = torch.empty(0, dtype=torch.long)

    def __call__(self, step: int) -> Tensor:
        """The batch of a step, ``(B, J, 2)``."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            generator = seeded(self.x.device, self.seed, BATCH_STREAM, epoch)
            self._permutation = torch.randperm(
                len(self.x), generator=generator, device=self.x.device
            )
            self._epoch = epoch
        start = place * self.batch_size
        x = self.x.index_select(0, self._permutation[start : start + self.batch_size])
        if not self.mirror:
            return x
        generator = seeded(self.x.device, self.seed, BATCH_STREAM, epoch, place)
        chosen = torch.rand(len(x), generator=generator, device=x.device) < 0.5
        return torch.where(chosen[:, None, None], x[:, self.order] * self.flip, x)


def seeded(device: torch.device, *key: int) -> torch.Generator:
    """A generator whose stream is a function of the key alone."""
    mixed = 0
    for part in key:
        # A 64-bit multiply-and-add mix; neighbouring keys get unrelated seeds.
        mixed = (mixed ^ (part + 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9 % 2**64
        mixed ^= mixed >> 31
    generator = torch.Generator(device=device)
    generator.manual_seed(mixed % 2**63)
    return generator


def learning_rate_factor(step: int, steps: int, optim: OptimConfig) -> float:
    """What the learning rates are multiplied by at a step.

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


def train_step(state: TrainState, x: Tensor, config: TrainConfig, views: ViewSampler) -> StepOutput:
    """One lifter update and, when it is due, one discriminator update; advances ``state.step``.

    All randomness is a function of the seed and the step.

    Args:
        state: Changed in place.
        x: A batch of normalised poses, ``(B, J, 2)``.
        config: The run's config.
        views: The view sampler.
    """
    if config.model.lifter.dropout == config.model.discriminator.dropout == 0:
        return _step(state, x, config, views)
    # Dropout draws from the global generator: seed it for this step, and put it back.
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(seeded(x.device, config.seed, DROPOUT_STREAM, state.step).initial_seed())
        return _step(state, x, config, views)


def _step(state: TrainState, x: Tensor, config: TrainConfig, views: ViewSampler) -> StepOutput:
    generator = seeded(x.device, config.seed, STEP_STREAM, state.step)
    factor = learning_rate_factor(state.step, config.trainer.steps, config.optim)
    loss = config.loss
    _set_rate(state.lifter_optimiser, config.optim.lr * factor)

    state.lifter.train()
    out = run_cycle(state.lifter, x, views, generator)
    terms = {
        "loss/2d": losses.consistency_2d(out.x, out.x_hat, loss.joints),
        "loss/3d": losses.consistency_3d(out.Y, out.Y_hat, loss.joints),
    }
    total = loss.w_2d * terms["loss/2d"] + loss.w_3d * terms["loss/3d"]
    if loss.w_bone > 0:
        terms["loss/bone"] = losses.bone_variation(out.X, state.lifter.skeleton)
        total = total + loss.w_bone * terms["loss/bone"]
    fake = as_seen_by_discriminator(out.y, state.lifter.depth, loss.discriminator_size)
    if state.discriminator is not None:
        state.discriminator.requires_grad_(False)
        terms["loss/adversarial"] = losses.generator_loss(loss.game, state.discriminator(fake))
        state.discriminator.requires_grad_(True)
        total = total + loss.w_adv * terms["loss/adversarial"]
    terms["loss/total"] = total
    state.lifter_optimiser.zero_grad(set_to_none=True)
    total.backward()
    scalars = {name: term.detach() for name, term in terms.items()}
    scalars["gradient/lifter"] = gradient_norm(state.lifter)
    state.lifter_optimiser.step()

    if state.discriminator is not None and state.step % config.optim.discriminator_every == 0:
        real = as_seen_by_discriminator(x, state.lifter.depth, loss.discriminator_size)
        scalars |= _discriminator_step(state, real, fake.detach(), loss, config, factor, generator)
    state.step += 1
    state.update_average(config.optim.ema)
    scalars["optim/lr"] = torch.tensor(config.optim.lr * factor)
    scalars["optim/lr_discriminator"] = torch.tensor(config.optim.lr_discriminator * factor)
    return StepOutput(scalars, out)


def _discriminator_step(
    state: TrainState,
    real: Tensor,
    fake: Tensor,
    loss: LossConfig,
    config: TrainConfig,
    factor: float,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    D, optimiser = state.discriminator, state.discriminator_optimiser
    assert D is not None and optimiser is not None
    _set_rate(optimiser, config.optim.lr_discriminator * factor)
    # D has no batch norm, so one pass over both is the same as two.
    logits = D(torch.cat([real, fake]))
    real_logits, fake_logits = logits.chunk(2)
    terms = {"loss/discriminator": losses.discriminator_loss(loss.game, real_logits, fake_logits)}
    total = terms["loss/discriminator"]
    if loss.r1 > 0:
        terms["loss/r1"] = losses.r1_penalty(D, real)
        total = total + loss.r1 * terms["loss/r1"]
    if loss.gradient_penalty > 0:
        mix = torch.rand(len(real), generator=generator, device=real.device)
        terms["loss/gradient_penalty"] = losses.gradient_penalty(D, real, fake, mix)
        total = total + loss.gradient_penalty * terms["loss/gradient_penalty"]
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    scalars = {name: term.detach() for name, term in terms.items()}
    scalars["gradient/discriminator"] = gradient_norm(D)
    optimiser.step()
    scalars["discriminator/accuracy"] = losses.discriminator_accuracy(
        loss.game, real_logits.detach(), fake_logits.detach()
    )
    return scalars


def gradient_norm(network: nn.Module) -> Tensor:
    """Norm of all gradients of the last backward pass."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
