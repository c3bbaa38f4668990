"""The columns of a pose set: labels, cameras, and what is checked of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from selflift.geometry.camera import Intrinsics
from selflift.skeleton import Skeleton

LABELS = ("subject", "action", "clip", "camera")
PER_POSE = ("poses_2d", "poses_3d", "confidence", "frame", "fps")


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

    def __getitem__(self, which: np.ndarray) -> Labels:
        return replace(self, index=self.index[which])

    @property
    def values(self) -> np.ndarray:
        """One string per pose, ``(N,)``."""
        return np.array(self.names, dtype=object)[self.index]


@dataclass(frozen=True)
class Cameras:
    """A table of ``K`` cameras; see the module for the fields' units."""

    f_px: np.ndarray
    c_px: np.ndarray
    radial: np.ndarray
    tangential: np.ndarray
    size_px: np.ndarray
    rotation: np.ndarray | None = None
    centre_mm: np.ndarray | None = None

    def intrinsics(self, index: np.ndarray) -> Intrinsics:
        """Intrinsics of the cameras named by ``index``, as float32 tensors."""

        def take(table: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(table[index])

        return Intrinsics(
            take(self.f_px), take(self.c_px), take(self.radial), take(self.tangential)
        )


@dataclass(frozen=True)
class Recorded:
    """Of which recording each pose is, and when it was taken; fields as in a pose set."""

    subject: Labels
    clip: Labels
    camera: Labels
    frame: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True)
class NotFinite:
    """Numbers that are NaN or infinite though their joint is there.

    Attributes:
        name: Which array.
        poses: In how many poses.
        first: The first of these.
        joint: Its first such joint.
    """

    name: str
    poses: int
    first: int
    joint: int

    @classmethod
    def find(
        cls, name: str, array: np.ndarray | None, confidence: np.ndarray | None
    ) -> NotFinite | None:
        """Those of an array ``(N, J, 2 or 3)``, if there are any."""
        if array is None:
            return None
        bad = ~np.isfinite(array).all(-1)
        if confidence is not None:
            bad &= confidence > 0
        if not bad.any():
            return None
        row, joint = np.argwhere(bad)[0]
        return cls(name, int(bad.any(1).sum()), int(row), int(joint))

    def error(self, skeleton: Skeleton) -> ValueError:
        """What a user is told."""
        return ValueError(
            f"poses: expected finite {self.name}, got NaN or Inf in {self.poses} poses (first: "
            f"pose {self.first}, joint {skeleton.joints[self.joint]}); drop these poses or give "
            "the joint confidence 0"
        )


def check_shapes(shapes: Mapping[str, tuple[int, ...]], skeleton: Skeleton) -> None:
    """Refuse arrays that don't belong together.

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
    """What a user is told of an array of another shape."""
    return ValueError(
        f"poses: expected {name} of shape {expected} (skeleton '{skeleton.name}'), got {got}; "
        "convert the poses or name their skeleton"
    )


def check_labels(name: str, labels: Labels) -> None:
    """Refuse an index that is none.

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
