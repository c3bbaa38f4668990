"""What a run says of itself: in its checkpoints, and in ``metrics.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import selflift
from selflift.config import TrainConfig
from selflift.method.training_state import TrainState, lifter_arguments
from selflift.train.training_data import Poses

# What may differ when a run goes on: where it lies, what it runs on, what it tells. Another device
# or number of threads may round differently.
MAY_DIFFER = (
    "output_dir", "resume", "device", "trainer.progress", "trainer.threads",
    "trainer.poses_on_disk", "engine.anomaly", "engine.deterministic",
)  # fmt: skip


def metadata_of(
    config: TrainConfig, poses: Poses, state: TrainState, history: Sequence[dict[str, float]]
) -> dict[str, Any]:
    """The metadata of a checkpoint.

    Args:
        config: The run's config.
        poses: Its data.
        state: Where it is.
        history: The records of its validations.
    """
    return {
        "selflift": selflift.__version__,
        "step": state.step,
        "lifter": {"skeleton": poses.skeleton.name, **lifter_arguments(config)},
        "normaliser": asdict(poses.normaliser),
        "calibrated": poses.calibrated,
        "depth_sign": depth_sign_of(config, state, history),
        "config": asdict(config),
    }


def metrics_of(
    config: TrainConfig, state: TrainState, history: Sequence[dict[str, float]]
) -> dict[str, Any]:
    """The content of ``metrics.json``."""
    return {
        "step": state.step,
        "best_step": state.best_step,
        "best_criterion": state.best if math.isfinite(state.best) else None,
        "criterion": "log(bone_variation) + log(consistency_3d); uses no 3D truth",
        "depth_sign": depth_sign_of(config, state, history),
        "validation": history,
    }


def depth_sign_of(
    config: TrainConfig, state: TrainState, history: Sequence[dict[str, float]]
) -> dict[str, Any]:
    """How the depth sign was settled, and what anatomy says of it."""
    sign = config.sign
    settled_by = "anatomy"
    if not sign.check:
        settled_by = "the view sampler alone (sign.check=false)"
    elif state.step < sign.first_step:
        settled_by = f"nothing yet (anatomy is asked from step {sign.first_step} on)"
    return {
        "settled_by": settled_by,
        "turned_over_at_steps": list(state.flips),
        "knee_score": history[-1].get("knee_score") if history else None,
    }


def defining(config: dict[str, Any]) -> dict[str, Any]:
    """A run's config, as plain values, less what may differ when it goes on."""
    # As JSON, so that what was read from a file compares with what was not.
    kept: dict[str, Any] = json.loads(json.dumps(config))
    for key in MAY_DIFFER:
        *groups, name = key.split(".")
        part: Any = kept
        for group in groups:
            part = part.get(group) if isinstance(part, dict) else None
        if isinstance(part, dict):
            part.pop(name, None)
    return kept
