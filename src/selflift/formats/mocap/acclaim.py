r"""Acclaim files: skeletons (ASF) and motion (AMC).

A bone has a direction in the world of the rest pose, and axes of its own in which its motion is
given. Angles apply in the order in which they are listed, about fixed axes: ``rx ry rz`` is
``R_z R_y R_x``.

Source: J. Lander, "Working with Motion Capture File Formats", Game Developer, January 1998, and
the files of mocap.cs.cmu.edu.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selflift.formats.mocap.forward_kinematics import (
    ROTATIONS,
    TRANSLATIONS,
    Bone,
    MotionSkeleton,
    turned,
)
from selflift.formats.mocap.numbered_lines import (
    Line,
    block_frames,
    check_frames,
    numbers,
    read_lines,
    wrong,
)

ROOT = "root"
# CMU's unit of length: file lengths over 0.45 are inches.
CMU_LENGTH = 0.45
# People with all fingers have some sixty.
MOST_BONES = 1000
# Of a frame's number.
MOST_DIGITS = 18


@dataclass(frozen=True)
class AcclaimSkeleton(MotionSkeleton):
    """An ASF file: its unit of length, and whether a motion's angles are degrees by default."""

    length: float
    degrees: bool


def read_asf(path: Path) -> AcclaimSkeleton:
    """Read a skeleton.

    Raises:
        ImportFileError: If the file is missing or corrupt, or has what this reader doesn't know.
    """
    sections = _sections(path)
    units = {line.words[0].lower(): line for line in sections.get("units", ())}
    length, angle = CMU_LENGTH, "deg"
    if line := units.get("length"):
        length = _vector(path, line, 1, "the length")[0]
        if length <= 0:
            raise wrong(path, f"expected a length unit above 0, got {length:g}; fix the file")
    if line := units.get("angle"):
        angle = " ".join(line.words[1:]).lower()
        if angle not in ("deg", "rad"):
            raise wrong(
                path, f"expected angle deg or rad, got '{angle}'; fix the file", line.number
            )
    root = _root(path, sections["root"])
    blocks = _blocks(path, sections["bonedata"])
    bones, start = [root], len(root.channels)
    for name, parent in _order(path, sections["hierarchy"], list(blocks)):
        bones.append(_bone(path, name, parent, blocks[name], start, angle == "deg"))
        start += len(bones[-1].channels)
    if start == 0:
        raise wrong(
            path, "expected a bone that moves, got none with a dof; download the file again"
        )
    return AcclaimSkeleton(path, tuple(bones), True, length, angle == "deg")


def read_amc(path: Path, skeleton: AcclaimSkeleton) -> Iterator[np.ndarray]:
    """Read the values that move a skeleton, ``(F, columns)``, file units and radians, in blocks.

    Raises:
        ImportFileError: If the file is missing, corrupt or cut short, or of another skeleton.
    """
    moving = {bone.name: bone for bone in skeleton.bones if bone.channels}
    degrees, frames, first = skeleton.degrees, 0, 0
    rows: list[list[float]] = []
    row: dict[str, list[float]] = {}

    def finish() -> None:
        if lost := [name for name in moving if name not in row]:
            raise wrong(
                path,
                f"expected every bone that moves in frame {first + frames - 1}, got none of "
                f"{', '.join(lost)}; the file is cut short or of another skeleton, download it "
                "again or set mocap.asf",
            )
        # The last angle that is listed multiplies first.
        rows.append([value for name in moving for value in reversed(row[name])])
        row.clear()

    def block() -> np.ndarray:
        check_frames(path, frames)
        values = np.array(rows)
        rows.clear()
        if degrees:
            values[:, skeleton.is_angle] = np.radians(values[:, skeleton.is_angle])
        root = skeleton.bones[0]
        for i, channel in enumerate(root.channels):
            if channel in TRANSLATIONS:
                values[:, i] += root.offset[TRANSLATIONS.index(channel)]
        return values

    for number, (name, *words) in read_lines(path, comment="#"):
        if name.startswith(":"):
            if name.upper() in (":DEGREES", ":RADIANS"):
                degrees = name.upper() == ":DEGREES"
        elif not words and name.isdecimal() and len(name) <= MOST_DIGITS:
            if frames:
                finish()
            first = first if frames else int(name)
            if int(name) != first + frames:
                raise wrong(
                    path,
                    f"expected frame {first + frames}, got {name}; frames are missing, download "
                    "the file again or split it there",
                    number,
                )
            if len(rows) == block_frames(len(skeleton.bones)):
                yield block()
            frames += 1
        elif frames == 0:
            raise wrong(
                path,
                f"expected the number of the first frame, got '{' '.join([name, *words])[:40]}'; "
                "is it an AMC file?",
                number,
            )
        elif name not in moving:
            raise wrong(
                path,
                f"expected bones that move in '{skeleton.path}', got '{name}'; name the skeleton "
                "of this recording with mocap.asf",
                number,
            )
        elif name in row:
            raise wrong(path, f"expected '{name}' once in a frame, got it again", number)
        else:
            count = len(moving[name].channels)
            row[name] = numbers(path, number, words, count, f"the motion of '{name}'")
    if frames == 0:
        raise wrong(
            path, "expected motion (AMC) of at least one frame, got none; download the file again"
        )
    finish()
    yield block()


