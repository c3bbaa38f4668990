"""The data of a run: training, source and validation poses, loaded and normalised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selflift.config import NormaliseConfig, TrainConfig
from selflift.data.pose_set import PoseSet
from selflift.data.pose_set_file import block_slices
from selflift.data.rays import (
    check_complete,
    check_roots,
    confidences_of,
    rays_of,
)
from selflift.data.source import load_split
from selflift.data.streams import NO_FRAME, next_frames, streams
from selflift.files.scratch import MAX_IN_MEMORY, make_array
from selflift.geometry.align import procrustes
from selflift.geometry.camera import backproject, project
from selflift.geometry.normalise import Normalised, Normaliser
from selflift.method.batches import TrainingPoses
from selflift.skeleton import Skeleton, get_skeleton

NO_TRUTH = (
    "loss.w_truth: expected training poses with 3D truth, got 2D poses alone; supervised "
    "training is a reference for data that have it; set loss.w_truth=0"
)


@dataclass(frozen=True)
class ValidationPoses:
    """Validation poses as the loop uses them.

    Attributes:
        normalised: The poses as the lifter sees them, on the device, in random order.
        confidence: Of their joints, ``(N, J)``, on the device; ``None`` if the lifter takes none.
        subject: Which subject each shows, ``(N,)``.
        truth: Root-centred 3D in mm on the CPU, or ``None``; for the record, never for a choice.
    """

    normalised: Normalised
    confidence: Tensor | None
    subject: Tensor
    truth: Tensor | None


@dataclass(frozen=True)
class Poses:
    """The data of a run.

    Attributes:
        skeleton: The layout of both sets.
        normaliser: Fitted to the training poses.
        train: The training poses.
        source: Poses of the source domain; ``None``: there are none.
        calibrated: Whether they come from cameras with intrinsics, or from bare pixels.
        validation: The validation poses.
    """

    skeleton: Skeleton
    normaliser: Normaliser
    train: TrainingPoses
    source: TrainingPoses | None
    calibrated: bool
    validation: ValidationPoses

    @property
    def num_people(self) -> int:
        """Number of people (or recordings, if people are not known) in target and source."""
        last = self.train if self.source is None else self.source
        return 0 if last.person is None else int(last.person.max()) + 1

    @property
    def size(self) -> float | None:
        """The size that all poses have in common, if they are normalised to one."""
        return self.normaliser.size if self.normaliser.scale == "sample" else None


def load_poses(config: TrainConfig, device: torch.device) -> Poses:
    """Load and normalise the training and validation splits.

    Raises:
        ValueError: If the data are missing or unusable.
    """
    place, supervised = storage(config), config.loss.w_truth > 0
    train = load_split(config.data, "train", truth=supervised, **place)
    val = load_split(config.data, "val", **place)
    if train.skeleton != val.skeleton:
        raise ValueError(
            f"data: expected one skeleton, got '{train.skeleton.name}' for training and "
            f"'{val.skeleton.name}' for validation; convert one of them"
        )
    if (train.cameras is None) != (val.cameras is None):
        raise ValueError(
            "data: expected cameras in both splits or in none, got them in one; their 2D poses "
            "differ by the focal length"
        )
    skeleton, method = train.skeleton, config.normalise.centre
    if skeleton != get_skeleton(skeleton.name):
        raise ValueError(
            f"data: expected the skeleton '{skeleton.name}' as selflift knows it "
            f"({get_skeleton(skeleton.name).num_joints} joints), got another of that name "
            f"({skeleton.num_joints} joints); give it a name of its own and register it"
        )
    if not skeleton.trainable:
        raise ValueError(
            f"data: expected a layout with a root to centre poses on and a head to scale them by, "
            f"got '{skeleton.name}'; convert the set, for example: python -m selflift.prepare "
            f"input=... output=... skeleton=h36m_17 (or {skeleton.name}_hip)"
        )
    for split, poses, why in (
        ("train", train, "which batch norm needs"),
        ("val", val, "which the criterion for the best checkpoint compares"),
    ):
        if len(poses) < 2:
            raise ValueError(
                f"data: expected at least 2 poses in split '{split}', {why}, got {len(poses)}"
            )
    generator = torch.Generator().manual_seed(config.seed)
    chosen = torch.randperm(len(val), generator=generator)[: config.trainer.validation_poses]
    takes = config.model.lifter.confidences
    people = _people(train, config.bones.per)
    following = _following(train, config) if config.loss.w_temporal > 0 else None
    calibrated = train.cameras is not None
    normaliser, training = normalise(train, config, method, device, supervised)
    # The pixels are needed no more; a large set frees its memory or its scratch file.
    del train
    home, source = training.x.device, None
    training = replace(
        training,
        person=people.to(home),
        following=None if following is None else following.to(home),
    )
    if config.domain.share > 0:
        source = _source(config, skeleton, device, first=int(people.max()) + 1)
    return Poses(
        skeleton=skeleton,
        normaliser=normaliser,
        train=training,
        source=source,
        calibrated=calibrated,
        validation=_validation(val.select(chosen.numpy()), normaliser, takes, device),
    )


def storage(config: TrainConfig) -> dict[str, Any]:
    """Decide where poses lie: in memory, or in scratch files on the disk of the run."""
    asked = config.trainer.poses_on_disk
    if asked is False:
        return {}
    return {"scratch": Path(config.output_dir), "above": 0 if asked else MAX_IN_MEMORY}


def normalise(
    poses: PoseSet, config: TrainConfig, centre: str, device: torch.device, truth: bool = False
) -> tuple[Normaliser, TrainingPoses]:
    """Normalise a split, block by block.

    Args:
        poses: The split.
        config: The run's config.
        centre: Method of centring poses.
        device: Device for poses that lie in memory; mapped ones stay on the host.
        truth: Prepare true bodies, too.

    Returns:
        The normaliser that is fitted to the poses, and these.

    Raises:
        ValueError: If poses are unusable, or the set has no 3D truth though that is asked for.
        OSError: If poses are to lie in a file and the disk has no room for it.
    """
    if truth and poses.poses_3d is None:
        raise ValueError(NO_TRUTH)
    takes, skeleton, n = config.model.lifter.confidences, poses.skeleton, len(poses)
    joints, depth = skeleton.num_joints, config.model.lifter.depth
    check_roots(poses)
    if not takes:
        check_complete(poses)
    place = storage(config)

    def room(*shape: int) -> np.ndarray:
        folder, above = place.get("scratch"), place.get("above", MAX_IN_MEMORY)
        return make_array((n, *shape), np.float32, folder, above)

    array = room(joints, 2)
    x = torch.from_numpy(array)
    known = takes and poses.confidence is not None
    confidence = torch.from_numpy(room(joints)) if known else None
    bodies = torch.from_numpy(room(joints, 3)) if truth else None
    for rows, block in poses.blocks():
        x[rows] = rays_of(block, centre)
        if confidence is not None:
            found = confidences_of(block, takes)
            assert found is not None
            confidence[rows] = found
    blocks = block_slices(n)
    normaliser = Normaliser.fit_parts(
        (x[rows] for rows in blocks), n, skeleton, depth, centre, config.normalise.scale
    )
    for rows in blocks:
        seen = normaliser.apply(x[rows], skeleton)
        if bodies is not None:
            bodies[rows] = true_bodies(poses.select(rows), seen, depth)
        x[rows] = seen.x
    if takes and confidence is None:
        confidence = torch.ones(1, 1).expand(n, joints)
    home = x.device if isinstance(array, np.memmap) else device
    placed = [None if values is None else values.to(home) for values in (confidence, bodies)]
    return normaliser, TrainingPoses(x.to(home), placed[0], truth=placed[1])


def true_bodies(poses: PoseSet, seen: Normalised, depth: float) -> Float[Tensor, "N J 3"]:
    """Bodies that a lifter that knows the truth answers: the target of supervised training.

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
    root = poses.skeleton.root
    camera = torch.from_numpy(poses.poses_3d).float() @ seen.R.mT
    at_root = slice(root, root + 1)
    Z, Z_root = camera[..., 2], camera[:, at_root, 2]
    d = seen.factor[:, None] * depth * (Z - Z_root) / Z_root
    rays = project(camera)
    x = seen.factor[:, None, None] * (rays - rays[:, at_root])
    return backproject(x, depth + d)


