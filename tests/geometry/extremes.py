"""Extreme poses for property tests: every size, and every way for a body to be degenerate."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

J = 17
SHAPES = ("body", "coplanar", "collinear", "point", "flat to the camera", "two points")
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def body(seed: int, shape: str = "body", n: int = 3, d: int = 3) -> Tensor:
    """Root-centred poses of about one unit, ``(n, J, d)`` in float64."""
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, J, d, generator=generator, dtype=torch.float64)
    directions = torch.randn(n, 2, d, generator=generator, dtype=torch.float64)
    if shape == "coplanar":
        X = X[..., :2] @ directions
    elif shape == "collinear":
        X = X[..., :1] @ directions[:, :1]
    elif shape == "point":
        X = torch.zeros_like(X)
    elif shape == "flat to the camera":
        X[..., -1] = 0
    elif shape == "two points":
        X = (X[..., :1] > 0) * directions[:, :1]
    return X - X[:, :1]


def shapes() -> st.SearchStrategy[str]:
    return st.sampled_from(SHAPES)


def seeds() -> st.SearchStrategy[int]:
    return st.integers(0, 2**31)


def scales() -> st.SearchStrategy[float]:
    """From a trillionth to a trillion."""
    return st.integers(-12, 12).map(lambda exponent: 10.0**exponent)


def poses(dtype: torch.dtype = torch.float32) -> st.SearchStrategy[Tensor]:
    """Bodies of any shape and size, empty batches and single poses among them."""

    def make(seed: int, shape: str, scale: float, n: int) -> Tensor:
        return (scale * body(seed, shape, n)).to(dtype)

    return st.builds(make, seeds(), shapes(), scales(), st.integers(0, 3))


def finite(*tensors: Tensor) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
