"""What a run is made of before its first step: training, source and validation poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from selflift.config import NormaliseConfig, TrainConfig
from selflift.data.pose_set import PoseSet
from selflift.data.rays import confidences_of, rays_of
from selflift.data.source import open_split
from selflift.data.streamed_set import PoseParts
from selflift.data.streams import NO_FRAME, next_frames, streams
from selflift.geometry.align import procrustes
from selflift.geometry.normalise import Normalised, Normaliser
from selflift.method.batches import TrainingPoses
from selflift.method.pose_storage import RowFile, Rows
from selflift.skeleton import Skeleton, get_skeleton
from selflift.train.gather_poses import Gathered, gather


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
    train, val = open_split(config.data, "train"), open_split(config.data, "val")
    if train.skeleton != val.skeleton:
        raise ValueError(
            f"data: expected one skeleton, got '{train.skeleton.name}' for training and "
            f"'{val.skeleton.name}' for validation; convert one of them"
        )
    if train.calibrated != val.calibrated:
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
    found = gather(train, config, method, truth=config.loss.w_truth > 0)
    training, source = _on_device(found, people, following, device), None
    if config.domain.share > 0:
        source = _source(config, skeleton, device, first=int(people.max()) + 1)
    return Poses(
        skeleton=skeleton,
        normaliser=found.normaliser,
        train=training,
        source=source,
        calibrated=train.calibrated,
        validation=_validation(val.select(chosen.numpy()), found.normaliser, takes, device),
    )


def _on_device(
    found: Gathered, people: Tensor, following: Tensor | None, device: torch.device
) -> TrainingPoses:
    """What batches are taken from; what lies in files stays there, and the rest with it."""
    home = found.x.device if isinstance(found.x, RowFile) else device

    def placed(values: Rows | None) -> Rows | None:
        return values.to(home) if isinstance(values, Tensor) else values

    return TrainingPoses(
        x=found.x if isinstance(found.x, RowFile) else found.x.to(home),
        confidence=placed(found.confidence),
        following=None if following is None else following.to(home),
        truth=placed(found.truth),
        person=people.to(home),
    )


def _following(poses: PoseParts, config: TrainConfig) -> Tensor:
    """Which pose is the next frame of each."""
    after = next_frames(poses.recorded(), config.temporal.min_frames, config.temporal.max_frames)
    if not (after != NO_FRAME).any():
        raise ValueError(
            "temporal: expected pairs of frames of one clip and camera that are "
            f"{config.temporal.min_frames} to {config.temporal.max_frames} frames apart, got "
            f"none in {len(poses)} training poses; widen temporal.max_frames or set "
            "loss.w_temporal=0"
        )
    return torch.from_numpy(after)


def _people(poses: PoseParts, per: str, first: int = 0) -> Tensor:
    """Whose bones each pose shows: a subject's, or its stream's (a clip through one camera)."""
    recorded = poses.recorded()
    if per == "person":
        index = recorded.subject.index.astype(np.int64)
    else:
        index = streams(recorded, np.arange(len(poses)))
    return torch.from_numpy((first + index).astype(np.int32))


def source_centre(calibrated: bool, normalise: NormaliseConfig) -> str:
    """How the source domain's poses are centred.

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
        poses = open_split(config.domain.data, "train")
        if poses.skeleton != skeleton:
            raise ValueError(
                f"expected the skeleton of the target, '{skeleton.name}', got "
                f"'{poses.skeleton.name}'; convert it: python -m selflift.prepare "
                f"skeleton={skeleton.name}"
            )
        found = gather(poses, config, source_centre(poses.calibrated, config.normalise))
    except ValueError as error:
        raise ValueError(f"domain.data: {error}") from error
    if len(poses) < 2:
        raise ValueError(f"domain.data: expected at least 2 source poses, got {len(poses)}")
    return _on_device(found, _people(poses, config.bones.per, first), None, device)


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
