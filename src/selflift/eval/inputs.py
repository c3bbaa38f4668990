"""What an evaluation is about: checkpoints, their normalisers, the poses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from selflift import checkpoint
from selflift.config import DataConfig, EvalConfig, from_plain
from selflift.data.poses import PoseSet
from selflift.data.source import load_split
from selflift.eval.published import GROUND_TRUTH, NOT_STATED
from selflift.geometry.normalise import Normaliser
from selflift.models import Lifter

Schema = TypeVar("Schema")


@dataclass(frozen=True)
class Model:
    """A checkpoint, ready to lift.

    Attributes:
        path: The file.
        lifter: The lifter.
        normaliser: What was fitted to its training set.
        metadata: The checkpoint's.
    """

    path: Path
    lifter: Lifter
    normaliser: Normaliser
    metadata: Mapping[str, Any]

    @property
    def step(self) -> int | None:
        """The training step, if the file tells."""
        return self.metadata.get("step")


def load_model(given: str, mirror_average: bool | None, device: torch.device) -> Model:
    """Read a checkpoint file or a run folder's best.

    Args:
        given: The file or folder.
        mirror_average: Whether to average each pose with its mirror image; ``None``: as trained.
        device: Where the lifter runs.

    Raises:
        ValueError: If it is missing or unusable.
    """
    path = checkpoint_path(given)
    content = checkpoint.load(path)
    lifter = Lifter.from_content(content, device)
    if mirror_average is not None:
        lifter.mirror_average = mirror_average
    return Model(path, lifter, normaliser_of(content), content.metadata)


@dataclass(frozen=True)
class Origin:
    """Where poses are from.

    Attributes:
        words: In words.
        keypoints: ``"GT"`` for 2D that was projected from the truth, ``"not stated"`` for a file's.
    """

    words: str
    keypoints: str


def load_poses(config: EvalConfig, model: Model) -> tuple[PoseSet, Origin]:
    """The poses to evaluate on, and where they are from.

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
    """Refuse poses whose unit is not that of the model's training.

    Raises:
        ValueError: If one has cameras and the other has not, and one scale is meant to serve both.
    """
    calibrated = model.metadata.get("calibrated", True)
    if model.normaliser.scale == "set" and calibrated != (poses.cameras is not None):
        raise ValueError(
            f"poses: expected {'cameras' if calibrated else 'no cameras'}, as in training with "
            "normalise.scale=set, got the opposite; one factor can't serve pixels and rays"
        )


def checkpoint_path(given: str) -> Path:
    """The checkpoint file that is meant: a file as it is, of a run folder its best.

    Raises:
        ValueError: If a folder has no ``checkpoints/best.pt``.
    """
    path = Path(given)
    if not path.is_dir():
        return path
    best = path / "checkpoints" / "best.pt"
    if not best.is_file():
        raise ValueError(
            f"checkpoint '{given}': expected a run folder with checkpoints/best.pt, got a folder "
            f"without it ('{best}'); name a checkpoint file, or train until the first validation"
        )
    return best


def resolve_data(config: EvalConfig, metadata: Mapping[str, Any]) -> DataConfig:
    """The data to evaluate on: those of the checkpoint's training, unless the config says else.

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


def normaliser_of(content: checkpoint.Checkpoint) -> Normaliser:
    """The normaliser that was fitted in training.

    Raises:
        CheckpointError: If the checkpoint has none, or another one.
    """
    try:
        return Normaliser.from_plain(content.metadata["normaliser"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        names = ", ".join(f.name for f in fields(Normaliser))
        raise checkpoint.CheckpointError(
            f"checkpoint '{content.path}': expected a normaliser ({names}) in its metadata, got "
            f"none or another ({error}); use the file as training wrote it"
        ) from error
