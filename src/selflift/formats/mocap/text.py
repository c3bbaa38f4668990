"""Lines of text files, with their numbers for error messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from selflift.files.untrusted import ImportFileError

# Thousands of values; a file without line ends is not read whole.
LONGEST_LINE = 1 << 20
# In any unit of length or angle; beyond it, squares and sums no longer tell a body's size.
MOST = 1e9
# Motion of a body takes hundreds of bytes a frame. Of less, bodies would take a thousand times the
# file's size in memory; a short recording may.
MOST_SHORT_FRAMES, SHORT_FRAME_BYTES = 50_000, 60


class Line(NamedTuple):
    """The words of a line that is not blank, and its number, counted from 1."""

    number: int
    words: list[str]


def read_lines(path: Path, comment: str | None = None) -> Iterator[Line]:
    """The lines of a text file that are not blank, one after another.

    Args:
        path: The file.
        comment: What begins a comment that goes to the end of its line.

    Raises:
        ImportFileError: If the file can't be read, or a line is too long for any.
    """
    for number, text in enumerate(text_lines(path), 1):
        if "\0" in text:
            raise wrong(path, "expected text, got a binary file; get it again", number)
        words = (text if comment is None else text.split(comment, 1)[0]).split()
        if words:
            yield Line(number, words)


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text file.

    Raises:
        ImportFileError: If the file can't be read, or a line is too long for any.
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
                        "the file is damaged or has no line ends, get it again",
                        number,
                    )
                yield text
    except OSError as error:
        reason = error.strerror or error
        raise wrong(path, f"expected a file that can be read, got '{reason}'") from error


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
            f"each, got {frames:,} frames in {size:,} bytes; the file is cut short or damaged: get "
            "it again, mend its count of frames, or split it",
        )


def wrong(path: Path, message: str, line: int | None = None) -> ImportFileError:
    """The error to raise for a file, with the line that it is about."""
    where = f"mocap '{path}'" if line is None else f"mocap '{path}', line {line}"
    return ImportFileError(f"{where}: {message}")


def numbers(path: Path, line: Line, words: list[str], count: int, what: str) -> list[float]:
    """The first ``count`` words as finite numbers.

    Raises:
        ImportFileError: If there are fewer, or one is none, or beyond :data:`MOST`.
    """
    values = [_number(word) for word in words[:count]]
    # Not above: NaN is no number.
    bad = [word for word, value in zip(words, values, strict=False) if not abs(value) <= MOST]
    if bad or len(values) < count:
        plural = "a number" if count == 1 else f"{count} numbers"
        got = (bad[0] if bad else " ".join(words))[:100]
        beyond = f", beyond {MOST:g}" if bad and abs(_number(bad[0])) > MOST else ""
        raise wrong(
            path,
            f"expected {plural} as {what}, got '{got}'{beyond}; mend the line or get the file "
            "again",
            line.number,
        )
    return values


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
