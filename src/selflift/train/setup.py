"""What a run is made of before its first step: training, source and validation poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selflift.config import NormaliseConfig, TrainConfig
from selflift.data.poses import PoseSet
from selflift.data.rays import confidences_of, rays_of
from selflift.data.source import load_split
from selflift.data.streams import NO_FRAME, next_frames, streams
from selflift.geometry.align import procrustes
from selflift.geometry.camera import backproject, project
from selflift.geometry.normalise import Normalised, Normaliser
from selflift.skeleton import Skeleton, get_skeleton
from selflift.train.batches import TrainingPoses


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
        """How many people, or recordings if that is all one can tell, target and source have."""
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
    train, val = load_split(config.data, "train"), load_split(config.data, "val")
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
    rays = rays_of(train, method)
    normaliser = Normaliser.fit(
        rays, skeleton, config.model.lifter.depth, method, config.normalise.scale
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
    training, source = _training(train, rays, normaliser, config, device), None
    if config.domain.share > 0:
        assert training.person is not None
        source = _source(config, skeleton, device, first=int(training.person.max()) + 1)
    return Poses(
        skeleton=skeleton,
        normaliser=normaliser,
        train=training,
        source=source,
        calibrated=train.cameras is not None,
        validation=_validation(val.select(chosen.numpy()), normaliser, takes, device),
    )


def _training(
    poses: PoseSet, rays: Tensor, normaliser: Normaliser, config: TrainConfig, device: torch.device
) -> TrainingPoses:
    seen = normaliser.apply(rays, poses.skeleton)
    confidence = confidences_of(poses, config.model.lifter.confidences)
    following, truth = None, None
    if config.loss.w_temporal > 0:
        after = next_frames(poses, config.temporal.min_frames, config.temporal.max_frames)
        if not (after != NO_FRAME).any():
            raise ValueError(
                "temporal: expected pairs of frames of one clip and camera that are "
                f"{config.temporal.min_frames} to {config.temporal.max_frames} frames apart, got "
                f"none in {len(poses)} training poses; widen temporal.max_frames or set "
                "loss.w_temporal=0"
            )
        following = torch.from_numpy(after).to(device)
    if config.loss.w_truth > 0:
        truth = true_bodies(poses, seen, config.model.lifter.depth).to(device)
    return TrainingPoses(
        x=seen.x.to(device),
        confidence=None if confidence is None else confidence.to(device),
        following=following,
        truth=truth,
        person=_people(poses, config.bones.per, device),
    )


def _people(poses: PoseSet, per: str, device: torch.device, first: int = 0) -> Tensor:
    """Whose bones each pose shows: a subject's, or its stream's (a clip through one camera)."""
    if per == "person":
        index = poses.subject.index.astype(np.int64)
    else:
        index = streams(poses, np.arange(len(poses)))
    return torch.from_numpy(first + index).to(device)


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
        raise ValueError(
            "loss.w_truth: expected training poses with 3D truth, got 2D poses alone; supervised "
            "training is a reference for data that have it; set loss.w_truth=0"
        )
    camera = torch.from_numpy(poses.poses_3d).float() @ seen.R.mT
    root = slice(poses.skeleton.root, poses.skeleton.root + 1)
    Z, Z_root = camera[..., 2], camera[:, root, 2]
    d = seen.factor[:, None] * depth * (Z - Z_root) / Z_root
    rays = project(camera)
    x = seen.factor[:, None, None] * (rays - rays[:, root])
    return backproject(x, depth + d)


def source_normaliser(poses: PoseSet, normalise: NormaliseConfig, depth: float) -> Normaliser:
    """The source domain's own normaliser.

    Args:
        poses: Its training poses. In the wild nobody knows the camera: without cameras poses are
            moved to the middle, not turned.
        normalise: How the target's poses are normalised.
        depth: ``c``.
    """
    method = normalise.centre if poses.cameras is not None else "translate"
    return Normaliser.fit(rays_of(poses, method), poses.skeleton, depth, method, normalise.scale)


def _source(
    config: TrainConfig, skeleton: Skeleton, device: torch.device, first: int
) -> TrainingPoses:
    try:
        poses = load_split(config.domain.data, "train")
        if poses.skeleton != skeleton:
            raise ValueError(
                f"expected the skeleton of the target, '{skeleton.name}', got "
                f"'{poses.skeleton.name}'; convert it: python -m selflift.prepare "
                f"skeleton={skeleton.name}"
            )
        own = source_normaliser(poses, config.normalise, config.model.lifter.depth)
        confidence = confidences_of(poses, config.model.lifter.confidences)
        x = own.apply(rays_of(poses, own.centre), skeleton).x
    except ValueError as error:
        raise ValueError(f"domain.data: {error}") from error
    if len(poses) < 2:
        raise ValueError(f"domain.data: expected at least 2 source poses, got {len(poses)}")
    return TrainingPoses(
        x=x.to(device),
        confidence=None if confidence is None else confidence.to(device),
        person=_people(poses, config.bones.per, device, first),
    )


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
