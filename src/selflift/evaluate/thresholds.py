r"""PCK and AUC: how many joints come near enough to the truth, in percent, one number per pose.

* :func:`pck`: the joints whose error is *below* a threshold, 150 mm by custom.
* :func:`auc`: the mean of that over the thresholds 0, 5, ..., 150 mm. Nothing is below 0, so that a
  perfect prediction has 30 / 31 = 96.8 %, as in the benchmark.

Both take the errors of the joints after any alignment
(:func:`selflift.evaluate.metrics.distances`); the alignment belongs to the name of the number.
They run over the joints that are given. A root that is zero on both sides counts as found; some
editions of the benchmark's script leave it, the spine and the head's middle out and average over
14 joints: give those columns to compare.

Source: MPI-INF-3DHP's test set, ``mpii_compute_3d_pck.m`` (``error < threshold``, ``0:5:150``).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

PCK_THRESHOLD_MM = 150.0
AUC_THRESHOLDS_MM = tuple(5.0 * k for k in range(31))


def pck(
    distances: Float[Tensor, "N J"], threshold_mm: float = PCK_THRESHOLD_MM
) -> Float[Tensor, "N"]:
    """Percentage of correct keypoints: those with an error strictly below the threshold.

    Args:
        distances: Error of every joint in mm.
        threshold_mm: The least error that is too much, in mm.

    Returns:
        Percent of the joints, for each pose.

    Raises:
        ValueError: If there is no error to count, one is NaN, infinite or below 0, or the
            threshold is not a number above 0.
    """
    if not (math.isfinite(threshold_mm) and threshold_mm > 0):
        raise ValueError(
            f"threshold_mm: expected a length above 0, got {threshold_mm}; the field's is "
            f"{PCK_THRESHOLD_MM:g}"
        )
    _check(distances)
    return 100 * (distances < threshold_mm).to(distances.dtype).mean(-1)


def auc(distances: Float[Tensor, "N J"]) -> Float[Tensor, "N"]:
    """Area under the curve of PCK: its mean over :data:`AUC_THRESHOLDS_MM`.

    Args:
        distances: Error of every joint in mm.

    Returns:
        Percent, for each pose; 96.8 at most.

    Raises:
        ValueError: If there is no error to count, or one is NaN, infinite or below 0.
    """
    _check(distances)
    thresholds = distances.new_tensor(AUC_THRESHOLDS_MM)
    # A binary search per joint instead of 31 comparisons: it finds how many thresholds are at or
    # below the error, without arithmetic that could round an error across one.
    missed = torch.bucketize(distances, thresholds, right=True, out_int32=True)
    passed = (len(AUC_THRESHOLDS_MM) - missed).to(distances.dtype)
    return 100 * passed.mean(-1) / len(AUC_THRESHOLDS_MM)


def _check(distances: Float[Tensor, "N J"]) -> None:
    if distances.numel() == 0:
        raise ValueError(
            f"thresholds: expected the errors of at least one joint, got none ({len(distances)} "
            "poses)"
        )
    bad = ~(torch.isfinite(distances) & (distances >= 0)).all(-1)
    if bool(bad.any()):
        raise ValueError(
            f"thresholds: expected finite errors of at least 0 mm, got others in {int(bad.sum())} "
            f"of {len(distances)} poses (first: pose {int(bad.int().argmax())}); drop such poses"
        )
