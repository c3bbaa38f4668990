"""Test whether two samples of poses have one distribution: energy test and fresh classifiers.

Both account for the dependence of poses of one recording, see domain_gap.py, which uses them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selflift.data.pose_set import PoseSet
from selflift.data.streams import streams
from selflift.models import PoseDiscriminator

# A classifier's split by subject needs this many subjects in each domain.
MIN_SUBJECTS = 4
TEST_SHARE = 0.3
# Training of a classifier: enough to separate domains, too little to memorise some hundred poses.
STEPS, BATCH, RATE, DECAY, WIDTH, DROPOUT = 300, 128, 2e-3, 1e-2, 128, 0.2
CHUNK = 1024


@dataclass(frozen=True)
class Sample:
    """Poses, ``(N, J, 2)``, with the names of their recordings and subjects, ``(N,)``."""

    x: Tensor
    recording: np.ndarray
    subject: np.ndarray

    def sizes(self) -> dict[str, int]:
        """Number of poses, recordings and subjects."""
        recordings, subjects = len(set(self.recording)), len(set(self.subject))
        return {"poses": len(self.x), "recordings": recordings, "subjects": subjects}


def choose_rows(poses: PoseSet, count: int, rng: np.random.Generator) -> np.ndarray:
    """At most ``count`` complete poses, and at most one per second of each clip and camera.

    Raises:
        ValueError: If no pose is complete.
    """
    order = rng.permutation(len(poses))
    if poses.confidence is not None:
        order = order[(poses.confidence[order] > 0).all(1)]
    if len(order) == 0:
        raise ValueError(
            f"poses: expected complete poses to measure, got {len(poses)} that all lack joints; "
            "convert the set to a smaller skeleton"
        )
    second = (poses.frame / poses.fps).astype(np.int64)
    keys = np.stack([streams(poses, np.arange(len(poses))), second], axis=1)
    # The first in random order of each second, then some of them in random order.
    _, first = np.unique(keys[order], axis=0, return_index=True)
    return order[np.sort(first)][:count]


@dataclass(frozen=True)
class EnergyTest:
    """An unbiased energy distance; mean and 95th percentile under permutation; p-value."""

    distance: float
    null_mean: float
    null_95: float
    p: float


def energy_test(a: Sample, b: Sample, permutations: int, seed: int) -> EnergyTest:
    r"""Energy distance ``2 E|a - b| - E|a - a'| - E|b - b'|`` with a permutation test.

    Every mean is over pairs of poses of *different* recordings, so that the distance is unbiased
    although poses of one recording are alike. In a permutation whole recordings change sides. One
    that both samples show stands on both sides always; its two halves change places or don't.

    Raises:
        ValueError: If a sample has fewer than two recordings.

    Source: Szekely and Rizzo, Energy statistics, 2013; the exclusion of pairs is this library's.
    """
    names, recording = np.unique(np.concatenate([a.recording, b.recording]), return_inverse=True)
    domain = np.repeat([0, 1], [len(a.x), len(b.x)])
    keys, unit = np.unique(2 * recording + domain, return_inverse=True)
    side, recording_of = keys % 2, keys // 2
    for s, name in enumerate(("first", "second")):
        if (side == s).sum() < 2:
            raise ValueError(
                f"poses: expected at least 2 recordings (clips) in each sample, got "
                f"{int((side == s).sum())} in the {name}; measure more clips"
            )
    x, index = torch.cat([a.x, b.x]).flatten(1).double(), torch.from_numpy(unit)
    sums = torch.zeros(len(keys), len(keys), dtype=torch.float64)
    for start in range(0, len(x), CHUNK):
        distances = torch.cdist(x[start : start + CHUNK], x)
        by_unit = distances.new_zeros(len(distances), len(keys)).index_add_(1, index, distances)
        sums.index_add_(0, index[start : start + CHUNK], by_unit)
    counts = torch.bincount(index, minlength=len(keys)).double()
    other = torch.from_numpy(recording_of[:, None] != recording_of[None]).double()
    sums, pairs = sums * other, counts[:, None] * counts * other

    both = np.bincount(recording_of, minlength=len(names))[recording_of] == 2
    rng = np.random.default_rng(seed)
    sides = np.tile(side, (permutations + 1, 1))
    for row in sides[1:]:
        swapped = rng.random(len(names)) < 0.5
        row[both] = row[both] ^ swapped[recording_of[both]]
        row[~both] = rng.permutation(row[~both])
    second = torch.from_numpy(sides).double()
    first = 1 - second

    def mean(u: Tensor, v: Tensor) -> Tensor:
        return ((u @ sums) * v).sum(1) / ((u @ pairs) * v).sum(1)

    values = (2 * mean(first, second) - mean(first, first) - mean(second, second)).numpy()
    found, null = values[0], values[1:]
    return EnergyTest(
        distance=float(found),
        null_mean=float(null.mean()),
        null_95=float(np.percentile(null, 95)),
        # A permutation that changes nothing must count as reaching it, whatever the rounding.
        p=float(((null >= found - 1e-12).sum() + 1) / (permutations + 1)),
    )


def split_by(a: Sample, b: Sample) -> str:
    """The unit that classifiers are split by: ``"subject"`` or ``"recording"``."""
    least = min(a.sizes()["subjects"], b.sizes()["subjects"])
    return "subject" if least >= MIN_SUBJECTS else "recording"


@torch.enable_grad()
def accuracies(
    a: Sample, b: Sample, skeleton: str, count: int, seed: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Balanced accuracy of fresh classifiers on recordings or subjects that they never saw.

    Returns:
        Those of ``count`` MLPs, and of as many logistic regressions; each has another split.

    Raises:
        ValueError: If the samples can't be split.
    """
    by = split_by(a, b)
    mlp: list[float] = []
    linear: list[float] = []
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        unseen_a, unseen_b = _split(getattr(a, by), getattr(b, by), rng)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            joints = a.x.shape[1]
            nets = (
                PoseDiscriminator(skeleton, WIDTH, num_blocks=1, dropout=DROPOUT),
                nn.Sequential(nn.Flatten(), nn.Linear(2 * joints, 1), nn.Flatten(0)),
            )
            for net, found in zip(nets, (mlp, linear), strict=True):
                _fit(net, a.x[~unseen_a], b.x[~unseen_b])
                found.append(_accuracy(net, a.x[unseen_a], b.x[unseen_b]))
    return tuple(mlp), tuple(linear)


