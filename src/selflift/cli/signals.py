"""Signals that end a command without leaving half of anything."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any


class Signals:
    """A polite end at Ctrl-C, SIGTERM and a closed terminal: nothing half-written stays behind.

    Python drops what a handler raises while an object is being deleted, as after every call of
    HDF5; so the signal is remembered, and :meth:`check` raises again.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # What nohup or a shell's background job ignores stays ignored.
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
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
