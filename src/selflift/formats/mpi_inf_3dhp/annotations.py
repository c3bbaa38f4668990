"""Annotations of MPI-INF-3DHP: published tables, the way to 17 joints, and the checks of poses.

The joints come in Human3.6M's order. Its Nose becomes MPI-INF-3DHP's head and its Head the top of
the head; some public code exchanges these two (:data:`HEAD_ORDERS`), which matters as soon as one
trains on one data set and evaluates on the other.

Sources: the data set's README, ``mpii_get_sequence_info.m`` (rates and lengths of the training
videos) and ``mpii_get_joint_set.m``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from selflift.config import MPIInf3DHPOptions
from selflift.data.recording import Report, Take
from selflift.files.untrusted import ImportFileError
from selflift.geometry.bodies import skeleton_height
from selflift.skeleton import H36M_17, Skeleton, convert

# Keys of the 3D that a pose set is to carry, by the option `annotation`.
ANNOTATIONS = {"universal": "univ_annot3", "metric": "annot3"}
HEAD_ORDERS = {
    "natural": "Nose (9) is the head, Head (10) the head top",
    "swapped": "Nose (9) is the head top, Head (10) the head",
}
_HEADS = (H36M_17.index("Nose"), H36M_17.index("Head"))

PLAUSIBLE_HEIGHT_MM = (500.0, 3000.0)
HEIGHT_SAMPLES = 1000
# No coordinate of a person in a room, in pixels or millimetres, is as large: the file is corrupt.
MAX_COORDINATE = 1e6
MIN_DEPTH_MM = 1.0
# Reasons for which frames are left out, as reports have them.
NOT_ANNOTATED = "a joint is not annotated (NaN, at the origin, or absurdly far)"
BEHIND = "a joint is behind the camera"
# Beyond it, the 3D poses clearly lie off the rays of the 2D poses.
OFF_RAYS_PX = 5.0


class Video(NamedTuple):
    """A training sequence as published: frame rate, and frames of each camera's video."""

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

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], layout: Skeleton) -> Annotated:
        """Convert arrays ``(F, J, D)`` of one of the data set's layouts, by their keys."""
        joints = {
            key: convert(array, layout, H36M_17).positions.astype(np.float64, copy=False)
            for key, array in arrays.items()
        }
        return cls(joints["annot2"], joints["annot3"], joints.get("univ_annot3"))

    @property
    def poses_3d(self) -> np.ndarray:
        """The 3D that was asked for, ``(F, 17, 3)``."""
        return self.metric if self.universal is None else self.universal

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: np.ndarray) -> Annotated:
        universal = None if self.universal is None else self.universal[rows]
        return Annotated(self.pixels[rows], self.metric[rows], universal)

    def usable(self) -> np.ndarray:
        """Frames that are whole and in front of the camera, ``(F,)`` bool."""
        return self._whole() & self._in_front()

    def keep(self, wanted: np.ndarray, reason: str, report: Report) -> np.ndarray:
        """The wanted frames that are usable, ``(F,)`` bool; the others are counted.

        Args:
            wanted: ``(F,)`` bool.
            reason: Reason for which the others are not.
            report: Counts them.
        """
        whole, in_front = self._whole(), self._in_front()
        report.drop(reason, int((~wanted).sum()))
        report.drop(NOT_ANNOTATED, int((wanted & ~whole).sum()))
        report.drop(BEHIND, int((wanted & whole & ~in_front).sum()))
        return wanted & whole & in_front

    def check_bodies(self, path: Path) -> None:
        """Raise :class:`ImportFileError` unless bodies are as tall as people, in millimetres."""
        for key, poses in (("annot3", self.metric), ("univ_annot3", self.universal)):
            if poses is None:
                continue
            some = torch.from_numpy(poses[:: max(1, len(poses) // HEIGHT_SAMPLES)])
            height = float(np.median(skeleton_height(some, H36M_17).numpy()))
            low, high = PLAUSIBLE_HEIGHT_MM
            if not low <= height <= high:
                raise ImportFileError(
                    f"'{path}': {key}: expected millimetres, bodies of {low:.0f} to {high:.0f} mm "
                    f"from ankles to head, got {height:.4g}; convert the unit"
                )

    def take(self, head_order: str, **rest: Any) -> Take:
        """A take of all frames; ``rest`` are its other attributes."""

        def ordered(positions: np.ndarray) -> np.ndarray:
            out = positions.astype(np.float32)
            if head_order == "swapped":
                out[:, _HEADS] = positions[:, _HEADS[::-1]]
            return out

        return Take(poses_2d=ordered(self.pixels), poses_3d=ordered(self.poses_3d), **rest)

    def _whole(self) -> np.ndarray:
        complete: np.ndarray = np.ones(len(self), bool)
        for positions in (self.pixels, self.metric, self.poses_3d):
            there = (np.abs(positions) < MAX_COORDINATE).all(-1) & (positions != 0).any(-1)
            complete &= there.all(-1)
        return complete

    def _in_front(self) -> np.ndarray:
        depths = np.minimum(self.metric[..., 2], self.poses_3d[..., 2])
        return np.asarray((depths >= MIN_DEPTH_MM).all(-1))


def keys_of(options: MPIInf3DHPOptions) -> list[str]:
    """The variables of poses to read."""
    return ["annot2", "annot3", *["univ_annot3"] * (options.annotation == "universal")]


def check_options(options: MPIInf3DHPOptions) -> dict[str, str]:
    """Check the options of both halves; returns what a summary reports of them.

    Raises:
        ImportFileError: If one is none of its values.
    """
    known: dict[str, Collection[str]] = {"annotation": ANNOTATIONS, "head_order": HEAD_ORDERS}
    for name, values in known.items():
        if (value := getattr(options, name)) not in values:
            raise ImportFileError(
                f"mpi_inf_3dhp.{name}: expected one of {', '.join(values)}, got '{value}'"
            )
    return {
        "3D": f"{ANNOTATIONS[options.annotation]} ({options.annotation})",
        "2D": "annot2",
        "head order": f"{options.head_order}: {HEAD_ORDERS[options.head_order]}",
    }


def chosen_subjects(wanted: Sequence[str], have: Sequence[str], path: Path) -> list[str]:
    """The subjects to read, in the published order.

    Args:
        wanted: Those of the options; all that are there, if empty.
        have: Those that are there, in order; at least one.
        path: The folder, for the message.

    Raises:
        ImportFileError: If one that is wanted isn't there.
    """
    if missing := [subject for subject in wanted if subject not in have]:
        raise ImportFileError(
            f"'{path}': expected the subjects of mpi_inf_3dhp.subjects, got {', '.join(have)}; "
            f"missing: {', '.join(missing)}"
        )
    return [subject for subject in have if not wanted or subject in wanted]


def note_rays(offsets: dict[str, float], report: Report) -> None:
    """Note how far poses whose scale was changed lie from the rays of their 2D.

    Args:
        offsets: Take to the median distance in pixels between its projected 3D and its 2D.
        report: Gets the note, if there is such a take.
    """
    if not offsets:
        return
    worst = max(offsets, key=offsets.__getitem__)
    line = (
        f"univ_annot3, projected, lies {np.median(list(offsets.values())):.1f} px from annot2 "
        f"(median; at most {offsets[worst]:.1f} px, in {worst})"
    )
    if offsets[worst] > OFF_RAYS_PX:
        line += (
            ": THE 3D POSES ARE OFF THE RAYS OF THE 2D POSES, as the data set's README says; "
            "compare them relative to the root, or use mpi_inf_3dhp.annotation=metric where 2D and "
            "3D have to agree"
        )
    report.note(line)
