"""Kill and resume a training many times, and compare its result with an uninterrupted one.

    python scripts/kill_and_resume.py
    python scripts/kill_and_resume.py --kills 300 --seed 1 --folder lives
    python scripts/kill_and_resume.py --device cuda

The run is killed by SIGKILL, half of the times at a random moment and half within a save, at a
random one of its system calls, and resumed from the newest good checkpoint. Weights, averages,
optimisers, bone lengths and the history of validations are compared bit for bit, with every part of
training switched on. Exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from selflift import checkpoint
from selflift.checkpoint.archive import digest
from selflift.config import TrainConfig
from selflift.train import trainer
from selflift.train.run_folder import holds_run
from selflift.train.trainer import Run

# The system calls of a save.
CALLS = ("fsync", "link", "replace", "chmod", "open", "close", "unlink")


def tiny(folder: Path, steps: int, device: str) -> TrainConfig:
    """A small run with every part that has a state of its own."""
    config = TrainConfig(output_dir=str(folder), device=device)
    config.engine.deterministic = device != "cpu"
    synthetic = config.data.synthetic
    synthetic.train_subjects = synthetic.val_subjects = synthetic.test_subjects = 1
    synthetic.clips_per_subject, synthetic.frames_per_clip = 2, 24
    config.data.noise.kind = "detector"
    model, domain, trainer = config.model, config.domain, config.trainer
    for net in (model.lifter, model.discriminator, model.temporal_discriminator, model.adapter,
                model.domain_discriminator):  # fmt: skip
        net.width, net.num_blocks, net.dropout = 16, 1, 0.1
    model.lifter.confidences = model.lifter.refine = True
    config.loss.w_temporal = config.loss.w_composite = 1.0
    config.bones.per = "person"
    domain.share, domain.adapter, domain.steps = 0.5, "joint", 5
    domain.data.synthetic = replace(synthetic, seed=1)
    config.sign.first_step, config.sign.every = 3, 3
    trainer.steps, trainer.batch_size, trainer.log_every, trainer.validate_every = steps, 32, 2, 5
    trainer.progress = False
    return config


def live(config: TrainConfig, dies_at: int | None) -> int:
    """Start or resume the run in a new process; returns its id.

    Args:
        config: The run's config.
        dies_at: Number of the system call at which it kills itself; ``None`` for never.
    """
    child = os.fork()
    if child:
        return child
    status = 3
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        torch.set_num_threads(1)
        run = Run(config, resume=holds_run(Path(config.output_dir)))
        if dies_at is not None:
            _arm(dies_at)
        run.train()
        status = 0
    finally:
        os._exit(status)


def _arm(calls: int) -> None:
    left = [calls]

    def armed(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    for name in CALLS:
        setattr(os, name, armed(getattr(os, name)))


def outcome(folder: Path) -> dict[str, str]:
    """Digests of the result of a run."""
    last = checkpoint.load(folder / "checkpoints" / "last.pt")
    best = checkpoint.load(folder / "checkpoints" / "best.pt")
    metrics = json.loads((folder / "metrics.json").read_text())
    found = {name: digest(value) for name, value in last.state.items()}
    return {**found, "last": digest(last.lifter), "best": digest(best.lifter),
            "metrics": digest(metrics)}  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", help="where the runs go, and stay; default: a temporary one")
    given = parser.parse_args()
    # Figures take most of the time, and nothing depends on them.
    trainer.log_bodies = lambda *arguments: None
    folder = Path(given.folder or tempfile.mkdtemp())
    draw = random.Random(given.seed)

    started = time.perf_counter()
    whole = folder / "whole"
    if os.waitpid(live(tiny(whole, given.steps, given.device), None), 0)[1]:
        sys.exit(f"kill_and_resume: expected a run that ends, got another in '{whole}'")
    seconds = time.perf_counter() - started
    expected = outcome(whole)

    killed: Counter[str] = Counter()
    differs = 0
    while sum(killed.values()) < given.kills:
        parts = folder / f"parts{differs}"
        shutil.rmtree(parts, ignore_errors=True)
        config = tiny(parts, given.steps, given.device)
        while True:
            within = draw.random() < 0.5 and sum(killed.values()) < given.kills
            child = live(config, draw.randrange(1, 60) if within else None)
            if not within and sum(killed.values()) < given.kills:
                time.sleep(draw.uniform(0, 1.0) * seconds)
                os.kill(child, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if status == -signal.SIGKILL:
                killed["in a save" if within else "at a random moment"] += 1
            elif status == 0:
                break
            else:
                sys.exit(f"kill_and_resume: a process ended with status {status} in '{parts}'")
        got = outcome(parts)
        left = [p.name for p in parts.rglob(".*.tmp")]
        if got != expected or left:
            differs += 1
            other = [name for name in expected if got.get(name) != expected[name]]
            print(f"differs in {', '.join([*other, *left])}: see '{parts}'")
    counts = ", ".join(f"{count} {where}" for where, count in sorted(killed.items()))
    print(f"killed {sum(killed.values())} times ({counts}); runs that ended otherwise: {differs}")
    if not given.folder and not differs:
        shutil.rmtree(folder)
    sys.exit(1 if differs else 0)


if __name__ == "__main__":
    main()