def _sections(path: Path) -> dict[str, list[Line]]:
    """The lines under each keyword that begins with a colon."""
    sections: dict[str, list[Line]] = {}
    current: list[Line] = []
    for line in read_lines(path, comment="#"):
        if line.words[0].startswith(":"):
            current = sections.setdefault(line.words[0][1:].lower(), [])
        else:
            current.append(line)
    missing = [f":{key}" for key in ("root", "bonedata", "hierarchy") if not sections.get(key)]
    if missing:
        got = ", ".join(f":{key}" for key in sections) or "none of them"
        raise wrong(
            path,
            f"expected an Acclaim skeleton (ASF) with {', '.join(missing)}, got {got}; the file is "
            "cut short or of another format, download it again",
        )
    return sections


def _root(path: Path, lines: list[Line]) -> Bone:
    fields = {line.words[0].lower(): line for line in lines}
    if "order" not in fields:
        raise wrong(path, "expected an order under :root, got none; download the file again")
    at = {"position": [0.0] * 3, "orientation": [0.0] * 3}
    for key in at.keys() & fields.keys():
        at[key] = _vector(path, fields[key], 3, key)
    if any(at["orientation"]):
        # Readers disagree on whether it turns the skeleton or only the axes of its motion.
        raise wrong(
            path,
            f"expected the root's orientation 0 0 0, got {at['orientation']}; turn the skeleton "
            "and set it to 0",
            fields["orientation"].number,
        )
    channels = _channels(path, fields["order"], (*TRANSLATIONS, *ROTATIONS))
    return Bone(ROOT, -1, np.array(at["position"]), channels, 0)


def _bone(
    path: Path, name: str, parent: int, block: dict[str, Line], start: int, degrees: bool
) -> Bone:
    direction = _vector(path, block["direction"], 3, "direction")
    (length,) = _vector(path, block["length"], 1, "length")
    angles = _vector(path, block["axis"], 3, "axis")
    order = "".join(block["axis"].words[4:]).lower()
    if sorted(order) != ["x", "y", "z"]:
        raise wrong(
            path,
            f"expected an axis order such as XYZ, got '{order}'; fix the file",
            block["axis"].number,
        )
    channels = _channels(path, block["dof"], ROTATIONS) if "dof" in block else ()
    axes = np.eye(3)[:, :, None]
    for axis, angle in reversed(list(zip(order, angles, strict=True))):
        axes = turned(axes, axis, np.radians(angle) if degrees else angle)
    offset = length * np.array(direction)
    return Bone(name, parent, offset, channels, start, axes[:, :, 0] if channels else None)


def _channels(path: Path, line: Line, known: tuple[str, ...]) -> tuple[str, ...]:
    channels = tuple(word.lower() for word in line.words[1:])
    if not set(channels) <= set(known) or len(set(channels)) < len(channels):
        raise wrong(
            path,
            f"expected degrees of freedom {' '.join(known)}, each at most once, got "
            f"'{' '.join(line.words[1:])}'; bones that stretch or slide are not supported",
            line.number,
        )
    return channels[::-1]


def _vector(path: Path, line: Line, count: int, what: str) -> list[float]:
    return numbers(path, line.number, line.words[1 : 1 + count], count, what)


def _blocks(path: Path, lines: list[Line]) -> dict[str, dict[str, Line]]:
    """The fields of every ``begin ... end`` under ``:bonedata``, by the bone's name."""
    blocks: dict[str, dict[str, Line]] = {}
    block: dict[str, Line] | None = None
    for line in lines:
        key = line.words[0].lower()
        if key == "begin":
            block = {}
        elif block is None:
            raise wrong(path, f"expected 'begin', got '{line.words[0]}'; fix the file", line.number)
        elif len(blocks) == MOST_BONES:
            raise wrong(path, f"expected at most {MOST_BONES} bones, got more; download it again")
        elif key != "end":
            block.setdefault(key, line)
        else:
            missing = [k for k in ("name", "direction", "length", "axis") if k not in block]
            if missing or len(block["name"].words) != 2:
                raise wrong(
                    path,
                    f"expected a bone with one name, direction, length and axis, got one without "
                    f"{', '.join(missing) or 'a name'}; download the file again",
                    line.number,
                )
            name = block["name"].words[1]
            if name in blocks or name == ROOT:
                raise wrong(path, f"expected one bone '{name}', got a second one", line.number)
            blocks[name], block = block, None
    if block is not None:
        raise wrong(path, "expected 'end' after the last bone, got none; the file is cut short")
    return blocks


def _order(path: Path, lines: list[Line], names: list[str]) -> list[tuple[str, int]]:
    """Bones and the indices of their parents, parents first; the root has index 0."""
    children: dict[str, list[str]] = {}
    known = {ROOT, *names}
    for number, words in lines:
        if len(words) == 1 and words[0].lower() in ("begin", "end"):
            continue
        if unknown := [word for word in words if word not in known]:
            raise wrong(
                path,
                f"expected bones of :bonedata, got '{unknown[0]}'; the file is cut short or "
                "inconsistent",
                number,
            )
        children.setdefault(words[0], []).extend(words[1:])
    found: list[tuple[str, int]] = []
    order = [ROOT]
    for index, parent in enumerate(order):
        for child in children.get(parent, ()):
            if child in order:
                raise wrong(path, f"expected one parent of '{child}', got several; fix the file")
            order.append(child)
            found.append((child, index))
    if lost := [name for name in names if name not in order]:
        raise wrong(
            path,
            f"expected every bone to hang on the root, got {', '.join(lost)} without a parent; the "
            "file is cut short or inconsistent",
        )
    return found
