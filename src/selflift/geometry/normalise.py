r"""Normalisation: from pixels to the lifter's input, and back.

The method looks at a body that stands on the optical axis at depth ``c``, in units in which the
mean head-to-root distance in the image is ``1 / c``. Two steps lead there:

1. **Centre** (:mod:`selflift.geometry.centring`).
2. **Scale.** One factor for a whole set, from its training poses (``"set"``), or one per pose
   (``"sample"``).

:class:`Normalised` carries what is needed to go back to the camera's axes.

A missing joint is NaN before, and lies at the root (the origin) after, with ``present`` false; the
root itself must be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selflift.device import resident
from selflift.geometry.centring import CENTRES, centre, centre_unchecked, refuse_sideways
from selflift.skeleton import Skeleton

SCALES = ("set", "sample")
# Extent in the normalised plane below which a pose is a point but for rounding: about a thousandth
# of a pixel.
MIN_EXTENT = 1e-6
# Rays farther off than this have squares that float32 can't add up.
MAX_EXTENT = 1e15
TOO_FAR = (
    "normalise: expected rays in the normalised plane (x / z, about 1 or less), got numbers above "
    f"{MAX_EXTENT:g}; check the camera's focal length"
)
LARGEST_STORED = 1e30
# Rows that are summed at once: more than Human3.6M has training poses, so that the mean over an
# ordinary set is one sum, as if all its rows had come together.
PIECE = 2**21


def pose_size(
    x: Float[Tensor, "*batch J D"],
    present: Bool[Tensor, "*batch J"] | None = None,
    shares: Float[Tensor, "J"] | None = None,
) -> Float[Tensor, "*batch"]:
    """Root mean square distance of the joints from the root (which lies at the origin).

    Args:
        x: Root-centred poses.
        present: Which joints are there, all if ``None``; what stands in the others' place doesn't
            matter.
        shares: Share of each joint in the mean square on average, of mean 1. Without an
            ankle a pose then doesn't count as smaller. All 1 if ``None``.

    Returns:
        Sizes; their gradient is 0 where a size is.
    """
    if present is None:
        return _root(x.square().sum(-1).mean(-1))
    square = torch.where(present[..., None], x, 0.0).square().sum(-1)
    weight = present.to(x.dtype)
    expected = weight if shares is None else weight * shares.to(x)
    return _root(square.sum(-1) / expected.sum(-1).clamp_min(1e-12))


def _root(square: Tensor) -> Tensor:
    """The square root, whose gradient at 0 would be infinite."""
    nothing = square == 0
    return torch.where(nothing, 0.0, torch.where(nothing, 1.0, square).sqrt())


@dataclass(frozen=True)
class Normalised:
    """Normalised 2D poses, the lifter's input.

    Attributes:
        x: Root-centred, scaled poses, ``(..., J, 2)``.
        R: Rotation from the real to the virtual camera, ``(..., 3, 3)``.
        factor: Factor by which the centred poses were multiplied, ``(...)``.
        present: Which joints are there, ``(..., J)``; the others lie at the origin.
    """

    x: Tensor
    R: Tensor
    factor: Tensor
    present: Tensor

    def to_camera(self, X: Float[Tensor, "*batch J 3"]) -> Float[Tensor, "*batch J 3"]:
        """Lifted poses, turned from the virtual camera back to the real one's axes."""
        return X @ self.R.to(X.dtype)


