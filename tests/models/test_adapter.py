"""The domain adapter."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from selflift.checkpoint import Checkpoint, CheckpointError
from selflift.models import DomainAdapter
from selflift.models.blocks import ResidualBlock


def trained(seed: int = 0, **options: object) -> DomainAdapter:
    """An adapter that has left the identity."""
    torch.manual_seed(seed)
    adapter = DomainAdapter(width=16, num_blocks=2, **options)
    nn.init.normal_(adapter.head.weight)
    return adapter


@pytest.mark.parametrize("size", [(2,), (2, 3)])
def test_an_untrained_adapter_is_the_identity(size: tuple, dtype: torch.dtype) -> None:
    adapter = DomainAdapter(width=16, num_blocks=2).to(dtype)
    x = torch.randn((*size, 17, 2), dtype=dtype)
    assert torch.equal(adapter(x), x)
    assert (adapter.correction(x) == 0).all()


def test_an_untrained_adapter_learns(dtype: torch.dtype) -> None:
    adapter = DomainAdapter(width=16, num_blocks=2).to(dtype)
    adapter(torch.randn(32, 17, 2, dtype=dtype)).square().sum().backward()
    assert adapter.head.weight.grad.abs().max() > 0
    assert adapter.head.bias.grad.abs().max() > 0


@pytest.mark.parametrize("size", [(), (1,), (2, 3), (0,)])
def test_shapes_follow_any_leading_batch(size: tuple) -> None:
    adapter = trained().eval()
    x = torch.randn((*size, 17, 2))
    assert adapter(x).shape == adapter.correction(x).shape == x.shape


def test_the_output_is_the_input_plus_the_correction() -> None:
    adapter = trained().eval()
    x = torch.randn(4, 17, 2)
    assert adapter.correction(x).abs().max() > 0.1
    torch.testing.assert_close(adapter(x) - x, adapter.correction(x))


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_every_parameter_receives_gradient_once_it_has_left_the_identity(norm: str) -> None:
    adapter = trained(norm=norm)
    adapter(torch.randn(64, 17, 2)).square().sum().backward()
    for name, parameter in adapter.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_it_is_a_residual_mlp_of_width_1024_by_default() -> None:
    adapter = DomainAdapter()
    assert sum(isinstance(m, ResidualBlock) for m in adapter.modules()) == 4
    assert adapter.head.in_features == 1024


def test_an_adapter_is_no_larger_than_its_weights() -> None:
    weights = DomainAdapter(width=8, num_blocks=1).state_dict()

    def stored(options: object, networks: object = None) -> Checkpoint:
        metadata = {"lifter": {"skeleton": "h36m_17"}, "config": {"model": {"adapter": options}}}
        networks = {"adapter": weights} if networks is None else networks
        return Checkpoint(metadata, {}, {"networks": networks}, "last.pt")

    made = DomainAdapter.from_content(stored({"width": 8, "num_blocks": 1}))
    assert made.head.in_features == 8 and not made.training
    for options in ({"width": 200_000, "num_blocks": 1}, {"width": 8, "num_blocks": 10**6}, [8]):
        with pytest.raises(CheckpointError, match="'last.pt': expected the weights of the adapter"):
            DomainAdapter.from_content(stored(options))
    for networks in (3, {"adapter": None}):
        with pytest.raises(CheckpointError, match="expected a domain adapter"):
            DomainAdapter.from_content(stored({}, networks))
