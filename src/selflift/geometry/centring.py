r"""A pose brought to the middle of the image: the first of the two steps of ``normalise``.

``"rotate"``: a virtual camera turns until it looks at the root
(:func:`selflift.geometry.rotation.ray_to_axis`); exact for a perspective camera, needs intrinsics.
``"translate"``: subtract the root's 2D position, as the paper does; it leaves a perspective error
for a body far from the optical axis, but needs no camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.geometry.camera import backproject, project_unchecked
from selflift.geometry.rotation import ray_to_axis

CENTRES = ("rotate", "translate")
# A joint must be seen at less than so many degrees from the root (and the cosine of that): a camera
# that looks at the root has no image of what is beside it or behind it.
SIDEWAYS_DEG, LEAST_COSINE = 89.94, 1e-3


@dataclass(frozen=True)
class Centred:
    """Root-centred 2D poses and the virtual camera that sees them so.

    Attributes:
        x: Poses in the normalised plane with the root at the origin, ``(..., J, 2)``.
        R: Rotation from the real to the virtual camera, ``(..., 3, 3)``.
    """

    x: Tensor
    R: Tensor


def centre(rays: Float[Tensor, "*batch J 2"], root: int, method: str) -> Centred:
    """Bring the root of each pose to the origin of the normalised plane.

    Args:
        rays: Poses in the normalised plane of the real camera.
        root: Index of the root joint.
        method: ``"rotate"`` (exact) or ``"translate"`` (the paper's).

    Returns:
        The centred poses and the virtual camera's rotation (identity for ``"translate"``).

    Raises:
        ValueError: If the method is unknown, or ``"rotate"`` would have to look at a joint at a
            right angle from the root.
    """
    centred, sideways = centre_unchecked(rays, root, method)
    refuse_sideways(sideways)
    return centred


def centre_unchecked(
    rays: Float[Tensor, "*batch J 2"], root: int, method: str
) -> tuple[Centred, Tensor]:
    """:func:`centre` in tensor operations alone, so that it can be traced.

    Args:
        rays: As there.
        root: As there.
        method: As there.

    Returns:
        The same, and which poses can't be centred so, ``(...)``.

    Raises:
        ValueError: If the method is unknown.
    """
    if method == "translate":
        R = torch.eye(3, dtype=rays.dtype, device=rays.device)
        x = rays - rays[..., root : root + 1, :]
        none = torch.zeros_like(rays[..., root, 0], dtype=torch.bool)
        return Centred(x, R.expand(*rays.shape[:-2], 3, 3)), none
    if method != "rotate":
        raise ValueError(f"normalise.centre: expected 'rotate' or 'translate', got '{method}'")
    R = ray_to_axis(rays[..., root, :])
    seen = backproject(rays, torch.ones_like(rays[..., 0])) @ R.mT
    sideways = seen[..., 2] <= LEAST_COSINE * seen.norm(dim=-1)
    return Centred(project_unchecked(seen), R), sideways.any(-1)


def refuse_sideways(sideways: Tensor) -> None:
    """Refuse poses that :func:`centre_unchecked` can't centre.

    Raises:
        ValueError: If there is one.
    """
    if bool(sideways.any()):
        raise ValueError(
            f"normalise.centre 'rotate': expected joints within {SIDEWAYS_DEG:g} degrees of the "
            f"root, as the camera sees them, got {int(sideways.sum())} poses with one further off; "
            "check the camera's focal length and the keypoints' unit (pixels), or drop such poses"
        )