@dataclass(frozen=True)
class Normaliser:
    """Normalisation of a set of poses to the method's size; part of every checkpoint.

    Attributes:
        centre: ``"rotate"`` or ``"translate"``, see :func:`centre`.
        scale: ``"set"``: every pose is multiplied by the same ``factor``, so that the *mean*
            head-to-root distance of the training set is ``1 / c`` (the paper's). ``"sample"``:
            every pose is brought to the :func:`pose_size` that the average training pose has under
            ``"set"``; it makes the input independent of the person's distance. (The head-to-root
            distance itself is no size of a single pose: it vanishes when a person bends over.)
        factor: The training set's factor.
        size: Mean :func:`pose_size` of the normalised training poses.
        shares: Share of each joint in the mean square size on average, of mean 1; it gives
            incomplete poses their size. Empty (checkpoints of version 0.1) counts all alike.
    """

    centre: str
    scale: str
    factor: float
    size: float
    shares: tuple[float, ...] = ()

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> Normaliser:
        """The normaliser that a checkpoint's metadata describe; JSON has made lists of tuples.

        Raises:
            KeyError, TypeError, ValueError: If they describe another thing.
        """
        found = cls(**{**stored, "shares": tuple(stored.get("shares", ()))})
        if found.centre not in CENTRES or found.scale not in SCALES:
            raise ValueError(f"unknown method '{found.centre}' or '{found.scale}'")
        numbers = (found.factor, found.size, *found.shares)
        # A factor of more is no picture's; Python's own integers have no end.
        if not all(0 <= number <= LARGEST_STORED for number in numbers):
            raise ValueError("a factor, size or share is below 0 or not finite")
        return found

    @classmethod
    def fit(
        cls,
        rays: Float[Tensor, "batch J 2"],
        skeleton: Skeleton,
        depth: float,
        centre_method: str = "rotate",
        scale: str = "set",
    ) -> Normaliser:
        """Measure a training set.

        Args:
            rays: Poses in the normalised plane.
            skeleton: The layout.
            depth: ``c``.
            centre_method: ``"rotate"`` or ``"translate"``.
            scale: ``"set"`` or ``"sample"``.

        Raises:
            ValueError: If a method is unknown, the poses have no extent, or a joint is seen at a
                right angle from its root.
        """
        return cls.fit_parts([rays], len(rays), skeleton, depth, centre_method, scale)

    @classmethod
    def fit_parts(
        cls,
        parts: Iterable[Float[Tensor, "_ J 2"]],
        poses: int,
        skeleton: Skeleton,
        depth: float,
        centre_method: str = "rotate",
        scale: str = "set",
    ) -> Normaliser:
        """Measure a training set that comes in parts; as :meth:`fit` of all of them together.

        Kept of each pose are its two sizes, whose means are then taken at once; the shares come
        from a :class:`MeanRow`. So the result is the same whatever the
        parts, bit for bit.

        Args:
            parts: Poses in the normalised plane, one part after another.
            poses: How many they are together.
            skeleton: The layout.
            depth: ``c``.
            centre_method: ``"rotate"`` or ``"translate"``.
            scale: ``"set"`` or ``"sample"``.

        Raises:
            ValueError: If a method is unknown or the poses have no extent.
        """
        if scale not in SCALES:
            raise ValueError(f"normalise.scale: expected 'set' or 'sample', got '{scale}'")
        distances, sizes, squares = [], [], MeanRow(poses, skeleton.num_joints)
        reach = 0.0
        for rays in parts:
            complete = torch.isfinite(rays).all(-1).all(-1)
            x = centre(rays[complete], skeleton.root, centre_method).x
            distances.append((x[..., skeleton.head, :] - x[..., skeleton.root, :]).norm(dim=-1))
            sizes.append(pose_size(x))
            reach = max(reach, float(x.abs().amax()) if len(x) else 0.0)
            squares.add(x.square().sum(-1))
        if not sum(map(len, sizes)):
            raise ValueError(
                "normalise: expected at least one complete pose to measure the scale on, got "
                f"{poses} poses that all lack joints; leave out joints that no pose has "
                "(convert the set to a smaller skeleton)"
            )
        distance = torch.cat(distances).mean()
        if not bool((distance > MIN_EXTENT) & (reach < MAX_EXTENT)):
            raise ValueError(
                "normalise: expected poses with an extent, got heads that all lie on the roots; "
                "check the joint order"
                if distance <= MIN_EXTENT
                else TOO_FAR
            )
        factor = float(1 / (depth * distance))
        square = squares.mean()
        # Exactly: after a rotation the root lies at the origin but for rounding.
        square[skeleton.root] = 0
        shares = tuple((square / square.mean()).tolist())
        return cls(centre_method, scale, factor, factor * float(torch.cat(sizes).mean()), shares)

    def apply(self, rays: Float[Tensor, "*batch J 2"], skeleton: Skeleton) -> Normalised:
        """Centre and scale poses.

        Args:
            rays: Poses in the normalised plane; NaN where a joint is missing.
            skeleton: The layout.

        Raises:
            ValueError: If a pose lacks its root, has all joints in one point, or one at a right
                angle from the root.
        """
        present = torch.isfinite(rays).all(-1)
        if not bool(present[..., skeleton.root].all()):
            raise ValueError(
                f"normalise: expected the root ('{skeleton.joints[skeleton.root]}') in every pose, "
                f"got {int((~present[..., skeleton.root]).sum())} without it; leave these out"
            )
        rays = torch.where(present[..., None], rays, torch.nan)
        found, size, sideways = self._sized(rays, present, skeleton)
        refuse_sideways(sideways)
        if not bool((size < MAX_EXTENT).all()):
            raise ValueError(TOO_FAR)
        if not bool(((size > MIN_EXTENT) & (present.sum(-1) > 1)).all()):
            raise ValueError(
                "normalise: expected poses with an extent, got at least one with all joints in "
                "one point; drop such poses"
            )
        return found

    def apply_unchecked(
        self,
        rays: Float[Tensor, "*batch J 2"],
        present: Bool[Tensor, "*batch J"],
        skeleton: Skeleton,
    ) -> Normalised:
        """:meth:`apply` in tensor operations alone, so that it can be traced.

        Args:
            rays: Poses in the normalised plane.
            present: Which joints are there; the others' rays are not looked at.
            skeleton: The layout.

        Returns:
            The same for poses that :meth:`apply` takes; undefined for others.
        """
        return self._sized(rays, present, skeleton)[0]

    def _sized(
        self, rays: Tensor, present: Tensor, skeleton: Skeleton
    ) -> tuple[Normalised, Tensor, Tensor]:
        """Normalised poses, what size they had before, and which of them have no image."""
        centred, sideways = centre_unchecked(rays, skeleton.root, self.centre)
        x = torch.where(present[..., None], centred.x, 0.0)
        shares = resident(self.shares, x, x.dtype) if self.shares else None
        size = pose_size(x, present, shares)
        factor = self.size / size if self.scale == "sample" else torch.full_like(size, self.factor)
        found = Normalised(x * factor[..., None, None], centred.R, factor, present)
        return found, size, sideways


class MeanRow:
    """The mean of many rows, in double precision, by sums over pieces of :data:`PIECE` rows.

    Where pieces end depends on how many rows came before, never on how they came, so that the same
    rows in other parts have the same mean, bit for bit.

    Args:
        rows: How many will come, at most.
        size: Numbers in a row.
    """

    def __init__(self, rows: int, size: int) -> None:
        self._piece = torch.empty(min(rows, PIECE), size, dtype=torch.float64)
        self._total = torch.zeros(size, dtype=torch.float64)
        self._waiting = self._count = 0

    def add(self, rows: Float[Tensor, "n J"]) -> None:
        """Take in rows."""
        while len(rows):
            some = rows[: PIECE - self._waiting]
            self._piece[self._waiting : self._waiting + len(some)] = some
            self._waiting += len(some)
            rows = rows[len(some) :]
            if self._waiting == PIECE:
                self._finish_piece()

    def mean(self) -> Float[Tensor, "J"]:
        """The mean of all rows; there has to be one."""
        self._finish_piece()
        return self._total / self._count

    def _finish_piece(self) -> None:
        if self._waiting:
            self._total = self._total + self._piece[: self._waiting].sum(0)
            self._count += self._waiting
            self._waiting = 0
