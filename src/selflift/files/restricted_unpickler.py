"""Unpickle NumPy arrays and plain containers, and nothing else.

The public ``.npz`` and ``.pkl`` files of the field are pickles, and a pickle is a program. Here
:meth:`pickle.Unpickler.find_class` knows an allow-list only, so that no other function can be
called. NumPy trusts what a pickle says of an array's type and shape, and would read or free foreign
memory; so the allow-list has checked stand-ins for NumPy's functions.

A pickle may still ask for memory or crash the interpreter: untrusted ones are loaded in a child
process (:mod:`selflift.files.array_archives`).
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Callable
from typing import IO, Any, Literal, NoReturn

import numpy as np

from selflift.files.untrusted import MOST_ITEMS, ImportFileError

# As NumPy's pickles spell types: numbers, texts and objects. Dates and records are not read.
_TYPES = re.compile(r"b1|[iu][1248]|f(2|4|8|12|16)|c(8|16|24|32)|[SU][0-9]{1,9}|O[48]?")
_ORDERS: dict[str, Literal["<", ">", "=", "|"]] = {"<": "<", ">": ">", "=": "=", "|": "|"}


def load_arrays(stream: IO[bytes]) -> Any:
    """Load a pickle of NumPy arrays and plain containers.

    For a stranger's file in a child process, and for a child's answer.

    Raises:
        ImportFileError: If it holds anything else; nothing of it is run.
        Exception: Whatever a corrupt pickle makes the unpickler raise.
    """
    # Text of Python 2 is latin1, as NumPy's own files from then need it.
    return _ArraysOnly(stream, encoding="latin1").load()


def plain(content: Any) -> Any:
    """Replace the checked stand-ins among loaded arrays by ordinary arrays."""
    known: dict[int, Any] = {}

    def replaced(value: Any) -> Any:
        if isinstance(value, dict | list | tuple | set | frozenset | np.ndarray):
            if id(value) not in known:
                known[id(value)] = rebuilt(value)
            return known[id(value)]
        return value

    def rebuilt(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replaced(item) for key, item in value.items()}
        if not isinstance(value, np.ndarray):
            return type(value)(replaced(item) for item in value)
        array = value.view(np.ndarray)
        if array.dtype.hasobject:
            for place in np.ndindex(array.shape):
                array[place] = replaced(array[place])
        return array

    return replaced(content)


def check_text(array: np.ndarray) -> None:
    """Raise ValueError if an array of texts holds numbers that are no characters."""
    if array.dtype.kind == "U":
        array.tolist()


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module.replace("numpy._core.", "numpy.core."), name]
        except KeyError:
            raise ImportFileError(
                f"expected only NumPy arrays and plain containers, got '{module}.{name}', which "
                "was not run; get the file from its publisher"
            ) from None

    def persistent_load(self, pid: Any) -> NoReturn:
        raise ImportFileError("expected no references outside the file, got one")


class _Type:
    """Type of an array: its letters first, and then its byte order."""

    def __init__(self, letters: Any, *_: Any) -> None:
        if not (isinstance(letters, str) and _TYPES.fullmatch(letters)):
            raise ImportFileError(
                f"expected arrays of numbers, texts or objects, got the type {letters!r:.40}"
            )
        self.dtype = np.dtype(object if letters[0] == "O" else letters)

    def __setstate__(self, state: Any) -> None:
        # Version, byte order, then what only compound types have.
        whole = isinstance(state, tuple) and len(state) >= 5 and isinstance(state[1], str)
        if not (whole and state[1] in _ORDERS and all(part is None for part in state[2:5])):
            raise ImportFileError("expected a plain type of an array, got a compound one")
        self.dtype = self.dtype.newbyteorder(_ORDERS[state[1]])


class _Array(np.ndarray):
    """Array whose state is checked before NumPy sees it; it pickles as an ordinary one."""

    def __new__(cls, *_: Any) -> Any:
        raise ImportFileError("expected an array with a shape and a type, got a corrupt one")

    def __setstate__(self, state: Any) -> None:
        if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[2], _Type)):
            raise ImportFileError("expected an array with a shape and a type, got a corrupt one")
        _, shape, described, fortran, data = state
        if not (isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)):
            raise ImportFileError(f"expected the shape of an array, got {shape!r:.40}")
        dtype, count = described.dtype, math.prod(shape)
        # Bytes of Python 2 come as text.
        data = data.encode("latin1") if isinstance(data, str) else data
        fits = type(data) is (list if dtype.hasobject else bytes) and self.shape == (0,)
        # Zeros would hide that the others are too large.
        huge = math.prod(n or 1 for n in shape) > max(count, MOST_ITEMS)
        if not fits or huge or len(data) != count * (1 if dtype.hasobject else dtype.itemsize):
            raise ImportFileError(
                f"expected the content of an array {dtype} {shape}, got more, less or something "
                "else"
            )
        checked: Any = (1, shape, dtype, bool(fortran), data)
        super().__setstate__(checked)
        check_text(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.view(np.ndarray).__reduce_ex__(protocol)


def _array(*_: Any) -> Any:
    return np.ndarray.__new__(_Array, 0, np.int8)


class _Function:
    """Callable that a pickle can't change."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setstate__(self, state: Any) -> NoReturn:
        raise ImportFileError("expected only arrays to have a state, got a function's")


def _of_buffer(data: Any, described: Any, shape: Any, order: Any, *_: Any) -> np.ndarray:
    # NumPy's protocol 5.
    array = _array()
    array.__setstate__((1, shape, described, order == "F", bytes(memoryview(data))))
    return array


def _scalar(described: Any, data: Any) -> Any:
    array = _array()
    array.__setstate__((1, (1,), described, False, data))
    return array.view(np.ndarray)[0]


def _encode(text: str, encoding: str) -> bytes:
    # Python 2 and protocols below 3 write bytes as text that is to be encoded.
    if encoding != "latin1":
        raise ImportFileError(f"expected bytes in latin1, got '{encoding}'")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _Function(_array),
    ("numpy.core.multiarray", "scalar"): _Function(_scalar),
    ("numpy.core.numeric", "_frombuffer"): _Function(_of_buffer),
    ("collections", "OrderedDict"): dict,
    ("_codecs", "encode"): _Function(_encode),
    # Protocols below 4 build these by their names.
    **{
        (module, kind.__name__): kind
        for kind in (set, frozenset, complex, bytes)
        for module in ("builtins", "__builtin__")
    },
}
