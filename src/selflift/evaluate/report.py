"""Report page: numbers and charts of one checkpoint by one protocol, in one HTML file.

No script, font or image is loaded; a content security policy in the page forbids it. The same
results give the same bytes.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import jinja2
import numpy as np
import torch

import selflift
from selflift.evaluate import charts
from selflift.evaluate.catalogue import ALIGNMENTS, METRICS, number
from selflift.evaluate.report_sections import AVERAGING, interval, sections
from selflift.evaluate.run_evaluation import ProtocolResult, Results
from selflift.files.atomic_write import atomic_path
from selflift.geometry.anatomy import CLEAR_SCORE


def write_report(results: Results, result: ProtocolResult, command: str, folder: Path) -> Path:
    """Write the report as ``index.html``, atomically.

    Args:
        results: The whole evaluation.
        result: The protocol's.
        command: The command that was run.
        folder: Made if it doesn't exist.

    Raises:
        OSError: If it can't be written; an earlier page is intact.
    """
    page, content = folder / "index.html", render(results, result, command)
    with atomic_path(page) as temporary:
        temporary.write_text(content, encoding="utf-8")
    return page


def render(results: Results, result: ProtocolResult, command: str) -> str:
    """Render the page of the first checkpoint as HTML text; arguments of :func:`write_report`."""
    label = next(iter(result.summaries))
    summary, evaluation = result.summaries[label], result.evaluations[label]
    protocol, metric = result.protocol, METRICS[result.protocol.headline]
    mean, excluded = summary.headline(metric.name), summary.metrics[metric.name].excluded
    left_out = f", {excluded:,} excluded" if excluded else ""
    spread = interval(metric, mean.ci95)
    facts = {
        "Run": label,
        "Checkpoint": results.models[label].path,
        "Data": f"{results.origin.words}: {summary.num_poses:,} poses of {summary.num_clips:,} "
        f"clips; 2D input: {results.origin.keypoints}",
        "Protocol": f"{protocol.name}: {protocol.about}",
        "Alignment": ALIGNMENTS[metric.variant],
        "Poses": f"{len(evaluation.errors[metric.name]) - excluded:,} scored{left_out}",
    }
    versions = {
        "selflift": selflift.__version__, "torch": torch.__version__, "numpy": np.__version__,
        "Python": platform.python_version(),
    }  # fmt: skip
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = resources.files(__package__).joinpath("report_template.html")
    with charts.style():
        shown = list(sections(results, result, label, metric))
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        title=f"{label}: {metric.title} by {protocol.name}",
        value=f"{number(metric, mean.value)} {metric.unit}",
        metric=metric.full_title,
        spread=f"95 % interval {spread} {metric.unit}" if mean.ci95 else "no interval",
        averaging=AVERAGING[protocol.averaging],
        notes=_notes(result, label),
        facts=facts,
        sections=shown,
        command=command,
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
    )


def _notes(result: ProtocolResult, label: str) -> Iterator[str]:
    score = result.evaluations[label].knee_score
    if score < -CLEAR_SCORE:
        yield f"The lifter is mirrored in depth: its knees bend backward (score {score:+.2f})."
    elif score < CLEAR_SCORE:
        yield f"Depth has hardly formed: knees bend neither way clearly (score {score:+.2f})."
    if alone := result.summaries[label].single_clip_actions:
        yield (
            f"{len(alone)} actions have a single clip, so their own spread is not known: "
            f"{', '.join(alone)}."
        )
    if len(result.summaries) > 1:
        yield (
            f"This page is about {label}; the other checkpoints are in the tables and in "
            "metrics.json."
        )
