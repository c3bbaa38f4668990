"""Files that hold Python pickles, read without running what is in them.

The public ``.npz`` and ``.pkl`` files of the field are pickles, and a pickle is a program: whoever
writes one decides what runs on the reader's machine. Here only the instructions that build NumPy
arrays and plain containers are obeyed; anything else is refused by its name before it is called.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from selflift.data.takes import ImportFileError


def _encode(text: str, encoding: str) -> bytes:
    # Python 2 and protocols below 3 write bytes as text that is to be encoded.
    if encoding != "latin1":
        raise ImportFileError(f"expected bytes in latin1, got '{encoding}'")
    return text.encode("latin1")


def _array_parts() -> dict[str, Callable[..., Any]]:
    """What NumPy's own pickles call, by the names in its public history."""
    # Taken from NumPy's pickles themselves, since the module they live in moved with NumPy 2.
    reconstruct = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    assert callable(reconstruct) and callable(scalar)
    return {"_reconstruct": reconstruct, "scalar": scalar, "_frombuffer": _frombuffer}


def _frombuffer(buffer: Any, dtype: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    # NumPy's protocol 5, without its freedom of the buffer's type.
    return np.frombuffer(bytes(buffer), dtype=dtype).reshape(
        shape, order="F" if order == "F" else "C"
    )


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _encode,
    # Protocols below 4 build these by their names.
    **{
        (module, kind.__name__): kind
        for kind in (set, frozenset, bytearray, complex)
        for module in ("builtins", "__builtin__")
    },
    **{
        (module, name): part
        for name, part in _array_parts().items()
        for module in (
            "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric",
            "numpy._core.numeric",
        )
    },
}  # fmt: skip


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise ImportFileError(
                f"expected only NumPy arrays and plain containers, got '{module}.{name}', which "
                "was not run; get the file from its publisher"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise ImportFileError("expected no references outside the file, got one")


def read_pickle(path: str | Path) -> Any:
    """The content of a pickle of NumPy arrays and plain containers.

    Args:
        path: The file.

    Raises:
        ImportFileError: If it is missing, damaged, or holds anything else; nothing of it is run.
    """
    path = Path(path)
    with _reading(path, "a pickle"), open(path, "rb") as stream:
        return _unpickle(stream)


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
            with archive.open(f"{key}.npy") as stream:
                out[key] = _read_array(stream)
        return out


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
        count = int(np.prod(shape, dtype=np.int64))
        size = count * dtype.itemsize
        data = stream.read(size)
        if len(data) != size:
            raise ImportFileError(f"expected {size} bytes of an array, got {len(data)}")
        flat = np.frombuffer(bytearray(data), dtype=dtype, count=count)
        return flat.reshape(shape, order="F" if fortran else "C")
    content = _unpickle(stream)
    if isinstance(content, np.ndarray) and content.shape == ():
        return content.item()
    return content


def _unpickle(stream: io.BufferedIOBase | IO[bytes]) -> Any:
    # Texts of Python 2 are read as latin1, as NumPy's own files from then need it.
    return _ArraysOnly(stream, encoding="latin1").load()


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
        if isinstance(error, Exception):
            reason = " ".join(str(error).split())[:200]
            raise ImportFileError(
                f"'{self._path}': expected {self._what}, got a file that is damaged, cut short or "
                f"something else ({type(error).__name__}: {reason}); get it again"
            ) from error
