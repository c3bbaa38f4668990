"""A training step: batches, randomness by key, schedules, both players' updates."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from selflift.config import OptimConfig, TrainConfig
from selflift.geometry.camera import backproject
from selflift.method import training_step
from selflift.method.batches import Batch, Batches, TrainingPoses, seeded
from selflift.method.cycle import NextFrames, run_cycle
from selflift.method.training_state import TrainState
from selflift.method.training_step import learning_rate_factor, train_step
from selflift.method.views import ViewSampler
from selflift.skeleton import H36M_17

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
    expected = [one(k).x for k in range(9)]
    for k in (8, 3, 0):
        torch.testing.assert_close(other(k).x, expected[k], rtol=0, atol=0)
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
        config.engine.one_pass = False
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


def pairs(x: torch.Tensor) -> Batch:
    """Poses that move a little to their next frame; one pose in four has none."""
    of = torch.arange(len(x))[torch.arange(len(x)) % 4 != 0]
    step = 0.002 * torch.randn(len(of), 17, 2, generator=torch.Generator().manual_seed(3))
    step[:, 0] = 0
    return Batch(x, following=NextFrames(x[of] + step, of))


def test_the_temporal_discriminator_plays_and_its_term_reaches_the_lifter() -> None:
    gradients = []
    for weight in (0.0, 1.0):
        config = tiny(w_temporal=weight)
        config.model.temporal_discriminator.width = 32
        config.model.temporal_discriminator.num_blocks = 1
        state = TrainState.create(config, "h36m_17", CPU)
        assert ("temporal_discriminator" in state.networks) == (weight > 0)
        batch = pairs(poses()) if weight else Batch(poses())
        scalars = train_step(state, batch, config, ViewSampler("learned")).scalars
        assert ("loss/temporal" in scalars) == (weight > 0)
        assert ("temporal_discriminator/accuracy" in scalars) == (weight > 0)
        gradients.append(scalars["gradient/lifter"])
    assert gradients[0] != gradients[1]


def test_motions_are_differences_of_one_view_in_the_unit_of_real_motion() -> None:
    config = tiny(w_temporal=1.0)
    state = TrainState.create(config, "h36m_17", CPU)
    batch = pairs(poses())
    out = run_cycle(
        state.lifter.eval(), batch.x, ViewSampler(), seeded(CPU, 0), None, batch.following
    )
    (real, _), (fake, _) = training_step._discriminator_inputs(out, batch, 10.0, "kept")[
        "temporal_discriminator"
    ]
    assert batch.following is not None and out.y_next is not None
    of = batch.following.of
    unit = (batch.x[of] - batch.following.x).square().mean().sqrt()
    torch.testing.assert_close(real, (batch.x[of] - batch.following.x) / unit, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fake, (out.y[of] - out.y_next) / unit, rtol=1e-4, atol=1e-5)


def test_a_batch_without_pairs_leaves_the_temporal_discriminator_out_of_the_step() -> None:
    config = tiny(w_temporal=1.0)
    state = TrainState.create(config, "h36m_17", CPU)
    empty = NextFrames(torch.empty(0, 17, 2), torch.empty(0, dtype=torch.long))
    batch = Batch(poses(), following=empty)
    scalars = train_step(state, batch, config, ViewSampler("learned")).scalars
    assert "loss/temporal" not in scalars


def test_joints_that_either_frame_lacks_have_no_motion() -> None:
    config = tiny(w_temporal=1.0)
    config.model.lifter.confidences = True
    state = TrainState.create(config, "h36m_17", CPU)
    plain = pairs(poses())
    assert plain.following is not None
    first, then = torch.ones(64, 17), torch.ones(len(plain.following.of), 17)
    first[plain.following.of[5], 3] = 0
    then[7, 4] = 0
    following = replace(plain.following, confidence=then)
    batch = replace(plain, confidence=first, following=following)
    out = run_cycle(
        state.lifter,
        batch.x * first[..., None],
        ViewSampler("paper"),
        seeded(CPU, 0),
        first,
        following,
    )
    shown = training_step._discriminator_inputs(out, batch, 10.0, "unit")
    (real, both), (fake, same) = shown["temporal_discriminator"]
    assert both is not None and same is not None and torch.equal(both, same)
    assert both[5, 3] == both[7, 4] == 0 and both.sum() == both.numel() - 2
    for motion in (real, fake):
        assert not motion[5, 3].any() and not motion[7, 4].any()


def test_supervised_training_regresses_to_the_true_bodies() -> None:
    config = tiny(w_adv=0.0, w_2d=0.0, w_3d=0.0, w_composite=0.0, w_truth=1.0)
    config.optim.lr, config.trainer.steps = 2e-3, 200
    state = TrainState.create(config, "h36m_17", CPU)
    x = poses()
    d = 3 * x[..., 0] - 2 * x[..., 1]
    truth = backproject(x, 10 + d)
    for _ in range(200):
        scalars = train_step(state, Batch(x, truth=truth), config, ViewSampler("learned")).scalars
    assert float(scalars["loss/truth"]) < 0.1 * float(d.square().mean())
    assert float(scalars["loss/total"]) == float(scalars["loss/truth"])


def test_composites_come_in_slowly() -> None:
    config = tiny(w_2d=0.0, w_3d=0.0, w_adv=0.0, w_composite=2.0)
    config.composite.warmup = 4
    state = TrainState.create(config, "h36m_17", CPU)
    shares = []
    for _ in range(6):
        scalars = train_step(state, Batch(poses()), config, ViewSampler("learned")).scalars
        shares.append(float(scalars["loss/total"] / scalars["loss/composite"]))
    assert shares == pytest.approx([0.5, 1, 1.5, 2, 2, 2])


def test_supervised_training_tells_where_missing_joints_are() -> None:
    config = tiny(w_adv=0.0, w_2d=0.0, w_3d=0.0, w_composite=0.0, w_bone=0.0, w_truth=1.0)
    config.model.lifter.confidences, config.model.lifter.mirror_average = True, False
    config.optim.lr, config.trainer.steps = 1e-2, 300
    state = TrainState.create(config, "h36m_17", CPU)
    confidence = torch.ones(64, 17)
    confidence[:, 5] = 0
    truth = backproject(poses(), torch.full((64, 17), 10.0))
    truth[:, 5] = torch.tensor([0.5, -0.3, 10.4])
    batch = Batch(poses() * confidence[..., None], confidence=confidence, truth=truth)
    for _ in range(300):
        train_step(state, batch, config, ViewSampler("learned"))
    found = state.lifter.eval().lift(batch.x, confidence)[:, 5]
    assert float((found.detach() - truth[:, 5]).norm(dim=-1).mean()) < 0.1


def test_the_bones_of_each_person_are_kept_and_their_term_comes_in_slowly() -> None:
    config = tiny(w_2d=0.0, w_3d=0.0, w_adv=0.0, w_composite=0.0, w_bone=2.0)
    config.composite.warmup = 4
    state = TrainState.create(config, "h36m_17", CPU, num_people=3)
    batch = Batch(poses(), person=torch.arange(64) % 2)
    shares = []
    for _ in range(5):
        scalars = train_step(state, batch, config, ViewSampler("learned")).scalars
        shares.append(float(scalars["loss/total"] / scalars["loss/bone"]))
    assert shares == pytest.approx([0.5, 1, 1.5, 2, 2])
    assert state.bones is not None
    assert (state.bones.counts > 0).all(-1).tolist() == [True, True, False]
    assert TrainState.create(config, "h36m_17", CPU).bones is None
    config.loss = replace(config.loss, w_bone=0.0, w_adv=1.0)
    assert TrainState.create(config, "h36m_17", CPU, num_people=3).bones is None
