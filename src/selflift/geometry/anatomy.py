r"""Facing direction of a body, and the direction in which its knees bend.

Seen by a distant camera a body and its mirror image in depth project to the same points. Anatomy
tells them apart: knees bend *forward* of the line from hip to ankle. The forward direction comes
from left and right (hips) and up (hips to head); under a mirroring it turns into the opposite of
the mirrored one, so the score below changes its sign exactly.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.geometry.precision import power_of_two, unit_vectors
from selflift.skeleton import Skeleton

# Knee scores nearer to 0 than this tell neither a body nor its mirror image.
CLEAR_SCORE = 0.1
# Lengths that are no more than the rounding of coordinates, in its unit, say nothing.
ROUNDINGS = 16


def forward_direction(
    X: Float[Tensor, "*batch J 3"], skeleton: Skeleton
) -> Float[Tensor, "*batch 3"]:
    """Unit vector in which the pelvis faces: (left hip - right hip) x (head - root).

    Args:
        X: Poses in a right-handed frame, any unit.
        skeleton: A layout with legs.

    Returns:
        Vectors of norm 1, or 0 where hips and head lie on one line, so that nothing is in front.

    Raises:
        ValueError: If the layout has no legs.
    """
    (left_hip, _, _), (right_hip, _, _) = _two_legs(skeleton)
    X = X / power_of_two(X.abs().amax((-2, -1), keepdim=True))
    left = X[..., left_hip, :] - X[..., right_hip, :]
    up = X[..., skeleton.head, :] - X[..., skeleton.root, :]
    forward = torch.linalg.cross(left, up)
    size = forward.norm(dim=-1, keepdim=True)
    reach = left.norm(dim=-1, keepdim=True) + up.norm(dim=-1, keepdim=True)
    known = size > ROUNDINGS * torch.finfo(X.dtype).eps * reach
    return torch.where(known, forward / torch.where(known, size, 1.0), 0.0)


def knee_score(X: Float[Tensor, "batch J 3"], skeleton: Skeleton) -> float:
    """Score of knees that bend forward: +1 all of them, -1 all backward, 0 undecided.

    ``sum(offset . forward) / sum(|offset|)`` over all legs of all poses, where ``offset`` leads
    from the line hip-ankle to the knee: straight legs, which say nothing, weigh nothing.

    Args:
        X: Poses in a right-handed frame, any unit; none score 0.
        skeleton: A layout with legs.

    Raises:
        ValueError: If the layout has no legs, so that anatomy can't settle the depth sign, or a
            value is NaN or infinite.
    """
    _two_legs(skeleton)
    if len(X) == 0:
        return 0.0
    largest = X.abs().amax()
    if not bool(torch.isfinite(largest)):
        raise ValueError(
            "knee_score: expected finite poses, got NaN or Inf in at least one; drop such poses"
        )
    X = X / power_of_two(largest)
    forward = forward_direction(X, skeleton)
    along, total = 0.0, 0.0
    for hip, knee, ankle in skeleton.legs:
        line = X[..., ankle, :] - X[..., hip, :]
        line = unit_vectors(line)
        offset = X[..., knee, :] - X[..., hip, :]
        offset = offset - (offset * line).sum(-1, keepdim=True) * line
        # What rounding leaves of a straight leg would count in full where all legs are straight.
        bent = offset.norm(dim=-1, keepdim=True) > ROUNDINGS * torch.finfo(X.dtype).eps
        offset = torch.where(bent, offset, 0.0)
        along += float((offset * forward).sum())
        total += float(offset.norm(dim=-1).sum())
    return along / total if total > 0 else 0.0


def _two_legs(skeleton: Skeleton) -> tuple[tuple[int, int, int], ...]:
    if len(skeleton.legs) != 2:
        raise ValueError(
            f"skeleton '{skeleton.name}': expected two legs (hip, knee, ankle) to settle the "
            f"depth sign by anatomy, got {len(skeleton.legs)}; name them in Skeleton.legs"
        )
    return skeleton.legs
