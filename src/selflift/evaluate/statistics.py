"""Statistics of errors: means with intervals, differences of two models, spread over seeds.

Two means stand side by side: *over actions*, the field's custom, is the mean over the poses of each
action, then over the actions; *over frames* is the mean over all poses. Intervals are bootstrap
intervals over clips (:mod:`selflift.evaluate.bootstrap`). They measure how much the number owes to
the clips at hand, not to other persons nor to other trainings of the same model
(:func:`over_seeds`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from selflift.data.pose_set import Labels
from selflift.evaluate.bootstrap import Cells, draw, interval
from selflift.evaluate.catalogue import METRICS
from selflift.evaluate.protocols import AVERAGING
from selflift.evaluate.summary import (
    ActionSummary,
    Comparison,
    Difference,
    Mean,
    MetricSummary,
    SeedScore,
    SeedSummary,
    Summary,
)

# Percentiles of fewer resamples would be noise.
MIN_RESAMPLES = 100
UNNAMED = "(unnamed)"
Names = Labels | np.ndarray | Sequence[str]


def summarise(
    errors: Mapping[str, np.ndarray],
    actions: Names,
    clips: Names,
    averaging: str,
    seed: int = 0,
    resamples: int = 2000,
    protocol: str = "plain",
) -> Summary:
    """Means of every metric, with intervals.

    Args:
        errors: Errors of each pose by metric, ``(N,)``; NaN where it can't be scored.
        actions: Each pose's action; a number at its end, as in ``"Walking 1"``, is left off.
        clips: Each pose's clip, by name or number; its cameras have one clip together.
        averaging: Which mean leads, ``"actions"`` or ``"frames"``.
        seed: Of the resampling; the same seed gives the same intervals.
        resamples: How many.
        protocol: Name of the protocol that chose the poses.

    Raises:
        ValueError: If there is no pose or no metric, lengths differ, an error is infinite, or an
            option is out of range.
    """
    names, cells = _cells(errors, actions, clips, averaging, resamples)
    valid = {key: ~np.isnan(column) for key, column in errors.items()}
    counts = {key: cells.total(mask) for key, mask in valid.items()}
    # Metrics that score the same cells share their resamples, and the work of drawing them.
    groups: dict[bytes, list[str]] = {}
    for key, column in counts.items():
        groups.setdefault((column > 0).tobytes(), []).append(key)
    metrics, by_action = {}, {}
    for keys in groups.values():
        n = np.stack([counts[key] for key in keys], 1)
        filled = [np.where(valid[key], errors[key], 0.0) for key in keys]
        sums = np.stack([cells.total(column) for column in filled], 1)
        draws = draw(cells, sums, n, seed, resamples)
        each, over_actions, over_frames = _means(cells, sums, n)
        drawn = None if _shared(cells) else draws.over_actions
        for m, key in enumerate(keys):
            metrics[key] = MetricSummary(
                _mean(over_actions[m], drawn, m),
                _mean(over_frames[m], draws.over_frames, m),
                int((~valid[key]).sum()),
            )
            by_action[key] = [_mean(each[a, m], draws.actions[a], m) for a in range(len(names))]
    poses = np.bincount(cells.action, cells.total(np.ones(len(cells.of_pose))))
    return Summary(
        protocol,
        averaging,
        len(cells.of_pose),
        len(np.unique(cells.clip)),
        resamples,
        {key: metrics[key] for key in errors},
        tuple(
            ActionSummary(
                name, int(poses[a]), int((cells.action == a).sum()),
                {key: by_action[key][a] for key in errors},
            )
            for a, name in enumerate(names)
        ),
    )  # fmt: skip


def compare(
    errors_a: Mapping[str, np.ndarray],
    errors_b: Mapping[str, np.ndarray],
    actions: Names,
    clips: Names,
    averaging: str,
    seed: int = 0,
    resamples: int = 2000,
) -> Comparison:
    """Compare model b with model a on the same poses and in the same resamples.

    Arguments are those of :func:`summarise`; both models' errors are in the same order.

    Raises:
        ValueError: If the numbers of poses or the metrics of the two differ, or as
            :func:`summarise`.
    """
    if {len(c) for c in errors_a.values()} != {len(c) for c in errors_b.values()}:
        raise ValueError(
            "compare: expected the errors of two models on the same poses, got those of different "
            "poses; evaluate both on one set by one protocol"
        )
    if set(errors_a) != set(errors_b) or not set(errors_a) <= set(METRICS):
        raise ValueError(
            f"compare: expected the same metrics of {', '.join(METRICS)} for both, got "
            f"{', '.join(errors_a)} and {', '.join(errors_b)}"
        )
    both = {**errors_a, **{f"{key} of b": column for key, column in errors_b.items()}}
    _, cells = _cells(both, actions, clips, averaging, resamples)
    metrics = {}
    for key in errors_a:
        pair = np.stack([errors_a[key], errors_b[key]], 1)
        valid = ~np.isnan(pair).any(1)
        n = np.stack([cells.total(valid)] * 2, 1)
        sums = np.stack([cells.total(np.where(valid, pair[:, m], 0.0)) for m in (0, 1)], 1)
        draws = draw(cells, sums, n, seed, resamples)
        _, over_actions, over_frames = _means(cells, sums, n)
        a, b = over_actions if averaging == "actions" else over_frames
        drawn = draws.over_actions if averaging == "actions" else draws.over_frames
        if averaging == "actions" and _shared(cells):
            drawn = None
        if np.isnan(a):
            metrics[key] = Difference(None, None, None, None, None, int((~valid).sum()))
            continue
        ci95 = share = None
        if drawn is not None:
            change = drawn[:, 1] - drawn[:, 0]
            ci95 = interval(change)
            share = float((change > 0 if METRICS[key].higher_is_better else change < 0).mean())
        metrics[key] = Difference(
            float(a), float(b), float(b - a), ci95, share, int((~valid).sum())
        )
    return Comparison(averaging, len(cells.of_pose), len(np.unique(cells.clip)), resamples, metrics)


def over_seeds(summaries: Sequence[Summary]) -> SeedSummary:
    """Mean and spread of the leading means over trainings that differ in their seed.

    Args:
        summaries: One of each training, at least two.

    Raises:
        ValueError: If there are fewer than two, or they are of different protocols, ways of
            averaging, poses or metrics.
    """
    if len(summaries) < 2:
        raise ValueError(
            f"seeds: expected at least two summaries, which a spread needs, got {len(summaries)}"
        )
    first = summaries[0]
    for summary in summaries[1:]:
        for what in ("protocol", "averaging", "num_poses", "num_clips", "metrics"):
            a, b = (
                sorted(s.metrics) if what == "metrics" else getattr(s, what)
                for s in (first, summary)
            )
            if a != b:
                raise ValueError(
                    f"seeds: expected summaries with the same {what}, got {a} and {b}; evaluate "
                    "all on one set by one protocol"
                )
    scores = {}
    for key in first.metrics:
        values = tuple(summary.headline(key).value for summary in summaries)
        known = [value for value in values if value is not None]
        whole = len(known) == len(values)
        scores[key] = SeedScore(
            float(np.mean(known)) if whole else None,
            float(np.std(known, ddof=1)) if whole else None,
            values,
        )
    return SeedSummary(
        first.protocol, first.averaging, first.num_poses, first.num_clips, len(summaries), scores
    )


def _cells(
    errors: Mapping[str, np.ndarray], actions: Names, clips: Names, averaging: str, resamples: int
) -> tuple[list[str], Cells]:
    """Check the input; find the actions' names, and each pose's action and clip."""
    if averaging not in AVERAGING:
        raise ValueError(f"averaging: expected one of {', '.join(AVERAGING)}, got '{averaging}'")
    if resamples < MIN_RESAMPLES:
        raise ValueError(f"resamples: expected at least {MIN_RESAMPLES}, got {resamples}")
    action = _labels(actions)
    clip = _labels(clips)
    n = len(action.index)
    lengths = {"clips": len(clip.index), **{key: len(column) for key, column in errors.items()}}
    if n == 0 or not errors:
        raise ValueError("errors: expected at least one pose and one metric, got none")
    for key, length in lengths.items():
        if length != n:
            raise ValueError(f"{key}: expected one for each of {n} poses, got {length}")
    for key, column in errors.items():
        if np.isinf(column).any():
            raise ValueError(
                f"{key}: expected finite errors, or NaN for a pose that can't be scored, got "
                f"{int(np.isinf(column).sum())} infinite ones"
            )
    plain = [re.sub(r"\s+\d+$", "", name.strip()) or UNNAMED for name in action.names]
    names = sorted({plain[i] for i in np.unique(action.index)})
    number = np.array([names.index(name) if name in names else -1 for name in plain])
    _, of_clip = np.unique(clip.index, return_inverse=True)
    return names, Cells.of(number[action.index], of_clip.reshape(-1))


def _shared(cells: Cells) -> bool:
    """True if a clip holds several actions: drawn by action, it would count several times.

    The interval of the mean over actions would be far too narrow, so there is none.
    """
    return len(np.unique(cells.clip)) < len(cells.clip)


def _labels(values: Names) -> Labels:
    return values if isinstance(values, Labels) else Labels.of([str(value) for value in values])


def _means(
    cells: Cells, sums: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each action's means ``(A, M)``, their mean ``(M,)`` and the mean over poses ``(M,)``."""
    total = np.zeros((2, cells.num_actions, sums.shape[1]))
    np.add.at(total[0], cells.action, sums)
    np.add.at(total[1], cells.action, counts)
    frames = total.sum(1)
    with np.errstate(invalid="ignore"):
        each = total[0] / total[1]
        return each, each.mean(0), frames[0] / frames[1]


def _mean(value: float, draws: np.ndarray | None, column: int) -> Mean:
    if np.isnan(value):
        return Mean(None, None)
    return Mean(float(value), None if draws is None else interval(draws[:, column]))
