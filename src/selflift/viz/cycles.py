"""The method's figure for a lifter and some poses."""

from __future__ import annotations

from dataclasses import replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from selflift.method.cycle import run_cycle
from selflift.method.views import ViewSampler
from selflift.models import Lifter
from selflift.viz.figures import figure_cycle
from selflift.viz.given import Poses

# Of the size that normalised poses have, 1 / c.
OFF_CENTRE = 1e-3


def plot_cycle(
    lifter: Lifter,
    x: Poses,
    views: ViewSampler | None = None,
    seed: int = 0,
    *,
    confidence: Poses | None = None,
    count: int = 4,
) -> Figure:
    """Lift 2D poses, look at them from a random view, project, lift again and turn back.

    A lifter that is right closes the cycle: the last column equals the first, ``Y_hat`` equals
    ``Y``, and the random view looks like a real pose.

    Args:
        lifter: ``G``; its mode (training or evaluation) is left as it is.
        x: Normalised, root-centred 2D poses, ``(B, J, 2)`` or ``(J, 2)``, see
            :mod:`selflift.geometry.normalise`.
        views: How random views are drawn; if ``None``, as the lifter allows: ``learned`` with an
            elevation head (whose elevations are those of all ``B`` poses), ``paper`` without.
        seed: Which random views.
        confidence: ``(B, J)`` or ``(J,)``; 0 marks a missing joint, which is not drawn in ``x``.
        count: How many of the poses to draw, at most.

    Returns:
        The figure, a row per pose; see :func:`~selflift.viz.figure_cycle`.

    Raises:
        ValueError: If poses or confidences don't fit the lifter, or aren't normalised.
    """
    skeleton, weight = lifter.skeleton, lifter.depth_head.weight
    poses = torch.as_tensor(x).detach().to(weight)
    poses = poses[None] if poses.ndim == 2 else poses
    J = skeleton.num_joints
    if poses.ndim != 3 or poses.shape[1:] != (J, 2):
        raise ValueError(
            f"x: expected (B, {J}, 2) or ({J}, 2), the lifter's '{skeleton.name}', got "
            f"{tuple(torch.as_tensor(x).shape)}; convert with selflift.skeleton.convert"
        )
    sure = None
    if confidence is not None:
        sure = torch.as_tensor(confidence).detach().to(weight)
        sure = sure[None] if sure.ndim == 1 else sure
        if sure.shape != poses.shape[:2]:
            raise ValueError(
                f"confidence: expected shape {tuple(poses.shape[:2])}, one number per joint, got "
                f"{tuple(sure.shape)}"
            )
    _check_normalised(poses, sure, lifter)
    if views is None:
        views = ViewSampler("paper" if lifter.elevation_head is None else "learned")
    generator = torch.Generator(weight.device).manual_seed(seed)
    training = lifter.training
    try:
        with torch.no_grad():
            cycle = run_cycle(lifter.eval(), poses, views, generator, sure)
    finally:
        lifter.train(training)
    if sure is not None:
        cycle = replace(cycle, x=cycle.x.masked_fill((sure <= 0)[..., None], float("nan")))
    return figure_cycle(cycle, skeleton, count)


def _check_normalised(x: Tensor, confidence: Tensor | None, lifter: Lifter) -> None:
    present = torch.ones_like(x[..., 0]) > 0 if confidence is None else confidence > 0
    if not x[present].isfinite().all():
        raise ValueError(
            "x: expected finite poses, got NaN; mark missing joints by confidence 0, for a lifter "
            "with model.lifter.confidences=true"
        )
    root = x[:, lifter.skeleton.root]
    off = float(root.abs().max()) if len(root) else 0.0
    if not off * lifter.depth < OFF_CENTRE:
        raise ValueError(
            f"x: expected normalised poses with {lifter.skeleton.joints[lifter.skeleton.root]} at "
            f"the origin, got it up to {off:.3g} away; see selflift.geometry.normalise"
        )
