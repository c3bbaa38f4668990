"""What the lifter is targets by its running average: corrected bodies, donors of another domain."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor

from selflift.config import TrainConfig
from selflift.geometry.bodies import bones_of
from selflift.geometry.normalise import pose_size
from selflift.method.batches import Batch
from selflift.method.self_distillation import Targets, composite_loss, lift_targets
from selflift.method.training_state import TrainState, distils
from selflift.method.training_step import train_step
from selflift.method.views import ViewSampler
from selflift.skeleton import H36M_17

from .test_training_step import CPU, poses, tiny

SIZE = 0.07
VIEWS = ViewSampler("learned")


def donating(**loss: object) -> TrainConfig:
    config = tiny(**{"w_composite": 1.0, **loss})
    config.domain.share, config.domain.adapter = 0.5, "bones"
    return config


def others(n: int = 24) -> Tensor:
    x = poses(n) * torch.tensor([1.5, 0.5])
    return x * (SIZE / pose_size(x))[:, None, None]


def batch(**more: Tensor) -> Batch:
    person = torch.cat([torch.arange(64) % 2, torch.full((24,), 2)])
    return Batch(poses(), source=others(), person=person, **more)


def targets(config: TrainConfig, given: Batch, people: int = 3) -> tuple[TrainState, Targets]:
    state = TrainState.create(config, "h36m_17", CPU, num_people=people)
    generator = torch.Generator().manual_seed(0)
    return state, lift_targets(state, given, given.x, given.confidence, config, SIZE, generator)


def test_it_is_asked_for_by_its_two_terms_alone() -> None:
    assert distils(tiny()) and distils(tiny(w_bone=0.0)) and distils(tiny(w_composite=0.0))
    assert not distils(tiny(w_composite=0.0, w_bone=0.0))


def test_the_running_average_teaches_and_the_lifter_does_not() -> None:
    config = tiny()
    state, first = targets(config, batch())
    with torch.no_grad():
        for parameter in state.lifter.parameters():
            parameter.add_(0.1)
    again = lift_targets(state, batch(), poses(), None, config, SIZE, torch.Generator())
    torch.testing.assert_close(again.X, first.X, rtol=0, atol=1e-3)
    assert not first.X.requires_grad and first.corrected and len(first.X) == 64


def test_where_nothing_is_known_of_people_bodies_stay_as_they_are_lifted() -> None:
    given = Batch(poses())
    state, found = targets(tiny(), given, people=0)
    assert not found.corrected
    lifted = state.average.lift(poses())
    torch.testing.assert_close(found.X, lifted - lifted[:, :1])
    terms = train_step(state, given, tiny(), VIEWS, SIZE).scalars
    assert "loss/bone" not in terms and "loss/composite" in terms


def test_donors_have_the_proportions_of_the_targets_people() -> None:
    state, found = targets(donating(), batch())
    assert found.X.shape == (64 + 24, 17, 3)
    assert found.elevation_rad is not None and len(found.elevation_rad) == 64 + 24
    assert state.bones is not None
    mean = state.bones.sums / state.bones.counts
    length = bones_of(found.X[64:], H36M_17).norm(dim=-1)
    shape = length / length.sum(-1, keepdim=True)
    people = mean / mean.sum(-1, keepdim=True)
    distance = (shape[:, None] - people).abs().amax(-1)
    assert distance[:, :2].min(1).values.max() < 1e-5  # someone's of the target
    assert distance[:, 2].min() > 1e-3  # nobody's of their own domain
    nearest = distance[:, :2].argmin(1)
    assert set(nearest.tolist()) == {0, 1}


def test_donors_take_part_in_nothing_but_composites() -> None:
    config = donating()
    state = TrainState.create(config, "h36m_17", CPU, num_people=3)
    alone = copy.deepcopy(state)
    with_donors = train_step(state, batch(), config, VIEWS, SIZE)
    assert len(with_donors.cycle.x) == 64
    assert set(state.networks) == {"lifter", "discriminator"}
    config.domain.share = 0.0
    target = Batch(poses(), person=torch.arange(64) % 2)
    without = train_step(alone, target, config, VIEWS, SIZE)
    assert torch.equal(with_donors.scalars["loss/bone"], without.scalars["loss/bone"])
    assert not torch.equal(with_donors.scalars["loss/composite"], without.scalars["loss/composite"])


def test_composites_of_incomplete_poses_miss_the_joints_of_poses() -> None:
    config = donating()
    config.model.lifter = replace(config.model.lifter, confidences=True)
    confidence, theirs = torch.ones(64, 17), torch.ones(24, 17)
    confidence[:, 5] = 0
    given = batch(confidence=confidence, source_confidence=theirs)
    state, found = targets(config, given)
    assert found.confidence is not None
    assert torch.equal(found.confidence, torch.cat([confidence, theirs]))
    generator = torch.Generator().manual_seed(1)
    loss = composite_loss(state, found, config, VIEWS, SIZE, generator)
    assert torch.isfinite(loss) and loss > 0
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in state.lifter.trunk.parameters())


def test_a_lifter_of_flat_bodies_is_drawn_towards_depth() -> None:
    """Bones that span little in the image get depth once others of their person are long."""
    config = tiny(w_2d=0.0, w_3d=0.0, w_adv=0.0, w_composite=0.0, w_bone=1.0)
    state, found = targets(config, Batch(poses(), person=torch.zeros(64, dtype=torch.long)), 1)
    with torch.no_grad():
        lifted = state.average.lift(poses())
    depth = (lifted[..., 2] - lifted[:, :1, 2]).abs().mean()
    assert found.X[..., 2].abs().mean() > 1.5 * depth
