"""From the results of one protocol to what its page shows."""

from __future__ import annotations

import platform

import numpy as np
import torch

import selflift
from selflift.evaluate.catalogue import METRICS
from selflift.evaluate.covariates import depth_extent_mm, distance_m, elevation_deg, speed_m_s
from selflift.evaluate.gallery import extremes, scaled
from selflift.evaluate.page import (
    ActionResult,
    Covariates,
    Elevation,
    Example,
    PageData,
    PublishedResult,
    Result,
)
from selflift.evaluate.published import NO_VARIANT
from selflift.evaluate.run_evaluation import ProtocolResult, Results
from selflift.evaluate.table_rows import ALIGNMENTS
from selflift.geometry.anatomy import CLEAR_SCORE

EXAMPLES = 4
# Of each joint there are errors under these two alignments.
JOINT_METRICS = ("pa_mpjpe_mm", "n_mpjpe_mm")


def page_data(results: Results, result: ProtocolResult, command: str) -> PageData:
    """What the page of the first checkpoint under one protocol shows.

    Args:
        results: The whole evaluation.
        result: The protocol's.
        command: What was run.
    """
    label = next(iter(result.summaries))
    summary, evaluation = result.summaries[label], result.evaluations[label]
    protocol, poses = result.protocol, result.poses
    headline = protocol.headline
    joint_metric = headline if headline in JOINT_METRICS else "n_mpjpe_mm"
    shown = [METRICS[name] for name in summary.metrics if summary.headline(name).value is not None]
    first = {name: i for i, name in enumerate((headline, *protocol.shown))}
    shown.sort(key=lambda metric: first.get(metric.name, len(first)))
    elevation = elevation_deg(poses)
    names = [poses.skeleton.joints[j] for j in evaluation.joints]
    joint_errors = evaluation.joint_errors[joint_metric]
    return PageData(
        title=f"{label}: {METRICS[headline].title} by {protocol.name}",
        run=label,
        checkpoint=str(results.models[label].path),
        data=f"{results.origin.words}: {summary.num_poses:,} poses of {summary.num_clips:,} clips",
        input=results.origin.keypoints,
        protocol=protocol.name,
        protocol_about=protocol.about,
        alignment=ALIGNMENTS[METRICS[headline].variant],
        averaging=protocol.averaging,
        headline=headline,
        results=[_result(metric.name, result, label) for metric in shown],
        errors=evaluation.errors[headline],
        skeleton=poses.skeleton,
        published=[
            PublishedResult(
                METRICS[number.metric], number.method, number.value, number.input, number.note,
                number.comparable(protocol.name) and number.metric in summary.metrics,
                None if number.protocol is not None else NO_VARIANT,
            )
            for number in protocol.published
        ],
        per_joint_mm=dict(zip(names, map(float, joint_errors), strict=True)),
        per_joint_alignment=ALIGNMENTS[METRICS[joint_metric].variant],
        actions=[
            ActionResult(row.action, row.num_poses, own.value, own.ci95)
            for row in summary.actions
            if (own := row.metrics[headline]).value is not None
        ],
        covariates=Covariates(
            elevation_deg=elevation,
            distance_m=distance_m(poses),
            depth_extent_mm=depth_extent_mm(evaluation.truth),
            speed_m_s=speed_m_s(poses, evaluation.truth),
        ),
        elevation=_elevation(evaluation.elevation_rad, elevation),
        gallery=_gallery(result, label),
        gallery_about=f"Chosen by {METRICS[headline].title} ({METRICS[headline].variant}), of "
        "different clips where there are enough; predictions have their least-squares scale and "
        "are not rotated.",
        notes=_notes(result, label),
        versions={
            "selflift": selflift.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "Python": platform.python_version(),
        },
        command=command,
    )  # fmt: skip


def _result(name: str, result: ProtocolResult, label: str) -> Result:
    own = result.summaries[label].metrics[name]
    leading = result.summaries[label].headline(name)
    assert leading.value is not None
    return Result(METRICS[name], leading.value, leading.ci95, own.over_frames.value, own.excluded)


def _elevation(learned_rad: np.ndarray | None, true_deg: np.ndarray | None) -> Elevation | None:
    if learned_rad is None or true_deg is None:
        return None
    # The head tells how far the camera looks *down*.
    return Elevation(-np.degrees(learned_rad.astype(np.float64)), true_deg)


def _gallery(result: ProtocolResult, label: str) -> dict[str, list[Example]]:
    evaluation, poses = result.evaluations[label], result.poses
    headline = METRICS[result.protocol.headline]
    errors = evaluation.errors[headline.name]
    worst_first = -errors if headline.higher_is_better else errors
    gallery = {}
    for heading, rows in extremes(worst_first, poses.clip.index, EXAMPLES).items():
        gallery[heading] = [
            Example(
                poses.poses_2d[i].astype(np.float64),
                scaled(evaluation, i).astype(np.float64),
                evaluation.truth[i].astype(np.float64),
                f"{poses.clip.names[poses.clip.index[i]]}, "
                f"{poses.camera.names[poses.camera.index[i]]}, frame {poses.frame[i]}",
                f"{headline.title} {errors[i]:.1f} {headline.unit}",
            )
            for i in rows
        ]
    return gallery


def _notes(result: ProtocolResult, label: str) -> list[str]:
    evaluation = result.evaluations[label]
    notes = []
    if evaluation.knee_score < -CLEAR_SCORE:
        notes.append(
            f"The lifter is mirrored in depth: its knees bend backward (score "
            f"{evaluation.knee_score:+.2f})."
        )
    elif evaluation.knee_score < CLEAR_SCORE:
        notes.append(
            f"Depth has hardly formed: knees bend neither way clearly (score "
            f"{evaluation.knee_score:+.2f})."
        )
    alone = result.summaries[label].single_clip_actions
    if alone:
        notes.append(
            f"{len(alone)} actions have a single clip, so their own spread is not known: "
            f"{', '.join(alone)}."
        )
    if len(result.summaries) > 1:
        notes.append(
            f"This page is about {label}; the other checkpoints are in the tables and in "
            "metrics.json."
        )
    return notes
