"""The one network shape of the method: linear in, residual blocks, linear out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

NORMS = ("batch", "none")


def _norm(kind: str, width: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm1d(width)
    if kind == "none":
        return nn.Identity()
    raise ValueError(f"norm: expected one of {', '.join(NORMS)}, got '{kind}'")


class ResidualBlock(nn.Module):
    """Two times (linear, norm, ReLU[, dropout]) with a skip connection.

    Args:
        width: Number of features in and out.
        norm: ``"batch"`` or ``"none"``.
        dropout: Probability of dropping a feature; the paper uses none.
    """

    def __init__(self, width: int, norm: str = "batch", dropout: float = 0.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            # A bias before a batch norm would be cancelled by it and never learn.
            layers += [nn.Linear(width, width, bias=norm == "none"), _norm(norm, width), nn.ReLU()]
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """``features + layers(features)``; shape ``(B, width)`` in and out."""
        return features + self.layers(features)


class ResidualTrunk(nn.Sequential):
    """Linear in and residual blocks; features out. The heads are the networks' own.

    Args:
        in_features: Size of the flattened input.
        width: Number of features.
        num_blocks: Number of residual blocks.
        norm: ``"batch"`` or ``"none"``.
        dropout: Probability of dropping a feature.
    """

    def __init__(
        self, in_features: int, width: int, num_blocks: int, norm: str, dropout: float = 0.0
    ) -> None:
        super().__init__(
            nn.Linear(in_features, width, bias=norm == "none"),
            _norm(norm, width),
            nn.ReLU(),
            *(ResidualBlock(width, norm, dropout) for _ in range(num_blocks)),
        )


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Within it, batch norms normalise by the batch but leave their running statistics alone.

    The second lift of the cycle sees generated poses; the running statistics, which serve at
    inference, are to describe real ones.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d)]
    momenta = [m.momentum for m in norms]
    for m in norms:
        m.momentum = 0.0
    try:
        yield
    finally:
        for m, momentum in zip(norms, momenta, strict=True):
            m.momentum = momentum
