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
from selflift.geometry.means import MeanRow
from selflift.geometry.precision import least_size
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
        from a :class:`~selflift.geometry.means.MeanRow`. So the result is the same whatever the
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


def bone_lengths(
    X: Float[Tensor, "*batch J D"], skeleton: Skeleton
) -> Float[Tensor, "*batch bones"]:
    """Length of every bone, in the order of ``skeleton.bones`` and the unit of ``X``."""
    parent, child = zip(*skeleton.bones, strict=True)
    return (X[..., resident(child, X), :] - X[..., resident(parent, X), :]).norm(dim=-1)


def skeleton_height(X: Float[Tensor, "*batch J 3"], skeleton: Skeleton) -> Float[Tensor, "*batch"]:
    """Length of the chain of bones from the ankles to the head (legs averaged over the sides).

    It does not change with the pose, so it gives a person's size in any posture. It is about
    8 cm (the height of the ankle) short of the stature.

    Args:
        X: Poses; any unit.
        skeleton: A layout with legs.

    Returns:
        The length of the chain, in the unit of ``X``.

    Raises:
        ValueError: If the layout has no legs.
    """
    if not skeleton.legs:
        raise ValueError(
            f"skeleton '{skeleton.name}': expected legs (hip, knee, ankle) to measure a height "
            "along, got none; name them in Skeleton.legs"
        )
    spine = _chain(skeleton, skeleton.head)
    legs = [joint for _, knee, ankle in skeleton.legs for joint in (knee, ankle)]
    ends = [*spine, *legs]
    starts = [skeleton.parents[joint] for joint in ends]
    # Of these bones alone: the others' lengths would double the time.
    lengths = (X[..., resident(ends, X), :] - X[..., resident(starts, X), :]).norm(dim=-1)
    spines, both = lengths.split([len(spine), len(legs)], dim=-1)
    return spines.sum(-1) + both.sum(-1) / len(skeleton.legs)


def relative_bone_lengths(
    X: Float[Tensor, "*batch J 3"], skeleton: Skeleton
) -> Float[Tensor, "*batch bones"]:
    """Bone lengths relative to :func:`body_size`, in the order of ``skeleton.bones``.

    0 for a pose in one point.
    """
    lengths = bone_lengths(X, skeleton)
    return lengths / body_size(X, skeleton)[..., None].clamp_min(least_size(lengths.dtype))


def body_size(X: Float[Tensor, "*batch J 3"], skeleton: Skeleton) -> Float[Tensor, "*batch"]:
    """:func:`skeleton_height`, or the sum of all bones where a layout has no legs."""
    if skeleton.legs:
        return skeleton_height(X, skeleton)
    return bone_lengths(X, skeleton).sum(-1)


def _chain(skeleton: Skeleton, joint: int) -> list[int]:
    chain = []
    while joint != skeleton.root:
        chain.append(joint)
        joint = skeleton.parents[joint]
    return chain
