"""Discriminators."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from selflift.models import PoseDiscriminator, TemporalDiscriminator
from selflift.models.blocks import ResidualBlock

KINDS = [PoseDiscriminator, TemporalDiscriminator]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(), (1,), (2, 3), (0,)])
def test_one_logit_per_pose_for_any_leading_batch(kind: type, size: tuple) -> None:
    assert kind(width=8)(torch.randn((*size, 17, 2))).shape == size


@pytest.mark.parametrize("kind", KINDS)
def test_the_papers_network_is_the_default(kind: type) -> None:
    network = kind()
    assert sum(isinstance(m, ResidualBlock) for m in network.modules()) == 3
    hidden = [m for m in network.modules() if isinstance(m, nn.Linear)]
    assert all(m.out_features == 1024 for m in hidden[:-1])
    assert hidden[-1].out_features == 1


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_no_batch_norm(kind: type) -> None:
    network = kind(width=8)
    assert not any("Norm" in type(m).__name__ for m in network.modules())
    # What a pose gets does not depend on the batch it comes with.
    x = torch.randn(32, 17, 2)
    torch.testing.assert_close(network(x)[:4], network(x[:4]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_and_the_pose_receive_gradient(kind: type) -> None:
    torch.manual_seed(0)
    network = kind(width=16)
    x = torch.randn(64, 17, 2, requires_grad=True)
    network(x).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
    assert (x.grad.abs().amax((1, 2)) > 0).all()


def test_options_reach_the_layers() -> None:
    network = PoseDiscriminator(width=8, num_blocks=1, norm="batch", dropout=0.25)
    dropouts = [m.p for m in network.modules() if isinstance(m, nn.Dropout)]
    assert dropouts == [0.25, 0.25]
    assert sum(isinstance(m, nn.BatchNorm1d) for m in network.modules()) == 3


def test_logits_have_the_poses_dtype(dtype: torch.dtype) -> None:
    assert PoseDiscriminator(width=8).to(dtype)(torch.randn(2, 17, 2, dtype=dtype)).dtype == dtype
