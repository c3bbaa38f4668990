"""Everything of a run that changes: networks, optimisers, averages, the step, the best so far.

Randomness is not part of it: all draws of step ``k`` come from a generator seeded by the run's seed
and ``k``, so a resumed run draws what an uninterrupted one would.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from selflift.config import TrainConfig
from selflift.device import PRECISIONS, choose_precision
from selflift.method.composites import BoneTable
from selflift.models import DomainAdapter, Lifter, PoseDiscriminator, TemporalDiscriminator
from selflift.models.blocks import ResidualBlock, reduced_precision

MOST_STEPS = 2**53


@dataclass
class TrainState:
    """The mutable state of a run; what a checkpoint holds, beside the record of validations.

    Attributes:
        networks: What is trained, by name: ``lifter`` (``G``), and as the config asks for them
            ``discriminator`` (``D``), ``temporal_discriminator`` (``T``), ``adapter`` (``C``) and
            ``domain_discriminator`` (``D_D``).
        optimisers: Adam of each, under the same names.
        average: Running average of ``G``, used for inference.
        bones: Bone lengths of each person; ``None`` if nothing asks for them.
        step: Lifter updates done.
        adapter_step: Adapter updates done before the lifter's first.
        best: Lowest validation criterion so far (see ``selflift.train.validate``).
        best_step: The step at which it was reached.
        flips: Steps at which anatomy turned the lifter over.
    """

    networks: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]
    average: Lifter
    bones: BoneTable | None = None
    step: int = 0
    adapter_step: int = 0
    best: float = float("inf")
    best_step: int = 0
    flips: list[int] = field(default_factory=list)

    @classmethod
    def create(
        cls, config: TrainConfig, skeleton: str, device: torch.device, num_people: int = 0
    ) -> TrainState:
        """Fresh networks, initialised from the run's seed.

        Args:
            config: The run's config.
            skeleton: Name of the layout.
            device: Where everything lies.
            num_people: Number of people in the training poses; 0 if nothing is known of them.
        """
        model, loss, optim = config.model, config.loss, config.optim
        seen: dict[str, Any] = {
            "skeleton": skeleton,
            "confidences": model.lifter.confidences,
        }
        # The global generator is used for initialisation alone, and put back.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            networks: dict[str, nn.Module] = {
                "lifter": Lifter(skeleton=skeleton, **lifter_arguments(config))
            }
            if loss.w_adv > 0:
                networks["discriminator"] = PoseDiscriminator(**seen, **asdict(model.discriminator))
            if loss.w_temporal > 0:
                networks["temporal_discriminator"] = TemporalDiscriminator(
                    **seen, **asdict(model.temporal_discriminator)
                )
            if adapts(config):
                networks["adapter"] = DomainAdapter(skeleton, **asdict(model.adapter))
                networks["domain_discriminator"] = PoseDiscriminator(
                    **seen, **asdict(model.domain_discriminator)
                )
        for network in networks.values():
            network.to(device)
        rates = {
            "lifter": optim.lr,
            "adapter": config.domain.lr,
            "domain_discriminator": config.domain.lr,
        }
        betas = (optim.beta1, optim.beta2)
        optimisers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(
                network.parameters(), rates.get(name, optim.lr_discriminator), betas, fused=True
            )
            for name, network in networks.items()
        }
        state = cls(networks, optimisers, copy.deepcopy(networks["lifter"]))  # type: ignore[arg-type]
        state.average.requires_grad_(False).eval()
        if distils(config) and num_people:
            state.bones = BoneTable(
                num_people, state.lifter.skeleton, device, config.bones.sharpness
            )
        return state

    @property
    def lifter(self) -> Lifter:
        """``G`` as it is trained."""
        lifter = self.networks["lifter"]
        assert isinstance(lifter, Lifter)
        return lifter

    @property
    def lifter_optimiser(self) -> torch.optim.Optimizer:
        """Adam of ``G``."""
        return self.optimisers["lifter"]

    def compile_blocks(self, config: TrainConfig) -> None:
        """Have ``torch.compile`` translate the blocks of what is trained."""
        # It can't differentiate twice, as penalties do.
        twice = config.loss.r1 > 0 or config.loss.gradient_penalty > 0
        for name, network in self.networks.items():
            if not (twice and name.endswith("discriminator")):
                for part in network.modules():
                    if isinstance(part, ResidualBlock):
                        part.compile(dynamic=False)

    def computing(self, precision: str) -> AbstractContextManager[None]:
        """Within it, for one step, the networks compute as ``engine.precision`` says."""
        device = next(self.lifter.parameters()).device
        if precision == "auto":
            precision = choose_precision(device, self.lifter.depth_head.in_features)
        networks = (*self.networks.values(), self.average)
        return reduced_precision(networks, PRECISIONS[precision], device)

    @torch.no_grad()
    def update_average(self, decay: float | Tensor) -> None:
        """Move the running average towards the present lifter.

        Args:
            decay: What remains of the average as it was.
        """
        averages, values = _tensors(self.average), _tensors(self.lifter)
        assert len(averages) == len(values)
        weight = 1 - decay
        torch._foreach_lerp_(
            averages, values, [weight] * len(values) if isinstance(weight, Tensor) else weight
        )

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

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Weights and statistics of all networks, by name."""
        for network, part in {**self.networks, "average": self.average}.items():
            for name, tensor in part.state_dict().items():
                yield f"{network}.{name}", tensor

    def state_dict(self) -> dict[str, Any]:
        """All of it as plain values and tensors."""
        return {
            "networks": {name: part.state_dict() for name, part in self.networks.items()},
            "optimisers": {name: _plain(part) for name, part in self.optimisers.items()},
            "average": self.average.state_dict(),
            "bones": self.bones and self.bones.state_dict(),
            "step": self.step,
            "adapter_step": self.adapter_step,
            "best": self.best,
            "best_step": self.best_step,
            "flips": list(self.flips),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved state.

        Raises:
            KeyError, RuntimeError, ValueError: If it belongs to a run of another shape.
        """
        for saved in (state["networks"], state["optimisers"]):
            if self.networks.keys() != saved.keys():
                raise ValueError(
                    f"expected the networks {', '.join(self.networks)}, got "
                    f"{', '.join(map(str, saved))} in the file"
                )
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
            _restore(self.optimisers[name], state["optimisers"][name])
        self.average.load_state_dict(state["average"])
        if self.bones is not None:
            self.bones.load_state_dict(state["bones"])
        self.step = _count(state["step"])
        self.adapter_step = _count(state["adapter_step"])
        self.best = float(state["best"])
        self.best_step = _count(state["best_step"])
        self.flips = [_count(step) for step in state["flips"]]


def adapts(config: TrainConfig) -> bool:
    """Return whether the run trains a domain adapter."""
    return config.domain.share > 0 and config.domain.adapter in ("first", "joint")


def distils(config: TrainConfig) -> bool:
    """Return whether the run distils its running average (:mod:`.self_distillation`)."""
    return config.loss.w_bone > 0 or config.loss.w_composite > 0


def shares_pass(config: TrainConfig) -> bool:
    """Return whether both players share one discriminator pass over generated poses."""
    asked = config.engine.one_pass
    return config.optim.discriminator_every == 1 if asked is None else asked


def lifter_arguments(config: TrainConfig) -> dict[str, Any]:
    """Constructor arguments of the run's lifter, less the skeleton."""
    return {**asdict(config.model.lifter), "elevation": config.view.kind == "learned"}


def _plain(optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """An optimiser's state as any device can take it over, whatever a CUDA graph made of it."""
    state = optimiser.state_dict()
    groups = [{**g, "lr": float(g["lr"]), "capturable": False} for g in state["param_groups"]]
    return {**state, "param_groups": groups}


def _restore(optimiser: torch.optim.Optimizer, saved: Any) -> None:
    """Load a state; PyTorch itself finds out at the next step what does not fit."""
    own = [dict(group) for group in optimiser.param_groups]
    optimiser.load_state_dict(saved)
    for group, before in zip(optimiser.param_groups, own, strict=True):
        for name, value in before.items():
            if not isinstance(value, Tensor) and type(group.get(name)) is not type(value):
                raise ValueError(f"expected {name} of an optimiser as {type(value).__name__}")
        for parameter in group["params"]:
            moments = optimiser.state.get(parameter, {})
            if moments and not moments.keys() >= {"step", "exp_avg", "exp_avg_sq"}:
                raise ValueError("expected the moments of each weight")
            for name, moment in moments.items():
                shape = () if name == "step" else parameter.shape
                if not isinstance(moment, Tensor) or moment.shape != shape:
                    raise ValueError(f"expected {name} of shape {tuple(shape)}")


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MOST_STEPS:
        raise ValueError(f"expected a number of steps, got {type(value).__name__}")
    return value


def checked_history(records: Any) -> list[dict[str, float]]:
    """The record of validations that a checkpoint holds.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(records, list) or not all(
        isinstance(record, dict)
        and "step" in record
        and all(type(name) is str and type(x) in (int, float) for name, x in record.items())
        for record in records
    ):
        raise ValueError("expected numbers by name of each validation")
    return records


def _tensors(network: nn.Module) -> list[Tensor]:
    return [t for t in network.state_dict().values() if t.is_floating_point()]
