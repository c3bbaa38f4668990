"""A training step: batches, randomness by key, schedules, both players' updates."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from selflift.config import OptimConfig, TrainConfig
from selflift.skeleton import H36M_17
from selflift.train.state import TrainState
from selflift.train.batches import Batch, Batches, TrainingPoses, seeded
from selflift.train.step import learning_rate_factor, train_step
from selflift.views import ViewSampler

CPU = torch.device("cpu")


def tiny(**loss: object) -> TrainConfig:
    config = TrainConfig()
    for net in (config.model.lifter, config.model.discriminator):
        net.width, net.num_blocks = 32, 1
    config.trainer.steps = 10
    config.loss = replace(config.loss, **loss)
    return config


def poses(n: int = 64) -> torch.Tensor:
    x = torch.randn(n, 17, 2, generator=torch.Generator().manual_seed(0)) * 0.05
    return x - x[:, :1]


def test_every_pose_comes_once_an_epoch() -> None:
    x = torch.arange(12.0)[:, None, None].expand(12, 17, 2)
    batches = Batches(TrainingPoses(x), 4, seed=0, skeleton=H36M_17, mirror=False)
    for epoch in range(2):
        seen = torch.cat([batches(3 * epoch + i).x[:, 0, 0] for i in range(3)])
        assert sorted(seen.tolist()) == list(range(12))


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    x = poses()
    one = Batches(TrainingPoses(x), 16, 5, H36M_17, mirror=True)
    other = Batches(TrainingPoses(x), 16, 5, H36M_17, mirror=True)
    expected = [one(step).x for step in range(9)]
    for step in (8, 3, 0):
        torch.testing.assert_close(other(step).x, expected[step], rtol=0, atol=0)
    another = Batches(TrainingPoses(x), 16, 6, H36M_17, mirror=True)
    assert not torch.equal(another(0).x, expected[0])


def test_mirrored_poses_exchange_left_and_right_and_change_the_sign_of_x() -> None:
    x = poses(1).repeat(200, 1, 1)
    batch = Batches(TrainingPoses(x), 200, 0, H36M_17, mirror=True)(0).x
    mirrored = x[0, list(H36M_17.mirror)] * torch.tensor([-1.0, 1.0])
    is_mirrored = (batch == mirrored).all(-1).all(-1)
    is_original = (batch == x[0]).all(-1).all(-1)
    assert bool((is_mirrored ^ is_original).all())
    assert 60 < int(is_mirrored.sum()) < 140


def test_seeded_generators_differ_between_neighbouring_keys() -> None:
    draws = {
        torch.rand(1, generator=seeded(CPU, 0, s, k)).item() for s in (1, 2) for k in range(50)
    }
    assert len(draws) == 100
    a, b = (torch.rand(3, generator=seeded(CPU, 7, 1, 2)) for _ in range(2))
    assert torch.equal(a, b)


def test_learning_rate_schedules() -> None:
    cosine = OptimConfig(schedule="cosine")
    assert learning_rate_factor(0, 100, cosine) == 1.0
    assert learning_rate_factor(50, 100, cosine) == pytest.approx(0.5)
    assert learning_rate_factor(100, 100, cosine) == pytest.approx(0.0)
    exponential = OptimConfig(schedule="exponential", decay=0.5, decay_every=10)
    assert learning_rate_factor(25, 100, exponential) == 0.25
    warm = OptimConfig(schedule="constant", warmup=4)
    assert [learning_rate_factor(s, 100, warm) for s in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    with pytest.raises(ValueError, match=r"optim.schedule: expected 'constant'.*got 'step'"):
        learning_rate_factor(0, 100, OptimConfig(schedule="step"))


@pytest.mark.parametrize("game", ["cross_entropy", "least_squares", "wasserstein"])
def test_both_players_move_and_only_when_due(game: str) -> None:
    config = tiny(game=game, r1=0.1, gradient_penalty=0.1)
    config.optim.discriminator_every = 2
    state = TrainState.create(config, "h36m_17", CPU)
    D = state.networks["discriminator"]
    moved = []
    for _ in range(4):
        lifter = copy.deepcopy(dict(state.lifter.named_parameters()))
        discriminator = copy.deepcopy(dict(D.named_parameters()))
        out = train_step(state, Batch(poses()), config, ViewSampler("learned"))
        assert all(torch.isfinite(v) for v in out.scalars.values())
        assert any(not torch.equal(v, lifter[k]) for k, v in state.lifter.named_parameters())
        moved.append(
            any(not torch.equal(v, discriminator[k])
                for k, v in D.named_parameters())
        )  # fmt: skip
    assert moved == [True, False, True, False]


def test_without_adversary_there_is_no_discriminator() -> None:
    config = tiny(w_adv=0.0)
    state = TrainState.create(config, "h36m_17", CPU)
    assert set(state.networks) == set(state.optimisers) == {"lifter"}
    scalars = train_step(state, Batch(poses()), config, ViewSampler("learned")).scalars
    assert "loss/adversarial" not in scalars and "discriminator/loss" not in scalars


def test_the_lifters_gradient_is_the_same_whether_or_not_the_discriminator_moves() -> None:
    gradients = []
    for every in (1, 2):  # at step 1 the discriminator is due, or not
        config = tiny()
        config.optim.discriminator_every = every
        state = TrainState.create(config, "h36m_17", CPU)
        state.step = 1
        train_step(state, Batch(poses()), config, ViewSampler("learned"))
        gradients.append([p.grad for p in state.lifter.parameters()])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_the_same_seed_gives_the_same_weights_bit_for_bit() -> None:
    weights = []
    for _ in range(2):
        config = tiny()
        state = TrainState.create(config, "h36m_17", CPU)
        for _ in range(3):
            train_step(state, Batch(poses()), config, ViewSampler("learned"))
        weights.append(state.lifter.state_dict())
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
