"""Sections of the report page: the text, tables and charts of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from selflift.evaluate import charts
from selflift.evaluate.catalogue import ALIGNMENTS, METRICS, Metric, number
from selflift.evaluate.covariates import depth_extent_mm, distance_m, elevation_deg, speed_m_s
from selflift.evaluate.gallery import extremes, scaled
from selflift.evaluate.run_evaluation import ProtocolResult, Results
from selflift.evaluate.summary import Mean
from selflift.viz import ExamplePose, figure_poses

EXAMPLES = 4
PERCENTS = (5, 25, 50, 75, 95, 99)
# Errors of each joint are known under these two alignments.
JOINT_METRICS = ("pa_mpjpe_mm", "n_mpjpe_mm")
AVERAGING = {
    "actions": "mean over actions (of each action's mean over its poses)",
    "frames": "mean over all poses",
}


class Table(NamedTuple):
    """A table: rows are a kind and cells; a row of one cell is a heading."""

    label: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, tuple[str, ...]]]


class Picture(NamedTuple):
    """A figure of the page: caption, address, description, and the drawn numbers."""

    caption: str
    address: str
    alt: str
    table: Table | None = None


class Section(NamedTuple):
    """A part of the page."""

    key: str
    title: str
    text: str
    table: Table | None = None
    figures: tuple[Picture, ...] = ()


def sections(
    results: Results, result: ProtocolResult, label: str, metric: Metric
) -> Iterator[Section]:
    """Make the sections of one checkpoint's page, in order."""
    summary, evaluation = result.summaries[label], result.evaluations[label]
    protocol = result.protocol
    place = {name: i for i, name in enumerate((metric.name, *protocol.shown))}
    shown = [METRICS[key] for key in summary.metrics if summary.headline(key).value is not None]
    shown.sort(key=lambda own: place.get(own.name, len(place)))
    yield _results(result, label, shown)
    if protocol.published:
        yield _published(results, result, label, shown)
    yield _distribution(evaluation.errors[metric.name], metric)
    yield _joints(result, label)
    yield _actions(result, label, metric)
    errors, true_deg = evaluation.errors[metric.name], elevation_deg(result.poses)
    yield from _conditions(result, label, metric, errors, true_deg)
    yield from _elevation(evaluation.elevation_rad, true_deg)
    yield _gallery(result, label, metric)
    rows = [("", (own.full_title, own.definition)) for own in shown]
    yield Section(
        "definitions", "Definitions", "", Table("definitions", ("metric", "measure"), rows)
    )


def _results(result: ProtocolResult, label: str, shown: list[Metric]) -> Section:
    summary, rows = result.summaries[label], []
    for metric in shown:
        own, mean = summary.metrics[metric.name], summary.headline(metric.name)
        kind = "ours" if metric.name == result.protocol.headline else "other"
        cells = (
            metric.full_title, number(metric, mean.value), metric.unit,
            interval(metric, mean.ci95), number(metric, own.over_frames.value),
            f"{own.excluded:,}",
        )  # fmt: skip
        rows.append((kind if kind == "ours" or metric.oracle else "", cells))
    head = ("metric (variant)", "value", "unit", "95 % interval", "mean over poses", "excluded")
    text = f"Values: {AVERAGING[result.protocol.averaging]}."
    if any(metric.oracle for metric in shown):
        text += " † An oracle: the truth helps to choose the answer. Not to be quoted alone."
    return Section("results", "Results", text, Table("results of this run", head, rows))


