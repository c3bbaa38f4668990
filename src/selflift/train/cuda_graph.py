"""A training step recorded once on a GPU and replayed: one launch instead of a thousand.

At the paper's width a step is a few milliseconds of products and as long again of launching small
kernels, one by one. A CUDA graph launches all of them at once. It replays the same kernels on the
same memory, so what differs from step to step has to lie in tensors that are filled anew: the
batch, the learning learning_rates, the seed of the draws.

What goes unnoticed in recording, such as a number that was read once and is then always the same,
would train wrongly and say nothing. So each recording is proved before it is used: one step is
replayed, taken back and done as usual, and both must leave the same.
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

# Steps done one by one before each kind of step is recorded: optimisers and libraries set
# themselves up in them, which must not become part of the recording.
WARM_UP = 3

# How far a replayed step may be from a usual one, relative to what a step changes: the same kernels
# on the same numbers, but for the order in which sums are taken.
MOST_APART = 0.02

# What a recorded step leaves behind: its scalars in one vector, their names, and the step's output.
Left = tuple[Tensor, tuple[str, ...], StepOutput]
# Records what a function does, with the draws of a generator, without carrying it out; returns what
# does it again, and what it leaves behind each time, in the same tensors.
Recorder = Callable[[Callable[[], Left], torch.Generator], tuple[Callable[[], None], Left]]


def record_on_gpu(
    function: Callable[[], Left], generator: torch.Generator
) -> tuple[Callable[[], None], Left]:
    """A CUDA graph of what a function does."""
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        left = function()
    return graph.replay, left


def suits(config: TrainConfig, device: torch.device) -> bool:
    """Whether a run's steps can be recorded.

    Not those with pairs of frames, whose number differs from batch to batch, with dropout, which
    draws from the global generator, or of several processes.
    """
    return (
        device.type == "cuda"
        and config.loss.w_temporal == 0
        and not has_dropout(config)
        and parallel.world().size == 1
    )


class GraphedStep:
    """:func:`~selflift.method.training_step.train_step` of one run, recorded and replayed.

    Steps at which discriminators are updated, and those at which they are not, are recorded apart.

    Args:
        state: The run's state.
        config: The run's config.
        views: The view sampler.
        size: The common size of all poses, if they have one.
        device: Where the state is.
        insists: Whether a step that can't be recorded is an error; otherwise a warning says so, and
            steps go on one by one.
        record: What records; a GPU's graphs.
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
        self._recorded: dict[bool, tuple[Callable[[], None], Left]] = {}
        self._refused = False
        self._warm: dict[bool, int] = {True: 0, False: 0}
        self._batch: Batch | None = None
        self._generator = torch.Generator(device=device)
        factor, rise, decay = torch.zeros(3, device=device).unbind()
        self._pace = StepSchedule(factor, rise, decay, due=True)

    def __call__(self, batch: Batch) -> StepOutput:
        """As :func:`~selflift.method.training_step.train_step`; advances ``state.step``.

        What it returns of the cycle is overwritten by the next step.
        """
        schedule = schedule_at(self.state.step, self.config)
        if self._refused:
            return train_step(self.state, batch, self.config, self.views, self.size)
        if self._warm[schedule.due] < WARM_UP:
            self._warm[schedule.due] += 1
            for optimiser in self.state.optimisers.values():
                for group in optimiser.param_groups:
                    group["capturable"] = self.device.type == "cuda"
            return self._aside(batch)
        self._fill(batch, schedule)
        if schedule.due not in self._recorded:
            try:
                step = partial(self._step, schedule.due)
                self._recorded[schedule.due] = self._record(step, self._generator)
            except RuntimeError as error:
                self._refuse(" ".join(str(error).split())[:200])
                return self(batch)
            return self._prove(batch, schedule)
        values, names, output = self._replay(schedule)
        self.state.step += 1
        scalars = dict(zip(names, values.clone().unbind(), strict=True))
        return replace(output, scalars=scalars | learning_rates(self.config, schedule))

    def _replay(self, schedule: StepSchedule) -> Left:
        replay, left = self._recorded[schedule.due]
        seed = seeded(self.device, self.config.seed, STEP_STREAM, self.state.step).initial_seed()
        self._generator.manual_seed(seed)
        replay()
        return left

    def _prove(self, batch: Batch, schedule: StepSchedule) -> StepOutput:
        """A step as usual, and whether the recording would have left the same."""
        tensors = self._tensors()
        before = [tensor.clone() for tensor in tensors]
        values, names, _ = self._replay(schedule)
        told = dict(zip(names, values.clone().unbind(), strict=True))
        replayed = [tensor.clone() for tensor in tensors]
        # In place: the recording goes on to use this memory.
        for tensor, was in zip(tensors, before, strict=True):
            tensor.copy_(was)
        out = self._aside(batch)
        change = sum(_squared(a, b) for a, b in zip(tensors, before, strict=True))
        apart = sum(_squared(a, b) for a, b in zip(tensors, replayed, strict=True))
        if not apart <= MOST_APART**2 * change:
            self._refuse(f"replayed, a step changes the weights otherwise: by {apart:.3g} squared")
        for name, value in told.items():
            if not torch.allclose(value, out.scalars[name].float(), rtol=MOST_APART, atol=1e-5):
                self._refuse(f"replayed, a step finds another '{name}'")
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

    def _step(self, due: bool) -> Left:
        """What is recorded."""
        assert self._batch is not None
        with self.state.computing(self.config.engine.precision):
            out = update(
                self.state, self._batch, self.config, self.views, self.size,
                replace(self._pace, due=due), self._generator,
            )  # fmt: skip
        # One vector, so that telling a step costs one copy.
        values = torch.stack([value.float() for value in out.scalars.values()])
        return values, tuple(out.scalars), out

    def _refuse(self, reason: str) -> None:
        if self.insists:
            raise ValueError(
                f"engine.graph: expected steps that a CUDA graph can record, got a refusal "
                f"({reason}); set engine.graph=false"
            )
        self._refused = True
        self._recorded.clear()
        warnings.warn(f"no CUDA graph ({reason}); steps go on one by one", stacklevel=3)

    def _aside(self, batch: Batch) -> StepOutput:
        """One step that is not recorded; on another stream, as a recording's forerunner has to."""
        if self.device.type != "cuda":
            return train_step(self.state, batch, self.config, self.views, self.size)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            out = train_step(self.state, batch, self.config, self.views, self.size)
        torch.cuda.current_stream().wait_stream(aside)
        return out

    def _fill(self, batch: Batch, schedule: StepSchedule) -> None:
        """Bring a step's poses and numbers to where the recording reads them."""
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
