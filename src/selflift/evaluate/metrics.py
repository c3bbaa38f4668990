r"""Errors of predicted 3D poses, one number per pose, in millimetres.

Every error is a mean over joints of ``|P_j - T_j|``; the variants differ in how the prediction is
aligned to the truth first, and only numbers of the same variant can be compared:

* :func:`mpjpe`: not at all. Both poses are root-centred by the caller, and the prediction's scale
  counts. :func:`mpjpe_train_scale`: one scale for everybody, known from training.
* :func:`n_mpjpe`: least-squares scale ``<P, T> / <P, P>`` about the root.
  :func:`n_mpjpe_norm`: the ratio of norms ``|T| / |P|``, for which others use the same name.
* :func:`pa_mpjpe`: similarity Procrustes; proper (a rotation), or with reflection, which hides a
  pose that is mirrored in depth.
* :func:`depth_flip_mpjpe`: an oracle, the better of a pose and its mirror image in depth.

:func:`pck` and :func:`auc` count joints that come near enough to the truth, in percent, after any
alignment, which belongs to the name of the number.

The mean runs over all joints of the layout, a root that is zero on both sides included, as is the
field's custom. A pose that can't be scored raises ``ValueError`` (:func:`mpjpe`): no error is ever
0 by default. Half precision is scored in float32.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.geometry.align import procrustes, scale_norm
from selflift.geometry.align import scale_fit as scale_lsq
from selflift.geometry.precision import least_size, widened

# Poses are of a size so many times further from where squares over- and underflow.
LEAST_SIZES = 1e4
PCK_THRESHOLD_MM = 150.0
AUC_THRESHOLDS_MM = tuple(5.0 * k for k in range(31))


def distances(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]
) -> Float[Tensor, "N J"]:
    """Position error of every joint, without any alignment.

    Raises:
        ValueError: As :func:`mpjpe`.
    """
    check_scorable(prediction, target)
    return _distances(prediction, target)


def mpjpe(prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]) -> Float[Tensor, "N"]:
    """Mean per-joint position error without any alignment.

    Args:
        prediction: Root-centred predictions in mm.
        target: Root-centred truth in mm, in the same axes.

    Returns:
        Error of each pose in mm.

    Raises:
        ValueError: If there is no pose, a value is NaN or infinite, or a pose has all joints in
            one point, or is too large or too small for its square to be a number.
    """
    return distances(prediction, target).mean(-1)


def mpjpe_train_scale(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"], mm_per_unit: float
) -> Float[Tensor, "N"]:
    """Error when every prediction is scaled by one constant of the training set.

    Args:
        prediction: Root-centred predictions in the lifter's own unit.
        target: Root-centred truth in mm, in the same axes.
        mm_per_unit: The lifter's unit in mm, from :func:`training_scale` on *training* poses.

    Returns:
        Error of each pose in mm.

    Raises:
        ValueError: As :func:`mpjpe`, or if the constant is not a number above 0.
    """
    if not (math.isfinite(mm_per_unit) and mm_per_unit > 0):
        raise ValueError(
            f"mm_per_unit: expected a finite number above 0, got {mm_per_unit}; fit it to the "
            "training set with selflift.evaluate.metrics.training_scale"
        )
    check_scorable(prediction, target)
    prediction, target = widened(prediction, target)
    return _distances(mm_per_unit * prediction, target).mean(-1)


def training_scale(prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]) -> float:
    """The one constant ``s`` that minimises ``sum |s P - T|^2`` over a set.

    Its 3D truth is used, so the set must be the training set: fitted to the poses that are scored,
    the constant makes an oracle of the error.

    Args:
        prediction: Root-centred predictions in the lifter's own unit.
        target: Root-centred truth in mm, in the same axes.

    Returns:
        ``sum <P, T> / sum <P, P>`` in mm per unit.

    Raises:
        ValueError: As :func:`mpjpe`, or if no constant above 0 fits.
    """
    check_scorable(prediction, target)
    # Sums over a whole set lose digits in single precision, sums over one pose don't.
    prediction, target = widened(prediction, target)
    overlap = float((prediction * target).sum((-2, -1)).double().sum())
    power = float((prediction * prediction).sum((-2, -1)).double().sum())
    if not overlap > 0:
        raise ValueError(
            "training_scale: expected predictions that resemble the truth, got a best factor of "
            f"{overlap / power:.4g}; check that both are in the same camera's axes"
        )
    return overlap / power


def n_mpjpe(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]
) -> Float[Tensor, "N"]:
    """Error after each prediction got its least-squares scale, ``<P, T> / <P, P>``.

    Others call N-MPJPE what uses the ratio of norms (:func:`n_mpjpe_norm`), or the true size of
    the person; their numbers differ.

    Predictions are root-centred, in any unit.
    """
    check_scorable(prediction, target)
    return _distances(scale_lsq(prediction, target), target).mean(-1)


def n_mpjpe_norm(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]
) -> Float[Tensor, "N"]:
    """Error after each prediction got the norm of its truth: ElePose's and LInKs' N-MPJPE.

    Predictions are root-centred, in any unit.

    Source: bastianwandt/ElePose, ``utils/metrics_batch.py``.
    """
    check_scorable(prediction, target)
    return _distances(scale_norm(prediction, target), target).mean(-1)


def pa_mpjpe(
    prediction: Float[Tensor, "N J 3"],
    target: Float[Tensor, "N J 3"],
    reflection: bool = False,
) -> Float[Tensor, "N"]:
    """Error after the best similarity transform (Procrustes).

    Args:
        prediction: Predictions, any unit, axes and origin.
        target: Truth in mm.
        reflection: Whether a mirror image may be used where it fits better; such numbers must not
            be compared with proper ones.

    Returns:
        Error of each pose in mm.

    Raises:
        ValueError: As :func:`mpjpe`.
    """
    check_scorable(prediction, target)
    return _distances(procrustes(prediction, target, reflection), target).mean(-1)


def depth_flip_mpjpe(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]
) -> Float[Tensor, "N"]:
    """An oracle: the smaller error of a pose and of its mirror image in depth.

    The truth chooses, pose by pose, between ``P`` and ``P`` with ``z`` negated about the root, each
    after its least-squares scale: never a headline.

    Differs from C3DPO's ``EVAL_MPJPE_best``: there the choice is the same, but the scale is the
    true one of the sample, known from the dataset; here no method needs it.

    Predictions are root-centred, in any unit.

    Source: facebookresearch/c3dpo_nrsfm, ``dataset/eval_zoo.py``, ``calc_3d_errs``.
    """
    flipped = prediction * prediction.new_tensor([1.0, 1.0, -1.0])
    return torch.minimum(n_mpjpe(prediction, target), n_mpjpe(flipped, target))


def pck(
    distances: Float[Tensor, "N J"], threshold_mm: float = PCK_THRESHOLD_MM
) -> Float[Tensor, "N"]:
    """Percentage of correct keypoints: those with an error strictly below the threshold.

    A root that is zero on both sides counts as found; some editions of the benchmark's script
    leave it, the spine and the head's middle out: give the columns of its 14 joints to compare.

    Args:
        distances: Error of every joint in mm.
        threshold_mm: The least error that is too much, in mm.

    Returns:
        Percent of the joints, for each pose.

    Raises:
        ValueError: If there is no error to count, one is NaN, infinite or below 0, or the
            threshold is not a number above 0.

    Source: MPI-INF-3DHP's test set, ``mpii_compute_3d_pck.m`` (``error < threshold``).
    """
    if not (math.isfinite(threshold_mm) and threshold_mm > 0):
        raise ValueError(
            f"threshold_mm: expected a length above 0, got {threshold_mm}; the field's is "
            f"{PCK_THRESHOLD_MM:g}"
        )
    _check_distances(distances)
    return 100 * (distances < threshold_mm).to(distances.dtype).mean(-1)


def auc(distances: Float[Tensor, "N J"]) -> Float[Tensor, "N"]:
    """Area under the curve of PCK, percent: its mean over :data:`AUC_THRESHOLDS_MM`.

    Nothing is below 0 mm, so that a perfect prediction has 30 / 31 = 96.8 %, as in the benchmark.
    """
    _check_distances(distances)
    thresholds = distances.new_tensor(AUC_THRESHOLDS_MM)
    # A binary search per joint instead of 31 comparisons: it finds how many thresholds are at or
    # below the error, without arithmetic that could round an error across one.
    missed = torch.bucketize(distances, thresholds, right=True, out_int32=True)
    passed = (len(AUC_THRESHOLDS_MM) - missed).to(distances.dtype)
    return 100 * passed.mean(-1) / len(AUC_THRESHOLDS_MM)


def check_scorable(prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]) -> None:
    """Raise for poses that can't be scored.

    Raises:
        ValueError: As :func:`mpjpe`.
    """
    if len(prediction) == 0:
        raise ValueError("metrics: expected at least one pose, got none")
    given = zip(("predictions", "true poses"), widened(prediction, target), strict=True)
    for name, poses in given:
        # The largest value of a pose is NaN or Inf if any of its values is.
        largest = poses.abs().amax((-2, -1))
        bad = ~torch.isfinite(largest)
        if bool(bad.any()):
            raise ValueError(
                f"metrics: expected finite {name}, got NaN or Inf in {int(bad.sum())} of "
                f"{len(poses)} poses (first: pose {int(bad.int().argmax())})"
            )
        least = LEAST_SIZES * least_size(poses.dtype)
        if not bool(((largest > least) & (largest < 1 / least) | (largest == 0)).all()):
            raise ValueError(
                f"metrics: expected {name} of a size between {least:.0e} and {1 / least:.0e}, got "
                f"{float(largest.min()):.3g} to {float(largest.max()):.3g}; give them in mm"
            )
        extent = (poses - poses[:, :1]).abs().amax((-2, -1))
        flat = extent <= 16 * torch.finfo(poses.dtype).eps * largest
        if bool(flat.any()):
            raise ValueError(
                f"metrics: expected {name} with an extent, got {int(flat.sum())} of {len(poses)} "
                f"poses with all joints in one point (first: pose {int(flat.int().argmax())}); "
                "drop such poses"
            )


def _distances(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]
) -> Float[Tensor, "N J"]:
    prediction, target = widened(prediction, target)
    return (prediction - target).norm(dim=-1)


def _check_distances(distances: Float[Tensor, "N J"]) -> None:
    if distances.numel() == 0:
        raise ValueError(
            f"metrics: expected the errors of at least one joint, got none ({len(distances)} poses)"
        )
    bad = ~(torch.isfinite(distances) & (distances >= 0)).all(-1)
    if bool(bad.any()):
        raise ValueError(
            f"metrics: expected finite errors of at least 0 mm, got others in {int(bad.sum())} "
            f"of {len(distances)} poses (first: pose {int(bad.int().argmax())}); drop such poses"
        )
