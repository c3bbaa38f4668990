"""Log a run: TensorBoard events, the progress line, and warnings."""

from __future__ import annotations

import math
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import torch
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams
from tqdm import tqdm

from selflift.config import TrainConfig, TrainerConfig
from selflift.train.diagnostics import NonFiniteError

# Bounds on what a long run writes: steps between two points of a curve, and points of a curve.
MIN_INTERVAL, MAX_POINTS = 20, 5000
ADAPTER_INTERVAL = 20

# Curves that share a chart; tags are regular expressions, matched from the start.
CHARTS = {
    "discriminators": {
        "losses": [r"\w*discriminator/loss", "adapter/loss", "loss/adversarial", "loss/temporal",
                   "adapter/adversarial"],
        "share of poses judged rightly": [r"\w+/accuracy"],
    },
    "objective": {
        "consistency": ["loss/2d", "loss/3d"],
        "adversarial": ["loss/adversarial", "loss/temporal"],
        "other terms": ["loss/bone", "loss/composite", "loss/truth"],
        "weighted sum": ["loss/total"],
    },
    "bodies at validation": {
        "spread of depth, joint by joint (0 is flat)": ["depth_std/"],
        "spread of elevation, degrees": ["elevation_std_deg/"],
    },
    "optimisation": {
        "learning rates": ["optim/lr"],
        "norms of gradients": ["gradient/", r"\w+/gradient"],
    },
}  # fmt: skip
# Hyper-parameters, keys or whole sections, that a sweep may vary.
SWEPT = (
    "seed", "data.source", "data.name", "data.mirror", "data.noise.kind", "normalise", "view.kind",
    "view.elevation_mean_deg", "view.elevation_std_deg", "model.lifter.width",
    "model.lifter.num_blocks", "model.lifter.norm", "model.lifter.dropout",
    "model.lifter.confidences", "model.lifter.refine", "model.discriminator.width",
    "model.discriminator.num_blocks", "sign.check", "composite", "bones", "domain.share",
    "domain.adapter", "domain.w_correction", "loss", "optim", "trainer.steps",
    "trainer.batch_size",
)  # fmt: skip
# Results that runs are compared by; the last needs validation poses with 3D truth.
RESULTS = (
    "result/best_criterion", "result/best_step", "validation/criterion", "validation/knee_score",
    "result/best_pa_mpjpe_mm_not_used",
)  # fmt: skip


