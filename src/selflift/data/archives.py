"""Archives of arrays: ``.npz`` and ``.pkl`` files, of which nothing is run."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from selflift.data.takes import ImportFileError
from selflift.data.unpickle import check_text, count_of, load_arrays

# Poses shrink by a factor of 2 or 3; whatever is small in memory may shrink as it likes.
MOST_GROWTH, MOST_BYTES = 100, 2**28


def read_pickle(path: str | Path) -> Any:
    """The content of a pickle of NumPy arrays and plain containers.

    Args:
        path: The file.

    Raises:
        ImportFileError: If it is missing, damaged, or holds anything else; nothing of it is run.
    """
    path = Path(path)
    with _reading(path, "a pickle"), open(path, "rb") as stream:
        return load_arrays(stream)


def read_npz(path: str | Path, *keys: str) -> dict[str, Any]:
    """Arrays of an ``.npz`` archive; an array of a single object comes as that object.

    Args:
        path: The file.
        keys: The arrays that must be there, and are read; all of them if none is named.

    Raises:
        ImportFileError: If the file is missing, damaged, lacks a key, or holds pickled objects
            other than arrays and plain containers; nothing of it is run.
    """
    path = Path(path)
    with _reading(path, "an npz archive"), zipfile.ZipFile(path) as archive:
        have = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
        missing = [key for key in keys if key not in have]
        if missing:
            raise ImportFileError(
                f"expected the key {', '.join(missing)}, got {', '.join(have) or 'no array'}; is "
                "it the right file?"
            )
        out = {}
        for key in keys or have:
            _check_size(archive.getinfo(f"{key}.npy"))
            with archive.open(f"{key}.npy") as stream:
                out[key] = _read_array(stream)
        return out


def _check_size(entry: zipfile.ZipInfo) -> None:
    """Refuse an entry that grows as only repetition does: it would fill the memory."""
    if entry.file_size > MOST_BYTES and entry.file_size > MOST_GROWTH * entry.compress_size:
        raise ImportFileError(
            f"expected at most {MOST_GROWTH} bytes for each of the archive, got "
            f"{entry.file_size / 1e9:.1f} GB from {entry.compress_size / 1e6:.1f} MB in "
            f"'{entry.filename}'; get it from its publisher"
        )


def npz_keys(path: str | Path) -> list[str]:
    """Names of the arrays in an ``.npz`` archive; none if it is no such archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
    except (OSError, zipfile.BadZipFile):
        return []


def _read_array(stream: io.BufferedIOBase | IO[bytes]) -> Any:
    # Its headers are read by NumPy; only an array of objects is a pickle, which NumPy would run.
    version = np.lib.format.read_magic(stream)
    header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = header(stream)
    if not dtype.hasobject:
        count = count_of(shape, dtype)
        size = count * dtype.itemsize
        data = stream.read(size)
        if len(data) != size:
            raise ImportFileError(f"expected {size} bytes of an array, got {len(data)}")
        flat = np.frombuffer(bytearray(data), dtype=dtype, count=count)
        check_text(flat)
        return flat.reshape(shape, order="F" if fortran else "C")
    content = load_arrays(stream)
    if isinstance(content, np.ndarray) and content.shape == ():
        return content.item()
    return content


class _reading:
    """Turns whatever a damaged file raises into one line that names it."""

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what

    def __enter__(self) -> None:
        if not self._path.is_file():
            raise ImportFileError(f"'{self._path}': no such file; expected {self._what}")

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ImportFileError):
            raise ImportFileError(f"'{self._path}': {error}") from error
        if isinstance(error, MemoryError):
            raise ImportFileError(
                f"'{self._path}': expected {self._what} that fits into memory, got one that does "
                "not, or whose sizes are damaged; close other programs or get it again"
            ) from error
        if isinstance(error, Exception):
            reason = " ".join(str(error).split())[:200]
            raise ImportFileError(
                f"'{self._path}': expected {self._what}, got a file that is damaged, cut short or "
                f"something else ({type(error).__name__}: {reason}); get it again"
            ) from error
