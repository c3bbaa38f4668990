"""HDF5 format v1 of pose sets.

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

Datasets are chunked and compressed (gzip, shuffle). Files are written atomically. A set that is
larger than memory is loaded into arrays that are mapped from a scratch file; see
:mod:`selflift.files.scratch`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np

from selflift.files.hdf5 import Hdf5File, open_hdf5
from selflift.files.scratch import make_array
from selflift.files.untrusted import UntrustedError, in_a_line
from selflift.geometry.camera import Calibration
from selflift.skeleton import Skeleton

FORMAT = "selflift.poses"
VERSION = 1
CONVENTIONS = {"unit_2d": "px", "unit_3d": "mm", "frame_3d": "camera"}
# Poses that are processed together, so that memory does not grow with the set.
BLOCK = 65536


def block_slices(count: int) -> list[slice]:
    """Slices of :data:`BLOCK` poses each; the last has the rest as well.

    A few poses alone would be multiplied by other kernels than many, and rounded otherwise.
    """
    edges = [0, *range(BLOCK, count - BLOCK + 1, BLOCK), count]
    return [slice(start, stop) for start, stop in pairwise(edges)]


@contextmanager
def opened(path: str | Path) -> Iterator[Hdf5File]:
    """A pose set file, to be read; what fails meanwhile is reported as the file's corruption.

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


def write_column(file: h5py.File, name: str, array: np.ndarray | None) -> None:
    """Write an array, chunked and compressed; nothing if there is none."""
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


def read_rows(
    file: Hdf5File, name: str, keep: np.ndarray | None, scratch: Path | None, above: int
) -> np.ndarray:
    """Read the rows of a dataset that a mask keeps, block by block."""
    data = file[name]
    if keep is None and scratch is None:
        return file.array(name)
    if keep is not None and data.shape[:1] != keep.shape:
        raise ValueError(f"poses: expected {name} of {len(keep)} rows, got shape {data.shape}")
    count = len(data) if keep is None else int(keep.sum())
    kind = data.dtype.newbyteorder("=")
    found, start = make_array((count, *data.shape[1:]), kind, scratch, above), 0
    for rows in block_slices(len(data)):
        if keep is None or keep[rows].any():
            block = data[rows] if keep is None else data[rows][keep[rows]]
            found[start : start + len(block)] = block
            start += len(block)
    return found


def read_cameras(file: Hdf5File) -> Calibration | None:
    """Read the table of cameras, if the file has one."""
    if "cameras" not in file:
        return None
    columns = {c.name: f"cameras/{c.name}" for c in fields(Calibration)}
    there = {
        name: file.array(place)
        for name, place in columns.items()
        if place in file or name not in ("rotation", "centre_mm")
    }
    return Calibration(**there)


def mask_of(file: Hdf5File, path: Path, subjects: Sequence[str]) -> np.ndarray:
    """Mask the poses of some subjects, ``(N,)``; raise if one is not in the file."""
    names = file.texts("subject/names")
    unknown = [subject for subject in subjects if subject not in names]
    if unknown:
        raise ValueError(
            f"poses '{path}': expected the subjects {', '.join(subjects)}, got a file of "
            f"{', '.join(names)}; set data.subjects"
        )
    return np.isin(file["subject/index"][()], [names.index(subject) for subject in subjects])
