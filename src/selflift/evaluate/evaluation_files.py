"""The files of an evaluation: metrics.json, tables in three formats, errors of every pose."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import selflift
from selflift.data.pose_set import LABELS, PoseSet
from selflift.evaluate.catalogue import METRICS
from selflift.evaluate.evaluation import Evaluation
from selflift.evaluate.run_evaluation import ProtocolResult, Results
from selflift.evaluate.summary import Mean, SeedSummary, Summary
from selflift.evaluate.table_notes import OVER_ACTIONS, OVER_FRAMES, Entries
from selflift.evaluate.tables import latex_table, markdown_table, text_table
from selflift.files.atomic_write import atomic_hdf5, atomic_path
from selflift.geometry.anatomy import CLEAR_SCORE

VERSION = 2
OVER_SEEDS = "standard deviation over seeds"
CSV_COLUMNS = (
    "protocol", "checkpoint", "metric", "variant", "action", "value", "low", "high", "poses",
    "unit",
)  # fmt: skip
Value = str | float | int | None


def entries(result: ProtocolResult) -> dict[str, Summary | SeedSummary]:
    """The rows of a protocol's table: each checkpoint, and the mean over seeds."""
    rows: dict[str, Summary | SeedSummary] = {}
    if result.seeds is not None:
        name = "mean"
        # A run may be called so.
        while name in result.summaries:
            name += " of seeds"
        rows[name] = result.seeds
    return {**rows, **result.summaries}


def as_json(results: Results) -> dict[str, Any]:
    """Everything but the errors of single poses, as plain JSON values."""
    return {
        "format": "selflift.metrics",
        "version": VERSION,
        "selflift": selflift.__version__,
        "data": results.origin.words,
        "keypoints": results.origin.keypoints,
        "checkpoints": {
            label: {
                "path": str(model.path),
                "step": model.step,
                "mirror_average": model.lifter.mirror_average,
            }
            for label, model in results.models.items()
        },
        "protocols": {r.protocol.name: _protocol_json(r) for r in results.protocols},
        "label_free": {
            label: {"numbers": own.per_set, "meaning": own.meaning}
            for label, own in results.label_free.items()
        },
    }


def _protocol_json(result: ProtocolResult) -> dict[str, Any]:
    protocol = {k: v for k, v in asdict(result.protocol).items() if k != "published"}
    checkpoints = {}
    for label, summary in result.summaries.items():
        evaluation = result.evaluations[label]
        checkpoints[label] = {
            **summary.to_json(),
            "skeleton_height_mm": evaluation.skeleton_height_mm,
            "mm_per_unit": evaluation.mm_per_unit,
            "knee_score": evaluation.knee_score,
            "mirrored": evaluation.knee_score < -CLEAR_SCORE,
            "joint_errors_mm": _joints(evaluation, result.poses),
        }
    return {
        **protocol,
        "subjects": sorted(set(result.poses.subject.values)),
        "checkpoints": checkpoints,
        "seeds": None if result.seeds is None else result.seeds.to_json(),
        "comparisons": {label: one.to_json() for label, one in result.comparisons.items()},
    }


def _joints(evaluation: Evaluation, poses: PoseSet) -> dict[str, dict[str, float]]:
    names = [poses.skeleton.joints[j] for j in evaluation.joints]
    return {
        key: dict(zip(names, map(float, values), strict=True))
        for key, values in evaluation.joint_errors.items()
    }


def write(results: Results) -> dict[str, Path]:
    """Write all files.

    Returns:
        Kind of file -> path.

    Raises:
        OSError: If one can't be written; earlier files of these names are intact.
    """
    folder = results.folder
    files = {"metrics": folder / "metrics.json"}
    _text(files["metrics"], json.dumps(as_json(results), indent=2, allow_nan=False) + "\n")
    if not results.protocols:
        return files
    tables = {
        "table.csv": _csv(results),
        "table.md": _joined(results, markdown_table),
        "table.tex": _joined(results, latex_table),
    }
    for name, content in tables.items():
        _text(folder / name, content)
    files["tables"] = folder / "table.{csv,md,tex}"
    files["errors"] = folder / "errors.h5"
    with atomic_hdf5(files["errors"]) as file:
        for result in results.protocols:
            _errors(file.create_group(result.protocol.name), result)
    return files


def _joined(results: Results, table: Callable[..., str]) -> str:
    parts = [table(entries(r), r.protocol, published=True) for r in results.protocols]
    return "\n\n".join(parts) + "\n"


def _csv(results: Results) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for result in results.protocols:
        writer.writerows(csv_rows(entries(result)))
    return text.getvalue()


