"""Containers of :mod:`selflift.evaluate.statistics`: summary, comparison, spread over seeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Mean:
    """A mean and the percentile interval of its bootstrap over clips.

    Attributes:
        value: ``None`` if no pose could be scored (over actions: in one of the actions).
        ci95: ``None`` if there are too few clips to draw from or, over actions, a clip holds
            several actions.
    """

    value: float | None
    ci95: tuple[float, float] | None


@dataclass(frozen=True)
class MetricSummary:
    """One metric.

    Attributes:
        over_actions: Mean over the poses of each action, then over the actions.
        over_frames: Mean over all poses.
        excluded: Poses that could not be scored (NaN).
    """

    over_actions: Mean
    over_frames: Mean
    excluded: int


@dataclass(frozen=True)
class ActionSummary:
    """One action: how many poses and clips it has, and each metric's mean over its poses."""

    action: str
    num_poses: int
    num_clips: int
    metrics: dict[str, Mean]


@dataclass(frozen=True)
class Summary:
    """The numbers of one model on one set.

    Attributes:
        protocol: Name of the protocol that chose the poses.
        averaging: Which of the two means leads, ``"actions"`` or ``"frames"``.
        num_poses: Poses, excluded ones among them.
        num_clips: Clips; all cameras of a clip are one.
        resamples: Resamples behind the intervals.
        metrics: By the keys of :data:`selflift.evaluate.catalogue.METRICS`.
        actions: By name, in alphabetic order.
    """

    protocol: str
    averaging: str
    num_poses: int
    num_clips: int
    resamples: int
    metrics: dict[str, MetricSummary]
    actions: tuple[ActionSummary, ...]

    def headline(self, metric: str) -> Mean:
        """The mean of a metric that leads."""
        found = self.metrics[metric]
        return found.over_actions if self.averaging == "actions" else found.over_frames

    @property
    def single_clip_actions(self) -> tuple[str, ...]:
        """Actions of a single clip, whose own variation can't be known."""
        return tuple(row.action for row in self.actions if row.num_clips == 1)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; of every metric also the leading ``value`` and ``ci95``."""
        table = asdict(self)
        for name, entry in table["metrics"].items():
            table["metrics"][name] = {**asdict(self.headline(name)), **entry}
        table["actions"] = list(table["actions"])
        return _plain(table)


@dataclass(frozen=True)
class Difference:
    """One metric of two models on the same poses.

    Attributes:
        a: Mean of the first.
        b: Mean of the second.
        difference: ``b - a``; negative where b has the smaller error.
        ci95: Its paired bootstrap interval; ``None`` if there are too few clips.
        share_b_better: In which share of the resamples b is strictly better, 0 to 1; ``None`` as
            for ``ci95``.
        excluded: Poses that could not be scored with one of the two, left out of both.
    """

    a: float | None
    b: float | None
    difference: float | None
    ci95: tuple[float, float] | None
    share_b_better: float | None
    excluded: int


@dataclass(frozen=True)
class Comparison:
    """Two models on the same poses, metric by metric."""

    averaging: str
    num_poses: int
    num_clips: int
    resamples: int
    metrics: dict[str, Difference]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return _plain(asdict(self))


@dataclass(frozen=True)
class SeedScore:
    """One metric over trainings that differ in their seed only.

    Attributes:
        mean: Of the leading means; ``None`` if one of them is.
        std: Sample standard deviation (n - 1).
        values: Each training's, in the order given.
    """

    mean: float | None
    std: float | None
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class SeedSummary:
    """The numbers of several trainings of one model on one set."""

    protocol: str
    averaging: str
    num_poses: int
    num_clips: int
    num_seeds: int
    metrics: dict[str, SeedScore]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return _plain(asdict(self))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (tuple, list)) else value
