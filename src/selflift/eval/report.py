"""From errors per pose to the numbers that are reported: summary, table, file, example poses.

The headline follows the field's custom: the mean over the poses of each action, then the mean over
the actions. The plain mean over all poses ("frames") stands beside it. Every number carries the
name of its variant, because the variants can't be compared with each other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from selflift.atomic import atomic_path
from selflift.data.poses import PoseSet
from selflift.eval.evaluate import BASELINE_METRICS, Evaluation
from selflift.geometry.anatomy import CLEAR_SCORE

AVERAGING = (
    "headline numbers are the mean over the poses of each action, then the mean over actions; "
    "per_frame has the mean over all poses"
)
BASELINE_PREFIX = "baseline_flat_"
UNNAMED = "(unnamed)"
QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)


def summarise(evaluation: Evaluation, poses: PoseSet) -> dict[str, Any]:
    """The numbers of an evaluation as plain JSON values.

    Args:
        evaluation: What :func:`~selflift.eval.evaluate.evaluate` returned for these poses.
        poses: The poses; the action of each is the first word of its action label.

    Returns:
        The headline means under ``pa_mpjpe_mm`` (proper), ``pa_mpjpe_reflected_mm``,
        ``n_mpjpe_mm`` (least-squares scale), ``mpjpe_mm`` (assumed height),
        ``baseline_flat_pa_mpjpe_mm`` and ``baseline_flat_n_mpjpe_mm``; the same means over all
        poses under ``per_frame`` and of every action in ``actions``; and what they rest on.

    Raises:
        ValueError: If the evaluation is of another set.
    """
    columns = {
        **evaluation.errors,
        **{BASELINE_PREFIX + name: evaluation.baseline[name] for name in BASELINE_METRICS},
    }
    if any(len(column) != len(poses) for column in columns.values()):
        raise ValueError(
            f"report: expected errors of {len(poses)} poses, got those of "
            f"{len(evaluation.predictions)}; give the set that was evaluated"
        )
    action_of_name = np.array([_first_word(name) for name in poses.action.names], dtype=object)
    action = action_of_name[poses.action.index]
    rows = []
    for name in sorted(set(action)):
        own = action == name
        means = {key: float(column[own].mean()) for key, column in columns.items()}
        rows.append({"action": name, "num_poses": int(own.sum()), **means})
    return {
        **{key: float(np.mean([row[key] for row in rows])) for key in columns},
        "num_poses": len(poses),
        "averaging": AVERAGING,
        "per_frame": {key: float(column.mean()) for key, column in columns.items()},
        "skeleton_height_mm": evaluation.skeleton_height_mm,
        "knee_score": evaluation.knee_score,
        "mirrored": evaluation.knee_score < -CLEAR_SCORE,
        "actions": rows,
    }


def table(summary: dict[str, Any]) -> str:
    """The summary as aligned text: actions, the two means, and what the numbers rest on.

    Args:
        summary: What :func:`summarise` returned.
    """
    titles = {
        "num_poses": ("poses", ""),
        "pa_mpjpe_mm": ("PA-MPJPE", "(proper)"),
        "pa_mpjpe_reflected_mm": ("PA-MPJPE", "(reflection)"),
        "n_mpjpe_mm": ("N-MPJPE", "(LSQ scale)"),
        "mpjpe_mm": ("MPJPE", f"(height {summary['skeleton_height_mm']:g} mm)"),
        "baseline_flat_pa_mpjpe_mm": ("flat PA", "(proper)"),
        "baseline_flat_n_mpjpe_mm": ("flat N", "(LSQ scale)"),
    }
    actions = sorted(summary["actions"], key=lambda row: row["action"])
    total = {"num_poses": summary["num_poses"]}
    means = [
        {"action": "mean over actions", **summary},
        {"action": "mean over frames", **total, **summary["per_frame"]},
    ]
    first = max(len(row["action"]) for row in [*actions, *means])
    widths = {key: max(8, *map(len, title)) for key, title in titles.items()}

    def line(name: str, cells: dict[str, str]) -> str:
        return "  ".join([f"{name:<{first}}", *(f"{cells[k]:>{widths[k]}}" for k in titles)])

    def numbers(row: dict[str, Any]) -> str:
        cells = {key: f"{row[key]:.1f}" for key in titles if key != "num_poses"}
        return line(row["action"], {"num_poses": str(row["num_poses"]), **cells})

    head = [line(("action", "")[i], {k: title[i] for k, title in titles.items()}) for i in (0, 1)]
    rule = "-" * len(head[0])
    return "\n".join(
        [*head, rule, *map(numbers, actions), rule, *map(numbers, means), "", *_notes(summary)]
    )


def write(summary: dict[str, Any], path: str | Path) -> None:
    """Write a summary as JSON, atomically.

    Args:
        summary: Plain JSON values.
        path: The file.

    Raises:
        OSError: If it can't be written; an earlier file of that name is intact.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n")


def examples(errors: np.ndarray) -> dict[float, int]:
    """Poses spread over the distribution of an error: which pose stands at which quantile.

    Args:
        errors: One error per pose, ``(N,)``.

    Returns:
        Quantile -> index of a pose, each pose at most once.
    """
    order = np.argsort(errors, kind="stable")
    chosen: dict[float, int] = {}
    for quantile in QUANTILES:
        index = int(order[round(quantile * (len(order) - 1))])
        if index not in chosen.values():
            chosen[quantile] = index
    return chosen


def _first_word(label: str) -> str:
    return label.split()[0] if label.strip() else UNNAMED


def _notes(summary: dict[str, Any]) -> list[str]:
    score = summary["knee_score"]
    verdict = "neither way clearly: depth has hardly formed."
    if summary["mirrored"]:
        verdict = "backward: the lifter is mirrored in depth."
    elif score > CLEAR_SCORE:
        verdict = "forward."
    return [
        "All errors in mm. Headline: mean over actions (of each action's mean over its poses).",
        "flat: the baseline, the same 2D without any depth.",
        f"MPJPE: every prediction is scaled to an assumed {summary['skeleton_height_mm']:g} mm "
        "from ankles to head; no truth is used.",
        f"Knee score {score:+.2f}: predicted knees bend {verdict}",
    ]
