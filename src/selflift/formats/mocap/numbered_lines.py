"""Text files line by line, with line numbers for error messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from selflift.files.untrusted import ImportFileError

# Thousands of values; a file without line ends is not read whole.
LONGEST_LINE = 1 << 20
# In any unit of length or angle; beyond it, squares and sums no longer measure a body.
MOST = 1e9
# A frame of a body takes hundreds of bytes. With fewer, its joints would take a thousand times the
# file's size in memory; a short recording may.
MOST_SHORT_FRAMES, SHORT_FRAME_BYTES = 50_000, 60
# Frames read at once, and frames times bones: all bones of a long recording would take many times
# the memory of the joints that are kept.
BLOCK_FRAMES, BLOCK_PLACES = 4096, 1 << 18


class Line(NamedTuple):
    """The words of a line that is not blank, and its number, counted from 1."""

    number: int
    words: list[str]


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text file.

    Raises:
        ImportFileError: If the file can't be read, or a line is too long.
    """
    if path.exists() and not path.is_file():
        raise wrong(path, "expected a file, got a folder, a pipe or a device; remove it")
    number = 0
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            while text := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(text) > LONGEST_LINE:
                    raise wrong(
                        path,
                        f"expected lines of at most {LONGEST_LINE} characters, got a longer one; "
                        "the file is corrupt or has no line ends, download it again",
                        number,
                    )
                yield text
    except OSError as error:
        reason = error.strerror or error
        raise wrong(path, f"expected a file that can be read, got '{reason}'") from error


def read_lines(path: Path, comment: str | None = None) -> Iterator[Line]:
    """The words of the lines that are not blank, without what follows ``comment``.

    Raises:
        ImportFileError: As :func:`text_lines`, or if the file is binary.
    """
    for number, text in enumerate(text_lines(path), 1):
        if "\0" in text:
            raise wrong(path, "expected text, got a binary file; download it again", number)
        words = (text if comment is None else text.split(comment, 1)[0]).split()
        if words:
            yield Line(number, words)


def numbers(path: Path, line: int, words: list[str], count: int, what: str) -> list[float]:
    """Exactly ``count`` words as finite numbers.

    Raises:
        ImportFileError: If there are fewer or more, or one is no number or beyond :data:`MOST`.
    """
    values = [_number(word) for word in words]
    # Not ``> MOST``, which NaN isn't.
    bad = [i for i, value in enumerate(values) if not abs(value) <= MOST]
    if bad or len(values) != count:
        plural = "a number" if count == 1 else f"{count} numbers"
        got = (words[bad[0]] if bad else " ".join(words))[:100]
        beyond = f", beyond {MOST:g}" if bad and abs(values[bad[0]]) > MOST else ""
        raise wrong(
            path,
            f"expected {plural} as {what}, got '{got}'{beyond}; fix the line or download the file "
            "again",
            line,
        )
    return values


def check_frames(path: Path, frames: int) -> None:
    """Refuse more frames than a motion file of this size can hold.

    Raises:
        ImportFileError: If there are more.
    """
    size = path.stat().st_size
    if frames > max(MOST_SHORT_FRAMES, size // SHORT_FRAME_BYTES):
        raise wrong(
            path,
            f"expected at most {MOST_SHORT_FRAMES:,} frames, or {SHORT_FRAME_BYTES} bytes for "
            f"each, got {frames:,} frames in {size:,} bytes; the file is cut short or corrupt: "
            "download it again, fix its count of frames, or split it",
        )


def block_frames(bones: int) -> int:
    """Frames to read at once, of a skeleton of so many bones."""
    return max(1, min(BLOCK_FRAMES, BLOCK_PLACES // bones))


def wrong(path: Path, message: str, line: int | None = None) -> ImportFileError:
    """The error to raise for a file, with the line that it is about."""
    where = f"mocap '{path}'" if line is None else f"mocap '{path}', line {line}"
    return ImportFileError(f"{where}: {message}")


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
