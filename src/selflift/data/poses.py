"""``PoseSet``: a set of 2D poses with whatever else is known of them, and its HDF5 format v1.

Everything that trains, evaluates or lifts reads this one thing, whatever the source was.

File layout (``format = "selflift.poses"``, ``version = 1``, both attributes of the file; also
``skeleton``, JSON with name, joints, parents, left, right, head, legs, parts; ``unit_2d = "px"``,
``unit_3d = "mm"``, ``frame_3d = "camera"``):

=====================  ====================  ======================================================
dataset                shape                 content
=====================  ====================  ======================================================
``poses_2d``           (N, J, 2) float32     pixels, x right, y down
``poses_3d``           (N, J, 3) float32     optional; camera frame (x right, y down, z forward), mm
``confidence``         (N, J) float32        optional; 0 marks a missing joint
``frame``              (N,) int64            index in the source recording
``fps``                (N,) float32          rate at which ``frame`` counts thinned frames
``subject|action|clip  ``names`` (text),     which of the names each pose has; one ``camera`` is one
|camera``              ``index`` (N,) int32  row of ``cameras``
``cameras/*``          (K, ...)              optional; ``f_px``, ``c_px``, ``radial``,
                                             ``tangential``, ``size_px``, and optionally
                                             ``rotation`` (world to camera), ``centre_mm``
=====================  ====================  ======================================================

Datasets are chunked and compressed (gzip, shuffle). Files are written atomically and read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import h5py
import numpy as np
import torch

from selflift.atomic import atomic_hdf5
from selflift.data.hdf5 import Hdf5File, open_hdf5
from selflift.geometry.camera import Intrinsics
from selflift.skeleton import Skeleton
from selflift.untrusted import UntrustedError, in_a_line

FORMAT = "selflift.poses"
VERSION = 1
CONVENTIONS = {"unit_2d": "px", "unit_3d": "mm", "frame_3d": "camera"}
LABELS = ("subject", "action", "clip", "camera")


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
    cameras: Cameras | None = None
    poses_3d: np.ndarray | None = None
    confidence: np.ndarray | None = None

    def __post_init__(self) -> None:
        n, joints = len(self.poses_2d), self.skeleton.num_joints
        expected = {
            "poses_2d": (self.poses_2d, (n, joints, 2)),
            "poses_3d": (self.poses_3d, (n, joints, 3)),
            "confidence": (self.confidence, (n, joints)),
            "frame": (self.frame, (n,)),
            "fps": (self.fps, (n,)),
            **{f"{name}/index": (getattr(self, name).index, (n,)) for name in LABELS},
            **self._camera_shapes(),
        }
        for name, (array, shape) in expected.items():
            if array is not None and array.shape != shape:
                raise ValueError(
                    f"poses: expected {name} of shape {shape} (skeleton "
                    f"'{self.skeleton.name}'), got {array.shape}; convert the poses or name "
                    "their skeleton"
                )
        for name in LABELS:
            labels: Labels = getattr(self, name)
            if labels.index.dtype.kind not in "iu":
                raise ValueError(
                    f"poses: expected {name}/index of integers, got {labels.index.dtype}; the file "
                    "is inconsistent"
                )
            if n and not 0 <= labels.index.min() <= labels.index.max() < len(labels.names):
                raise ValueError(
                    f"poses: expected {name}/index between 0 and {len(labels.names) - 1}, got "
                    f"{labels.index.min()} to {labels.index.max()}; the file is inconsistent"
                )
        if self.frame.dtype.kind not in "iu":
            raise ValueError(
                f"poses: expected frame of integers, got {self.frame.dtype}; the file is "
                "inconsistent"
            )
        if self.cameras is not None:
            for name in ("f_px", "size_px"):
                column = getattr(self.cameras, name)
                if not (np.isfinite(column).all() and (column > 0).all()):
                    raise ValueError(
                        f"poses: expected cameras/{name} above 0, got {column.min()}; give each "
                        "camera its own, or leave the cameras out"
                    )
        self._check_finite()

    def _camera_shapes(self) -> dict[str, tuple[np.ndarray | None, tuple[int, ...]]]:
        """Each column of ``cameras`` and its shape: one row per camera name."""
        if self.cameras is None:
            return {}
        row = {"radial": (3,), "rotation": (3, 3), "centre_mm": (3,)}
        return {
            f"cameras/{c.name}": (
                getattr(self.cameras, c.name), (len(self.camera.names), *row.get(c.name, (2,)))
            )
            for c in fields(Cameras)
        }  # fmt: skip

    def _check_finite(self) -> None:
        present = np.ones(self.poses_2d.shape[:2], bool)
        if self.confidence is not None:
            present = self.confidence > 0
        for name, array in (("poses_2d", self.poses_2d), ("poses_3d", self.poses_3d)):
            if array is None:
                continue
            bad = ~np.isfinite(array).all(-1) & present
            if bad.any():
                row, joint = np.argwhere(bad)[0]
                raise ValueError(
                    f"poses: expected finite {name}, got NaN or Inf in {int(bad.any(1).sum())} "
                    f"poses (first: pose {row}, joint {self.skeleton.joints[joint]}); drop these "
                    "poses or give the joint confidence 0"
                )

    def __len__(self) -> int:
        return len(self.poses_2d)

    def select(self, which: np.ndarray) -> PoseSet:
        """The poses named by a boolean mask or an index array; names and cameras are kept."""

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
                _write(file, name, getattr(self, name))
            for name in LABELS:
                labels: Labels = getattr(self, name)
                text = np.array(labels.names, dtype=h5py.string_dtype())
                file.create_dataset(f"{name}/names", data=text)
                _write(file, f"{name}/index", labels.index)
            if self.cameras is not None:
                for column in fields(self.cameras):
                    _write(file, f"cameras/{column.name}", getattr(self.cameras, column.name))

    @classmethod
    def load(cls, path: str | Path, subjects: Sequence[str] | None = None) -> PoseSet:
        """Read a set from an HDF5 file of format v1.

        Args:
            path: The file.
            subjects: Read the poses of these only; the names and cameras of all are kept.

        Raises:
            ValueError: If the file is missing, damaged, foreign or inconsistent, or a subject is
                not in it.
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(
                f"poses '{path}': no such file; expected a pose set (HDF5) written by "
                "selflift.data.PoseSet.save"
            )
        try:
            with open_hdf5(path) as file:
                return _read(file, path, subjects)
        except Exception as error:  # h5py raises many kinds, depending on the damage
            reason = in_a_line(" ".join(str(error).split()))
            if isinstance(error, UntrustedError):
                raise ValueError(f"poses '{path}': {reason}") from error
            if isinstance(error, ValueError) and reason.startswith("poses"):
                raise ValueError(reason.replace("poses:", f"poses '{path}':", 1)) from error
            raise ValueError(
                f"poses '{path}': expected a pose set (HDF5, format '{FORMAT}' v{VERSION}), got a "
                f"file that is damaged, cut short or something else ({reason[:200]}); write it "
                "again"
            ) from error


