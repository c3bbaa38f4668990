"""From a split to what batches are taken from, in memory that is the normalised poses' and no more.

Parts of the split are read, brought to the normalised plane and kept; the normaliser is measured on
what is kept, part by part; and part by part its result replaces them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.config import TrainConfig
from selflift.data.pose_set import PoseSet
from selflift.data.rays import (
    check_complete,
    check_roots,
    confidences_of,
    incomplete,
    rays_of,
    without_root,
)
from selflift.data.streamed_set import PoseParts, pieces_of
from selflift.geometry.camera import backproject, project
from selflift.geometry.normalise import Normalised, Normaliser
from selflift.method.pose_storage import FLOAT_BYTES, Rows, make_rows, on_disk

NO_TRUTH = (
    "loss.w_truth: expected training poses with 3D truth, got 2D poses alone; supervised "
    "training is a reference for data that have it; set loss.w_truth=0"
)


@dataclass(frozen=True)
class Gathered:
    """All poses of a split, normalised, on the host.

    Attributes:
        normaliser: Fitted to them.
        x: The poses, ``(N, J, 2)``.
        confidence: Of their joints, ``(N, J)``; ``None`` if the lifter takes none.
        truth: What a lifter that knows the truth answers, ``(N, J, 3)``, if that is asked for.
    """

    normaliser: Normaliser
    x: Rows
    confidence: Rows | None
    truth: Rows | None


def gather(poses: PoseParts, config: TrainConfig, centre: str, truth: bool = False) -> Gathered:
    """Read and normalise a split.

    Args:
        poses: The split.
        config: The run's config.
        centre: How poses are centred.
        truth: Whether to prepare true bodies.

    Raises:
        ValueError: If poses are unusable, or the set has no 3D truth though that is asked for.
        OSError: If poses are to lie in a file and the disk has no room for it.
    """
    if truth and not poses.has_truth:
        raise ValueError(NO_TRUTH)
    takes, skeleton, n = config.model.lifter.confidences, poses.skeleton, len(poses)
    joints, depth = skeleton.num_joints, config.model.lifter.depth
    size = n * joints * 2 * FLOAT_BYTES
    folder = None
    if on_disk(config.trainer.poses_on_disk, size):
        folder = _existing(Path(config.output_dir))
    x = make_rows((n, joints, 2), folder)
    confidence = make_rows((n, joints), folder) if takes and poses.has_confidence else None
    bodies = make_rows((n, joints, 3), folder) if truth else None
    start = rootless = lacking = 0
    for part in poses.parts(truth):
        rows = slice(start, start + len(part))
        start = rows.stop
        rootless += without_root(part)
        lacking += 0 if takes else incomplete(part)
        if rootless or lacking:
            continue
        x[rows] = rays_of(part, centre)
        if confidence is not None:
            known = confidences_of(part, takes)
            assert known is not None
            confidence[rows] = known
        if bodies is not None:
            assert part.poses_3d is not None
            bodies[rows] = torch.from_numpy(part.poses_3d)
    check_roots(rootless, n, skeleton)
    check_complete(lacking, n)

    pieces = pieces_of(n)
    normaliser = Normaliser.fit_parts(
        (x[rows] for rows in pieces), n, skeleton, depth, centre, config.normalise.scale
    )
    for rows in pieces:
        seen = normaliser.apply(x[rows], skeleton)
        if bodies is not None:
            bodies[rows] = _bodies(bodies[rows], seen, skeleton.root, depth)
        x[rows] = seen.x
    if takes and confidence is None:
        confidence = torch.ones(1, 1).expand(n, joints)
    return Gathered(normaliser, x, confidence, bodies)


def true_bodies(poses: PoseSet, seen: Normalised, depth: float) -> Float[Tensor, "N J 3"]:
    """What a lifter that knows the truth answers: what supervised training regresses to.

    Every joint is there, at its true place, also where the 2D pose lacks it or has it elsewhere.

    Args:
        poses: Poses with 3D truth.
        seen: The same poses, normalised.
        depth: ``c``.

    Raises:
        ValueError: If the set has no 3D truth.
    """
    if poses.poses_3d is None:
        raise ValueError(NO_TRUTH)
    return _bodies(torch.from_numpy(poses.poses_3d).float(), seen, poses.skeleton.root, depth)


def _bodies(X: Tensor, seen: Normalised, root: int, depth: float) -> Tensor:
    camera = X @ seen.R.mT
    at_root = slice(root, root + 1)
    Z, Z_root = camera[..., 2], camera[:, at_root, 2]
    d = seen.factor[:, None] * depth * (Z - Z_root) / Z_root
    rays = project(camera)
    x = seen.factor[:, None, None] * (rays - rays[:, at_root])
    return backproject(x, depth + d)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there: on the disk where the run will be."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())
