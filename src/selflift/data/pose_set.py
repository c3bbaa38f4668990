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

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

import h5py
import numpy as np

from selflift.data.columns import (
    LABELS,
    PER_POSE,
    Cameras,
    Labels,
    NotFinite,
    check_labels,
    check_shapes,
    shape_error,
)
from selflift.files.atomic_write import atomic_hdf5
from selflift.files.hdf5 import Hdf5File, open_hdf5
from selflift.files.untrusted import UntrustedError, in_a_line
from selflift.skeleton import Skeleton

FORMAT = "selflift.poses"
VERSION = 1
TYPES = (
    ("poses_2d", "floats", "f"), ("poses_3d", "floats", "f"), ("confidence", "floats", "f"),
    ("frame", "integers", "iu"),
)  # fmt: skip
CONVENTIONS = {"unit_2d": "px", "unit_3d": "mm", "frame_3d": "camera"}


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
        for name in ("poses_2d", "poses_3d"):
            found = NotFinite.find(name, getattr(self, name), self.confidence)
            if found is not None:
                raise found.error(self.skeleton)

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
        with opened(path) as file:
            return _read(file, Path(path), subjects)


@contextmanager
def opened(path: str | Path) -> Iterator[Hdf5File]:
    """A pose set file, to be read; what goes wrong meanwhile is told as the file's damage.

    Raises:
        ValueError: If the file is missing, damaged, foreign or inconsistent.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"poses '{path}': no such file; expected a pose set (HDF5) written by "
            "selflift.data.PoseSet.save"
        )
    try:
        with open_hdf5(path) as file:
            _check_header(file, path)
            yield file
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


def _check_header(file: Hdf5File, path: Path) -> None:
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


def _read(file: Hdf5File, path: Path, subjects: Sequence[str] | None) -> PoseSet:
    runs = None if subjects is None else _runs(file, path, subjects)

    def rows(name: str) -> np.ndarray:
        if runs is None:
            return file.array(name)
        return np.concatenate([file[name][start:stop] for start, stop in runs])

    def optional(name: str) -> np.ndarray | None:
        return rows(name) if name in file else None

    return PoseSet(
        skeleton=Skeleton.from_json(file.attrs["skeleton"]),
        poses_2d=rows("poses_2d"),
        poses_3d=optional("poses_3d"),
        confidence=optional("confidence"),
        frame=rows("frame"),
        fps=rows("fps"),
        cameras=read_cameras(file),
        **{name: Labels(read_names(file, name), rows(f"{name}/index")) for name in LABELS},
    )


def read_names(file: Hdf5File, label: str) -> tuple[str, ...]:
    """The names of a label."""
    return tuple(file.texts(f"{label}/names"))


def read_cameras(file: Hdf5File) -> Cameras | None:
    """The table of cameras, if the file has one."""
    if "cameras" not in file:
        return None
    columns = {c.name: f"cameras/{c.name}" for c in fields(Cameras)}
    there = {
        name: file.array(place)
        for name, place in columns.items()
        if place in file or name not in ("rotation", "centre_mm")
    }
    return Cameras(**there)


def _runs(file: Hdf5File, path: Path, subjects: Sequence[str]) -> list[tuple[int, int]]:
    """Where the poses of some subjects lie: ``(start, stop)`` of every unbroken run."""
    wanted = rows_of(file, path, subjects)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)] or [(0, 0)]


def rows_of(file: Hdf5File, path: Path, subjects: Sequence[str]) -> np.ndarray:
    """Which poses of a file are of some subjects, ``(N,)``.

    Raises:
        ValueError: If a subject is not in it.
    """
    names = file.texts("subject/names")
    unknown = [subject for subject in subjects if subject not in names]
    if unknown:
        raise ValueError(
            f"poses '{path}': expected the subjects {', '.join(subjects)}, got a file of "
            f"{', '.join(names)}; set data.subjects"
        )
    return np.isin(file["subject/index"][()], [names.index(subject) for subject in subjects])
