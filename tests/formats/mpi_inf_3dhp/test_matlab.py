"""MATLAB files: what damage does."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from selflift.files.untrusted import ImportFileError
from selflift.formats.mpi_inf_3dhp.matlab import cells, read_mat5

scipy_io = pytest.importorskip("scipy.io", reason="SciPy reads and writes these files")


def written(path: Path) -> bytes:
    poses = np.empty((14, 1), object)
    for camera in range(14):
        poses[camera, 0] = camera + np.arange(56.0 * 3).reshape(3, 56)
    scipy_io.savemat(path, {"annot2": poses, "frames": np.arange(3)[:, None]})
    return path.read_bytes()


def test_cells_and_arrays_are_read(tmp_path: Path) -> None:
    path = tmp_path / "annot.mat"
    written(path)
    content = read_mat5(path, ["annot2", "frames"])
    np.testing.assert_array_equal(content["frames"], [[0], [1], [2]])
    found = cells(path, "annot2", content["annot2"], 14, 56)
    for camera, cell in enumerate(found):
        np.testing.assert_array_equal(cell, camera + np.arange(56.0 * 3).reshape(3, 56))


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    written(tmp_path / "annot.mat")
    with pytest.raises(ImportFileError, match="expected the variable annot3, got annot2, frames"):
        read_mat5(tmp_path / "annot.mat", ["annot3"])


def test_damaged_sizes_are_one_line_and_never_a_crash(tmp_path: Path) -> None:
    # Damage to the sizes of the first cells, of which some end the reader by a signal.
    path, random_bytes = tmp_path / "annot.mat", random.Random(2)
    whole = written(path)
    for _ in range(6):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[random_bytes.randrange(128, 400)] = random_bytes.randrange(256)
        path.write_bytes(damaged)
        try:
            cells(path, "annot2", read_mat5(path, ["annot2"])["annot2"], 14, 56)
        except ImportFileError as error:
            assert "annot.mat'" in str(error) and "\n" not in str(error)
