"""The command ``selflift train``: its door. PyTorch is imported once the config is found good."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from selflift import usage
from selflift.config import TrainConfig
from selflift.interrupt import importing
from selflift.train.usage import USAGE

# What may differ when a run goes on. Another device or number of threads may round differently.
TRAINER_MAY_CHANGE = ("progress", "threads", "poses_on_disk")
RESUME_MAY_CHANGE = ("resume", "device", *(f"trainer.{key}" for key in TRAINER_MAY_CHANGE))


def train(config: TrainConfig) -> float:
    """Run or resume a training and say where its results lie.

    Returns:
        The best criterion, which takes no 3D truth: what an optimising sweeper such as Optuna's
        lowers. It compares runs of one objective alone.

    Raises:
        ValueError: If the config or the data are unusable.
    """
    from selflift import doors

    if config.resume is not None:
        config = _resumed(config)
    else:
        # The run folder is to say which data it saw, wherever it is used from.
        for data in (config.data, config.domain.data):
            data.root = str(Path(data.root).resolve())
    sweeps = doors.sweeps()
    with importing():
        from selflift.train.command import run

    return run(config, sweeps)


def _resumed(config: TrainConfig) -> TrainConfig:
    from selflift import doors

    given = [override.split("=")[0].lstrip("+") for override in doors.task_overrides()]
    others = [key for key in given if key not in RESUME_MAY_CHANGE]
    if others:
        raise ValueError(
            "resume: expected no other overrides (the run's own config is used), got "
            f"{', '.join(others)}; leave them out, or start a new run"
        )
    folder = Path(str(config.resume))
    if not folder.is_dir():
        got = "a file" if folder.exists() else "none"
        raise ValueError(
            f"resume '{folder}': expected a run folder, got {got}; give the folder that holds "
            "config.yaml and checkpoints/"
        )
    saved = doors.load_yaml(folder / "config.yaml", TrainConfig)
    if "device" in given:
        saved.device = config.device
    for key in TRAINER_MAY_CHANGE:
        if f"trainer.{key}" in given:
            setattr(saved.trainer, key, getattr(config.trainer, key))
    return replace(saved, resume=str(folder), output_dir=str(folder))


def main() -> None:
    """The door."""
    if usage.asked(sys.argv[1:]):
        usage.show(usage.text(USAGE, sys.argv[1:]))
        return
    # Only now: Hydra takes a quarter of a second, and a help text none of it.
    from selflift.doors import run

    run("train", TrainConfig, train)
