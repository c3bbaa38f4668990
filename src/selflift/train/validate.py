r"""Validate a lifter without 3D truth.

``best`` is chosen by two measures that are small for a good lifter and need no 3D label:

* **bone variation**: a person's bones keep their lengths. Over all validation poses of one subject,
  the standard deviation of each bone's length over its mean (lengths taken relative to the height
  of the skeleton), averaged over bones and subjects.
* **consistency**: the mean distance between the turned body ``Y`` and its second lift ``Y_hat``.

The criterion is the logarithm of their product: lower is better, and neither term needs a weight.

**View realism** is reported beside them: the energy distance between random projections of lifted
poses and real 2D poses, size-normalised, ``2 E|f - r| - E|f - f'| - E|r - r'|`` (Szekely and
Rizzo, 2013). It is no part of the criterion: the discriminator optimises it, and it goes on falling
when a discriminator that has become too strong spoils the depths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from selflift.geometry.anatomy import knee_score
from selflift.geometry.bodies import relative_bone_lengths
from selflift.method.cycle import CycleOutput, as_seen_by_discriminator, run_cycle
from selflift.method.views import ViewSampler
from selflift.models import Lifter
from selflift.skeleton import Skeleton

ENERGY_POSES = 2048


@dataclass(frozen=True)
class Validation:
    """Results of one validation; no field needs 3D truth.

    Attributes:
        criterion: The quantity that ``best`` minimises.
        bone_variation: See the module.
        energy_distance: See the module.
        consistency_3d: Mean distance between ``Y`` and ``Y_hat``, in units of the lifter.
        knee_score: +1 when all knees bend forward, -1 when all bend backward.
        elevation_deg: Mean predicted elevation; NaN without an elevation head.
        X: Lifted validation poses, ``(N, J, 3)``, root-centred, in the virtual camera's axes.
        cycle: The cycle of the same poses, for figures.
    """

    criterion: float
    bone_variation: float
    energy_distance: float
    consistency_3d: float
    knee_score: float
    elevation_deg: float
    X: Tensor
    cycle: CycleOutput

    def scalars(self) -> dict[str, float]:
        """The finite numbers, by their names in TensorBoard and ``metrics.json``."""
        values = {
            "criterion": self.criterion,
            "bone_variation": self.bone_variation,
            "energy_distance": self.energy_distance,
            "consistency_3d": self.consistency_3d,
            "knee_score": self.knee_score,
            "elevation_deg": self.elevation_deg,
        }
        return {name: value for name, value in values.items() if math.isfinite(value)}


@torch.no_grad()
def validate(
    lifter: Lifter,
    x: Float[Tensor, "batch J 2"],
    subject: Int[Tensor, "batch"],
    views: ViewSampler,
    generator: torch.Generator,
    confidence: Float[Tensor, "batch J"] | None = None,
) -> Validation:
    """Validate a lifter on 2D poses alone.

    Args:
        lifter: In evaluation mode.
        x: Normalised validation poses, in random order.
        subject: Index of the subject of each pose.
        views: The run's view sampler.
        generator: Source of randomness; the same at every validation.
        confidence: 0 marks a missing joint; ``None`` if none is missing.
    """
    out = run_cycle(lifter, x, views, generator, confidence)
    X = out.X - out.X[:, lifter.skeleton.root : lifter.skeleton.root + 1]
    variation = bone_variation(X, subject, lifter.skeleton)
    present = None if confidence is None else (confidence > 0).to(x)
    fake = as_seen_by_discriminator(out.y, lifter.depth, "unit", present)
    real = as_seen_by_discriminator(x, lifter.depth, "unit", present)
    # Projections of one half against the other half's real poses: no pose meets itself.
    half = min(len(x) // 2, ENERGY_POSES)
    distance = energy_distance(fake[:half], real[half : 2 * half]) if half else float("nan")
    consistency = float((out.Y - out.Y_hat).norm(dim=-1).mean())
    elevation = out.elevation_rad
    return Validation(
        criterion=math.log(max(variation, 1e-12)) + math.log(max(consistency, 1e-12)),
        bone_variation=variation,
        energy_distance=distance,
        consistency_3d=consistency,
        knee_score=_knee_score(X, lifter.skeleton),
        elevation_deg=math.degrees(float(elevation.mean())) if elevation is not None else math.nan,
        X=X,
        cycle=out,
    )


def _knee_score(X: Float[Tensor, "batch J 3"], skeleton: Skeleton) -> float:
    known = bool(skeleton.legs) and bool(X.isfinite().all())
    return knee_score(X, skeleton) if known else math.nan


def bone_variation(
    X: Float[Tensor, "batch J 3"], subject: Int[Tensor, "batch"], skeleton: Skeleton
) -> float:
    """Mean coefficient of variation of each subject's relative bone lengths.

    Args:
        X: Lifted poses.
        subject: Index of the subject of each pose. Subjects with a single pose are skipped; if
            there are no others, the poses count as one subject's.
        skeleton: The layout.
    """
    lengths = relative_bone_lengths(X, skeleton)
    values = []
    for one in subject.unique():
        own = lengths[subject == one]
        if len(own) > 1:
            values.append((own.std(0) / own.mean(0).clamp_min(1e-12)).mean())
    if not values:
        return bone_variation(X, torch.zeros_like(subject), skeleton)
    return float(torch.stack(values).mean())


def energy_distance(a: Float[Tensor, "n J 2"], b: Float[Tensor, "m J 2"]) -> float:
    """Energy distance between two samples of poses; 0 for the same distribution.

    Unbiased: a pose is not compared with itself.
    """
    a, b = a.flatten(1), b.flatten(1)
    n, m = len(a), len(b)
    within_a = torch.cdist(a, a).sum() / (n * (n - 1))
    within_b = torch.cdist(b, b).sum() / (m * (m - 1))
    return float(2 * torch.cdist(a, b).mean() - within_a - within_b)
