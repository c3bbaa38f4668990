"""Log the bodies of a validation: spread of depth and elevation, histograms and figures.

Draws nothing at random and changes nothing of the training.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.config import TrainerConfig
from selflift.method.views import ViewSampler
from selflift.skeleton import Skeleton
from selflift.train.tensorboard import RunLog
from selflift.train.validate import Validation

# Validations of a run that have figures and histograms, at most.
MAX_FIGURES = 60
CYCLE_POSES, FLAT_POSES, TURNED_POSES = 6, 6, 3
TURNS_DEG = (0, 60, 120, 180, 240, 300)
# The same bounds at every validation, so that histograms compare.
ELEVATION_EDGES_DEG = [float(edge) for edge in range(-60, 62, 2)]


def log_bodies(
    log: RunLog,
    step: int,
    found: Validation,
    views: ViewSampler,
    skeleton: Skeleton,
    folder: Path,
    trainer: TrainerConfig,
) -> None:
    """Log the depths, elevations and figures of a validation; changes nothing of the training.

    Figures and histograms are drawn at some validations only, see :func:`draws_figures`. The cycle
    is saved in the run folder too.

    Raises:
        OSError: If the picture of the cycle can't be saved.
    """
    cycle, drawn = found.cycle, draws_figures(step, trainer)
    log.scalars(depth_spread(found.X, skeleton), step)
    if cycle.elevation_rad is not None:
        sampled = sampled_elevation(cycle.R, cycle.elevation_rad, views)
        for name, angle_rad in (("predicted", cycle.elevation_rad), ("sampled", sampled)):
            angle_deg = torch.rad2deg(angle_rad)
            log.scalars({f"elevation_std_deg/{name}": float(angle_deg.std(correction=0))}, step)
            if drawn:
                log.histogram(f"elevation_deg/{name}", angle_deg, ELEVATION_EDGES_DEG, step)
    if not drawn:
        return
    # Imported late: Matplotlib takes its time, and a run's first steps don't need it.
    from matplotlib.figure import Figure

    from selflift.viz import figure_cycle, plot_pose_2d, plot_pose_3d, save_figure

    picture = folder / "figures" / "validation.png"
    save_figure(figure_cycle(cycle, skeleton, CYCLE_POSES), picture)
    log.picture("validation/poses", picture.read_bytes(), step)

    def add(tag: str, figure: Figure) -> None:
        figure.subplots_adjust(0.01, 0.01, 0.99, 0.92, 0.05, 0.15)
        png = io.BytesIO()
        figure.savefig(png, format="png")
        log.picture(tag, png.getvalue(), step)

    real, generated = cycle.x[:FLAT_POSES], cycle.y[:FLAT_POSES]
    if cycle.confidence is not None:
        real = real.masked_fill(cycle.confidence[:FLAT_POSES, :, None] <= 0, math.nan)
    figure = Figure((1.3 * len(real), 3.6))
    rows = zip(figure.subplots(2, len(real), squeeze=False), (real, generated), strict=True)
    for title, (axes, poses) in zip(("real", "generated"), rows, strict=True):
        for ax, pose in zip(axes, poses.cpu().numpy(), strict=True):
            plot_pose_2d(ax, pose, skeleton)
            ax.set_title(title, fontsize=8)
    add("validation/real_and_generated", figure)

    upright = (found.X @ views.level(found.X, cycle.elevation_rad).mT)[:TURNED_POSES].cpu().numpy()
    figure = Figure((1.3 * len(TURNS_DEG), 1.8 * len(upright)))
    panels = figure.subplots(len(upright), len(TURNS_DEG), squeeze=False)
    for line, X in zip(panels, upright, strict=True):
        for ax, turn_deg in zip(line, TURNS_DEG, strict=True):
            plot_pose_3d(ax, X, skeleton, turn_deg)
            ax.set_title(f"{turn_deg}°", fontsize=8)
    add("validation/turning", figure)


def draws_figures(step: int, trainer: TrainerConfig) -> bool:
    """Return whether a validation has figures: the first, the last, and others evenly spread."""
    last, number = (-(-s // trainer.validate_every) for s in (trainer.steps, step))
    most = MAX_FIGURES - 1
    if last <= MAX_FIGURES or number == 1:
        return True
    return number * most // last > (number - 1) * most // last


def depth_spread(X: Float[Tensor, "batch J 3"], skeleton: Skeleton) -> dict[str, float]:
    """Spread of depth over poses, joint by joint; near 0, the lifter is flat.

    Args:
        X: Lifted, root-centred poses.
        skeleton: The layout.

    Returns:
        Standard deviations in units of the lifter, where a body is about 1 high: of each joint but
        the root, and their mean.
    """
    joints = [j for j in range(len(skeleton.joints)) if j != skeleton.root]
    spread = X[..., 2].std(0, correction=0)[joints].tolist()
    found = {f"depth_std/{skeleton.joints[j]}": s for j, s in zip(joints, spread, strict=True)}
    return {**found, "depth_std/mean": sum(spread) / len(spread)}


def sampled_elevation(
    R: Float[Tensor, "batch 3 3"], elevation_rad: Float[Tensor, "batch"], views: ViewSampler
) -> Float[Tensor, "batch"]:
    """Elevation of the random cameras, recovered from the views that were drawn.

    A view levels the body, turns it about y and pitches it. The turn leaves y unchanged, so the
    direction of y afterwards gives the pitch.

    Args:
        R: The views.
        elevation_rad: The poses' own elevations.
        views: What drew them.
    """
    vertical = (R @ views.level(R, elevation_rad).mT)[..., 1]
    return torch.atan2(vertical[..., 2], vertical[..., 1])
