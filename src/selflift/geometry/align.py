r"""Alignment of a predicted pose to its truth before the error is measured.

* :func:`scale_fit`: the one factor ``s`` that minimises ``|s P - T|^2`` (N-MPJPE).
* :func:`procrustes`: scale, rotation and translation that minimise ``|s R P + t - T|^2``
  (PA-MPJPE), *proper* (``det R = 1``) or with reflection allowed.

Source: Umeyama, "Least-squares estimation of transformation parameters between two point
patterns", PAMI 1991. Everything is batched: one SVD call for any number of poses.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def scale_fit(
    prediction: Float[Tensor, "*batch J 3"], target: Float[Tensor, "*batch J 3"]
) -> Float[Tensor, "*batch J 3"]:
    """Scale each root-centred prediction by its least-squares factor ``<P, T> / <P, P>``.

    Args:
        prediction: Root-centred predictions, any unit.
        target: Root-centred truth.

    Returns:
        The scaled predictions, in the target's unit.

    Raises:
        ValueError: If a prediction has no extent, so that no scale exists.
    """
    power = (prediction * prediction).sum((-2, -1), keepdim=True)
    if not bool((power > 0).all()):
        raise ValueError(
            "scale_fit: expected poses with an extent, got at least one with all joints in one "
            "point; drop such poses before scoring"
        )
    return prediction * ((prediction * target).sum((-2, -1), keepdim=True) / power)


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
        ValueError: If a prediction or a target has all joints in one point.
    """
    mu_p = prediction.mean(-2, keepdim=True)
    mu_t = target.mean(-2, keepdim=True)
    P = prediction - mu_p
    T = target - mu_t
    norm_p = P.square().sum((-2, -1), keepdim=True).sqrt()
    norm_t = T.square().sum((-2, -1), keepdim=True).sqrt()
    if not bool(((norm_p > _rounding(prediction)) & (norm_t > _rounding(target))).all()):
        raise ValueError(
            "procrustes: expected poses with an extent, got at least one with all joints in one "
            "point; drop such poses before scoring"
        )
    # Unit norms keep the SVD well scaled whatever the unit of either side.
    U, S, Vh = torch.linalg.svd((P / norm_p).mT @ (T / norm_t))
    if not reflection:
        sign = torch.sign(torch.linalg.det(U) * torch.linalg.det(Vh))
        flip = torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], dim=-1)
        S = S * flip
        U = U * flip[..., None, :]
    R = U @ Vh
    s = S.sum(-1)[..., None, None] * norm_t / norm_p
    return s * (P @ R) + mu_t


def _rounding(X: Tensor) -> Tensor:
    """What the norm of a pose without extent may be instead of 0: its mean is rounded."""
    eps = torch.finfo(X.dtype).eps * X.shape[-2] ** 0.5
    return 16 * eps * X.abs().amax((-2, -1), keepdim=True)
