"""Reads Acclaim motion (AMC): per frame, a line of values for every bone that moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from selflift.formats.mocap.acclaim import ROTATIONS, AcclaimSkeleton, Bone
from selflift.formats.mocap.text import MOST, Line, check_frames, read_lines, wrong

# Of a frame's number.
MOST_DIGITS = 18


def read_amc(path: Path, skeleton: AcclaimSkeleton) -> np.ndarray:
    """The values of every frame.

    Args:
        path: The file.
        skeleton: The skeleton that it moves.

    Returns:
        ``(F, columns)`` in the order of the skeleton's columns, radians.

    Raises:
        ImportFileError: If the file is missing, damaged or cut short, or of another skeleton.
    """
    moving = {bone.name: bone for bone in skeleton.bones if bone.dof}
    columns: dict[str, list[float]] = {name: [] for name in moving}
    degrees = skeleton.degrees
    frames, first, seen = 0, 0, 0
    for line in read_lines(path, comment="#"):
        name, *words = line.words
        if name.startswith(":"):
            if name.upper() in (":DEGREES", ":RADIANS"):
                degrees = name.upper() == ":DEGREES"
        elif not words and name.isdecimal() and len(name) <= MOST_DIGITS:
            if frames == 0:
                first = int(name)
            elif seen < len(moving):
                raise _incomplete(path, first + frames - 1, frames, columns, moving)
            if int(name) != first + frames:
                raise wrong(
                    path,
                    f"expected frame {first + frames}, got {name}; frames are missing, get the "
                    "file again or split it there",
                    line.number,
                )
            frames, seen = frames + 1, 0
        else:
            _append(path, line, frames, columns, moving, skeleton)
            seen += 1
    if frames == 0:
        raise wrong(
            path, "expected motion (AMC) of at least one frame, got none; get the file again"
        )
    if seen < len(moving):
        raise _incomplete(path, first + frames - 1, frames, columns, moving)
    check_frames(path, frames)
    return _table(path, skeleton, columns, frames, degrees)


def _append(
    path: Path,
    line: Line,
    frames: int,
    columns: dict[str, list[float]],
    moving: dict[str, Bone],
    skeleton: AcclaimSkeleton,
) -> None:
    name, *words = line.words
    if frames == 0:
        raise wrong(
            path,
            f"expected the number of the first frame, got '{' '.join(line.words)[:40]}'; is it an "
            "AMC file?",
            line.number,
        )
    if name not in moving:
        raise wrong(
            path,
            f"expected bones that move in '{skeleton.path}', got '{name}'; name the skeleton of "
            "this recording with mocap.asf",
            line.number,
        )
    count, column = len(moving[name].dof), columns[name]
    if len(words) != count:
        raise wrong(
            path,
            f"expected {count} values of '{name}', got {len(words)}; the file is damaged or not "
            f"of the skeleton '{skeleton.path}'",
            line.number,
        )
    if len(column) != (frames - 1) * count:
        raise wrong(path, f"expected '{name}' once in a frame, got it again", line.number)
    try:
        column.extend(map(float, words))
    except ValueError as error:
        raise wrong(
            path,
            f"expected numbers for '{name}', got '{' '.join(words)}'; get the file again",
            line.number,
        ) from error


def _incomplete(
    path: Path,
    number: int,
    frames: int,
    columns: dict[str, list[float]],
    moving: dict[str, Bone],
) -> Exception:
    lost = [n for n, bone in moving.items() if len(columns[n]) < frames * len(bone.dof)]
    return wrong(
        path,
        f"expected every bone that moves in frame {number}, got none of {', '.join(lost)}; the "
        "file is cut short or of another skeleton, get it again or set mocap.asf",
    )


def _table(
    path: Path,
    skeleton: AcclaimSkeleton,
    columns: dict[str, list[float]],
    frames: int,
    degrees: bool,
) -> np.ndarray:
    parts = []
    for bone in skeleton.bones:
        if not bone.dof:
            continue
        values = np.array(columns[bone.name]).reshape(frames, len(bone.dof))
        # What is beyond any unit counts as Inf.
        bad = ~(np.abs(values) <= MOST).all(1)
        if bad.any():
            raise wrong(
                path,
                f"expected finite values of '{bone.name}', got NaN or Inf in {int(bad.sum())} "
                f"frames (first: the file's {int(np.argmax(bad)) + 1}.); cut these frames out",
            )
        turns = np.array([d in ROTATIONS for d in bone.dof])
        parts.append(np.where(turns, np.radians(values), values) if degrees else values)
    return np.concatenate(parts, axis=1)
