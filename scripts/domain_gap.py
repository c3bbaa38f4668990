r"""Measure how far the domain adapter closes the gap between two domains, from 2D poses alone.

Measures the gap of one run, or of several that differ in their seed, before and after adaptation,
prints Markdown, and writes domain_gap.json into every run folder:

    python scripts/domain_gap.py outputs/runs/*

Several runs: mean +- standard deviation over runs. One run: of the accuracies, over classifiers.

Poses are root-centred and of size 1, as ``D_D`` sees them. Two measures:

* the **energy distance** of the two sets, 0 for one distribution, with a permutation test;
* the accuracy of a **fresh classifier** that separates source from target, on recordings that it
  never saw; 0.5 is chance. ``D_D`` itself is no judge: the adapter was trained to please it.

Neither need come down to nothing: domains differ in what people do, which the adapter isn't meant
to change. The **floor** is the same measure between poses of the target's training split, which the
adapter was trained towards, and the measured ones of the target.

Poses of one recording (a clip, from all of its cameras) are not independent. So at most one pose
of a clip and camera is taken per second; poses of one recording are never compared; and recordings
change sides in the permutations, not poses. Recordings of one *subject* are alike too, which
permutations don't account for: where a domain has few subjects, a small p-value means that these
people differ, not that the domains do.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selflift import checkpoint
from selflift.config import DataConfig, NoiseConfig, NormaliseConfig, from_plain
from selflift.data.noise import add_noise
from selflift.data.pose_set import PoseSet
from selflift.data.rays import rays_of
from selflift.data.source import SPLITS, load_split
from selflift.files.atomic_write import atomic_path
from selflift.geometry.normalise import Normaliser
from selflift.method.domain_adapter import apply_correction
from selflift.models import DomainAdapter
from selflift.skeleton import Skeleton
from selflift.train.training_data import source_normaliser
from two_sample import (
    EnergyTest,
    Sample,
    accuracies,
    choose_rows,
    energy_test,
    split_by,
)

PERCENT = 100.0
# Mean square shift below which a noise moves no definition.
MIN_POWER = 1e-8


@dataclass(frozen=True)
class Gap:
    """The energy test of two samples, and the accuracies of fresh classifiers of two kinds."""

    energy: EnergyTest
    mlp: tuple[float, ...]
    linear: tuple[float, ...]


@dataclass(frozen=True)
class KnownShift:
    """Distances of source joints from the clean pose of the same frame, in % of a pose's size.

    ``undone`` is the share of the *definition's* shift, without jitter, that the adapter undoes,
    ``-<change, shift> / |shift|^2``; ``None`` if the noise shifts nothing.
    """

    before: float
    after: float
    joints_before: dict[str, float]
    joints_after: dict[str, float]
    undone: float | None


@dataclass(frozen=True)
class DomainGap:
    """The gap between the two domains of a run.

    Attributes:
        before: Source poses against target poses.
        after: Adapted source poses against target poses.
        floor: Target poses of the training split against target poses of another split.
        correction: RMS change of a joint in % of a pose's size, after recentring and rescaling.
        joints: The same of each joint.
        shift: ``None`` where the source isn't the target with noise.
        sizes: Poses, recordings and subjects of ``source`` and ``target``.
        notes: Remarks on how this was measured.
    """

    before: Gap
    after: Gap
    floor: Gap | None
    correction: float
    joints: dict[str, float]
    shift: KnownShift | None
    sizes: dict[str, dict[str, int]]
    notes: tuple[str, ...]


@torch.no_grad()
def domain_gap(
    folder: str | Path,
    split: str = "val",
    poses: int = 2048,
    permutations: int = 999,
    classifiers: int = 5,
    seed: int = 0,
) -> DomainGap:
    """Measure the gap between the domains of a run, before and after its adapter.

    A domain without the split is measured on its training split, with a note.

    Raises:
        ValueError: If the run has no adapter, its data are missing, or they are too few.
    """
    content = checkpoint.load(Path(folder) / "checkpoints" / "last.pt")
    adapter = DomainAdapter.from_content(content)
    target_data, source_data, normaliser = _of_run(content)
    rng, notes, mirror = np.random.default_rng(seed), list[str](), target_data.mirror
    shown, target_split = _load(target_data, split, "target", notes)
    skeleton = shown.skeleton

    def at_size_one(sample: Sample, adapter: DomainAdapter | None = None) -> Sample:
        return replace(sample, x=_adapt(adapter, sample.x, skeleton.root))

    target = at_size_one(_sample(shown, normaliser, poses, mirror, rng))

    # The noise comes last, so that the clean pose of the same frame is at hand.
    clean, source_split = _load(replace(source_data, noise=NoiseConfig()), split, "source", notes)
    noisy = add_noise(clean, source_data.noise)
    fitted_to = noisy if source_split == "train" else load_split(source_data, "train")
    own = _fitted(fitted_to, content)
    given = _sample(noisy, own, poses, mirror, rng)
    source, moved = at_size_one(given), at_size_one(given, adapter)
    change = (moved.x - source.x).square().sum(-1).mean(0)

    def gap(sample: Sample) -> Gap:
        test = energy_test(sample, target, permutations, seed)
        return Gap(test, *accuracies(sample, target, skeleton.name, classifiers, seed))

    floor = None
    if target_split != "train":
        known = load_split(target_data, "train")
        floor = gap(at_size_one(_sample(known, normaliser, poses, mirror, rng)))
    shift = None
    same = replace(source_data, noise=target_data.noise, mirror=mirror) == target_data
    if same and target_data.noise.kind == "none" and source_data.noise.kind != "none":
        shift = known_shift(adapter, clean, source_data.noise, own, poses, rng)
    unit = split_by(source, target)
    notes.append(f"classifiers are tested on another {unit} than they are trained on")
    return DomainGap(
        before=gap(source),
        after=gap(moved),
        floor=floor,
        correction=PERCENT * float(change.mean().sqrt()),
        joints=_by_joint(PERCENT * change.sqrt(), skeleton),
        shift=shift,
        sizes={"source": source.sizes(), "target": target.sizes()},
        notes=tuple(notes),
    )


def known_shift(
    adapter: DomainAdapter,
    clean: PoseSet,
    noise: NoiseConfig,
    normaliser: Normaliser,
    poses: int,
    rng: np.random.Generator,
) -> KnownShift:
    """Measure what an adapter undoes of a noise, on some poses that the noise leaves complete."""
    skeleton = clean.skeleton
    defined = add_noise(clean, replace(noise, jitter=0.0, swap_share=0.0, drop=0.0))
    noisy = add_noise(clean, noise)
    rows = choose_rows(noisy, poses, rng)
    x = _seen(noisy.select(rows), normaliser)
    truth, given, shifted = (
        _adapt(None, _seen(p.select(rows), normaliser), skeleton.root)
        for p in (clean, noisy, defined)
    )
    with torch.no_grad():
        moved = _adapt(adapter, x, skeleton.root)
    before, after = (PERCENT * (p - truth).norm(dim=-1).mean(0) for p in (given, moved))
    shift = shifted - truth
    power = float(shift.square().mean())
    return KnownShift(
        before=float(before.mean()),
        after=float(after.mean()),
        joints_before=_by_joint(before, skeleton),
        joints_after=_by_joint(after, skeleton),
        undone=-float(((moved - given) * shift).mean()) / power if power > MIN_POWER else None,
    )


def _of_run(content: checkpoint.Checkpoint) -> tuple[DataConfig, DataConfig, Normaliser]:
    """The target's data, the source's, and the target's normaliser."""
    try:
        config = content.metadata["config"]
        target, source = (
            _here(from_plain(DataConfig, plain, key))
            for plain, key in ((config["data"], "data"), (config["domain"]["data"], "domain.data"))
        )
        return target, source, Normaliser.from_plain(content.metadata["normaliser"])
    except (AttributeError, KeyError, TypeError) as error:
        raise checkpoint.CheckpointError(
            f"checkpoint '{content.path}': expected the config and the normaliser of its training "
            f"in its metadata, got none or another ({error}); use the file as training wrote it"
        ) from error


