r"""Alignment of a predicted pose to its truth before the error is measured.

* :func:`scale_fit`: the one factor ``s`` that minimises ``|s P - T|^2`` (N-MPJPE).
* :func:`scale_norm`: the factor that gives ``s P`` the norm of ``T`` (others' N-MPJPE).
* :func:`procrustes`: scale, rotation and translation that minimise ``|s R P + t - T|^2``
  (PA-MPJPE), *proper* (``det R = 1``) or with reflection allowed; :func:`procrustes_both`: both.

Poses may be flat, straight, or of any size that their precision can hold. Half precision is
computed in float32, and float32 comes back.

Source: Umeyama, "Least-squares estimation of transformation parameters between two point
patterns", PAMI 1991. Everything is batched: one SVD call for any number of poses.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.geometry.precision import power_of_two, widened


def scale_fit(
    prediction: Float[Tensor, "*batch J 3"], target: Float[Tensor, "*batch J 3"]
) -> Float[Tensor, "*batch J 3"]:
    """Scale each root-centred prediction by its least-squares factor ``<P, T> / <P, P>``.

    The factor is below 0 where a prediction fits better turned inside out.

    Args:
        prediction: Root-centred predictions, any unit.
        target: Root-centred truth.

    Returns:
        The scaled predictions, in the target's unit.

    Raises:
        ValueError: If a prediction has no extent, so that no scale exists, or a value is NaN or
            infinite.
    """
    P, T, unit = _of_order_one(prediction, target, "scale_fit")
    power = (P * P).sum((-2, -1), keepdim=True)
    if not bool((power > 0).all()):
        raise ValueError(_no_extent("scale_fit"))
    return P * ((P * T).sum((-2, -1), keepdim=True) / power) * unit


def scale_norm(
    prediction: Float[Tensor, "*batch J 3"], target: Float[Tensor, "*batch J 3"]
) -> Float[Tensor, "*batch J 3"]:
    """Scale each root-centred prediction by the ratio of Frobenius norms, ``|T| / |P|``.

    Args:
        prediction: Root-centred predictions, any unit.
        target: Root-centred truth.

    Returns:
        The scaled predictions, in the target's unit, each of its target's norm.

    Raises:
        ValueError: If a prediction or a target has no extent, so that no scale exists, or a value
            is NaN or infinite.

    Source: bastianwandt/ElePose, ``utils/metrics_batch.py``.
    """
    P, T, unit = _of_order_one(prediction, target, "scale_norm")
    norm_p = P.square().sum((-2, -1), keepdim=True).sqrt()
    norm_t = T.square().sum((-2, -1), keepdim=True).sqrt()
    if not bool(((norm_p > 0) & (norm_t > 0)).all()):
        raise ValueError(_no_extent("scale_norm"))
    return P * (norm_t / norm_p) * unit


def procrustes(
    prediction: Float[Tensor, "*batch J 3"],
    target: Float[Tensor, "*batch J 3"],
    reflection: bool = False,
) -> Float[Tensor, "*batch J 3"]:
    """Align each prediction to its target by the best similarity transform.

    Args:
        prediction: Predicted poses, any unit and frame.
        target: True poses.
        reflection: Whether a mirror image may be used where it fits better. Such numbers are
            lower, and hide a depth flip; never compare them with proper ones.

    Returns:
        The aligned predictions, in the target's frame and unit.

    Raises:
        ValueError: If a prediction or a target has all joints in one point, or a value is NaN or
            infinite.
    """
    pair = _decompose(prediction, target)
    return pair.aligned(pair.best if reflection else pair.proper)


def procrustes_both(
    prediction: Float[Tensor, "*batch J 3"], target: Float[Tensor, "*batch J 3"]
) -> tuple[Float[Tensor, "*batch J 3"], Float[Tensor, "*batch J 3"]]:
    """Both variants of :func:`procrustes` from one SVD, which takes most of the time of either.

    Args:
        prediction: Predicted poses, any unit and frame.
        target: True poses.

    Returns:
        The predictions aligned by rotations only, and those aligned with reflection allowed, in
        the target's frame and unit; they are equal where a rotation fits best.

    Raises:
        ValueError: If a prediction or a target has all joints in one point, or a value is NaN or
            infinite.
    """
    pair = _decompose(prediction, target)
    return pair.aligned(pair.proper), pair.aligned(pair.best)


class _Decomposition(NamedTuple):
    """``U diag(S) Vh``, the SVD of the correlation of two centred poses, each of norm 1.

    Attributes:
        P: The centred prediction.
        U: Left singular vectors.
        S: Singular values, falling.
        Vh: Right singular vectors, as rows.
        ratio: Norm of the centred target over that of the centred prediction.
        mu_t: Centre of the target.
        unit: What the target's coordinates are counted in.
    """

    P: Tensor
    U: Tensor
    S: Tensor
    Vh: Tensor
    ratio: Tensor
    mu_t: Tensor
    unit: Tensor

    @property
    def best(self) -> Tensor:
        """Signs of the singular values when reflections may be used."""
        return torch.ones_like(self.S)

    @property
    def proper(self) -> Tensor:
        """Signs that make ``U diag(signs) Vh`` a rotation: the least value pays for it."""
        signs = torch.ones_like(self.S)
        signs[..., 2] = torch.sign(torch.linalg.det(self.U) * torch.linalg.det(self.Vh))
        return signs

    def aligned(self, signs: Tensor) -> Tensor:
        """The prediction after the similarity transform with these signs."""
        R = (self.U * signs[..., None, :]) @ self.Vh
        s = (self.S * signs).sum(-1)[..., None, None] * self.ratio
        return (self.P @ (s * R) + self.mu_t) * self.unit


def _decompose(
    prediction: Float[Tensor, "*batch J 3"], target: Float[Tensor, "*batch J 3"]
) -> _Decomposition:
    given_p, given_t, unit = _of_order_one(prediction, target, "procrustes")
    mu_t = given_t.mean(-2, keepdim=True)
    P = given_p - given_p.mean(-2, keepdim=True)
    T = given_t - mu_t
    norm_p = P.square().sum((-2, -1), keepdim=True).sqrt()
    norm_t = T.square().sum((-2, -1), keepdim=True).sqrt()
    if not bool(((norm_p > _rounding(given_p)) & (norm_t > _rounding(given_t))).all()):
        raise ValueError(_no_extent("procrustes"))
    # Unit norms keep the SVD well scaled whatever the unit of either side.
    U, S, Vh = torch.linalg.svd((P / norm_p).mT @ (T / norm_t))
    return _Decomposition(P, U, S, Vh, norm_t / norm_p, mu_t, unit)


def _of_order_one(
    prediction: Tensor, target: Tensor, function: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Predictions and targets whose squares neither over- nor underflow, and the targets' unit."""
    prediction, target = widened(prediction, target)
    largest = [X.abs().amax((-2, -1), keepdim=True) for X in (prediction, target)]
    if not bool(torch.isfinite(torch.stack(largest)).all()):
        raise ValueError(
            f"{function}: expected finite poses, got NaN or Inf in at least one; drop such poses "
            "before scoring"
        )
    units = [power_of_two(size) for size in largest]
    return prediction / units[0], target / units[1], units[1]


def _no_extent(function: str) -> str:
    return (
        f"{function}: expected poses with an extent, got at least one with all joints in one "
        "point; drop such poses before scoring"
    )


def _rounding(X: Tensor) -> Tensor:
    """Norm, by rounding of the mean, that a pose without extent may have instead of 0."""
    eps = torch.finfo(X.dtype).eps * X.shape[-2] ** 0.5
    return 16 * eps * X.abs().amax((-2, -1), keepdim=True)
