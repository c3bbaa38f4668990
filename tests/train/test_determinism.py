"""The same seed gives the same bits, and no operator of a step can spoil that."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from selflift import checkpoint, device
from selflift.checkpoint.archive import digest
from selflift.config import TrainConfig
from selflift.device import CUBLAS_CONFIG, make_deterministic
from selflift.method.training_state import TrainState
from selflift.method.training_step import train_step
from selflift.method.views import KINDS, ViewSampler
from selflift.train.config_check import check
from selflift.train.run_folder import defining
from selflift.train.trainer import Run
from tests.train.devices import DEVICES
from tests.train.nondeterministic import (
    WITH_A_DETERMINISTIC_VARIANT,
    WITHOUT_A_DETERMINISTIC_VARIANT,
)
from tests.train.shared_step import config as shared_config
from tests.train.test_engine import batch, tiny
from tests.train.test_parallel import finish, launch

# What of the second list a step does use, and why it may.
USED_ON_PURPOSE = {
    "index_add_": "a person's bone lengths are summed (BoneTable.update); the lifter learns from "
    "their means. On a GPU the order of these sums is open without engine.deterministic",
}

# How far two processes come from where one comes in float32, as a share of the way. Adam's first
# steps are of its rate's size whatever the gradient, also where that is nothing but rounding.
PROCESSES_BOUND = 0.2


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(CUBLAS_CONFIG, raising=False)
    # Given back at the end, also where it is set within a test.
    monkeypatch.setitem(os.environ, CUBLAS_CONFIG, "before")
    del os.environ[CUBLAS_CONFIG]
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before


class Recorder(TorchDispatchMode):
    """Notes the names of all operators, those of gradients included."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def operators(config: TrainConfig, kind: str = "learned") -> set[str]:
    """The operators of two steps, with and without an update of the discriminators."""
    state = TrainState.create(config, "h36m_17", torch.device("cpu"), num_people=10)
    state.step = 2
    with Recorder() as recorder:
        for k in range(2):
            seen = batch(k)
            others = batch(k + 5)
            if not config.model.lifter.confidences:
                seen, others = (replace(b, confidence=None, following=None) for b in (seen, others))
            seen = replace(seen, person=torch.arange(96) % 10)
            if config.domain.share > 0:
                seen = replace(seen, source=others.x, source_confidence=others.confidence)
            if config.loss.w_truth > 0:
                seen = replace(seen, truth=torch.cat([seen.x, seen.x[..., :1]], -1))
            train_step(state, seen, config, ViewSampler(kind), size=0.1)
    return recorder.names


def everything() -> Iterator[tuple[str, TrainConfig, str]]:
    for kind in KINDS:
        yield f"view {kind}", tiny(w_temporal=0.5), kind
    for game in ("cross_entropy", "wasserstein"):
        config = tiny(game=game, w_temporal=0.5, r1=0.1, gradient_penalty=0.1, joints="sum")
        config.model.lifter.confidences = config.model.lifter.refine = True
        config.model.lifter.dropout = config.model.discriminator.dropout = 0.1
        config.engine.one_pass = False
        yield f"game {game}", config, "learned"
    for adapter in ("none", "joint", "bones"):
        config = tiny(w_truth=1.0, discriminator_size="kept")
        config.model.adapter.width = config.model.domain_discriminator.width = 16
        config.domain.share, config.domain.adapter = 1.0, adapter
        config.model.lifter.confidences = True
        config.engine.precision = "bfloat16"
        yield f"adapter {adapter}", config, "learned"


@pytest.mark.parametrize(
    ("config", "kind"), [pytest.param(c, k, id=name) for name, c, k in everything()]
)
def test_no_operator_of_a_step_is_nondeterministic_on_a_gpu(config: TrainConfig, kind: str) -> None:
    used = operators(config, kind)
    # Forward, backward and the update were all seen.
    assert {"addmm", "mm", "threshold_backward", "_fused_adam_"} <= used
    assert not used & WITHOUT_A_DETERMINISTIC_VARIANT
    assert used & WITH_A_DETERMINISTIC_VARIANT <= set(USED_ON_PURPOSE)


def test_operators_of_gradients_are_seen_under_their_names() -> None:
    x = torch.randn(4, 3, requires_grad=True)
    with Recorder() as recorder:
        (x[:, [2, 0, 0]].sum() + x.median(1).values.sum()).backward()
        torch.zeros(3).index_add_(0, torch.tensor([1, 1]), torch.ones(2))
    assert {"median", "index_put", "index_add_"} & recorder.names >= {"median", "index_add_"}
    assert recorder.names & WITHOUT_A_DETERMINISTIC_VARIANT == {"median"}


