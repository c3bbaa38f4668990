"""An evaluation from its config to its numbers: any checkpoints, any pose set, any protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from selflift.config import EvalConfig, EvalDataConfig
from selflift.data.pose_set import Labels, PoseSet
from selflift.data.source import load_split
from selflift.data.streams import recordings
from selflift.device import choose_device
from selflift.evaluate.evaluation import Evaluation, scale_of, score
from selflift.evaluate.inputs import Origin, check_like_training, load_poses, resolve_data
from selflift.evaluate.lifted_set import LiftedSet, lift_set
from selflift.evaluate.protocols import Protocol, get_protocol
from selflift.evaluate.selection import joint_indices, rows_of
from selflift.evaluate.statistics import compare, over_seeds, summarise
from selflift.evaluate.summary import Comparison, SeedSummary, Summary
from selflift.evaluate.without_truth import Unlabelled, assess
from selflift.lift import Model, bundled_weights, load_model

# Enough poses to fit the one factor of a training set.
SCALE_POSES = 50_000
# What the generators of NumPy and PyTorch both take.
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class ProtocolResult:
    """Results of all checkpoints under one protocol.

    Attributes:
        protocol: The protocol.
        poses: The poses that it scores.
        evaluations: By the checkpoint's label, its errors, pose by pose.
        summaries: By the checkpoint's label, their means.
        seeds: Mean and spread over the trainings, if several were given.
        comparisons: By the label of what is compared with the first checkpoint.
    """

    protocol: Protocol
    poses: PoseSet
    evaluations: dict[str, Evaluation]
    summaries: dict[str, Summary]
    seeds: SeedSummary | None
    comparisons: dict[str, Comparison]


@dataclass(frozen=True)
class Results:
    """A whole evaluation.

    Attributes:
        models: By label, in the order given; the first ``num_seeds`` differ in their seed.
        num_seeds: How many.
        origin: Which poses.
        protocols: One result of each; none for poses without truth.
        label_free: By label, what can be known without truth.
        folder: Where results go.
    """

    models: dict[str, Model]
    num_seeds: int
    origin: Origin
    protocols: list[ProtocolResult]
    label_free: dict[str, Unlabelled]
    folder: Path


def run_evaluation(config: EvalConfig) -> Results:
    """Lift, measure and summarise.

    Raises:
        ValueError: If a checkpoint, the data, a protocol or a number is unusable.
    """
    seeds = [config.checkpoint] if isinstance(config.checkpoint, str) else config.checkpoint
    is_list = isinstance(seeds, list) and all(isinstance(given, str) for given in seeds)
    if not (seeds and is_list):
        raise ValueError(
            "checkpoint: expected a run folder, a checkpoint file or the name of bundled weights "
            f"({', '.join(bundled_weights.bundled())}), or a list of them, got "
            f"{config.checkpoint!r}"
        )
    protocols = [get_protocol(name) for name in dict.fromkeys(config.protocols)]
    if not protocols:
        raise ValueError("protocols: expected at least one, got none; plain takes all poses")
    if not 0 <= config.seed <= MAX_SEED:
        raise ValueError(
            f"seed: expected a whole number from 0 to {MAX_SEED}, got {config.seed}; the same seed "
            "gives the same intervals"
        )
    device = choose_device(config.device)
    known = bundled_weights.bundled()
    given = [known.get(one, one) for one in (*seeds, *config.compare)]
    loaded = [load_model(one, config.mirror_average, device) for one in given]
    models = dict(zip(labels([model.path for model in loaded]), loaded, strict=True))
    poses, origin = load_poses(config, loaded[0])
    restricting = [protocol.name for protocol in protocols if protocol.name != "plain"]
    if poses.poses_3d is None and restricting:
        raise ValueError(
            "protocols: expected plain alone for a set of 2D poses without 3D truth, got "
            f"{', '.join(restricting)}; leave protocols out, or evaluate on a set with 3D poses"
        )
    folder = output_folder(config, [model.path for model in loaded])
    lifted, scales, label_free = {}, {}, {}
    for label, model in models.items():
        check_like_training(model, poses)
        if poses.poses_3d is None or config.label_free:
            label_free[label] = assess(
                model.lifter, model.normaliser, poses, config.batch_size, seed=config.seed,
                device=device,
            )  # fmt: skip
        if poses.poses_3d is not None:
            lifted[label] = lift_set(
                model.lifter, model.normaliser, poses, config.batch_size, device
            )
            scales[label] = _training_scale(config, model) if config.train_scale else None
    results = []
    if lifted:
        for protocol in protocols:
            results.append(_by_protocol(config, protocol, poses, lifted, scales, len(seeds)))
    return Results(models, len(seeds), origin, results, label_free, folder)


def labels(paths: Sequence[Path]) -> list[str]:
    """A short name for each checkpoint, no two alike.

    The run folder's name; with its parents' as far as it takes to tell them apart, and with the
    file's where that is not the best checkpoint.

    Raises:
        ValueError: If one file is named twice.
    """
    resolved = [path.resolve() for path in paths]
    if len(set(resolved)) < len(resolved):
        twice = next(path for path in paths if resolved.count(path.resolve()) > 1)
        raise ValueError(f"checkpoint: expected each one once, got '{twice}' twice")
    names = []
    for path in resolved:
        run = path.parent.parent if path.parent.name == "checkpoints" else path.parent
        own = [*run.parts[1:]]
        names.append(own if path.name == "best.pt" else [*own, path.stem])
    for depth in range(1, max(map(len, names)) + 1):
        short = ["/".join(name[-depth:]) for name in names]
        if len(set(short)) == len(short):
            return short
    return [str(path) for path in paths]


def output_folder(config: EvalConfig, paths: Sequence[Path]) -> Path:
    """Choose the results' folder: as configured, else beside the one checkpoint.

    Its name ends in the checkpoint's, unless that is ``best.pt``.

    Raises:
        ValueError: If it is a run folder, or no folder is named for several checkpoints or for one
            that is part of the package.
    """
    if config.output_dir is not None:
        folder = Path(config.output_dir)
        if (folder / "config.yaml").exists():
            raise ValueError(
                f"output_dir '{folder}': expected a folder without a run, got a run folder, whose "
                "metrics.json would be lost; choose another"
            )
        return folder
    if len(paths) > 1:
        raise ValueError(
            f"output_dir: expected a folder for the results of {len(paths)} checkpoints, got none; "
            "give one, as in output_dir=outputs/comparison"
        )
    path = paths[0]
    if path.resolve().parent == bundled_weights.FOLDER:
        raise ValueError(
            "output_dir: expected a folder for the results of weights that come with selflift, got "
            f"none; give one, as in output_dir=outputs/{path.stem}"
        )
    base = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    name = f"eval_{config.split if config.poses is None else Path(config.poses).stem}"
    return base / (name if path.name == "best.pt" else f"{name}_{path.stem}")


def _training_scale(config: EvalConfig, model: Model) -> float:
    # Of the checkpoint's own training, whatever is scored: fitted to poses that are scored, the
    # factor would make an oracle of the error. The folder alone may have moved.
    own = replace(config, split="train", data=EvalDataConfig(root=config.data.root))
    data = resolve_data(own, model.metadata)
    train = load_split(data, "train")
    if train.poses_3d is None:
        raise ValueError(
            "train_scale: expected a training split with 3D poses, got 2D poses alone; set "
            "train_scale=false"
        )
    rng = np.random.default_rng(config.seed)
    chosen = np.sort(rng.permutation(len(train))[:SCALE_POSES])
    sample = train.select(chosen)
    device = choose_device(config.device)
    lifted = lift_set(model.lifter, model.normaliser, sample, config.batch_size, device)
    return scale_of(lifted, sample)


def _by_protocol(
    config: EvalConfig,
    protocol: Protocol,
    poses: PoseSet,
    lifted: dict[str, LiftedSet],
    scales: dict[str, float | None],
    num_seeds: int,
) -> ProtocolResult:
    rows = rows_of(poses, protocol)
    chosen = poses if rows.all() else poses.select(rows)
    joints = joint_indices(protocol, poses.skeleton)
    recording = recordings(chosen)
    clips = Labels(tuple(map(str, range(recording.max() + 1))), recording)
    evaluations = {
        label: score(
            own if rows.all() else own[rows], chosen, config.skeleton_height_mm, scales[label],
            joints,
        )
        for label, own in lifted.items()
    }  # fmt: skip
    summaries = {
        label: summarise(
            evaluation.errors, chosen.action, clips, protocol.averaging, config.seed,
            config.resamples, protocol.name,
        )
        for label, evaluation in evaluations.items()
    }  # fmt: skip
    first = next(iter(evaluations))
    comparisons = {
        label: compare(
            evaluations[first].errors, evaluations[label].errors, chosen.action, clips,
            protocol.averaging, config.seed, config.resamples,
        )
        for label in list(evaluations)[num_seeds:]
    }  # fmt: skip
    trained = list(summaries.values())[:num_seeds]
    return ProtocolResult(
        protocol=protocol,
        poses=chosen,
        evaluations=evaluations,
        summaries=summaries,
        seeds=over_seeds(trained) if num_seeds > 1 else None,
        comparisons=comparisons,
    )
