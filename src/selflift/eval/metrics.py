r"""Errors of predicted 3D poses, one number per pose, in millimetres.

Every error is a mean over joints of ``|P_j - T_j|``; the variants differ in how the prediction is
aligned to the truth first, and only numbers of the same variant can be compared:

* :func:`mpjpe`: not at all. Both poses are root-centred by the caller, and the prediction's scale
  counts.
* :func:`n_mpjpe`: least-squares scale ``<P, T> / <P, P>`` about the root.
* :func:`pa_mpjpe`: similarity Procrustes; proper (a rotation), or with reflection, which hides a
  pose that is mirrored in depth.

The mean runs over all joints of the layout, a root that is zero on both sides included, as is the
field's custom. A pose that can't be scored raises: no error is ever 0 by default.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.geometry.align import procrustes, scale_fit


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
    check_scorable(prediction, target)
    return _mean_distance(prediction, target)


def n_mpjpe(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]
) -> Float[Tensor, "N"]:
    """Error after each prediction got its least-squares scale, ``<P, T> / <P, P>``.

    Others call N-MPJPE what uses the ratio of norms, or the true size of the person; their numbers
    differ.

    Args:
        prediction: Root-centred predictions, any unit.
        target: Root-centred truth in mm, in the same axes.

    Returns:
        Error of each pose in mm.

    Raises:
        ValueError: As :func:`mpjpe`.
    """
    check_scorable(prediction, target)
    return _mean_distance(scale_fit(prediction, target), target)


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
    return _mean_distance(procrustes(prediction, target, reflection), target)


def check_scorable(prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]) -> None:
    """Refuse poses for which no error exists.

    Args:
        prediction: Predictions.
        target: Truth.

    Raises:
        ValueError: If there is no pose, a value is NaN or infinite, or a pose has all joints in
            one point.
    """
    if len(prediction) == 0:
        raise ValueError("metrics: expected at least one pose, got none")
    for name, poses in (("predictions", prediction), ("true poses", target)):
        bad = ~torch.isfinite(poses).all(-1).all(-1)
        if bool(bad.any()):
            raise ValueError(
                f"metrics: expected finite {name}, got NaN or Inf in {int(bad.sum())} of "
                f"{len(poses)} poses (first: pose {int(bad.int().argmax())})"
            )
        extent = (poses - poses[:, :1]).abs().amax((-2, -1))
        rounding = 16 * torch.finfo(poses.dtype).eps * poses.abs().amax((-2, -1))
        flat = extent <= rounding
        if bool(flat.any()):
            raise ValueError(
                f"metrics: expected {name} with an extent, got {int(flat.sum())} of {len(poses)} "
                f"poses with all joints in one point (first: pose {int(flat.int().argmax())}); "
                "drop such poses"
            )


def _mean_distance(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"]
) -> Float[Tensor, "N"]:
    return (prediction - target).norm(dim=-1).mean(-1)
