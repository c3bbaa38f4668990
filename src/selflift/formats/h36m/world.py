"""Files of world positions in VideoPose3D's layout: read whole, checked, handed out one by one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from selflift.data.cmu import PLAUSIBLE_HEIGHT_M
from selflift.files.array_archives import read_npz
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.cameras import SUBJECTS
from selflift.formats.h36m.protocol import action_of, clip_name
from selflift.geometry.normalise import skeleton_height
from selflift.skeleton import H36M_17, H36M_32, Skeleton, convert

KEY = "positions_3d"
LAYOUTS = {layout.num_joints: layout for layout in (H36M_17, H36M_32)}

# Frames of each recording that the checks of unit and axes look at.
_SAMPLES = 8
_CENTRED_M = 1e-3


@dataclass(frozen=True)
class Recording:
    """One recording of one person, seen by every camera.

    Attributes:
        subject: Who, as the file says.
        key: The file's name of the recording.
        action: What they do.
        clip: Unique name.
        frames: How many frames of 3D there are.
    """

    subject: str
    key: str
    action: str
    clip: str
    frames: int

    @property
    def known(self) -> bool:
        """Whether the subject is one of Human3.6M's, whose calibration is public."""
        return self.subject in SUBJECTS


class WorldPoses:
    """The recordings of a file; each one's positions are released when they are taken.

    Attributes:
        path: The file.
        skeleton: The layout of its positions.
        recordings: In the file's order.
    """

    def __init__(
        self,
        path: Path,
        skeleton: Skeleton,
        recordings: list[Recording],
        positions: dict[str, np.ndarray],
    ) -> None:
        self.path = path
        self.skeleton = skeleton
        self.recordings = recordings
        self._positions = positions

    def pop(self, recording: Recording) -> np.ndarray:
        """The positions of a recording, ``(F, J, 3)``, world, metres; they are forgotten here."""
        return self._positions.pop(recording.clip)


def read_world(path: Path, subjects: list[str]) -> WorldPoses:
    """Read a file ``positions_3d = {subject: {recording: (F, J, 3)}}``.

    Args:
        path: The ``.npz`` file; it is a pickle, so all of it is in memory at first.
        subjects: Which ones; all that are there, if empty.

    Raises:
        ImportFileError: If the file is missing, damaged or of another layout, holds no frame or
            numbers that are not finite, or its positions can't be metres in a world with z up.
    """
    table = read_npz(path, KEY)[KEY]
    kept = {s: table[s] for s in chosen(path, KEY, table, subjects)}
    recordings: list[Recording] = []
    positions: dict[str, np.ndarray] = {}
    joints = 0
    for subject, of_subject in kept.items():
        if not isinstance(of_subject, dict) or not of_subject:
            raise ImportFileError(
                f"'{path}': {KEY}['{subject}']: expected a table of recordings, got "
                f"{described(of_subject)}; get the file again"
            )
        for key, array in of_subject.items():
            joints = _check_array(f"'{path}': {KEY}['{subject}']['{key}']", array, joints)
            recording = _recording(path, subject, key, len(array))
            if recording.clip in positions:
                raise ImportFileError(
                    f"'{path}': {KEY}['{subject}']: expected one recording '{recording.clip}', got "
                    "two of that name; rename one"
                )
            recordings.append(recording)
            positions[recording.clip] = array
    world = WorldPoses(path, LAYOUTS[joints], recordings, positions)
    _check_bodies(world, positions)
    return world


def chosen(path: Path, key: str, table: object, subjects: list[str]) -> list[str]:
    """The wanted subjects of a table ``{subject: ...}``, in its order.

    Raises:
        ImportFileError: If it is no such table, is empty, or lacks one of them.
    """
    if not isinstance(table, dict) or not all(isinstance(name, str) for name in table):
        raise ImportFileError(
            f"'{path}': expected {key} = {{subject: {{recording: ...}}}}, got {described(table)}; "
            "give VideoPose3D's file of all subjects"
        )
    if not table:
        raise ImportFileError(f"'{path}': expected at least one subject in {key}, got none")
    unknown = [name for name in subjects if name not in table]
    if unknown:
        raise ImportFileError(
            f"'{path}': expected h36m.subjects of {', '.join(table)}, got {', '.join(unknown)}"
        )
    return [name for name in table if not subjects or name in subjects]


