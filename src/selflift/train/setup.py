"""What a run is made of before its first step: checks, device, training and validation poses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from selflift import losses
from selflift.config import TrainConfig
from selflift.data.poses import PoseSet
from selflift.data.rays import rays_of
from selflift.data.source import load_split
from selflift.geometry.normalise import Normalised, Normaliser
from selflift.skeleton import Skeleton
from selflift.train.step import learning_rate_factor

AT_LEAST_ONE = (
    ("trainer.steps", lambda c: c.trainer.steps),
    ("trainer.batch_size", lambda c: c.trainer.batch_size),
    ("trainer.log_every", lambda c: c.trainer.log_every),
    ("trainer.validate_every", lambda c: c.trainer.validate_every),
    ("trainer.validation_poses", lambda c: c.trainer.validation_poses),
    ("optim.discriminator_every", lambda c: c.optim.discriminator_every),
    ("optim.decay_every", lambda c: c.optim.decay_every),
    ("sign.every", lambda c: c.sign.every),
    ("model.lifter.width", lambda c: c.model.lifter.width),
    ("model.discriminator.width", lambda c: c.model.discriminator.width),
)


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
        validation: The validation poses.
    """

    skeleton: Skeleton
    normaliser: Normaliser
    x: Tensor
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
    skeleton, method = train.skeleton, config.normalise.centre
    rays = rays_of(train, method)
    normaliser = Normaliser.fit(
        rays, skeleton, config.model.lifter.depth, method, config.normalise.scale
    )
    if len(val) < 2 or config.trainer.validation_poses < 2:
        raise ValueError(
            "validation: expected at least 2 poses, which the criterion for the best checkpoint "
            f"compares, got {min(len(val), config.trainer.validation_poses)}; add some to 'val'"
        )
    generator = torch.Generator().manual_seed(config.seed)
    chosen = torch.randperm(len(val), generator=generator)[: config.trainer.validation_poses]
    return Poses(
        skeleton=skeleton,
        normaliser=normaliser,
        x=normaliser.apply(rays, skeleton).x.to(device),
        validation=_validation(val.select(chosen.numpy()), normaliser, device),
    )


def _validation(val: PoseSet, normaliser: Normaliser, device: torch.device) -> ValidationPoses:
    seen = normaliser.apply(rays_of(val, normaliser.centre), val.skeleton)
    truth = None
    if val.poses_3d is not None:
        X = torch.from_numpy(val.poses_3d)
        truth = X - X[:, val.skeleton.root : val.skeleton.root + 1]
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
    for key, value in AT_LEAST_ONE:
        if value(config) < 1:
            raise ValueError(f"{key}: expected at least 1, got {value(config)}")
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
    for name in ("w_2d", "w_3d", "w_bone", "w_adv", "r1", "gradient_penalty"):
        if getattr(config.loss, name) < 0:
            raise ValueError(f"loss.{name}: expected 0 or more, got {getattr(config.loss, name)}")
    weights = (config.loss.w_2d, config.loss.w_3d, config.loss.w_bone, config.loss.w_adv)
    if not any(weights):
        raise ValueError("loss: expected at least one weight above 0, got none; set w_adv")
    if not 0 <= config.optim.ema < 1:
        raise ValueError(f"optim.ema: expected a decay in [0, 1), got {config.optim.ema}")
    learning_rate_factor(0, config.trainer.steps, config.optim)
