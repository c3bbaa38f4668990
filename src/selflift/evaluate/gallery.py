"""Poses to look at: spread over the errors, and the best, the middle and the worst."""

from __future__ import annotations

import numpy as np
import torch

from selflift.data.pose_set import PoseSet
from selflift.evaluate.evaluation import Evaluation
from selflift.geometry.align import scale_fit
from selflift.viz import ExamplePose

QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)
LABEL_LENGTH = 20


def spread(errors: np.ndarray) -> dict[float, int]:
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


def extremes(errors: np.ndarray, clips: np.ndarray, count: int) -> dict[str, list[int]]:
    """The best, the middle and the worst poses, each of a clip of its own where there are enough.

    Args:
        errors: One error per pose, ``(N,)``; NaN is never chosen.
        clips: Which clip each pose is of, ``(N,)``.
        count: How many of each.
    """
    order = np.argsort(errors, kind="stable")[: int((~np.isnan(errors)).sum())]
    middle = np.argsort(np.abs(np.arange(len(order)) - (len(order) - 1) / 2), kind="stable")
    ways = {"best": order, "median": order[middle], "worst": order[::-1]}
    return {name: _of_different_clips(way, clips, count) for name, way in ways.items()}


def _of_different_clips(order: np.ndarray, clips: np.ndarray, count: int) -> list[int]:
    _, first = np.unique(clips[order], return_index=True)
    chosen = order[np.sort(first)[:count]].tolist()
    others = [int(i) for i in order[: 2 * count] if int(i) not in chosen]
    return [*chosen, *others[: count - len(chosen)]]


def scaled(evaluation: Evaluation, i: int) -> np.ndarray:
    """A prediction with its least-squares scale, not rotated, ``(J, 3)``."""
    prediction, truth = evaluation.predictions[i], evaluation.truth[i]
    return scale_fit(torch.from_numpy(prediction), torch.from_numpy(truth)).numpy()


def example_poses(evaluation: Evaluation, poses: PoseSet) -> list[ExamplePose]:
    """Poses at quantiles of the PA-MPJPE, best first, ready to be drawn.

    Predictions get their least-squares scale and are not rotated.

    Args:
        evaluation: The errors and predictions of these poses.
        poses: The poses.
    """
    error = evaluation.errors["pa_mpjpe_mm"]
    rows = []
    for quantile, i in spread(error).items():
        subject, action = (x.names[x.index[i]] for x in (poses.subject, poses.action))
        lines = (f"{100 * quantile:.0f}% quantile", f"subject {subject}", action)
        rows.append(
            ExamplePose(
                poses.poses_2d[i], scaled(evaluation, i), evaluation.truth[i],
                "\n".join(map(_short, lines)), f"PA-MPJPE {error[i]:.1f} mm", poses.skeleton,
            )
        )  # fmt: skip
    return rows


def _short(label: str) -> str:
    return label if len(label) <= LABEL_LENGTH else label[: LABEL_LENGTH - 1] + "…"
