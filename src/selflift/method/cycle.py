r"""The method's figure: lift, turn, project, lift again, turn back, project.

    x --G--> X --R--> Y --project--> y --G--> Y_hat --R^-1--> X_hat --project--> x_hat

``Y = R (X - X_root) + (0, 0, c)`` and ``X_hat = R^-1 (Y_hat - (0, 0, c)) + X_root``. A lifter that
is right closes the loop in 3D (``Y = Y_hat``) and in 2D (``x = x_hat``), and ``y`` looks like a
real pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.geometry.camera import project_unchecked
from selflift.geometry.normalise import MIN_EXTENT, pose_size
from selflift.geometry.rotation import turn_about_root, turn_back
from selflift.method.views import ViewSampler
from selflift.models.blocks import frozen_statistics
from selflift.models.lifter import Lifter


@dataclass(frozen=True)
class CycleOutput:
    """Everything the cycle computes, under the paper's names.

    Attributes:
        x: Input 2D poses, ``(B, J, 2)``.
        X: Lifted 3D, ``(B, J, 3)``.
        elevation_rad: Predicted elevation, ``(B,)``, or ``None``.
        R: Random view, ``(B, 3, 3)``.
        Y: Turned 3D, root at ``(0, 0, c)``.
        y: Its projection.
        Y_hat: ``y`` lifted again.
        X_hat: ``Y_hat`` turned back.
        x_hat: Its projection.
        confidence: Confidence of the input's joints, ``(B, J)``; ``None``: all are there.
        y_next: ``y`` of the frames that follow some of the poses, in the view of the pose that
            they follow, ``(F, J, 2)``; ``None`` if none were given.
    """

    x: Tensor
    X: Tensor
    elevation_rad: Tensor | None
    R: Tensor
    Y: Tensor
    y: Tensor
    Y_hat: Tensor
    X_hat: Tensor
    x_hat: Tensor
    confidence: Tensor | None = None
    y_next: Tensor | None = None


@dataclass(frozen=True)
class NextFrames:
    """The frames that follow some of the poses of a batch.

    Attributes:
        x: Normalised poses, ``(F, J, 2)``.
        of: Which pose of the batch each follows, ``(F,)``.
        confidence: Their joints' confidence, ``(F, J)``; ``None``: all are there.
    """

    x: Tensor
    of: Tensor
    confidence: Tensor | None = None


def run_cycle(
    lifter: Lifter,
    x: Float[Tensor, "batch J 2"],
    views: ViewSampler,
    generator: torch.Generator,
    confidence: Float[Tensor, "batch J"] | None = None,
    following: NextFrames | None = None,
) -> CycleOutput:
    """One turn of the cycle.

    Where joints are missing, ``y``, which is complete, is lifted again with the joints hidden that
    *another* pose of the batch lacks: so the lifter learns where hidden joints are.

    Args:
        lifter: ``G``.
        x: Normalised, root-centred 2D poses.
        views: How random views are drawn.
        generator: Source of randomness, on the device of ``x``.
        confidence: 0 marks a missing joint; ``None``: all are there.
        following: Frames that follow some of the poses; both are seen in one random view.
    """
    root, c, batch = lifter.skeleton.root, lifter.depth, len(x)
    # One pass through the lifter: its batch norm is to see one batch.
    lifted = lifter.lift_with_elevation(*_with_next(x, confidence, following))
    X = lifted.X[:batch]
    elevation = None if lifted.elevation_rad is None else lifted.elevation_rad[:batch]
    R = views.sample(x, elevation, generator)
    Y = turn_about_root(X, R, root, c)
    y = project_unchecked(keep_in_front(Y, lifter.min_depth))
    with frozen_statistics(lifter):
        Y_hat = lifter.lift(y, None if confidence is None else confidence.roll(1, 0))
    X_hat = turn_back(Y_hat, R, X[..., root, :], c)
    x_hat = project_unchecked(keep_in_front(X_hat, lifter.min_depth))
    y_next = None
    if following is not None:
        Y_next = turn_about_root(lifted.X[batch:], R[following.of], root, c)
        y_next = project_unchecked(keep_in_front(Y_next, lifter.min_depth))
    return CycleOutput(x, X, elevation, R, Y, y, Y_hat, X_hat, x_hat, confidence, y_next)


def _with_next(
    x: Tensor, confidence: Tensor | None, following: NextFrames | None
) -> tuple[Tensor, Tensor | None]:
    if following is None:
        return x, confidence
    both = torch.cat([x, following.x])
    if confidence is None and following.confidence is None:
        return both, None
    given = [
        torch.ones_like(poses[..., 0]) if known is None else known
        for poses, known in ((x, confidence), (following.x, following.confidence))
    ]
    return both, torch.cat(given)


def keep_in_front(X: Float[Tensor, "*batch J 3"], min_depth: float) -> Float[Tensor, "*batch J 3"]:
    """Bring joints that a turn took behind the camera to the nearest depth allowed.

    The lifter's own ``max(1, c + d)`` bounds depths before the turn; after it a far joint may lie
    behind the camera, where its projection would be meaningless and its gradient explode.
    """
    return torch.cat([X[..., :2], X[..., 2:].clamp_min(min_depth)], dim=-1)


def as_seen_by_discriminator(
    x: Float[Tensor, "*batch J 2"],
    depth: float,
    size: str,
    present: Float[Tensor, "*batch J"] | None = None,
) -> Float[Tensor, "*batch J 2"]:
    """Mask and scale real or generated poses before a discriminator sees them.

    Real poses that are normalised one way and fakes that are not differ by that alone, and ``D``
    learns it instead of anatomy.

    Args:
        x: Root-centred poses.
        depth: ``c``.
        size: ``"unit"``: every pose is scaled to :func:`~selflift.geometry.normalise.pose_size` 1;
            ``"kept"``: only the constant ``c`` brings them to the order of 1.
        present: 1 where a joint is shown, else 0; hidden joints come to lie at the origin, whatever
            stands in their place. All are shown if ``None``.

    Raises:
        ValueError: If ``size`` is unknown.
    """
    if present is not None:
        x = torch.where(present[..., None] > 0, x, 0.0)
    if size == "kept":
        return x * depth
    if size != "unit":
        raise ValueError(f"loss.discriminator_size: expected 'unit' or 'kept', got '{size}'")
    extent = pose_size(x, None if present is None else present > 0).clamp_min(MIN_EXTENT)
    return x / extent[..., None, None]
