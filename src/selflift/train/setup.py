"""What a run is made of before its first step: checks, device, training and validation poses."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selflift import losses
from selflift.config import TrainConfig
from selflift.data.poses import PoseSet
from selflift.data.rays import confidences_of, rays_of
from selflift.data.source import load_split
from selflift.data.streams import NO_FRAME, next_frames, streams
from selflift.geometry.align import procrustes
from selflift.geometry.normalise import Normalised, Normaliser
from selflift.skeleton import Skeleton, get_skeleton
from selflift.train.batches import TrainingPoses
from selflift.train.step import learning_rate_factor

ADAPTERS = ("none", "first", "joint")

# Lowest and highest value that a number of the config may have, both included.
RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**63 - 1),
    "model.lifter.width": (1, math.inf),
    "model.lifter.num_blocks": (0, math.inf),
    "model.lifter.dropout": (0, 0.99),
    "model.lifter.min_depth": (1e-3, math.inf),
    "model.lifter.max_elevation_deg": (1, 90),
    "model.discriminator.width": (1, math.inf),
    "model.discriminator.num_blocks": (0, math.inf),
    "model.discriminator.dropout": (0, 0.99),
    "model.temporal_discriminator.width": (1, math.inf),
    "model.temporal_discriminator.num_blocks": (0, math.inf),
    "model.temporal_discriminator.dropout": (0, 0.99),
    "model.adapter.width": (1, math.inf),
    "model.adapter.num_blocks": (0, math.inf),
    "model.adapter.dropout": (0, 0.99),
    "model.domain_discriminator.width": (1, math.inf),
    "model.domain_discriminator.num_blocks": (0, math.inf),
    "model.domain_discriminator.dropout": (0, 0.99),
    "temporal.min_frames": (1, 10_000),
    "temporal.max_frames": (1, 10_000),
    "composite.legs": (0, 1),
    "composite.arms": (0, 1),
    "composite.constant_bones": (0, 1),
    "composite.bone_std": (0, 1),
    "composite.jitter": (0, 1),
    "composite.warmup": (0, math.inf),
    "domain.share": (0, 16),
    "domain.steps": (0, math.inf),
    "domain.w_correction": (0, math.inf),
    "domain.lr": (0, math.inf),
    "view.azimuth_range_deg": (0, 180),
    "view.elevation_range_deg": (0, 90),
    "view.elevation_mean_deg": (-90, 90),
    "view.elevation_std_deg": (0, 90),
    "sign.first_step": (1, math.inf),
    "sign.every": (1, math.inf),
    "sign.margin": (0, 1),
    "loss.w_2d": (0, math.inf),
    "loss.w_3d": (0, math.inf),
    "loss.w_bone": (0, math.inf),
    "loss.w_adv": (0, math.inf),
    "loss.w_temporal": (0, math.inf),
    "loss.w_composite": (0, math.inf),
    "loss.w_truth": (0, math.inf),
    "loss.r1": (0, math.inf),
    "loss.gradient_penalty": (0, math.inf),
    "optim.lr": (0, math.inf),
    "optim.lr_discriminator": (0, math.inf),
    "optim.beta1": (0, 0.9999),
    "optim.beta2": (0, 0.999999),
    "optim.decay": (0, 1),
    "optim.decay_every": (1, math.inf),
    "optim.warmup": (0, math.inf),
    "optim.discriminator_every": (1, math.inf),
    "optim.ema": (0, 0.999999),
    "trainer.steps": (1, math.inf),
    "trainer.batch_size": (2, math.inf),
    "trainer.log_every": (1, math.inf),
    "trainer.validate_every": (1, math.inf),
    "trainer.validation_poses": (2, math.inf),
    "trainer.threads": (0, 4096),
    "data.rig.cameras": (1, math.inf),
    "data.rig.f_px": (1e-3, math.inf),
    "data.rig.size_px": (1, math.inf),
    "data.rig.distance_min_m": (1e-3, math.inf),
    "data.rig.distance_max_m": (1e-3, math.inf),
    "data.rig.min_depth_m": (1e-3, math.inf),
}


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
    def num_streams(self) -> int:
        """How many streams (a subject's clip through one camera) target and source have."""
        last = self.train if self.source is None else self.source
        return 0 if last.stream is None else int(last.stream.max()) + 1

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
        assert training.stream is not None
        source = _source(config, skeleton, device, first=int(training.stream.max()) + 1)
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
    following, d = None, None
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
        d = true_offsets(poses, seen, config.model.lifter.depth).to(device)
    return TrainingPoses(
        x=seen.x.to(device),
        confidence=None if confidence is None else confidence.to(device),
        following=following,
        d=d,
        stream=_streams(poses, device),
    )


def _streams(poses: PoseSet, device: torch.device, first: int = 0) -> Tensor:
    return torch.from_numpy(first + streams(poses, np.arange(len(poses)))).to(device)


def true_offsets(poses: PoseSet, seen: Normalised, depth: float) -> Float[Tensor, "N J"]:
    """The depth offsets of a lifter that knows the truth: what supervised training regresses to.

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
    Z = (torch.from_numpy(poses.poses_3d).float() @ seen.R.mT)[..., 2]
    Z_root = Z[:, poses.skeleton.root, None]
    return seen.factor[:, None] * depth * (Z - Z_root) / Z_root


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
        # In the wild nobody knows the camera: such poses are moved to the middle, not turned.
        method = config.normalise.centre if poses.cameras is not None else "translate"
        rays = rays_of(poses, method)
        confidence = confidences_of(poses, config.model.lifter.confidences)
        own = Normaliser.fit(
            rays, skeleton, config.model.lifter.depth, method, config.normalise.scale
        )
        x = own.apply(rays, skeleton).x
    except ValueError as error:
        raise ValueError(f"domain.data: {error}") from error
    if len(poses) < 2:
        raise ValueError(f"domain.data: expected at least 2 source poses, got {len(poses)}")
    return TrainingPoses(
        x=x.to(device),
        confidence=None if confidence is None else confidence.to(device),
        stream=_streams(poses, device, first),
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


def check(config: TrainConfig) -> None:
    """Refuse numbers and names that no run can be made of, before anything is loaded.

    Raises:
        ValueError: Naming the key, what is expected and what was given.
    """
    for key, (low, high) in RANGES.items():
        value = operator.attrgetter(key)(config)
        if not (low <= value <= high and math.isfinite(value)):
            limit = "at least" if high == math.inf else f"a number up to {high:g} and at least"
            raise ValueError(f"{key}: expected {limit} {low:g}, got {value}")
    depth, nearest = config.model.lifter.depth, config.model.lifter.min_depth
    if not (nearest < depth < math.inf):
        raise ValueError(
            f"model.lifter.depth: expected more than min_depth ({nearest:g}), got {depth}"
        )
    if config.loss.game not in losses.GAMES:
        raise ValueError(
            f"loss.game: expected one of {', '.join(losses.GAMES)}, got '{config.loss.game}'"
        )
    if config.loss.discriminator_size not in ("unit", "kept"):
        raise ValueError(
            "loss.discriminator_size: expected 'unit' or 'kept', got "
            f"'{config.loss.discriminator_size}'"
        )
    if config.loss.joints not in ("mean", "sum"):
        raise ValueError(f"loss.joints: expected 'mean' or 'sum', got '{config.loss.joints}'")
    loss = config.loss
    weights = (loss.w_2d, loss.w_3d, loss.w_bone, loss.w_adv, loss.w_temporal, loss.w_composite)
    if not any((*weights, loss.w_truth)):
        raise ValueError("loss: expected at least one weight above 0, got none; set w_adv")
    if config.domain.adapter not in ADAPTERS:
        raise ValueError(
            f"domain.adapter: expected one of {', '.join(ADAPTERS)}, got '{config.domain.adapter}'"
        )
    if config.temporal.max_frames < config.temporal.min_frames:
        raise ValueError(
            f"temporal.max_frames: expected at least min_frames ({config.temporal.min_frames}), "
            f"got {config.temporal.max_frames}"
        )
    learning_rate_factor(0, config.trainer.steps, config.optim)
