r"""How far the domain adapter closes the gap between source and target, told by 2D poses alone.

Poses are root-centred and of size 1, as ``D_D`` sees them. Asked before and after adaptation:

* the **energy distance** of the two sets (see :func:`energy_test`), 0 for one distribution;
* the accuracy of a **fresh classifier** that tells source from target, on recordings that it never
  saw; 0.5 is chance. ``D_D`` itself is no judge: the adapter was trained to please it.

Neither need come down to nothing: domains differ in what people do, which the adapter isn't meant
to change. The **floor** is the same for poses of the target's training split, which is what
the adapter was trained towards, against the measured ones of the target.

Poses of one recording (a clip, from all of its cameras) are not independent. So at most one pose
of a clip and camera is taken per second; poses of one recording are never compared; and recordings
change sides in the permutations, not poses. Recordings of one *subject* are alike too, which
permutations don't know: where a domain shows few subjects, a small p-value says that these people
differ, not that the domains do.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
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
from selflift.geometry.normalise import Normaliser
from selflift.method.domain_adapter import apply_correction
from selflift.models import DomainAdapter
from selflift.skeleton import Skeleton
from selflift.train.training_data import source_normaliser
from selflift.train.two_sample import (
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
    """What tells two samples apart.

    Attributes:
        energy: The two-sample test.
        mlp: Balanced accuracy of each fresh MLP on recordings that it never saw.
        linear: The same of a logistic regression on the coordinates.
    """

    energy: EnergyTest
    mlp: tuple[float, ...]
    linear: tuple[float, ...]


@dataclass(frozen=True)
class KnownShift:
    """What the adapter undoes of a noise whose truth is known; distances in % of a pose's size.

    Attributes:
        before: Mean distance of source joints from those of the clean pose of the same frame.
        after: The same of adapted poses.
        joints_before: ``before`` of each joint.
        joints_after: ``after`` of each joint.
        undone: Share of the *definition's* shift that is undone, ``-<change, shift> / |shift|^2``:
            1 for all of it, 0 for none; what jitter does is no part of it. ``None`` if the noise
            shifts nothing.
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
        before: Source poses as they are, against target poses.
        after: Adapted source poses, against the same.
        floor: Target poses of the training split, against the same; ``None`` if these are of it.
        correction: RMS change of a joint in % of a pose's size, after recentring and rescaling.
        joints: The same of each joint.
        shift: What is undone of the noise; ``None`` where the source isn't the target with noise.
        sizes: Poses, recordings and subjects of ``source`` and ``target``.
        notes: What a reader has to know of how this was measured.
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

    Args:
        folder: The run folder; its ``checkpoints/last.pt`` holds the adapter.
        split: Whose poses are measured. A domain without it is measured on its training split,
            which the adapter knows; a note says so.
        poses: At most so many of each domain.
        permutations: Behind each p-value.
        classifiers: Fresh classifiers of each kind, each with another choice of recordings.
        seed: Of every draw.

    Raises:
        ValueError: If the run has no adapter, its data are missing, or they are too few.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got '{split}'")
    for name, number, least in (
        ("poses", poses, 2), ("permutations", permutations, 1),
        ("classifiers", classifiers, 1), ("seed", seed, 0),
    ):  # fmt: skip
        if number < least:
            raise ValueError(f"{name}: expected at least {least}, got {number}")
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
    """What an adapter undoes of a noise, on some of the poses that the noise leaves complete.

    Args:
        adapter: In evaluation mode.
        clean: Poses without the noise.
        noise: The noise.
        normaliser: The source domain's.
        poses: At most so many.
        rng: Source of randomness.
    """
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
    """A checkpoint from another machine names a folder that is not on this one."""
    here = os.environ.get("SELFLIFT_DATA")
    return replace(data, root=here) if here and not Path(data.root).is_dir() else data


def _load(data: DataConfig, split: str, domain: str, notes: list[str]) -> tuple[PoseSet, str]:
    """The split, or the training split where there is none, and which it is."""
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
    """The source domain's normaliser, as training fits it."""
    config = content.metadata["config"]
    normalise = from_plain(NormaliseConfig, config["normalise"], "normalise")
    return source_normaliser(train, normalise, config["model"]["lifter"]["depth"])


def _seen(poses: PoseSet, normaliser: Normaliser) -> Float[Tensor, "N J 2"]:
    return normaliser.apply(rays_of(poses, normaliser.centre), poses.skeleton).x


def _sample(
    poses: PoseSet, normaliser: Normaliser, count: int, mirror: bool, rng: np.random.Generator
) -> Sample:
    """Some normalised poses; half of them in a mirror if training shows them so."""
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
    """Poses of size 1, as training adapts them; without an adapter as they are."""
    correction = torch.zeros_like(x) if adapter is None else adapter.correction(x)
    return apply_correction(x, correction, None, root, 1.0)


def _by_joint(values: Float[Tensor, "J"], skeleton: Skeleton) -> dict[str, float]:
    return dict(zip(skeleton.joints, values.tolist(), strict=True))
