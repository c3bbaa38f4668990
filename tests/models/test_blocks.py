"""The one network shape of the method."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from selflift.models.blocks import BatchNorm, ResidualBlock, ResidualTrunk, frozen_statistics


def norms(network: nn.Module) -> list[nn.BatchNorm1d]:
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm1d)]


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_every_parameter_receives_gradient(norm: str, dropout: float) -> None:
    torch.manual_seed(0)
    trunk = ResidualTrunk(34, 16, 3, norm, dropout)
    trunk(torch.randn(64, 34)).square().sum().backward()
    for name, parameter in trunk.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 1e-6, name


def test_a_block_adds_its_layers_to_its_input() -> None:
    block = ResidualBlock(8, "batch")
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    features = torch.randn(5, 8)
    assert torch.equal(block(features), features)


def test_a_block_is_two_times_linear_norm_relu() -> None:
    kinds = [type(m) for m in ResidualBlock(8, "batch").layers]
    assert kinds == [nn.Linear, BatchNorm, nn.ReLU] * 2
    kinds = [type(m) for m in ResidualBlock(8, "batch", dropout=0.1).layers]
    assert kinds == [nn.Linear, BatchNorm, nn.ReLU, nn.Dropout] * 2


def test_without_norm_there_is_none() -> None:
    assert not norms(ResidualTrunk(34, 8, 2, "none"))
    assert len(norms(ResidualTrunk(34, 8, 2, "batch"))) == 5


def test_width_and_number_of_blocks_are_as_asked() -> None:
    trunk = ResidualTrunk(34, 24, 5, "batch")
    assert sum(isinstance(m, ResidualBlock) for m in trunk) == 5
    assert trunk(torch.randn(3, 34)).shape == (3, 24)


def test_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="norm: expected one of batch, none, got 'layer'"):
        ResidualTrunk(34, 8, 2, "layer")


def test_frozen_statistics_leave_the_running_statistics_alone() -> None:
    trunk = ResidualTrunk(34, 8, 2, "batch")
    trunk(torch.randn(16, 34))
    before = copy.deepcopy(trunk)
    with frozen_statistics(trunk):
        trunk(5 + 3 * torch.randn(16, 34))
    for frozen, kept in zip(norms(trunk), norms(before), strict=True):
        assert torch.equal(frozen.running_mean, kept.running_mean)
        assert torch.equal(frozen.running_var, kept.running_var)


def test_frozen_statistics_still_normalise_by_the_batch() -> None:
    trunk = ResidualTrunk(34, 8, 2, "batch")
    x = 5 + 3 * torch.randn(16, 34)
    expected = copy.deepcopy(trunk)(x)
    with frozen_statistics(trunk):
        assert torch.equal(trunk(x), expected)


def test_the_running_statistics_move_again_afterwards() -> None:
    trunk = ResidualTrunk(34, 8, 2, "batch")
    twin = copy.deepcopy(trunk)
    x = 5 + 3 * torch.randn(16, 34)
    with frozen_statistics(trunk):
        trunk(x)
    trunk(x)
    twin(x)
    for norm, expected in zip(norms(trunk), norms(twin), strict=True):
        assert norm.momentum == 0.1
        assert torch.equal(norm.running_mean, expected.running_mean)


def test_the_momentum_comes_back_after_an_error() -> None:
    trunk = ResidualTrunk(34, 8, 2, "batch")
    norms(trunk)[1].momentum = 0.3
    with pytest.raises(RuntimeError, match="midway"), frozen_statistics(trunk):
        raise RuntimeError("midway")
    assert [m.momentum for m in norms(trunk)] == [0.1, 0.3, 0.1, 0.1, 0.1]
