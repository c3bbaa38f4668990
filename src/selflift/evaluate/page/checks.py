"""What the page refuses to show: numbers that are missing, unordered, or contradict each other.

A headline has to be the mean of the errors and actions that are drawn below it.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from selflift.evaluate.page.data import AVERAGING, PageData
from selflift.evaluate.page.definitions import DEFINITIONS

# How far two ways of summing may lie apart.
ROUNDING = 1e-4


def check(data: PageData) -> None:
    """Refuse a page that would mislead.

    Args:
        data: What the page is to show.

    Raises:
        ValueError: If a number is missing, infinite or without a definition, an array is of
            another length, or the headline is an oracle's or not the mean of what is drawn.
    """
    _check_results(data)
    _check_errors(data)
    _check_parts(data)


def _check_results(data: PageData) -> None:
    if data.averaging not in AVERAGING:
        raise ValueError(
            f"page: expected averaging to be one of {', '.join(AVERAGING)}, got '{data.averaging}'"
        )
    names = [result.metric.name for result in data.results]
    if len(set(names)) < len(names) or data.headline not in names:
        raise ValueError(
            f"page: expected results of different metrics with the headline '{data.headline}' "
            f"among them, got {', '.join(names) or 'none'}; give one result per metric"
        )
    if data.headline_result.metric.oracle:
        raise ValueError(
            f"page: expected a headline that doesn't use the truth, got '{data.headline}', an "
            "oracle's; choose another metric as headline"
        )
    undefined = sorted(set(data.metrics) - set(DEFINITIONS))
    if undefined:
        raise ValueError(
            f"page: expected metrics with a definition, got {', '.join(undefined)}; add them "
            "to selflift.evaluate.page.definitions"
        )
    for published in data.published:
        if published.comparable and published.alignment is not None:
            raise ValueError(
                f"page: expected comparable numbers to have their metric's alignment, got "
                f"'{published.alignment}' of {published.method}; mark it as not comparable"
            )
        if published.comparable and published.metric.name not in names:
            raise ValueError(
                f"page: expected a number of this run beside '{published.metric.name}' of "
                f"{published.method}, got none; give it, or mark the row as not comparable"
            )
    for where, value, ci95 in _numbers(data):
        low, high = ci95 or (value, value)
        if not (np.isfinite([value, low, high]).all() and low <= high):
            raise ValueError(
                f"page: expected a finite number with an ordered interval for {where}, got "
                f"{value} [{low}, {high}]; leave out what couldn't be computed"
            )


def _numbers(data: PageData) -> list[tuple[str, float, tuple[float, float] | None]]:
    return [
        *((r.metric.name, r.value, r.ci95) for r in data.results),
        *(
            (f"{r.metric.name} per frame", r.per_frame, None)
            for r in data.results
            if r.per_frame is not None
        ),
        *((p.method, p.value, None) for p in data.published),
        *((a.action, a.value, a.ci95) for a in data.actions),
        *((joint, value, None) for joint, value in data.per_joint_mm.items()),
    ]


def _check_errors(data: PageData) -> None:
    headline, scored = data.headline_result, data.errors[np.isfinite(data.errors)]
    missing = int(np.isnan(data.errors).sum())
    infinite = data.errors.size - missing - len(scored)
    if data.errors.ndim != 1 or infinite or len(scored) == 0 or scored.min() < 0:
        raise ValueError(
            f"page: expected errors of shape (N,), at least 0 or NaN, one of them a number, "
            f"got {len(scored)} numbers in an array of shape {data.errors.shape}; give one "
            "error per pose"
        )
    if missing != headline.excluded:
        raise ValueError(
            f"page: expected {headline.excluded} errors that are NaN, as '{data.headline}' "
            f"excludes so many, got {missing}; count what is left out"
        )
    means = {"per-frame value": (headline.per_frame, float(scored.mean(dtype=np.float64)))}
    if data.averaging == "frames":
        means["value"] = (headline.value, means["per-frame value"][1])
    elif data.actions:
        means["value"] = (headline.value, float(np.mean([a.value for a in data.actions])))
    for name, (given, mean) in means.items():
        if given is not None and abs(given - mean) > ROUNDING * max(abs(mean), 1.0):
            raise ValueError(
                f"page: expected the {name} of '{data.headline}' to be the mean of what the "
                f"page shows, {mean:.6g}, got {given:.6g}; give errors and actions of this "
                "metric"
            )


def _check_parts(data: PageData) -> None:
    columns = {f.name: getattr(data.covariates, f.name) for f in fields(data.covariates)}
    if data.elevation is not None:
        columns |= {f.name: getattr(data.elevation, f.name) for f in fields(data.elevation)}
    for name, column in columns.items():
        if column is not None and (column.shape != data.errors.shape or np.isinf(column).any()):
            raise ValueError(
                f"page: expected {name} of shape {data.errors.shape}, finite or NaN, got "
                f"{column.shape} with {int(np.isinf(column).sum())} infinite; give one value "
                "per pose"
            )
    unknown = sorted(set(data.per_joint_mm) - set(data.skeleton.joints))
    if unknown:
        raise ValueError(
            f"page: expected joints of the skeleton '{data.skeleton.name}', got "
            f"{', '.join(unknown)}; name its joints"
        )
    for example in (e for examples in data.gallery.values() for e in examples):
        joints = data.skeleton.num_joints
        for name, width in (("pose_2d", 2), ("prediction", 3), ("truth", 3)):
            pose = getattr(example, name)
            drawable = np.isfinite(pose).all() or (width == 2 and np.isfinite(pose).any())
            if pose.shape != (joints, width) or not drawable:
                raise ValueError(
                    f"page: expected {name} of '{example.label}' of shape ({joints}, {width}), "
                    f"finite, got {pose.shape}; give poses of the skeleton "
                    f"'{data.skeleton.name}'"
                )
