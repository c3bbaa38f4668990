"""The domain adapter in training: what it is targets, and what joins the lifter's batch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from selflift.config import TrainConfig
from selflift.geometry.normalise import pose_size
from selflift.method.batches import Batch
from selflift.method.domain_adapter import adapter_update, apply_correction, source_poses
from selflift.method.training_state import TrainState
from selflift.method.training_step import train_step
from selflift.method.views import ViewSampler

from .test_training_step import CPU, poses, tiny

SIZE = 0.07


def domains(adapter: str, **loss: object) -> TrainConfig:
    config = tiny(**loss)
    for net in (config.model.adapter, config.model.domain_discriminator):
        net.width, net.num_blocks = 32, 1
    config.domain.share, config.domain.adapter, config.domain.steps = 0.5, adapter, 10
    return config


def other_poses(n: int = 48) -> Tensor:
    x = poses(n) * torch.tensor([1.5, 0.5])
    return x * (SIZE / pose_size(x))[:, None, None]


def weights(network: torch.nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in network.parameters()]


def test_adapted_poses_are_centred_sized_and_as_incomplete_as_before() -> None:
    x, correction = (
        poses(8),
        0.1 * torch.randn(8, 17, 2, generator=torch.Generator().manual_seed(1)),
    )
    confidence = torch.ones(8, 17)
    confidence[2, 5] = 0
    y = apply_correction(x, correction, confidence, root=0, size=SIZE)
    assert torch.equal(y[:, 0], torch.zeros(8, 2))
    assert torch.equal(y[2, 5], torch.zeros(2))
    torch.testing.assert_close(pose_size(y, confidence > 0), torch.full((8,), SIZE))
    free = apply_correction(x, correction, None, root=0, size=None)
    torch.testing.assert_close(free, (x + correction) - (x + correction)[:, :1])


def test_without_an_adapter_source_poses_join_as_they_are() -> None:
    config = domains("none")
    state = TrainState.create(config, "h36m_17", CPU)
    assert "adapter" not in state.networks
    batch = Batch(poses(), source=other_poses())
    joined, correction = source_poses(state, batch, SIZE, learns=False)
    assert correction is None
    torch.testing.assert_close(joined, other_poses())
    out = train_step(state, batch, config, ViewSampler("learned"), SIZE)
    assert len(out.cycle.x) == 64 + 48
    torch.testing.assert_close(out.cycle.x[64:], joined)


def test_a_joint_adapter_learns_in_every_step_and_a_first_one_in_none_of_the_lifters() -> None:
    for kind, moves in (("joint", True), ("first", False)):
        config = domains(kind)
        state = TrainState.create(config, "h36m_17", CPU)
        before = {name: weights(network) for name, network in state.networks.items()}
        train_step(
            state, Batch(poses(), source=other_poses()), config, ViewSampler("learned"), SIZE
        )
        for name in ("adapter", "domain_discriminator"):
            same = all(
                torch.equal(a, b)
                for a, b in zip(before[name], weights(state.networks[name]), strict=True)
            )
            assert same != moves, (kind, name)


def test_a_kept_adapter_keeps_its_batch_statistics() -> None:
    config = domains("first")
    state = TrainState.create(config, "h36m_17", CPU)
    before = copy.deepcopy(state.networks["adapter"].state_dict())
    train_step(state, Batch(poses(), source=other_poses()), config, ViewSampler("learned"), SIZE)
    after = state.networks["adapter"].state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_lifters_losses_do_not_reach_the_adapter() -> None:
    config = domains("first")
    state = TrainState.create(config, "h36m_17", CPU)
    train_step(state, Batch(poses(), source=other_poses()), config, ViewSampler("learned"), SIZE)
    assert all(p.grad is None for p in state.networks["adapter"].parameters())


def test_the_correction_is_penalised() -> None:
    sizes = []
    for w_correction in (0.0, 1e4):
        config = domains("first")
        config.domain.w_correction, config.domain.lr = w_correction, 1e-3
        config.domain.steps = 60
        state = TrainState.create(config, "h36m_17", CPU)
        batch = Batch(poses(), source=other_poses())
        for _ in range(60):
            scalars = adapter_update(state, batch, config, SIZE)
        sizes.append(float(scalars["adapter/correction"]))
        assert state.adapter_step == 60
    assert sizes[1] < 0.1 * sizes[0]


def test_the_adapter_brings_stretched_poses_nearer_to_the_target() -> None:
    """Source poses are the target's, stretched sideways: a trained adapter undoes some of it."""
    config = domains("first", r1=0.1)
    config.model.lifter.num_blocks = 1
    config.domain.w_correction, config.domain.lr, config.domain.steps = 0.01, 2e-3, 300
    state = TrainState.create(config, "h36m_17", CPU)
    generator = torch.Generator().manual_seed(5)
    base = torch.randn(17, 2, generator=generator) * 0.05

    def draw(stretch: float) -> Tensor:
        x = base + 0.005 * torch.randn(64, 17, 2, generator=generator)
        x = (x - x[:, :1]) * torch.tensor([stretch, 1.0])
        return x * (SIZE / pose_size(x))[:, None, None]

    def gap() -> float:
        return float(
            (source_poses(state, batch, SIZE, learns=False)[0].mean(0) - batch.x.mean(0)).norm()
        )

    batch = Batch(draw(1.0), source=draw(1.6))
    before = gap()
    for _ in range(300):
        batch = Batch(draw(1.0), source=draw(1.6))
        adapter_update(state, batch, config, SIZE)
    state.networks["adapter"].eval()
    assert gap() < 0.5 * before


@pytest.mark.parametrize("missing", [False, True])
def test_an_update_is_a_function_of_the_state_and_the_batch(missing: bool) -> None:
    config = domains("first")
    config.model.lifter.confidences = missing
    confidence = (torch.rand(64, 17, generator=torch.Generator().manual_seed(2)) > 0.2).float()
    confidence[:, 0] = 1
    batch = Batch(
        poses() * confidence[..., None] if missing else poses(),
        confidence=confidence if missing else None,
        source=other_poses(),
        source_confidence=torch.ones(48, 17) if missing else None,
    )
    first = TrainState.create(config, "h36m_17", CPU)
    second = copy.deepcopy(first)
    for state in (first, second):
        scalars = adapter_update(state, batch, config, SIZE)
        assert all(torch.isfinite(value) for value in scalars.values())
    for a, b in zip(
        weights(first.networks["adapter"]), weights(second.networks["adapter"]), strict=True
    ):
        assert torch.equal(a, b)
