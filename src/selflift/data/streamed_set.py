"""A split that is read part by part: what a training on millions of poses is made from.

Poses come in parts of some :data:`PART` poses, each a :class:`PoseSet` of its own, with the noise
that the whole set would have got: takes are read whole where there is noise. Whose they are and
when they were taken is read for all at once, some 20 bytes a pose, by those who ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from selflift.config import NoiseConfig
from selflift.data.columns import (
    LABELS,
    PER_POSE,
    Cameras,
    Labels,
    NotFinite,
    Recorded,
    check_labels,
    check_shapes,
)
from selflift.data.noise import add_noise
from selflift.data.pose_set import PoseSet, opened, read_cameras, read_names, rows_of
from selflift.files.hdf5 import Hdf5File
from selflift.skeleton import Skeleton

# Poses per part. The last part has the rest as well: a few poses alone would be multiplied by other
# kernels than many, and rounded otherwise.
PART = 65536
OPTIONAL = ("poses_3d", "confidence")


@dataclass(frozen=True)
class PoseParts:
    """A split, of which nothing is kept in memory that takes room.

    Attributes:
        skeleton: The layout.
        count: How many poses it has.
        calibrated: Whether there are cameras.
        has_confidence: Whether joints have confidences.
        has_truth: Whether there are 3D poses.
        read: What reads the parts, with the 3D poses or without.
        recorded: What reads of which recordings they are.
    """

    skeleton: Skeleton
    count: int
    calibrated: bool
    has_confidence: bool
    has_truth: bool
    read: Callable[[bool], Iterator[PoseSet]]
    recorded: Callable[[], Recorded]

    def __len__(self) -> int:
        return self.count

    def parts(self, truth: bool = False) -> Iterator[PoseSet]:
        """The poses in order, part by part.

        Args:
            truth: Whether to read the 3D poses too.

        Raises:
            ValueError: If the file is damaged or its content inconsistent.
        """
        return self.read(truth)

    def select(self, which: np.ndarray) -> PoseSet:
        """Some of the poses, all that is known of them, by an array of their indices."""
        order = np.argsort(which, kind="stable")
        wanted, start, found = which[order], 0, []
        for part in self.parts(truth=True):
            first, last = np.searchsorted(wanted, (start, start + len(part)))
            found.append(part.select(wanted[first:last] - start))
            start += len(part)
        back = np.empty(len(which), np.int64)
        back[order] = np.arange(len(which))
        return _joined(found).select(back)


def pieces_of(count: int) -> list[slice]:
    """Where parts of a set lie: of :data:`PART` poses each, the last of up to twice as many."""
    edges = [0, *range(PART, count - PART + 1, PART), count]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def parts_of(poses: PoseSet) -> PoseParts:
    """The parts of a set that lies in memory."""

    def read(truth: bool) -> Iterator[PoseSet]:
        for rows in pieces_of(len(poses)):
            yield poses.select(np.arange(rows.start, rows.stop))

    return PoseParts(
        skeleton=poses.skeleton,
        count=len(poses),
        calibrated=poses.cameras is not None,
        has_confidence=poses.confidence is not None,
        has_truth=poses.poses_3d is not None,
        read=read,
        recorded=lambda: Recorded(poses.subject, poses.clip, poses.camera, poses.frame),
    )


def parts_of_file(
    path: str | Path, subjects: Sequence[str] | None, noise: NoiseConfig
) -> PoseParts:
    """The parts of a pose set file.

    A file in which the frames of a take lie apart is read whole where there is noise, which draws
    for a take at once.

    Args:
        path: The file, of format v1.
        subjects: Of whom poses are read; ``None``: of all.
        noise: What is done to the 2D poses.

    Raises:
        ValueError: If the file is missing, damaged, foreign or inconsistent, or a subject is not in
            it.
    """
    path = Path(path)
    with opened(path) as file:
        head = _Head.read(file)
        wanted = None if subjects is None else _numbers(rows_of(file, path, subjects))
        count = len(file["frame"]) if wanted is None else len(wanted)
        for name in LABELS:
            check_labels(name, Labels(head.names[name], file[f"{name}/index"][()]))
    pieces = pieces_of(count)
    runs = pieces
    if noise.kind != "none":
        ends = _ends_of_takes(_recorded(path, head, wanted))
        if ends is None:
            return parts_of(add_noise(PoseSet.load(path, subjects), noise))
        # The first end of a take at or beyond the end of each piece.
        cuts = np.unique(ends[np.searchsorted(ends, [piece.stop for piece in pieces])])
        runs = [slice(int(start), int(stop)) for start, stop in pairwise([0, *cuts])]

    def read(truth: bool) -> Iterator[PoseSet]:
        with opened(path) as file:
            found = _checked(file, head, wanted, runs, truth)
            if noise.kind == "none":
                yield from found
            else:
                yield from _cut_again((add_noise(part, noise) for part in found), pieces)

    return PoseParts(
        skeleton=head.skeleton,
        count=count,
        calibrated=head.cameras is not None,
        has_confidence=head.has_confidence or noise.kind != "none",
        has_truth=head.has_truth,
        read=read,
        recorded=lambda: _recorded(path, head, wanted),
    )


def _numbers(mask: np.ndarray) -> np.ndarray:
    """The rows that a mask chooses, in half of the memory where they are fewer than 4 billion."""
    return np.flatnonzero(mask).astype(np.uint32 if len(mask) < 2**32 else np.int64)


def _recorded(path: Path, head: _Head, wanted: np.ndarray | None) -> Recorded:
    with opened(path) as file:

        def column(name: str) -> np.ndarray:
            return file[name][()] if wanted is None else file[name][()][wanted]

        def labels(name: str) -> Labels:
            return Labels(head.names[name], column(f"{name}/index"))

        return Recorded(labels("subject"), labels("clip"), labels("camera"), column("frame"))


@dataclass(frozen=True)
class _Head:
    """What a file says once for all its poses."""

    skeleton: Skeleton
    names: dict[str, tuple[str, ...]]
    cameras: Cameras | None
    has_confidence: bool
    has_truth: bool

    @classmethod
    def read(cls, file: Hdf5File) -> _Head:
        skeleton = Skeleton.from_json(file.attrs["skeleton"])
        columns = [*PER_POSE, *(f"{name}/index" for name in LABELS)]
        shapes = {
            name: file[name].shape for name in columns if name in file or name not in OPTIONAL
        }
        check_shapes(shapes, skeleton)
        names = {name: read_names(file, name) for name in LABELS}
        return cls(skeleton, names, read_cameras(file), "confidence" in file, "poses_3d" in file)


def _checked(
    file: Hdf5File,
    head: _Head,
    wanted: np.ndarray | None,
    runs: Sequence[slice],
    truth: bool,
) -> Iterator[PoseSet]:
    """The parts; those with numbers that are not finite are counted, and told when all are read."""
    found: dict[str, NotFinite] = {}
    for run in runs:
        start, stop = run.start, run.stop
        columns: dict[str, Any] = {
            name: _rows(file[name], wanted, start, stop)
            for name in PER_POSE
            if name in file and (truth or name != "poses_3d")
        }
        for name in ("poses_2d", "poses_3d"):
            here = NotFinite.find(name, columns.get(name), columns.get("confidence"))
            if here is not None:
                before = found.setdefault(name, replace(here, poses=0, first=start + here.first))
                found[name] = replace(before, poses=before.poses + here.poses)
        if found:
            continue
        for name in LABELS:
            index = _rows(file[f"{name}/index"], wanted, start, stop)
            columns[name] = Labels(head.names[name], index)
        yield PoseSet(skeleton=head.skeleton, cameras=head.cameras, **columns)
    for name in ("poses_2d", "poses_3d"):
        if name in found:
            raise found[name].error(head.skeleton)


def _rows(data: h5py.Dataset, wanted: np.ndarray | None, start: int, stop: int) -> np.ndarray:
    """Rows ``start`` to ``stop`` of those that are wanted."""
    if wanted is None:
        return data[start:stop]
    chosen = wanted[start:stop]
    pieces = [data[:0]]
    # Those of few subjects may lie far apart: no more than a part of the file at once.
    while len(chosen):
        first = int(chosen[0])
        count = int(np.searchsorted(chosen, first + PART))
        block = data[first : int(chosen[count - 1]) + 1]
        pieces.append(block if len(block) == count else block[chosen[:count] - first])
        chosen = chosen[count:]
    return np.concatenate(pieces)


def _ends_of_takes(poses: Recorded) -> np.ndarray | None:
    """Where takes end; ``None`` if a take lies in several pieces."""
    camera, clip = poses.camera.index, poses.clip.index
    change = (np.diff(camera) != 0) | (np.diff(clip) != 0)
    starts = np.concatenate([[0], np.flatnonzero(change) + 1])[: len(poses)]
    key = np.stack([camera[starts], clip[starts]], axis=1)
    if len(np.unique(key, axis=0)) < len(key):
        return None
    return np.append(starts[1:], len(poses))


def _cut_again(parts: Iterator[PoseSet], pieces: Sequence[slice]) -> Iterator[PoseSet]:
    """The same poses, cut elsewhere."""
    rest: list[PoseSet] = []
    for piece in pieces:
        length = piece.stop - piece.start
        while sum(map(len, rest)) < length:
            rest.append(next(parts))
        poses = _joined(rest)
        yield poses.select(np.arange(length))
        rest = [poses.select(np.arange(length, len(poses)))]


def _joined(parts: list[PoseSet]) -> PoseSet:
    """The poses of parts of one set, one after another."""
    if len(parts) == 1:
        return parts[0]
    columns: dict[str, Any] = {}
    for name in PER_POSE:
        found = [getattr(part, name) for part in parts]
        columns[name] = None if found[0] is None else np.concatenate(found)
    for name in LABELS:
        labels: list[Labels] = [getattr(part, name) for part in parts]
        columns[name] = replace(labels[0], index=np.concatenate([own.index for own in labels]))
    return replace(parts[0], **columns)
