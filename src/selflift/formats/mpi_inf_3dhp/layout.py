"""What both halves of MPI-INF-3DHP share: published tables, and the way to 17 joints.

The joints come in Human3.6M's order. Its Nose becomes MPI-INF-3DHP's head and its Head the top of
the head; some public code exchanges these two (:data:`HEAD_ORDERS`), which matters as soon as one
trains on one data set and evaluates on the other.

Sources: the data set's README, ``mpii_get_sequence_info.m`` (rates and lengths of the training
videos) and ``mpii_get_joint_set.m``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from selflift.files.untrusted import ImportFileError
from selflift.geometry.bodies import skeleton_height
from selflift.skeleton import H36M_17, Skeleton, convert

# Keys of the 3D that a pose set is to carry, by the option `annotation`.
ANNOTATIONS = {"universal": "univ_annot3", "metric": "annot3"}
HEAD_ORDERS = ("natural", "swapped")
_HEADS = (H36M_17.index("Nose"), H36M_17.index("Head"))

PLAUSIBLE_HEIGHT_MM = (500.0, 3000.0)
HEIGHT_SAMPLES = 1000
# No coordinate of a person in a room, in pixels or millimetres, is as large: the file is damaged.
MAX_COORDINATE = 1e6
MIN_DEPTH_MM = 1.0
# Why frames are left out, as reports have it.
NOT_ANNOTATED = "a joint is not annotated (NaN, at the origin, or absurdly far)"
BEHIND = "a joint is behind the camera"
# Beyond it, the 3D poses clearly lie off the rays of the 2D poses.
OFF_RAYS_PX = 5.0


class Video(NamedTuple):
    """A training sequence as published: frames per second, and frames of each camera's video."""

    fps: float
    frames: int


VIDEOS = {
    ("S1", 1): Video(25, 6416), ("S1", 2): Video(50, 12430),
    ("S2", 1): Video(25, 6502), ("S2", 2): Video(25, 6081),
    ("S3", 1): Video(50, 12488), ("S3", 2): Video(50, 12283),
    ("S4", 1): Video(25, 6171), ("S4", 2): Video(25, 6675),
    ("S5", 1): Video(50, 12820), ("S5", 2): Video(50, 12312),
    ("S6", 1): Video(25, 6188), ("S6", 2): Video(25, 6145),
    ("S7", 1): Video(25, 6239), ("S7", 2): Video(25, 6320),
    ("S8", 1): Video(25, 6468), ("S8", 2): Video(25, 6054),
}  # fmt: skip
TRAIN_SUBJECTS = tuple(dict.fromkeys(subject for subject, _ in VIDEOS))
SEQUENCES = (1, 2)
CAMERAS = 14
TRAIN_SIZE_PX = (2048, 2048)


class Scene(NamedTuple):
    """A test sequence as published: width and height of its images, and how many frames count."""

    size_px: tuple[int, int]
    valid: int


TEST_SEQUENCES = {
    "TS1": Scene((2048, 2048), 603),
    "TS2": Scene((2048, 2048), 540),
    "TS3": Scene((2048, 2048), 505),
    "TS4": Scene((2048, 2048), 553),
    "TS5": Scene((1920, 1080), 276),
    "TS6": Scene((1920, 1080), 452),
}
ACTIVITIES = (
    "Stand/Walk", "Exercise", "Sit on Chair", "Crouch/Reach", "On the Floor", "Sports", "Misc",
)  # fmt: skip


@dataclass(frozen=True)
class Annotated:
    """The annotations of one camera in 17 joints, float64.

    Attributes:
        pixels: ``(F, 17, 2)``, from ``annot2``.
        metric: ``(F, 17, 3)``, camera frame, mm, from ``annot3``: it projects to ``pixels``.
        universal: ``(F, 17, 3)``, from ``univ_annot3``; ``None`` where it isn't asked for.
    """

    pixels: np.ndarray
    metric: np.ndarray
    universal: np.ndarray | None

    @property
    def poses_3d(self) -> np.ndarray:
        """The 3D that was asked for, ``(F, 17, 3)``."""
        return self.metric if self.universal is None else self.universal

    def __getitem__(self, rows: np.ndarray | slice) -> Annotated:
        universal = None if self.universal is None else self.universal[rows]
        return Annotated(self.pixels[rows], self.metric[rows], universal)

    def whole(self) -> np.ndarray:
        """Frames in which every joint is at a finite, sane place off the origin, ``(F,)`` bool."""
        complete: np.ndarray = np.ones(len(self.pixels), bool)
        for positions in (self.pixels, self.metric, self.poses_3d):
            there = (np.abs(positions) < MAX_COORDINATE).all(-1) & (positions != 0).any(-1)
            complete &= there.all(-1)
        return complete

    def in_front(self) -> np.ndarray:
        """Frames in which every joint is in front of the camera, ``(F,)`` bool."""
        depths = np.minimum(self.metric[..., 2], self.poses_3d[..., 2])
        return np.asarray((depths >= MIN_DEPTH_MM).all(-1))