def described(value: object) -> str:
    """A few words on what was found in place of something else."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, (dict, list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{type(value).__name__}"


def _recording(path: Path, subject: str, key: object, frames: int) -> Recording:
    if not isinstance(key, str):
        raise ImportFileError(
            f"'{path}': {KEY}['{subject}']: expected recordings by their names, got {key!r}"
        )
    if subject not in SUBJECTS:
        # "Walk 04 part2" is "Walk".
        action = re.split(r"[ _-]*\d+(?![^ _-])", key)[0] or key
        return Recording(subject, key, action, f"{subject} {key}", frames)
    try:
        action = action_of(key)
    except ValueError as error:
        raise ImportFileError(
            f"'{path}': {KEY}['{subject}']: {error}; rename the subject if it is not Human3.6M's"
        ) from error
    return Recording(subject, key, action, clip_name(subject, key), frames)


def _check_array(where: str, array: object, joints: int) -> int:
    """The number of joints of an array that is as it should be."""
    if (
        not isinstance(array, np.ndarray)
        or array.dtype.kind != "f"
        or array.ndim != 3
        or array.shape[1] not in ([joints] if joints else LAYOUTS)
        or array.shape[2] != 3
        or len(array) == 0
    ):
        counts = str(joints) if joints else " or ".join(map(str, LAYOUTS))
        remedy = "as in the recordings before it" if joints else "convert it to these joints"
        raise ImportFileError(
            f"{where}: expected floating-point positions of shape (frames, {counts}, 3), got "
            f"{described(array)}; {remedy}"
        )
    # Human3.6M's sites and doubled joints are read by nobody unless all 32 are asked for, but a
    # recording that is damaged in them is damaged.
    if not np.isfinite(array).all():
        bad = ~np.isfinite(array).all((1, 2))
        raise ImportFileError(
            f"{where}: expected finite positions, got NaN or Inf in {int(bad.sum())} of "
            f"{len(array)} frames (first: frame {int(np.argmax(bad))}); cut these frames or leave "
            "the recording out"
        )
    return array.shape[1]


def _check_bodies(world: WorldPoses, positions: dict[str, np.ndarray]) -> None:
    """Raise unless the positions are metres, in a world with z up, not centred on their root."""
    samples = np.stack([
        array[np.linspace(0, len(array) - 1, _SAMPLES).astype(int)]
        for array in positions.values()
    ])  # fmt: skip
    bodies = convert(samples.astype(np.float64), world.skeleton, H36M_17).positions
    heights = np.median(skeleton_height(torch.from_numpy(bodies), H36M_17).numpy(), axis=1)
    low, high = PLAUSIBLE_HEIGHT_M
    wrong = ~((heights > low) & (heights < high))
    if wrong.any():
        first = int(np.argmax(wrong))
        recording, height = world.recordings[first], float(heights[first])
        unit = "; they are millimetres, divide by 1000" if low < height / 1000 < high else ""
        raise ImportFileError(
            f"'{world.path}': {KEY}['{recording.subject}']['{recording.key}']: expected metres, "
            f"got bodies whose bones from ankles to head measure {height:.4g}"
            f"{unit or '; check the unit and the order of the joints'}"
        )
    if np.abs(bodies[:, :, H36M_17.root]).max() < _CENTRED_M:
        raise ImportFileError(
            f"'{world.path}': {KEY}: expected positions in the world, got poses that are centred "
            "on their root; give the file from before that step"
        )
    ankles = bodies[:, :, [leg[2] for leg in H36M_17.legs]].mean(2)
    up = np.median(np.median(bodies[:, :, H36M_17.head] - ankles, axis=1), axis=0)
    axis = int(np.argmax(np.abs(up)))
    # Nobody lies along one and the same axis in most recordings.
    if np.linalg.norm(up) > np.median(heights) / 2 and (axis != 2 or up[2] < 0):
        sign = "-" if up[axis] < 0 else "+"
        raise ImportFileError(
            f"'{world.path}': {KEY}: expected a world with z up, got bodies that stand along "
            f"{sign}{'xyz'[axis]}; turn the positions"
        )
