"""Record a training step as a CUDA graph and replay it: one launch instead of a thousand.

At the paper's width a step is a few milliseconds of products and as long again of launching small
kernels, one by one. A CUDA graph launches all of them at once. It replays the same kernels on the
same memory, so everything that differs from step to step has to lie in tensors that are refilled:
the batch, the learning rates, the seed of the draws.

A mistake in recording, such as a number that was read once and then stays the same, would silently
train wrongly. So each recording is verified before it is used: one step is replayed, undone and
done eagerly, and both must have the same effect.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial

import torch
from torch import Tensor, nn

from selflift import parallel
from selflift.config import TrainConfig
from selflift.method.batches import STEP_STREAM, Batch, seeded
from selflift.method.training_state import TrainState
from selflift.method.training_step import (
    StepOutput,
    StepSchedule,
    has_dropout,
    learning_rates,
    schedule_at,
    train_step,
    update,
)
from selflift.method.views import ViewSampler

# Eager steps before each kind of step is recorded: optimisers and libraries initialise themselves
# in them, which must not become part of the recording.
WARM_UP = 3

# Largest difference between a replayed and an eager step, relative to the change that a step makes:
# the kernels and numbers are the same, but sums may be taken in another order.
MAX_DIFFERENCE = 0.02

# Results of a recorded step: its scalars in one vector, their names, and the step's output.
Results = tuple[Tensor, tuple[str, ...], StepOutput]
# Records a function and the draws of a generator without executing it; returns a function that
# replays it, and the results, which each replay overwrites.
Recorder = Callable[[Callable[[], Results], torch.Generator], tuple[Callable[[], None], Results]]


def record_on_gpu(
    function: Callable[[], Results], generator: torch.Generator
) -> tuple[Callable[[], None], Results]:
    """Record a function as a CUDA graph."""
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        results = function()
    return graph.replay, results


def suits(config: TrainConfig, device: torch.device) -> bool:
    """Return whether a run's steps can be recorded.

    Excluded are pairs of frames, whose number differs from batch to batch, dropout, which draws
    from the global generator, and several processes.
    """
    return (
        device.type == "cuda"
        and config.loss.w_temporal == 0
        and not has_dropout(config)
        and parallel.world().size == 1
    )


class GraphedStep:
    """:func:`~selflift.method.training_step.train_step` of one run, recorded and replayed.

    Steps with and without an update of the discriminators are recorded separately.

    Args:
        state: The run's state.
        config: The run's config.
        views: The view sampler.
        size: The common size of all poses, if they have one.
        device: Device of the state.
        insists: Whether a step that can't be recorded is an error; otherwise it is a warning, and
            steps are eager.
        record: The recorder.
    """

    def __init__(
        self,
        state: TrainState,
        config: TrainConfig,
        views: ViewSampler,
        size: float | None,
        device: torch.device,
        insists: bool = False,
        record: Recorder = record_on_gpu,
    ) -> None:
        self.state, self.config, self.views, self.size = state, config, views, size
        self.device, self.insists, self._record = device, insists, record
        self._recorded: dict[bool, tuple[Callable[[], None], Results]] = {}
        self._gave_up = False
        self._warm: dict[bool, int] = {True: 0, False: 0}
        self._batch: Batch | None = None
        self._generator = torch.Generator(device=device)
        factor, rise, decay = torch.zeros(3, device=device).unbind()
        self._pace = StepSchedule(factor, rise, decay, due=True)

    def __call__(self, batch: Batch) -> StepOutput:
        """Do a step as :func:`~selflift.method.training_step.train_step`; advances ``state.step``.

        The cycle that it returns is overwritten by the next step.
        """
        schedule = schedule_at(self.state.step, self.config)
        if self._gave_up:
            return train_step(self.state, batch, self.config, self.views, self.size)
        if self._warm[schedule.due] < WARM_UP:
            self._warm[schedule.due] += 1
            for optimiser in self.state.optimisers.values():
                for group in optimiser.param_groups:
                    group["capturable"] = self.device.type == "cuda"
            return self._eager_step(batch)
        self._fill(batch, schedule)
        if schedule.due not in self._recorded:
            try:
                step = partial(self._step, schedule.due)
                self._recorded[schedule.due] = self._record(step, self._generator)
            except RuntimeError as error:
                self._give_up(" ".join(str(error).split())[:200])
                return self(batch)
            return self._verify(batch, schedule)
        values, names, output = self._replay(schedule)
        self.state.step += 1
        scalars = dict(zip(names, values.clone().unbind(), strict=True))
        return replace(output, scalars=scalars | learning_rates(self.config, schedule))

    def _replay(self, schedule: StepSchedule) -> Results:
        replay, results = self._recorded[schedule.due]
        seed = seeded(self.device, self.config.seed, STEP_STREAM, self.state.step).initial_seed()
        self._generator.manual_seed(seed)
        replay()
        return results

    def _verify(self, batch: Batch, schedule: StepSchedule) -> StepOutput:
        """Do an eager step, and give up on the recording if a replay has another effect."""
        tensors = self._tensors()
        before = [tensor.clone() for tensor in tensors]
        values, names, _ = self._replay(schedule)
        by_name = dict(zip(names, values.clone().unbind(), strict=True))
        replayed = [tensor.clone() for tensor in tensors]
        # In place, because the recording uses this memory.
        for tensor, was in zip(tensors, before, strict=True):
            tensor.copy_(was)
        out = self._eager_step(batch)
        change = sum(_squared(a, b) for a, b in zip(tensors, before, strict=True))
        apart = sum(_squared(a, b) for a, b in zip(tensors, replayed, strict=True))
        if not apart <= MAX_DIFFERENCE**2 * change:
            self._give_up(
                f"a replayed step changes the weights differently, by {apart:.3g} squared"
            )
        for name, value in by_name.items():
            if not torch.allclose(value, out.scalars[name].float(), rtol=MAX_DIFFERENCE, atol=1e-5):
                self._give_up(f"a replayed step has another '{name}'")
                break
        return out

    def _tensors(self) -> list[Tensor]:
        """All tensors that a step may change."""
        state = self.state
        found = [t for part in (*state.networks.values(), state.average) for t in _own(part)]
        for optimiser in state.optimisers.values():
            for kept in optimiser.state.values():
                found += [value for value in kept.values() if isinstance(value, Tensor)]
        return found if state.bones is None else [*found, state.bones.sums, state.bones.counts]

    def _step(self, due: bool) -> Results:
        """The step that is recorded."""
        assert self._batch is not None
        with self.state.computing(self.config.engine.precision):
            out = update(
                self.state, self._batch, self.config, self.views, self.size,
                replace(self._pace, due=due), self._generator,
            )  # fmt: skip
        # One vector, so that fetching the scalars costs one copy.
        values = torch.stack([value.float() for value in out.scalars.values()])
        return values, tuple(out.scalars), out

    def _give_up(self, reason: str) -> None:
        if self.insists:
            raise ValueError(
                f"engine.graph: expected steps that a CUDA graph can record, got a refusal "
                f"({reason}); set engine.graph=false"
            )
        self._gave_up = True
        self._recorded.clear()
        warnings.warn(f"no CUDA graph ({reason}); steps are eager", stacklevel=3)

    def _eager_step(self, batch: Batch) -> StepOutput:
        """Do a step without recording, on another stream as CUDA graphs require of a warm-up."""
        if self.device.type != "cuda":
            return train_step(self.state, batch, self.config, self.views, self.size)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            out = train_step(self.state, batch, self.config, self.views, self.size)
        torch.cuda.current_stream().wait_stream(aside)
        return out

    def _fill(self, batch: Batch, schedule: StepSchedule) -> None:
        """Copy a step's poses and numbers to the tensors that the recording reads."""
        if self._batch is None:
            self._batch = copy.deepcopy(batch)
        for field in fields(Batch):
            place, given = getattr(self._batch, field.name), getattr(batch, field.name)
            if place is not None:
                place.copy_(given)
        for name in ("factor", "rise", "decay"):
            getattr(self._pace, name).fill_(getattr(schedule, name))


def _own(network: nn.Module) -> list[Tensor]:
    return list(network.state_dict().values())


def _squared(a: Tensor, b: Tensor) -> float:
    return float((a.detach().double() - b.detach().double()).square().sum())
