"""BVH files: the hierarchy of joints, and their motion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from selflift.files.untrusted import ImportFileError
from selflift.formats.mocap.forward_kinematics import AXES, END, Bone, MotionSkeleton
from selflift.formats.mocap.numbered_lines import (
    MOST,
    Line,
    block_frames,
    check_frames,
    numbers,
    read_lines,
    text_lines,
    wrong,
)

# People with all fingers and a face have two hundred.
MOST_JOINTS = 1000
# A frame time has few digits; rates nearer than this to a whole number are that number.
RATE_TOLERANCE = 5e-4
CHANNELS = {
    f"{axis}{name}": f"{kind}{axis}"
    for name, kind in (("position", "t"), ("rotation", "r"))
    for axis in AXES
}
# Keywords, and how many words may follow each.
MOST_WORDS = {
    "ROOT": 32, "JOINT": 32, "END": 32, "OFFSET": 3, "CHANNELS": 1 + len(CHANNELS), "{": 0, "}": 0,
}  # fmt: skip


@dataclass(frozen=True)
class BvhHeader(MotionSkeleton):
    """Everything before the motion; a point is where a joint begins.

    Attributes:
        frames: How many frames the file is to have.
        frame_time_s: Seconds from frame to frame.
        lines: Lines before the first frame's.
    """

    frames: int
    frame_time_s: float
    lines: int

    @property
    def fps(self) -> float | None:
        """The rate of the recording, if it is stated."""
        if self.frame_time_s <= 0:
            return None
        fps = 1 / self.frame_time_s
        return float(round(fps)) if abs(fps - round(fps)) <= RATE_TOLERANCE * fps else fps


def read_header(path: Path) -> BvhHeader:
    """Read everything but the motion.

    Raises:
        ImportFileError: If the file is missing or corrupt, or no BVH.
    """
    lines = read_lines(path)
    bones = _read_hierarchy(path, lines)
    counts = {"frames:": -1.0, "frame time:": 0.0}
    last = 0
    for _ in counts:
        last, words = next(lines, Line(last, []))
        text = " ".join(words).lower()
        key = next((k for k in counts if text.startswith(k)), None)
        if key is None:
            raise wrong(
                path,
                f"expected 'Frames:' and 'Frame Time:' after MOTION, got '{text[:40]}'; the file "
                "is cut short",
                last or None,
            )
        (counts[key],) = numbers(path, last, text[len(key) :].split()[:1], 1, f"'{key}'")
    if counts["frames:"] < 1:
        raise wrong(path, "expected at least one frame, got none; leave this file out", last)
    return BvhHeader(path, bones, False, int(counts["frames:"]), counts["frame time:"], last)


def read_motion(header: BvhHeader) -> Iterator[np.ndarray]:
    """Read the values of the frames, ``(F, columns)``, file units and radians, in blocks.

    Raises:
        ImportFileError: If a frame has another number of values, or one that is no finite number,
            or there are more or fewer frames than the header states.
    """
    check_frames(header.path, header.frames)
    frames, at = 0, header.lines
    lines = islice(text_lines(header.path), at, None)
    count = block_frames(len(header.bones))
    while frames <= header.frames and (block := list(islice(lines, count))):
        if len(values := _values(header, block, at)):
            values[:, header.is_angle] = np.radians(values[:, header.is_angle])
            yield values
        frames += len(values)
        at += len(block)
    if frames != header.frames:
        reason = "is cut short" if frames < header.frames else "goes on"
        raise wrong(
            header.path,
            f"expected {header.frames} frames, got {frames}; the file {reason}, download it again "
            "or fix its 'Frames:'",
        )


def _values(header: BvhHeader, block: list[str], before: int) -> np.ndarray:
    columns = len(header.is_angle)
    filled = [text for text in block if not text.isspace()]
    if not filled:
        return np.empty((0, columns))
    try:
        values = np.loadtxt(filled, ndmin=2, comments=None)
    except ValueError:
        values = np.empty((0, 0))
    if values.shape == (len(filled), columns) and (np.abs(values) <= MOST).all():
        return values
    for number, text in enumerate(block, before + 1):
        if words := text.split():
            numbers(header.path, number, words, columns, "a frame's values")
    raise wrong(header.path, "expected lines of numbers, got other text; download the file again")


def _statements(path: Path, lines: Iterator[Line]) -> Iterator[tuple[int, str, list[str]]]:
    """The keywords from HIERARCHY to MOTION, with their lines' numbers and the words after them."""
    number, words = next(lines, Line(1, ["nothing"]))
    if words[0].upper() != "HIERARCHY":
        got = " ".join(words)[:40]
        raise wrong(path, f"expected a BVH file that begins with HIERARCHY, got '{got}'", 1)
    key, words = "", []
    for line in lines:
        motion = line.words[0].upper() == "MOTION"
        for word in line.words:
            # A joint may be called "root".
            named = word.upper() == "ROOT" and key in ("ROOT", "JOINT")
            if motion or (word.upper() in MOST_WORDS and not named):
                if key:
                    yield number, key, words
                if motion:
                    return
                number, key, words = line.number, word.upper(), []
            elif len(words) < MOST_WORDS.get(key, 0):
                words.append(word)
            else:
                raise wrong(
                    path,
                    "expected ROOT, JOINT, End Site, OFFSET, CHANNELS, a brace or MOTION, got "
                    f"'{word}'; fix the hierarchy",
                    line.number,
                )
    raise wrong(path, "expected MOTION after the hierarchy, got the file's end; it is cut short")