def write_header(file: h5py.File, skeleton: Skeleton) -> None:
    """The attributes that say what the file is."""
    file.attrs["format"] = FORMAT
    file.attrs["version"] = VERSION
    file.attrs["skeleton"] = skeleton.to_json()
    file.attrs.update(CONVENTIONS)


def _write(file: h5py.File, name: str, array: np.ndarray | None) -> None:
    if array is None:
        return
    chunks = (min(len(array), 4096), *array.shape[1:]) if len(array) else None
    packed = {"compression": "gzip", "compression_opts": 4, "shuffle": True} if chunks else {}
    file.create_dataset(name, data=array, chunks=chunks, **packed)


def _read(file: Hdf5File, path: Path, subjects: Sequence[str] | None) -> PoseSet:
    if file.attrs.get("format") != FORMAT:
        raise ValueError(
            f"poses '{path}': expected an HDF5 file of format '{FORMAT}', got "
            f"{file.attrs.get('format')!r}; convert it to a pose set first"
        )
    if int(file.attrs["version"]) != VERSION:
        raise ValueError(
            f"poses '{path}': expected format version {VERSION}, got {file.attrs['version']}; "
            "install the selflift that wrote it"
        )

    for name, unit in CONVENTIONS.items():
        if file.attrs.get(name) != unit:
            raise ValueError(
                f"poses '{path}': expected {name} = '{unit}', got {file.attrs.get(name)!r}; "
                "convert the poses"
            )

    def array(name: str) -> np.ndarray:
        return file.array(name)

    runs = None if subjects is None else _runs(file, path, subjects)

    def rows(name: str) -> np.ndarray:
        if runs is None:
            return array(name)
        return np.concatenate([file[name][start:stop] for start, stop in runs])

    def optional(name: str, read: Callable[[str], np.ndarray] = array) -> np.ndarray | None:
        return read(name) if name in file else None

    def labels(name: str) -> Labels:
        return Labels(tuple(file.texts(f"{name}/names")), rows(f"{name}/index"))

    cameras = None
    if "cameras" in file:
        cameras = Cameras(
            f_px=array("cameras/f_px"),
            c_px=array("cameras/c_px"),
            radial=array("cameras/radial"),
            tangential=array("cameras/tangential"),
            size_px=array("cameras/size_px"),
            rotation=optional("cameras/rotation"),
            centre_mm=optional("cameras/centre_mm"),
        )
    skeleton = Skeleton.from_json(file.attrs["skeleton"])
    return PoseSet(
        skeleton=skeleton,
        poses_2d=rows("poses_2d"),
        poses_3d=optional("poses_3d", rows),
        confidence=optional("confidence", rows),
        frame=rows("frame"),
        fps=rows("fps"),
        cameras=cameras,
        **{name: labels(name) for name in LABELS},
    )


def _runs(file: Hdf5File, path: Path, subjects: Sequence[str]) -> list[tuple[int, int]]:
    """Where the poses of some subjects lie: ``(start, stop)`` of every unbroken run."""
    names = file.texts("subject/names")
    unknown = [subject for subject in subjects if subject not in names]
    if unknown:
        raise ValueError(
            f"poses '{path}': expected the subjects {', '.join(subjects)}, got a file of "
            f"{', '.join(names)}; set data.subjects"
        )
    wanted = np.isin(file["subject/index"][()], [names.index(subject) for subject in subjects])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)] or [(0, 0)]
