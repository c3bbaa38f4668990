"""Batches of training poses: a function of the seed and the step, without any state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from selflift.data.streams import NO_FRAME
from selflift.method.cycle import NextFrames
from selflift.skeleton import Skeleton

# Streams of randomness that must not coincide, mixed into the seed.
BATCH_STREAM, STEP_STREAM, VALIDATION_STREAM, DROPOUT_STREAM = 1, 2, 3, 4
SOURCE_STREAM, ADAPTER_STREAM = 5, 6


@dataclass(frozen=True)
class TrainingPoses:
    """Normalised training poses, on the device; or on the host, if they are mapped from files.

    Attributes:
        x: Poses, ``(N, J, 2)``.
        confidence: Of their joints, ``(N, J)``; ``None`` if the lifter takes none.
        following: Which pose is the next frame of each, ``(N,)``; -1 for none. ``None`` without a
            temporal discriminator.
        truth: What a lifter that knows the truth answers, ``(N, J, 3)``, for supervised training
            alone.
        person: Whose each pose is, as far as ``bones.per`` lets it be known, ``(N,)`` int32, from
            0; ``None``: nothing is known of it.
    """

    x: Tensor
    confidence: Tensor | None = None
    following: Tensor | None = None
    truth: Tensor | None = None
    person: Tensor | None = None


@dataclass(frozen=True)
class Batch:
    """Poses of one training step.

    Attributes:
        x: Poses of the target domain, ``(B, J, 2)``.
        confidence: Of their joints; ``None``: all are there.
        following: The frames that follow some of them.
        truth: True bodies, ``(B, J, 3)``, for supervised training alone.
        source: Poses of the source domain, ``(S, J, 2)``, before the adapter.
        source_confidence: Of their joints.
        person: Whose each target pose is, and then each source pose, ``(B + S,)``; those of the
            source count on from the target's.
    """

    x: Tensor
    confidence: Tensor | None = None
    following: NextFrames | None = None
    truth: Tensor | None = None
    source: Tensor | None = None
    source_confidence: Tensor | None = None
    person: Tensor | None = None


class EpochOrder:
    """Draw batches of ``n`` poses, each pose at most once an epoch.

    The epoch's permutation is drawn anew when an epoch begins, or when a resumed run enters it. The
    poses left over by the last whole batch of an epoch sit that epoch out.

    Args:
        n: How many poses there are.
        batch_size: Poses per batch.
        device: Whose generator draws.
        key: The seed of all draws.
        home: Where rows are wanted, if not on the device.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        device: torch.device,
        *key: int,
        home: torch.device | None = None,
    ) -> None:
        self.n, self.batch_size, self.device, self.key = n, min(batch_size, n), device, key
        self.home = device if home is None else home
        self.per_epoch = n // self.batch_size
        self._epoch = -1
        self._permutation = torch.empty(0, dtype=torch.long)

    def rows(self, step: int) -> Tensor:
        """The rows of a step's batch, ``(B,)``."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            generator = seeded(self.device, *self.key, epoch)
            drawn = torch.randperm(self.n, generator=generator, device=self.device)
            self._permutation = drawn.to(self.home)
            self._epoch = epoch
        return self._permutation[place * self.batch_size : (place + 1) * self.batch_size]

    def draws(self, step: int) -> torch.Generator:
        """A generator for what else is drawn for a step's batch."""
        return seeded(self.device, *self.key, *divmod(step, self.per_epoch))


