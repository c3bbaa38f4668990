"""Writes BVH files of the public layout, and places their joints one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation


class Joint(NamedTuple):
    """A joint of a BVH file; an end site has no channels and a name that is not written."""

    name: str
    parent: str
    offset: tuple[float, float, float]
    channels: tuple[str, ...] = ("Zrotation", "Yrotation", "Xrotation")
    end: bool = False


SIX = ("Xposition", "Yposition", "Zposition", "Zrotation", "Yrotation", "Xrotation")


def human_joints(thorax: float = 0.0) -> list[Joint]:
    """cgspeed's MotionBuilder names; ``thorax`` is the length of the bone that its files lack."""
    neck = (0.0, thorax, 0.0)
    joints = [
        Joint("Hips", "", (0, 0, 0), SIX), Joint("LowerBack", "Hips", (0, 0, 0)),
        Joint("Spine", "LowerBack", (0.02, 2.05, -0.14)), Joint("Spine1", "Spine", (0.01, 2.06, 0)),
        Joint("Neck", "Spine1", neck), Joint("Neck1", "Neck", (0.01, 1.57, 0.15)),
        Joint("Head", "Neck1", (0.03, 1.56, -0.1)),
        Joint("Head/End", "Head", (0.01, 1.63, -0.05), (), True),
    ]  # fmt: skip
    for side, short, sign in (("Left", "L", 1), ("Right", "R", -1)):
        joints += [
            Joint(f"{short}HipJoint", "Hips", (0, 0, 0)),
            Joint(f"{side}UpLeg", f"{short}HipJoint", (sign * 1.65, -1.8, 0.62)),
            Joint(f"{side}Leg", f"{side}UpLeg", (sign * 2.6, -7.1, 0)),
            Joint(f"{side}Foot", f"{side}Leg", (sign * 2.5, -6.8, 0)),
            Joint(f"{side}Foot/End", f"{side}Foot", (sign * 0.2, -0.5, 2.1), (), True),
            Joint(f"{side}Shoulder", "Spine1", neck),
            Joint(f"{side}Arm", f"{side}Shoulder", (sign * 3.5, 0.9, -0.17)),
            Joint(f"{side}ForeArm", f"{side}Arm", (sign * 4.9, 0, 0)),
            Joint(f"{side}Hand", f"{side}ForeArm", (sign * 3.4, 0, 0)),
            Joint(f"{side}Hand/End", f"{side}Hand", (sign * 0.7, 0, 0), (), True),
        ]
    return joints


def renamed(joints: Sequence[Joint], names: dict[str, str], scale: float = 1.0) -> list[Joint]:
    """The same figure under other names, in another unit; end sites follow their joints."""

    def name(old: str) -> str:
        stem, *end = old.split("/")
        return "/".join([names.get(stem, stem), *end])

    return [
        joint._replace(
            name=name(joint.name),
            parent=name(joint.parent) if joint.parent else "",
            offset=tuple(scale * value for value in joint.offset),
        )
        for joint in joints
    ]


def write_bvh(
    path: Path, joints: Sequence[Joint], values: np.ndarray, frame_time: str = ".0083333",
    eol: str = "\n",
) -> Path:  # fmt: skip
    lines = ["HIERARCHY"]

    def write(joint: Joint, depth: int) -> None:
        indent = "\t" * depth
        kind = "ROOT" if depth == 0 else "JOINT"
        lines.append(f"{indent}{'End Site' if joint.end else f'{kind} {joint.name}'}")
        lines.append(f"{indent}{{")
        lines.append(f"{indent}\tOFFSET {' '.join(map(repr, map(float, joint.offset)))}")
        if not joint.end:
            lines.append(f"{indent}\tCHANNELS {len(joint.channels)} {' '.join(joint.channels)} ")
        for child in joints:
            if child.parent == joint.name:
                write(child, depth + 1)
        lines.append(f"{indent}}}")

    write(joints[0], 0)
    lines += ["MOTION", f"Frames: {len(values)}", f"Frame Time: {frame_time}"]
    lines += [" ".join(map(repr, row)) for row in values.tolist()]
    path.write_bytes((eol.join(lines) + eol).encode())
    return path


def in_file_order(joints: Sequence[Joint]) -> list[Joint]:
    """Joints depth first, as a BVH file lists them and their values."""

    def below(joint: Joint) -> list[Joint]:
        found = [joint]
        for child in joints:
            if child.parent == joint.name:
                found += below(child)
        return found

    return below(joints[0])


def random_bvh(joints: Sequence[Joint], frames: int, seed: int = 0, unit: float = 1) -> np.ndarray:
    """Slow random motion, ``(F, columns)``, degrees; the root stands 17 CMU units above the floor.

    Positions of other joints stay near their offsets. ``unit`` is that of the offsets in CMU's.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / 120
    columns = []
    for joint in in_file_order(joints):
        rest = (0.0, 17.0 * unit, 0.0) if not joint.parent else joint.offset
        for channel in joint.channels:
            wave = np.sin(2 * np.pi * 0.7 * time + rng.uniform(0, 2 * np.pi))
            if channel.endswith("position"):
                columns.append(rest["XYZ".index(channel[0])] + 0.3 * unit * wave)
            else:
                columns.append(rng.uniform(5, 25) * wave)
    return np.concatenate(columns, axis=1)


def place_bvh(joints: Sequence[Joint], values: np.ndarray) -> dict[str, np.ndarray]:
    """Where joints are, frame by frame and joint by joint, ``{name: (F, 3)}``; degrees."""
    ordered = in_file_order(joints)
    out: dict[str, list] = {joint.name: [] for joint in ordered}
    for row in values:
        turn = {"": Rotation.identity()}
        place = {"": np.zeros(3)}
        numbers = iter(row)
        for joint in ordered:
            t, R = np.array(joint.offset, float), Rotation.identity()
            for channel in joint.channels:
                value = next(numbers)
                if channel.endswith("position"):
                    t["XYZ".index(channel[0])] = value
                else:
                    R = R * Rotation.from_euler(channel[0].lower(), value, degrees=True)
            place[joint.name] = place[joint.parent] + turn[joint.parent].apply(t)
            turn[joint.name] = turn[joint.parent] * R
            out[joint.name].append(place[joint.name])
    return {name: np.array(points) for name, points in out.items()}
