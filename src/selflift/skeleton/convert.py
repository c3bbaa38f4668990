"""Conversion between layouts: joints by their anatomical parts, missing ones derived.

A joint of the target is the source's joint of the same part. If the source has none, it is
*derived*: the mean of other parts, by the first line of :data:`PARTS` that the source can serve. A
derived joint is a stand-in: the middle of the shoulders is not the thorax that a motion capture
system marks, and a network trained on one loses accuracy on the other. :func:`derived_joints` says
which ones they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from selflift.skeleton.layout import Skeleton

# part -> alternatives, best first; each the parts whose mean stands in for it.
PARTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "Pelvis": (("LHip", "RHip"),),
    "Thorax": (("Neck",), ("LShoulder", "RShoulder")),
    "Neck": (("Thorax",), ("LShoulder", "RShoulder")),
    "Spine": (("Pelvis", "Thorax"),),
    "Nose": (("Head",), ("Neck", "HeadTop")),
    "Head": (("LEar", "REar"), ("Nose",)),
    "HeadTop": (("LEye", "REye"), ("Head",)),
}


class Converted(NamedTuple):
    """Poses in another layout.

    Attributes:
        positions: ``(..., K, D)``; NaN where a joint is missing.
        confidence: ``(..., K)``, the least of the joints that each one is made of; ``None`` if
            none was given.
    """

    positions: np.ndarray
    confidence: np.ndarray | None


def convert(
    positions: np.ndarray,
    source: Skeleton,
    target: Skeleton,
    confidence: np.ndarray | None = None,
) -> Converted:
    """Poses of one layout in another, 2D or 3D.

    Args:
        positions: ``(..., J, D)``, any unit.
        source: Their layout.
        target: The wanted layout.
        confidence: ``(..., J)``; a joint of confidence 0 is missing, and so is every joint that is
            derived from it.

    Raises:
        ValueError: If the shapes don't fit the source, or the source has no joint for one of the
            target's and none to derive it from.
    """
    if positions.shape[-2] != source.num_joints:
        raise ValueError(
            f"poses: expected {source.num_joints} joints (skeleton '{source.name}'), got "
            f"{positions.shape[-2]}; name the layout that they have"
        )
    if confidence is not None and confidence.shape != positions.shape[:-1]:
        raise ValueError(
            f"confidence: expected shape {positions.shape[:-1]}, one number per joint, got "
            f"{confidence.shape}"
        )
    table = [_shares(part, source, target) for part in _parts(target)]
    out = np.stack([_mean(positions, shares) for shares in table], axis=-2)
    if confidence is None:
        return Converted(out, None)
    least = np.stack([confidence[..., list(shares)].min(-1) for shares in table], axis=-1)
    out[least <= 0] = np.nan
    return Converted(out, least)


def derived_joints(source: Skeleton, target: Skeleton) -> dict[str, tuple[str, ...]]:
    """The joints of the target that the source does not have, and what they are the mean of.

    Returns:
        Target joint to source joints, in the target's order; empty if every joint is there.

    Raises:
        ValueError: As :func:`convert`.
    """
    derived = {}
    have = set(_parts(source))
    for joint, part in zip(target.joints, _parts(target), strict=True):
        if part not in have:
            derived[joint] = tuple(source.joints[j] for j in _shares(part, source, target))
    return derived


def _parts(skeleton: Skeleton) -> tuple[str, ...]:
    return skeleton.parts or skeleton.joints


def _mean(positions: np.ndarray, shares: dict[int, float]) -> np.ndarray:
    # A joint that is there is copied, not multiplied, so that it stays the same to the bit.
    if len(shares) == 1:
        return positions[..., next(iter(shares)), :]
    total = sum(share * positions[..., joint, :] for joint, share in shares.items())
    return np.asarray(total, positions.dtype)


def _shares(part: str, source: Skeleton, target: Skeleton) -> dict[int, float]:
    """The source's joints whose weighted mean is a part, and their weights."""
    shares = _resolve(part, _parts(source), frozenset())
    if shares is None:
        raise ValueError(
            f"skeleton: expected '{part}' of '{target.name}' to be in '{source.name}' or derivable "
            f"from it, got {', '.join(_parts(source))}; choose another layout"
        )
    return shares


def _resolve(part: str, have: tuple[str, ...], asked: frozenset[str]) -> dict[int, float] | None:
    if part in have:
        return {have.index(part): 1.0}
    if part in asked:
        return None
    for alternative in PARTS.get(part, ()):
        found = [_resolve(other, have, asked | {part}) for other in alternative]
        shares: dict[int, float] = {}
        for one in found:
            for joint, share in (one or {}).items():
                shares[joint] = shares.get(joint, 0.0) + share / len(alternative)
        if None not in found:
            return shares
    return None
