"""The command ``selflift train``; PyTorch is imported once the config is known to be valid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selflift.cli import help
from selflift.cli.interrupt import StopRequest, importing
from selflift.config import TrainConfig
from selflift.config.plain import differences, look_up, put

if TYPE_CHECKING:
    from selflift.train.trainer import Run

EXIT_PROCESS_LOST = 1
# Keys that may be given beside resume=RUN_DIR.
RESUME_MAY_CHANGE = (
    "resume", "device", "trainer.progress", "trainer.threads", "trainer.poses_on_disk",
    "engine.anomaly",
)  # fmt: skip
AUTO = "auto"
USAGE = """usage: {program} [KEY=VALUE ...] [GROUP=OPTION ...]

Trains a lifter from 2D keypoints alone and writes a run folder: config.yaml, metrics.json,
checkpoints, figures and TensorBoard files. Without arguments it trains on built-in synthetic
bodies. Ctrl-C saves the run, which then goes on with resume=.

{groups}

Often set:
  output_dir=DIR          the run folder; by default outputs/, by date and time
  resume=RUN_DIR          go on with a run that was stopped, with its own config
  resume=auto             go on with the run in output_dir, or begin it: one command for a job that
                          may be stopped and started again
  seed=1                  another seed
  data.root=DIR           where the data lie; by default $SELFLIFT_DATA
  data.name=NAME          which data there (data=files, data=cmu)
  trainer.steps=5000      how long; the learning rate's schedule follows
  trainer.batch_size=512  poses a step
  trainer.progress=false  no progress bar
  model.lifter.width=1024
                          a larger lifter
  model.lifter.confidences=true
                          take poses with missing joints
  loss.w_adv=1            weight of the adversarial term; likewise w_2d, w_3d, w_composite, w_bone,
                          w_temporal
  optim.lr=5e-4           learning rate of the lifter; lr_discriminator is the discriminators'
  view=paper              how random views are drawn: with the paper's ranges, the cameras' known
                          pitch, or a learned one
  device=cpu              auto, cpu or cuda

