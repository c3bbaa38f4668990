"""Archives of arrays: ``.npz`` and ``.pkl`` files, of which nothing is run."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from selflift.files.restricted_unpickler import check_text, count_of, load_arrays
from selflift.files.untrusted import ImportFileError, UntrustedError, check_promise, most_bytes

# What NumPy writes. Others may ask for gigabytes before they unpack a byte.
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
BLOCK_BYTES = 2**20


def read_pickle(path: str | Path) -> Any:
    """The content of a pickle of NumPy arrays and plain containers.

    Args:
        path: The file.

    Raises:
        ImportFileError: If it is missing, damaged, or holds anything else; nothing of it is run.
    """
    path = Path(path)
    with _reading(path, "a pickle"), open(path, "rb") as stream:
        return load_arrays(stream, os.path.getsize(path))


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
        out, promised, most = {}, 0, most_bytes(path)
        for key in dict.fromkeys(keys or have):
            entry = archive.getinfo(f"{key}.npy")
            if entry.compress_type not in PACKINGS:
                raise ImportFileError(
                    f"expected arrays packed as NumPy does (stored or deflated), got another way "
                    f"in '{key[:80]}'; write it again with numpy.savez"
                )
            promised += entry.file_size
            check_promise(key, promised, most)
            with archive.open(entry) as stream:
                out[key] = _read_array(stream, entry.file_size)
        return out


def npz_keys(path: str | Path) -> list[str]:
    """Names of the arrays in an ``.npz`` archive; none if it is no such archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
    except Exception:  # a damaged archive raises many kinds, depending on where it is damaged
        return []


def _read_array(stream: io.BufferedIOBase | IO[bytes], most: int) -> Any:
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
        if size > most:
            raise ImportFileError(f"expected an array of at most {most} bytes, got one of {size}")
        data = bytearray(size)
        got = _fill(stream, memoryview(data))
        if got != size:
            raise ImportFileError(f"expected {size} bytes of an array, got {got}")
        flat = np.frombuffer(data, dtype=dtype, count=count)
        check_text(flat)
        return flat.reshape(shape, order="F" if fortran else "C")
    content = load_arrays(stream, most)
    if isinstance(content, np.ndarray) and content.shape == ():
        return content.item()
    return content


def _fill(stream: io.BufferedIOBase | IO[bytes], data: memoryview) -> int:
    """Read until the memory is full or the stream ends; returns how many bytes came."""
    got = 0
    while part := stream.read(min(len(data) - got, BLOCK_BYTES)):
        data[got : got + len(part)] = part
        got += len(part)
    return got


class _reading:
    """Turns whatever a damaged file raises into one line that names it."""

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what

    def __enter__(self) -> None:
        if not self._path.is_file():
            raise ImportFileError(f"'{self._path}': no such file; expected {self._what}")

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, (ImportFileError, UntrustedError)):
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
