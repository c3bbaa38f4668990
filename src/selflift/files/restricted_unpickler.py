"""Pickles of arrays, read without running what is in them.

The public ``.npz`` and ``.pkl`` files of the field are pickles, and a pickle is a program: whoever
writes one decides what runs on the reader's machine. Here only the instructions that build NumPy
arrays and plain containers are obeyed; anything else is refused by its name before it is called.

NumPy believes what a pickle says of an array: one wrong byte in the type or the shape, and it reads
memory that is not the array's. So both are checked here before NumPy sees them. Only the unpickler
that is written in Python lets itself be watched like this; it costs seconds on lists of millions of
texts, and nothing on arrays.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import IO, Any, ClassVar, Literal

import numpy as np

from selflift.files.untrusted import (
    MOST_BYTES,
    MOST_ITEMS,
    ImportFileError,
    check_nesting,
    check_promise,
)

# As NumPy's pickles spell types: numbers, texts and objects. Dates and records are not read.
_TYPES = re.compile(r"b1|[iu][1248]|f(2|4|8|12|16)|c(8|16|24|32)|[SU][0-9]{1,9}|O[48]?")
_ORDERS: dict[str, Literal["<", ">", "=", "|"]] = {"<": "<", ">": ">", "=": "=", "|": "|"}
_LAST_CHARACTER = 0x10FFFF
_LARGEST = 2**62
# A pickle may use its bytes again, but no honest one does so often.
MOST_COPIES, BYTES_OF_AN_ITEM = 10, 64


class _Type:
    """An array's type: what is told of it first, and then its byte order."""

    def __init__(self, letters: Any, *_: Any) -> None:
        if not (isinstance(letters, str) and _TYPES.fullmatch(letters)):
            raise ImportFileError(
                f"expected arrays of numbers, texts or objects, got the type {letters!r:.40}"
            )
        self.dtype = np.dtype(object if letters[0] == "O" else letters)

    def describe(self, state: Any) -> None:
        # Version, byte order, then what only compound types have.
        whole = isinstance(state, tuple) and len(state) >= 5 and isinstance(state[1], str)
        if not (whole and state[1] in _ORDERS and all(part is None for part in state[2:5])):
            raise ImportFileError("expected a plain type of an array, got a compound one")
        self.dtype = self.dtype.newbyteorder(_ORDERS[state[1]])


class _NDArray:
    """Stands for NumPy's class where a pickle names it; nothing is made of it."""


def _reconstruct(kind: Any, *_: Any) -> np.ndarray:
    if kind is not _NDArray:
        raise ImportFileError("expected arrays, got another kind of them")
    return np.empty(0, np.int8)


def _fill(array: np.ndarray, state: Any) -> None:
    """Make the empty array of :func:`_reconstruct` what the pickle says, if that is consistent."""
    if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[2], _Type)):
        raise ImportFileError("expected an array with a shape and a type, got a damaged one")
    _, shape, described, fortran, data = state
    dtype = described.dtype
    count = count_of(shape, dtype)
    if dtype.hasobject:
        fits = type(data) is list and len(data) == count
    else:
        # Bytes of Python 2 come as text.
        data = data.encode("latin1") if isinstance(data, str) else data
        fits = type(data) is bytes and len(data) == count * dtype.itemsize
    if not fits or array.dtype != np.int8 or array.shape != (0,):
        raise ImportFileError(
            f"expected the content of an array {dtype} {shape}, got more, less or something else"
        )
    checked: Any = (1, shape, dtype, bool(fortran), data)
    array.__setstate__(checked)
    check_text(array)


def count_of(shape: Any, dtype: np.dtype) -> int:
    """How many items an array of that shape has.

    Raises:
        ImportFileError: If it is no shape, or one that no memory holds.
    """
    if not (isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)):
        raise ImportFileError(f"expected the shape of an array, got {shape!r:.40}")
    # Without the zeros, which would hide that the others are too large.
    if math.prod(n or 1 for n in shape) * dtype.itemsize > _LARGEST:
        raise ImportFileError(f"expected an array that fits into memory, got the shape {shape}")
    return math.prod(shape)


def check_text(array: np.ndarray) -> None:
    """Raise ImportFileError if an array of texts holds what is no text."""
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        flat = np.frombuffer(array.tobytes(), np.dtype("u4").newbyteorder(array.dtype.byteorder))
        if flat.max() > _LAST_CHARACTER:
            raise ImportFileError("expected text in an array, got numbers that are no characters")


def _frombuffer(buffer: Any, described: Any, shape: Any, order: Any) -> np.ndarray:
    # NumPy's protocol 5.
    if not (isinstance(buffer, (bytes, bytearray)) and isinstance(described, _Type)):
        raise ImportFileError("expected the bytes and the type of an array, got something else")
    array = _reconstruct(_NDArray)
    _fill(array, (1, shape, described, order == "F", bytes(buffer)))
    return array


def _scalar(described: Any, data: Any) -> Any:
    array = _reconstruct(_NDArray)
    _fill(array, (1, (1,), described, False, data))
    return array[0]


def _encode(text: str, encoding: str) -> bytes:
    # Python 2 and protocols below 3 write bytes as text that is to be encoded.
    if encoding != "latin1":
        raise ImportFileError(f"expected bytes in latin1, got '{encoding}'")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    # Protocols below 3 write empty ones as bytes(); bytes(10**12) would fill the memory.
    return b""


