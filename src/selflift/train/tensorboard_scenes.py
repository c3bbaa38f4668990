"""What a validation shows beside its numbers: elevations, depths and pictures.

Nothing here draws at random, and nothing goes back into the training.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.config import TrainerConfig
from selflift.method.views import ViewSampler
from selflift.skeleton import Skeleton
from selflift.train.log_interval import pictured
from selflift.train.tensorboard import Story
from selflift.train.tensorboard_layout import moving
from selflift.train.validate import Validation

CYCLE_POSES, FLAT_POSES, TURNING_POSES = 6, 8, 5
# Bounds of the histograms: the same at every validation and for both, so that they compare.
ELEVATION_EDGES_DEG = [float(edge) for edge in range(-60, 62, 2)]


def tell_scenes(
    story: Story,
    step: int,
    found: Validation,
    views: ViewSampler,
    skeleton: Skeleton,
    folder: Path,
    trainer: TrainerConfig,
) -> None:
    """Write a validation's distributions and pictures to TensorBoard, the cycle to a file as well.

    A long run's TensorBoard gets pictures and histograms of some validations alone, see
    :mod:`selflift.train.log_interval`.

    Args:
        story: Where to.
        step: The step.
        found: The validation.
        views: The run's view sampler.
        skeleton: The layout.
        folder: The run folder.
        trainer: The run's length and rhythm.

    Raises:
        OSError: If the picture can't be written.
    """
    # Only now: Matplotlib takes its time, and a run's first steps don't need it.
    from selflift.train.tensorboard_pictures import real_and_generated, turning
    from selflift.viz import figure_cycle, save_figure

    cycle = found.cycle
    shown = pictured(step, trainer)
    story.scalars(depth_spread(found.X, skeleton), step)
    if cycle.elevation_rad is not None:
        sampled = sampled_elevation(cycle.R, cycle.elevation_rad, views)
        for name, angle_rad in (("predicted", cycle.elevation_rad), ("sampled", sampled)):
            angle = torch.rad2deg(angle_rad)
            if shown:
                story.histogram(f"elevation_deg/{name}", angle, ELEVATION_EDGES_DEG, step)
            story.scalars({f"elevation_std_deg/{name}": float(angle.std(correction=0))}, step)
    picture = folder / "figures" / "validation.png"
    save_figure(figure_cycle(cycle, skeleton, CYCLE_POSES), picture)
    if not shown:
        return
    story.picture("validation/poses", picture.read_bytes(), step)
    real, generated = cycle.x[:FLAT_POSES], cycle.y[:FLAT_POSES]
    if cycle.confidence is not None:
        hidden = cycle.confidence[:FLAT_POSES, :, None] <= 0
        real = real.masked_fill(hidden, math.nan)
    story.picture(
        "validation/real_and_generated",
        real_and_generated(real.cpu().numpy(), generated.cpu().numpy(), skeleton),
        step,
    )
    upright = found.X @ views.level(found.X, cycle.elevation_rad).mT
    story.picture(
        "validation/turning", turning(upright[:TURNING_POSES].cpu().numpy(), skeleton), step
    )


def depth_spread(X: Float[Tensor, "batch J 3"], skeleton: Skeleton) -> dict[str, float]:
    """How far depths differ from pose to pose, joint by joint: near 0, a lifter is flat.

    Args:
        X: Lifted, root-centred poses.
        skeleton: The layout.

    Returns:
        Standard deviations in units of the lifter, where a body is about 1 high: of each joint but
        the root, and their mean.
    """
    joints = moving(skeleton)
    spread = X[..., 2].std(0, correction=0)[list(joints.values())].tolist()
    told = {f"depth_std/{name}": value for name, value in zip(joints, spread, strict=True)}
    return {**told, "depth_std/mean": sum(spread) / len(spread)}


def sampled_elevation(
    R: Float[Tensor, "batch 3 3"], elevation_rad: Float[Tensor, "batch"], views: ViewSampler
) -> Float[Tensor, "batch"]:
    """The elevation of the random cameras, found again in the views that were drawn.

    A view levels the body, turns it about y and pitches it; the turn leaves y as it is, so where y
    comes to lie tells the pitch.

    Args:
        R: The views.
        elevation_rad: The poses' own elevations.
        views: What drew them.
    """
    vertical = (R @ views.level(R, elevation_rad).mT)[..., 1]
    return torch.atan2(vertical[..., 2], vertical[..., 1])
