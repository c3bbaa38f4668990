r"""Measure the predictions for poses whose 3D truth is known.

The lifter knows no millimetres. For MPJPE, which needs them, every prediction is scaled so that its
chain of bones from the ankles to the head (:func:`~selflift.geometry.bodies.skeleton_height`)
has one assumed length, the same for everybody. No truth is used for it. N-MPJPE and PA-MPJPE don't
depend on that number. ``mpjpe_train_scale_mm`` takes another: one factor for all predictions, which
fits the *training* set best.

Truths and predictions are root-centred; a subset of joints is chosen after that, and alignments see
that subset alone. Everything runs in double precision, in chunks that bound the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selflift.data.pose_set import PoseSet
from selflift.data.streams import streams
from selflift.evaluate.lifted_set import LiftedSet, check_legs, lift_set
from selflift.evaluate.metrics import (
    auc,
    check_scorable,
    depth_flip_mpjpe,
    distances,
    pck,
    scale_lsq,
    scale_norm,
    training_scale,
)
from selflift.evaluate.structure import (
    bone_asymmetry,
    bone_length_error,
    facing_correct,
    mpjve,
    reprojection_error,
)
from selflift.geometry.align import procrustes, procrustes_both
from selflift.geometry.anatomy import knee_score
from selflift.geometry.bodies import skeleton_height
from selflift.geometry.normalise import Normaliser
from selflift.models import Lifter
from selflift.skeleton import Skeleton

CHUNK = 65536


@dataclass(frozen=True)
class Evaluation:
    """The errors of a set, pose by pose, in the set's order.

    Attributes:
        errors: The metrics of :data:`selflift.evaluate.catalogue.METRICS` that this set allows,
            each ``(N,)``; NaN where a pose has none (no next frame, for a velocity).
        joint_errors: ``pa_mpjpe_mm`` and ``n_mpjpe_mm`` of each scored joint, mean over poses.
        joints: Indices of the scored joints.
        predictions: Root-centred, in the camera's axes, mm by the assumed height, ``(N, J, 3)``.
        truth: Root-centred truth in the camera's axes, mm, ``(N, J, 3)``.
        elevation_rad: Predicted elevation of each pose, ``(N,)``; ``None`` without such a head.
        knee_score: +1 when all predicted knees bend forward, -1 when all bend backward.
        skeleton_height_mm: The assumed height behind ``predictions`` and ``mpjpe_mm``.
        mm_per_unit: The training set's factor behind ``mpjpe_train_scale_mm``, if there is one.
    """

    errors: dict[str, np.ndarray]
    joint_errors: dict[str, np.ndarray]
    joints: tuple[int, ...]
    predictions: np.ndarray
    truth: np.ndarray
    elevation_rad: np.ndarray | None
    knee_score: float
    skeleton_height_mm: float
    mm_per_unit: float | None = None


def evaluate(
    lifter: Lifter,
    normaliser: Normaliser,
    poses: PoseSet,
    batch_size: int = 8192,
    skeleton_height_mm: float = 1600.0,
    device: torch.device | str = "cpu",
    mm_per_unit: float | None = None,
    joints: Sequence[int] | None = None,
) -> Evaluation:
    """Lift a set of poses and measure: :func:`lift_set`, then :func:`score`.

    Args:
        lifter: The lifter; it is moved to the device and put in evaluation mode.
        normaliser: The one that was fitted to the lifter's training set.
        poses: Complete poses with 3D truth, and with cameras if the normaliser turns the camera.
        batch_size: Poses lifted at once.
        skeleton_height_mm: Assumed length of the chain of bones from the ankles to the head; a
            constant, not the truth of these persons. Only ``mpjpe_mm`` and what is made of it
            depend on it.
        device: Where the lifter runs.
        mm_per_unit: See :func:`scale_of`.
        joints: Indices of the joints to score; all of them if not given.

    Raises:
        ValueError: If the set is empty, of another skeleton, incomplete or without 3D truth or
            needed cameras; if a number is out of range; if a prediction can't be scored.
    """
    _check(poses, skeleton_height_mm)
    lifted = lift_set(lifter, normaliser, poses, batch_size, device)
    return score(lifted, poses, skeleton_height_mm, mm_per_unit, joints)


def scale_of(lifted: LiftedSet, poses: PoseSet) -> float:
    """Fit the millimetres per unit of the lifter: the one factor that fits a (training) set best.

    Raises:
        ValueError: If the set has no 3D truth.
    """
    return training_scale(torch.from_numpy(lifted.predictions).double(), truth_of(poses).double())


def truth_of(poses: PoseSet) -> Float[Tensor, "N J 3"]:
    """Take the root-centred truth in the camera's axes, mm.

    Raises:
        ValueError: If the set has no 3D truth.
    """
    if poses.poses_3d is None:
        raise ValueError(
            "poses: expected 3D truth (poses_3d) to measure errors, got a set of 2D poses alone; "
            "evaluate on a set that has it"
        )
    X = torch.from_numpy(poses.poses_3d)
    return X - X[:, poses.skeleton.root, None]


def score(
    lifted: LiftedSet,
    poses: PoseSet,
    skeleton_height_mm: float = 1600.0,
    mm_per_unit: float | None = None,
    joints: Sequence[int] | None = None,
) -> Evaluation:
    """Measure predictions against the truth; see :func:`evaluate`.

    Raises:
        ValueError: As :func:`evaluate`.
    """
    _check(poses, skeleton_height_mm)
    skeleton = poses.skeleton
    scored = list(range(skeleton.num_joints)) if joints is None else list(joints)
    truth, units = truth_of(poses), torch.from_numpy(lifted.predictions)
    check_scorable(units, truth)
    height = skeleton_height(units.double(), skeleton)
    prediction = (units * (skeleton_height_mm / height)[:, None, None]).float()
    columns: dict[str, list[Tensor]] = {}
    sums: dict[str, Tensor] = {}
    for start in range(0, len(truth), CHUNK):
        rows = slice(start, start + CHUNK)
        P, T = prediction[rows].double(), truth[rows].double()
        own, of_joints = _chunk(P, T, scored, skeleton)
        if mm_per_unit is not None:
            scaled = units[rows].double() * mm_per_unit
            own["mpjpe_train_scale_mm"] = distances(scaled[:, scored], T[:, scored]).mean(-1)
        if poses.cameras is not None:
            own["reprojection_px"] = _reprojection(P, T, poses, rows)
        flat = torch.from_numpy(lifted.flat[rows]).double()[:, scored]
        own |= _flat(flat, T[:, scored])
        for name, column in own.items():
            columns.setdefault(name, []).append(column)
        for name, distance in of_joints.items():
            sums[name] = sums.get(name, torch.zeros(())) + distance.sum(0)
    errors = {name: torch.cat(parts).numpy() for name, parts in columns.items()}
    errors["mpjve_mm"] = _velocity(prediction, truth, poses)
    return Evaluation(
        errors=errors,
        joint_errors={name: (total / len(truth)).numpy() for name, total in sums.items()},
        joints=tuple(scored),
        predictions=prediction.numpy(),
        truth=truth.numpy(),
        elevation_rad=lifted.elevation_rad,
        knee_score=knee_score(prediction, skeleton),
        skeleton_height_mm=skeleton_height_mm,
        mm_per_unit=mm_per_unit,
    )


def _chunk(
    P: Float[Tensor, "N J 3"], T: Float[Tensor, "N J 3"], scored: list[int], skeleton: Skeleton
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Every metric that needs nothing but the poses, and the distances per joint."""
    p, t = P[:, scored], T[:, scored]
    proper, reflected = procrustes_both(p, t)
    fitted = scale_lsq(p, t)
    height, lsq, pa = distances(p, t), distances(fitted, t), distances(proper, t)
    whole = scale_lsq(P, T)
    columns = {
        "pa_mpjpe_mm": pa.mean(-1),
        "pa_mpjpe_reflected_mm": distances(reflected, t).mean(-1),
        "n_mpjpe_mm": lsq.mean(-1),
        "n_mpjpe_norm_mm": distances(scale_norm(p, t), t).mean(-1),
        "mpjpe_mm": height.mean(-1),
        "mpjpe_flip_mm": depth_flip_mpjpe(p, t),
        "pck150": pck(height),
        "auc": auc(height),
        "n_pck150": pck(lsq),
        "n_auc": auc(lsq),
        "pa_pck150": pck(pa),
        "pa_auc": auc(pa),
        "bone_length_mm": bone_length_error(whole, T, skeleton),
        "symmetry_pct": bone_asymmetry(P, skeleton),
    }
    if {"Nose", "LShoulder", "RShoulder"} <= set(skeleton.parts):
        columns["facing_pct"] = 100 * facing_correct(P, T, skeleton)
    return columns, {"pa_mpjpe_mm": pa, "n_mpjpe_mm": lsq}


