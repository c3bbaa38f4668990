"""How far does the domain adapter close the gap between two domains? Told by 2D poses alone.

Measures the gap of one run, or of several that differ in their seed, before and after adaptation
(selflift.train.gap), prints Markdown, and writes domain_gap.json into every run folder:

    python scripts/domain_gap.py outputs/runs/*

Several runs: mean +- standard deviation over runs. One run: of the accuracies, over classifiers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from selflift import checkpoint
from selflift.files.atomic_write import atomic_path
from selflift.train.gap import DomainGap, Gap, domain_gap

ROWS: dict[str, Callable[[Gap], float | tuple[float, ...]]] = {
    "energy distance": lambda gap: gap.energy.distance,
    "by chance, mean": lambda gap: gap.energy.null_mean,
    "by chance, 95th percentile": lambda gap: gap.energy.null_95,
    "p": lambda gap: gap.energy.p,
    "accuracy of a fresh MLP (chance 0.5)": lambda gap: gap.mlp,
    "accuracy of a logistic regression": lambda gap: gap.linear,
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, with checkpoints/last.pt")
    parser.add_argument("--split", default="val", choices=["train", "val", "test"])
    parser.add_argument("--poses", type=int, default=2048, help="of each domain, at most")
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--classifiers", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)  # the same sums in the same order everywhere
    options = {k: getattr(given, k) for k in ("split", "poses", "permutations", "classifiers")}
    try:
        check_alike(given.runs)
        found = [domain_gap(run, **options, seed=given.seed) for run in given.runs]
        for run, one in zip(given.runs, found, strict=True):
            record = {"run": str(run), "seed": given.seed, **options, **asdict(one)}
            with atomic_path(run / "domain_gap.json") as path:
                path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")
    except (ValueError, OSError) as error:
        print(f"domain_gap: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    print(table(found))
    print(f"\n{remarks(found)}")


def check_alike(runs: list[Path]) -> None:
    """Refuse to average over runs of different domains or adapters.

    Raises:
        ValueError: If they differ in more than their seed, or one has no checkpoint.
    """
    first = None
    for run in runs:
        config = checkpoint.load(run / "checkpoints" / "last.pt").metadata.get("config", {})
        own = {key: config.get(key) for key in ("data", "domain", "normalise")}
        first = own if first is None else first
        if own != first:
            raise ValueError(
                f"runs: expected all of the same data and domain, got '{run}' with others; give "
                "runs that differ in their seed, or measure them one by one"
            )


def table(found: list[DomainGap]) -> str:
    """Markdown: a row per number; columns before and after adaptation, and the floor."""
    lines = ["| | before | after | floor: target, training split |", "| --- | --- | --- | --- |"]
    for title, value in ROWS.items():
        cells = []
        for part in ("before", "after", "floor"):
            gaps = [getattr(one, part) for one in found]
            cells.append("" if gaps[0] is None else spread([value(gap) for gap in gaps], 4))
        lines.append(f"| {title} | {' | '.join(cells)} |")
    lines.append(f"| correction, RMS, % | | {spread([one.correction for one in found], 2)} | |")
    shifts = [one.shift for one in found if one.shift is not None]
    if shifts:
        before, after = (spread([getattr(s, p) for s in shifts], 2) for p in ("before", "after"))
        lines.append(f"| distance to the clean pose, % | {before} | {after} | |")
        undone = [s.undone for s in shifts if s.undone is not None]
        if undone:
            title = "share of the definition's shift undone"
            lines.append(f"| {title} | 0 | {spread(undone, 3)} | |")
    return "\n".join(lines)


def spread(values: list[float] | list[tuple[float, ...]], digits: int) -> str:
    """Mean +- standard deviation over runs; of a single run's tuple over its values."""
    numbers = [float(np.mean(value)) for value in values]
    if len(values) == 1:
        numbers = list(np.atleast_1d(values[0]))
    mean = f"{np.mean(numbers):.{digits}f}"
    return mean if len(numbers) < 2 else f"{mean} +- {np.std(numbers, ddof=1):.{digits}f}"


def remarks(found: list[DomainGap]) -> str:
    """What was measured, the joints that are corrected most, and notes."""
    lines = [f"{len(found)} run(s); % of a pose's size (RMS distance of its joints from the root)"]
    for domain, sizes in found[0].sizes.items():
        lines.append(f"{domain}: " + ", ".join(f"{n} {name}" for name, n in sizes.items()))
    joints = {name: np.mean([one.joints[name] for one in found]) for name in found[0].joints}
    most = sorted(joints, key=lambda name: -joints[name])[:6]
    lines.append("corrected most: " + ", ".join(f"{name} {joints[name]:.1f} %" for name in most))
    lines += found[0].notes
    return "\n".join(f"- {line}" for line in lines)


if __name__ == "__main__":
    main()
