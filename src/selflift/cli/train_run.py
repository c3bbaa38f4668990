"""What ``selflift train`` does: runs a training, tells its results, ends politely."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

from selflift import parallel
from selflift.cli.help import beside
from selflift.config import TrainConfig
from selflift.device import choose_device, make_deterministic
from selflift.geometry.anatomy import CLEAR_SCORE
from selflift.train.diagnostics import NonFiniteError
from selflift.train.trainer import Run

EXIT_PROCESS_LOST, EXIT_BAD_INPUT = 1, 2


def run(config: TrainConfig, sweeps: bool = False) -> float:
    """Run or resume a training and say where its results lie.

    Args:
        config: The run's config; ``config.resume`` is the folder of a run that goes on.
        sweeps: Whether this is one run of a sweep.

    Returns:
        The best criterion.

    Raises:
        ValueError: If the config or the data are unusable.
    """
    if config.engine.deterministic:
        make_deterministic()  # before a device is taken, which starts CUDA
    device = choose_device(config.device)
    processes = parallel.asked()
    if processes.size > 1 and sweeps:
        raise ValueError(
            "torchrun: expected one run, got a sweep (--multirun); run its jobs one by one"
        )
    if device.type == "cuda":
        parallel.take_device()
    with parallel.joined(device):
        try:
            return _train(config)
        except parallel.ProcessLostError as error:
            # Within: torchrun ends this process, too, before long, and leaving takes time.
            print(
                f"selflift: error: training stopped: {error}; what was saved at the last "
                f"validation is intact: go on with resume={config.output_dir}",
                file=sys.stderr,
                flush=True,
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
        sys.exit(EXIT_BAD_INPUT)
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
        ("evaluate with", f"{beside('train', 'eval')} checkpoint={run.folder}"),
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


class _Interruption:
    """Notes SIGINT and SIGTERM, so that the step under way ends and is saved."""

    def __init__(self) -> None:
        self.asked = False
        self.status = 0

    def __enter__(self) -> _Interruption:
        self._before = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGINT, signal.SIGTERM)
            # What nohup or a shell's background job ignores stays ignored.
            if signal.getsignal(number) != signal.SIG_IGN
        }
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked, self.status = True, 128 + number