def _published(
    results: Results, result: ProtocolResult, label: str, shown: list[Metric]
) -> Section:
    protocol, summary = result.protocol, result.summaries[label]
    rows: list[tuple[str, tuple[str, ...]]] = []
    listed = sorted(
        protocol.published,
        key=lambda one: one.value * (-1 if METRICS[one.metric].higher_is_better else 1),
    )
    comparable = []
    for metric in shown:
        same = [n for n in listed if n.metric == metric.name and n.comparable(protocol.name)]
        if same:
            mean = summary.headline(metric.name)
            spread = f"95 % interval {interval(metric, mean.ci95)}" if mean.ci95 else ""
            rows += [
                ("", (f"{metric.full_title}: comparable",)),
                ("ours", (f"this run ({label})", results.origin.keypoints,
                          number(metric, mean.value), metric.unit, metric.variant, spread)),
            ]  # fmt: skip
            rows += [
                ("", (n.method, n.input, number(metric, n.value), metric.unit, metric.variant,
                      n.note))
                for n in same
            ]  # fmt: skip
            comparable += same
    if others := [n for n in listed if n not in comparable]:
        rows.append(("", ("another alignment or protocol: not comparable",)))
    for own in others:
        metric = METRICS[own.metric]
        aligned = metric.full_title if own.protocol else f"{metric.title} (alignment not stated)"
        value = number(metric, own.value)
        rows.append(("other", (own.method, own.input, value, metric.unit, aligned, own.note)))
    text = (
        "Numbers of one name are comparable only under one alignment and protocol. Those of "
        "another are grey, with their alignment."
    )
    head = ("method", "input", "value", "unit", "alignment", "note")
    return Section(
        "published", "Beside published numbers", text, Table("published results", head, rows)
    )


def _distribution(errors: np.ndarray, metric: Metric) -> Section:
    errors = errors[np.isfinite(errors)].astype(np.float64)
    bad = 5 if metric.higher_is_better else 95
    marked = {
        "median": float(np.median(errors)),
        "mean": float(errors.mean()),
        f"95 % {'above' if metric.higher_is_better else 'below'}": float(
            np.percentile(errors, bad)
        ),
    }
    marks = {f"{name} {number(metric, value)}": value for name, value in marked.items()}
    spread = ", ".join(
        f"{p} %: {number(metric, float(np.percentile(errors, p)))}" for p in PERCENTS
    )
    text = (
        f"{metric.full_title} of each of {len(errors):,} poses. Percentiles in {metric.unit}: "
        f"{spread}; largest {number(metric, float(errors.max()))}. The last bar holds all beyond."
    )
    axis = _axis(metric)
    pictures = (
        _picture("How many poses", charts.histogram(errors, axis, marks), f"Histogram of {axis}"),
        _picture("Cumulative share", charts.cumulative(errors, axis), f"Cumulative {axis}"),
    )
    return Section("distribution", "Distribution over poses", text, None, pictures)


def _joints(result: ProtocolResult, label: str) -> Section:
    evaluation, skeleton = result.evaluations[label], result.poses.skeleton
    headline = result.protocol.headline
    metric = METRICS[headline if headline in JOINT_METRICS else "n_mpjpe_mm"]
    errors = zip(evaluation.joints, evaluation.joint_errors[metric.name].tolist(), strict=True)
    values = {skeleton.joints[j]: error for j, error in sorted(errors, key=lambda item: -item[1])}
    rows = [("", (name, number(metric, value))) for name, value in values.items()]
    drawn = _picture(
        "", charts.bars(values, "mean error, mm"), f"Mean error of {len(values)} joints",
        Table("joints", ("joint", "mean, mm"), rows),
    )  # fmt: skip
    text = f"Mean error of each joint over all poses; {ALIGNMENTS[metric.variant]}."
    return Section("joints", "Joints", text, None, (drawn,))


def _actions(result: ProtocolResult, label: str, metric: Metric) -> Section:
    summary = result.summaries[label]
    found: list[tuple[str, int, float, Mean]] = [
        (row.action, row.num_poses, mean.value, mean)
        for row in summary.actions
        if (mean := row.metrics[metric.name]).value is not None
    ]
    found.sort(key=lambda row: (row[2] if metric.higher_is_better else -row[2], row[0]))
    rows = [
        ("", (name, f"{poses:,}", number(metric, value), interval(metric, mean.ci95)))
        for name, poses, value, mean in found
    ]
    drawn = charts.bars(
        {name: value for name, _, value, _ in found}, _axis(metric),
        [mean.ci95 for *_, mean in found], summary.headline(metric.name).value,
    )  # fmt: skip
    head = ("action", "poses", f"mean, {metric.unit}", "95 % interval")
    text = (
        f"{metric.full_title} of each action, worst first; whiskers are 95 % intervals. The "
        f"dashed line is the headline, {AVERAGING[summary.averaging]}."
    )
    alt = f"{metric.title} of {len(found)} actions"
    return Section(
        "actions", "Actions", text, None, (_picture("", drawn, alt, Table("actions", head, rows)),)
    )


