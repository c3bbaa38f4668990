"""Files of 2D keypoints in VideoPose3D's layout, read and converted to Human3.6M's 17 joints.

``positions_2d`` is ``{subject: {recording: [one (T, J, 2) array per camera]}}`` in pixels, or
``(T, J, 3)`` with a confidence. ``metadata`` gives the layout by its left and right joints; two
layouts of 16 joints share those, so there the name of the file decides, as VideoPose3D's do
(``sh_pt_mpii``: a stacked hourglass as trained on MPII; ``sh_ft_h36m``: fine-tuned on Human3.6M).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selflift.files.array_archives import read_npz
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.h36m_cameras import CAMERAS, SUBJECTS
from selflift.formats.h36m.h36m_protocol import Recording
from selflift.skeleton import (
    COCO_17,
    H36M_17,
    H36M_SH_16,
    MPII_16,
    Skeleton,
    convert,
    derived_joints,
)

KEY = "positions_2d"
# By the words in a file's name.
_HOURGLASSES = {"pt": MPII_16, "ft": H36M_SH_16}


@dataclass(frozen=True)
class Keypoints:
    """The keypoints of a file.

    Attributes:
        path: The file.
        skeleton: Their layout.
        poses: By recording, one array per camera.
    """

    path: Path
    skeleton: Skeleton
    poses: dict[Recording, list[np.ndarray]]

    def pop(self, recording: Recording) -> list[tuple[np.ndarray, np.ndarray]]:
        """Keypoints and confidence of a recording, per camera; they are released here."""
        return [to_h36m_17(poses, self.skeleton) for poses in self.poses.pop(recording)]

    def note(self) -> str | None:
        """A line on the joints of the 17 that are stand-ins; ``None`` if none is."""
        derived = derived_joints(self.skeleton, H36M_17)
        if not derived:
            return None
        means = "; ".join(f"{joint} = mean of {', '.join(of)}" for joint, of in derived.items())
        return (
            f"'{self.path.name}' has the joints of {self.skeleton.name}; those of "
            f"{H36M_17.name} that it lacks are stand-ins: {means}"
        )


def read_keypoints(path: Path, subjects: list[str]) -> Keypoints:
    """Read a file of 2D keypoints.

    Args:
        path: The ``.npz`` file; it is a pickle, so all of it is in memory at first.
        subjects: Subjects to keep; all that are there, if empty.

    Raises:
        ImportFileError: If the file is missing, corrupt, of another layout, or has not one array
            per camera.
    """
    content = read_npz(path, KEY, "metadata")
    entries = by_recording(path, KEY, content[KEY], subjects)
    joints = columns = 0
    for where, views in entries.values():
        if not isinstance(views, (list, tuple, np.ndarray)) or len(views) != len(CAMERAS):
            raise ImportFileError(
                f"{where}: expected {len(CAMERAS)} arrays, of the cameras {', '.join(CAMERAS)}, "
                f"got {described(views)}; leave the recording out with h36m.subjects or get the "
                "file again"
            )
        for view in views:
            if (
                not isinstance(view, np.ndarray)
                or view.dtype.kind not in "fiu"
                or view.ndim != 3
                or view.shape[2] not in (2, 3)
                or (joints and view.shape[1:] != (joints, columns))
            ):
                expected = f"{joints}, {columns}" if joints else "joints, 2 or 3"
                raise ImportFileError(
                    f"{where}: expected pixels of shape (frames, {expected}) for each camera, got "
                    f"{described(view)}; every recording must have the same joints"
                )
            _, joints, columns = view.shape
    poses = {recording: list(views) for recording, (_, views) in entries.items()}
    return Keypoints(path, _layout(path, content["metadata"], joints), poses)


def by_recording(
    path: Path, key: str, table: Any, subjects: list[str]
) -> dict[Recording, tuple[str, Any]]:
    """Flatten ``{subject: {recording: value}}``: place for messages, and value, by recording.

    Args:
        path: The file.
        key: Name of the table in it.
        table: The table.
        subjects: Subjects to keep; all that are there, if empty.

    Raises:
        ImportFileError: If it is another table, is empty, or lacks one of the subjects.
    """
    if not isinstance(table, dict) or not all(isinstance(name, str) for name in table):
        raise ImportFileError(
            f"'{path}': expected {key} = {{subject: {{recording: ...}}}}, got {described(table)}; "
            "give VideoPose3D's file of all subjects"
        )
    if not table:
        raise ImportFileError(f"'{path}': expected at least one subject in {key}, got none")
    if unknown := [name for name in subjects if name not in table]:
        raise ImportFileError(
            f"'{path}': expected h36m.subjects of {', '.join(table)}, got {', '.join(unknown)}"
        )
    out: dict[Recording, tuple[str, Any]] = {}
    for subject in [name for name in table if not subjects or name in subjects]:
        where, of_subject = f"'{path}': {key}['{subject}']", table[subject]
        if not isinstance(of_subject, dict) or not of_subject:
            raise ImportFileError(
                f"{where}: expected a table of recordings, got {described(of_subject)}; get the "
                "file again"
            )
        for name, value in of_subject.items():
            if not isinstance(name, str):
                raise ImportFileError(
                    f"{where}: expected recordings by their names, got {str(name)[:40]!r}; get the "
                    "file again"
                )
            recording = _recording(where, subject, name)
            if recording in out:
                raise ImportFileError(
                    f"{where}: expected one recording '{recording.clip}', got two of that name; "
                    "rename one"
                )
            out[recording] = f"{where}['{name}']", value
    return out


def described(value: object) -> str:
    """A few words on a value of the wrong kind."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, (dict, list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{type(value).__name__}"


