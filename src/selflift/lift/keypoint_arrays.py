"""Arrays of keypoints from users: validated, and converted to the lifter's layout."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from selflift.skeleton import SKELETONS, Skeleton, convert, get_skeleton

# Visible people are larger, in pixels.
SMALLEST_PX = 4.0


def in_layout(
    target: Skeleton,
    keypoints: np.ndarray | Tensor,
    skeleton: str | Skeleton | None = None,
    confidence: np.ndarray | Tensor | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Validate keypoints and convert them to a layout.

    Args:
        target: The layout.
        keypoints: Pixels, ``(..., K, 2)``; NaN where a joint is missing.
        skeleton: Their layout, or its name; ``None``: ``target``.
        confidence: ``(..., K)``, in [0, 1]; 0 marks a missing joint.

    Returns:
        Positions, NaN where missing, and confidences.

    Raises:
        ValueError: If shapes, layouts or numbers don't fit, or the keypoints are no pixels.
    """
    source = target if skeleton is None else skeleton
    if isinstance(source, str):
        source = get_skeleton(source)
    points = _array("keypoints", keypoints)
    if points.ndim < 2 or points.shape[-2:] != (source.num_joints, 2):
        raise ValueError(
            f"keypoints: expected (..., {source.num_joints}, 2) pixels in the layout "
            f"'{source.name}', got {points.shape}{_remedy(points.shape)}"
        )
    if np.isinf(points).any():
        raise ValueError("keypoints: expected finite pixels, got infinite ones; set them NaN")
    if confidence is None:
        sure = np.ones(points.shape[:-1], np.float32)
    else:
        sure = _array("confidence", confidence)
        if sure.shape != points.shape[:-1]:
            raise ValueError(
                f"confidence: expected {points.shape[:-1]}, one number per joint, got {sure.shape}"
            )
        if not ((sure >= 0) & (sure <= 1)).all():
            raise ValueError("confidence: expected numbers in [0, 1], got others; scale them")
    sure = np.where(np.isfinite(points).all(-1), sure, 0).astype(np.float32)
    points = np.where(sure[..., None] > 0, points, np.nan).astype(np.float32)
    seen = points[np.isfinite(points)]
    if seen.size and np.abs(seen).max() < SMALLEST_PX:
        raise ValueError(
            "keypoints: expected pixels, got numbers of at most "
            f"{np.abs(seen).max():.3g}: normalised ones? multiply x by the image's width and y "
            "by its height, or undo what else was done to them"
        )
    if source == target:
        return points, sure
    turned = convert(points, source, target, sure)
    assert turned.confidence is not None
    return turned.positions.astype(np.float32), turned.confidence.astype(np.float32)


def _array(name: str, given: np.ndarray | Tensor) -> np.ndarray:
    array = given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"{name}: expected numbers, got an array of {array.dtype}")
    return array.astype(np.float32, copy=False)


def _remedy(shape: tuple[int, ...]) -> str:
    if len(shape) >= 2 and shape[-1] == 3:
        return "; give the third column as confidence=keypoints[..., 2]"
    joints = shape[-2] if len(shape) >= 2 else 0
    fitting = sorted(s.name for s in SKELETONS.values() if s.num_joints == joints)
    if fitting:
        return f"; name their layout: skeleton={' or '.join(repr(name) for name in fitting)}"
    return "; name their layout, or add it with selflift.skeleton.register"
