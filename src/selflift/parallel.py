"""Train one lifter in several processes: each runs its share of a batch through the networks.

``torchrun`` starts the processes and gives each its rank. Only the rows of a batch that go through
a network are shared out. Each process has the whole batch of 2D poses and all outputs of the
networks, and computes geometry, losses and random draws for the whole batch. So several processes
give the result of one process with the same batch, up to rounding, for any objective; batch norm
normalises by the whole batch too.

Torch's ``DistributedDataParallel`` fits only a network that is used once in a step and never
differentiated twice. Here the lifter lifts two or three times, and a discriminator's gradient
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

# Environment variables that torchrun sets in each process.
RANK, WORLD_SIZE, LOCAL_RANK = "RANK", "WORLD_SIZE", "LOCAL_RANK"


class ProcessLostError(RuntimeError):
    """Another process of the run has ended."""


@dataclass(frozen=True)
class World:
    """The processes of a run.

    Attributes:
        rank: Index of this process, from 0.
        size: Number of processes.
    """

    rank: int = 0
    size: int = 1

    def rows(self, n: int) -> slice:
        """This process's share of ``n`` rows."""
        return slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)


ALONE = World()
_world = ALONE


def world() -> World:
    """The processes of the run; one, except within :func:`joined`."""
    return _world


def asked() -> World:
    """Read the processes that ``torchrun`` asked for; one without it.

    Raises:
        ValueError: If its variables are invalid.
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
    """Select the GPU that ``torchrun`` assigned to this process."""
    if LOCAL_RANK in os.environ:
        torch.cuda.set_device(int(os.environ[LOCAL_RANK]))


@contextmanager
def joined(device: torch.device, timeout_s: float = 600.0) -> Iterator[World]:
    """Connect the processes that ``torchrun`` started.

    Args:
        device: Device of this process; GPUs communicate over NCCL, processors over gloo.
        timeout_s: Longest wait for a process that doesn't respond.

    Raises:
        ValueError: If ``torchrun``'s variables are invalid.
    """
    global _world
    found = asked()
    if found.size == 1:
        yield ALONE
        return
    # Its functions have the present group as a default argument. If it were imported within
    # (optimisers do so through torch.compile), it would keep the group and its threads alive after
    # the end, and a thread that outlives the interpreter can end the process with SIGABRT.
    import torch.distributed.nn.functional  # noqa: F401

    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo", timeout=timedelta(seconds=timeout_s)
    )
    _world = found
    try:
        yield found
    finally:
        _world = ALONE
        # In PyTorch 2.4 gloo's threads need the interpreter's lock to release the last tensors that
        # they summed, and destroying the group waits for the threads while holding it.
        time.sleep(0.1)
        dist.destroy_process_group()


def shared_out(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function of each row; each process computes its share of the rows.

    Args:
        function: From ``(n, ...)`` to ``(n, ...)``, row by row except for batch norm.
        x: All rows, ``(B, ...)``, the same in every process.

    Returns:
        All results, ``(B, ...)``, in every process; gradients flow to all of ``x``.
    """
    if _world.size == 1:
        return function(x)
    own: Tensor = _Own.apply(x)
    gathered: Tensor = _All.apply(function(own), len(x))
    return gathered


def summed(x: Tensor) -> Tensor:
    """Sum a tensor over all processes, with its gradient."""
    if _world.size == 1:
        return x
    total: Tensor = _Sum.apply(x)
    return total


@torch.no_grad()
def sum_gradients(network: nn.Module) -> None:
    """Sum the gradients of all processes, each of its share of the batch."""
    if _world.size == 1:
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    _reduced(flat)
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def agreed(value: float, device: torch.device) -> float:
    """Return the first process's value in all, so that no decision differs by rounding."""
    if _world.size == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64, device=device)
    with _lost():
        dist.broadcast(shared, 0)
    return float(shared)


def any_of(flag: bool, device: torch.device) -> bool:
    """Return whether the flag is set in any process."""
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
    """Take this process's share of common rows; the gradient is gathered from all processes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.n = len(x)
        return x[_world.rows(len(x))].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _All.apply(gradients[0], ctx.n)


class _All(torch.autograd.Function):
    """Gather all rows from the processes' shares; each takes its share of the gradient."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, n: int) -> Tensor:
        # Adding zeros is exact, and shares may differ in size.
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
