"""What a validation shows is true, and showing it changes nothing of the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from selflift.method.views import KINDS, ViewSampler
from selflift.skeleton import H36M_17
from selflift.train import log_interval, trainer
from selflift.train.tensorboard_scenes import depth_spread, sampled_elevation
from selflift.train.trainer import Run

from .test_tensorboard import EVERYTHING
from .test_trainer import small


@pytest.mark.parametrize("kind", KINDS)
def test_the_sampled_elevation_is_found_again(kind: str, generator: torch.Generator) -> None:
    views = ViewSampler(kind)
    own = 0.3 * torch.randn(500, generator=generator, dtype=torch.float64)
    look, drawn = views.look(own, own, generator)
    found = sampled_elevation(look @ views.level(own, own), own, views)
    torch.testing.assert_close(found, drawn)


def test_the_spread_of_depth_tells_a_flat_lifter() -> None:
    X = torch.randn(400, 17, 3, generator=torch.Generator().manual_seed(0))
    X[..., 2] *= 0.2
    X[:, 3, 2] = 1.0
    told = depth_spread(X, H36M_17)
    assert told["depth_std/RFoot"] == 0
    assert told["depth_std/LFoot"] == pytest.approx(0.2, rel=0.15)
    assert told["depth_std/mean"] == pytest.approx(0.2 * 15 / 16, rel=0.05)
    assert "depth_std/Hip" not in told


def test_telling_scenes_changes_nothing_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = trainer.tell_scenes

    def watched(*arguments: object) -> None:
        before = (torch.get_rng_state(), np.random.get_state()[1].copy())
        tell(*arguments)  # type: ignore[arg-type]
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (np.random.get_state()[1] == before[1]).all()

    monkeypatch.setattr(trainer, "tell_scenes", watched)
    told = Run(small(tmp_path / "told"))
    expected = told.train()
    monkeypatch.setattr(trainer, "tell_scenes", lambda *arguments: None)
    silent = Run(small(tmp_path / "silent"))
    assert silent.train() == expected
    for name, network in told.state.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, silent.state.networks[name].state_dict()[key]), (
                f"{name}.{key}"
            )


def test_a_long_run_has_pictures_of_some_validations_and_curves_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_interval, "MOST_PICTURES", 2)
    Run(small(tmp_path / "run")).train()
    events = EventAccumulator(str(tmp_path / "run"), size_guidance=EVERYTHING)
    events.Reload()
    assert [event.step for event in events.Scalars("depth_std/mean")] == [4, 8, 12]
    for tag in events.Tags()["images"]:
        assert [event.step for event in events.Images(tag)] == [4, 12]
    for tag in events.Tags()["histograms"]:
        assert [event.step for event in events.Histograms(tag)] == [4, 12]