def to_h36m_17(poses: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Convert detections to 17 joints, with the missing ones marked.

    A joint is missing if it lies at (0, 0), where detectors put what they did not find, is not
    finite, or has no confidence above 0.

    Args:
        poses: ``(T, J, 2)`` pixels, or ``(T, J, 3)`` with a confidence.
        skeleton: Their layout.

    Returns:
        ``(T, 17, 2)`` float32 in Human3.6M's order, NaN where a joint is missing, and the
        confidence ``(T, 17)`` float32: 0 where it is missing, 1 elsewhere if the file gives none.
    """
    pixels = poses[..., :2].astype(np.float32)
    given = poses[..., 2].astype(np.float32) if poses.shape[-1] == 3 else np.float32(1)
    # A confidence that is NaN is not above 0.
    found = np.isfinite(pixels).all(-1) & (pixels != 0).any(-1) & (given > 0)
    confidence = np.where(found, given, np.float32(0))
    pixels[~found] = np.nan
    if skeleton == H36M_17:
        return pixels, confidence
    converted = convert(pixels, skeleton, H36M_17, confidence)
    assert converted.confidence is not None
    return converted.positions, converted.confidence


def _recording(where: str, subject: str, name: str) -> Recording:
    if subject not in SUBJECTS:
        # "Walk 04 part2" is "Walk".
        action = re.split(r"[ _-]*\d+(?![^ _-])", name)[0] or name
        return Recording(subject, action, f"{subject} {name}")
    try:
        return Recording.of(subject, name)
    except ValueError as error:
        raise ImportFileError(
            f"{where}: {error}; rename the subject if it is not Human3.6M's"
        ) from error


def _layout(path: Path, metadata: Any, joints: int) -> Skeleton:
    try:
        left, right = (sorted(map(int, side)) for side in metadata["keypoints_symmetry"])
        claimed = metadata.get("num_joints", joints)
    except (KeyError, TypeError, ValueError, OverflowError, IndexError, AttributeError) as error:
        raise ImportFileError(
            f"'{path}': expected metadata with keypoints_symmetry: [left joints, right joints], "
            f"got {described(metadata)} without it; get the file again"
        ) from error
    if claimed != joints:
        raise ImportFileError(
            f"'{path}': expected the {claimed} joints of its metadata (num_joints), got {joints} "
            f"in {KEY}; get the file again"
        )
    fitting = [
        layout
        for layout in (H36M_17, COCO_17, *_HOURGLASSES.values())
        if (layout.num_joints, sorted(layout.left), sorted(layout.right)) == (joints, left, right)
    ]
    if not fitting:
        raise ImportFileError(
            f"'{path}': expected Human3.6M's 17 joints, COCO's 17 or a stacked hourglass's 16, got "
            f"{joints} of which {left} are left and {right} right; convert them to one of these"
        )
    if len(fitting) == 1:
        return fitting[0]
    words = set(re.split(r"[^a-z]+", path.stem.lower())) & set(_HOURGLASSES)
    if len(words) != 1:
        raise ImportFileError(
            f"'{path}': expected 'pt' or 'ft' in the name of a file of 16 joints, as in "
            "data_2d_h36m_sh_pt_mpii.npz (MPII's joints) and data_2d_h36m_sh_ft_h36m.npz "
            "(Human3.6M's), got neither or both; rename it, since nothing else tells them apart"
        )
    return _HOURGLASSES[words.pop()]
