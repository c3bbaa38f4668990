"""Precision and range of the geometry.

Geometry and losses compute in the precision of their arguments; networks and doors (metrics, files,
users' arrays) return float32 at least, by :func:`widened`. Sums of squares over- or underflow long
before the numbers do; dividing by a power of two first rounds nothing, so whatever needs no such
help gets the same result with it, bit for bit.
"""

from __future__ import annotations

import torch
from torch import Tensor


def widened(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in their common precision, float32 at least."""
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return tuple(t if t.dtype == dtype else t.to(dtype) for t in tensors)


def power_of_two(size: Tensor) -> Tensor:
    """The power of two at or below each number, by which dividing is exact; 1 for 0.

    Args:
        size: Numbers from 0; NaN or infinite ones give NaN.
    """
    mantissa, _ = torch.frexp(size)
    return torch.where(size == 0, 1.0, size / (2 * mantissa))


def least_size(dtype: torch.dtype) -> float:
    """The least size whose square is a normal number, 1e-19 in float32: what divisors stop at."""
    return float(torch.finfo(dtype).tiny ** 0.5)


def unit_vectors(v: Tensor) -> Tensor:
    """Vectors of norm 1 in the same directions; 0 for those without a direction."""
    return v / v.norm(dim=-1, keepdim=True).clamp_min(least_size(v.dtype))
