"""Lifters of several kinds, random but not nothing, and the inputs that they are asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from selflift.export.model_files import OLDEST_TORCH
from selflift.geometry.normalise import Normaliser
from selflift.lift import LiftedPoses, PoseLifter
from selflift.models import Lifter

SHARES = tuple(np.linspace(0, 2, 17).tolist())
KINDS = {
    "all heads": (
        "h36m_17",
        {"elevation": True, "confidences": True, "refine": True, "mirror_average": True},
        Normaliser("rotate", "sample", 0.4, 0.06, SHARES),
    ),
    "plain": ("h36m_17", {}, Normaliser("rotate", "sample", 0.4, 0.06)),
    "no camera": (
        "coco_17_hip",
        {"confidences": True, "norm": "none", "fix_root": False},
        Normaliser("translate", "set", 0.4, 0.06),
    ),
    "mirror": (
        "h36m_17",
        {"elevation": True, "mirror_average": True},
        Normaliser("translate", "sample", 0.4, 0.06),
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
needs_tracing = pytest.mark.skipif(
    torch.__version__ < OLDEST_TORCH, reason=f"PyTorch older than {OLDEST_TORCH} exports no lifter"
)


def pose_lifter(kind: str, precision: str = "float32") -> PoseLifter:
    skeleton, options, normaliser = KINDS[kind]
    torch.manual_seed(0)
    lifter = Lifter(skeleton, **{"width": 16, "num_blocks": 1, **options})  # type: ignore[arg-type]
    with torch.no_grad():
        for tensor in lifter.state_dict().values():
            if tensor.is_floating_point():
                tensor += 0.1 * torch.rand_like(tensor)
    return PoseLifter(lifter.eval(), normaliser, "/home/me/a lifter", "cpu", precision)


def asked(lifter: PoseLifter, batch: int, seed: int) -> tuple[Tensor, ...]:
    """Random inputs: confidences, and missing joints, in every other pose."""
    rng = np.random.default_rng(seed)
    joints = lifter.skeleton.num_joints
    keypoints = rng.uniform(200, 800, (batch, joints, 2))
    confidence = rng.uniform(0.1, 1, (batch, joints))
    confidence[1::2][rng.uniform(size=(batch, joints))[1::2] < 0.2] = 0
    camera = (rng.uniform(900, 1300, 2), rng.uniform(450, 550, 2), np.array(rng.uniform(1, 2)))
    return tuple(torch.from_numpy(x).float() for x in (keypoints, confidence, *camera))


def answer(lifter: PoseLifter, inputs: tuple[Tensor, ...]) -> LiftedPoses:
    keypoints, confidence, f_px, c_px, stature_m = inputs
    return lifter(
        keypoints, confidence=confidence, f_px=f_px.tolist(), c_px=c_px.tolist(),
        size_px=(1000, 1000), stature_m=float(stature_m), same_camera=False,
    )  # fmt: skip


def assert_same(outputs: object, expected: LiftedPoses) -> None:
    """NaN in the same poses; else the same but for 1e-4 of the body height, or of the distance."""
    X_m, root_m, elevation_rad = (np.asarray(x) for x in outputs)  # type: ignore[attr-defined]
    assert len(X_m) == len(expected.X_m)
    np.testing.assert_allclose(X_m, expected.X_m, atol=1e-4 * expected.stature_m)
    np.testing.assert_allclose(root_m, expected.root_m, rtol=1e-4, atol=1e-4)
    tilt = np.where(expected.lifted, 0.0, np.nan)
    if expected.elevation_rad is not None:
        tilt = expected.elevation_rad
    np.testing.assert_allclose(elevation_rad, tilt, atol=1e-4)
