"""Ctrl-C while there is nothing to save: one line, exit status 130, no traceback.

Libraries are imported in C as well as in Python. An exception raised in the midst of that may be
dropped, or come out as another, and leave a library that is half there; so while imports go on,
Ctrl-C raises nothing: it ends the process.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 130
LINE = "selflift: interrupted"


def leave_at_once() -> None:
    """From now on Ctrl-C ends the process; where it is ignored or handled already, it stays so."""
    if _in_charge() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def raise_again() -> None:
    """From now on Ctrl-C raises ``KeyboardInterrupt`` again."""
    if _in_charge() and signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def importing() -> Iterator[None]:
    """Within it Ctrl-C ends the process: for imports that take their time."""
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
    """Whether this thread may say what a signal does."""
    return threading.current_thread() is threading.main_thread()
