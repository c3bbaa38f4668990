"""Read ``.npz`` and ``.pkl`` files of arrays without running anything in them.

Arrays of numbers and texts are read by NumPy, their sizes checked. Pickles, and arrays of objects,
which are pickles, are loaded in a child process, which sends plain content back.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from selflift.files.child_process import IsolatedReader
from selflift.files.restricted_unpickler import check_text, load_arrays
from selflift.files.untrusted import (
    MOST_BYTES,
    ImportFileError,
    UntrustedError,
    check_promise,
    most_bytes,
)

# As NumPy writes them. Other methods may ask for gigabytes before they unpack a byte.
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_unpickle = IsolatedReader("""
from selflift.files.array_archives import unpickle as read

def warm():
    pass
""")


def read_pickle(path: str | Path) -> Any:
    """Load a pickle of NumPy arrays and plain containers.

    Raises:
        ImportFileError: If it is missing, corrupt, or holds anything else; nothing of it is run.
    """
    path = Path(path)
    with _reading(path, "a pickle"):
        return _unpickle(path, [])


def read_npz(path: str | Path, *keys: str) -> dict[str, Any]:
    """Load arrays of an ``.npz`` archive; an array of a single object comes as that object.

    Args:
        path: The file.
        keys: The arrays that must be there, and are read; all of them if none is named.

    Raises:
        ImportFileError: If the file is missing, corrupt, lacks a key, or holds pickled objects
            other than arrays and plain containers; nothing of it is run.
    """
    path = Path(path)
    with _reading(path, "an npz archive"), zipfile.ZipFile(path) as archive:
        have = _keys(archive)
        missing = [key for key in keys if key not in have]
        if missing:
            raise ImportFileError(
                f"expected the key {', '.join(missing)}, got {', '.join(have) or 'no array'}; is "
                "it the right file?"
            )
        wanted, promised, most = list(dict.fromkeys(keys or have)), 0, most_bytes(path)
        for key in wanted:
            entry = archive.getinfo(f"{key}.npy")
            if entry.compress_type not in PACKINGS:
                raise ImportFileError(
                    f"expected arrays packed as NumPy does (stored or deflated), got another way "
                    f"in '{key[:80]}'; write it again with numpy.savez"
                )
            promised += entry.file_size
            check_promise(key, promised, most)
        plain = {key: _read_plain(archive, key) for key in wanted}
        pickled = [key for key, array in plain.items() if array is None]
        return {**plain, **(_unpickle(path, pickled) if pickled else {})}


def npz_keys(path: str | Path) -> list[str]:
    """Return the names of the arrays in an ``.npz`` archive; none if it is no such archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _keys(archive)
    except Exception:  # a corrupt archive raises many kinds, depending on the place
        return []


def unpickle(path: str, keys: list[str]) -> Any:
    """Load a pickle, or pickled arrays of an archive; runs in the child process."""
    if not keys:
        with open(path, "rb") as stream:
            return load_arrays(stream)
    content = {}
    with zipfile.ZipFile(path) as archive:
        for key in keys:
            with archive.open(f"{key}.npy") as stream:
                _header(stream)
                array = load_arrays(stream)
            single = isinstance(array, np.ndarray) and array.shape == ()
            content[key] = array.item() if single else array
    return content


def _keys(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _header(stream: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Read past the header of an array; return its shape and type."""
    first = np.lib.format.read_magic(stream) == (1, 0)
    form = np.lib.format
    shape, _, dtype = (form.read_array_header_1_0 if first else form.read_array_header_2_0)(stream)
    return shape, dtype


def _read_plain(archive: zipfile.ZipFile, key: str) -> np.ndarray | None:
    """Read an array of numbers or texts; ``None`` if it is one of objects."""
    entry = archive.getinfo(f"{key}.npy")
    with archive.open(entry) as stream:
        shape, dtype = _header(stream)
    if dtype.hasobject:
        return None
    # Zeros would hide that the others are too large.
    size = math.prod(n or 1 for n in shape) * max(dtype.itemsize, 1)
    if size > max(entry.file_size, MOST_BYTES):
        raise ImportFileError(
            f"expected an array of at most {entry.file_size} bytes, got one of {size}"
        )
    with archive.open(entry) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    check_text(array)
    return array


@contextmanager
def _reading(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a corrupt file raises into one line that names it."""
    if not path.is_file():
        raise ImportFileError(f"'{path}': no such file; expected {what}")
    try:
        yield
    except (ImportFileError, UntrustedError) as error:
        raise ImportFileError(f"'{path}': {error}") from error
    except MemoryError as error:
        raise ImportFileError(
            f"'{path}': expected {what} that fits into memory, got one that does not, or whose "
            "sizes are corrupt; close other programs or download it again"
        ) from error
    except Exception as error:
        reason = "" if type(error) is ValueError else f"{type(error).__name__}: "
        reason += " ".join(str(error).split())[:200]
        raise ImportFileError(
            f"'{path}': expected {what}, got a file that is corrupt, cut short or something else "
            f"({reason}); download it again"
        ) from error
