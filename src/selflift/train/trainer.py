"""Train one lifter in one folder: the loop, validations and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from selflift import checkpoint, parallel
from selflift.config import TrainConfig, to_yaml
from selflift.device import (
    choose_device,
    choose_precision,
    keep_freed_memory,
    make_deterministic,
    prefer_onednn,
)
from selflift.geometry.align import procrustes
from selflift.geometry.anatomy import CLEAR_SCORE, knee_score
from selflift.method.batches import VALIDATION_STREAM, Batch, Batches, seeded
from selflift.method.cycle import CycleOutput
from selflift.method.domain_adapter import adapter_update
from selflift.method.training_state import TrainState, adapts, checked_history
from selflift.method.training_step import StepOutput, train_step
from selflift.method.views import ViewSampler
from selflift.models import Lifter
from selflift.train.config_check import check
from selflift.train.cuda_graph import GraphedStep, suits
from selflift.train.diagnostics import (
    NonFiniteError,
    Watch,
    check_finite,
    finding_anomalies,
    record_failure,
)
from selflift.train.run_folder import (
    RunFolder,
    defining,
    holds_run,
    metadata_of,
    metrics_of,
)
from selflift.train.tensorboard import RunLog, log_interval
from selflift.train.training_data import load_poses
from selflift.train.validate import validate
from selflift.train.validation_figures import depth_spread, log_bodies


class Run:
    """One training run in one folder.

    Args:
        config: The run's config; ``config.output_dir`` is the folder.
        resume: Whether to resume the run in the folder.

    Raises:
        ValueError: If the config or the data are unusable, or the folder is in use.
    """

    def __init__(self, config: TrainConfig, resume: bool = False) -> None:
        check(config)
        self.config, self.resumed = config, resume
        self.folder = Path(config.output_dir)
        # Of several processes that train one lifter, all compute and the first writes.
        self.writes = parallel.world().rank == 0
        self.files = RunFolder(self.folder, self.writes)
        if not resume:
            self.files.refuse_used()
        if config.engine.deterministic:
            make_deterministic()
        self.device = choose_device(config.device)
        if config.trainer.threads > 0:
            torch.set_num_threads(config.trainer.threads)
        if self.device.type == "cpu" and config.engine.onednn:
            prefer_onednn()
        if config.engine.precision == "auto":
            # Stored in the run's config, so that a resumed run has the same precision.
            config.engine.precision = choose_precision(self.device, config.model.lifter.width)
        self.views = ViewSampler(**asdict(config.view))
        self.poses = load_poses(config, self.device)
        # Only after loading, whose freed memory no step needs again.
        if self.device.type == "cpu" and config.engine.keep_memory:
            keep_freed_memory()
        self.skeleton = self.poses.skeleton
        if config.sign.check and len(self.skeleton.legs) != 2:
            raise ValueError(
                f"sign.check: expected a skeleton with two legs, got '{self.skeleton.name}' with "
                f"{len(self.skeleton.legs)}; name them in Skeleton.legs or set sign.check=false"
            )
        self.batches = Batches(
            self.poses.train,
            config.trainer.batch_size,
            config.seed,
            self.skeleton,
            config.data.mirror,
            self.poses.source,
            round(config.domain.share * config.trainer.batch_size),
            self.device,
        )
        self.state = TrainState.create(
            config, self.skeleton.name, self.device, self.poses.num_people
        )
        if config.engine.compile:
            self.state.compile_blocks(config)
        self.step = self._choose_step()
        self.history: list[dict[str, float]] = []
        self.watch = Watch()
        self._resume_warnings: list[str] = []
        if resume:
            self._restore()

    def train(self, stop: Callable[[int], bool] = lambda step: False) -> dict[str, Any]:
        """Train to the last step, or until ``stop`` is true; either way the state is saved.

        Args:
            stop: Called after every step with its number.

        Returns:
            The content of ``metrics.json``.

        Raises:
            NonFiniteError: If a term of the objective becomes NaN or infinite.
            ValueError: If another run holds the folder.
            CheckpointError: If the last checkpoint can't be written.
        """
        trainer, state = self.config.trainer, self.state
        with (
            self.files.locked(to_yaml(self.config), self.resumed),
            RunLog(
                str(self.folder), state.step, trainer.steps, trainer.progress, self.writes
            ) as log,
        ):
            for line in self._resume_warnings:
                log.warn(line)
            if not self.resumed:
                log.begin(self.config)
            try:
                stopped = self._train_adapter(log, stop)
                while state.step < trainer.steps and not stopped:
                    stopped = self._step(log, stop)
            except NonFiniteError as error:
                raise self._with_batch(error) from error
            if not stopped:
                log.end(self.config)
            return self.write_metrics()

    def _step(self, log: RunLog, stop: Callable[[int], bool]) -> bool:
        """Do one step, and log, validate and save where due; returns whether to stop."""
        trainer, state = self.config.trainer, self.state
        with finding_anomalies(self.config.engine.anomaly, state.step + 1):
            out = self.step(self.batches(state.step))
        if self.config.engine.anomaly:
            check_finite(state.tensors(), state.step)
        log.add_step(state.step, out.scalars, self.batches.batch_size)
        self._settle_sign(out.cycle, log)
        stopped = self._asked_to_stop(stop, state.step)
        due = state.step % trainer.validate_every == 0 or state.step == trainer.steps
        logs = state.step % log_interval(trainer) == 0 or self.config.engine.anomaly
        if logs or due or stopped:
            means = log.flush(state.step)
            self._warn(log, self.watch.window(state.step, means))
        if due:
            self._validate(log)
        if due or stopped:
            self._save(log, must=stopped or state.step == trainer.steps)
        return stopped

    def _choose_step(self) -> Callable[[Batch], StepOutput]:
        """The step function: a recorded step that is replayed where possible, else a plain one."""
        config, possible = self.config, suits(self.config, self.device)
        if config.engine.graph and not possible:
            raise ValueError(
                "engine.graph: expected a run whose steps can be recorded (on CUDA, one process, "
                "loss.w_temporal=0, no dropout), got another; set engine.graph=null"
            )
        if possible and config.engine.graph is not False and not config.engine.anomaly:
            insists = bool(config.engine.graph)
            return GraphedStep(
                self.state, config, self.views, self.poses.size, self.device, insists
            )
        return lambda batch: train_step(self.state, batch, config, self.views, self.poses.size)

    def _train_adapter(self, log: RunLog, stop: Callable[[int], bool]) -> bool:
        """Train the adapter before the lifter if configured; returns whether to stop."""
        domain, state = self.config.domain, self.state
        if domain.adapter != "first" or not adapts(self.config) or state.step > 0:
            return False
        stopped = False
        while state.adapter_step < domain.steps and not stopped:
            scalars = adapter_update(
                state, self.batches(state.adapter_step), self.config, self.poses.size
            )
            log.add_adapter_step(state.adapter_step, scalars)
            stopped = self._asked_to_stop(stop, 0)
        if stopped:
            self._save(log, must=True)
        elif state.adapter_step:
            log.info(f"adapter trained: {state.adapter_step} steps")
        return stopped

    def _asked_to_stop(self, stop: Callable[[int], bool], step: int) -> bool:
        """Ask whether to stop; several processes agree on it every few steps."""
        asked = stop(step)
        if parallel.world().size == 1:
            return asked
        due = step % log_interval(self.config.trainer) == 0
        return due and parallel.any_of(asked, self.device)

    def _settle_sign(self, out: CycleOutput, log: RunLog) -> None:
        """Mirror the lifter in depth if its knees bend backward."""
        sign, step = self.config.sign, self.state.step
        if not sign.check or step < sign.first_step or (step - sign.first_step) % sign.every:
            return
        X = out.X.detach()
        # A value that is not finite is named elsewhere.
        score = knee_score(X, self.skeleton) if bool(X.isfinite().all()) else math.nan
        score = parallel.agreed(score, self.device)
        if score < -sign.margin:
            self.state.mirror_depth()
            # The best so far had the sign that has just been rejected.
            self.state.best, self.state.best_step = math.inf, 0
            log.info(f"step {step}: knees bend backward (score {score:+.2f}): depth sign flipped")

    def _validate(self, log: RunLog) -> None:
        state, data, trainer = self.state, self.poses.validation, self.config.trainer
        check_finite(state.tensors(), state.step)
        generator = seeded(self.device, self.config.seed, VALIDATION_STREAM)
        result = validate(
            self._inference(), data.normalised.x, data.subject, self.views, generator,
            data.confidence,
        )  # fmt: skip
        # The running average, which only validations use, may fail alone.
        found = {"X": result.X, "criterion": torch.tensor(result.criterion)}
        check_finite(((f"validation/{name}", found[name]) for name in found), state.step)
        record = {"step": float(state.step), **result.scalars()}
        if data.truth is not None:
            X = data.normalised.to_camera(result.X).cpu()
            error = procrustes(X, data.truth) - data.truth
            record["pa_mpjpe_mm_not_used"] = float(error.norm(dim=-1).mean())
        self.history.append(record)
        # The criterion is blind to the sign; a mirrored lifter is best only until another comes.
        limit = max(self.config.sign.margin, CLEAR_SCORE)
        criterion = parallel.agreed(result.criterion, self.device)
        score = parallel.agreed(result.knee_score, self.device)
        mirrored = self.config.sign.check and score < -limit
        better = math.isinf(state.best) or (criterion < state.best and not mirrored)
        if better:
            state.best = math.inf if mirrored else criterion
            state.best_step = state.step
        if self.writes:
            log_bodies(log, state.step, result, self.views, self.skeleton, self.folder, trainer)
        log.add_validation(state.step, record, self._best_record())
        spread = depth_spread(result.X, self.skeleton)["depth_std/mean"]
        self._warn(log, self.watch.validation(state.step, spread, score, self.config))
        if better:
            self.files.keep_best(self._content())

    def _best_record(self) -> dict[str, float] | None:
        if math.isinf(self.state.best):
            return None
        return next((r for r in self.history[::-1] if r["step"] == self.state.best_step), None)

    def _inference(self) -> Lifter:
        return self.state.average if self.config.optim.ema > 0 else self.state.lifter.eval()

    def _warn(self, log: RunLog, lines: list[str]) -> None:
        for line in lines:
            log.warn(f"step {self.state.step}: {line}")

    def _save(self, log: RunLog, must: bool) -> None:
        if self.files.recreate_if_lost():
            log.reopen(self.state.step)
            self._warn(log, [f"the folder '{self.folder}' was gone and has been recreated"])
        failed = self.files.save(lambda: self._content(resumable=True), must)
        if failed:
            later = self.state.step + self.config.trainer.validate_every
            self._warn(log, [f"{failed}; training continues and saves again at step {later}"])

    def _content(self, resumable: bool = False) -> checkpoint.Checkpoint:
        """The content of a checkpoint; ``best`` is for inference and has no training state."""
        metadata = metadata_of(self.config, self.poses, self.state, self.history)
        state = {}
        if resumable:
            state = self.state.state_dict()
            state |= {"history": self.history, "watch": asdict(self.watch)}
        return checkpoint.Checkpoint(metadata, self._inference().state_dict(), state)

    def _restore(self) -> None:
        content, self._resume_warnings = self.files.restore()
        stored = content.metadata.get("config")
        if not isinstance(stored, dict) or defining(stored) != defining(asdict(self.config)):
            raise ValueError(
                f"resume '{self.folder}': expected the config.yaml that the run began with, got "
                "one that differs from the checkpoint's; restore it, or start a new run"
            )
        try:
            self.state.load_state_dict(content.state)
            self.history = checked_history(content.state["history"])
            self.watch = Watch.checked(content.state.get("watch"))
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
            reason = " ".join(str(error).split())[:200]
            raise checkpoint.CheckpointError(
                f"checkpoint '{content.path}': expected the state of the run in '{self.folder}', "
                f"got another run's ({reason}); resume with the config that began it"
            ) from error

    def _with_batch(self, error: NonFiniteError) -> NonFiniteError:
        """Save the batch of the failed step; returns the error with its path and a remedy."""
        if not self.writes:
            return error
        number = error.step - 1
        batch, rows = self.batches(number), self.batches.rows(number)
        path = record_failure(self.folder, error, batch, rows, self.config.seed)
        largest = float(batch.x.abs().max())
        again = f"resume={self.folder}" if holds_run(self.folder) else "a new run with"
        more = (
            f"; its batch, whose 2D poses reach {largest:.3g}, is kept in {path}; "
            f"{again} engine.anomaly=true reaches that step again and names the operation"
        )
        return NonFiniteError(error.name, error.value, error.step, more)

    def write_metrics(self) -> dict[str, Any]:
        """Write ``metrics.json`` for the present state; returns its content."""
        metrics = metrics_of(self.config, self.state, self.history)
        self.files.write_metrics(metrics)
        return metrics
