"""selflift's own files: checkpoints, weights, pose sets."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np

import selflift
from selflift import checkpoint
from selflift.config import EvalConfig, PrepareConfig, RigConfig, TrainConfig
from selflift.data import cmu, synthetic
from selflift.data.pose_set import PoseSet
from selflift.data.rays import rays_of
from selflift.data.rig import film
from selflift.evaluate.inputs import resolve_data
from selflift.formats.registry import find_source
from selflift.hub import HubLifter
from selflift.lift import load_model
from selflift.models import DomainAdapter
from selflift.skeleton import H36M_17
from selflift.train.trainer import Run
from tests.data.test_cmu import write as write_cmu
from tests.fuzz.archive_damage import NPZ
from tests.fuzz.checkpoint_damage import CHECKPOINT, WEIGHTS
from tests.fuzz.hdf5_damage import HDF5
from tests.fuzz.target import Target

SIZE_PX = (1000, 1000)
X_PX = np.random.default_rng(0).uniform(100, 900, (3, 17, 2))


def read_source(path: Path) -> None:
    """Open a file or folder as ``selflift prepare`` does, and read it to its end."""
    recordings = find_source(None, path).open(path, PrepareConfig(input=str(path)))
    deque(recordings.takes, maxlen=0)


def _config(folder: Path) -> TrainConfig:
    config = TrainConfig(output_dir=str(folder), device="cpu")
    synthetic = config.data.synthetic
    synthetic.train_subjects = synthetic.val_subjects = synthetic.test_subjects = 1
    synthetic.clips_per_subject, synthetic.frames_per_clip = 1, 8
    for net in (config.model.lifter, config.model.discriminator, config.model.adapter,
                config.model.domain_discriminator):  # fmt: skip
        net.width, net.num_blocks = 4, 1
    config.sign.margin = 1.0
    trainer = config.trainer
    trainer.steps, trainer.batch_size, trainer.log_every, trainer.validate_every = 3, 8, 1, 3
    trainer.progress, trainer.validation_poses = False, 4
    domain = config.domain
    domain.share, domain.adapter, domain.steps = 0.5, "joint", 1
    domain.data = replace(config.data)
    return config


def _write_run(folder: Path) -> None:
    """The checkpoint of a run that was stopped after a step."""
    Run(_config(folder)).train(stop=lambda step: True)
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "last.pt":
            path.unlink()


def _resume(folder: Path) -> None:
    """Take up the run and do its next step; use what it trained, too."""
    path = folder / "checkpoints" / "last.pt"
    resolve_data(EvalConfig(), load_model(path).metadata)
    DomainAdapter.from_content(checkpoint.load(path))
    run = Run(_config(folder), resume=True)
    run.step(run.batches(run.state.step))
    run.write_metrics()


def _write_checkpoint(folder: Path) -> None:
    _write_run(folder)
    (folder / "checkpoints" / "last.pt").rename(folder / "last.pt")
    (folder / "checkpoints").rmdir()


def _lift(path: Path) -> None:
    selflift.load(path, "cpu", "float32")(X_PX, size_px=SIZE_PX)


def _write_weights(folder: Path) -> None:
    _write_checkpoint(folder)
    content = checkpoint.load(folder / "last.pt")
    (folder / "last.pt").unlink()
    checkpoint.save_weights(folder / "some.safetensors", content)


def _write_hub(folder: Path) -> None:
    _write_weights(folder)
    lifter = HubLifter.from_checkpoint(folder / "some.safetensors", "cpu", "float32")
    (folder / "some.safetensors").unlink()
    lifter.save_pretrained(folder)
    (folder / "README.md").unlink()


def _read_hub(folder: Path) -> None:
    HubLifter.from_pretrained(folder, device="cpu")


def _pose_set() -> PoseSet:
    data = _config(Path()).data
    poses = film(synthetic.generate("train", data.synthetic), RigConfig(), H36M_17)
    return replace(poses, confidence=np.ones(poses.poses_2d.shape[:2], np.float32))


def _read_set(folder: Path) -> None:
    """As training, evaluation and preparation do."""
    poses = PoseSet.load(folder / "set.h5")
    if len(poses) and poses.skeleton == H36M_17:
        rays_of(poses, "rotate")
    if len(poses):
        PoseSet.load(folder / "set.h5", poses.subject.names[:1])
    read_source(folder / "set.h5")


def _read_cmu(folder: Path) -> None:
    cmu.read_clips(folder, "train")


OWN_FORMATS = (
    Target("checkpoint", _write_checkpoint, lambda f: _lift(f / "last.pt"), damages=CHECKPOINT),
    Target("weights", _write_weights, lambda f: _lift(f / "some.safetensors"), damages=WEIGHTS),
    Target("resume", _write_run, _resume, damages=CHECKPOINT, share=0.2),
    Target("hub", _write_hub, _read_hub, damages=WEIGHTS, share=0.5),
    Target("pose_set", lambda f: _pose_set().save(f / "set.h5"), _read_set, damages=HDF5),
    Target("cmu17", write_cmu, _read_cmu, damages=NPZ),
)
