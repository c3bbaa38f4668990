"""Readers of other people's libraries, in a process of their own.

SciPy and cdflib believe what a file says: a wrong byte makes them crash, read in a circle, or ask
for all memory. In a process of their own they can do so: it is given the memory that the file
explains (where the system can limit it) and some time, and is replaced when it fails. One process
reads one file after the other.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from selflift.files.array_archives import read_npz
from selflift.files.untrusted import most_bytes

# Seconds of a processor that a small file may take, and how much of a large one each is enough for;
# of the clock's, on a busy machine, far more.
PATIENCE_S, BYTES_PER_S, CLOCK_PER_PROCESSOR = 3.0, 2**22, 20.0
# What unpacking, reshaping and writing take beside the content.
COPIES, ROOM_BYTES = 4, 2**28

TIME_IS_UP = getattr(signal, "SIGXCPU", 0)

_LOOP = """
import json
import sys
import numpy as np
try:
    import resource
except ImportError:  # not on Windows
    resource = None

def limit(extra, seconds):
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

warm()
for line in sys.stdin:
    path, out, names, extra, seconds = json.loads(line)
    limit(extra, seconds)
    try:
        np.savez(out, **read(path, names))
        answer = ""
    except BaseException as error:
        answer = type(error).__name__ + ": " + " ".join(str(error).split())[:200]
    print(json.dumps(answer), flush=True)
"""


class IsolatedReader:
    """A reader in a process of its own.

    Args:
        program: Python that defines ``warm()``, called once, and ``read(path, names)``, which
            returns arrays by name, none of them of objects.
        patience_s: Seconds of a processor that a small file may take.
    """

    def __init__(self, program: str, patience_s: float = PATIENCE_S) -> None:
        self._program, self._patience_s = program + _LOOP, patience_s
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        atexit.register(self.close)

    def __call__(self, path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
        """The arrays of a file.

        Raises:
            ValueError: If the reader fails, crashes, takes too long or too much memory; says which.
        """
        with self._lock, tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "arrays.npz")
            extra = COPIES * most_bytes(path) + ROOM_BYTES
            seconds = self._patience_s + os.path.getsize(path) / BYTES_PER_S
            answer = self._ask([os.path.abspath(path), out, list(names), extra, seconds], seconds)
            if answer:
                raise ValueError(answer)
            # Its size is bounded by the memory of the process that wrote it.
            return read_npz(out)

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process = None

    def _ask(self, request: list[object], seconds: float) -> str:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-c", self._program], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
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
            # An answer that comes later would be taken for the next file's.
            self.close()
            raise
        finally:
            timer.cancel()
        if line:
            return json.loads(line)
        self.close()
        if late.is_set() or process.returncode == -TIME_IS_UP:
            return f"its reader did not end within {seconds:.0f} s"
        return f"its reader ended by {process.returncode}"
