"""The command ``python -m selflift.train``."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from selflift import doors, parallel
from selflift.config import TrainConfig
from selflift.device import choose_device
from selflift.geometry.anatomy import CLEAR_SCORE
from selflift.train.loop import Run
from selflift.train.step import NonFiniteError

# What may differ when a run goes on. Another device or number of threads may round differently.
EXIT_PROCESS_LOST = 1
RESUME_MAY_CHANGE = ("resume", "device", "trainer.progress", "trainer.threads")


def train(config: TrainConfig) -> float:
    """Run or resume a training and say where its results lie.

    Returns:
        The best criterion, which takes no 3D truth: what an optimising sweeper such as Optuna's
        lowers. It compares runs of one objective alone.
    """
    if config.resume is not None:
        config = _resumed(config)
    else:
        # The run folder is to say which data it saw, wherever it is used from.
        for data in (config.data, config.domain.data):
            data.root = str(Path(data.root).resolve())
    device = choose_device(config.device)
    processes = parallel.asked()
    if processes.size > 1 and doors.sweeps():
        raise ValueError(
            "torchrun: expected one run, got a sweep (--multirun); run its jobs one by one"
        )
    if device.type == "cuda":
        parallel.take_device()
    try:
        with parallel.joined(device):
            return _train(config)
    except parallel.ProcessLostError as error:
        print(
            f"selflift: error: training stopped: {error}; what was saved at the last validation is "
            f"intact: go on with resume={config.output_dir}",
            file=sys.stderr,
        )
        sys.exit(EXIT_PROCESS_LOST)


def _train(config: TrainConfig) -> float:
    run = Run(config, resume=config.resume is not None)
    if run.state.step >= config.trainer.steps:
        run.write_metrics()
        _tell(run, f"nothing to do: the run in {run.folder} has reached step {run.state.step}")
        return run.state.best
    try:
        with _Interruption() as interrupted:
            metrics = run.train(stop=lambda step: interrupted.asked)
    except NonFiniteError as error:
        print(f"selflift: error: {error}", file=sys.stderr)
        sys.exit(doors.EXIT_BAD_INPUT)
    if run.state.step < config.trainer.steps:
        _tell(run, f"stopped at step {run.state.step} and saved; go on with resume={run.folder}")
        sys.exit(interrupted.status)
    _tell(run, _sign_line(metrics["depth_sign"]))
    criterion = metrics["best_criterion"]
    best = (
        "(mirrored: its knees bend backward)"
        if criterion is None
        else f"(criterion {criterion:.3f}, chosen without 3D truth)"
    )
    _tell(run, f"best at step {metrics['best_step']} {best}")
    for what, path in (
        ("checkpoint", run.folder / "checkpoints" / "best.pt"),
        ("pictures", run.folder / "figures"),
        ("TensorBoard", f"tensorboard --logdir {run.folder}"),
        ("evaluate with", f"python -m selflift.eval checkpoint={run.folder}"),
    ):
        _tell(run, f"{what + ':':<15}{path}")
    return run.state.best


def _tell(run: Run, line: str) -> None:
    """Print a line, once for all processes of a run."""
    if run.writes:
        print(line)


def _sign_line(sign: dict[str, Any]) -> str:
    score, turned = sign["knee_score"], sign["turned_over_at_steps"]
    parts = [f"depth sign settled by: {sign['settled_by']}"]
    if score is not None:
        verdict = "forward" if score > CLEAR_SCORE else "backward" if score < -CLEAR_SCORE else ""
        bent = f"knees bend {verdict}" if verdict else "knees bend neither way clearly"
        parts.append(f"{bent} (score {score:+.2f})")
    steps = ", ".join(map(str, turned))
    parts.append(f"turned over at step {steps}" if turned else "never turned over")
    return "; ".join(parts)


def _resumed(config: TrainConfig) -> TrainConfig:
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
    for key in ("progress", "threads"):
        if f"trainer.{key}" in given:
            setattr(saved.trainer, key, getattr(config.trainer, key))
    return replace(saved, resume=str(folder), output_dir=str(folder))


class _Interruption:
    """Notes SIGINT and SIGTERM, so that the step under way ends and is saved."""

    def __init__(self) -> None:
        self.asked = False
        self.status = 0

    def __enter__(self) -> _Interruption:
        self._before = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked, self.status = True, 128 + number


def main() -> None:
    """The door."""
    doors.run("train", TrainConfig, train)
