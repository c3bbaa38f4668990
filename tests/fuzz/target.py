"""A reader and files for it; one damaged case, and what came of it."""

from __future__ import annotations

import resource
import shutil
import signal
import time
import traceback
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np

from tests.fuzz.damage import Damage, damaged

# What a reader of a file of a few kilobytes may take.
MOST_SECONDS, MOST_BYTES, MOST_CHARACTERS = 5.0, 2**27, 1000


@dataclass(frozen=True)
class Target:
    """A reader under attack.

    Attributes:
        name: As it is told.
        write: Writes well-formed files into an empty folder.
        read: Reads them; gets the folder. It has to use what it reads as users do: an iterator is
            to be exhausted.
        text: Whether the files are text.
        damages: Kinds of damage beside the usual ones that know the format: ``(rng, data)`` to
            data; one case in two gets one of them.
        share: Of the cases asked for, how many it gets: fewer if reading takes long.
    """

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]
    text: bool = False
    damages: tuple[Damage, ...] = ()
    share: float = 1.0


def prepare(target: Target, folder: Path) -> Path:
    """A folder of well-formed files, which the reader reads without an error."""
    sound = folder / "sound" / target.name
    sound.mkdir(parents=True)
    target.write(sound)
    # Some readers write beside what they read.
    shutil.copytree(sound, folder / "first")
    target.read(folder / "first")
    shutil.rmtree(folder / "first")
    return sound


def try_case(
    target: Target,
    sound: Path,
    folder: Path,
    seed: int,
    case: int,
    patience_s: float = MOST_SECONDS,
) -> tuple[str, str]:
    """Damage one of the files and read them.

    ``tracemalloc`` has to be tracing.

    Args:
        target: The reader.
        sound: Its well-formed files.
        folder: Where the damaged ones go; replaced.
        seed: Of the damage.
        case: Number of the case.
        patience_s: Seconds of the processor's time that are too many.

    Returns:
        What came of it, and the message. ``"read"``: nothing was noticed. ``"refused"``: a
        ``ValueError`` of one line. All else is a finding: ``"error"``, ``"message"``, ``"slow"``,
        ``"memory"``.
    """
    rng = np.random.default_rng([seed, zlib.crc32(target.name.encode()), case])
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    chosen = files[int(rng.integers(len(files)))]
    data = chosen.read_bytes()
    damages = target.damages if rng.random() < 1 / 2 else ()
    chosen.write_bytes(_damaged(rng, data, damages, target.text))
    return _outcome(target, folder, patience_s)


def _damaged(rng: np.random.Generator, data: bytes, damages: Sequence[Damage], text: bool) -> bytes:
    if damages:
        try:
            return damages[int(rng.integers(len(damages)))](rng, data)
        except Exception:  # some of what is tried the format's own library does not write
            pass
    return damaged(rng, data, text)


class _SlowError(BaseException):
    """No reader catches it."""


def _outcome(target: Target, folder: Path, patience_s: float) -> tuple[str, str]:
    def slow(number: int, frame: FrameType | None) -> None:
        raise _SlowError

    before = signal.signal(signal.SIGPROF, slow)
    signal.setitimer(signal.ITIMER_PROF, patience_s)
    resident = _resident()
    tracemalloc.reset_peak()
    traced = tracemalloc.get_traced_memory()[0]
    started = time.process_time()
    outcome, message = "read", ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ResourceWarning)
            target.read(folder)
    except ValueError as error:
        outcome, message = "refused", str(error)
        if type(error) is not ValueError and not type(error).__module__.startswith("selflift"):
            outcome = "error"
        elif "\n" in message or not 20 < len(message) < MOST_CHARACTERS:
            outcome = "message"
    except _SlowError:
        outcome = "slow"
    except Exception:
        outcome, message = "error", traceback.format_exc(limit=-4)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        # What C takes is seen by the process's own growth alone.
        taken = max(tracemalloc.get_traced_memory()[1] - traced, _resident() - resident)
    if outcome in ("read", "refused"):
        if taken > MOST_BYTES:
            outcome, message = "memory", f"{taken / 2**20:.0f} MiB; {message}"
        elif time.process_time() - started > patience_s:
            outcome, message = "slow", message
    return outcome, message


def _resident() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
