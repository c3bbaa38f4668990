"""Layers of all networks: linear in, residual blocks, linear out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from selflift import parallel

NORMS = ("batch", "none")


def _norm(kind: str, width: int) -> nn.Module:
    if kind == "batch":
        return BatchNorm(width)
    if kind == "none":
        return nn.Identity()
    raise ValueError(f"norm: expected one of {', '.join(NORMS)}, got '{kind}'")


class BatchNorm(nn.BatchNorm1d):
    """Batch norm over the whole batch, also where several processes split it."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised features; ``(B, width)`` in and out."""
        if not self.training or parallel.world().size == 1:
            return super().forward(x)
        own = x.to(torch.promote_types(x.dtype, torch.float32))
        count = own.new_full((1,), len(x))
        sums = parallel.summed(torch.cat([own.sum(0), own.square().sum(0), count]))
        n, width = sums[-1], self.num_features
        mean = sums[:width] / n
        variance = (sums[width:-1] / n - mean.square()).clamp_min(0)
        with torch.no_grad():
            momentum = 0.0 if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, momentum)  # type: ignore[union-attr]
            self.running_var.lerp_(variance * n / (n - 1), momentum)  # type: ignore[union-attr]
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (own * scale + (self.bias - mean * scale)).to(x.dtype)


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
        added: Tensor = self.layers(features)
        # Without gradients nothing has to be kept, and the sum needs no memory of its own.
        return features + added if torch.is_grad_enabled() else added.add_(features)


class ResidualTrunk(nn.Sequential):
    """Linear in and residual blocks; features out. Each network adds its heads.

    Args:
        in_features: Size of the flattened input.
        width: Number of features.
        num_blocks: Number of residual blocks.
        norm: ``"batch"`` or ``"none"``.
        dropout: Probability of dropping a feature.

    Attributes:
        precision: Precision of the blocks; ``None``: that of the weights. Set by
            :func:`reduced_precision`.
    """

    precision: torch.dtype | None = None

    def __init__(
        self, in_features: int, width: int, num_blocks: int, norm: str, dropout: float = 0.0
    ) -> None:
        super().__init__(
            nn.Linear(in_features, width, bias=norm == "none"),
            _norm(norm, width),
            nn.ReLU(),
            *(ResidualBlock(width, norm, dropout) for _ in range(num_blocks)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features, ``(B, width)``, in the precision of ``x``."""
        if self.precision is None:
            return super().forward(x)
        # The input's coordinates would lose digits that make millimetres; its layer is small.
        first, *rest = self
        features = first(x).to(self.precision)
        with torch.autocast(x.device.type, self.precision):
            for layer in rest:
                features = layer(features)
        return features.to(x.dtype)

    @torch.no_grad()
    def folded(self, precision: torch.dtype | None = None) -> ResidualTrunk:
        """Fold batch norms into the layers before them, in place; for evaluation mode.

        Args:
            precision: Precision of the blocks and of their weights; ``None``: unchanged.
        """
        for part in self.modules():
            if not isinstance(part, nn.Sequential):
                continue
            for k, layer in enumerate(list(part)):
                before = part[k - 1]
                if isinstance(layer, nn.BatchNorm1d) and isinstance(before, nn.Linear):
                    part[k - 1] = fuse_linear_bn_eval(before, layer)
                    part[k] = nn.Identity()
                elif isinstance(layer, nn.ReLU):
                    layer.inplace = True
        if precision is not None:
            _, _, _, *blocks = self
            for block in blocks:
                block.to(precision)
            self.precision = precision
        return self


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Normalise by the batch without updating the running statistics of batch norms.

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


@contextmanager
def reduced_precision(
    networks: Iterable[nn.Module], precision: torch.dtype | None, device: torch.device
) -> Iterator[None]:
    """Compute the networks' blocks in another precision.

    Weights, first layers, heads and geometry are unchanged. Each weight is converted once within
    the context, so a network must not be used again in it after its weights have changed.

    Args:
        networks: The networks.
        precision: Such as ``torch.bfloat16``; ``None`` changes nothing.
        device: Device of the networks.
    """
    if precision is None:
        yield
        return
    trunks = [m for network in networks for m in network.modules() if isinstance(m, ResidualTrunk)]
    for trunk in trunks:
        trunk.precision = precision
    try:
        # Autocast keeps converted weights until its outermost block ends; this one converts none.
        with torch.autocast(device.type, precision, enabled=False):
            yield
    finally:
        for trunk in trunks:
            trunk.precision = None