def _here(data: DataConfig) -> DataConfig:
    """Use ``SELFLIFT_DATA`` if the folder that the checkpoint names isn't on this machine."""
    here = os.environ.get("SELFLIFT_DATA")
    return replace(data, root=here) if here and not Path(data.root).is_dir() else data


def _load(data: DataConfig, split: str, domain: str, notes: list[str]) -> tuple[PoseSet, str]:
    """Load the split, or the training split if it is missing; returns its name too."""
    if split != "train":
        try:
            return load_split(data, split), split
        except ValueError as error:
            if "no such file" not in str(error):
                raise
            notes.append(
                f"{domain}: measured on its training split, which the adapter was trained on, "
                f"because it has no split '{split}'"
            )
    return load_split(data, "train"), "train"


def _fitted(train: PoseSet, content: checkpoint.Checkpoint) -> Normaliser:
    """Fit the source domain's normaliser as training does."""
    config = content.metadata["config"]
    normalise = from_plain(NormaliseConfig, config["normalise"], "normalise")
    return source_normaliser(train, normalise, config["model"]["lifter"]["depth"])


def _seen(poses: PoseSet, normaliser: Normaliser) -> Float[Tensor, "N J 2"]:
    return normaliser.apply(rays_of(poses, normaliser.centre), poses.skeleton).x


def _sample(
    poses: PoseSet, normaliser: Normaliser, count: int, mirror: bool, rng: np.random.Generator
) -> Sample:
    """Draw some normalised poses; half of them mirrored if training mirrors poses."""
    some = poses.select(choose_rows(poses, count, rng))
    x = _seen(some, normaliser)
    if mirror:
        flipped = x[:, list(some.skeleton.mirror)] * x.new_tensor([-1.0, 1.0])
        x = torch.where(torch.from_numpy(rng.random(len(x)) < 0.5)[:, None, None], flipped, x)
    subject = some.subject.values.astype(str)
    clip = some.clip.values.astype(str)
    recording = np.array([f"{s}\0{c}" for s, c in zip(subject, clip, strict=True)])
    return Sample(x, recording, subject)