class Batches:
    """Batches of training poses.

    Args:
        poses: The training poses.
        batch_size: Poses per step; the whole set if it is smaller.
        seed: The run's seed.
        skeleton: The layout, for mirroring.
        mirror: Whether to exchange left and right in half of the poses, at random.
        source: Poses of the source domain; ``None``: there are none.
        source_size: How many of them join a batch.
        device: Where batches are wanted; ``None``: where the poses lie.
    """

    def __init__(
        self,
        poses: TrainingPoses,
        batch_size: int,
        seed: int,
        skeleton: Skeleton,
        mirror: bool,
        source: TrainingPoses | None = None,
        source_size: int = 0,
        device: torch.device | None = None,
    ) -> None:
        self.poses, self.source, self.mirror = poses, source, mirror
        self.device = device = poses.x.device if device is None else device
        self.mirrored = torch.tensor(skeleton.mirror, device=device)
        self.flip = torch.tensor([-1.0, 1.0, 1.0], device=device)
        home = poses.x.device
        self.target_order = EpochOrder(
            len(poses.x), batch_size, device, seed, BATCH_STREAM, home=home
        )
        self.batch_size = self.target_order.batch_size
        self.source_order = None
        if source is not None:
            size = max(source_size, 2)
            home = source.x.device
            self.source_order = EpochOrder(
                len(source.x), size, device, seed, SOURCE_STREAM, home=home
            )

    def __call__(self, step: int) -> Batch:
        """The batch of a step."""
        poses, rows = self.poses, self.target_order.rows(step)
        chosen = self._chosen(self.target_order, step, len(rows))
        following = None
        if poses.following is not None:
            after = poses.following[rows]
            of = torch.nonzero(after != NO_FRAME)[:, 0]
            after, of = after[of], to_device(of, self.device)
            following = NextFrames(
                self._rows(poses.x, after, chosen[of]),
                of,
                self._also(poses.confidence, after, chosen[of]),
            )
        person = self._whose(poses.person, rows)
        source, source_confidence = None, None
        if self.source is not None and self.source_order is not None:
            others = self.source_order.rows(step)
            turned = self._chosen(self.source_order, step, len(others))
            source = self._rows(self.source.x, others, turned)
            source_confidence = self._also(self.source.confidence, others, turned)
            lenders = self._whose(self.source.person, others)
            if person is not None and lenders is not None:
                person = torch.cat([person, lenders])
        return Batch(
            x=self._rows(poses.x, rows, chosen),
            confidence=self._also(poses.confidence, rows, chosen),
            following=following,
            truth=self._also(poses.truth, rows, chosen),
            source=source,
            source_confidence=source_confidence,
            person=person,
        )

    def rows(self, step: int) -> dict[str, Tensor]:
        """Rows of the target's and the source's poses in the batch of a step."""
        found = {"target": self.target_order.rows(step)}
        if self.source_order is not None:
            found["source"] = self.source_order.rows(step)
        return found

    def _chosen(self, order: EpochOrder, step: int, count: int) -> Tensor:
        """Mask of the poses that are mirrored."""
        if not self.mirror:
            return torch.zeros(count, dtype=torch.bool, device=self.device)
        draw = torch.rand(count, generator=order.draws(step), device=self.device)
        return draw < 0.5

    def _rows(self, values: Tensor, rows: Tensor, chosen: Tensor) -> Tensor:
        """The poses of some rows, on the device, some of them in a mirror."""
        return self._seen(to_device(values.index_select(0, rows), self.device), chosen)

    def _also(self, values: Tensor | None, rows: Tensor, chosen: Tensor) -> Tensor | None:
        """Optional values of some rows, on the device, some of them mirrored."""
        return None if values is None else self._rows(values, rows, chosen)

    def _whose(self, person: Tensor | None, rows: Tensor) -> Tensor | None:
        return (
            None if person is None else to_device(person.index_select(0, rows).long(), self.device)
        )

    def _seen(self, values: Tensor, chosen: Tensor) -> Tensor:
        """Poses ``(B, J, 2 or 3)``, or numbers of joints ``(B, J)``, some of them in a mirror."""
        if not self.mirror:
            return values
        other = values[:, self.mirrored]
        if values.ndim == 3:
            other = other * self.flip[: values.shape[-1]]
        return torch.where(chosen.reshape(-1, *[1] * (values.ndim - 1)), other, values)


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Copy values to a device; to a GPU without waiting."""
    if values.device == device:
        return values
    if device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=device.type == "cuda")


def seeded(device: torch.device, *key: int) -> torch.Generator:
    """A generator whose stream is a function of the key alone."""
    mixed = 0
    for part in key:
        # A 64-bit multiply-and-add mix; neighbouring keys get unrelated seeds.
        mixed = (mixed ^ (part + 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9 % 2**64
        mixed ^= mixed >> 31
    generator = torch.Generator(device=device)
    generator.manual_seed(mixed % 2**63)
    return generator
