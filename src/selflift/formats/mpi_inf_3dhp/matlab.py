"""Variables of MATLAB files, of either kind; every defect is one line.

Up to version 7 MATLAB has a format of its own, which SciPy reads; since 7.3 it writes HDF5, in
which dimensions come in the opposite order.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from selflift.files.child_process import IsolatedReader
from selflift.files.hdf5 import open_hdf5
from selflift.files.untrusted import ImportFileError, UntrustedError

HEADER_BYTES = 128
ENDIANS = (b"IM", b"MI")


def check_version(path: Path, hdf5: bool) -> None:
    """Check the kind of a MATLAB file, from its first bytes.

    Args:
        path: The file.
        hdf5: Whether version 7.3 (HDF5) is expected, or an earlier one.

    Raises:
        ImportFileError: If it is of the other kind, or none.
    """
    try:
        with open(path, "rb") as stream:
            header = stream.read(HEADER_BYTES)
        is_hdf5 = h5py.is_hdf5(os.fspath(path))
    except OSError as error:
        raise ImportFileError(
            f"'{path}': expected a MATLAB file, got one that can't be opened ({error})"
        ) from error
    is_mat5 = len(header) == HEADER_BYTES and header[-2:] in ENDIANS and not is_hdf5
    if (is_hdf5 or is_mat5) and is_hdf5 != hdf5:
        expected, got, option = "7 or before", "HDF5 (version 7.3)", "-v7"
        if hdf5:
            expected, got, option = "7.3 (HDF5)", "an earlier version", "-v7.3"
        raise ImportFileError(
            f"'{path}': expected a MATLAB file of version {expected}, as published, got {got}; "
            f"save it in MATLAB with save(..., '{option}') or get it again"
        )
    if not (is_hdf5 or is_mat5):
        raise ImportFileError(
            f"'{path}': expected a MATLAB file, got something else or one cut short; get it again"
        )


def load_scipy() -> Any:
    """``scipy.io``, which is optional.

    Raises:
        ImportFileError: If SciPy is not installed.
    """
    try:
        return importlib.import_module("scipy.io")
    except ImportError as error:
        raise ImportFileError(
            "MPI-INF-3DHP: expected the package scipy, which reads its MATLAB files, got none; "
            "pip install selflift[data]"
        ) from error


# Cells, which are objects, come one by one.
_READ = """
def warm():
    import scipy.io

def read(path, names):
    import numpy as np
    from scipy.io import loadmat, whosmat
    found = loadmat(path, variable_names=names)
    arrays = {"": np.array([name for name, _, _ in whosmat(path)], str)}
    for name in set(names) & set(found):
        if found[name].dtype != object:
            arrays[name] = plain(found[name])
            continue
        arrays[name] = np.array(found[name].shape)
        for i, cell in enumerate(found[name].ravel()):
            arrays[f"{name}/{i}"] = plain(np.asarray(cell))
    return arrays

def plain(array):
    if array.dtype.kind not in "fiubcSU":
        raise ValueError(f"expected numbers, got {array.dtype!s:.60}")
    return array
"""
_mat5 = IsolatedReader(_READ)


def read_mat5(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Variables of a file of version 7 or before.

    Raises:
        ImportFileError: If the file is corrupt or of another kind, or lacks a variable.
    """
    load_scipy()
    check_version(path, hdf5=False)
    try:
        arrays = _mat5(path, names)
    except (ValueError, OSError) as error:
        raise _corrupt(path, str(error)) from error
    _check_there(path, names, arrays[""].tolist())
    out = {}
    for name in names:
        out[name] = np.asarray(arrays[name])
        if f"{name}/0" in arrays:
            shape = tuple(arrays[name])
            out[name] = np.empty(shape, object)
            for i, place in enumerate(np.ndindex(shape)):
                out[name][place] = arrays[f"{name}/{i}"]
    return out


def read_mat73(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Variables of a file of version 7.3, numbers only, with dimensions as HDF5 has them.

    Raises:
        ImportFileError: If the file is corrupt or of another kind, or lacks a variable.
    """
    check_version(path, hdf5=True)
    try:
        with open_hdf5(path) as file:
            _check_there(path, [name for name in names if name not in file], file.names())
            for name in names:
                if not file.is_dataset(name) or file.has_texts(name):
                    got = "texts" if file.is_dataset(name) else "a group"
                    raise wrong(path, name, "an array of numbers", got)
            return {name: file.array(name) for name in names}
    except ImportFileError:
        raise
    except UntrustedError as error:
        raise ImportFileError(f"'{path}': {error}") from error
    except Exception as error:  # h5py raises many kinds, depending on the damage
        raise _corrupt(path, f"{type(error).__name__}: {error}") from error


def cells(path: Path, name: str, variable: np.ndarray, count: int, width: int) -> list[np.ndarray]:
    """The cells of a cell array, each ``(F, width)`` numbers.

    Raises:
        ImportFileError: If it is no such cell array.
    """
    expected = f"{count} cells of numbers, each (frames, {width})"
    if variable.dtype != object or variable.size != count:
        raise wrong(path, name, expected, f"{variable.dtype} of shape {variable.shape}")
    flat = [np.asarray(cell) for cell in variable.ravel()]
    for number, cell in enumerate(flat):
        if cell.dtype.kind not in "fiu" or cell.ndim != 2 or cell.shape[1] != width:
            raise wrong(path, name, expected, f"{cell.dtype} {cell.shape} in cell {number}")
    return flat


def wrong(path: Path, name: str, expected: str, got: str) -> ImportFileError:
    """The error of a variable that isn't what it should be."""
    # Arrays print on several lines.
    got = " ".join(got.split())
    return ImportFileError(f"'{path}': {name}: expected {expected}, got {got}; get the file again")


def _check_there(path: Path, names: Sequence[str], content: Sequence[str]) -> None:
    for name in names:
        if name not in content:
            have = ", ".join(sorted(key for key in content if key[0] not in "_#")) or "none"
            raise ImportFileError(
                f"'{path}': expected the variable {name}, got {have}; is it the data set's own "
                "file?"
            )


def _corrupt(path: Path, reason: str) -> ImportFileError:
    reason = " ".join(reason.split())[:200]
    return ImportFileError(
        f"'{path}': expected a whole MATLAB file, got one that is corrupt or cut short "
        f"({reason}); get it again"
    )
