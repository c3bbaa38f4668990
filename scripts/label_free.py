"""Measure how well numbers without 3D truth rank runs by their error.

Evaluates the 2D measures of selflift.evaluate.without_truth and the true PA-MPJPE of several runs
on one labelled split, and prints Markdown: a row per run, then Spearman's correlation of each
number with the error over the runs. Choose by these on the validation split, not on the test split:

    python scripts/label_free.py outputs/runs/* --checkpoint last

All runs must be of the same data. A run's views are drawn as in its training. Give one checkpoint
per run: two of the same run are not independent, and the intervals take them to be.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selflift.config import DataConfig, EvalConfig
from selflift.data.pose_set import PoseSet
from selflift.data.source import load_split
from selflift.evaluate.inputs import check_like_training, resolve_data
from selflift.evaluate.lifted_set import lift_set
from selflift.evaluate.metrics import pa_mpjpe
from selflift.evaluate.ranks import rank_correlation
from selflift.evaluate.without_truth import MEANING, assess
from selflift.lift import Model, load_model
from selflift.method.views import ViewSampler

PROPER, REFLECTED = "PA-MPJPE (proper), mm", "PA-MPJPE (reflection), mm"


@dataclass(frozen=True)
class Row:
    """Results for one checkpoint."""

    name: str
    step: int | None
    error_mm: float
    reflected_mm: float
    numbers: dict[str, float]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, or checkpoint files")
    parser.add_argument(
        "--checkpoint", default="last", help="of a run folder: last (default), best"
    )
    parser.add_argument("--split", default="val", choices=["train", "val", "test"])
    parser.add_argument("--views", type=int, default=4, help="random views per pose")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="also write the numbers of every run here")
    given = parser.parse_args()
    try:
        rows, num_poses = measure(given)
    except ValueError as error:
        sys.exit(f"label_free: {error}")
    print(f"{len(rows)} checkpoints, {given.split} split, {num_poses:,} poses\n")
    print(run_table(rows))
    print(f"\n{correlation_table(rows)}")
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def measure(given: argparse.Namespace) -> tuple[list[Row], int]:
    """A row for each checkpoint, and the number of poses.

    Raises:
        ValueError: If a checkpoint is missing or unusable, or the runs are of different data.
    """
    device = torch.device(given.device)
    data: DataConfig | None = None
    poses: PoseSet | None = None
    rows = []
    for run in given.runs:
        path = run / "checkpoints" / f"{given.checkpoint}.pt" if run.is_dir() else run
        model = load_model(str(path), None, device)
        config = EvalConfig(checkpoint=str(path), split=given.split)
        # Whether training mirrored its batches changes nothing about the poses.
        own = replace(resolve_data(config, model.metadata), mirror=True)
        if poses is None:
            data, poses = own, load_split(own, given.split)
        elif own != data:
            raise ValueError(f"runs: expected all of the same data, got '{run}' with other data")
        check_like_training(model, poses)
        rows.append(measure_one(run.name, model, poses, given, device))
    assert poses is not None
    return rows, len(poses)


def measure_one(
    name: str, model: Model, poses: PoseSet, given: argparse.Namespace, device: torch.device
) -> Row:
    """The numbers of one checkpoint; each is a mean over all poses.

    Raises:
        ValueError: If the poses have no 3D truth, or a prediction can't be scored.
    """
    if poses.poses_3d is None:
        raise ValueError(f"{given.split} split: expected 3D truth to compare with, got none")
    sampler = ViewSampler(**model.metadata["config"]["view"])
    found = assess(
        model.lifter, model.normaliser, poses, views=given.views, seed=given.seed, device=device,
        sampler=sampler,
    )  # fmt: skip
    lifted = lift_set(model.lifter, model.normaliser, poses, device=device)
    prediction = torch.from_numpy(lifted.predictions).double()
    truth = torch.from_numpy(poses.poses_3d).double()
    truth = truth - truth[:, poses.skeleton.root, None]
    proper, reflected = (pa_mpjpe(prediction, truth, r).mean().item() for r in (False, True))
    numbers = {key: found.per_set[key] for key in MEANING if key in found.per_set}
    return Row(name, model.step, proper, reflected, numbers)


def run_table(rows: list[Row]) -> str:
    """Markdown: a row per run, best first."""
    keys = _keys(rows)
    lines = _head(["run", "step", PROPER, REFLECTED, *keys])
    for row in sorted(rows, key=lambda row: row.error_mm):
        cells = [f"{row.error_mm:.1f}", f"{row.reflected_mm:.1f}"]
        cells += [f"{row.numbers[key]:.2f}" if key in row.numbers else "" for key in keys]
        lines.append(_line([row.name, row.step, *cells]))
    return "\n".join(lines)


def correlation_table(rows: list[Row]) -> str:
    """Markdown: Spearman's correlation of each number with the error, the strongest first."""
    values = {key: [row.numbers.get(key, np.nan) for row in rows] for key in _keys(rows)}
    found = rank_correlation(values, [row.error_mm for row in rows])
    lines = _head([f"number, against {PROPER}", "rho", "95% interval", "runs", "what it is"])
    there = {key: one for key, one in found.items() if np.isfinite(one.rho)}
    for key, (rho, low, high, n) in sorted(there.items(), key=lambda item: -abs(item[1].rho)):
        interval = f"{low:+.2f} to {high:+.2f}"
        lines.append(_line([f"`{key}`", f"{rho:+.2f}", interval, n, MEANING[key]]))
    return "\n".join(lines)


def _keys(rows: list[Row]) -> list[str]:
    return [key for key in MEANING if any(key in row.numbers for row in rows)]


def _head(titles: list[str]) -> list[str]:
    return [_line(titles), _line(["---"] * len(titles))]


def _line(cells: list[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
