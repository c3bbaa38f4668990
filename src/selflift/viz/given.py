"""What users hand over to be drawn: arrays or tensors, checked before anything is drawn."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from selflift.skeleton import Skeleton, get_skeleton

Poses = np.ndarray | Tensor


def layout_of(skeleton: str | Skeleton) -> Skeleton:
    """A layout, given itself or by its name.

    Raises:
        ValueError: If no layout has this name.
    """
    return get_skeleton(skeleton) if isinstance(skeleton, str) else skeleton


def array_of(values: Poses) -> np.ndarray:
    """Floats of an array or a tensor, wherever it lies; a copy."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return np.array(values, dtype=float)


def poses_of(
    values: Poses, what: str, skeleton: Skeleton, dims: tuple[int, ...], lead: tuple[str, ...]
) -> np.ndarray:
    """Poses with all leading dimensions, missing ones added as 1 at the front.

    Args:
        values: ``(..., J, D)``; infinite numbers count as missing.
        what: What they are, for messages.
        skeleton: Their layout.
        dims: The ``D`` that are allowed.
        lead: Names of the leading dimensions, outermost first; the last ``len(lead) - 1`` of them
            are always there.

    Returns:
        ``(*lead, J, D)`` floats, NaN where something is missing.

    Raises:
        ValueError: If the shape is another, or there is nothing to draw.
    """
    X = array_of(values)
    J, wanted = skeleton.num_joints, " or ".join(map(str, dims))
    fits = X.ndim in (len(lead) + 1, len(lead) + 2) and X.shape[-2] == J and X.shape[-1] in dims
    if not fits:
        named = ", ".join(lead)
        short = ", ".join((*lead[1:], f"{J}", wanted))
        raise ValueError(
            f"{what}: expected ({short}) or ({named}, {J}, {wanted}) of skeleton "
            f"'{skeleton.name}', got {X.shape}; name the skeleton that the poses have"
        )
    X = np.where(np.isfinite(X), X, np.nan)
    if not np.isfinite(X).all(-1).any():
        raise ValueError(f"{what}: expected at least one joint to draw, got none that is finite")
    return X if X.ndim == len(lead) + 2 else X[None]


def matching(values: Poses, what: str, shape: tuple[int, ...], of: str) -> np.ndarray:
    """An array that has to have the shape of another; missing dimensions are added at the front.

    Raises:
        ValueError: If it has another.
    """
    X = array_of(values)
    X = X[None] if X.ndim == len(shape) - 1 else X
    if X.shape != shape:
        raise ValueError(f"{what}: expected shape {shape}, to fit {of}, got {X.shape}")
    return X


def image_of(image: Poses) -> np.ndarray:
    """An image ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``: bytes, or floats from 0 to 1.

    Raises:
        ValueError: If it is none.
    """
    pixels = image.detach().cpu().numpy() if isinstance(image, Tensor) else np.asarray(image)
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[-1] not in (3, 4)):
        raise ValueError(
            f"image: expected (H, W), (H, W, 3) or (H, W, 4), got {pixels.shape}; put the colours "
            "last"
        )
    if pixels.dtype != np.uint8 and not (pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError(
            f"image: expected bytes, or floats from 0 to 1, got {pixels.dtype} from "
            f"{pixels.min():g} to {pixels.max():g}; convert it with .astype('uint8')"
        )
    return pixels
