"""What a run is made of before its first step: checks, device, training and validation poses."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass

import torch
from torch import Tensor

from selflift import losses
from selflift.config import TrainConfig
from selflift.data.poses import PoseSet
from selflift.data.rays import rays_of
from selflift.data.source import load_split
from selflift.geometry.align import procrustes
from selflift.geometry.normalise import Normalised, Normaliser
from selflift.skeleton import Skeleton, get_skeleton
from selflift.train.step import learning_rate_factor

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
        subject: Which subject each shows, ``(N,)``.
        truth: Root-centred 3D in mm on the CPU, or ``None``; for the record, never for a choice.
    """

    normalised: Normalised
    subject: Tensor
    truth: Tensor | None


@dataclass(frozen=True)
class Poses:
    """The data of a run.

    Attributes:
        skeleton: The layout of both sets.
        normaliser: Fitted to the training poses.
        x: Normalised training poses, ``(N, J, 2)``, on the device.
        calibrated: Whether they come from cameras with intrinsics, or from bare pixels.
        validation: The validation poses.
    """

    skeleton: Skeleton
    normaliser: Normaliser
    x: Tensor
    calibrated: bool
    validation: ValidationPoses


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
    return Poses(
        skeleton=skeleton,
        normaliser=normaliser,
        x=normaliser.apply(rays, skeleton).x.to(device),
        calibrated=train.cameras is not None,
        validation=_validation(val.select(chosen.numpy()), normaliser, device),
    )


def _validation(val: PoseSet, normaliser: Normaliser, device: torch.device) -> ValidationPoses:
    seen = normaliser.apply(rays_of(val, normaliser.centre), val.skeleton)
    truth = None
    if val.poses_3d is not None:
        X = torch.from_numpy(val.poses_3d).float()
        truth = X - X[:, val.skeleton.root : val.skeleton.root + 1]
        try:
            procrustes(truth, truth)
        except ValueError as error:
            raise ValueError(f"poses_3d of the validation split: {error}") from error
    return ValidationPoses(
        Normalised(seen.x.to(device), seen.R.to(device), seen.factor.to(device)),
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
    weights = (config.loss.w_2d, config.loss.w_3d, config.loss.w_bone, config.loss.w_adv)
    if not any(weights):
        raise ValueError("loss: expected at least one weight above 0, got none; set w_adv")
    learning_rate_factor(0, config.trainer.steps, config.optim)
