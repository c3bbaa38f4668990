"""The command ``python -m selflift.eval``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import torch

import selflift
from selflift import checkpoint
from selflift.config import DataConfig, EvalConfig
from selflift.data.poses import PoseSet
from selflift.data.source import load_split
from selflift.device import choose_device
from selflift.doors import run
from selflift.eval.evaluate import Evaluation, evaluate
from selflift.eval.report import examples, summarise, table, write
from selflift.geometry.align import scale_fit
from selflift.geometry.normalise import Normaliser
from selflift.models import Lifter
from selflift.viz import ExamplePose, figure_poses, save_figure

Schema = TypeVar("Schema")

LABEL_LENGTH = 20


def evaluate_run(config: EvalConfig) -> dict[str, Any]:
    """Evaluate a checkpoint, print the table, write ``metrics.json`` and a picture of examples.

    Args:
        config: What to evaluate on what.

    Returns:
        The content of ``metrics.json``.

    Raises:
        ValueError: If the checkpoint, the data or the config are unusable.
    """
    path = checkpoint_path(config.checkpoint)
    content = checkpoint.load(path)
    device = choose_device(config.device)
    lifter = Lifter.from_content(content, device)
    if config.mirror_average is not None:
        lifter.mirror_average = config.mirror_average
    normaliser = _normaliser(content)
    data = resolve_data(config, content.metadata)
    poses = load_split(data, config.split)
    calibrated = content.metadata.get("calibrated", True)
    if normaliser.scale == "set" and calibrated != (poses.cameras is not None):
        raise ValueError(
            f"poses: expected {'cameras' if calibrated else 'no cameras'}, as in training with "
            "normalise.scale=set, got the opposite; one factor can't serve pixels and rays"
        )
    result = evaluate(
        lifter, normaliser, poses, config.batch_size, config.skeleton_height_mm, device
    )
    folder = _output_folder(config, path)
    summary = {
        **summarise(result, poses),
        "checkpoint": str(path),
        "step": content.metadata.get("step"),
        "split": config.split,
        "mirror_average": lifter.mirror_average,
        "data": asdict(data),
        "selflift": selflift.__version__,
    }
    picture = folder / "figures" / f"eval_{config.split}.png"
    save_figure(figure_poses(example_poses(result, poses)), picture)
    write(summary, folder / "metrics.json")
    place = "" if data.source == "synthetic" else f" in {data.root}"
    print(f"{path}, {config.split} split of source '{data.source}'{place}\n")
    print(table(summary))
    print(f"\n{'metrics:':<10}{folder / 'metrics.json'}\n{'pictures:':<10}{picture}")
    return summary


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
        config: Each entry of ``config.data`` that is not ``None`` replaces the checkpoint's.
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
    data = _data_config(plain)
    if "subjects" in given:
        given["subjects"] = replace(data.subjects, **{config.split: given["subjects"]})
    return replace(data, **given)


def example_poses(evaluation: Evaluation, poses: PoseSet) -> list[ExamplePose]:
    """Poses at quantiles of the PA-MPJPE, best first, ready to be drawn.

    Predictions get their least-squares scale and are not rotated.

    Args:
        evaluation: The errors and predictions of these poses.
        poses: The poses.
    """
    error = evaluation.errors["pa_mpjpe_mm"]
    subject, action = poses.subject.values, poses.action.values
    rows = []
    for quantile, i in examples(error).items():
        prediction, truth = evaluation.predictions[i], evaluation.truth[i]
        scaled = scale_fit(torch.from_numpy(prediction), torch.from_numpy(truth)).numpy()
        lines = (f"{100 * quantile:.0f}% quantile", f"subject {subject[i]}", action[i])
        rows.append(
            ExamplePose(
                poses.poses_2d[i], scaled, truth, "\n".join(map(_short, lines)),
                f"PA-MPJPE {error[i]:.1f} mm", poses.skeleton,
            )
        )  # fmt: skip
    return rows


def _short(label: str) -> str:
    return label if len(label) <= LABEL_LENGTH else label[: LABEL_LENGTH - 1] + "…"


def _output_folder(config: EvalConfig, path: Path) -> Path:
    if config.output_dir is not None:
        folder = Path(config.output_dir)
        if (folder / "config.yaml").exists():
            raise ValueError(
                f"output_dir '{folder}': expected a folder without a run, got a run folder, whose "
                "metrics.json would be lost; choose another"
            )
        return folder
    base = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    return base / f"eval_{config.split}"


def _normaliser(content: checkpoint.Checkpoint) -> Normaliser:
    try:
        return Normaliser(**content.metadata["normaliser"])
    except (KeyError, TypeError) as error:
        names = ", ".join(f.name for f in fields(Normaliser))
        raise checkpoint.CheckpointError(
            f"checkpoint '{content.path}': expected a normaliser ({names}) in its metadata, got "
            f"none or another ({error}); use the file as training wrote it"
        ) from error


def _data_config(plain: Any) -> DataConfig:
    return _from_plain(DataConfig, plain, "data")


def _from_plain(schema: type[Schema], plain: Any, key: str) -> Schema:
    if not isinstance(plain, Mapping):
        raise ValueError(f"checkpoint: expected {key} to be a mapping, got {plain!r}")
    types = get_type_hints(schema)
    unknown = sorted(set(plain) - set(types))
    if unknown:
        raise ValueError(
            f"checkpoint: expected {key} with {', '.join(types)}, got also "
            f"{', '.join(unknown)}; use the selflift that wrote it"
        )
    return schema(
        **{
            name: _from_plain(types[name], value, f"{key}.{name}")
            if is_dataclass(types[name])
            else value
            for name, value in plain.items()
        }
    )


def main() -> None:
    """The door."""
    run("eval", EvalConfig, evaluate_run)