def to_h36m(positions: np.ndarray, layout: Skeleton) -> np.ndarray:
    """Annotated joints in Human3.6M's order, ``(F, J, D)`` to ``(F, 17, D)`` float64.

    Args:
        positions: Joints of one of MPI-INF-3DHP's layouts.
        layout: Which one.
    """
    return convert(positions, layout, H36M_17).positions.astype(np.float64, copy=False)


def head_ordered(positions: np.ndarray, head_order: str) -> np.ndarray:
    """Poses as they are handed over, ``(F, 17, D)`` float32.

    Args:
        positions: ``(F, 17, D)`` of :func:`to_h36m`.
        head_order: One of :data:`HEAD_ORDERS`; ``"swapped"`` exchanges Nose (9) and Head (10).
    """
    out = positions.astype(np.float32)
    if head_order == "swapped":
        out[:, _HEADS] = positions[:, _HEADS[::-1]]
    return out


def check_bodies(path: Path, key: str, poses: np.ndarray) -> None:
    """See that bodies are as tall as people, if lengths are millimetres.

    Args:
        path: The file, for the message.
        key: The variable, for the message.
        poses: ``(F, 17, 3)``, at least one frame.

    Raises:
        ImportFileError: If they are not.
    """
    some = poses[:: max(1, len(poses) // HEIGHT_SAMPLES)]
    height = float(np.median(skeleton_height(torch.from_numpy(some), H36M_17).numpy()))
    low, high = PLAUSIBLE_HEIGHT_MM
    if not low <= height <= high:
        raise ImportFileError(
            f"'{path}': {key}: expected millimetres, bodies of {low:.0f} to {high:.0f} mm from "
            f"ankles to head, got {height:.4g}; convert the unit"
        )


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """See that an option is one of its values.

    Raises:
        ImportFileError: If it is not.
    """
    if value not in known:
        raise ImportFileError(
            f"mpi_inf_3dhp.{name}: expected one of {', '.join(known)}, got '{value}'"
        )


def chosen_subjects(wanted: Sequence[str], have: Sequence[str], path: Path) -> list[str]:
    """The subjects to read, in the published order.

    Args:
        wanted: Those of the options; all that are there, if empty.
        have: Those that are there, in order; at least one.
        path: The folder, for the message.

    Raises:
        ImportFileError: If one that is wanted isn't there.
    """
    missing = [subject for subject in wanted if subject not in have]
    if missing:
        raise ImportFileError(
            f"'{path}': expected the subjects of mpi_inf_3dhp.subjects, got {', '.join(have)}; "
            f"missing: {', '.join(missing)}"
        )
    return [subject for subject in have if not wanted or subject in wanted]


def head_setting(head_order: str) -> str:
    """What a summary says of the joints 9 and 10."""
    joints = ("head", "head top") if head_order == "natural" else ("head top", "head")
    return f"{head_order}: Nose (9) is the {joints[0]}, Head (10) the {joints[1]}"


def rays_note(offsets: dict[str, float]) -> str | None:
    """What the user should know of poses whose scale was changed; ``None`` of none.

    Args:
        offsets: Take to the median distance in pixels between its projected 3D and its 2D.
    """
    if not offsets:
        return None
    worst = max(offsets, key=offsets.__getitem__)
    line = (
        f"univ_annot3, projected, lies {np.median(list(offsets.values())):.1f} px from annot2 "
        f"(median; at most {offsets[worst]:.1f} px, in {worst})"
    )
    if offsets[worst] <= OFF_RAYS_PX:
        return line
    return (
        f"{line}: THE 3D POSES ARE OFF THE RAYS OF THE 2D POSES, as the data set's README says; "
        "compare them relative to the root, or use mpi_inf_3dhp.annotation=metric where 2D and 3D "
        "have to agree"
    )