def _plain_key(key: Any) -> Any:
    # The hash of a tuple in a tuple, a million deep, overflows the interpreter's own stack.
    for part in key if type(key) is tuple else (key,):
        if not isinstance(part, (str, bytes, int, float, type(None))):
            raise ImportFileError(f"expected keys of text or numbers, got {type(part).__name__}")
    return key


def _pairs(*pairs: Iterable[tuple[Any, Any]]) -> OrderedDict[Any, Any]:
    return OrderedDict((_plain_key(key), value) for part in pairs for key, value in part)


def _set(items: Iterable[Any] = ()) -> set[Any]:
    return {_plain_key(item) for item in items}


_ARRAY_MODULES = ("core.multiarray", "_core.multiarray", "core.numeric", "_core.numeric")
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _NDArray,
    ("numpy", "dtype"): _Type,
    ("collections", "OrderedDict"): _pairs,
    ("_codecs", "encode"): _encode,
    # Protocols below 4 build these by their names.
    **{
        (module, name): part
        for name, part in (
            ("set", _set), ("frozenset", lambda items=(): frozenset(_set(items))),
            ("complex", complex), ("bytes", _no_bytes),
        )
        for module in ("builtins", "__builtin__")
    },
    # NumPy 2 moved them.
    **{
        (f"numpy.{module}", name): part
        for name, part in (
            ("_reconstruct", _reconstruct), ("scalar", _scalar), ("_frombuffer", _frombuffer),
        )
        for module in _ARRAY_MODULES
    },
}  # fmt: skip


class _Bounded:
    """A stream of which nobody asks for more than it has: memory is taken before it is read."""

    def __init__(self, stream: Any, size: int) -> None:
        self._stream, self._size = stream, size
        self.readline = stream.readline

    def read(self, size: int) -> bytes:
        if size > self._size:
            raise pickle.UnpicklingError(f"{size} bytes promised, {self._size} there")
        return self._stream.read(size)


class _ArraysOnly(pickle._Unpickler):
    def __init__(self, stream: Any, *, encoding: str, most: int) -> None:
        super().__init__(stream, encoding=encoding)
        self._made, self._most = 0, most

    stack: list[Any]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

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

    def _build(self) -> None:
        state = self.stack.pop()
        subject = self.stack[-1]
        if isinstance(subject, _Type):
            subject.describe(state)
        elif isinstance(subject, np.ndarray):
            _fill(subject, state)
            self._count(subject)
        else:
            raise ImportFileError(
                f"expected only arrays to have a state, got one of {type(subject).__name__}"
            )

    def _count(self, made: Any) -> None:
        """Count what was copied from bytes or items that another part may use again."""
        if isinstance(made, np.ndarray):
            self._made += made.nbytes
        elif isinstance(made, (bytes, set, frozenset, dict)):
            self._made += len(made) * (1 if isinstance(made, bytes) else BYTES_OF_AN_ITEM)
        check_promise("arrays", self._made, self._most)

    def _call(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.stack[-1](*arguments)
        self._count(self.stack[-1])

    def _instantiate(self, kind: Any, arguments: Any) -> None:
        self.stack.append(kind(*arguments))
        self._count(self.stack[-1])

    def _set_items(self, items: list[Any]) -> None:
        table = self.stack[-1]
        if not isinstance(table, dict):
            raise ImportFileError(f"expected a table, got {type(table).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            table[_plain_key(key)] = value

    def _one_item(self) -> None:
        value = self.stack.pop()
        self._set_items([self.stack.pop(), value])

    def _items(self) -> None:
        self._set_items(self.pop_mark())

    def _dict(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._set_items(items)

    def _add_items(self) -> None:
        items = self.pop_mark()
        self.stack[-1].update(_set(items))

    def _frozen(self) -> None:
        items = self.pop_mark()
        self.stack.append(frozenset(_set(items)))

    def _bytearray(self) -> None:
        # Read before it is made: its length may be a lie.
        (size,) = struct.unpack("<Q", self.read(8))
        self.stack.append(bytearray(self.read(size)))

    dispatch.update({
        pickle.REDUCE[0]: _call, pickle.BUILD[0]: _build,
        pickle.SETITEM[0]: _one_item, pickle.SETITEMS[0]: _items,
        pickle.DICT[0]: _dict, pickle.ADDITEMS[0]: _add_items, pickle.FROZENSET[0]: _frozen,
        pickle.BYTEARRAY8[0]: _bytearray,
    })  # fmt: skip


def load_arrays(stream: io.BufferedIOBase | IO[bytes], size: int) -> Any:
    """The content of a pickle of NumPy arrays and plain containers.

    Args:
        stream: Where it begins.
        size: How many bytes it has, unpacked.

    Raises:
        ImportFileError: If it holds anything else; nothing of it is run.
        UntrustedError: If it makes more of its bytes than they explain.
        Exception: Whatever a damaged pickle makes the unpickler raise.
    """
    most = max(MOST_BYTES, MOST_COPIES * size)
    # Texts of Python 2 are read as latin1, as NumPy's own files from then need it.
    content = _ArraysOnly(_Bounded(stream, size), encoding="latin1", most=most).load()
    # Without references to one thing from many places there are no more values than bytes.
    check_nesting(content, max(MOST_ITEMS, MOST_COPIES * size))
    return content