def _split(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Masks of the test poses of both samples; a group is on the same side in both."""
    names = np.unique(np.concatenate([a, b]))
    for _ in range(1000):
        tested = rng.permutation(names)[: max(1, round(TEST_SHARE * len(names)))]
        unseen = [np.isin(groups, tested) for groups in (a, b)]
        if all(0 < u.sum() < len(u) for u in unseen):
            return torch.from_numpy(unseen[0]), torch.from_numpy(unseen[1])
    raise ValueError(
        f"poses: expected recordings that can be split into seen and unseen in both domains, got "
        f"{len(np.unique(a))} and {len(np.unique(b))}; measure more clips"
    )


def _fit(net: nn.Module, a: Tensor, b: Tensor) -> None:
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    truth = torch.cat([torch.ones(BATCH), torch.zeros(BATCH)])
    net.train()
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        # As many of each, so that 0.5 is chance.
        batch = torch.cat([x[torch.randint(len(x), (BATCH,))] for x in (a, b)])
        loss = F.binary_cross_entropy_with_logits(net(batch), truth)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()


@torch.no_grad()
def _accuracy(net: nn.Module, a: Tensor, b: Tensor) -> float:
    net.eval()
    return float(((net(a) > 0).float().mean() + (net(b) <= 0).float().mean()) / 2)
