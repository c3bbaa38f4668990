"""Run a reader of untrusted files in a child process with limited memory and time.

The libraries behind pickles, HDF5, MATLAB and CDF files believe what a file says: a wrong byte can
make them crash, loop, or ask for all memory. In a child process that costs one error message. The
child is started once, reads one file after the other, and is replaced after a failure. Its answer
is loaded with the same allow-list as a stranger's pickle.

Memory is limited on Linux only and processor time on Unix only (``resource``); a limit by the clock
applies everywhere.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from selflift.files.restricted_unpickler import load_arrays, plain
from selflift.files.untrusted import (
    MOST_ITEMS,
    ImportFileError,
    UntrustedError,
    check_nesting,
    check_promise,
    most_bytes,
)

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# Seconds of a processor for a small file, and the bytes of a large one that each second is for; of
# the clock, on a busy machine, far more.
PATIENCE_S, BYTES_PER_S, CLOCK_PER_PROCESSOR = 3.0, 2**22, 20.0
# Memory that unpacking, reshaping and writing take beside the content.
COPIES, ROOM_BYTES = 4, 2**28
# Containers may name one thing several times, but no honest file does so often.
MOST_SHARED = 10

TIME_IS_UP = getattr(signal, "SIGXCPU", 0)


class IsolatedReader:
    """Callable that reads files in a child process.

    Args:
        program: Python code that defines ``warm()``, called once, before limits apply, and
            ``read(path, names)``, which returns NumPy arrays in plain containers.
        patience_s: Seconds of a processor that a small file may take.
    """

    def __init__(self, program: str, patience_s: float = PATIENCE_S) -> None:
        self._program = (
            f"{program}\nfrom selflift.files.child_process import serve\nserve(read, warm)\n"
        )
        self._patience_s = patience_s
        self._process: subprocess.Popen[str] | None = None
        self._owner = os.getpid()
        self._lock = threading.Lock()
        atexit.register(self.close)

    def __call__(self, path: Path, names: Sequence[str]) -> Any:
        """Return what ``read`` makes of a file.

        Raises:
            UntrustedError: If the reader rejects the file, or the content is too large.
            ValueError: If the reader fails, crashes, or takes too long or too much memory.
        """
        with self._lock, tempfile.TemporaryDirectory() as folder:
            out, most = os.path.join(folder, "content"), most_bytes(path)
            seconds = self._patience_s + os.path.getsize(path) / BYTES_PER_S
            request = [os.path.abspath(path), out, list(names), COPIES * most + ROOM_BYTES, seconds]
            rejected, reason = self._ask(request, seconds)
            if reason:
                raise (UntrustedError if rejected else ValueError)(reason)
            size = os.path.getsize(out)
            check_promise("its content", size, most)
            with open(out, "rb") as stream:
                content = load_arrays(stream)
            check_nesting(content, max(MOST_ITEMS, MOST_SHARED * size))
            return plain(content)

    def close(self) -> None:
        """Stop the child process, if this process started one."""
        process, self._process = self._process, None
        if process is None:
            return
        if self._owner == os.getpid():
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def _start(self) -> subprocess.Popen[str]:
        # A forked copy of this process must not share its parent's child.
        self._owner = os.getpid()
        return subprocess.Popen(
            [sys.executable, "-c", self._program], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},
        )  # fmt: skip

    def _ask(self, request: list[object], seconds: float) -> tuple[bool, str]:
        """Send a request; return whether the file was rejected, and why (or ``""``)."""
        if self._process is None or self._process.poll() is not None or self._owner != os.getpid():
            self.close()
            self._process = self._start()
        process, line = self._process, ""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(CLOCK_PER_PROCESSOR * seconds, give_up)
        timer.start()
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            pass
        except BaseException:
            # A late answer would be taken for the next file's.
            self.close()
            raise
        finally:
            timer.cancel()
        if line:
            rejected, reason = json.loads(line)
            return rejected, reason
        self.close()
        if late.is_set() or process.returncode == -TIME_IS_UP:
            return False, f"its reader did not end within {seconds:.0f} s"
        return False, f"its reader ended by {process.returncode}"


def serve(read: Callable[[str, list[str]], Any], warm: Callable[[], object]) -> None:
    """Answer requests on standard input until it ends; runs in the child process."""
    warm()
    for line in sys.stdin:
        path, out, names, extra, seconds = json.loads(line)
        _limit(extra, seconds)
        rejected, reason = False, ""
        try:
            content = read(path, names)
            with open(out, "wb") as stream:
                pickle.dump(content, stream, protocol=5)
            del content
        except (ImportFileError, UntrustedError) as error:
            rejected, reason = True, str(error)
        except BaseException as error:
            text = " ".join(str(error).split())[:200]
            reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
        print(json.dumps([rejected, reason]), flush=True)


def _limit(extra: int, seconds: float) -> None:
    """Allow this process so many more bytes and seconds of a processor."""
    if resource is None:
        return
    spent = resource.getrusage(resource.RUSAGE_SELF)
    until = int(spent.ru_utime + spent.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    try:
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (now + extra, resource.getrlimit(resource.RLIMIT_AS)[1]))