def csv_rows(entries: Entries) -> list[dict[str, Value]]:
    """List every number of every metric as a row of :data:`CSV_COLUMNS`; ``None`` where none is.

    Means over seeds have a row for each training, ``NAME seed 1``, one for their mean and one for
    their standard deviation. ``poses`` counts excluded poses, too.

    Args:
        entries: Summaries by the names of their checkpoints, of any protocols.

    Raises:
        ValueError: If a metric is not in the catalogue.
    """
    rows = []
    for label, entry in entries.items():
        if unknown := [name for name in entry.metrics if name not in METRICS]:
            raise ValueError(
                f"table: expected metrics of {', '.join(METRICS)}, got {', '.join(unknown)}"
            )
        for name, of, action, mean, poses in _lines(label, entry):
            metric, (low, high) = METRICS[name], mean.ci95 or (None, None)
            values = (
                entry.protocol, of, name, metric.variant, action, mean.value, low, high, poses,
                metric.unit,
            )  # fmt: skip
            rows.append(dict(zip(CSV_COLUMNS, values, strict=True)))
    return rows


def _lines(label: str, entry: Summary | SeedSummary) -> Iterator[tuple[str, str, str, Mean, int]]:
    """Metric, checkpoint, action, mean and poses of every number."""
    if isinstance(entry, Summary):
        for name, means in entry.metrics.items():
            for row in entry.actions:
                yield name, label, row.action, row.metrics[name], row.num_poses
            yield name, label, OVER_ACTIONS, means.over_actions, entry.num_poses
            yield name, label, OVER_FRAMES, means.over_frames, entry.num_poses
        return
    action = OVER_ACTIONS if entry.averaging == "actions" else OVER_FRAMES
    for name, score in entry.metrics.items():
        for k, value in enumerate(score.values, start=1):
            yield name, f"{label} seed {k}", action, Mean(value, None), entry.num_poses
        yield name, label, action, Mean(score.mean, None), entry.num_poses
        yield name, label, OVER_SEEDS, Mean(score.std, None), entry.num_poses


def _errors(group: h5py.Group, result: ProtocolResult) -> None:
    """Write the identity of each pose, and its errors by every metric and checkpoint."""
    packed = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
    poses = result.poses
    for name in LABELS:
        labels = getattr(poses, name)
        group.create_dataset(f"{name}/names", data=np.array(labels.names, h5py.string_dtype()))
        group.create_dataset(f"{name}/index", data=labels.index, **packed)
    group.create_dataset("frame", data=poses.frame, **packed)
    for label, evaluation in result.evaluations.items():
        own = group.create_group(f"errors/{label.replace('/', ' ')}")
        for name, column in evaluation.errors.items():
            own.create_dataset(name, data=column.astype(np.float32), **packed)


def _text(path: Path, content: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def report_text(results: Results) -> str:
    """Format the terminal's report: tables, comparisons, and the numbers without truth."""
    parts = [
        f"{result.protocol.name}: {result.protocol.about}\n\n"
        f"{text_table(entries(result), result.protocol)}{_warnings(result)}{_compared(result)}"
        for result in results.protocols
    ]
    for label, own in results.label_free.items():
        width = max(map(len, own.per_set))
        lines = [
            f"  {key:<{width}}  {value:8.2f}  {own.meaning.get(key, '')}"
            for key, value in own.per_set.items()
            if not key.startswith("excluded_") or value
        ]
        count = len(next(iter(own.per_pose.values())))
        head = f"{label}: numbers from 2D alone, means over all {count:,} poses of the set"
        parts.append("\n".join([head, *lines]))
    return "\n\n".join(parts)


def _warnings(result: ProtocolResult) -> str:
    lines = []
    for label, evaluation in result.evaluations.items():
        score = evaluation.knee_score
        verdict = "neither way clearly: depth has hardly formed."
        if score < -CLEAR_SCORE:
            verdict = "backward: the lifter is mirrored in depth."
        elif score > CLEAR_SCORE:
            verdict = "forward."
        name = f" of {label}" if len(result.evaluations) > 1 else ""
        lines.append(f"Knee score{name} {score:+.2f}: predicted knees bend {verdict}")
    return "\n" + "\n".join(lines)


def _compared(result: ProtocolResult) -> str:
    first = next(iter(result.summaries))
    lines = []
    for label, comparison in result.comparisons.items():
        for key in result.protocol.shown:
            own = comparison.metrics.get(key)
            if own is None or own.difference is None:
                continue
            interval = "" if own.ci95 is None else f" [{own.ci95[0]:+.2f}, {own.ci95[1]:+.2f}]"
            lines.append(f"  {label} - {first}: {key} {own.difference:+.2f}{interval}")
    if not lines:
        return ""
    head = "\n\nPaired differences, 95 % interval by bootstrap over clips:"
    return "\n".join([head, *lines])