def _conditions(
    result: ProtocolResult, label: str, metric: Metric, errors: np.ndarray,
    true_deg: np.ndarray | None,
) -> Iterator[Section]:  # fmt: skip
    poses, truth = result.poses, result.evaluations[label].truth
    covariates = {
        "camera elevation, degrees (below 0 it looks down)": true_deg,
        "distance from the camera to the root, m": distance_m(poses),
        "depth extent of the true joints, mm": depth_extent_mm(truth),
        "mean speed of the joints relative to the root, m/s": speed_m_s(poses, truth),
    }
    pictures = []
    for name, column in covariates.items():
        if column is not None and (bins := charts.bin_by(column, errors)):
            rows = [
                ("", (f"{b.low:.2f} to {b.high:.2f}", f"{b.num_poses:,}", number(metric, b.mean),
                      interval(metric, (b.quarter, b.three_quarters))))
                for b in bins
            ]  # fmt: skip
            head = (name, "poses", f"mean, {metric.unit}", "middle half")
            drawn, alt = charts.trend(bins, name, _axis(metric)), f"Mean {metric.title} by {name}"
            pictures.append(_picture("", drawn, alt, Table(name, head, rows)))
    if pictures:
        text = (
            f"{metric.full_title}: mean (line) and middle half of the poses (band) in bins of "
            "about equally many poses."
        )
        yield Section("conditions", "What the error depends on", text, None, tuple(pictures))


def _elevation(learned_rad: np.ndarray | None, true_deg: np.ndarray | None) -> Iterator[Section]:
    if learned_rad is None or true_deg is None:
        return
    # The head predicts how far the camera looks *down*.
    learned = -np.degrees(learned_rad.astype(np.float64))
    off = learned - true_deg
    text = (
        f"Learned minus true elevation over {len(off):,} poses: bias {off.mean():.1f}°, standard "
        f"deviation {off.std():.1f}°, root mean square {np.sqrt((off**2).mean()):.1f}°."
    )
    names = ("true elevation, degrees", "learned elevation, degrees")
    drawn = charts.density(true_deg, learned, *names)
    picture = _picture("", drawn, "Learned against true elevation, with the line of equality")
    yield Section("elevation", "Learned elevation", text, None, (picture,))


def _gallery(result: ProtocolResult, label: str, metric: Metric) -> Section:
    evaluation, poses = result.evaluations[label], result.poses
    errors = evaluation.errors[metric.name]
    order = -errors if metric.higher_is_better else errors
    pictures = []
    for heading, rows in extremes(order, poses.clip.index, EXAMPLES).items():
        examples = [
            ExamplePose(
                poses.poses_2d[i], scaled(evaluation, i), evaluation.truth[i],
                f"{poses.clip.names[poses.clip.index[i]]}\n"
                f"{poses.camera.names[poses.camera.index[i]]}\nframe {poses.frame[i]}",
                f"{metric.title} {number(metric, float(errors[i]))} {metric.unit}",
                poses.skeleton,
            )
            for i in rows
        ]  # fmt: skip
        alt = "; ".join(f"{one.label}: {one.error}".replace("\n", ", ") for one in examples)
        pictures.append(_picture(heading, figure_poses(examples), alt))
    text = (
        f"Chosen by {metric.full_title}, of different clips where there are enough; predictions "
        "have their least-squares scale and are not rotated."
    )
    return Section("gallery", "Examples", text, None, tuple(pictures))


def _picture(caption: str, figure: Figure, alt: str, table: Table | None = None) -> Picture:
    return Picture(caption, charts.svg_address(figure), alt, table)


def _axis(metric: Metric) -> str:
    return f"{metric.title}, {metric.unit}"


def interval(metric: Metric, bounds: tuple[float, float] | None) -> str:
    """Format an interval; a dash for none."""
    if bounds is None:
        return number(metric, None)
    return f"{number(metric, bounds[0])} to {number(metric, bounds[1])}"