def _following(poses: PoseSet, config: TrainConfig) -> Tensor:
    """Find the next frame of each pose."""
    after = next_frames(poses, config.temporal.min_frames, config.temporal.max_frames)
    if not (after != NO_FRAME).any():
        raise ValueError(
            "temporal: expected pairs of frames of one clip and camera that are "
            f"{config.temporal.min_frames} to {config.temporal.max_frames} frames apart, got "
            f"none in {len(poses)} training poses; widen temporal.max_frames or set "
            "loss.w_temporal=0"
        )
    return torch.from_numpy(after)


def _people(poses: PoseSet, per: str, first: int = 0) -> Tensor:
    """Number the people of poses: by subject, or by stream (a clip through one camera)."""
    if per == "person":
        index = poses.subject.index.astype(np.int64)
    else:
        index = streams(poses, np.arange(len(poses)))
    return torch.from_numpy((first + index).astype(np.int32))


def source_centre(calibrated: bool, normalise: NormaliseConfig) -> str:
    """Choose the centring of the source domain's poses.

    In the wild nobody knows the camera: without one, poses are moved to the middle, not turned.
    """
    return normalise.centre if calibrated else "translate"


def source_normaliser(poses: PoseSet, normalise: NormaliseConfig, depth: float) -> Normaliser:
    """The source domain's own normaliser.

    Args:
        poses: Its training poses.
        normalise: How the target's poses are normalised.
        depth: ``c``.
    """
    method = source_centre(poses.cameras is not None, normalise)
    return Normaliser.fit(rays_of(poses, method), poses.skeleton, depth, method, normalise.scale)


