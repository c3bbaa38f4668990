"""Pose sets of any size, written take by take in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np

from selflift.data.columns import LABELS
from selflift.data.pose_set_file import write_header
from selflift.data.recording import Take
from selflift.files.atomic_write import atomic_hdf5
from selflift.geometry.camera import Calibration
from selflift.skeleton import Skeleton

CHUNK_ROWS = 4096
BUFFER_ROWS = 65536


class PoseWriter:
    """Appends takes to a pose set file; see :func:`write_poses`."""

    def __init__(self, file: h5py.File, skeleton: Skeleton) -> None:
        self._file = file
        self._skeleton = skeleton
        self._names: dict[str, dict[str, int]] = {name: {} for name in LABELS}
        self._views: dict[str, Calibration | None] = {}
        self._has: tuple[bool, bool, bool] | None = None
        self._buffer: list[dict[str, np.ndarray]] = []
        self._buffered = 0
        self.rows = 0
        write_header(file, skeleton)

    def add(self, take: Take) -> None:
        """Append a take.

        Raises:
            ValueError: If its shapes don't fit the skeleton, it has numbers that are not finite, or
                it has other contents (3D, confidence, calibration) than the takes before.
        """
        if len(take) == 0:
            return
        self._check(take)
        n = len(take)
        columns: dict[str, np.ndarray] = {
            "poses_2d": take.poses_2d.astype(np.float32, copy=False),
            "frame": take.frame.astype(np.int64, copy=False),
            "fps": np.full(n, take.fps, np.float32),
        }
        for name in ("poses_3d", "confidence"):
            if (array := getattr(take, name)) is not None:
                columns[name] = array.astype(np.float32, copy=False)
        for name in LABELS:
            known = self._names[name]
            index = known.setdefault(getattr(take, name), len(known))
            columns[f"{name}/index"] = np.full(n, index, np.int32)
        self._buffer.append(columns)
        self._buffered += n
        self.rows += n
        if self._buffered >= BUFFER_ROWS:
            self._flush()

    def _check(self, take: Take) -> None:
        where = f"take '{take.clip}' of camera '{take.camera}'"
        shape = (len(take), self._skeleton.num_joints)
        for name, expected in (
            ("poses_2d", (*shape, 2)), ("poses_3d", (*shape, 3)), ("confidence", shape),
            ("frame", shape[:1]),
        ):  # fmt: skip
            array = getattr(take, name)
            if array is not None and array.shape != expected:
                raise ValueError(
                    f"{where}: expected {name} of shape {expected} (skeleton "
                    f"'{self._skeleton.name}'), got {array.shape}"
                )
        has = (take.poses_3d is not None, take.confidence is not None, take.view is not None)
        if self._has not in (None, has):
            words = ("3D poses", "confidences", "a calibrated camera")
            differing = next(
                w for w, a, b in zip(words, has, self._has or has, strict=True) if a != b
            )
            raise ValueError(
                f"{where}: expected every take with {differing} or none, got both kinds; convert "
                "them into separate files"
            )
        self._has = has
        present = np.ones(shape, bool) if take.confidence is None else take.confidence > 0
        for name in ("poses_2d", "poses_3d"):
            array = getattr(take, name)
            if array is not None and (bad := ~np.isfinite(array).all(-1) & present).any():
                row, joint = np.argwhere(bad)[0]
                raise ValueError(
                    f"{where}: expected finite {name}, got NaN or Inf in {int(bad.any(1).sum())} "
                    f"frames (first: frame {take.frame[row]}, joint "
                    f"{self._skeleton.joints[joint]}); mend the source or leave this take out"
                )
        known = self._views.setdefault(take.camera, take.view)
        if known is not None and take.view is not None and not _same(known, take.view):
            raise ValueError(
                f"{where}: expected one calibration per camera, got a second one of the same name; "
                "give each camera its own name"
            )

    def _flush(self) -> None:
        if not self._buffer:
            return
        for name in self._buffer[0]:
            block = np.concatenate([columns[name] for columns in self._buffer])
            if name not in self._file:
                self._file.create_dataset(
                    name, data=block, maxshape=(None, *block.shape[1:]),
                    chunks=(CHUNK_ROWS, *block.shape[1:]), compression="gzip", compression_opts=4,
                    shuffle=True,
                )  # fmt: skip
                continue
            dataset = self._file[name]
            start = len(dataset)
            dataset.resize(start + len(block), axis=0)
            dataset[start:] = block
        self._buffer, self._buffered = [], 0

    def close(self) -> None:
        """Write what is still in memory, the names and the cameras.

        Raises:
            ValueError: If nothing was added.
        """
        if self.rows == 0:
            raise ValueError(
                "poses: expected at least one frame to write, got none; check the source and what "
                "is left out"
            )
        self._flush()
        for name, known in self._names.items():
            text = np.array(list(known), dtype=h5py.string_dtype())
            self._file.create_dataset(f"{name}/names", data=text)
        views = [self._views[camera] for camera in self._names["camera"]]
        if all(view is not None for view in views):
            for column in fields(Calibration):
                values = [getattr(view, column.name) for view in views]
                if any(value is None for value in values):
                    continue
                kind = np.int32 if column.name == "size_px" else np.float32
                self._file.create_dataset(f"cameras/{column.name}", data=np.asarray(values, kind))


@contextmanager
def write_poses(path: str | Path, skeleton: Skeleton) -> Iterator[PoseWriter]:
    """A pose set file to append takes to; it appears, whole, when the block ends without an error.

    Args:
        path: The file; an earlier one of that name stays until then.
        skeleton: The layout of every take.

    Raises:
        ValueError: If nothing was added, see also :meth:`PoseWriter.add`.
        OSError: If the file can't be written.
    """
    with atomic_hdf5(path) as file:
        writer = PoseWriter(file, skeleton)
        yield writer
        writer.close()


def _same(a: Calibration, b: Calibration) -> bool:
    return a is b or all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name))
        if getattr(a, f.name) is not None and getattr(b, f.name) is not None
        else getattr(a, f.name) is getattr(b, f.name)
        for f in fields(Calibration)
    )
