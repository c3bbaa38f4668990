"""Ctrl-C while nothing can be saved ends the process with one line; where it is ignored, not."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from selflift.cli import interrupt


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def leaves() -> bool:
    return signal.getsignal(signal.SIGINT) is interrupt._leave


def test_leaving_and_raising_take_turns() -> None:
    interrupt.leave_at_once()
    assert leaves()
    interrupt.raise_again()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL, lambda number, frame: None])
def test_what_somebody_else_decided_stays(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGINT, handler)
    with interrupt.importing():
        assert signal.getsignal(signal.SIGINT) is handler
    interrupt.raise_again()
    assert signal.getsignal(signal.SIGINT) is handler


def test_imports_within_imports_leave_the_outer_ones_protected() -> None:
    with interrupt.importing():
        with interrupt.importing():
            assert leaves()
        assert leaves()
    assert not leaves()


def test_other_threads_change_nothing() -> None:
    thread = threading.Thread(target=interrupt.leave_at_once)
    thread.start()
    thread.join()
    assert not leaves()