def _source(
    config: TrainConfig, skeleton: Skeleton, device: torch.device, first: int
) -> TrainingPoses:
    try:
        poses = load_split(config.domain.data, "train", truth=False, **storage(config))
        if poses.skeleton != skeleton:
            raise ValueError(
                f"expected the skeleton of the target, '{skeleton.name}', got "
                f"'{poses.skeleton.name}'; convert it: python -m selflift.prepare "
                f"skeleton={skeleton.name}"
            )
        centre = source_centre(poses.cameras is not None, config.normalise)
        _, found = normalise(poses, config, centre, device)
    except ValueError as error:
        raise ValueError(f"domain.data: {error}") from error
    if len(poses) < 2:
        raise ValueError(f"domain.data: expected at least 2 source poses, got {len(poses)}")
    return replace(found, person=_people(poses, config.bones.per, first).to(found.x.device))


def _validation(
    val: PoseSet, normaliser: Normaliser, takes: bool, device: torch.device
) -> ValidationPoses:
    seen = normaliser.apply(rays_of(val, normaliser.centre), val.skeleton)
    confidence = confidences_of(val, takes)
    truth = None
    if val.poses_3d is not None:
        X = torch.from_numpy(val.poses_3d).float()
        truth = X - X[:, val.skeleton.root : val.skeleton.root + 1]
        try:
            procrustes(truth, truth)
        except ValueError as error:
            raise ValueError(f"poses_3d of the validation split: {error}") from error
    return ValidationPoses(
        Normalised(*(t.to(device) for t in (seen.x, seen.R, seen.factor, seen.present))),
        None if confidence is None else confidence.to(device),
        torch.from_numpy(val.subject.index).long().to(device),
        truth,
    )
