"""The state of a run: its mirror image, its average, saving and taking over."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch

from selflift.method.batches import Batch
from selflift.method.training_state import TrainState, checked_history
from selflift.method.training_step import train_step
from selflift.method.views import ViewSampler

from .test_training_step import CPU, poses, tiny


def trained(steps: int = 3, **loss: object) -> TrainState:
    config = tiny(**loss)
    state = TrainState.create(config, "h36m_17", CPU)
    for _ in range(steps):
        train_step(state, Batch(poses()), config, ViewSampler("learned"))
    return state


def test_mirroring_negates_depth_elevation_and_momentum_of_lifter_and_average() -> None:
    state = trained()
    x = poses(8)
    nets = (state.lifter.eval(), state.average)
    before = [net.lift_with_elevation(x) for net in nets]
    momentum = [
        state.lifter_optimiser.state[p]["exp_avg"].clone() for p in state.lifter.sign_parameters()
    ]
    state.mirror_depth()
    for net, old in zip(nets, before, strict=True):
        new = net.lift_with_elevation(x)
        assert old.elevation_rad is not None and new.elevation_rad is not None
        torch.testing.assert_close(new.d, -old.d)
        torch.testing.assert_close(new.elevation_rad, -old.elevation_rad)
    for p, old_momentum in zip(state.lifter.sign_parameters(), momentum, strict=True):
        torch.testing.assert_close(state.lifter_optimiser.state[p]["exp_avg"], -old_momentum)
    assert state.flips == [3]


def test_the_average_follows_the_lifter() -> None:
    state = trained()
    for _ in range(2000):
        state.update_average(0.9)
    lifter = state.lifter.state_dict()
    for name, tensor in state.average.state_dict().items():
        if tensor.is_floating_point():  # BN's running statistics included
            torch.testing.assert_close(tensor, lifter[name])


def test_a_saved_state_is_taken_over_and_trains_on_identically() -> None:
    config = tiny()
    state = trained()
    other = TrainState.create(config, "h36m_17", CPU)
    other.load_state_dict(copy.deepcopy(state.state_dict()))
    for one in (state, other):
        train_step(one, Batch(poses()), config, ViewSampler("learned"))
    a, b = state.state_dict(), other.state_dict()
    for mine, other_s in (
        (a["average"], b["average"]),
        *((a["networks"][name], b["networks"][name]) for name in ("lifter", "discriminator")),
    ):
        assert all(torch.equal(mine[k], other_s[k]) for k in mine)
    assert a["step"] == b["step"] == 4


def test_a_state_with_an_adversary_is_not_taken_over_by_a_run_without() -> None:
    with pytest.raises(ValueError, match="expected the networks lifter, got lifter, discriminator"):
        TrainState.create(tiny(w_adv=0.0), "h36m_17", CPU).load_state_dict(trained().state_dict())


def test_initialisation_depends_on_the_seed_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    a = TrainState.create(tiny(), "h36m_17", CPU)
    assert torch.equal(torch.rand(1), expected)
    config = tiny()
    config.seed = 1
    b = TrainState.create(config, "h36m_17", CPU)
    assert not torch.equal(a.lifter.depth_head.weight, b.lifter.depth_head.weight)


def _first(state: dict, name: str) -> dict:
    return state["optimisers"]["lifter"][name][0]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: _first(s, "state").update(exp_avg=torch.zeros(3)),
        lambda s: _first(s, "state").pop("exp_avg_sq"),
        lambda s: _first(s, "param_groups").update(lr="fast"),
        lambda s: _first(s, "param_groups").update(betas=None),
        lambda s: s.update(step=-1),
        lambda s: s.update(step=10**400),
        lambda s: s.update(best_step=float("inf")),
        lambda s: s.update(flips=[None]),
    ],
)
def test_a_state_that_the_next_step_would_fail_on_is_refused(change: Callable) -> None:
    saved = copy.deepcopy(trained(1).state_dict())
    change(saved)
    with pytest.raises(ValueError, match="expected"):
        TrainState.create(tiny(), "h36m_17", CPU).load_state_dict(saved)


@pytest.mark.parametrize(
    "records", [None, {"step": 1}, [1], [{"criterion": 1.0}], [{"step": 1, "criterion": "low"}]]
)
def test_a_history_of_something_else_is_refused(records: object) -> None:
    with pytest.raises(ValueError, match="expected numbers by name of each validation"):
        checked_history(records)
    assert checked_history([{"step": 1.0, "criterion": 2.0}]) == [{"step": 1.0, "criterion": 2.0}]
