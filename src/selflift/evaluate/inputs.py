"""Inputs of an evaluation: the poses, and checks that they suit the checkpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from selflift.config import DataConfig, EvalConfig, from_plain
from selflift.data.pose_set import PoseSet
from selflift.data.source import load_split
from selflift.evaluate.published import GROUND_TRUTH, NOT_STATED
from selflift.lift import Model


@dataclass(frozen=True)
class Origin:
    """Source of the poses.

    Attributes:
        words: In words.
        keypoints: ``"GT"`` for 2D that was projected from the truth, ``"not stated"`` for a file's.
    """

    words: str
    keypoints: str


def load_poses(config: EvalConfig, model: Model) -> tuple[PoseSet, Origin]:
    """Load the poses to evaluate on.

    Raises:
        ValueError: If the data are missing, or subjects are named that would not be chosen.
    """
    if config.poses is not None:
        _check_subjects(config, f"poses={config.poses}")
        return PoseSet.load(config.poses), Origin(config.poses, NOT_STATED)
    data = resolve_data(config, model.metadata)
    if data.source != "files":
        _check_subjects(config, f"data.source={data.source}")
    place = "" if data.source == "synthetic" else f" in {data.root}"
    words = f"{config.split} split of source '{data.source}'{place}"
    exact = data.source != "files" and data.noise.kind == "none"
    if data.noise.kind != "none":
        words += f", its 2D with noise of kind '{data.noise.kind}'"
    return load_split(data, config.split), Origin(words, GROUND_TRUTH if exact else NOT_STATED)


def _check_subjects(config: EvalConfig, got: str) -> None:
    if config.data.subjects:
        raise ValueError(
            f"data.subjects: expected data.source=files, whose one file holds all subjects, got "
            f"{got}; leave data.subjects out, or name the file by data.root and data.name"
        )


def check_like_training(model: Model, poses: PoseSet) -> None:
    """Raise for poses whose unit is not that of the model's training.

    Raises:
        ValueError: If one has cameras and the other has not, and one scale is meant to serve both.
    """
    calibrated = model.metadata.get("calibrated", True)
    if model.normaliser.scale == "set" and calibrated != (poses.cameras is not None):
        raise ValueError(
            f"poses: expected {'cameras' if calibrated else 'no cameras'}, as in training with "
            "normalise.scale=set, got the opposite; one factor can't serve pixels and rays"
        )


def resolve_data(config: EvalConfig, metadata: Mapping[str, Any]) -> DataConfig:
    """Resolve the data: those of the checkpoint's training, unless the config differs.

    Args:
        config: Each entry of ``config.data`` that is not ``None`` replaces the checkpoint's; the
            environment variable ``SELFLIFT_DATA`` replaces a folder that isn't there.
        metadata: The checkpoint's.

    Raises:
        ValueError: If the checkpoint's data config is missing or not of this version's shape.
    """
    try:
        plain = metadata["config"]["data"]
    except (KeyError, TypeError) as error:
        raise ValueError(
            "checkpoint: expected the data of its training in metadata.config.data, got a file "
            "without it; use the file as training wrote it"
        ) from error
    given = {key: value for key, value in asdict(config.data).items() if value is not None}
    data = from_plain(DataConfig, plain, "data")
    here = os.environ.get("SELFLIFT_DATA")
    # A checkpoint from another machine names a folder that is not on this one.
    if "root" not in given and here and not Path(data.root).is_dir():
        given["root"] = here
    if "noise" in given:
        given["noise"] = replace(data.noise, kind=given["noise"])
    if "subjects" in given:
        given["subjects"] = replace(data.subjects, **{config.split: given["subjects"]})
    return replace(data, **given)
