"""A step computes the same however it is computed: in one pass or two, in either precision."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import torch

from selflift.config import TrainConfig
from selflift.method.adversary import SharedBackward
from selflift.method.batches import Batch
from selflift.method.cycle import CycleOutput, NextFrames
from selflift.method.losses import GAMES
from selflift.method.training_state import TrainState, shares_pass
from selflift.method.training_step import train_step
from selflift.method.views import ViewSampler
from selflift.models.blocks import ResidualTrunk
from selflift.train.config_check import check
from selflift.train.cuda_graph import GraphedStep, Results, suits

CPU = torch.device("cpu")


def tiny(**loss: object) -> TrainConfig:
    config = TrainConfig()
    for net in (
        config.model.lifter, config.model.discriminator, config.model.temporal_discriminator,
    ):  # fmt: skip
        net.width, net.num_blocks = 32, 2
    config.optim.discriminator_every = 1
    config.engine.precision = "float32"
    config.loss = replace(config.loss, **loss)
    return config


def batch(seed: int, dtype: torch.dtype = torch.float32) -> Batch:
    """Poses, and the next frames of some, with joints missing."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(48, 17, 2, generator=generator, dtype=dtype) * 0.05
    x = x - x[:, :1]
    confidence = (torch.rand(48, 17, generator=generator) > 0.1).to(dtype)
    confidence[:, 0] = 1
    of = torch.arange(0, 48, 3)
    moved = 0.01 * torch.randn(len(of), 17, 2, generator=generator, dtype=dtype)
    following = NextFrames(x[of] + moved, of, confidence[of])
    return Batch(x, confidence, following)


def gradients(config: TrainConfig, seen: Batch, double: bool) -> dict[str, torch.Tensor]:
    """The gradients of all players in one step, and what it tells of them."""
    state = TrainState.create(config, "h36m_17", CPU)
    if double:
        for network in (*state.networks.values(), state.average):
            network.double()
    out = train_step(state, seen, config, ViewSampler("learned"))
    found = {
        f"{name}.{key}": parameter.grad
        for name, network in state.networks.items()
        for key, parameter in network.named_parameters()
        if parameter.grad is not None
    }
    return found | out.scalars


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("seed", [0, 1])
def test_one_pass_gives_both_players_their_gradients(game: str, seed: int) -> None:
    both = []
    for one_pass in (False, True):
        config = tiny(game=game, w_adv=0.7, w_temporal=0.3, r1=0.2, gradient_penalty=0.1)
        config.model.lifter.confidences = True
        config.seed, config.engine.one_pass = seed, one_pass
        both.append(gradients(config, batch(seed, torch.float64), double=True))
    assert both[0].keys() == both[1].keys()
    assert any(name.startswith("temporal_discriminator.") for name in both[0])
    for name, expected in both[0].items():
        error = float((both[1][name] - expected).norm() / expected.norm().clamp_min(1e-9))
        assert error < 1e-9, name


def test_one_pass_is_taken_where_it_saves_most_unless_told() -> None:
    config = TrainConfig()
    for asked, every, expected in ((None, 1, True), (None, 3, False), (True, 3, True)):
        config.engine.one_pass, config.optim.discriminator_every = asked, every
        assert shares_pass(config) is expected


@pytest.mark.parametrize("game", GAMES)
def test_a_logit_without_slope_gives_no_infinite_gradient(game: str) -> None:
    fake = torch.zeros(4, 17, 2, requires_grad=True)
    redirect = SharedBackward()
    logits = redirect(fake).sum((1, 2)) + torch.tensor([0.0, 1.0, -200.0, 200.0])
    redirect.set(game, logits, 1.0)
    torch.sigmoid(logits).sum().backward()
    assert fake.grad is not None and torch.isfinite(fake.grad).all()


