"""Camera of a user's keypoints: known intrinsics, and assumptions about the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from selflift.geometry.camera import Calibration

# Larger than any picture's side.
MOST_PX = 1e6


@dataclass(frozen=True)
class Camera:
    """Intrinsics in pixels, and the assumptions made about them.

    Attributes:
        f_px: Focal length along x and y.
        c_px: Principal point.
        size_px: Width and height of the image.
        radial: Radial distortion ``k1, k2, k3`` (OpenCV's).
        tangential: Tangential distortion ``p1, p2``.
        assumed: A sentence for each unknown property.
    """

    f_px: tuple[float, float]
    c_px: tuple[float, float]
    size_px: tuple[float, float]
    radial: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tangential: tuple[float, float] = (0.0, 0.0)
    assumed: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        points: np.ndarray,
        size_px: Sequence[float] | None = None,
        f_px: float | Sequence[float] | None = None,
        c_px: Sequence[float] | None = None,
        radial: Sequence[float] = (0.0, 0.0, 0.0),
        tangential: Sequence[float] = (0.0, 0.0),
    ) -> Camera:
        """Complete what is known of a camera by the usual assumptions.

        An unknown focal length is taken to be the image's diagonal (a field of view of 53 degrees
        across it), as is usual where people are lifted from single images (CLIFF, Li et al.,
        ECCV 2022). The principal point is taken to be the image's middle, and an unknown image
        to reach from the origin as far as the keypoints do.

        Args:
            points: All keypoints, ``(..., 2)`` in pixels; NaN where one is missing.
            size_px: Width and height of the image.
            f_px: Focal length, one number or x and y.
            c_px: Principal point.
            radial: Radial distortion ``k1, k2, k3`` (OpenCV's).
            tangential: Tangential distortion ``p1, p2``.

        Raises:
            ValueError: If a number is out of range, or the count of numbers is wrong.
        """
        assumed = []
        if size_px is None:
            reach = np.nan_to_num(points.reshape(-1, 2)).max(axis=0, initial=1.0)
            size = (float(np.ceil(reach[0])), float(np.ceil(reach[1])))
            assumed.append(
                f"the image's size is not known: taken to be {size[0]:.0f} x {size[1]:.0f} px, as "
                "far as the keypoints reach"
            )
        else:
            size = _pair("size_px", size_px)
            if min(size) < 1:
                raise ValueError(f"size_px: expected width and height above 0, got {size_px}")
        if f_px is None:
            focal = (math.hypot(*size), math.hypot(*size))
            assumed.append(
                f"the focal length is not known: taken to be the image's diagonal, {focal[0]:.0f} "
                "px"
            )
        else:
            # One number serves both axes.
            focal = _pair("f_px", f_px if isinstance(f_px, Sequence) else (f_px, f_px))
            if min(focal) <= 0:
                raise ValueError(f"f_px: expected a focal length above 0, got {f_px}")
        middle = (size[0] / 2, size[1] / 2) if c_px is None else _pair("c_px", c_px)
        k, p = _numbers("radial", radial, 3), _numbers("tangential", tangential, 2)
        return cls(focal, middle, size, (k[0], k[1], k[2]), (p[0], p[1]), tuple(assumed))

    def intrinsics(self) -> Calibration:
        """Return the intrinsics as tensors in double precision."""
        numbers = (self.f_px, self.c_px, self.radial, self.tangential)
        return Calibration(*(torch.tensor(n, dtype=torch.float64) for n in numbers))


def _pair(name: str, given: Sequence[float]) -> tuple[float, float]:
    first, second = _numbers(name, given, 2)
    return first, second


def _numbers(name: str, given: Sequence[float], count: int) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected {count} numbers, got {given!r}") from error
    if len(numbers) != count or not all(abs(n) <= MOST_PX for n in numbers):
        raise ValueError(f"{name}: expected {count} finite numbers, got {given!r}")
    return numbers
