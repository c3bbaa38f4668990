"""Reads Acclaim skeletons (ASF)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from selflift.formats.mocap.acclaim import (
    CMU_LENGTH,
    ROOT,
    ROTATIONS,
    TRANSLATIONS,
    AcclaimSkeleton,
    Bone,
)
from selflift.formats.mocap.rotations import from_axes
from selflift.formats.mocap.text import Line, numbers, read_lines, wrong

# People with all fingers have some sixty.
MOST_BONES = 1000


def read_asf(path: Path) -> AcclaimSkeleton:
    """Read a skeleton.

    Raises:
        ImportFileError: If the file is missing or damaged, or has what this reader doesn't know.
    """
    sections = _sections(path)
    units = {line.words[0].lower(): line for line in sections.get("units", ())}
    length = CMU_LENGTH
    if "length" in units:
        length = numbers(path, units["length"], units["length"].words[1:], 1, "the length")[0]
        if length <= 0:
            raise wrong(path, f"expected a length unit above 0, got {length:g}; mend the file")
    degrees = _degrees(path, units.get("angle"))
    root = _root(path, sections["root"])
    blocks = _blocks(path, sections["bonedata"])
    bones = [root]
    start = len(root.dof)
    for name, parent in _order(path, sections["hierarchy"], list(blocks)):
        bone = _bone(path, name, parent, blocks[name], start, degrees)
        bones.append(bone)
        start += len(bone.dof)
    if start == 0:
        raise wrong(path, "expected a bone that moves, got none with a dof; get the file again")
    return AcclaimSkeleton(path, tuple(bones), length, degrees)


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
            "cut short or something else, get it again",
        )
    return sections


def _degrees(path: Path, line: Line | None) -> bool:
    word = "deg" if line is None else " ".join(line.words[1:]).lower()
    if word not in ("deg", "rad"):
        raise wrong(
            path, f"expected angle deg or rad, got '{word}'; mend the file",
            None if line is None else line.number,
        )  # fmt: skip
    return word == "deg"


def _root(path: Path, lines: list[Line]) -> Bone:
    fields = {line.words[0].lower(): line for line in lines}
    if "order" not in fields:
        raise wrong(path, "expected an order under :root, got none; get the file again")
    dof = _dof(path, fields["order"])
    at = {"position": [0.0] * 3, "orientation": [0.0] * 3}
    for key in at.keys() & fields.keys():
        at[key] = numbers(path, fields[key], fields[key].words[1:], 3, key)
    if any(at["orientation"]):
        # Whether it turns the skeleton or only the axes of its motion, readers disagree.
        raise wrong(
            path,
            f"expected the root's orientation 0 0 0, got {at['orientation']}; turn the skeleton "
            "and set it to 0",
            fields["orientation"].number,
        )
    return Bone(ROOT, -1, np.array(at["position"]), np.eye(3), dof, 0)


def _dof(path: Path, line: Line, root: bool = True) -> tuple[str, ...]:
    dof = tuple(word.lower() for word in line.words[1:])
    known = (*TRANSLATIONS, *ROTATIONS) if root else ROTATIONS
    if not set(dof) <= set(known) or len(set(dof)) < len(dof):
        raise wrong(
            path,
            f"expected degrees of freedom {' '.join(known)}, each at most once, got "
            f"'{' '.join(line.words[1:])}'; this reader knows no bones that stretch or slide",
            line.number,
        )
    return dof


def _blocks(path: Path, lines: list[Line]) -> dict[str, dict[str, Line]]:
    """The fields of every ``begin ... end`` under ``:bonedata``, by the bone's name."""
    blocks: dict[str, dict[str, Line]] = {}
    block: dict[str, Line] | None = None
    for line in lines:
        key = line.words[0].lower()
        if key == "begin":
            block = {}
        elif block is None:
            raise wrong(
                path, f"expected 'begin', got '{line.words[0]}'; mend the file", line.number
            )
        elif len(blocks) == MOST_BONES:
            raise wrong(path, f"expected at most {MOST_BONES} bones, got more; get it again")
        elif key != "end":
            block.setdefault(key, line)
        else:
            missing = [k for k in ("name", "direction", "length", "axis") if k not in block]
            if missing or len(block["name"].words) != 2:
                raise wrong(
                    path,
                    f"expected a bone with one name, direction, length and axis, got one without "
                    f"{', '.join(missing) or 'a name'}; get the file again",
                    line.number,
                )
            name = block["name"].words[1]
            if name in blocks or name == ROOT:
                raise wrong(path, f"expected one bone '{name}', got a second one", line.number)
            blocks[name] = block
            block = None
    if block is not None:
        raise wrong(path, "expected 'end' after the last bone, got none; the file is cut short")
    return blocks


def _bone(
    path: Path, name: str, parent: int, block: dict[str, Line], start: int, degrees: bool
) -> Bone:
    direction = numbers(path, block["direction"], block["direction"].words[1:], 3, "direction")
    (length,) = numbers(path, block["length"], block["length"].words[1:], 1, "length")
    line = block["axis"]
    angles = numbers(path, line, line.words[1:], 3, "axis")
    order = "".join(line.words[4:]).lower()
    if sorted(order) != ["x", "y", "z"]:
        raise wrong(
            path, f"expected an axis order such as XYZ, got '{order}'; mend the file", line.number
        )
    axes = from_axes(order, np.radians(angles).tolist() if degrees else angles)
    dof = _dof(path, block["dof"], root=False) if "dof" in block else ()
    return Bone(name, parent, length * np.array(direction), axes, dof, start)


def _order(path: Path, lines: list[Line], names: list[str]) -> list[tuple[str, int]]:
    """Bones and the indices of their parents, parents first; the root has index 0."""
    children: dict[str, list[str]] = {}
    known = {ROOT, *names}
    for line in lines:
        if line.words[0].lower() in ("begin", "end") and len(line.words) == 1:
            continue
        for word in line.words:
            if word not in known:
                raise wrong(
                    path,
                    f"expected bones of :bonedata, got '{word}'; the file is cut short or "
                    "inconsistent",
                    line.number,
                )
        children.setdefault(line.words[0], []).extend(line.words[1:])
    found: list[tuple[str, int]] = []
    order, reached = [ROOT], {ROOT}
    for index, parent in enumerate(order):
        for child in children.get(parent, ()):
            if child in reached:
                raise wrong(path, f"expected one parent of '{child}', got several; mend the file")
            order.append(child)
            reached.add(child)
            found.append((child, index))
    if lost := [name for name in names if name not in reached]:
        raise wrong(
            path,
            f"expected every bone to hang on the root, got {', '.join(lost)} without a parent; the "
            "file is cut short or inconsistent",
        )
    return found