def _flat(P: Float[Tensor, "N J 3"], T: Float[Tensor, "N J 3"]) -> dict[str, Tensor]:
    return {
        "flat_pa_mpjpe_mm": distances(procrustes(P, T), T).mean(-1),
        "flat_n_mpjpe_mm": distances(scale_lsq(P, T), T).mean(-1),
    }


def _reprojection(
    P: Float[Tensor, "N J 3"], T: Float[Tensor, "N J 3"], poses: PoseSet, rows: slice
) -> Float[Tensor, "N"]:
    assert poses.cameras is not None and poses.poses_3d is not None
    intrinsics = poses.cameras.intrinsics(poses.camera.index[rows]).map(torch.Tensor.double)
    return reprojection_error(
        scale_lsq(P, T),
        torch.from_numpy(poses.poses_3d[rows]).double(),
        torch.from_numpy(poses.poses_2d[rows]).double(),
        intrinsics,
        root=poses.skeleton.root,
    )


def _velocity(
    prediction: Float[Tensor, "N J 3"], truth: Float[Tensor, "N J 3"], poses: PoseSet
) -> np.ndarray:
    # Streams, because two subjects' clips may bear one name.
    stream = streams(poses, np.arange(len(poses)))
    clip, camera, frame = (
        torch.from_numpy(column.astype(np.int64))
        for column in (stream, poses.camera.index, poses.frame)
    )
    return mpjve(scale_lsq(prediction, truth), truth, clip, camera, frame).numpy()


def _check(poses: PoseSet, skeleton_height_mm: float) -> None:
    if len(poses) == 0:
        raise ValueError("poses: expected at least one pose, got an empty set; check the split")
    truth_of(poses)
    check_legs(poses.skeleton)
    if not 0 < skeleton_height_mm < float("inf"):
        raise ValueError(
            f"skeleton_height_mm: expected a length above 0, got {skeleton_height_mm}; an adult's "
            "is about 1600"
        )
