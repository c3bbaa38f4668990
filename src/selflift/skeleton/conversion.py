"""Convert poses between layouts: joints by their anatomical parts, missing ones derived.

A joint of the target is the source's joint of the same part. If the source has none, it is
*derived*: the mean of other parts, by the first of the alternatives in :data:`PARTS` whose joints
were all found in this pose (a person seen from behind has ears, no eyes). A derived joint is a
stand-in: the middle of the shoulders is not the thorax that a motion capture system marks, and a
network trained on one loses accuracy on the other. :func:`derived_joints` lists them.
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
    "Head": (("LEar", "REar"), ("LEye", "REye"), ("Nose", "HeadTop")),
    "HeadTop": (
        ("LEye", "REye"),
        ("LEar", "REar"),
        ("LEye",),
        ("REye",),
        ("LEar",),
        ("REar",),
        ("Head",),
    ),
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
    """Convert poses from one layout to another, 2D or 3D.

    Args:
        positions: ``(..., J, D)``, any unit.
        source: Their layout.
        target: The wanted layout.
        confidence: ``(..., J)``; a joint of confidence 0 is missing, and so is every joint that can
            only be derived from it.

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
    table = [_alternatives(part, source, target) for part in _parts(target)]
    out = np.stack([_mean(positions, shares) for shares, *_ in table], axis=-2)
    if confidence is None:
        return Converted(out, None)
    least = np.stack([_least(confidence, shares) for shares, *_ in table], axis=-1)
    for joint, (_, *others) in enumerate(table):
        for shares in others:
            weaker = (least[..., joint] <= 0) & (_least(confidence, shares) > 0)
            if weaker.any():
                out[..., joint, :][weaker] = _mean(positions[weaker], shares)
                least[..., joint][weaker] = _least(confidence[weaker], shares)
    out[least <= 0] = np.nan
    return Converted(out, least)


def derived_joints(source: Skeleton, target: Skeleton) -> dict[str, tuple[str, ...]]:
    """List the target's joints that the source lacks, with the joints whose mean replaces them.

    Where one of those is missing in a pose, another alternative of :data:`PARTS` may serve.

    Returns:
        Target joint to source joints, in the target's order; empty if every joint is there.

    Raises:
        ValueError: As :func:`convert`.
    """
    derived = {}
    have = set(_parts(source))
    for joint, part in zip(target.joints, _parts(target), strict=True):
        if part not in have:
            derived[joint] = tuple(source.joints[j] for j in _alternatives(part, source, target)[0])
    return derived


def _parts(skeleton: Skeleton) -> tuple[str, ...]:
    return skeleton.parts or skeleton.joints


def _mean(positions: np.ndarray, shares: dict[int, float]) -> np.ndarray:
    # A joint that is there is copied, not multiplied, so that it stays the same to the bit.
    if len(shares) == 1:
        return positions[..., next(iter(shares)), :]
    total = sum(share * positions[..., joint, :] for joint, share in shares.items())
    return np.asarray(total, positions.dtype)


def _least(confidence: np.ndarray, shares: dict[int, float]) -> np.ndarray:
    return confidence[..., list(shares)].min(-1)


def _alternatives(part: str, source: Skeleton, target: Skeleton) -> list[dict[int, float]]:
    """Ways to make a part from the source's joints, best first: joints and their weights."""
    found = _resolve(part, _parts(source), frozenset())
    if not found:
        raise ValueError(
            f"skeleton: expected '{part}' of '{target.name}' to be in '{source.name}' or derivable "
            f"from it, got {', '.join(_parts(source))}; choose another layout"
        )
    return found


def _resolve(part: str, have: tuple[str, ...], asked: frozenset[str]) -> list[dict[int, float]]:
    if part in have:
        return [{have.index(part): 1.0}]
    if part in asked:
        return []
    found = []
    for alternative in PARTS.get(part, ()):
        each = [_resolve(other, have, asked | {part}) for other in alternative]
        if all(each):
            # The best way for every part: combinations of others would be guesses upon guesses.
            shares: dict[int, float] = {}
            for joint, share in (item for ways in each for item in ways[0].items()):
                shares[joint] = shares.get(joint, 0.0) + share / len(alternative)
            found.append(shares)
    return found
