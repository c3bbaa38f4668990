"""It learns: after half a minute depth is there, and the right way round."""

from __future__ import annotations

from pathlib import Path

import torch

from selflift.config import TrainConfig
from selflift.geometry.align import procrustes
from selflift.train.trainer import Run


def test_training_beats_the_flat_baseline_and_is_not_mirrored(tmp_path: Path) -> None:
    config = TrainConfig(output_dir=str(tmp_path / "run"), device="cpu")
    config.optim.lr = 2e-4  # the default serves larger networks and longer runs
    synthetic = config.data.synthetic
    synthetic.train_subjects, synthetic.val_subjects, synthetic.frames_per_clip = 12, 1, 40
    for net in (config.model.lifter, config.model.discriminator):
        net.width, net.num_blocks = 128, 2
    trainer = config.trainer
    trainer.steps, trainer.batch_size, trainer.validate_every = 500, 256, 500
    trainer.validation_poses, trainer.progress = 1000, False

    run = Run(config)
    last = run.train()["validation"][-1]

    data = run.poses.validation
    assert data.truth is not None
    flat = torch.cat([data.normalised.x, torch.zeros_like(data.normalised.x[..., :1])], dim=-1)
    X = data.normalised.to_camera(flat)
    baseline = float((procrustes(X, data.truth) - data.truth).norm(dim=-1).mean())
    assert last["pa_mpjpe_mm_not_used"] < 0.8 * baseline
    assert last["knee_score"] > 0.5
    assert 5 < last["elevation_deg"] < 20, "the cameras look down by 12 degrees"
