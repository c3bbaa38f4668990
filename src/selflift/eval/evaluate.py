r"""Lift a set of poses whose 3D truth is known, and measure the errors.

    pixels -> rays -> centre, scale -> lift -> subtract the root -> the real camera's axes

The lifter knows no millimetres. For MPJPE, which needs them, every prediction is scaled so that its
chain of bones from the ankles to the head (:func:`~selflift.geometry.normalise.skeleton_height`)
has one assumed length, the same for everybody. No truth is used for it. N-MPJPE and PA-MPJPE don't
depend on that number.

The flat-depth baseline goes the same way with ``d = 0`` for all joints: it is what the 2D input
alone is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selflift.data.poses import PoseSet
from selflift.data.rays import rays_of
from selflift.eval.metrics import check_scorable, mpjpe, n_mpjpe, pa_mpjpe
from selflift.geometry.anatomy import knee_score
from selflift.geometry.camera import backproject
from selflift.geometry.normalise import Normalised, Normaliser, skeleton_height
from selflift.models import Lifter

CHUNK = 65536

METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "pa_mpjpe_mm": pa_mpjpe,
    "pa_mpjpe_reflected_mm": partial(pa_mpjpe, reflection=True),
    "n_mpjpe_mm": n_mpjpe,
    "mpjpe_mm": mpjpe,
}
BASELINE_METRICS = ("pa_mpjpe_mm", "n_mpjpe_mm")


@dataclass(frozen=True)
class Evaluation:
    """What the lifter makes of a set, pose by pose, in the set's order.

    Attributes:
        errors: ``pa_mpjpe_mm`` (proper), ``pa_mpjpe_reflected_mm``, ``n_mpjpe_mm`` and
            ``mpjpe_mm`` of each pose, ``(N,)``.
        baseline: ``pa_mpjpe_mm`` and ``n_mpjpe_mm`` of the flat-depth baseline, ``(N,)``.
        predictions: Root-centred, in the camera's axes, mm by the assumed height, ``(N, J, 3)``.
        truth: Root-centred truth in the camera's axes, mm, ``(N, J, 3)``.
        elevation_rad: Predicted elevation of each pose, ``(N,)``; ``None`` without such a head.
        knee_score: +1 when all predicted knees bend forward, -1 when all bend backward.
        skeleton_height_mm: The assumed height behind ``predictions`` and ``mpjpe_mm``.
    """

    errors: dict[str, np.ndarray]
    baseline: dict[str, np.ndarray]
    predictions: np.ndarray
    truth: np.ndarray
    elevation_rad: np.ndarray | None
    knee_score: float
    skeleton_height_mm: float


@torch.no_grad()
def evaluate(
    lifter: Lifter,
    normaliser: Normaliser,
    poses: PoseSet,
    batch_size: int = 8192,
    skeleton_height_mm: float = 1600.0,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Measure a lifter on a set of poses.

    Args:
        lifter: The lifter; it is moved to the device and put in evaluation mode.
        normaliser: The one that was fitted to the lifter's training set.
        poses: Complete poses with 3D truth, and with cameras if the normaliser turns the camera.
        batch_size: Poses lifted at once.
        skeleton_height_mm: Assumed length of the chain of bones from the ankles to the head; a
            constant, not the truth of these persons. Only ``mpjpe_mm`` depends on it.
        device: Where the lifter runs.

    Returns:
        Errors and predictions of each pose.

    Raises:
        ValueError: If the set is empty, of another skeleton, incomplete or without 3D truth or
            needed cameras; if a number is out of range; if a prediction can't be scored.
    """
    _check(lifter, poses, batch_size, skeleton_height_mm)
    skeleton, lifter = poses.skeleton, lifter.to(device).eval()
    rays = rays_of(poses, normaliser.centre)
    lifted, flat, elevations = [], [], []
    for part in rays.split(batch_size):
        seen = normaliser.apply(part, skeleton)
        out = lifter.lift_with_elevation(seen.x.to(device))
        lifted.append(_to_camera(seen, out.X.cpu(), skeleton.root))
        depth = torch.full_like(seen.x[..., 0], lifter.depth)
        flat.append(_to_camera(seen, backproject(seen.x, depth), skeleton.root))
        if out.elevation_rad is not None:
            elevations.append(out.elevation_rad.cpu())
    X = torch.from_numpy(poses.poses_3d).double()
    truth = X - X[:, skeleton.root, None]
    prediction, baseline = torch.cat(lifted), torch.cat(flat)
    check_scorable(prediction, truth)
    prediction *= skeleton_height_mm / skeleton_height(prediction, skeleton)[:, None, None]
    return Evaluation(
        errors={name: _score(name, prediction, truth) for name in METRICS},
        baseline={name: _score(name, baseline, truth) for name in BASELINE_METRICS},
        predictions=prediction.float().numpy(),
        truth=truth.float().numpy(),
        elevation_rad=torch.cat(elevations).numpy() if elevations else None,
        knee_score=knee_score(prediction, skeleton),
        skeleton_height_mm=skeleton_height_mm,
    )


def _check(lifter: Lifter, poses: PoseSet, batch_size: int, skeleton_height_mm: float) -> None:
    if len(poses) == 0:
        raise ValueError("poses: expected at least one pose, got an empty set; check the split")
    if poses.poses_3d is None:
        raise ValueError(
            "poses: expected 3D truth (poses_3d) to measure errors, got a set of 2D poses alone; "
            "evaluate on a set that has it"
        )
    if poses.skeleton != lifter.skeleton:
        raise ValueError(
            f"poses: expected the lifter's skeleton '{lifter.skeleton.name}' "
            f"({lifter.skeleton.num_joints} joints), got '{poses.skeleton.name}' "
            f"({poses.skeleton.num_joints} joints); convert the poses"
        )
    if len(poses.skeleton.legs) != 2:
        raise ValueError(
            f"skeleton '{poses.skeleton.name}': expected two legs (hip, knee, ankle), which give "
            f"the body's height, got {len(poses.skeleton.legs)}; name them in Skeleton.legs"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    if not 0 < skeleton_height_mm < float("inf"):
        raise ValueError(
            f"skeleton_height_mm: expected a length above 0, got {skeleton_height_mm}; an adult's "
            "is about 1600"
        )


def _to_camera(seen: Normalised, X: Float[Tensor, "N J 3"], root: int) -> Float[Tensor, "N J 3"]:
    return seen.to_camera(X - X[:, root, None]).double()


def _score(
    name: str, prediction: Float[Tensor, "N J 3"], truth: Float[Tensor, "N J 3"]
) -> np.ndarray:
    # In chunks: the alignments hold several copies of what they are given.
    parts = zip(prediction.split(CHUNK), truth.split(CHUNK), strict=True)
    return torch.cat([METRICS[name](P, T) for P, T in parts]).numpy()
