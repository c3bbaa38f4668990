"""What a run tells: TensorBoard scalars and pictures, the progress line, the means of a window."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from selflift.config import TrainConfig
from selflift.skeleton import Skeleton
from selflift.train.diagnostics import NonFiniteError
from selflift.train.tensorboard_layout import image, layout, opening

ADAPTER_EVERY = 20


class Story:
    """Collects a run's scalars on the device and tells them every few steps.

    Args:
        folder: Where the TensorBoard file goes.
        step: Steps already done; what a stopped run wrote after it is purged.
        steps: Steps in all.
        progress: Whether to draw a progress bar.
        writes: Whether anything is written; of several processes one does.
    """

    def __init__(
        self, folder: str, step: int, steps: int, progress: bool, writes: bool = True
    ) -> None:
        self.board: SummaryWriter | None = None
        self.folder, self.writes = folder, writes
        self.warnings: list[str] = []
        if writes:
            self._open(step)
        progress = progress and writes
        self.bar = tqdm(
            total=steps, initial=step, unit="step", disable=not progress, dynamic_ncols=True
        )
        self.progress = progress
        self._window: list[tuple[int, dict[str, Tensor]]] = []
        self._poses = 0
        self._started = time.perf_counter()
        self._validation = ""

    def __enter__(self) -> Story:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()
        self._told(lambda board: board.close())

    def reopen(self, step: int) -> None:
        """Begin another TensorBoard file, where the folder had gone."""
        if self.board is not None:
            with suppress(OSError):
                self.board.close()
        if self.writes:
            try:
                self._open(step)
            except OSError as error:
                self._give_up(error)

    def _open(self, step: int) -> None:
        self.board = SummaryWriter(self.folder, purge_step=step + 1 if step else None)

    def begin(self, config: TrainConfig, skeleton: Skeleton) -> None:
        """Write what is told once, when a run begins: charts and hyper-parameters."""
        self._told(lambda board: board.add_custom_scalars(layout(config, skeleton)))
        for summary in opening(config)[0]:
            self._add(summary)

    def end(self, config: TrainConfig) -> None:
        """Write that the run has ended as it should."""
        self._add(opening(config)[1])

    def step(self, step: int, scalars: dict[str, Tensor], poses: int) -> None:
        """Note a step; nothing is fetched from the device yet."""
        self._window.append((step, scalars))
        self._poses += poses
        self.bar.update()

    def tell(self, step: int) -> dict[str, float]:
        """Fetch the means since the last telling and write them; the host waits here alone.

        Returns:
            The means, by their tags; none if there was no step.

        Raises:
            NonFiniteError: If a term was NaN or infinite at some step.
        """
        if not self._window:
            return {}
        means = window_means(self._window)
        seconds = time.perf_counter() - self._started
        means["speed/samples_per_s"] = self._poses / seconds
        self.scalars(means, step)
        self.bar.set_postfix_str(" ".join([*_parts(means), self._validation]))
        self._window, self._poses, self._started = [], 0, time.perf_counter()
        return means

    def adapter_step(self, step: int, scalars: dict[str, Tensor]) -> None:
        """Write a step of the adapter that is trained before the lifter, now and then."""
        if step % ADAPTER_EVERY == 0:
            means = window_means([(step, scalars)])
            self.scalars(
                {n.replace("adapter/", "adapter_first/"): v for n, v in means.items()}, step
            )
            self.bar.set_postfix_str(f"adapter {step}")

    def validated(
        self, step: int, record: dict[str, float], best: Mapping[str, float] | None = None
    ) -> None:
        """Write what a validation found.

        Args:
            step: The step.
            record: The validation's numbers.
            best: The record of the best validation so far; ``None``: there is none.
        """
        told = {n: v for n, v in record.items() if n != "step" and math.isfinite(v)}
        self.scalars({f"validation/{name}": value for name, value in told.items()}, step)
        if best is not None:
            kept = ("step", "criterion", "pa_mpjpe_mm_not_used")
            self.scalars({f"result/best_{n}": best[n] for n in kept if n in best}, step)
        self._validation = f"val {record['criterion']:.2f}"
        if "pa_mpjpe_mm_not_used" in record:
            self._validation += f" (PA {record['pa_mpjpe_mm_not_used']:.1f} mm)"
        # What a validation takes is no part of a step's speed.
        self._started = time.perf_counter()

    def scalars(self, scalars: Mapping[str, float], step: int) -> None:
        """Write numbers under their tags."""
        for name, value in scalars.items():
            self._told(lambda board: board.add_scalar(name, value, step))  # noqa: B023

    def histogram(self, tag: str, values: Tensor, edges: Sequence[float], step: int) -> None:
        """Write a histogram; what lies beyond the outer edges is counted in the outer bins."""
        if self.board is not None:
            within = values.detach().float().clamp(edges[0], edges[-1]).cpu().numpy()
            self._told(lambda board: board.add_histogram(tag, within, step, bins=list(edges)))

    def picture(self, tag: str, encoded: bytes, step: int) -> None:
        """Write a PNG or GIF file."""
        self._add(image(tag, encoded), step)

    def _add(self, summary: Summary, step: int | None = None) -> None:
        def write(board: SummaryWriter) -> None:
            writer: Any = board.file_writer
            writer.add_summary(summary, step)

        self._told(write)

    def _told(self, write: Callable[[SummaryWriter], None]) -> None:
        """Write to the board, if it can be written: training goes on without it."""
        if self.board is None:
            return
        try:
            write(self.board)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.board = None
        self.warn(f"TensorBoard's file in '{self.folder}' can't be written ({error}): no more")

    def say(self, line: str) -> None:
        """A line above the progress bar."""
        if self.progress:
            self.bar.write(line)

    def warn(self, line: str) -> None:
        """A line on standard error, whether there is a progress bar or not; once for all ranks."""
        self.warnings.append(line)
        if self.writes:
            self.bar.write(f"selflift: warning: {line}", file=sys.stderr)


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


def _parts(means: dict[str, float]) -> list[str]:
    parts = [f"2d {means['loss/2d']:.1e}", f"3d {means['loss/3d']:.1e}"]
    if "loss/adversarial" in means:
        parts.append(f"adv {means['loss/adversarial']:.3f}")
    if "discriminator/accuracy" in means:
        parts.append(f"D {means['discriminator/accuracy']:.2f}")
    return parts
