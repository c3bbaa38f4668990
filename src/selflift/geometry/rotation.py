r"""Rotations of the cycle: axes, the turn of a body about its root, and the exact inverse.

All rotations act on column vectors, ``Y = R X``; on a pose ``(..., J, 3)`` that is ``X @ R^T``.
In the camera frame y points *down*, so the vertical of a level camera is the y axis.

``pitch(e)`` with ``e > 0`` turns the scene as a camera sees it when it is raised and looks down by
``e``: a vertical body then leans its head towards the camera.


"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

# How far a unit axis may be from norm 1: what half precision leaves of it.
AXIS_ROUNDING = 1e-2


def azimuth(angle_rad: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation about the camera's y axis: x towards -z for a positive angle."""
    c, s, o, i = _terms(angle_rad)
    return _matrix(c, o, s, o, i, o, -s, o, c)


def pitch(angle_rad: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation about the camera's x axis; positive for a camera that looks down.

    An upright body (head at ``(0, -1, 0)``, y down) comes to lie with its head at
    ``(0, -cos e, -sin e)``: nearer to the camera than its root.
    """
    c, s, o, i = _terms(angle_rad)
    return _matrix(i, o, o, o, c, -s, o, s, c)


def axis_angle(
    axis: Float[Tensor, "*batch 3"], angle_rad: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 3 3"]:
    """Rodrigues' formula: rotation by ``angle_rad`` about a unit axis.

    Raises:
        ValueError: If an axis is not of norm 1, about which the formula gives no rotation.
    """
    norm = axis.norm(dim=-1)
    if not bool(((norm - 1).abs() < AXIS_ROUNDING).all()):
        raise ValueError(
            "axis_angle: expected axes of norm 1, got at least one of another; divide them by "
            "their norms"
        )
    x, y, z = axis.unbind(-1)
    o = torch.zeros_like(x)
    K = _matrix(o, -z, y, z, o, -x, -y, x, o)
    s = torch.sin(angle_rad)[..., None, None]
    c = torch.cos(angle_rad)[..., None, None]
    eye = torch.eye(3, dtype=axis.dtype, device=axis.device)
    return eye + s * K + (1 - c) * (K @ K)


def ray_to_axis(ray: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 3 3"]:
    """The smallest rotation that brings the ray ``(x, y, 1)`` onto the optical axis.

    It is what a virtual camera does that turns straight towards the ray. For a pitched camera the
    vertical then leans a little sideways (1.8 degrees standard deviation on cmu17's rig), which no
    view sampler models.

    Args:
        ray: A point in the normalised plane, within 1e18 of its origin (float32).

    Returns:
        ``R`` with ``R (x, y, 1) = (0, 0, |.|)``.
    """
    x, y = ray.unbind(-1)
    norm = torch.sqrt(1 + x * x + y * y)
    u, v, w = x / norm, y / norm, 1 / norm
    # Rotation from unit vector a=(u,v,w) to (0,0,1): I + [k] + [k]^2 / (1 + w), k = a x e_z.
    f = 1 / (1 + w)
    return _matrix(1 - f * u * u, -f * u * v, -u, -f * u * v, 1 - f * v * v, -v, u, v, w)


def turn_about_root(
    X: Float[Tensor, "*batch J 3"],
    R: Float[Tensor, "*#batch 3 3"],
    root: int,
    depth: float,
) -> Float[Tensor, "*batch J 3"]:
    """Turn a body about its root and set it at a given depth: ``Y = R (X - X_root) + (0, 0, c)``.

    Args:
        X: A body in the camera frame.
        R: The rotation.
        root: Index of the root joint.
        depth: ``c``, the depth at which the root is set, on the optical axis.

    Returns:
        The turned body ``Y``.
    """
    Y = (X - X[..., root : root + 1, :]) @ R.mT
    return Y + _on_axis(Y, depth)


def turn_back(
    Y: Float[Tensor, "*batch J 3"],
    R: Float[Tensor, "*#batch 3 3"],
    X_root: Float[Tensor, "*#batch 3"],
    depth: float,
) -> Float[Tensor, "*batch J 3"]:
    """The inverse of :func:`turn_about_root`: ``X = R^-1 (Y - (0, 0, c)) + X_root``.

    Args:
        Y: A turned body.
        R: The rotation that turned it.
        X_root: Where the root stood before.
        depth: ``c``.

    Returns:
        The body ``X`` before the turn.
    """
    return (Y - _on_axis(Y, depth)) @ R + X_root[..., None, :]


def _on_axis(like: Tensor, depth: float) -> Tensor:
    # Filled on the device: a tensor made from a list would make a GPU wait for the host.
    return F.pad(like.new_full((1,), depth), (2, 0))


def _terms(angle: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return torch.cos(angle), torch.sin(angle), torch.zeros_like(angle), torch.ones_like(angle)


def _matrix(*entries: Tensor) -> Tensor:
    return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))
