"""Training that goes wrong is noticed, named, and can be gone back to."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from selflift.config import TrainConfig
from selflift.method.batches import Batch
from selflift.method.training_step import StepOutput
from selflift.train import trainer
from selflift.train.diagnostics import FORMED_STEPS, WON_STEPS, NonFiniteError, Watch
from selflift.train.trainer import Run
from tests.train.test_trainer import complete, small


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "log_bodies", lambda *arguments: None)


def poisoned(config: TrainConfig, step: int) -> Run:
    """A run with a pose of NaN in the batch of one step, from 1."""
    run = Run(config)
    rows = run.batches.rows(step - 1)["target"]
    earlier = torch.cat([run.batches.rows(before)["target"] for before in range(step - 1)])
    fresh = rows[~torch.isin(rows, earlier)]
    run.poses.train.x[fresh[0]] = math.nan
    return run


def wide_set(folder: Path) -> TrainConfig:
    """With more poses than the first steps see."""
    config = small(folder)
    config.data.synthetic.frames_per_clip = 200
    config.trainer.log_every = 4
    config.loss.w_composite = config.loss.w_bone = 0.0
    return config


def test_the_batch_of_the_first_bad_step_is_kept(tmp_path: Path) -> None:
    run = poisoned(wide_set(tmp_path / "run"), step=6)
    with pytest.raises(NonFiniteError) as caught:
        run.train()
    assert caught.value.step == 6
    kept = tmp_path / "run" / "failures" / "step_6.npz"
    message = str(caught.value)
    assert f"is kept in {kept}; resume={tmp_path / 'run'} engine.anomaly=true" in message
    assert "at step 6; earlier checkpoints are intact; lower optim.lr" in message
    with np.load(kept) as failure:
        rows, x = failure["rows_target"], failure["x"]
        assert (int(failure["step"]), int(failure["seed"])) == (6, 0)
        assert str(failure["name"]) == caught.value.name
    batch = run.batches(5)
    np.testing.assert_array_equal(x, batch.x.numpy())
    np.testing.assert_array_equal(rows, run.batches.rows(5)["target"].numpy())
    # Found again from what is kept: which pose of the set it was.
    bad = rows[np.isnan(x).any((1, 2))]
    assert len(bad) == 1 and bool(run.poses.train.x[bad[0]].isnan().any())


def test_an_average_that_fails_alone_is_named_at_a_validation(tmp_path: Path) -> None:
    """Training doesn't meet it, and its weights are finite: what it lifts is not."""
    config = wide_set(tmp_path / "run")
    config.optim.ema = 0.999
    run = Run(config)
    with torch.no_grad():
        run.state.average.depth_head.weight.fill_(3e38)
    with pytest.raises(NonFiniteError, match=r"'validation/\w+' became"):
        run.train()
    assert not (tmp_path / "run" / "checkpoints" / "best.pt").exists()


def test_a_batch_of_everything_is_kept_whole(tmp_path: Path) -> None:
    config = small(tmp_path / "run")
    complete(config, "joint")
    run = Run(config)
    with torch.no_grad():
        run.state.lifter.depth_head.bias[3] = math.nan
    with pytest.raises(NonFiniteError):
        run.train()
    with np.load(tmp_path / "run" / "failures" / "step_1.npz") as failure:
        assert {
            "rows_target", "rows_source", "x", "confidence", "source", "source_confidence",
            "person", "following_x", "following_of", "following_confidence",
        } <= set(failure.files)  # fmt: skip


def run_that_fails(folder: Path, part: str, value: float, anomaly: bool, resume: bool) -> Run:
    """One whose sixth step meets weights that it can do nothing with."""
    config = wide_set(folder)
    config.engine.anomaly = anomaly
    run = Run(config, resume)
    step = run.step

    def mad(batch: Batch) -> StepOutput:
        if run.state.step == 5:
            with torch.no_grad():
                run.state.lifter.get_parameter(part).fill_(value)
        return step(batch)

    run.step = mad
    return run


def test_a_failed_run_goes_there_again_and_names_the_operation(tmp_path: Path) -> None:
    part = "depth_head.bias"
    with pytest.raises(NonFiniteError):
        run_that_fails(tmp_path / "run", part, math.inf, anomaly=False, resume=False).train()
    again = run_that_fails(tmp_path / "run", part, math.inf, anomaly=True, resume=True)
    assert again.state.step == 4
    with (
        pytest.warns(UserWarning, match="Error detected in"),
        pytest.raises(NonFiniteError, match=r"gradient \(Function '\w+' returned nan") as caught,
    ):
        again.train()
    assert caught.value.step == 6


