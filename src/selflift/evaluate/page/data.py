"""What the report page shows, as plain values: numbers, texts and NumPy arrays.

Whoever builds it has evaluated already; nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from selflift.evaluate.catalogue import Metric
from selflift.skeleton import Skeleton

AVERAGING = {
    "actions": "mean over actions (of each action's mean over its poses)",
    "frames": "mean over all poses",
}


@dataclass(frozen=True)
class Result:
    """One number of this run.

    Attributes:
        metric: What it is; its variant is printed beside it.
        value: Under the page's averaging.
        ci95: Its 95 % interval, if there is one.
        per_frame: The mean over all poses.
        excluded: Poses that the metric isn't defined for.
    """

    metric: Metric
    value: float
    ci95: tuple[float, float] | None = None
    per_frame: float | None = None
    excluded: int = 0


@dataclass(frozen=True)
class PublishedResult:
    """One number from the literature.

    Attributes:
        metric: What it is, in the terms of this package; the nearest one if none is the same.
        method: Who reports it.
        value: In the metric's unit.
        input: The 2D poses it was obtained from, e.g. ``"GT"`` or ``"detected"``.
        note: Source, or what else differs.
        comparable: Whether it was obtained under the same protocol and alignment as this run's
            number of the same metric.
        alignment: How poses were aligned, where that isn't the metric's variant or isn't known.
    """

    metric: Metric
    method: str
    value: float
    input: str = ""
    note: str = ""
    comparable: bool = False
    alignment: str | None = None


@dataclass(frozen=True)
class ActionResult:
    """The headline metric's mean over the poses of one action, with its 95 % interval."""

    action: str
    num_poses: int
    value: float
    ci95: tuple[float, float] | None = None


@dataclass(frozen=True)
class Covariates:
    """What may explain an error, per pose, ``(N,)`` each; NaN where it isn't known.

    Attributes:
        elevation_deg: True elevation of the line from the camera to the person; below 0 where the
            camera looks down.
        distance_m: From the camera to the person's root.
        depth_extent_mm: Range of the truth's depths over the joints.
        speed_m_s: Mean speed of the joints relative to the root.
    """

    elevation_deg: np.ndarray | None = None
    distance_m: np.ndarray | None = None
    depth_extent_mm: np.ndarray | None = None
    speed_m_s: np.ndarray | None = None


@dataclass(frozen=True)
class Elevation:
    """The elevation that the lifter predicts and the camera's, per pose, ``(N,)`` degrees.

    Both of one sign convention. NaN where one of them isn't known.
    """

    learned_deg: np.ndarray
    true_deg: np.ndarray


@dataclass(frozen=True)
class Example:
    """A pose of the gallery.

    Attributes:
        pose_2d: Input in pixels, ``(J, 2)``; NaN where a joint is missing.
        prediction: Root-centred, camera axes, mm at the scale it is compared at, ``(J, 3)``.
        truth: Root-centred, camera axes, mm, ``(J, 3)``.
        label: Which pose it is, one short line.
        error: Its error with name and unit, e.g. ``"PA-MPJPE 45.2 mm"``.
    """

    pose_2d: np.ndarray
    prediction: np.ndarray
    truth: np.ndarray
    label: str
    error: str


@dataclass(frozen=True)
class PageData:
    """Everything on the page.

    Attributes:
        title: The page's.
        run: Name of the run.
        checkpoint: Path of the checkpoint.
        data: What it was evaluated on.
        input: The kind of its 2D poses, e.g. ``"GT"`` or ``"detected"``.
        protocol: Name of the protocol.
        protocol_about: The protocol in a line.
        alignment: What was aligned how before errors were taken, as sentences: the tables' caption.
        averaging: ``"actions"`` or ``"frames"``, see :data:`AVERAGING`.
        headline: Name of the metric among ``results`` that the page is about.
        results: This run's numbers, in the order of the table.
        errors: The headline metric of each pose, ``(N,)``; NaN where it excludes one.
        skeleton: The layout.
        published: Numbers of others.
        per_joint_mm: Mean error of each scored joint.
        per_joint_alignment: The alignment under which those were taken.
        actions: The headline metric of each action.
        covariates: What errors are drawn against.
        elevation: If the lifter has learned one and the cameras are known.
        gallery: Heading -> examples, e.g. of ``"best"``, ``"median"`` and ``"worst"``.
        gallery_about: How the examples were chosen, and how predictions were aligned for drawing,
            as sentences.
        notes: What a reader has to know before the numbers, e.g. that the lifter is mirrored.
        versions: Program -> version.
        command: What was run.
    """

    title: str
    run: str
    checkpoint: str
    data: str
    input: str
    protocol: str
    protocol_about: str
    alignment: str
    averaging: str
    headline: str
    results: Sequence[Result]
    errors: np.ndarray
    skeleton: Skeleton
    published: Sequence[PublishedResult] = ()
    per_joint_mm: Mapping[str, float] = field(default_factory=dict)
    per_joint_alignment: str = ""
    actions: Sequence[ActionResult] = ()
    covariates: Covariates = field(default_factory=Covariates)
    elevation: Elevation | None = None
    gallery: Mapping[str, Sequence[Example]] = field(default_factory=dict)
    gallery_about: str = ""
    notes: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""

    @property
    def headline_result(self) -> Result:
        """The result that the page is about."""
        return next(r for r in self.results if r.metric.name == self.headline)

    @property
    def metrics(self) -> dict[str, Metric]:
        """Every metric that is named on the page, by its name."""
        named = [r.metric for r in self.results]
        named += [p.metric for p in self.published if p.alignment is None]
        # The first one to use a name has the run's own wording of the variant.
        first: dict[str, Metric] = {}
        for metric in named:
            first.setdefault(metric.name, metric)
        return first
