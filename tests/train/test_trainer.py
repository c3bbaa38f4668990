"""A run in its folder: it resumes bit for bit, settles its sign, stops on NaN, loses nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from selflift.config import TrainConfig
from selflift.data.pose_set import PoseSet
from selflift.models import Lifter
from selflift.skeleton import H36M_17
from selflift.train import trainer
from selflift.train.diagnostics import NonFiniteError
from selflift.train.trainer import Run


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


def complete(config: TrainConfig, adapter: str) -> None:
    """Everything at once: noisy target and source, the adapter, time, composites."""
    for net in (config.model.temporal_discriminator, config.model.adapter,
                config.model.domain_discriminator):  # fmt: skip
        net.width, net.num_blocks = 32, 1
    config.loss.w_temporal = config.loss.w_composite = 1.0
    config.data.noise.kind = "detector"
    config.model.lifter.confidences = config.model.lifter.refine = True
    domain = config.domain
    domain.share, domain.adapter, domain.steps = 0.5, adapter, 5
    domain.data.synthetic = replace(config.data.synthetic, seed=1)


def test_a_run_folder_holds_what_is_promised(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    config = small(folder)
    config.sign.margin = 1.0  # at so few steps anatomy has nothing to say
    metrics = Run(config).train()
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


def test_tensorboard_shows_every_term_norm_and_rate(tmp_path: Path) -> None:
    Run(small(tmp_path / "run")).train()
    events = EventAccumulator(str(tmp_path / "run"), size_guidance={"scalars": 0})
    events.Reload()
    assert {
        "loss/2d", "loss/3d", "loss/adversarial", "loss/composite", "loss/total",
        "discriminator/loss", "discriminator/r1", "discriminator/accuracy", "gradient/lifter",
        "discriminator/gradient", "optim/lr",
        "optim/lr_discriminator", "speed/samples_per_s", "validation/criterion",
        "validation/bone_variation", "validation/consistency_3d", "validation/knee_score",
    } <= set(events.Tags()["scalars"])  # fmt: skip
    assert [event.step for event in events.Scalars("loss/total")] == [2, 4, 6, 8, 10, 12]


BASE = ("lifter", "discriminator")
ALL = (*BASE, "temporal_discriminator", "adapter", "domain_discriminator")


@pytest.mark.parametrize(
    ("stop_at", "dropout", "everything"),
    [(1, 0.0, ""), (5, 0.0, ""), (8, 0.0, ""), (5, 0.2, ""), (5, 0.2, "joint"), (5, 0.0, "first"),
     (0, 0.0, "first")],
)  # fmt: skip
def test_resuming_equals_not_stopping_bit_for_bit(
    tmp_path: Path, stop_at: int, dropout: float, everything: str
) -> None:
    def config_in(name: str) -> TrainConfig:
        config = small(tmp_path / name)
        if everything:
            complete(config, everything)
        config.model.lifter.dropout = config.model.discriminator.dropout = dropout
        return config

    whole = Run(config_in("whole"))
    expected = whole.train()

    config = config_in("parts")
    Run(config).train(stop=lambda step: step == stop_at)
    resumed = Run(config, resume=True)
    assert resumed.state.step == stop_at
    result = resumed.train()

    a, b = whole.state.state_dict(), resumed.state.state_dict()
    assert set(a["networks"]) == set(a["optimisers"]) == set(ALL if everything else BASE)
    for part, weights in (*a["networks"].items(), ("average", a["average"])):
        for name, tensor in weights.items():
            other = b["average"] if part == "average" else b["networks"][part]
            assert torch.equal(tensor, other[name]), f"{part}.{name}"
    for part, optimiser in a["optimisers"].items():
        for index, moments in optimiser["state"].items():
            for name, tensor in moments.items():
                assert torch.equal(tensor, b["optimisers"][part]["state"][index][name])
    assert result == expected


def test_best_is_chosen_without_the_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Run(small(tmp_path / "with")).train()
    load = trainer.load_poses

    def without_truth(config: TrainConfig, device: torch.device):  # type: ignore[no-untyped-def]
        poses = load(config, device)
        object.__setattr__(poses.validation, "truth", None)
        return poses

    monkeypatch.setattr(trainer, "load_poses", without_truth)
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
        patch.setattr(trainer, "knee_score", score)
        metrics = run.train()
    assert metrics["depth_sign"]["turned_over_at_steps"] == [3]
    assert metrics["depth_sign"]["settled_by"] == "anatomy"


def test_what_was_best_before_a_flip_is_not_best_after_it(tmp_path: Path) -> None:
    config = small(tmp_path / "run", steps=8)
    config.sign.first_step, config.sign.every = 6, 1000
    run = Run(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "knee_score", lambda X, skeleton: -0.5)
        run.state.best = -100.0
        metrics = run.train()
    assert metrics["depth_sign"]["turned_over_at_steps"] == [6]
    assert metrics["best_step"] == 8


def test_a_mirrored_lifter_never_replaces_a_better_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([-0.5, 0.5, -0.5])
    criteria = iter([-9.0, -1.0, -9.0])
    real = trainer.validate

    def scored(*arguments: object) -> object:
        found = real(*arguments)  # type: ignore[arg-type]
        return replace(found, knee_score=next(scores), criterion=next(criteria))

    monkeypatch.setattr(trainer, "validate", scored)
    config = small(tmp_path / "run")
    config.sign.first_step = 1000
    metrics = Run(config).train()
    assert (metrics["best_step"], metrics["best_criterion"]) == (8, -1.0)


def test_stopping_before_the_first_validation_writes_valid_json(tmp_path: Path) -> None:
    metrics = Run(small(tmp_path / "run")).train(stop=lambda step: step == 1)
    assert metrics["best_criterion"] is None
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == metrics


def test_a_start_that_failed_leaves_the_folder_usable(tmp_path: Path) -> None:
    Run(small(tmp_path / "run"))
    with pytest.raises(ValueError, match="stopped before its first checkpoint; start it anew"):
        Run(small(tmp_path / "run"), resume=True)
    assert Run(small(tmp_path / "run")).train()["step"] == 12


def files_config(folder: Path, poses: PoseSet) -> TrainConfig:
    for split in ("train", "val"):
        poses.save(folder / f"poses_{split}.h5")
    config = small(folder / "run", steps=4)
    config.data.source, config.data.root = "files", str(folder)
    return config


def test_double_precision_files_train_too(tmp_path: Path, make_pose_set) -> None:
    poses = make_pose_set()
    poses = replace(
        poses,
        poses_2d=poses.poses_2d.astype(np.float64),
        poses_3d=poses.poses_3d.astype(np.float64),
        cameras=None,
    )
    config = files_config(tmp_path, poses)
    config.normalise.centre = "translate"
    assert Run(config).train()["step"] == 4


def test_another_skeleton_under_a_known_name_is_refused(tmp_path: Path, make_pose_set) -> None:
    poses = replace(make_pose_set(), skeleton=replace(H36M_17, head=8))
    with pytest.raises(ValueError, match="expected the skeleton 'h36m_17' as selflift knows it"):
        Run(files_config(tmp_path, poses))


def test_a_degenerate_truth_is_named_before_training(tmp_path: Path, make_pose_set) -> None:
    poses = make_pose_set()
    poses.poses_3d[3] = 0
    with pytest.raises(ValueError, match="poses_3d of the validation split: .*in one point"):
        Run(files_config(tmp_path, poses))


def test_a_split_with_one_pose_is_refused(tmp_path: Path, make_pose_set) -> None:
    config = files_config(tmp_path, make_pose_set().select(np.array([0])))
    with pytest.raises(ValueError, match="expected at least 2 poses in split 'train'"):
        Run(config)


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


def test_resuming_with_another_config_is_refused(tmp_path: Path) -> None:
    config = small(tmp_path / "run")
    Run(config).train()
    config.loss.w_3d = 0.5
    with pytest.raises(ValueError, match="got one that differs from the checkpoint's; restore it"):
        Run(config, resume=True)


def test_a_sign_that_was_never_looked_at_is_not_called_settled(tmp_path: Path) -> None:
    config = small(tmp_path / "run", steps=4)
    config.sign.first_step = 100
    assert Run(config).train()["depth_sign"]["settled_by"].startswith("nothing yet")


def test_nan_stops_training_names_the_step_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    config = small(tmp_path / "run")
    run = Run(config)
    run.train(stop=lambda step: step == 5)
    saved = (tmp_path / "run" / "checkpoints" / "last.pt").read_bytes()
    resumed = Run(config, resume=True)
    with torch.no_grad():
        resumed.state.lifter.depth_head.bias[3] = float("nan")
    with pytest.raises(NonFiniteError, match=r"'loss/\w+' became nan at step 6; earlier"):
        resumed.train()
    assert (tmp_path / "run" / "checkpoints" / "last.pt").read_bytes() == saved


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("trainer.steps", 0, "trainer.steps: expected at least 1, got 0"),
        ("loss.game", "chess", "loss.game: expected one of cross_entropy.*got 'chess'"),
        ("loss.joints", "max", "loss.joints: expected one of mean, sum, got 'max'"),
        ("loss.w_3d", -1.0, "loss.w_3d: expected at least 0, got -1.0"),
        ("loss.r1", float("nan"), "loss.r1: expected at least 0, got nan"),
        ("optim.lr", -1e-4, "optim.lr: expected at least 0, got -0.0001"),
        ("optim.warmup", -5, "optim.warmup: expected at least 0, got -5"),
        ("model.lifter.max_elevation_deg", 0.0, "expected a number up to 90 and at least 1, got 0"),
        ("model.lifter.depth", 0.5, r"model.lifter.depth: expected more than min_depth \(1\), got"),
        ("trainer.batch_size", 1, "trainer.batch_size: expected at least 2, got 1"),
        ("data.rig.f_px", 0.0, "data.rig.f_px: expected at least 0.001, got 0.0"),
        ("seed", -1, "seed: expected a number up to .* and at least 0, got -1"),
        (
            "loss.discriminator_size",
            "big",
            "loss.discriminator_size: expected one of unit, kept, got 'big'",
        ),
        ("optim.schedule", "step", "optim.schedule: expected 'constant'"),
        ("optim.ema", 1.0, "optim.ema: expected a number up to .* got 1.0"),
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
    loss = config.loss
    loss.w_2d = loss.w_3d = loss.w_bone = loss.w_adv = loss.w_composite = 0.0
    with pytest.raises(ValueError, match="expected at least one weight above 0, got none"):
        Run(config)
