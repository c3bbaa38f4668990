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

The mean runs over all joints of the layout, a root that is zero on both sides included, as is the
field's custom. A pose that can't be scored raises: no error is ever 0 by default. Half precision is
scored in float32, and the errors are float32.
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


def distances(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]
) -> Float[Tensor, "N J"]:
    """Position error of every joint, without any alignment.

    Args:
        prediction: Predictions in mm, aligned as the wanted variant says.
        target: Truth in mm, in the same axes.

    Returns:
        ``|P_j - T_j|`` in mm.

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
            one point.
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

    Args:
        prediction: Root-centred predictions, any unit.
        target: Root-centred truth in mm, in the same axes.

    Returns:
        Error of each pose in mm.

    Raises:
        ValueError: As :func:`mpjpe`.
    """
    check_scorable(prediction, target)
    return _distances(scale_lsq(prediction, target), target).mean(-1)


def n_mpjpe_norm(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]
) -> Float[Tensor, "N"]:
    """Error after each prediction got the norm of its truth: ElePose's and LInKs' N-MPJPE.

    Args:
        prediction: Root-centred predictions, any unit.
        target: Root-centred truth in mm, in the same axes.

    Returns:
        Error of each pose in mm.

    Raises:
        ValueError: As :func:`mpjpe`.

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

    Args:
        prediction: Root-centred predictions, any unit.
        target: Root-centred truth in mm, in the same camera axes.

    Returns:
        Error of each pose in mm.

    Raises:
        ValueError: As :func:`mpjpe`.

    Source: facebookresearch/c3dpo_nrsfm, ``dataset/eval_zoo.py``, ``calc_3d_errs``.
    """
    flipped = prediction * prediction.new_tensor([1.0, 1.0, -1.0])
    return torch.minimum(n_mpjpe(prediction, target), n_mpjpe(flipped, target))


def check_scorable(prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]) -> None:
    """Refuse poses for which no error exists.

    Args:
        prediction: Predictions.
        target: Truth.

    Raises:
        ValueError: If there is no pose, a value is NaN or infinite, a pose has all joints in one
            point, or is too large or too small for its square to be a number.
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
