"""Several processes train one lifter: each puts its share of a batch through the networks.

Started by ``torchrun``, which gives each process its rank. What is large is shared out: the rows of
a batch that go through a network. What is small is everybody's: each process has the whole batch of
2D poses, and what the networks say of it, and computes geometry, losses and random draws for all of
it, as one process would. So several processes do what one does with the same batch, up to rounding,
whatever the objective; batch norm normalises by the whole batch too.

Torch's ``DistributedDataParallel`` would fit only a network that is used once in a step and never
differentiated twice: here the lifter lifts two or three times, and a discriminator's gradient
penalty is part of its objective. Gradients are summed once per update instead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

# What torchrun sets in each process.
RANK, WORLD_SIZE, LOCAL_RANK = "RANK", "WORLD_SIZE", "LOCAL_RANK"


class ProcessLostError(RuntimeError):
    """Another process of the run has ended."""


@dataclass(frozen=True)
class World:
    """The processes of a run.

    Attributes:
        rank: Which of them this is, from 0.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    def rows(self, n: int) -> slice:
        """This process's share of ``n`` rows."""
        return slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)


ALONE = World()
_world = ALONE


def world() -> World:
    """The processes that share out the work; one, unless :func:`joined`."""
    return _world


def asked() -> World:
    """What ``torchrun`` asked for; one process without it.

    Raises:
        ValueError: If its variables make no sense.
    """
    try:
        found = World(int(os.environ.get(RANK, "0")), int(os.environ.get(WORLD_SIZE, "1")))
    except ValueError as error:
        raise ValueError(
            f"{RANK}, {WORLD_SIZE}: expected whole numbers, as torchrun sets them, got "
            f"'{os.environ.get(RANK)}', '{os.environ.get(WORLD_SIZE)}'; unset them"
        ) from error
    if not 0 <= found.rank < found.size:
        raise ValueError(
            f"{RANK}: expected 0 to {WORLD_SIZE} - 1, got {found.rank} of {found.size}; unset both "
            "or use torchrun"
        )
    return found


def take_device() -> None:
    """Make the GPU that ``torchrun`` gave this process the one that it computes on."""
    if LOCAL_RANK in os.environ:
        torch.cuda.set_device(int(os.environ[LOCAL_RANK]))


@contextmanager
def joined(device: torch.device, timeout_s: float = 600.0) -> Iterator[World]:
    """Within it, the processes that ``torchrun`` started work together.

    Args:
        device: Of this process; GPUs talk over NCCL, processors over gloo.
        timeout_s: How long to wait for a process that says nothing.

    Raises:
        ValueError: If ``torchrun``'s variables make no sense.
    """
    global _world
    found = asked()
    if found.size == 1:
        yield ALONE
        return
    # Its functions have the group of the time as a default argument. Imported within (optimisers
    # do so, by way of torch.compile), it would keep the group and its threads beyond the end, and
    # a thread that outlives the interpreter now and then ends the process with SIGABRT.
    import torch.distributed.nn.functional  # noqa: F401

    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo", timeout=timedelta(seconds=timeout_s)
    )
    _world = found
    try:
        yield found
    finally:
        _world = ALONE
        # In PyTorch 2.4 gloo's threads need the interpreter's lock to let go of the last tensors
        # that they summed, and the group's end waits for the threads, holding it.
        time.sleep(0.1)
        dist.destroy_process_group()


def shared_out(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of each row, computed by all processes, each for its share of the rows.

    Args:
        function: From ``(n, ...)`` to ``(n, ...)``, row by row but for batch norm.
        x: All rows, ``(B, ...)``, the same in every process.

    Returns:
        All results, ``(B, ...)``, in every process; gradients go back to all of ``x``.
    """
    if _world.size == 1:
        return function(x)
    own: Tensor = _Own.apply(x)
    gathered: Tensor = _All.apply(function(own), len(x))
    return gathered


def summed(x: Tensor) -> Tensor:
    """The sum over all processes, with its gradient."""
    if _world.size == 1:
        return x
    total: Tensor = _Sum.apply(x)
    return total


@torch.no_grad()
def sum_gradients(network: nn.Module) -> None:
    """Add up the gradients that the processes have found, each for its share of the batch."""
    if _world.size == 1:
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    _reduced(flat)
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def agreed(value: float, device: torch.device) -> float:
    """The first process's value, in all of them: what decides must not differ by rounding."""
    if _world.size == 1:
        return value
    told = torch.tensor([value], dtype=torch.float64, device=device)
    with _lost():
        dist.broadcast(told, 0)
    return float(told)


def any_of(flag: bool, device: torch.device) -> bool:
    """Whether it is so in any process."""
    if _world.size == 1:
        return flag
    return float(_reduced(torch.tensor([float(flag)], device=device))) > 0


@contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise ProcessLostError(f"another process of the run has ended ({reason})") from error


def _reduced(x: Tensor) -> Tensor:
    with _lost():
        dist.all_reduce(x)
    return x


class _Own(torch.autograd.Function):
    """This process's share of rows that all have; their gradient is gathered from all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.n = len(x)
        return x[_world.rows(len(x))].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _All.apply(gradients[0], ctx.n)


class _All(torch.autograd.Function):
    """All rows, put together from the processes' shares; each takes its share of the gradient."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, n: int) -> Tensor:
        # Adding zeros is exact, and shares needn't be of one size.
        x = own.new_zeros((n, *own.shape[1:]))
        x[_world.rows(n)] = own
        return _reduced(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Own.apply(gradients[0]), None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _reduced(x.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Sum.apply(gradients[0])
