"""``PoseSet``: a set of 2D poses with whatever else is known of them.

Training, evaluation and lifting read this one container, whatever the source was. Shapes and units
are those of its file format, :mod:`selflift.data.pose_set_file`. A set larger than memory is
loaded into arrays that are mapped from a scratch file, :mod:`selflift.files.scratch`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from selflift.data.columns import (
    LABELS,
    PER_POSE,
    Labels,
    check_finite,
    check_labels,
    check_shapes,
    shape_error,
)
from selflift.data.pose_set_file import (
    block_slices,
    mask_of,
    opened,
    read_cameras,
    read_rows,
    write_column,
    write_header,
)
from selflift.files.atomic_write import atomic_hdf5
from selflift.files.scratch import MAX_IN_MEMORY
from selflift.geometry.camera import Calibration
from selflift.skeleton import Skeleton

TYPES = (
    ("poses_2d", "floats", "f"), ("poses_3d", "floats", "f"), ("confidence", "floats", "f"),
    ("frame", "integers", "iu"),
)  # fmt: skip


@dataclass(frozen=True)
class PoseSet:
    """2D poses in pixels and what is known of them; see the module for shapes and units."""

    skeleton: Skeleton
    poses_2d: np.ndarray
    subject: Labels
    action: Labels
    clip: Labels
    camera: Labels
    frame: np.ndarray
    fps: np.ndarray
    cameras: Calibration | None = None
    poses_3d: np.ndarray | None = None
    confidence: np.ndarray | None = None

    def __post_init__(self) -> None:
        per_pose = {name: getattr(self, name) for name in PER_POSE}
        per_pose |= {f"{name}/index": getattr(self, name).index for name in LABELS}
        check_shapes({n: a.shape for n, a in per_pose.items() if a is not None}, self.skeleton)
        for name, (array, shape) in self._camera_shapes().items():
            if array is not None and array.shape != shape:
                raise shape_error(name, shape, array.shape, self.skeleton)
        for name in LABELS:
            check_labels(name, getattr(self, name))
        for name, kind, letters in TYPES:
            array = per_pose[name]
            if array is not None and array.dtype.kind not in letters:
                raise ValueError(
                    f"poses: expected {name} of {kind}, got {array.dtype}; convert it with astype"
                )
        if self.cameras is not None:
            for name in ("f_px", "size_px"):
                column = getattr(self.cameras, name)
                if not (np.isfinite(column).all() and (column > 0).all()):
                    raise ValueError(
                        f"poses: expected cameras/{name} above 0, got {column.min()}; give each "
                        "camera its own, or leave the cameras out"
                    )
        for name in ("poses_2d", "poses_3d"):
            check_finite(name, getattr(self, name), self.confidence, self.skeleton)

    def _camera_shapes(self) -> dict[str, tuple[np.ndarray | None, tuple[int, ...]]]:
        """Each column of ``cameras`` and its shape: one row per camera name."""
        if self.cameras is None:
            return {}
        row = {"radial": (3,), "rotation": (3, 3), "centre_mm": (3,)}
        return {
            f"cameras/{c.name}": (
                getattr(self.cameras, c.name), (len(self.camera.names), *row.get(c.name, (2,)))
            )
            for c in fields(Calibration)
        }  # fmt: skip

    def __len__(self) -> int:
        return len(self.poses_2d)

    def select(self, which: np.ndarray | slice) -> PoseSet:
        """Select poses by a mask, an index array or a slice; names and cameras are kept."""

        def take(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[which]

        return replace(
            self,
            poses_2d=self.poses_2d[which],
            poses_3d=take(self.poses_3d),
            confidence=take(self.confidence),
            frame=self.frame[which],
            fps=self.fps[which],
            **{name: getattr(self, name)[which] for name in LABELS},
        )

    def save(self, path: str | Path) -> None:
        """Write the set to an HDF5 file, atomically.

        Raises:
            OSError: If it can't be written; an earlier file of that name is intact.
        """
        with atomic_hdf5(path) as file:
            write_header(file, self.skeleton)
            for name in ("poses_2d", "poses_3d", "confidence", "frame", "fps"):
                write_column(file, name, getattr(self, name))
            for name in LABELS:
                labels: Labels = getattr(self, name)
                text = np.array(labels.names, dtype=h5py.string_dtype())
                file.create_dataset(f"{name}/names", data=text)
                write_column(file, f"{name}/index", labels.index)
            if self.cameras is not None:
                for column in fields(self.cameras):
                    write_column(file, f"cameras/{column.name}", getattr(self.cameras, column.name))

    def blocks(self) -> Iterator[tuple[slice, PoseSet]]:
        """Iterate over the set in blocks of :data:`BLOCK` poses, each with its rows."""
        for rows in block_slices(len(self)):
            yield rows, self.select(rows)

    @classmethod
    def load(
        cls,
        path: str | Path,
        subjects: Sequence[str] | None = None,
        truth: bool = True,
        scratch: Path | None = None,
        above: int = MAX_IN_MEMORY,
    ) -> PoseSet:
        """Load a set from an HDF5 file of format v1.

        Args:
            path: The file.
            subjects: Load the poses of these only; the names and cameras of all are kept.
            truth: Load the 3D poses, too.
            scratch: Folder for arrays of more than ``above`` bytes; ``None``: all lie in memory.
            above: Largest array that lies in memory, in bytes.

        Raises:
            ValueError: If the file is missing, corrupt, foreign or inconsistent, or a subject is
                not in it.
            OSError: If the disk has no room for scratch files.
        """
        with opened(path) as file:
            keep = None if subjects is None else mask_of(file, Path(path), subjects)

            def rows(name: str) -> np.ndarray | None:
                return read_rows(file, name, keep, scratch, above) if name in file else None

            found: dict[str, Any] = {
                name: rows(name) for name in PER_POSE if truth or name != "poses_3d"
            }
            for name in ("poses_2d", "frame", "fps"):
                if found[name] is None:
                    raise KeyError(f"no '{name}'")
            for name in LABELS:
                index = read_rows(file, f"{name}/index", keep, scratch, above)
                found[name] = Labels(tuple(file.texts(f"{name}/names")), index)
            skeleton = Skeleton.from_json(file.attrs["skeleton"])
            return cls(skeleton=skeleton, cameras=read_cameras(file), **found)
