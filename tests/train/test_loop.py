"""A run in its folder: it resumes bit for bit, settles its sign, stops on NaN, loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from selflift import checkpoint
from selflift.config import TrainConfig
from selflift.models import Lifter
from selflift.train import loop
from selflift.train.loop import Run
from selflift.train.step import NonFiniteError


def small(folder: Path, steps: int = 12) -> TrainConfig:
    config = TrainConfig(output_dir=str(folder), device="cpu")
    synthetic = config.data.synthetic
    synthetic.train_subjects = synthetic.val_subjects = synthetic.test_subjects = 1
    synthetic.clips_per_subject, synthetic.frames_per_clip = 2, 24
    for net in (config.model.lifter, config.model.discriminator):
        net.width, net.num_blocks = 32, 1
    config.sign.first_step, config.sign.every = 3, 3
    trainer = config.trainer
    trainer.steps, trainer.batch_size, trainer.log_every, trainer.validate_every = steps, 32, 2, 4
    trainer.progress = False
    return config


def test_a_run_folder_holds_what_is_promised(tmp_path: Path) -> None:
    metrics = Run(small(tmp_path / "run")).train()
    folder = tmp_path / "run"
    for name in ("config.yaml", "metrics.json", "checkpoints/last.pt", "checkpoints/best.pt"):
        assert (folder / name).is_file(), name
    assert (folder / "figures" / "validation.png").read_bytes().startswith(b"\x89PNG")
    assert list(folder.glob("events.out.tfevents.*"))
    assert json.loads((folder / "metrics.json").read_text()) == json.loads(json.dumps(metrics))
    assert [record["step"] for record in metrics["validation"]] == [4, 8, 12]
    assert metrics["best_criterion"] == min(r["criterion"] for r in metrics["validation"])


@pytest.mark.parametrize("kind", ["paper", "known"])
def test_runs_without_an_elevation_head_write_valid_json(tmp_path: Path, kind: str) -> None:
    config = small(tmp_path / "run", steps=4)
    config.view.kind = kind
    Run(config).train()

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    text = (tmp_path / "run" / "metrics.json").read_text()
    record = json.loads(text, parse_constant=refuse)["validation"][-1]
    assert "criterion" in record and "elevation_deg" not in record


def test_tensorboard_shows_every_term_norm_rate_and_picture(tmp_path: Path) -> None:
    Run(small(tmp_path / "run")).train()
    events = EventAccumulator(str(tmp_path / "run"), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    assert {
        "loss/2d", "loss/3d", "loss/adversarial", "loss/total", "loss/discriminator", "loss/r1",
        "discriminator/accuracy", "gradient/lifter", "gradient/discriminator", "optim/lr",
        "optim/lr_discriminator", "speed/samples_per_s", "validation/criterion",
        "validation/bone_variation", "validation/consistency_3d", "validation/knee_score",
    } <= set(events.Tags()["scalars"])  # fmt: skip
    assert events.Tags()["images"] == ["validation/poses"]
    assert [event.step for event in events.Scalars("loss/total")] == [2, 4, 6, 8, 10, 12]


@pytest.mark.parametrize("stop_at", [1, 5, 8])
def test_resuming_equals_not_stopping_bit_for_bit(tmp_path: Path, stop_at: int) -> None:
    whole = Run(small(tmp_path / "whole"))
    expected = whole.train()

    config = small(tmp_path / "parts")
    Run(config).train(stop=lambda step: step == stop_at)
    resumed = Run(config, resume=True)
    assert resumed.state.step == stop_at
    result = resumed.train()

    a, b = whole.state.state_dict(), resumed.state.state_dict()
    for part in ("lifter", "average", "discriminator"):
        for name, tensor in a[part].items():
            assert torch.equal(tensor, b[part][name]), f"{part}.{name}"
    for part in ("lifter_optimiser", "discriminator_optimiser"):
        for index, moments in a[part]["state"].items():
            for name, tensor in moments.items():
                assert torch.equal(tensor, b[part]["state"][index][name])
    assert result == expected


def test_best_is_chosen_without_the_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Run(small(tmp_path / "with")).train()
    load = loop.load_poses

    def without_truth(config: TrainConfig, device: torch.device):  # type: ignore[no-untyped-def]
        poses = load(config, device)
        object.__setattr__(poses.validation, "truth", None)
        return poses

    monkeypatch.setattr(loop, "load_poses", without_truth)
    blind = Run(small(tmp_path / "without")).train()
    assert blind["best_step"] == expected["best_step"]
    assert blind["best_criterion"] == expected["best_criterion"]
    assert "pa_mpjpe_mm_not_used" in expected["validation"][0]
    assert "pa_mpjpe_mm_not_used" not in blind["validation"][0]


def test_a_mirrored_lifter_is_turned_over_by_anatomy(tmp_path: Path) -> None:
    config = small(tmp_path / "run", steps=6)
    config.sign.every = 1000
    run = Run(config)
    scores = iter([-0.5, 0.5])

    def score(X: torch.Tensor, skeleton: object) -> float:
        return next(scores)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "knee_score", score)
        metrics = run.train()
    assert metrics["depth_sign"]["turned_over_at_steps"] == [3]
    assert metrics["depth_sign"]["settled_by"] == "anatomy: knees bend forward"


def test_a_checkpoint_lifts_as_the_run_did(tmp_path: Path) -> None:
    run = Run(small(tmp_path / "run"))
    run.train()
    lifter = Lifter.from_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")
    x = run.poses.validation.normalised.x[:5]
    torch.testing.assert_close(lifter.lift(x), run.state.average.lift(x), rtol=0, atol=0)


def test_a_used_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    Run(small(folder)).train()
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(ValueError, match=r"expected a new folder, got one that holds a run"):
        Run(small(folder))
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_resuming_another_runs_state_is_refused(tmp_path: Path) -> None:
    config = small(tmp_path / "run")
    Run(config).train()
    config.model.lifter.width = 48
    with pytest.raises(checkpoint.CheckpointError, match="expected the state of the run in"):
        Run(config, resume=True)


def test_nan_stops_training_names_the_step_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    config = small(tmp_path / "run")
    run = Run(config)
    run.train(stop=lambda step: step == 5)
    saved = (tmp_path / "run" / "checkpoints" / "last.pt").read_bytes()
    resumed = Run(config, resume=True)
    with torch.no_grad():
        resumed.state.lifter.depth_head.bias[3] = float("nan")
    with pytest.raises(NonFiniteError, match=r"'loss/\w+' became nan at step 6; the last"):
        resumed.train()
    assert (tmp_path / "run" / "checkpoints" / "last.pt").read_bytes() == saved


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("trainer.steps", 0, "trainer.steps: expected at least 1, got 0"),
        ("loss.game", "chess", "loss.game: expected one of cross_entropy.*got 'chess'"),
        ("loss.joints", "max", "loss.joints: expected 'mean' or 'sum', got 'max'"),
        ("loss.w_3d", -1.0, "loss.w_3d: expected 0 or more, got -1.0"),
        ("loss.discriminator_size", "big", "loss.discriminator_size: expected 'unit' or 'kept'"),
        ("optim.schedule", "step", "optim.schedule: expected 'constant'"),
        ("optim.ema", 1.0, r"optim.ema: expected a decay in \[0, 1\), got 1.0"),
        ("view.kind", "side", "view.kind: expected one of paper, known, learned, got 'side'"),
        ("normalise.scale", "none", "normalise.scale: expected 'set' or 'sample', got 'none'"),
        ("normalise.centre", "crop", "normalise.centre: expected 'rotate' or 'translate'"),
        ("data.source", "web", "data.source: expected one of synthetic, cmu, files, got 'web'"),
        ("device", "tpu", "device: expected auto, cpu or cuda, got 'tpu'"),
    ],
)
def test_bad_values_are_named_before_anything_is_written(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    config = small(tmp_path / "run")
    *path, last = key.split(".")
    part = config
    for name in path:
        part = getattr(part, name)
    setattr(part, last, value)
    with pytest.raises(ValueError, match=message):
        Run(config)
    assert not (tmp_path / "run").exists()


def test_all_weights_at_zero_are_refused(tmp_path: Path) -> None:
    config = small(tmp_path / "run")
    config.loss.w_2d = config.loss.w_3d = config.loss.w_bone = config.loss.w_adv = 0.0
    with pytest.raises(ValueError, match="expected at least one weight above 0, got none"):
        Run(config)
