r"""Plausibility of lifted poses by anatomy, without their truth.

Bones keep their lengths while a person moves, all people have much the same proportions, and knees
bend forward. Each is measured pose by pose. Lengths are taken relative to the height of the same
pose's skeleton (:func:`~selflift.geometry.bodies.skeleton_height`): a lifter that sees every
pose at one size in the image makes a crouching person larger than a standing one.

A pose without a measure is NaN, never 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selflift.geometry.anatomy import forward_direction
from selflift.geometry.bodies import bone_lengths, skeleton_height
from selflift.skeleton import Skeleton

# Straighter knees bend neither way clearly: the direction is that of the noise.
MIN_KNEE_BEND_DEG = 15.0
# Share of a leg's length; shorter distances of the knee from the line hip-ankle are rounding.
MIN_KNEE_OFFSET = 1e-5


class Knees(NamedTuple):
    """Direction in which the knees of each pose bend.

    Attributes:
        score: ``(N,)``: +1 when both bend forward, -1 when both bend backward, a bent knee counting
            for more than a straight one; NaN for straight legs.
        forward_pct: ``(N,)``: share of the bent knees that bend forward, in percent; NaN where no
            knee is bent by :data:`MIN_KNEE_BEND_DEG`.
    """

    score: Tensor
    forward_pct: Tensor


def knees(X: Float[Tensor, "N J 3"], skeleton: Skeleton) -> Knees:
    """Direction in which the knees of each pose bend.

    ``score`` is :func:`selflift.geometry.anatomy.knee_score` of the one pose.

    Args:
        X: Poses in a right-handed frame, any unit.
        skeleton: A layout with two legs.
    """
    forward = forward_direction(X, skeleton)
    # Hips in one point, or on the line to the head, leave no forward.
    faces = (forward.norm(dim=-1) > 0.5)[:, None]
    offsets, bends = [], []
    for hip, knee, ankle in skeleton.legs:
        thigh, shank = X[:, knee] - X[:, hip], X[:, ankle] - X[:, knee]
        line = thigh + shank
        line = line / line.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        offset = thigh - (thigh * line).sum(-1, keepdim=True) * line
        rounding = MIN_KNEE_OFFSET * (thigh.norm(dim=-1) + shank.norm(dim=-1))
        offsets.append(torch.where((offset.norm(dim=-1) > rounding)[:, None], offset, 0.0))
        # By sine and cosine: the cosine alone is blind to small angles.
        sine = torch.linalg.cross(thigh, shank).norm(dim=-1)
        bends.append(torch.rad2deg(torch.atan2(sine, (thigh * shank).sum(-1))))
    offset = torch.stack(offsets, 1)
    along = (offset * forward[:, None]).sum(-1)
    reach = offset.norm(dim=-1) * faces
    bent = (torch.stack(bends, 1) >= MIN_KNEE_BEND_DEG) & faces
    # 0 / 0 is NaN: the mark of a pose without a measure.
    return Knees(along.sum(-1) / reach.sum(-1), 100 * ((along > 0) & bent).sum(-1) / bent.sum(-1))


def proportions(X: Float[Tensor, "N J 3"], skeleton: Skeleton) -> Float[Tensor, "N bones"]:
    """Bone lengths over the height of the same skeleton, in the order of ``skeleton.bones``.

    Args:
        X: Poses whose skeletons have a height, any unit.
        skeleton: A layout with legs.
    """
    return bone_lengths(X, skeleton) / skeleton_height(X, skeleton)[:, None]


def deviation_from_median(lengths: np.ndarray) -> np.ndarray:
    """Deviation of the proportions of each pose from those of the set's typical pose.

    Args:
        lengths: ``(N, bones)``, see :func:`proportions`.

    Returns:
        ``(N,)``: the mean over bones of ``|l - median| / median``, in percent. A bone whose median
        is 0 (two joints in one place) does not count.
    """
    typical = np.median(lengths, axis=0)
    counted = typical > 0
    # Of no bone at all the mean is 0 / 0, which is NaN.
    relative = np.abs(lengths[:, counted] / typical[counted] - 1)
    with np.errstate(invalid="ignore"):
        return 100 * relative.sum(1) / np.float64(counted.sum())


def variation(lengths: np.ndarray, recording: np.ndarray) -> np.ndarray:
    """Variation of bone lengths over the recording that each pose is of.

    Args:
        lengths: ``(N, bones)``, see :func:`proportions`.
        recording: ``(N,)``, see :func:`selflift.data.streams.streams`.

    Returns:
        ``(N,)``: the mean over bones of standard deviation over mean (over the recording's frames),
        in percent; the same for all poses of a recording, NaN for those of a single frame. A bone
        of length 0 in all frames does not count.
    """
    mean, std = _moments(lengths, recording)
    counted = mean > 0
    relative = np.divide(std, mean, out=np.zeros_like(std), where=counted)
    with np.errstate(invalid="ignore"):
        value = relative.sum(1) / counted.sum(1)
    return 100 * value[recording]


def spread(values: np.ndarray, recording: np.ndarray) -> np.ndarray:
    """Standard deviation over the recording that each pose is of.

    Args:
        values: ``(N,)``.
        recording: ``(N,)``, see :func:`selflift.data.streams.streams`.

    Returns:
        ``(N,)``, in the unit of the values; NaN for recordings of a single frame.
    """
    return _moments(values[:, None], recording)[1][recording, 0]


def _moments(values: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample standard deviation of each column in each group, ``(groups, columns)``."""
    count = np.bincount(group)[:, None]

    def total(table: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(group, column) for column in table.T], 1)

    mean = total(values) / count
    # Two passes: a difference of large sums would lose small variations.
    square = total((values - mean[group]) ** 2)
    free = np.where(count > 1, count - 1, np.nan)
    return mean, np.sqrt(square / free)
