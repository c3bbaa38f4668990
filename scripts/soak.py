"""Check that a long training doesn't grow in memory, open files, threads or files written.

Trains a narrow lifter for many steps, with validations and figures, samples the process
regularly and fits a line to each quantity after the first tenth:

    python scripts/soak.py FOLDER [--steps 120000] [--every 500] [--minutes M] [key=value ...]

Further arguments are keys of the training's config.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import threading
import time
from pathlib import Path

from hydra import compose, initialize_config_dir

from selflift.cli.hydra_entry import to_schema
from selflift.config import TrainConfig
from selflift.config.folder import config_folder
from selflift.train.trainer import Run

NARROW = [
    "experiment=smoke", "model.lifter.width=16", "model.lifter.num_blocks=1",
    "model.discriminator.width=16", "model.discriminator.num_blocks=1", "trainer.log_every=null",
    "trainer.batch_size=32", "trainer.validate_every=250", "trainer.validation_poses=256",
    "trainer.progress=false",
]  # fmt: skip
MIB = 2**20
PER = 10_000


def sample(folder: Path) -> dict[str, float]:
    """Resources of the process and the size of its run folder."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    last = folder / "checkpoints" / "last.pt"
    return {
        "resident_MiB": pages * os.sysconf("SC_PAGE_SIZE") / MIB,
        "open_files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "objects": len(gc.get_objects()),
        "events_MiB": sum(file.stat().st_size for file in folder.glob("events.*")) / MIB,
        "last_pt_MiB": last.stat().st_size / MIB if last.is_file() else 0.0,
        "files": sum(1 for file in folder.rglob("*") if file.is_file()),
    }


def soak(config: TrainConfig, every: int, seconds: float = math.inf) -> list[dict[str, float]]:
    """Train, for so many seconds at most, and sample every so many steps."""
    folder = Path(config.output_dir)
    samples: list[dict[str, float]] = []
    started = time.perf_counter()

    def watch(step: int) -> bool:
        if step % every == 0:
            gc.collect()
            passed = time.perf_counter() - started
            samples.append({"step": step, "seconds": passed, **sample(folder)})
        return time.perf_counter() - started > seconds

    Run(config).train(stop=watch)
    return samples


def growth(samples: list[dict[str, float]], name: str, warm_up: float = 0.1) -> float:
    """Growth of a quantity per 10,000 steps: the slope of a line through the later samples."""
    later = samples[int(len(samples) * warm_up) :]
    steps, values = ([one[key] for one in later] for key in ("step", name))
    mean_step, mean = sum(steps) / len(steps), sum(values) / len(values)
    spread = sum((s - mean_step) ** 2 for s in steps)
    slope = sum((s - mean_step) * (v - mean) for s, v in zip(steps, values, strict=True)) / spread
    return slope * PER


def configured(folder: Path, keys: list[str]) -> TrainConfig:
    """The config of a narrow run."""
    with initialize_config_dir(str(config_folder().resolve()), version_base=None):
        composed = compose("train", [*NARROW, f"output_dir={folder}", *keys])
    return to_schema(composed, TrainConfig)


def main() -> None:
    """Soak and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=120_000)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=math.inf)
    options, keys = parser.parse_known_args()
    config = configured(options.folder / "run", [f"trainer.steps={options.steps}", *keys])
    samples = soak(config, options.every, 60 * options.minutes)
    (options.folder / "soak.json").write_text(json.dumps(samples))
    later = samples[int(len(samples) * 0.1) :]
    print(
        f"{later[-1]['step']:,} steps in {later[-1]['seconds']:.0f} s; from a tenth of them on:\n"
    )
    print("| quantity | first | last | least | most | growth per 10,000 steps |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in (key for key in later[0] if key not in ("step", "seconds")):
        values = [one[name] for one in later]
        summary = (values[0], values[-1], min(values), max(values))
        numbers = " | ".join(f"{value:.2f}" for value in summary)
        print(f"| {name} | {numbers} | {growth(samples, name):+.3f} |")
    metrics = options.folder / "run" / "metrics.json"
    print(f"\nmetrics.json: {metrics.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
