r"""Pinhole cameras: projection, back-projection, and pixels to rays.

Frames, stated once and used everywhere:

* **camera**: x right, y *down*, z forward (the optical axis), origin at the optical centre;
* **world**: right-handed, z *up*;
* **image**: pixels, x right, y down, origin at the top left corner of the first pixel row;
* **normalised plane**: ``(X / Z, Y / Z)``, the image of a camera with focal length 1.

The method itself only uses the camera of focal length 1 at the origin
(:func:`project`, :func:`backproject`); intrinsics and Human3.6M's lens model
(three radial and two tangential coefficients) serve to get from pixels to that plane and back.

What has no image, such as a point behind the camera, is refused; a NaN, which marks a missing
joint, stays one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

UNDISTORT_ITERATIONS = 20
# How far from a distorted point, in the normalised plane, its undistorted one may come back to: a
# pixel or so.
UNDISTORT_ERROR = 1e-3


@dataclass(frozen=True)
class Calibration:
    """Calibration of one camera, or of a table of cameras (any leading shape).

    Files and pose sets hold NumPy arrays, the geometry computes on tensors.

    Attributes:
        f_px: Focal lengths in pixels, ``(..., 2)``.
        c_px: Principal point in pixels, ``(..., 2)``.
        radial: Radial distortion ``k1, k2, k3``, ``(..., 3)``.
        tangential: Tangential distortion ``p1, p2``, ``(..., 2)``.
        size_px: Width and height of the image, ``(..., 2)`` integers; ``None``: not known.
        rotation: World to camera, ``(..., 3, 3)``, if it is known.
        centre_mm: The optical centre in the world, ``(..., 3)``, if it is known.
    """

    f_px: Any
    c_px: Any
    radial: Any
    tangential: Any
    size_px: Any = None
    rotation: Any = None
    centre_mm: Any = None

    @classmethod
    def pinhole(cls, f_px: float, c_px: tuple[float, float]) -> Calibration:
        """One distortion-free camera with square pixels, as tensors."""
        return cls(torch.tensor([f_px, f_px]), torch.tensor(c_px), torch.zeros(3), torch.zeros(2))

    def map(self, function: Callable[[Any], Any]) -> Calibration:
        """Apply a function to everything that is known (indexing, ``torch.Tensor.double``)."""
        known = {f.name: getattr(self, f.name) for f in fields(self)}
        return Calibration(**{k: None if v is None else function(v) for k, v in known.items()})

    def intrinsics(self, index: np.ndarray) -> Calibration:
        """Intrinsics of rows of a table of NumPy arrays, as tensors."""
        inner = (self.f_px, self.c_px, self.radial, self.tangential)
        return Calibration(*(torch.from_numpy(table[index]) for table in inner))


def project(X: Float[Tensor, "*batch J 3"]) -> Float[Tensor, "*batch J 2"]:
    """Perspective projection with focal length 1: ``(X / Z, Y / Z)``.

    Args:
        X: Points in the camera frame, in front of the camera (``Z > 0``).

    Returns:
        Points in the normalised plane.

    Raises:
        ValueError: If a point lies behind the camera or in its plane.
    """
    x = project_unchecked(X)
    bad = (X[..., 2] <= 0) | torch.isinf(x).any(-1)
    if bool(bad.any()):
        raise ValueError(
            f"project: expected points in front of the camera (z > 0), got {int(bad.sum())} of "
            f"{bad.numel()} behind it or in its plane; leave them out, or check the axes (z "
            "points forward)"
        )
    return x


def project_unchecked(X: Float[Tensor, "*batch J 3"]) -> Float[Tensor, "*batch J 2"]:
    """:func:`project` in tensor operations alone, for depths that are known to be above 0.

    Args:
        X: Points in front of the camera, such as :func:`selflift.method.cycle.keep_in_front` gives.

    Returns:
        Points in the normalised plane; no image of what is not in front.
    """
    return X[..., :2] / X[..., 2:]


def backproject(
    x: Float[Tensor, "*batch J 2"], z: Float[Tensor, "*batch J"]
) -> Float[Tensor, "*batch J 3"]:
    """The point at depth ``z`` on the ray of ``x``: ``(x z, y z, z)``.

    Args:
        x: Points in the normalised plane.
        z: Depth along the optical axis, in any unit; the result has the same.

    Returns:
        Points in the camera frame.
    """
    z = z[..., None]
    return torch.cat([x * z, z], dim=-1)


def distort(x: Float[Tensor, "*batch J 2"], intrinsics: Calibration) -> Float[Tensor, "*batch J 2"]:
    r"""Apply lens distortion in the normalised plane: OpenCV's model, as Human3.6M uses it.

    ``x_d = x (1 + k1 r^2 + k2 r^4 + k3 r^6 + 2 (p2 x + p1 y)) + r^2 (p2, p1)`` with
    ``r^2 = x^2 + y^2``. Some public Human3.6M code leaves out the factor 2 or exchanges p1 and p2;
    on those cameras that moves a point by less than 2 pixels.

    Args:
        x: Ideal points in the normalised plane.
        intrinsics: Cameras whose leading shape broadcasts against ``*batch``.

    Returns:
        Distorted points in the normalised plane.

    Raises:
        ValueError: If a point is so far off the axis that no lens could show it.
    """
    return _known("distort", x, _distorted(x, intrinsics))


def _distorted(x: Tensor, intrinsics: Calibration) -> Tensor:
    k = intrinsics.radial[..., None, :]
    p = intrinsics.tangential[..., None, :]
    r2 = (x * x).sum(-1, keepdim=True)
    radial = 1 + r2 * (k[..., 0:1] + r2 * (k[..., 1:2] + r2 * k[..., 2:3]))
    p_swapped = p.flip(-1)
    tangential = 2 * (p_swapped * x).sum(-1, keepdim=True)
    return x * (radial + tangential) + p_swapped * r2


def undistort(
    x: Float[Tensor, "*batch J 2"], intrinsics: Calibration
) -> Float[Tensor, "*batch J 2"]:
    """The inverse of :func:`distort`, by fixed-point iteration.

    Converges for lenses whose distortion stays moderate over the image, as Human3.6M's do.

    Args:
        x: Distorted points in the normalised plane.
        intrinsics: Cameras whose leading shape broadcasts against ``*batch``.

    Returns:
        Ideal points in the normalised plane.

    Raises:
        ValueError: If a point is none that the lens can show: the iteration doesn't get there.
    """
    if not (intrinsics.radial.any() or intrinsics.tangential.any()):
        return x
    ideal = x
    for _ in range(UNDISTORT_ITERATIONS):
        ideal = ideal + (x - _distorted(ideal, intrinsics))
    missed = (_distorted(ideal, intrinsics) - x).abs() > UNDISTORT_ERROR * (1 + x.abs())
    return _known("undistort", x, ideal.masked_fill(missed, torch.inf))


def project_pixels(
    X: Float[Tensor, "*batch J 3"], intrinsics: Calibration
) -> Float[Tensor, "*batch J 2"]:
    """Project camera-frame points into the image of a real camera, lens distortion included.

    Args:
        X: Points in the camera frame, any unit.
        intrinsics: Cameras whose leading shape broadcasts against ``*batch``.

    Returns:
        Points in pixels.

    Raises:
        ValueError: If a point is not in front of the camera, or so far off the axis that no lens
            could show it.
    """
    x = distort(project(X), intrinsics)
    return x * intrinsics.f_px[..., None, :] + intrinsics.c_px[..., None, :]


def pixels_to_rays(
    x_px: Float[Tensor, "*batch J 2"], intrinsics: Calibration
) -> Float[Tensor, "*batch J 2"]:
    """Pixels to the normalised plane, lens distortion removed.

    Args:
        x_px: Points in pixels.
        intrinsics: Cameras whose leading shape broadcasts against ``*batch``.

    Returns:
        Points in the normalised plane; the ray of such a point is ``(x, y, 1)``.

    Raises:
        ValueError: If a focal length is not above 0, or a point is none that the lens can show.
    """
    if not bool((intrinsics.f_px > 0).all()):
        raise ValueError(
            "pixels_to_rays: expected focal lengths above 0, got "
            f"{float(intrinsics.f_px.min()):g}; check the cameras' f_px"
        )
    x = (x_px - intrinsics.c_px[..., None, :]) / intrinsics.f_px[..., None, :]
    return undistort(x, intrinsics)


def world_to_camera(
    X: Float[Tensor, "*#batch J 3"],
    rotation: Float[Tensor, "*#batch 3 3"],
    centre: Float[Tensor, "*#batch 3"],
) -> Float[Tensor, "*batch J 3"]:
    """``rotation (X - centre)``.

    Args:
        X: Points in the world frame.
        rotation: World-to-camera rotation; its rows are the camera's axes in the world.
        centre: The optical centre in the world, same unit as ``X``.

    Returns:
        Points in the camera frame.
    """
    return (X - centre[..., None, :]) @ rotation.mT


def camera_to_world(
    X: Float[Tensor, "*#batch J 3"],
    rotation: Float[Tensor, "*#batch 3 3"],
    centre: Float[Tensor, "*#batch 3"],
) -> Float[Tensor, "*batch J 3"]:
    """The inverse of :func:`world_to_camera`."""
    return X @ rotation + centre[..., None, :]


def _known(function: str, given: Tensor, found: Tensor) -> Tensor:
    """Return the result if it is finite wherever the given points are."""
    lost = (torch.isfinite(given) & ~torch.isfinite(found)).any(-1)
    if bool(lost.any()):
        raise ValueError(
            f"{function}: expected points that the lens can show, got {int(lost.sum())} of "
            f"{lost.numel()} beyond it; check the distortion and that points are in the image"
        )
    return found