def test_statistics_that_overflow_unseen_by_any_loss_are_found(tmp_path: Path) -> None:
    """Batch norm divides by an infinite spread: all terms are finite, and inference is lost."""
    part, message = "trunk.0.weight", r"'lifter\.trunk\.1\.running_var' became (inf|nan)"
    with pytest.raises(NonFiniteError, match=message) as seen:
        run_that_fails(tmp_path / "run", part, 1e30, anomaly=False, resume=False).train()
    assert seen.value.step == 8
    with pytest.raises(
        NonFiniteError, match=r"'lifter\.trunk\.1\.running_var' became (inf|nan)"
    ) as found:
        run_that_fails(tmp_path / "run", part, 1e30, anomaly=True, resume=True).train()
    assert found.value.step == 6


def test_anomalies_do_not_change_the_training(tmp_path: Path) -> None:
    plain, searched = small(tmp_path / "plain"), small(tmp_path / "searched")
    searched.engine.anomaly = True
    a, b = Run(plain), Run(searched)
    a.train()
    b.train()
    for name, tensor in a.state.lifter.state_dict().items():
        assert torch.equal(tensor, b.state.lifter.state_dict()[name]), name


def window(watch: Watch, step: int, accuracy: float) -> list[str]:
    return watch.window(step, {"discriminator/accuracy": accuracy, "loss/total": 1.0})


def test_a_discriminator_that_has_won_for_long_is_told_once() -> None:
    watch = Watch()
    assert window(watch, 20, 0.6) == []
    assert window(watch, 40, 0.99) == []
    assert window(watch, 20 + WON_STEPS, 1.0) == []
    [line] = window(watch, 40 + WON_STEPS, 1.0)
    assert line.startswith("the discriminator has judged at least 95% of the poses rightly since")
    assert "optim.lr_discriminator" in line and "loss.r1" in line
    assert window(watch, 60 + WON_STEPS, 1.0) == []
    # Over, and again: told again.
    assert window(watch, 80 + WON_STEPS, 0.7) == []
    assert window(watch, 100 + WON_STEPS, 1.0) == []
    assert len(window(watch, 100 + 2 * WON_STEPS, 1.0)) == 1


def test_a_discriminator_that_wins_now_and_then_is_no_matter() -> None:
    watch = Watch()
    for step in range(0, 4 * WON_STEPS, 100):
        assert window(watch, step, 0.94 if step % 400 == 0 else 1.0) == []


def test_each_discriminator_is_watched_by_itself() -> None:
    watch = Watch()
    for step in (1, 1 + WON_STEPS):
        told = watch.window(
            step, {"discriminator/accuracy": 0.6, "temporal_discriminator/accuracy": 1.0}
        )
    assert len(told) == 1 and told[0].startswith("the temporal discriminator has judged")


@pytest.mark.parametrize(
    ("spread", "step", "warns"),
    [(0.01, FORMED_STEPS, True), (0.16, 900, False), (0.01, FORMED_STEPS - 1, False)],
)
def test_flat_bodies_are_told_once_depth_should_have_formed(
    spread: float, step: int, warns: bool
) -> None:
    told = Watch().validation(step, spread, 0.5, TrainConfig())
    assert bool(told) == warns
    if warns:
        assert "lifted bodies are flat: depths differ by 0.010" in told[0]


@pytest.mark.parametrize(
    ("check", "step", "score", "remedy"),
    [(False, 900, -0.5, "set sign.check=true"), (True, 3000, -0.5, "or train longer"),
     (True, 900, -0.5, None), (False, 900, -0.05, None), (False, 900, math.nan, None),
     (False, 3, -0.5, None)],
)  # fmt: skip
def test_a_mirrored_outcome_is_told_by_anatomy(
    check: bool, step: int, score: float, remedy: str | None
) -> None:
    config = TrainConfig()
    config.sign.check = check
    told = Watch().validation(step, 0.16, score, config)
    assert [remedy in line for line in told] == ([] if remedy is None else [True])


def test_what_was_said_and_seen_goes_on_with_the_run(tmp_path: Path) -> None:
    config = small(tmp_path / "run")
    first = Run(config)
    first.watch = Watch({"discriminator": 3}, ["flat"])
    first.train(stop=lambda step: step == 1)
    resumed = Run(config, resume=True)
    assert resumed.watch.said == ["flat"]


def test_warnings_reach_the_user_without_a_progress_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selflift.train.diagnostics.FORMED_STEPS", 1)
    monkeypatch.setattr("selflift.train.diagnostics.FLAT", 10.0)
    Run(small(tmp_path / "run")).train()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("selflift: warning: step 4: lifted bodies are flat")
