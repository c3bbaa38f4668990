"""The bodies of a validation are logged truly, a bounded number of times, and without effect."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from selflift.config import TrainerConfig
from selflift.method.views import KINDS, ViewSampler
from selflift.skeleton import H36M_17
from selflift.train import trainer, validation_figures
from selflift.train.trainer import Run
from selflift.train.validation_figures import (
    MAX_FIGURES,
    depth_spread,
    draws_figures,
    sampled_elevation,
)

from .test_tensorboard import events_of
from .test_trainer import small


@pytest.mark.parametrize("kind", KINDS)
def test_the_sampled_elevation_is_recovered(kind: str, generator: torch.Generator) -> None:
    views = ViewSampler(kind)
    own = 0.3 * torch.randn(500, generator=generator, dtype=torch.float64)
    look, drawn = views.look(own, own, generator)
    found = sampled_elevation(look @ views.level(own, own), own, views)
    torch.testing.assert_close(found, drawn)


def test_the_spread_of_depth_shows_a_flat_lifter() -> None:
    X = torch.randn(400, 17, 3, generator=torch.Generator().manual_seed(0))
    X[..., 2] *= 0.2
    X[:, 3, 2] = 1.0
    found = depth_spread(X, H36M_17)
    assert found["depth_std/RFoot"] == 0
    assert found["depth_std/LFoot"] == pytest.approx(0.2, rel=0.15)
    assert found["depth_std/mean"] == pytest.approx(0.2 * 15 / 16, rel=0.05)
    assert "depth_std/Hip" not in found


def test_logging_bodies_changes_nothing_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_bodies = trainer.log_bodies

    def watched(*arguments: object) -> None:
        before = (torch.get_rng_state(), np.random.get_state()[1].copy())
        log_bodies(*arguments)  # type: ignore[arg-type]
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (np.random.get_state()[1] == before[1]).all()

    monkeypatch.setattr(trainer, "log_bodies", watched)
    logged = Run(small(tmp_path / "logged"))
    expected = logged.train()
    monkeypatch.setattr(trainer, "log_bodies", lambda *arguments: None)
    silent = Run(small(tmp_path / "silent"))
    assert silent.train() == expected
    for name, network in logged.state.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, silent.state.networks[name].state_dict()[key]), (
                f"{name}.{key}"
            )


def test_a_long_run_has_figures_of_some_validations_and_curves_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation_figures, "MAX_FIGURES", 2)
    Run(small(tmp_path / "run")).train()
    events = events_of(tmp_path / "run")
    assert [event.step for event in events.Scalars("depth_std/mean")] == [4, 8, 12]
    for tag in events.Tags()["images"]:
        assert [event.step for event in events.Images(tag)] == [4, 12]
    for tag in events.Tags()["histograms"]:
        assert [event.step for event in events.Histograms(tag)] == [4, 12]


@pytest.mark.parametrize("steps", [1, 250, 3000, 15_000, 15_250, 20_000, 1_000_003])
def test_figures_are_of_few_validations_evenly_spread(steps: int) -> None:
    config = TrainerConfig(steps=steps)
    validations = [*range(250, steps, 250), steps]
    drawn = [step for step in validations if draws_figures(step, config)]
    assert len(drawn) == min(len(validations), MAX_FIGURES)
    assert drawn[0] == validations[0] and drawn[-1] == steps
    gaps = [b - a for a, b in pairwise(drawn)]
    if len(gaps) > 2:
        assert max(gaps[1:-1]) - min(gaps[1:-1]) <= 250
