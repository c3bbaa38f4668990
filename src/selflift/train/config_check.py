"""Validate the training config before loading data."""

from __future__ import annotations

import math
import operator

from selflift.config import TrainConfig
from selflift.device import PRECISIONS
from selflift.method import losses
from selflift.method.training_step import learning_rate_factor

NETWORKS = ("lifter", "discriminator", "temporal_discriminator", "adapter", "domain_discriminator")
CHOICES: dict[str, tuple[str, ...]] = {
    "loss.game": tuple(losses.GAMES),
    "loss.discriminator_size": ("unit", "kept"),
    "loss.joints": ("mean", "sum"),
    "domain.adapter": ("none", "first", "joint", "bones"),
    "engine.precision": ("auto", *PRECISIONS),
    "bones.per": ("recording", "person"),
}
# Lowest and highest value of each number, both included.
RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**63 - 1),
    **{f"model.{network}.width": (1, math.inf) for network in NETWORKS},
    **{f"model.{network}.num_blocks": (0, math.inf) for network in NETWORKS},
    **{f"model.{network}.dropout": (0, 0.99) for network in NETWORKS},
    "model.lifter.min_depth": (1e-3, math.inf),
    "model.lifter.max_elevation_deg": (1, 90),
    "temporal.min_frames": (1, 10_000),
    "temporal.max_frames": (1, 10_000),
    "composite.legs": (0, 1),
    "composite.arms": (0, 1),
    "composite.bone_std": (0, 1),
    "composite.warmup": (0, math.inf),
    "bones.sharpness": (0, 100),
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


def check(config: TrainConfig) -> None:
    """Raise a ``ValueError`` that names the key if a number or a name is invalid."""
    for key, (low, high) in RANGES.items():
        value = operator.attrgetter(key)(config)
        # ``None`` leaves the choice to the run.
        if value is None:
            continue
        if not (low <= value <= high and math.isfinite(value)):
            limit = "at least" if high == math.inf else f"a number up to {high:g} and at least"
            raise ValueError(f"{key}: expected {limit} {low:g}, got {value}")
    for key, names in CHOICES.items():
        value = operator.attrgetter(key)(config)
        if value not in names:
            raise ValueError(f"{key}: expected one of {', '.join(names)}, got '{value}'")
    depth, nearest = config.model.lifter.depth, config.model.lifter.min_depth
    if not (nearest < depth < math.inf):
        raise ValueError(
            f"model.lifter.depth: expected more than min_depth ({nearest:g}), got {depth}"
        )
    loss = config.loss
    weights = (loss.w_2d, loss.w_3d, loss.w_bone, loss.w_adv, loss.w_temporal, loss.w_composite)
    if not any((*weights, loss.w_truth)):
        raise ValueError("loss: expected at least one weight above 0, got none; set w_adv")
    if config.domain.share > 0 and config.domain.adapter == "bones" and loss.w_composite == 0:
        raise ValueError(
            "domain.adapter: expected loss.w_composite above 0 with 'bones', whose poses become "
            "composites alone, got 0; choose another adapter, or set loss.w_composite"
        )
    if config.temporal.max_frames < config.temporal.min_frames:
        raise ValueError(
            f"temporal.max_frames: expected at least min_frames ({config.temporal.min_frames}), "
            f"got {config.temporal.max_frames}"
        )
    learning_rate_factor(0, config.trainer.steps, config.optim)
