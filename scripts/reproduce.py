"""Reproduce the README's tables: train and evaluate rows over several seeds, print Markdown.

    python scripts/reproduce.py demo        # the built-in synthetic default
    python scripts/reproduce.py cmu         # motion capture; needs the files of data/README.md
    python scripts/reproduce.py cmu cmu-consistency cmu-adversary --jobs 2

A run that is there already (its evaluation is written) is not repeated; one that was interrupted is
resumed. Each run is a process of its own, so its CPU time can be told.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev

ROWS = {
    "demo": ("synthetic: self-consistency + adversary", []),
    "cmu": ("cmu17: self-consistency + adversary", ["experiment=cmu"]),
    "cmu-consistency": ("cmu17: self-consistency alone", ["experiment=cmu", "loss.w_adv=0"]),
    "cmu-adversary": (
        "cmu17: adversary alone", ["experiment=cmu", "loss.w_2d=0", "loss.w_3d=0"],
    ),
    "cmu-paper-views": ("cmu17: the paper's views", ["experiment=cmu", "view=paper"]),
    "cmu-known-views": ("cmu17: camera pitch given", ["experiment=cmu", "view=known"]),
}  # fmt: skip
COLUMNS = {
    "PA-MPJPE (proper)": "pa_mpjpe_mm",
    "PA (reflection)": "pa_mpjpe_reflected_mm",
    "N-MPJPE (LSQ scale)": "n_mpjpe_mm",
    "flat PA": "flat_pa_mpjpe_mm",
}


def run(row: str, seed: int, output: Path) -> Path:
    """Train and evaluate one run, unless that is done; returns its metrics file."""
    folder = output / row / f"seed{seed}"
    metrics = folder / "eval_test" / "metrics.json"
    if metrics.is_file():
        return metrics
    if (folder / "checkpoints" / "last.pt").is_file():
        arguments = [f"resume={folder}"]
    else:
        arguments = [*ROWS[row][1], f"seed={seed}", f"output_dir={folder}"]
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "log.txt", "a") as log:
        for module, given in (
            ("selflift.train", [*arguments, "trainer.progress=false"]),
            ("selflift.eval", [f"checkpoint={folder}", "split=test"]),
        ):
            command = [sys.executable, "-m", module, *given]
            if subprocess.run(command, stdout=log, stderr=subprocess.STDOUT).returncode:
                sys.exit(f"reproduce: {' '.join(command)} failed; see {folder / 'log.txt'}")
    return metrics


def table(results: dict[str, list[Path]]) -> str:
    """Markdown: mean over seeds, spread (standard deviation), and each seed's PA-MPJPE."""
    lines = [
        "| run | seeds | " + " | ".join(COLUMNS) + " | PA-MPJPE of each seed |",
        "| --- | --- | " + "--- | " * len(COLUMNS) + "--- |",
    ]
    for row, files in results.items():
        found = [_means(path) for path in files]
        cells = []
        for key in COLUMNS.values():
            values = [metrics[key] for metrics in found]
            spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{mean(values):.1f}{spread}")
        each = ", ".join(f"{metrics['pa_mpjpe_mm']:.1f}" for metrics in found)
        lines.append(f"| {ROWS[row][0]} | {len(found)} | " + " | ".join(cells) + f" | {each} |")
    return "\n".join(lines)


def _means(path: Path) -> dict[str, float]:
    """The headline means of the one checkpoint in a metrics.json."""
    (checkpoint,) = json.loads(path.read_text())["protocols"]["plain"]["checkpoints"].values()
    return {name: metric["value"] for name, metric in checkpoint["metrics"].items()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="+", choices=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=Path("outputs/reproduce"))
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    given = parser.parse_args()
    with ThreadPoolExecutor(given.jobs) as pool:
        futures = {
            row: [pool.submit(run, row, seed, given.output) for seed in given.seeds]
            for row in given.rows
        }
        results = {row: [future.result() for future in some] for row, some in futures.items()}
    print(table(results))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    minutes = (used.ru_utime + used.ru_stime) / 60
    print(f"\nCPU time of the runs made now, evaluation included: {minutes:.1f} minutes")


if __name__ == "__main__":
    main()