Examples:
  {program}
      the built-in synthetic bodies; a few minutes on a CPU
  {program} experiment=cmu data.root=DIR seed=0
      motion capture, filmed by virtual cameras
  {program} data=files data.root=DIR data.name=mine
      DIR/mine_train.h5 and DIR/mine_val.h5, which selflift prepare writes
  {program} resume=outputs/RUN
      go on
  {program} -m experiment=cmu seed=0,1,2
      three seeds, one after the other"""


def train(config: TrainConfig) -> float:
    """Run or resume a training and report where its results lie.

    Returns:
        The best criterion, which takes no 3D truth, for an optimising sweeper such as Optuna's to
        minimise. It compares runs of one objective alone.

    Raises:
        ValueError: If the config or the data are unusable.
    """
    from selflift.cli import hydra_entry

    if config.resume not in (None, AUTO):
        config = _resumed(config)
    else:
        # The run folder records its data by a path that is valid from anywhere.
        for data in (config.data, config.domain.data):
            data.root = str(Path(data.root).resolve())
    if config.resume == AUTO:
        config = _resumed_or_begun(config)
    sweeps = hydra_entry.sweeps()
    with importing():
        from selflift import parallel
        from selflift.device import choose_device, make_deterministic
        from selflift.train.trainer import Run  # noqa: F401
    if config.engine.deterministic:
        make_deterministic()  # before a device is taken, which starts CUDA
    device = choose_device(config.device)
    if parallel.asked().size > 1 and sweeps:
        raise ValueError(
            "torchrun: expected one run, got a sweep (--multirun); run its jobs one by one"
        )
    if device.type == "cuda":
        parallel.take_device()
    with parallel.joined(device):
        try:
            return _train(config)
        except parallel.ProcessLostError as error:
            # Inside the block: torchrun soon ends this process too, and leaving takes time.
            help.fail(
                f"training stopped: {error}; what was saved at the last validation is intact: go "
                f"on with resume={config.output_dir}",
                EXIT_PROCESS_LOST,
            )


def _resumed(config: TrainConfig) -> TrainConfig:
    """Return the config of the run in the folder ``resume``."""
    from selflift.cli import hydra_entry

    given = hydra_entry.given_keys()
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
    return _saved(folder, config, [key for key in RESUME_MAY_CHANGE if key in given])


def _saved(folder: Path, config: TrainConfig, keys: list[str]) -> TrainConfig:
    """Return the config that a run was started with, but for some keys."""
    from selflift.cli import hydra_entry

    saved = hydra_entry.load_yaml(folder / "config.yaml", TrainConfig)
    for key in keys:
        put(saved, key, look_up(config, key))
    return replace(saved, resume=str(folder), output_dir=str(folder))


def _resumed_or_begun(config: TrainConfig) -> TrainConfig:
    """Return the config of the run in ``output_dir``, or this one if it holds none."""
    from selflift.cli import hydra_entry

    if "output_dir" not in hydra_entry.given_keys() and not hydra_entry.sweeps():
        raise ValueError(
            "resume=auto: expected output_dir=RUN_DIR beside it, which is to be continued, or begun"
            " if it holds no run yet, got none; by default each run has a folder of its own"
        )
    folder = Path(config.output_dir)
    checkpoints = folder / "checkpoints"
    if not any((checkpoints / name).exists() for name in ("last.pt", "last.previous.pt")):
        return replace(config, resume=None)
    saved = _saved(folder, config, list(RESUME_MAY_CHANGE))
    # Precision "auto" was decided when the run began.
    auto = config.engine.precision == "auto"
    engine = replace(config.engine, precision=saved.engine.precision) if auto else config.engine
    given = replace(config, resume=str(folder), output_dir=str(folder), engine=engine)
    if other := differences(given, saved):
        changes = ", ".join(f"{key}={now} (there: {then})" for key, now, then in other[:3])
        raise ValueError(
            f"resume=auto: expected the config that the run in '{folder}' began with, got "
            f"{changes}; leave that as it was, or choose another output_dir"
        )
    return saved


def _train(config: TrainConfig) -> float:
    from selflift.train.diagnostics import NonFiniteError
    from selflift.train.trainer import Run

    run = Run(config, resume=config.resume is not None)
    if run.state.step >= config.trainer.steps:
        run.write_metrics()
        _report(run, f"nothing to do: the run in {run.folder} has reached step {run.state.step}")
        return run.state.best
    try:
        with StopRequest() as stop:
            metrics = run.train(stop=lambda step: stop.asked)
    except NonFiniteError as error:
        help.fail(error)
    if run.state.step < config.trainer.steps:
        _report(run, f"stopped at step {run.state.step} and saved; go on with resume={run.folder}")
        raise SystemExit(stop.status)
    _report(run, _sign_line(metrics["depth_sign"]))
    criterion = metrics["best_criterion"]
    best = (
        "(mirrored: its knees bend backward)"
        if criterion is None
        else f"(criterion {criterion:.3f}, chosen without 3D truth)"
    )
    _report(run, f"best at step {metrics['best_step']} {best}")
    for what, path in (
        ("checkpoint", run.folder / "checkpoints" / "best.pt"),
        ("pictures", run.folder / "figures"),
        ("TensorBoard", f"tensorboard --logdir {run.folder}"),
        ("evaluate with", f"{help.beside('train', 'eval')} checkpoint={run.folder}"),
    ):
        _report(run, f"{what + ':':<15}{path}")
    return run.state.best


def _report(run: Run, line: str) -> None:
    """Print a line, once for all processes of a run."""
    if run.writes:
        print(line)


def _sign_line(sign: dict[str, Any]) -> str:
    from selflift.geometry.anatomy import CLEAR_SCORE

    score, turned = sign["knee_score"], sign["turned_over_at_steps"]
    parts = [f"depth sign settled by: {sign['settled_by']}"]
    if score is not None:
        verdict = "forward" if score > CLEAR_SCORE else "backward" if score < -CLEAR_SCORE else ""
        bent = f"knees bend {verdict}" if verdict else "knees bend neither way clearly"
        parts.append(f"{bent} (score {score:+.2f})")
    steps = ", ".join(map(str, turned))
    parts.append(f"turned over at step {steps}" if turned else "never turned over")
    return "; ".join(parts)


def usage() -> str:
    """Return the help text."""
    groups = help.describe_groups("train")
    return USAGE.format(program=help.program("train"), groups=groups) + help.MORE


def main() -> None:
    """Run the command."""
    if help.answer(usage):
        return
    # Not at the top: Hydra takes a quarter of a second, which a help text does not need.
    from selflift.cli.hydra_entry import run

    run("train", TrainConfig, train)
