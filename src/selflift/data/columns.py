"""Columns of a pose set: labels, cameras, and their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from selflift.skeleton import Skeleton

LABELS = ("subject", "action", "clip", "camera")
PER_POSE = ("poses_2d", "poses_3d", "confidence", "frame", "fps")
FINITE_BLOCK = 2**18


@dataclass(frozen=True)
class Labels:
    """One name per pose, stored once: ``names[index[i]]``."""

    names: tuple[str, ...]
    index: np.ndarray

    @classmethod
    def of(cls, values: Sequence[str]) -> Labels:
        """Labels from one string per pose; names in order of first appearance."""
        names: dict[str, int] = {}
        index = np.fromiter((names.setdefault(v, len(names)) for v in values), np.int32)
        return cls(tuple(names), index)

    def __getitem__(self, which: np.ndarray | slice) -> Labels:
        return replace(self, index=self.index[which])

    @property
    def values(self) -> np.ndarray:
        """One string per pose, ``(N,)``."""
        return np.array(self.names, dtype=object)[self.index]


def check_finite(
    name: str, array: np.ndarray | None, confidence: np.ndarray | None, skeleton: Skeleton
) -> None:
    """Raise if an array ``(N, J, 2 or 3)`` is not finite at a visible joint.

    Raises:
        ValueError: Naming the number of poses and the first of them.
    """
    if array is None:
        return
    poses, first = 0, None
    for start in range(0, len(array), FINITE_BLOCK):
        rows = slice(start, start + FINITE_BLOCK)
        bad = ~np.isfinite(array[rows]).all(-1)
        if confidence is not None:
            bad &= confidence[rows] > 0
        if bad.any():
            poses += int(bad.any(1).sum())
            first = first or (start + int(np.argwhere(bad)[0][0]), int(np.argwhere(bad)[0][1]))
    if first is not None:
        raise ValueError(
            f"poses: expected finite {name}, got NaN or Inf in {poses} poses (first: pose "
            f"{first[0]}, joint {skeleton.joints[first[1]]}); drop these poses or give the joint "
            "confidence 0"
        )


def check_shapes(shapes: Mapping[str, tuple[int, ...]], skeleton: Skeleton) -> None:
    """Raise if arrays have inconsistent shapes.

    Args:
        shapes: The shape of everything that has a row per pose, by name.
        skeleton: The layout.

    Raises:
        ValueError: Naming the first that has another shape than ``poses_2d`` asks for.
    """
    n, joints = shapes["poses_2d"][0], skeleton.num_joints
    per_joint = {"poses_2d": (joints, 2), "poses_3d": (joints, 3), "confidence": (joints,)}
    for name, shape in shapes.items():
        expected = (n, *per_joint.get(name, ()))
        if shape != expected:
            raise shape_error(name, expected, shape, skeleton)


def shape_error(
    name: str, expected: tuple[int, ...], got: tuple[int, ...], skeleton: Skeleton
) -> ValueError:
    """Error for an array of another shape."""
    return ValueError(
        f"poses: expected {name} of shape {expected} (skeleton '{skeleton.name}'), got {got}; "
        "convert the poses or name their skeleton"
    )


def check_labels(name: str, labels: Labels) -> None:
    """Raise if an index is out of range.

    Raises:
        ValueError: Naming the label.
    """
    index = labels.index
    if index.dtype.kind not in "iu":
        raise ValueError(
            f"poses: expected {name}/index of integers, got {index.dtype}; the file is inconsistent"
        )
    if len(index) and not 0 <= index.min() <= index.max() < len(labels.names):
        raise ValueError(
            f"poses: expected {name}/index between 0 and {len(labels.names) - 1}, got "
            f"{index.min()} to {index.max()}; the file is inconsistent"
        )
