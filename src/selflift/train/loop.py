"""A training run: its folder, its loop, its checkpoints."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import selflift
from selflift import checkpoint, parallel
from selflift.atomic import atomic_path
from selflift.config import TrainConfig, to_yaml
from selflift.cycle import CycleOutput
from selflift.device import choose_device, choose_precision, keep_freed_memory, prefer_onednn
from selflift.geometry.align import procrustes
from selflift.geometry.anatomy import CLEAR_SCORE, knee_score
from selflift.models import Lifter
from selflift.train.adapt import adapter_update
from selflift.train.batches import VALIDATION_STREAM, Batch, Batches, seeded
from selflift.train.check import check
from selflift.train.graph import GraphedStep, suits
from selflift.train.rhythm import telling_interval
from selflift.train.scenes import tell_scenes
from selflift.train.setup import load_poses
from selflift.train.state import TrainState, adapts, lifter_arguments
from selflift.train.step import StepOutput, train_step
from selflift.train.story import Story
from selflift.train.validate import validate
from selflift.views import ViewSampler

# What of the trainer may be another when a run goes on.
MAY_DIFFER = ("progress", "threads", "poses_on_disk")


class Run:
    """One training run in one folder.

    Args:
        config: The run's config; ``config.output_dir`` is the folder.
        resume: Whether the folder holds a run to be continued.

    Raises:
        ValueError: If the config or the data are unusable, or the folder is in use.
    """

    def __init__(self, config: TrainConfig, resume: bool = False) -> None:
        check(config)
        self.config, self.resumed = config, resume
        self.folder = Path(config.output_dir)
        # Of several processes that train one lifter all compute, and one writes.
        self.writes = parallel.world().rank == 0
        if self.writes and not resume and (self.folder / "checkpoints" / "last.pt").exists():
            raise ValueError(
                f"output_dir '{self.folder}': expected a new folder, got one that holds a run; "
                f"continue it with resume={self.folder} or choose another output_dir"
            )
        self.device = choose_device(config.device)
        if config.trainer.threads > 0:
            torch.set_num_threads(config.trainer.threads)
        if self.device.type == "cpu" and config.engine.onednn:
            prefer_onednn()
        if config.engine.precision == "auto":
            # Kept in the run's config: where it goes on, it goes on in the same precision.
            config.engine.precision = choose_precision(self.device, config.model.lifter.width)
        self.views = ViewSampler(**asdict(config.view))
        self.poses = load_poses(config, self.device)
        # Not before: what loading frees, no step needs again.
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
        self.step = self._stepper()
        self.history: list[dict[str, float]] = []
        if resume:
            self._restore()
        elif self.writes:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(self.folder / "config.yaml") as path:
                path.write_text(to_yaml(config))

    def train(self, stop: Callable[[int], bool] = lambda step: False) -> dict[str, Any]:
        """Train to the last step, or until told to stop; either way the state is saved.

        Args:
            stop: Asked after every step, with its number.

        Returns:
            The content of ``metrics.json``.

        Raises:
            NonFiniteError: If a term of the objective becomes NaN or infinite.
        """
        trainer, state = self.config.trainer, self.state
        stopped = False
        with Story(
            str(self.folder), state.step, trainer.steps, trainer.progress, self.writes
        ) as story:
            if not self.resumed:
                story.begin(self.config, self.skeleton)
            stopped = self._train_adapter(story, stop)
            while state.step < trainer.steps and not stopped:
                out = self.step(self.batches(state.step))
                story.step(state.step, out.scalars, self.batches.batch_size)
                self._settle_sign(out.cycle, story)
                stopped = self._agreed(stop, state.step)
                ended = stopped or state.step == trainer.steps
                due = state.step % trainer.validate_every == 0 or state.step == trainer.steps
                if state.step % telling_interval(trainer) == 0 or due or ended:
                    story.tell(state.step)
                if due:
                    self._validate(story)
                elif ended:
                    self._save("last")
            if not stopped:
                story.end(self.config)
        return self.write_metrics()

    def _stepper(self) -> Callable[[Batch], StepOutput]:
        """What does a step: recorded and replayed where that is possible, else one by one."""
        config, possible = self.config, suits(self.config, self.device)
        if config.engine.graph and not possible:
            raise ValueError(
                "engine.graph: expected a run whose steps can be recorded (on CUDA, one process, "
                "loss.w_temporal=0, no dropout), got another; set engine.graph=null"
            )
        if possible and config.engine.graph is not False:
            insists = bool(config.engine.graph)
            return GraphedStep(
                self.state, config, self.views, self.poses.size, self.device, insists
            )
        return lambda batch: train_step(self.state, batch, config, self.views, self.poses.size)

    def _train_adapter(self, story: Story, stop: Callable[[int], bool]) -> bool:
        """Train the adapter before the lifter, if that is asked for; whether told to stop."""
        domain, state = self.config.domain, self.state
        if domain.adapter != "first" or not adapts(self.config) or state.step > 0:
            return False
        stopped = False
        while state.adapter_step < domain.steps and not stopped:
            scalars = adapter_update(
                state, self.batches(state.adapter_step), self.config, self.poses.size
            )
            story.adapter_step(state.adapter_step, scalars)
            stopped = self._agreed(stop, 0)
        if stopped:
            self._save("last")
        elif state.adapter_step:
            story.say(f"adapter trained: {state.adapter_step} steps")
        return stopped

    def _agreed(self, stop: Callable[[int], bool], step: int) -> bool:
        """Whether to stop, in one process or all; several ask each other now and then."""
        asked = stop(step)
        if parallel.world().size == 1:
            return asked
        told = step % telling_interval(self.config.trainer) == 0
        return told and parallel.any_of(asked, self.device)

    def _settle_sign(self, out: CycleOutput, story: Story) -> None:
        sign, step = self.config.sign, self.state.step
        if not sign.check or step < sign.first_step or (step - sign.first_step) % sign.every:
            return
        score = parallel.agreed(knee_score(out.X.detach(), self.skeleton), self.device)
        if score < -sign.margin:
            self.state.mirror_depth()
            # What was best before had the sign that has just been rejected.
            self.state.best, self.state.best_step = math.inf, 0
            story.say(
                f"step {step}: knees bend backward (score {score:+.2f}): depth sign turned over"
            )

    def _validate(self, story: Story) -> None:
        state, data, trainer = self.state, self.poses.validation, self.config.trainer
        generator = seeded(self.device, self.config.seed, VALIDATION_STREAM)
        result = validate(
            self._inference(), data.normalised.x, data.subject, self.views, generator,
            data.confidence,
        )  # fmt: skip
        record = {"step": float(state.step), **result.scalars()}
        if data.truth is not None:
            X = data.normalised.to_camera(result.X).cpu()
            error = procrustes(X, data.truth) - data.truth
            record["pa_mpjpe_mm_not_used"] = float(error.norm(dim=-1).mean())
        self.history.append(record)
        # The criterion is blind to the sign: a mirrored lifter is best only until another comes.
        limit = max(self.config.sign.margin, CLEAR_SCORE)
        criterion = parallel.agreed(result.criterion, self.device)
        score = parallel.agreed(result.knee_score, self.device)
        mirrored = self.config.sign.check and score < -limit
        better = math.isinf(state.best) or (criterion < state.best and not mirrored)
        if better:
            state.best = math.inf if mirrored else criterion
            state.best_step = state.step
        if self.writes:
            tell_scenes(story, state.step, result, self.views, self.skeleton, self.folder, trainer)
        story.validated(state.step, record, self._best_record())
        if better:
            self._save("best")
        self._save("last")

    def _best_record(self) -> dict[str, float] | None:
        if math.isinf(self.state.best):
            return None
        return next((r for r in self.history[::-1] if r["step"] == self.state.best_step), None)

    def _inference(self) -> Lifter:
        return self.state.average if self.config.optim.ema > 0 else self.state.lifter.eval()

    def _save(self, name: str) -> None:
        if not self.writes:
            return
        state = self.state
        metadata = {
            "selflift": selflift.__version__,
            "step": state.step,
            "lifter": {"skeleton": self.skeleton.name, **lifter_arguments(self.config)},
            "normaliser": asdict(self.poses.normaliser),
            "calibrated": self.poses.calibrated,
            "depth_sign": self._depth_sign(),
            "config": asdict(self.config),
        }
        # Only ``last`` is resumed from; ``best`` serves inference and is a fraction of the size.
        resumable = {**state.state_dict(), "history": self.history} if name == "last" else {}
        content = checkpoint.Checkpoint(metadata, self._inference().state_dict(), resumable)
        checkpoint.save(self.folder / "checkpoints" / f"{name}.pt", content)

    def _restore(self) -> None:
        path = self.folder / "checkpoints" / "last.pt"
        if not path.is_file():
            raise ValueError(
                f"resume '{self.folder}': expected checkpoints/last.pt, got a run that stopped "
                f"before its first checkpoint; start it anew with output_dir={self.folder}"
            )
        content = checkpoint.load(path)
        if _defining(content.metadata.get("config", {})) != _defining(asdict(self.config)):
            raise ValueError(
                f"resume '{self.folder}': expected the config.yaml that the run began with, got "
                "one that differs from the checkpoint's; restore it, or start a new run"
            )
        try:
            self.state.load_state_dict(content.state)
            self.history = list(content.state["history"])
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise checkpoint.CheckpointError(
                f"checkpoint '{path}': expected the state of the run in '{self.folder}', got "
                f"another run's ({reason}); resume with the config that began it"
            ) from error

    def _depth_sign(self) -> dict[str, Any]:
        sign = self.config.sign
        settled_by = "anatomy"
        if not sign.check:
            settled_by = "the view sampler alone (sign.check=false)"
        elif self.state.step < sign.first_step:
            settled_by = f"nothing yet (anatomy is asked from step {sign.first_step} on)"
        return {
            "settled_by": settled_by,
            "turned_over_at_steps": list(self.state.flips),
            "knee_score": self.history[-1].get("knee_score") if self.history else None,
        }

    def write_metrics(self) -> dict[str, Any]:
        """Write ``metrics.json`` from the present state; returns its content."""
        state = self.state
        metrics = {
            "step": state.step,
            "best_step": state.best_step,
            "best_criterion": state.best if math.isfinite(state.best) else None,
            "criterion": "log(bone_variation) + log(consistency_3d); uses no 3D truth",
            "depth_sign": self._depth_sign(),
            "validation": self.history,
        }
        if self.writes:
            with atomic_path(self.folder / "metrics.json") as path:
                path.write_text(json.dumps(metrics, indent=2, allow_nan=False) + "\n")
        return metrics


def _defining(config: dict[str, Any]) -> dict[str, Any]:
    """A run's config less what may differ when it goes on: where it lies and what it runs on."""
    kept = {k: v for k, v in config.items() if k not in ("output_dir", "resume", "device")}
    trainer = {k: v for k, v in kept.get("trainer", {}).items() if k not in MAY_DIFFER}
    # As JSON, so that what was read from a file compares with what was not.
    return json.loads(json.dumps({**kept, "trainer": trainer}))
