"""Ctrl-C and other signals: a command ends in one line, and leaves nothing half-written.

While there is nothing to save, Ctrl-C ends the process: one line, exit status 130, no traceback.
Libraries are imported in C as well as in Python; an exception raised meanwhile may be dropped, come
out as another, or leave a library half initialised, so none is raised while imports go on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

EXIT_INTERRUPTED = 130
LINE = "selflift: interrupted"


def leave_at_once() -> None:
    """Let Ctrl-C end the process from now on, unless it is ignored or handled already."""
    if _in_charge() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def raise_again() -> None:
    """Let Ctrl-C raise ``KeyboardInterrupt`` again."""
    if _in_charge() and signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def importing() -> Iterator[None]:
    """Let Ctrl-C end the process during slow imports."""
    before = signal.getsignal(signal.SIGINT)
    leave_at_once()
    try:
        yield
    finally:
        if before is not _leave:
            raise_again()


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, f"{LINE}\n".encode())
    os._exit(EXIT_INTERRUPTED)


def _in_charge() -> bool:
    """Return whether this thread may set signal handlers."""
    return threading.current_thread() is threading.main_thread()


def _handled(*names: str) -> list[int]:
    """Return the signals to handle; those that nohup or a background job ignores stay ignored."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]


class Signals:
    """End a conversion or prediction at Ctrl-C, SIGTERM or a closed terminal.

    Python drops what a handler raises while an object is being deleted, as after every call of
    HDF5; so the signal is remembered, and :meth:`check` raises again.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        for number in _handled("SIGINT", "SIGTERM", "SIGHUP"):
            signal.signal(number, self._take)
        sys.unraisablehook = self._dropped

    # The type of what is dropped has a name for static checkers alone.
    def _dropped(self, what: Any) -> None:
        # What was dropped is raised again by check; a traceback about it would only puzzle.
        if self._number is None:
            sys.__unraisablehook__(what)

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        self.check()

    def check(self) -> None:
        """Raise if a signal has come."""
        if self._number == signal.SIGINT:
            raise KeyboardInterrupt
        if self._number is not None:
            sys.exit(128 + self._number)


class StopRequest:
    """Note Ctrl-C and SIGTERM, so that the step under way ends and is saved; a second one raises.

    Attributes:
        asked: Whether a signal has come.
        status: The exit status for it.
    """

    def __init__(self) -> None:
        self.asked = False
        self.status = 0

    def __enter__(self) -> StopRequest:
        self._before = {
            number: signal.signal(number, self._note) for number in _handled("SIGINT", "SIGTERM")
        }
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked, self.status = True, 128 + number