def _adapt(
    adapter: DomainAdapter | None, x: Float[Tensor, "N J 2"], root: int
) -> Float[Tensor, "N J 2"]:
    """Poses of size 1, adapted as in training if there is an adapter."""
    correction = torch.zeros_like(x) if adapter is None else adapter.correction(x)
    return apply_correction(x, correction, None, root, 1.0)


def _by_joint(values: Float[Tensor, "J"], skeleton: Skeleton) -> dict[str, float]:
    return dict(zip(skeleton.joints, values.tolist(), strict=True))


ROWS: dict[str, Callable[[Gap], float | tuple[float, ...]]] = {
    "energy distance": lambda gap: gap.energy.distance,
    "by chance, mean": lambda gap: gap.energy.null_mean,
    "by chance, 95th percentile": lambda gap: gap.energy.null_95,
    "p": lambda gap: gap.energy.p,
    "accuracy of a fresh MLP (chance 0.5)": lambda gap: gap.mlp,
    "accuracy of a logistic regression": lambda gap: gap.linear,
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, with checkpoints/last.pt")
    parser.add_argument("--split", default="val", choices=SPLITS)
    parser.add_argument("--poses", type=_count, default=2048, help="of each domain, at most")
    parser.add_argument("--permutations", type=_count, default=999)
    parser.add_argument("--classifiers", type=_count, default=5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)  # the same sums in the same order everywhere
    options = {k: getattr(given, k) for k in ("split", "poses", "permutations", "classifiers")}
    try:
        check_alike(given.runs)
        found = [domain_gap(run, **options, seed=given.seed) for run in given.runs]
        for run, one in zip(given.runs, found, strict=True):
            record = {"run": str(run), "seed": given.seed, **options, **asdict(one)}
            with atomic_path(run / "domain_gap.json") as path:
                path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")
    except (ValueError, OSError) as error:
        print(f"domain_gap: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    print(table(found))
    print(f"\n{remarks(found)}")


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got '{text}'")
    return int(text)


def check_alike(runs: list[Path]) -> None:
    """Refuse to average over runs of different domains or adapters.

    Raises:
        ValueError: If they differ in more than their seed, or one has no checkpoint.
    """
    first = None
    for run in runs:
        config = checkpoint.load(run / "checkpoints" / "last.pt").metadata.get("config", {})
        own = {key: config.get(key) for key in ("data", "domain", "normalise")}
        first = own if first is None else first
        if own != first:
            raise ValueError(
                f"runs: expected all of the same data and domain, got '{run}' with others; give "
                "runs that differ in their seed, or measure them one by one"
            )


def table(found: list[DomainGap]) -> str:
    """Markdown: a row per number; columns before and after adaptation, and the floor."""
    lines = ["| | before | after | floor: target, training split |", "| --- | --- | --- | --- |"]
    for title, value in ROWS.items():
        cells = []
        for part in ("before", "after", "floor"):
            gaps = [getattr(one, part) for one in found]
            cells.append("" if gaps[0] is None else spread([value(gap) for gap in gaps], 4))
        lines.append(f"| {title} | {' | '.join(cells)} |")
    lines.append(f"| correction, RMS, % | | {spread([one.correction for one in found], 2)} | |")
    shifts = [one.shift for one in found if one.shift is not None]
    if shifts:
        before, after = (spread([getattr(s, p) for s in shifts], 2) for p in ("before", "after"))
        lines.append(f"| distance to the clean pose, % | {before} | {after} | |")
        undone = [s.undone for s in shifts if s.undone is not None]
        if undone:
            title = "share of the definition's shift undone"
            lines.append(f"| {title} | 0 | {spread(undone, 3)} | |")
    return "\n".join(lines)


def spread(values: list[float] | list[tuple[float, ...]], digits: int) -> str:
    """Mean +- standard deviation over runs; of a single run's tuple over its values."""
    numbers = [float(np.mean(value)) for value in values]
    if len(values) == 1:
        numbers = list(np.atleast_1d(values[0]))
    mean = f"{np.mean(numbers):.{digits}f}"
    return mean if len(numbers) < 2 else f"{mean} +- {np.std(numbers, ddof=1):.{digits}f}"


def remarks(found: list[DomainGap]) -> str:
    """The samples, the joints that are corrected most, and notes."""
    lines = [f"{len(found)} run(s); % of a pose's size (RMS distance of its joints from the root)"]
    for domain, sizes in found[0].sizes.items():
        lines.append(f"{domain}: " + ", ".join(f"{n} {name}" for name, n in sizes.items()))
    joints = {name: np.mean([one.joints[name] for one in found]) for name in found[0].joints}
    most = sorted(joints, key=lambda name: -joints[name])[:6]
    lines.append("corrected most: " + ", ".join(f"{name} {joints[name]:.1f} %" for name in most))
    lines += found[0].notes
    return "\n".join(f"- {line}" for line in lines)


if __name__ == "__main__":
    main()
