"""Reads what stands before the motion of a BVH file: the hierarchy, the counts and the rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from selflift.formats.mocap.bvh import BvhHeader, Joint
from selflift.formats.mocap.rotations import AXES
from selflift.formats.mocap.text import Line, numbers, read_lines, wrong

# People with all fingers and a face have two hundred.
MOST_JOINTS = 1000
CHANNELS = {f"{axis}{kind}" for axis in AXES for kind in ("position", "rotation")}


def read_header(path: Path) -> BvhHeader:
    """Read everything but the motion.

    Raises:
        ImportFileError: If the file is missing or damaged, or no BVH.
    """
    lines = read_lines(path)
    words = _hierarchy_words(path, lines)
    joints = _Hierarchy(path, words).read()
    counts = {"frames:": -1.0, "frame time:": 0.0}
    last = 0
    for _ in counts:
        line = next(lines, None)
        text = "" if line is None else " ".join(line.words).lower()
        key = next((k for k in counts if text.startswith(k)), None)
        if line is None or key is None:
            raise wrong(
                path,
                f"expected 'Frames:' and 'Frame Time:' after MOTION, got '{text[:40]}'; the file "
                "is cut short",
                None if line is None else line.number,
            )
        (counts[key],) = numbers(path, line, text[len(key) :].split(), 1, f"'{key}'")
        last = line.number
    if counts["frames:"] < 1:
        raise wrong(path, "expected at least one frame, got none; leave this file out", last)
    return BvhHeader(path, joints, int(counts["frames:"]), counts["frame time:"], last)


def _hierarchy_words(path: Path, lines: Iterator[Line]) -> Iterator[tuple[int, str]]:
    """The words from HIERARCHY to MOTION, with the numbers of their lines."""
    line = next(lines, None)
    if line is None or line.words[0].upper() != "HIERARCHY":
        got = "an empty file" if line is None else f"'{' '.join(line.words)[:40]}'"
        raise wrong(path, f"expected a BVH file that begins with HIERARCHY, got {got}", 1)
    for line in lines:
        if line.words[0].upper() == "MOTION":
            return
        for word in line.words:
            yield line.number, word
    raise wrong(path, "expected MOTION after the hierarchy, got the file's end; it is cut short")


class _Hierarchy:
    """Turns the words of a hierarchy into joints."""

    def __init__(self, path: Path, words: Iterator[tuple[int, str]]) -> None:
        self._path = path
        self._words = words
        self._line = 1
        self._open: list[int] = []
        self._joints: list[Joint] = []
        self._names: set[str] = set()
        self._with_channels: set[int] = set()
        self._columns = 0

    def read(self) -> tuple[Joint, ...]:
        while (word := self._next()) is not None:
            key = word.upper()
            if key in ("ROOT", "JOINT", "END"):
                self._begin(key)
            elif not self._open:
                raise self._wrong(f"expected ROOT, got '{word}'; mend the braces")
            elif key == "OFFSET":
                offset = np.array(self._numbers(3, "OFFSET"))
                self._joints[self._open[-1]] = replace(self._joints[self._open[-1]], offset=offset)
            elif key == "CHANNELS":
                self._channels()
            elif key == "}":
                self._open.pop()
            else:
                raise self._wrong(
                    f"expected JOINT, End Site, OFFSET, CHANNELS or a brace, got '{word}'"
                )
        if self._open:
            raise self._wrong(
                f"expected a closing brace for each opening one, got {len(self._open)} still open "
                "before MOTION; mend the hierarchy"
            )
        if not self._joints:
            raise self._wrong("expected a ROOT, got an empty hierarchy; get the file again")
        if lost := [joint.name for joint in self._joints if np.isnan(joint.offset).any()]:
            raise self._wrong(f"expected an OFFSET of every joint, got none of {', '.join(lost)}")
        return tuple(self._joints)

    def _next(self) -> str | None:
        found = next(self._words, None)
        if found is None:
            return None
        self._line = found[0]
        return found[1]

    def _wrong(self, message: str) -> Exception:
        return wrong(self._path, message, self._line)

    def _begin(self, key: str) -> None:
        """A new joint, up to its opening brace; a name may have blanks in it."""
        if (key == "ROOT") != (not self._joints):
            raise self._wrong("expected one ROOT before all joints; split the file by people")
        if key != "ROOT" and not self._open:
            raise self._wrong("expected a joint inside of the ROOT; there is a brace too many")
        name = []
        while (word := self._next()) != "{":
            if word is None or word.upper() in ("}", "OFFSET", "CHANNELS", "JOINT", "END"):
                raise self._wrong("expected an opening brace after a joint's name; mend it")
            name.append(word)
        known = self._names
        if key == "END":
            stem = f"{self._joints[self._open[-1]].name}/End"
            full = next(n for i in range(len(known) + 1) if (n := stem + str(i or "")) not in known)
        elif not name or (full := " ".join(name)) in known:
            raise self._wrong(f"expected joints of different names, got '{' '.join(name)}' again")
        parent = self._open[-1] if self._open else -1
        if len(self._joints) == MOST_JOINTS:
            raise self._wrong(
                f"expected at most {MOST_JOINTS} joints and end sites, got more; is it one person?"
            )
        known.add(full)
        self._open.append(len(self._joints))
        self._joints.append(Joint(full, parent, np.full(3, np.nan), (), self._columns))

    def _numbers(self, count: int, what: str) -> list[float]:
        words = [word for word in (self._next() for _ in range(count)) if word is not None]
        return numbers(self._path, Line(self._line, words), words, count, what)

    def _channels(self) -> None:
        (count,) = self._numbers(1, "the count of CHANNELS")
        names = [(self._next() or "").lower() for _ in range(min(int(count), len(CHANNELS)))]
        if not set(names) <= CHANNELS or len(set(names)) != count:
            raise self._wrong(
                f"expected {count:g} channels such as Xposition or Zrotation, each once, got "
                f"'{' '.join(names)}'; mend the line"
            )
        joint = self._joints[self._open[-1]]
        if self._open[-1] in self._with_channels:
            raise self._wrong(f"expected the channels of '{joint.name}' once, got them again")
        self._with_channels.add(self._open[-1])
        self._joints[self._open[-1]] = replace(joint, channels=tuple(names), start=self._columns)
        self._columns += len(names)