def test_bfloat16_blocks_give_nearly_the_same_gradients() -> None:
    for seed in range(3):
        both = []
        for precision in ("float32", "bfloat16"):
            config = tiny()
            config.model.lifter.width = config.model.discriminator.width = 128
            config.seed, config.engine.precision = seed, precision
            both.append(gradients(config, Batch(batch(seed).x), double=False))
        assert both[0].keys() == both[1].keys()
        for player in ("lifter.", "discriminator."):
            names = [name for name in both[0] if name.startswith(player)]
            exact, rounded = (torch.cat([g[name].flatten() for name in names]) for g in both)
            assert rounded.dtype == torch.float32
            assert not torch.equal(exact, rounded)
            assert float(torch.cosine_similarity(exact, rounded, dim=0)) > 0.98, (seed, player)
        for name in both[0]:
            if name.startswith("loss/"):
                torch.testing.assert_close(both[1][name], both[0][name], rtol=0.03, atol=1e-4)


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_compiled_steps_are_steps() -> None:
    config = tiny(r1=0.1)
    config.model.lifter.num_blocks = 1
    one, other = (TrainState.create(config, "h36m_17", CPU) for _ in range(2))
    other.compile_blocks(config)
    compiled = {
        name: sum(getattr(m, "_compiled_call_impl", None) is not None for m in network.modules())
        for name, network in other.networks.items()
    }
    # A penalty differentiates the discriminator twice, which a compiled one can't be.
    assert compiled == {"lifter": 1, "discriminator": 0}
    views = ViewSampler("learned")
    for seed in range(2):
        plain = train_step(one, batch(seed), config, views).scalars
        fast = train_step(other, batch(seed), config, views).scalars
        for name, value in plain.items():
            torch.testing.assert_close(fast[name], value, rtol=1e-4, atol=1e-5)
    for a, b in zip(one.lifter.parameters(), other.lifter.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_a_weight_is_converted_anew_once_it_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Converted weights are kept within a step alone: kept for longer, they would be old ones."""

    def weights(keeps: bool) -> dict[str, torch.Tensor]:
        config = tiny(w_temporal=0.3)
        config.engine.precision = "bfloat16"
        config.domain.share, config.domain.adapter = 0.5, "joint"
        config.model.adapter.width = config.model.domain_discriminator.width = 32
        state = TrainState.create(config, "h36m_17", CPU)
        if not keeps:
            monkeypatch.setattr(torch, "autocast", without_keeping)
        for k in range(3):
            seen = replace(batch(k), confidence=None, following=None, source=batch(k + 9).x)
            train_step(state, seen, config, ViewSampler("learned"))
        monkeypatch.undo()
        return {
            f"{name}.{key}": value.clone()
            for name, network in state.networks.items()
            for key, value in network.state_dict().items()
        }

    autocast = torch.autocast

    def without_keeping(*given: object, **options: object) -> torch.autocast:
        return autocast(*given, **{**options, "cache_enabled": False})  # type: ignore[arg-type]

    kept, anew = weights(True), weights(False)
    for name in kept:
        # What differs is where a gradient's parts are added up: in bfloat16 or in float32.
        torch.testing.assert_close(kept[name], anew[name], rtol=0.05, atol=5e-3)


def test_precision_is_left_as_it_was() -> None:
    config = tiny()
    config.engine.precision = "bfloat16"
    state = TrainState.create(config, "h36m_17", CPU)
    x = batch(0).x
    with state.computing("bfloat16"):
        lifted = state.lifter.lift(x)
        assert lifted.dtype == torch.float32
    trunks = [m for m in state.lifter.modules() if isinstance(m, ResidualTrunk)]
    assert trunks and all(trunk.precision is None for trunk in trunks)
    before = copy.deepcopy(state.lifter).eval()
    assert torch.equal(before.lift(x), state.lifter.eval().lift(x))


def test_an_unknown_precision_is_refused() -> None:
    config = TrainConfig()
    config.engine.precision = "float8"
    with pytest.raises(ValueError, match="expected one of auto, float32, bfloat16, got 'float8'"):
        check(config)


def like_a_gpu(state: TrainState) -> Callable[..., tuple[Callable[[], None], Results]]:
    """Records without carrying out, and replays into the same tensors, as a CUDA graph does."""

    def record(
        function: Callable[[], Results], _: torch.Generator
    ) -> tuple[Callable[[], None], Results]:
        before = copy.deepcopy(state.state_dict())
        left = function()
        state.load_state_dict(before)

        def replay() -> None:
            values, _, out = function()
            left[0].copy_(values)
            for field in fields(CycleOutput):
                place = getattr(left[2].cycle, field.name)
                if place is not None:
                    place.data.copy_(getattr(out.cycle, field.name).data)

        return replay, left

    return record


@pytest.mark.parametrize("every", [1, 3])
def test_replayed_steps_are_steps(every: int) -> None:
    config = tiny(game="least_squares")
    config.optim.discriminator_every, config.optim.schedule = every, "cosine"
    config.composite.warmup, config.trainer.steps = 12, 16
    views = ViewSampler("learned")
    plain, graphed = (TrainState.create(config, "h36m_17", CPU, num_people=5) for _ in range(2))
    step = GraphedStep(graphed, config, views, None, CPU, record=like_a_gpu(graphed))
    for k in range(16):
        seen = Batch(batch(k).x, person=torch.arange(48) % 5)
        expected, found = train_step(plain, seen, config, views), step(seen)
        assert plain.step == graphed.step == k + 1
        assert expected.scalars.keys() == found.scalars.keys()
        for name, value in expected.scalars.items():
            torch.testing.assert_close(found.scalars[name], value, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(found.cycle.X, expected.cycle.X, rtol=1e-3, atol=1e-3)
    assert len(step._recorded) == (1 if every == 1 else 2)
    saved = graphed.state_dict()["optimisers"]["lifter"]["param_groups"][0]
    assert isinstance(saved["lr"], float) and saved["capturable"] is False


@pytest.mark.parametrize("what", ["an old batch", "old draws"])
def test_a_recording_that_does_something_else_is_found_out(what: str) -> None:
    config, views = tiny(), ViewSampler("learned")
    config.composite.warmup = 0
    plain, graphed = (TrainState.create(config, "h36m_17", CPU, num_people=5) for _ in range(2))
    honest = like_a_gpu(graphed)

    def record(
        function: Callable[[], Results], generator: torch.Generator
    ) -> tuple[Callable[[], None], Results]:
        replay, left = honest(function, generator)

        def replay_wrongly() -> None:
            assert step._batch is not None
            if what == "old draws":
                generator.manual_seed(7)
            else:
                step._batch.x.copy_(batch(0).x)
            replay()

        return replay_wrongly, left

    step = GraphedStep(graphed, config, views, None, CPU, record=record)
    for k in range(6):
        seen = Batch(batch(k).x, person=torch.arange(48) % 5)
        expected = train_step(plain, seen, config, views)
        if k == 3:
            with pytest.warns(UserWarning, match="no CUDA graph .a replayed step"):
                found = step(seen)
        else:
            found = step(seen)
        # Nothing of the wrong step is left.
        torch.testing.assert_close(found.cycle.X, expected.cycle.X)
    for a, b in zip(plain.lifter.parameters(), graphed.lifter.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_step_that_cannot_be_recorded_goes_on_as_it_was_or_says_so() -> None:
    def refuse(*_: object) -> tuple[Callable[[], None], Results]:
        raise RuntimeError("operation not permitted when stream is capturing")

    config, views = tiny(), ViewSampler("learned")
    state = TrainState.create(config, "h36m_17", CPU)
    step = GraphedStep(state, config, views, None, CPU, record=refuse)
    for k in range(3):
        step(Batch(batch(k).x))
    with pytest.warns(UserWarning, match="no CUDA graph .*not permitted.*eager"):
        step(Batch(batch(3).x))
    step(Batch(batch(4).x))
    assert state.step == 5
    state.step = 0
    step = GraphedStep(state, config, views, None, CPU, insists=True, record=refuse)
    for k in range(3):
        step(Batch(batch(k).x))
    with pytest.raises(ValueError, match="got a refusal .*; set engine.graph=false"):
        step(Batch(batch(3).x))


def test_what_a_graph_cannot_hold_is_not_recorded() -> None:
    gpu = torch.device("cuda")
    assert suits(tiny(), gpu)
    assert not suits(tiny(), CPU)
    assert not suits(tiny(w_temporal=1.0), gpu)
    dropping = tiny()
    dropping.model.lifter.dropout = 0.1
    assert not suits(dropping, gpu)
