"""Measure the speed of lifting poses, and the time to the first pose.

    python scripts/benchmark_lifting.py
    python scripts/benchmark_lifting.py --width 256 1024 --threads 1 2 --json lifting.json
    python scripts/benchmark_lifting.py --device cuda --batch 65536 --poses 2000000

Three rates, measured alternately in one process: ``bound``, only the network's matrix products in
the precision that is used; ``network``, the lifter on normalised poses; ``pixels``, keypoints in
pixels to poses in metres by ``PoseLifter``. Weights and poses are random. The cold start is that of
a new process which loads the bundled weights and lifts one pose.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selflift.device import choose_device, choose_precision, keep_freed_memory, prefer_onednn
from selflift.geometry.normalise import Normaliser
from selflift.lift import PoseLifter
from selflift.models import Lifter

COLD = "import selflift; selflift.load('cmu17')([[[100.0 + j, 200.0 + j * j] for j in range(17)]])"


def rates(width: int, threads: int, given: argparse.Namespace) -> dict[str, Any]:
    """Poses per second of each kind."""
    torch.set_num_threads(threads)
    device = choose_device(given.device)
    precision = choose_precision(device, width)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    torch.manual_seed(0)
    lifter = Lifter("h36m_17", width, elevation=True, mirror_average=given.mirror).to(device)
    whole = PoseLifter(lifter, Normaliser("rotate", "sample", 0.4, 0.06), "random", given.device)
    fast = lifter.for_inference(precision)
    pixels = np.random.default_rng(0).uniform(200, 800, (given.poses, 17, 2)).astype(np.float32)
    x = torch.from_numpy(pixels / 5000 - 0.1).to(device)
    layers = [m.weight.detach().to(dtype) for m in lifter.modules() if type(m) is torch.nn.Linear]
    inputs = [torch.randn(given.batch, w.shape[1], device=device, dtype=dtype) for w in layers]

    def bound() -> None:
        for _ in range(0, given.poses * (1 + given.mirror), given.batch):
            for seen, weight in zip(inputs, layers, strict=True):
                seen @ weight.T

    def network() -> None:
        for start in range(0, given.poses, given.batch):
            fast.lift(x[start : start + given.batch])

    def all_of_it() -> None:
        whole(pixels, size_px=(1000, 1000), f_px=1145.0, batch_size=given.batch)

    kinds = {"bound": bound, "network": network, "pixels": all_of_it}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    with torch.inference_mode():
        for turn in range(given.repeats + 1):
            for name, kind in kinds.items():
                took = timed(kind, device)
                # The first turn warms up.
                seconds[name] += [took] if turn else []
    found = {name: [given.poses / s for s in all_s] for name, all_s in seconds.items()}
    return {"width": width, "threads": threads, "precision": precision, **found}


def timed(what: Callable[[], None], device: torch.device) -> float:
    """Seconds of one call."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    what()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def started(code: str, repeats: int) -> list[float]:
    """Seconds that a new process takes for a piece of code."""
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
        found.append(time.perf_counter() - began)
    return found


def summary(values: Sequence[float]) -> str:
    """Median, and half of the range in per cent of it."""
    middle = statistics.median(values)
    return f"{middle:,.0f} ± {50 * (max(values) - min(values)) / middle:.0f} %"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", nargs="+", type=int, default=[256, 1024])
    parser.add_argument("--threads", nargs="+", type=int, default=[torch.get_num_threads()])
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--poses", type=int, default=32768)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--mirror", action="store_true", help="average with the mirror image")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    sizes = (*given.width, *given.threads, given.batch, given.poses, given.repeats)
    if min(sizes) < 1:
        parser.error(f"expected whole numbers above 0, got {min(sizes)}")
    if given.device == "cpu":
        prefer_onednn()
        keep_freed_memory()
    results = [rates(w, t, given) for w, t in product(given.width, given.threads)]
    print("| width | threads | precision | products alone, poses/s | network | pixels to metres |")
    print("| --- | --- | --- | --- | --- | --- |")
    for found in results:
        cells = " | ".join(summary(found[kind]) for kind in ("bound", "network", "pixels"))
        print(f"| {found['width']} | {found['threads']} | {found['precision']} | {cells} |")
    cold = {
        "import selflift": started("import selflift", given.repeats),
        "import torch": started("import torch", given.repeats),
        "load cmu17, lift one pose": started(COLD, given.repeats),
    }
    for name, seconds in cold.items():
        print(f"{name}: {statistics.median(seconds):.2f} s (at most {max(seconds):.2f})")
    if given.json is not None:
        given.json.write_text(json.dumps({"rates": results, "cold_s": cold}, indent=2) + "\n")


if __name__ == "__main__":
    main()