def small(folder: Path, **engine: Any) -> TrainConfig:
    config = TrainConfig(output_dir=str(folder))
    config.data.synthetic.train_subjects, config.data.synthetic.frames_per_clip = 3, 20
    for network in (config.model.lifter, config.model.discriminator):
        network.width, network.num_blocks = 16, 1
    config.trainer = replace(
        config.trainer, steps=4, batch_size=32, validate_every=2, validation_poses=32,
        progress=False,
    )  # fmt: skip
    config.engine = replace(config.engine, **engine)
    return config


def test_a_run_is_deterministic_if_asked_and_the_same_as_without_on_a_cpu(tmp_path: Path) -> None:
    weights = []
    for asked in (False, True):
        run = Run(small(tmp_path / str(asked), deterministic=asked))
        for k in range(4):
            run.step(run.batches(k))
            assert torch.are_deterministic_algorithms_enabled() is asked
        assert torch.backends.cudnn.deterministic is asked
        weights.append([p.detach().clone() for p in run.state.lifter.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_a_run_begun_before_the_switch_goes_on(tmp_path: Path) -> None:
    now = asdict(small(tmp_path, deterministic=True))
    before = asdict(small(tmp_path))
    del before["engine"]["deterministic"]
    assert defining(before) == defining(now)
    before["engine"]["compile"] = True
    assert defining(before) != defining(now)


class FakeCuda:
    def __init__(self, started: bool) -> None:
        self.started = started

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return self.started


def test_cublas_is_told_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.torch, "cuda", FakeCuda(started=False))
    make_deterministic()
    assert os.environ[CUBLAS_CONFIG] == ":4096:8"
    # Again, in the same process: as by a command and then its run.
    monkeypatch.setattr(device.torch, "cuda", FakeCuda(started=True))
    make_deterministic()
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.benchmark


@pytest.mark.parametrize("given", [None, ":0:0"])
@pytest.mark.parametrize("started", [False, True])
def test_cublas_that_was_told_otherwise_is_refused(
    given: str | None, started: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is None and not started:
        return
    if given is not None:
        os.environ[CUBLAS_CONFIG] = given
    monkeypatch.setattr(device.torch, "cuda", FakeCuda(started))
    got = "none" if given is None else "':0:0'"
    words = f"engine.deterministic: expected {CUBLAS_CONFIG}=:4096:8 in the environment.*, got "
    with pytest.raises(ValueError, match=f"{words}{got}; set it before starting Python"):
        make_deterministic()
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_switch_is_a_key_of_the_config() -> None:
    config = TrainConfig()
    assert config.engine.deterministic is False
    check(config)


@pytest.mark.parametrize("device", DEVICES)
def test_a_seed_is_the_same_weights_in_a_fresh_process(tmp_path: Path, device: str) -> None:
    """As ``selflift train`` runs, with all that a GPU adds up in an order of its own."""
    for name in "ab":
        run = [
            "experiment=smoke", "trainer.steps=6", "trainer.validate_every=6", "loss.w_temporal=1",
            "engine.deterministic=true", f"device={device}", f"output_dir={tmp_path / name}",
        ]  # fmt: skip
        subprocess.run([sys.executable, "-m", "selflift.train", *run], check=True, timeout=240)
    a, b = (checkpoint.load(tmp_path / n / "checkpoints" / "last.pt") for n in "ab")
    assert digest([a.lifter, a.state]) == digest([b.lifter, b.state])


def test_fresh_processes_give_the_same_bits_alone_and_two_by_two(tmp_path: Path) -> None:
    script = str(Path(__file__).parent / "shared_step.py")
    # Both at once: each has a core.
    alone = [subprocess.Popen([sys.executable, script, str(tmp_path / n), "float32"]) for n in "ab"]
    assert [process.wait(240) for process in alone] == [0, 0]
    for name in "cd":
        finish(launch(2, script, str(tmp_path / name), "float32"))
    one, again, two, once_more = (torch.load(tmp_path / n, weights_only=True) for n in "abcd")
    for name, value in one.items():
        assert torch.equal(value, again[name]), name
    for name, value in two.items():
        assert torch.equal(value, once_more[name]), name
    begun = TrainState.create(shared_config(), "h36m_17", torch.device("cpu"))
    for network, before in begun.networks.items():
        names = [f"{network}/{key}" for key, _ in before.named_parameters()]
        at_first = _vector(list(before.parameters()))
        change = _vector([one[name] for name in names]) - at_first
        apart = _vector([two[name] for name in names]) - at_first - change
        share = float(apart.norm() / change.norm())
        print(f"one process and two, float32, two steps, {network}: {share:.1e} of the change")
        assert share <= PROCESSES_BOUND
    for name, value in one.items():
        if "loss/" in name:
            torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-6)


def _vector(parameters: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([p.detach().double().flatten() for p in parameters])
