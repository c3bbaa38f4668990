"""Files of 2D keypoints in VideoPose3D's layout: which joints they have, read and converted.

``positions_2d`` is ``{subject: {recording: [one (T, J, 2) array per camera]}}`` in pixels, or
``(T, J, 3)`` with a confidence. ``metadata`` tells the layout by its left and right joints; two
layouts of 16 joints share those, so there the name of the file decides, as VideoPose3D's do
(``sh_pt_mpii``: a stacked hourglass as trained on MPII; ``sh_ft_h36m``: fine-tuned on Human3.6M).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from selflift.files.array_archives import read_npz
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.cameras import CAMERAS
from selflift.formats.h36m.protocol import clip_name
from selflift.formats.h36m.world import chosen, described
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


class Detections:
    """The keypoints of a file; each recording's are released when they are taken.

    Attributes:
        path: The file.
        skeleton: The layout of its keypoints.
        clips: Subject and number of poses of each recording, by the recording's unique name.
    """

    def __init__(
        self, path: Path, skeleton: Skeleton, poses: dict[str, dict[str, list[np.ndarray]]]
    ) -> None:
        self.path = path
        self.skeleton = skeleton
        self.clips: dict[str, tuple[str, int]] = {}
        self._poses: dict[str, list[np.ndarray]] = {}
        for subject, of_subject in poses.items():
            for key, views in of_subject.items():
                clip = clip_name(subject, key)
                if clip in self.clips:
                    raise ImportFileError(
                        f"'{path}': {KEY}['{subject}']: expected one recording '{clip}', got two "
                        "of that name; rename one"
                    )
                self.clips[clip] = subject, sum(map(len, views))
                self._poses[clip] = views

    def pop(self, clip: str) -> list[np.ndarray]:
        """The keypoints of a recording, one array per camera; they are forgotten here."""
        return self._poses.pop(clip)

    def note(self) -> str | None:
        """Which joints of the 17 are stand-ins, if any."""
        derived = derived_joints(self.skeleton, H36M_17)
        if not derived:
            return None
        means = "; ".join(f"{joint} = mean of {', '.join(of)}" for joint, of in derived.items())
        return (
            f"'{self.path.name}' has the joints of {self.skeleton.name}; those of "
            f"{H36M_17.name} that it lacks are stand-ins: {means}"
        )


def read_detections(path: Path, subjects: list[str]) -> Detections:
    """Read a file of 2D keypoints.

    Args:
        path: The ``.npz`` file; it is a pickle, so all of it is in memory at first.
        subjects: Which ones; all that are there, if empty.

    Raises:
        ImportFileError: If the file is missing, damaged, of another layout, or has not one array
            per camera.
    """
    content = read_npz(path, KEY, "metadata")
    poses = {s: content[KEY][s] for s in chosen(path, KEY, content[KEY], subjects)}
    shape: tuple[int, int] | None = None
    for subject, of_subject in poses.items():
        if not isinstance(of_subject, dict) or not of_subject:
            raise ImportFileError(
                f"'{path}': {KEY}['{subject}']: expected a table of recordings, got "
                f"{described(of_subject)}; get the file again"
            )
        for key, views in of_subject.items():
            if not isinstance(key, str):
                raise ImportFileError(
                    f"'{path}': {KEY}['{subject}']: expected recordings by their names, got "
                    f"{str(key)[:40]!r}; get the file again"
                )
            where = f"'{path}': {KEY}['{subject}']['{key}']"
            if not isinstance(views, (list, tuple, np.ndarray)) or len(views) != len(CAMERAS):
                raise ImportFileError(
                    f"{where}: expected {len(CAMERAS)} arrays, of the cameras "
                    f"{', '.join(CAMERAS)}, got {described(views)}; leave the recording out with "
                    "h36m.subjects or get the file again"
                )
            for view in views:
                shape = _check_view(where, view, shape)
            of_subject[key] = list(views)
    assert shape is not None
    return Detections(path, _layout(path, content["metadata"], shape[0]), poses)


def usable(poses: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Detections as 17 joints, with what is missing marked.

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


def _check_view(where: str, view: object, shape: tuple[int, int] | None) -> tuple[int, int]:
    """Joints and columns of an array that is as it should be, and as those before it."""
    if (
        not isinstance(view, np.ndarray)
        or view.dtype.kind not in "fiu"
        or view.ndim != 3
        or view.shape[2] not in (2, 3)
        or (shape is not None and view.shape[1:] != shape)
    ):
        expected = "joints, 2 or 3" if shape is None else f"{shape[0]}, {shape[1]}"
        raise ImportFileError(
            f"{where}: expected pixels of shape (frames, {expected}) for each "
            f"camera, got {described(view)}; every recording must have the same joints"
        )
    return view.shape[1], view.shape[2]


def _layout(path: Path, metadata: object, joints: int) -> Skeleton:
    sides = _sides(metadata)
    if sides is None or not isinstance(metadata, dict):
        raise ImportFileError(
            f"'{path}': expected metadata with keypoints_symmetry: [left joints, right joints], "
            f"got {described(metadata)} without it; get the file again"
        )
    if metadata.get("num_joints", joints) != joints:
        raise ImportFileError(
            f"'{path}': expected the {metadata['num_joints']} joints of its metadata (num_joints), "
            f"got {joints} in {KEY}; get the file again"
        )
    left, right = sides
    fitting = [
        layout
        for layout in (H36M_17, COCO_17, *_HOURGLASSES.values())
        if (layout.num_joints, sorted(layout.left), sorted(layout.right)) == (joints, left, right)
    ]
    if len(fitting) > 1:
        words = set(re.split(r"[^a-z]+", path.stem.lower())) & set(_HOURGLASSES)
        if len(words) != 1:
            raise ImportFileError(
                f"'{path}': expected 'pt' or 'ft' in the name of a file of 16 joints, as in "
                "data_2d_h36m_sh_pt_mpii.npz (MPII's joints) and data_2d_h36m_sh_ft_h36m.npz "
                "(Human3.6M's), got neither or both; rename it, since nothing else tells them apart"
            )
        return _HOURGLASSES[words.pop()]
    if not fitting:
        raise ImportFileError(
            f"'{path}': expected Human3.6M's 17 joints, COCO's 17 or a stacked hourglass's 16, got "
            f"{joints} of which {left} are left and {right} right; convert them to one of these"
        )
    return fitting[0]


def _sides(metadata: object) -> tuple[list[int], list[int]] | None:
    """Left and right joints of the metadata, if it has them."""
    if not isinstance(metadata, dict):
        return None
    try:
        left, right = metadata["keypoints_symmetry"]
        return sorted(int(joint) for joint in left), sorted(int(joint) for joint in right)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