class RunLog:
    """The log of a run; scalars are collected on the device and fetched every few steps.

    Args:
        folder: Folder of the TensorBoard files.
        step: Steps already done; events after it, of a run that was stopped, are purged.
        steps: Steps in all.
        progress: Whether to draw a progress bar.
        writes: Whether this process writes; of several processes only one does.
    """

    def __init__(
        self, folder: str, step: int, steps: int, progress: bool, writes: bool = True
    ) -> None:
        self.folder, self.writes, self.progress = folder, writes, progress and writes
        self.warnings: list[str] = []
        self._board: SummaryWriter | None = None
        if writes:
            self._open(step)
        self.bar = tqdm(
            total=steps, initial=step, unit="step", disable=not self.progress, dynamic_ncols=True
        )
        self._window: list[tuple[int, dict[str, Tensor]]] = []
        self._poses = 0
        self._started = time.perf_counter()
        self._validation = ""

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()
        self._write(lambda board: board.close())

    def reopen(self, step: int) -> None:
        """Begin another TensorBoard file after the folder was removed."""
        if self._board is not None:
            with suppress(OSError):
                self._board.close()
        if self.writes:
            try:
                self._open(step)
            except OSError as error:
                self._give_up(error)

    def _open(self, step: int) -> None:
        self._board = SummaryWriter(self.folder, purge_step=step + 1 if step else None)

    def begin(self, config: TrainConfig) -> None:
        """Write the charts and the hyper-parameters when a run begins."""
        charts = {
            group: {title: ["Multiline", tags] for title, tags in own.items()}
            for group, own in CHARTS.items()
        }
        self._write(lambda board: board.add_custom_scalars(charts))
        experiment, begun, _ = hparams(swept(config), dict.fromkeys(RESULTS))
        self._add(experiment)
        self._add(begun)

    def end(self, config: TrainConfig) -> None:
        """Mark the run as successful."""
        self._add(hparams(swept(config), dict.fromkeys(RESULTS))[2])

    def add_step(self, step: int, scalars: dict[str, Tensor], poses: int) -> None:
        """Collect a step's scalars; nothing is fetched from the device yet."""
        self._window.append((step, scalars))
        self._poses += poses
        self.bar.update()

    def flush(self, step: int) -> dict[str, float]:
        """Fetch and write the means since the last flush; only here does the host wait.

        Returns:
            The means by their tags; empty if there was no step.

        Raises:
            NonFiniteError: If a term was NaN or infinite at some step.
        """
        if not self._window:
            return {}
        means = window_means(self._window)
        means["speed/samples_per_s"] = self._poses / (time.perf_counter() - self._started)
        self.scalars(means, step)
        self.bar.set_postfix_str(" ".join([*_progress(means), self._validation]))
        self._window, self._poses, self._started = [], 0, time.perf_counter()
        return means

    def add_adapter_step(self, step: int, scalars: dict[str, Tensor]) -> None:
        """Write, now and then, a step of the adapter that is trained before the lifter."""
        if step % ADAPTER_INTERVAL == 0:
            means = window_means([(step, scalars)])
            renamed = {n.replace("adapter/", "adapter_first/"): v for n, v in means.items()}
            self.scalars(renamed, step)
            self.bar.set_postfix_str(f"adapter {step}")

    def add_validation(
        self, step: int, record: dict[str, float], best: Mapping[str, float] | None
    ) -> None:
        """Write the numbers of a validation, and of the best so far if there is one."""
        finite = {n: v for n, v in record.items() if n != "step" and math.isfinite(v)}
        self.scalars({f"validation/{name}": value for name, value in finite.items()}, step)
        if best is not None:
            kept = ("step", "criterion", "pa_mpjpe_mm_not_used")
            self.scalars({f"result/best_{n}": best[n] for n in kept if n in best}, step)
        self._validation = f"val {record['criterion']:.2f}"
        if "pa_mpjpe_mm_not_used" in record:
            self._validation += f" (PA {record['pa_mpjpe_mm_not_used']:.1f} mm)"
        # The time that a validation takes is no part of a step's speed.
        self._started = time.perf_counter()

    def scalars(self, scalars: Mapping[str, float], step: int) -> None:
        """Write numbers under their tags."""
        for name, value in scalars.items():
            self._write(lambda board: board.add_scalar(name, value, step))  # noqa: B023

    def histogram(self, tag: str, values: Tensor, edges: list[float], step: int) -> None:
        """Write a histogram; values beyond the outer edges count in the outer bins."""
        within = values.detach().float().clamp(edges[0], edges[-1]).cpu().numpy()
        self._write(lambda board: board.add_histogram(tag, within, step, bins=edges))

    def picture(self, tag: str, png: bytes, step: int) -> None:
        """Write a PNG file as it is."""
        width, height = struct.unpack(">II", png[16:24])
        image = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=png
        )  # fmt: skip
        self._add(Summary(value=[Summary.Value(tag=tag, image=image)]), step)

    def _add(self, summary: Summary, step: int | None = None) -> None:
        def write(board: SummaryWriter) -> None:
            writer: Any = board.file_writer
            writer.add_summary(summary, step)

        self._write(write)

    def _write(self, write: Callable[[SummaryWriter], None]) -> None:
        """Write to TensorBoard; training goes on without it if that fails."""
        if self._board is None:
            return
        try:
            write(self._board)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._board = None
        self.warn(f"TensorBoard's file in '{self.folder}' can't be written ({error}): no more")

    def info(self, line: str) -> None:
        """Print a line above the progress bar."""
        if self.progress:
            self.bar.write(line)

    def warn(self, line: str) -> None:
        """Print a warning on standard error, with or without a progress bar; once for all ranks."""
        self.warnings.append(line)
        if self.writes:
            self.bar.write(f"selflift: warning: {line}", file=sys.stderr)


def log_interval(trainer: TrainerConfig) -> int:
    """Steps between two points of a run's curves: the config's, or few enough of them."""
    if trainer.log_every is not None:
        return trainer.log_every
    return max(MIN_INTERVAL, -(-trainer.steps // MAX_POINTS))


def swept(config: TrainConfig) -> dict[str, str | float]:
    """The hyper-parameters of a run by their keys, such as ``optim.lr``."""
    chosen: dict[str, str | float] = {}
    for key, value in _leaves(asdict(config)):
        if value is not None and any(f"{key}.".startswith(f"{part}.") for part in SWEPT):
            # TensorBoard's table would show True as 1.
            plain = str(value).lower() if isinstance(value, bool) else value
            chosen[key] = plain if isinstance(plain, int | float) else str(plain)
    return chosen


def window_means(window: list[tuple[int, dict[str, Tensor]]]) -> dict[str, float]:
    """Mean of each scalar over a window of steps.

    Args:
        window: ``(step, scalars)``; a scalar need not be there at every step.

    Raises:
        NonFiniteError: If one is NaN or infinite, naming the term and the first such step.
    """
    means = {}
    for name in {name: None for _, scalars in window for name in scalars}:
        steps = [step for step, scalars in window if name in scalars]
        values = torch.stack([s[name].detach().float() for _, s in window if name in s]).cpu()
        finite = torch.isfinite(values)
        if not bool(finite.all()):
            first = int(torch.argmin(finite.int()))
            raise NonFiniteError(name, float(values[first]), steps[first])
        means[name] = float(values.mean())
    return means


def _progress(means: dict[str, float]) -> list[str]:
    parts = [f"2d {means['loss/2d']:.1e}", f"3d {means['loss/3d']:.1e}"]
    if "loss/adversarial" in means:
        parts.append(f"adv {means['loss/adversarial']:.3f}")
    if "discriminator/accuracy" in means:
        parts.append(f"D {means['discriminator/accuracy']:.2f}")
    return parts


def _leaves(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
