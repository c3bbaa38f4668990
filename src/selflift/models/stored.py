"""Build networks from the arguments and weights of an untrusted file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)
LARGEST = 2**62
KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,),
}  # fmt: skip


def network_of(kind: type[Network], arguments: object, weights: Mapping[str, Tensor]) -> Network:
    """Build a network with the weights of a file.

    Nothing is allocated for a network that the weights don't fit, whatever size the file names.

    Args:
        kind: The network's class, whose arguments are plain values.
        arguments: The constructor's, as the file has them.
        weights: Name -> tensor; the network gets copies.

    Raises:
        TypeError, ValueError, RuntimeError: If the arguments are no such values, or the weights
            belong to another network.
    """
    if not isinstance(arguments, Mapping):
        raise TypeError(f"expected its arguments, a mapping, got {str(arguments)[:40]!r}")
    _check(kind, arguments, len(weights))
    with torch.device("meta"):
        network = kind(**arguments)
    expected = network.state_dict()
    own = {k: v.detach().to(expected.get(k, v).dtype, copy=True) for k, v in weights.items()}
    for name, tensor in expected.items():
        # Where a number should be, PyTorch 2.4 takes the first of a row, or fails if it is empty.
        if tensor.ndim == 0 and name in own and own[name].ndim:
            raise RuntimeError(f"size mismatch for {name}: {tuple(own[name].shape)} for one number")
    network.load_state_dict(own, assign=True)
    return network


def fits_in(number: float) -> bool:
    """Return whether a number is finite and fits outside Python."""
    return abs(number) <= LARGEST


def _check(kind: type[nn.Module], arguments: Mapping[str, Any], most: int) -> None:
    """Raise for values of undeclared types or out of range, and more blocks than tensors."""
    expected = inspect.signature(kind).parameters
    for name, value in arguments.items():
        if name not in expected:
            raise TypeError(f"unknown argument {name[:40]!r}")
        declared = str(expected[name].annotation)
        fits = isinstance(value, KINDS[declared]) and (
            declared == "bool" or not isinstance(value, bool)
        )
        # Python's integers have no end; those of everybody else have.
        number = isinstance(value, (int, float))
        if not fits or (number and not fits_in(value)):
            got = "a huge number" if isinstance(value, int) and not fits_in(value) else str(value)
            raise TypeError(f"{name}: expected {declared}, got {got[:40]!r}")
    if arguments.get("num_blocks", 0) > most:
        raise ValueError(f"num_blocks: expected at most {most}, got {arguments['num_blocks']}")
