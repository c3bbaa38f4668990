"""Writes ASF and AMC files of the public layout, and places their bones one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation


class Bone(NamedTuple):
    """A bone of an ASF file."""

    name: str
    parent: str
    direction: tuple[float, float, float]
    length: float
    axis: tuple[float, float, float] = (0, 0, 0)
    order: str = "XYZ"
    dof: tuple[str, ...] = ("rx", "ry", "rz")


ROOT_DOF = ("TX", "TY", "TZ", "RX", "RY", "RZ")


def cmu_bones() -> list[Bone]:
    """CMU's bones without hands and toes: a person of 1.7 m who faces +z, y up, in CMU's unit."""
    down = (0.34202, -0.939693, 0.0)
    bones = [
        Bone("lowerback", "root", (0.0, 1.0, -0.05), 2.06),
        Bone("upperback", "lowerback", (0.0, 1.0, 0.0), 2.07),
        Bone("thorax", "upperback", (0.0, 1.0, 0.01), 2.07),
        Bone("lowerneck", "thorax", (0.0, 1.0, 0.1), 1.57),
        Bone("upperneck", "lowerneck", (0.02, 1.0, -0.06), 1.56),
        Bone("head", "upperneck", (0.0, 1.0, -0.03), 1.63),
    ]
    for side, sign in (("l", 1.0), ("r", -1.0)):
        axis, leg = (0.0, 0.0, sign * 20.0), (sign * down[0], down[1], 0.0)
        arm, arm_axis = (sign * 1.0, 0.0, 0.0), (180.0, sign * 30.0, sign * 90.0)
        bones += [
            Bone(f"{side}hipjoint", "root", (sign * 0.65, -0.71, 0.25), 2.5, dof=()),
            Bone(f"{side}femur", f"{side}hipjoint", leg, 7.6, axis),
            Bone(f"{side}tibia", f"{side}femur", leg, 7.2, axis, dof=("rx",)),
            Bone(f"{side}foot", f"{side}tibia", (sign * 0.09, -0.24, 0.97), 2.2, (-90.0, 7.6, 20.0),
                 dof=("rx", "rz")),
            Bone(f"{side}clavicle", "thorax", (sign * 0.97, 0.25, -0.05), 3.6, dof=("ry", "rz")),
            Bone(f"{side}humerus", f"{side}clavicle", arm, 4.9, arm_axis),
            Bone(f"{side}radius", f"{side}humerus", arm, 3.4, arm_axis, dof=("rx",)),
        ]  # fmt: skip
    return bones


def write_asf(
    path: Path, bones: Sequence[Bone], length: float = 0.45, angle: str = "deg",
    root: Sequence[str] = ROOT_DOF, position: Sequence[float] = (0, 0, 0), eol: str = "\n",
) -> Path:  # fmt: skip
    """A file as CMU publishes them; angles of ``bones`` are degrees."""
    turn = np.radians if angle == "rad" else np.asarray
    lines = [
        "# AST/ASF file generated using VICON BodyLanguage", ":version 1.10", ":name VICON",
        ":units", "  mass 1.0", f"  length {length}", f"  angle {angle}", ":documentation",
        "   .ast/.asf automatically generated", "", ":root", f"   order {' '.join(root)}",
        "   axis XYZ", f"   position {' '.join(map(str, position))}", "   orientation 0 0 0 ",
        ":bonedata",
    ]  # fmt: skip
    for number, bone in enumerate(bones, 1):
        lines += [
            "  begin", f"     id {number} ", f"     name {bone.name}",
            f"     direction {' '.join(map(str, bone.direction))}   ",
            f"     length {bone.length}  # a comment",
            f"     axis {' '.join(repr(float(a)) for a in turn(bone.axis))}   {bone.order}",
        ]  # fmt: skip
        if bone.dof:
            lines += [f"    dof {' '.join(bone.dof)}", "    limits (-160.0 20.0)"]
            lines += ["           (-70.0 70.0)"] * (len(bone.dof) - 1)
        lines += ["  end"]
    lines += [":hierarchy", "  begin"]
    for parent in dict.fromkeys(bone.parent for bone in bones):
        children = [bone.name for bone in bones if bone.parent == parent]
        lines.append(f"    {parent} {' '.join(children)}")
    lines += ["  end", ""]
    path.write_bytes(eol.join(lines).encode())
    return path


def moving(bones: Sequence[Bone]) -> list[Bone]:
    return [bone for bone in bones if bone.dof]


def random_amc(bones: Sequence[Bone], frames: int, seed: int = 0, root: int = 6) -> list[dict]:
    """Per frame, the values of the root and of every bone that moves; degrees, slow motion."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / 120
    counts = {"root": root, **{bone.name: len(bone.dof) for bone in moving(bones)}}
    table = {}
    for name, count in counts.items():
        phase, size = rng.uniform(0, 2 * np.pi, count), rng.uniform(5, 25, count)
        table[name] = size * np.sin(2 * np.pi * 0.7 * time[:, None] + phase)
    table["root"][:, :3] = np.array([0.0, 17.0, 0.0]) + 0.02 * table["root"][:, :3]
    return [{name: table[name][f].tolist() for name in counts} for f in range(frames)]


def write_amc(
    path: Path, frames: Sequence[dict], header: Sequence[str] = (":FULLY-SPECIFIED", ":DEGREES"),
    first: int = 1, eol: str = "\n",
) -> Path:  # fmt: skip
    lines = ["#!OML:ASF F:\\VICON\\USERDATA\\somebody.ASF", *header]
    for number, values in enumerate(frames, first):
        lines.append(str(number))
        lines += [f"{name} {' '.join(map(repr, v))}" for name, v in values.items()]
    path.write_bytes((eol.join(lines) + eol).encode())
    return path


def place_asf(bones: Sequence[Bone], frames: Sequence[dict]) -> dict[str, np.ndarray]:
    """Where bones end, frame by frame and bone by bone, ``{name: (F, 3)}``; degrees."""
    out: dict[str, list] = {name: [] for name in ("root", *(bone.name for bone in bones))}
    for values in frames:
        root = values["root"]
        turn = {"root": Rotation.from_euler("xyz", root[3:], degrees=True)}
        end = {"root": np.array(root[:3])}
        for bone in bones:
            C = Rotation.from_euler(bone.order.lower(), bone.axis, degrees=True)
            M = Rotation.identity()
            for dof, angle in zip(bone.dof, values.get(bone.name, ()), strict=True):
                M = Rotation.from_euler(dof[1], angle, degrees=True) * M
            turn[bone.name] = turn[bone.parent] * C * M * C.inv()
            way = bone.length * np.array(bone.direction)
            end[bone.name] = end[bone.parent] + turn[bone.name].apply(way)
        for name, point in end.items():
            out[name].append(point)
    return {name: np.array(points) for name, points in out.items()}
