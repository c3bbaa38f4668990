"""The command ``selflift train``: its door. PyTorch is imported once the config is found good."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from selflift.cli import help
from selflift.cli.interrupt import importing
from selflift.cli.train_help import USAGE
from selflift.config import TrainConfig
from selflift.config.keys import differences, look_up, put

# What may be given beside resume=RUN_DIR.
RESUME_MAY_CHANGE = (
    "resume", "device", "trainer.progress", "trainer.threads", "trainer.poses_on_disk",
    "engine.anomaly",
)  # fmt: skip
AUTO = "auto"


def train(config: TrainConfig) -> float:
    """Run or resume a training and say where its results lie.

    Returns:
        The best criterion, which takes no 3D truth: what an optimising sweeper such as Optuna's
        lowers. It compares runs of one objective alone.

    Raises:
        ValueError: If the config or the data are unusable.
    """
    from selflift.cli import hydra_entry

    if config.resume not in (None, AUTO):
        config = _resumed(config)
    else:
        # The run folder is to say which data it saw, wherever it is used from.
        for data in (config.data, config.domain.data):
            data.root = str(Path(data.root).resolve())
    if config.resume == AUTO:
        config = _resumed_or_begun(config)
    sweeps = hydra_entry.sweeps()
    with importing():
        from selflift.cli.train_run import run

    return run(config, sweeps)


def _resumed(config: TrainConfig) -> TrainConfig:
    from selflift.cli import hydra_entry

    given = [override.split("=")[0].lstrip("+") for override in hydra_entry.task_overrides()]
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
    saved = hydra_entry.load_yaml(folder / "config.yaml", TrainConfig)
    for key in RESUME_MAY_CHANGE:
        if key in given:
            put(saved, key, look_up(config, key))
    return replace(saved, resume=str(folder), output_dir=str(folder))


def _resumed_or_begun(config: TrainConfig) -> TrainConfig:
    """The config of the run in ``output_dir``, or this one if there is none to go on with."""
    from selflift.cli import hydra_entry

    keys = [override.split("=")[0].lstrip("+") for override in hydra_entry.task_overrides()]
    if "output_dir" not in keys and not hydra_entry.sweeps():
        raise ValueError(
            "resume=auto: expected output_dir=RUN_DIR beside it, which is to be continued, or begun"
            " if it holds no run yet, got none; by default each run has a folder of its own"
        )
    folder = Path(config.output_dir)
    checkpoints = folder / "checkpoints"
    if not any((checkpoints / name).exists() for name in ("last.pt", "last.previous.pt")):
        return replace(config, resume=None)
    saved = hydra_entry.load_yaml(folder / "config.yaml", TrainConfig)
    if config.engine.precision == "auto":
        # Decided when the run began.
        config.engine.precision = saved.engine.precision
    for key in ("output_dir", *RESUME_MAY_CHANGE):
        put(saved, key, look_up(config, key))
    if other := differences(config, saved):
        told = ", ".join(f"{key}={now} (there: {then})" for key, now, then in other[:3])
        raise ValueError(
            f"resume=auto: expected the config that the run in '{folder}' began with, got {told}; "
            "leave that as it was, or choose another output_dir"
        )
    return replace(saved, resume=str(folder), output_dir=str(folder))


def main() -> None:
    """The door."""
    if help.asked(sys.argv[1:]):
        help.show(help.text(USAGE, sys.argv[1:]))
        return
    # Only now: Hydra takes a quarter of a second, and a help text none of it.
    from selflift.cli.hydra_entry import run

    run("train", TrainConfig, train)