def _read_hierarchy(path: Path, lines: Iterator[Line]) -> tuple[Bone, ...]:
    bones: list[Bone] = []
    names: set[str] = set()
    # Indices of the joints whose braces are open.
    above: list[int] = []
    columns, number, needs_brace = 0, 1, False

    def refuse(message: str) -> ImportFileError:
        return wrong(path, message, number)

    for number, key, words in _statements(path, lines):
        if needs_brace != (key == "{"):
            raise refuse(f"expected an opening brace after a joint's name, got '{key}'; fix it")
        needs_brace = key in ("ROOT", "JOINT", "END")
        if needs_brace:
            if (key == "ROOT") != (not bones):
                raise refuse("expected one ROOT before all joints; split the file by people")
            if bones and not above:
                raise refuse("expected a joint inside of the ROOT; there is a brace too many")
            if len(bones) == MOST_JOINTS:
                raise refuse(
                    f"expected at most {MOST_JOINTS} joints and end sites, got more; is it one "
                    "person?"
                )
            name = " ".join(words)
            if key == "END":
                ends = (f"{bones[above[-1]].name}{END}{i or ''}" for i in range(MOST_JOINTS))
                name = next(end for end in ends if end not in names)
            elif not name or name in names:
                raise refuse(f"expected joints of different names, got '{name}' again")
            names.add(name)
            bones.append(Bone(name, above[-1] if above else -1, np.full(3, np.nan), (), columns))
            above.append(len(bones) - 1)
        elif key == "{":
            continue
        elif not above:
            raise refuse(f"expected ROOT, got '{key}'; fix the braces")
        elif key == "}":
            above.pop()
        elif key == "OFFSET":
            offset = np.array(numbers(path, number, words, 3, key))
            bones[above[-1]] = replace(bones[above[-1]], offset=offset)
        else:
            bone = bones[above[-1]]
            if bone.channels:
                raise refuse(f"expected the channels of '{bone.name}' once, got them again")
            channels = _channels(path, number, words)
            bones[above[-1]] = replace(bone, channels=channels, start=columns)
            columns += len(channels)
    if above:
        raise refuse(
            f"expected a closing brace for each opening one, got {len(above)} still open before "
            "MOTION; fix the hierarchy"
        )
    if not bones:
        raise refuse("expected a ROOT, got an empty hierarchy; download the file again")
    if lost := [bone.name for bone in bones if np.isnan(bone.offset).any()]:
        raise refuse(f"expected an OFFSET of every joint, got none of {', '.join(lost)}")
    return tuple(bones)


def _channels(path: Path, number: int, words: list[str]) -> tuple[str, ...]:
    (count,) = numbers(path, number, words[:1], 1, "the count of CHANNELS")
    names = [word.lower() for word in words[1:]]
    if not set(names) <= set(CHANNELS) or len(names) != count or len(set(names)) != count:
        raise wrong(
            path,
            f"expected {count:g} channels such as Xposition or Zrotation, each once, got "
            f"'{' '.join(names)}'; fix the line",
            number,
        )
    return tuple(CHANNELS[name] for name in names)
