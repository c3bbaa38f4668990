"""Everything of a run that changes: networks, optimisers, averages, the step, the best so far.

Randomness is not part of it: all draws of step ``k`` come from a generator seeded by the run's seed
and ``k``, so a resumed run draws what an uninterrupted one would.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from selflift.config import TrainConfig
from selflift.models import Lifter, PoseDiscriminator


@dataclass
class TrainState:
    """The mutable state of a run; what a checkpoint holds, beside the record of validations.

    Attributes:
        lifter: ``G`` as it is trained.
        average: Running average of ``G``, used for inference.
        discriminator: ``D``; ``None`` when the run has no adversary.
        lifter_optimiser: Adam of ``G``.
        discriminator_optimiser: Adam of ``D``.
        step: Lifter updates done.
        best: Lowest validation criterion so far (see ``selflift.train.validate``).
        best_step: The step at which it was reached.
        flips: Steps at which anatomy turned the lifter over.
    """

    lifter: Lifter
    average: Lifter
    discriminator: PoseDiscriminator | None
    lifter_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer | None
    step: int
    best: float
    best_step: int
    flips: list[int]

    @classmethod
    def create(cls, config: TrainConfig, skeleton: str, device: torch.device) -> TrainState:
        """Fresh networks, initialised from the run's seed."""
        # The global generator is used for initialisation alone, and put back.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            lifter = Lifter(skeleton=skeleton, **lifter_arguments(config)).to(device)
            discriminator = None
            if config.loss.w_adv > 0:
                discriminator = PoseDiscriminator(
                    skeleton=skeleton, **asdict(config.model.discriminator)
                ).to(device)
        average = copy.deepcopy(lifter).requires_grad_(False).eval()
        optim = config.optim

        def adam(network: nn.Module, rate: float) -> torch.optim.Optimizer:
            betas = (optim.beta1, optim.beta2)
            return torch.optim.Adam(network.parameters(), rate, betas, fused=True)

        return cls(
            lifter=lifter,
            average=average,
            discriminator=discriminator,
            lifter_optimiser=adam(lifter, optim.lr),
            discriminator_optimiser=None
            if discriminator is None
            else adam(discriminator, optim.lr_discriminator),
            step=0,
            best=float("inf"),
            best_step=0,
            flips=[],
        )

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the running average towards the present lifter.

        The decay grows with the step, so that the first steps do not linger in the average.
        """
        decay = min(decay, (1 + self.step) / (10 + self.step))
        pairs = zip(_tensors(self.average), _tensors(self.lifter), strict=True)
        averages, values = zip(*pairs, strict=True)
        torch._foreach_lerp_(list(averages), list(values), 1 - decay)

    @torch.no_grad()
    def mirror_depth(self) -> None:
        """Turn the lifter, its average and its optimiser's momentum into their mirror images."""
        self.lifter.mirror_depth()
        self.average.mirror_depth()
        for parameter in self.lifter.sign_parameters():
            momentum = self.lifter_optimiser.state.get(parameter, {}).get("exp_avg")
            if momentum is not None:
                momentum.neg_()
        self.flips.append(self.step)

    def state_dict(self) -> dict[str, Any]:
        """All of it as plain values and tensors."""
        return {
            "lifter": self.lifter.state_dict(),
            "average": self.average.state_dict(),
            "discriminator": self.discriminator and self.discriminator.state_dict(),
            "lifter_optimiser": self.lifter_optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser
            and self.discriminator_optimiser.state_dict(),
            "step": self.step,
            "best": self.best,
            "best_step": self.best_step,
            "flips": list(self.flips),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved state.

        Raises:
            KeyError, RuntimeError, ValueError: If it belongs to a run of another shape.
        """
        for name in (
            "lifter", "average", "discriminator", "lifter_optimiser", "discriminator_optimiser",
        ):  # fmt: skip
            part = getattr(self, name)
            if (part is None) != (state[name] is None):
                raise ValueError(f"the saved run {'has' if part is None else 'lacks'} a {name}")
            if part is not None:
                part.load_state_dict(state[name])
        self.step = int(state["step"])
        self.best = float(state["best"])
        self.best_step = int(state["best_step"])
        self.flips = [int(step) for step in state["flips"]]


def lifter_arguments(config: TrainConfig) -> dict[str, Any]:
    """Constructor arguments of the run's lifter, less the skeleton."""
    return {**asdict(config.model.lifter), "elevation": config.view.kind == "learned"}


def _tensors(network: nn.Module) -> list[Tensor]:
    return [t for t in network.state_dict().values() if t.is_floating_point()]
