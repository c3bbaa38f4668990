"""Whether a file gives what PyTorch gives: on poses that it was not made with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from selflift.export.module import OUTPUTS, PixelLifter

# Relative to the body height, or to the distance from the camera where that is larger.
TOLERANCE = 1e-4
BATCHES = (1, 2, 5, 64)
STATURE_M = 1.7

Run = Callable[[tuple[Tensor, ...]], Sequence[Tensor]]


def example(module: PixelLifter, batch: int, seed: int) -> tuple[Tensor, ...]:
    """Random inputs: people of 300 px in an image of 1,000; some lack a joint or more."""
    generator = torch.Generator().manual_seed(seed)
    joints = module.skeleton.num_joints
    keypoints = 500 + 100 * torch.randn(batch, joints, 2, generator=generator)
    confidence = torch.rand(batch, joints, generator=generator)
    missing = 0.15 if module.lifter.confidences else 0.15 / joints
    confidence[torch.rand(batch, joints, generator=generator) < missing] = 0
    f_px = 900 + 400 * torch.rand(2, generator=generator)
    c_px = 480 + 40 * torch.rand(2, generator=generator)
    return keypoints, confidence, f_px, c_px, torch.tensor(STATURE_M)


def check(path: object, run: Run, module: PixelLifter) -> float:
    """Compare a file with the module that it was made of.

    Args:
        path: What to call it.
        run: Runs the file.
        module: The module.

    Returns:
        The largest difference, as a share of the body height.

    Raises:
        ValueError: If it is above :data:`TOLERANCE`, or other poses are NaN.
    """
    worst = 0.0
    for seed, batch in enumerate(BATCHES):
        inputs = example(module, batch, seed)
        with torch.inference_mode():
            expected = module(*inputs)
        for name, right, got in zip(OUTPUTS, expected, run(inputs), strict=True):
            worst = max(worst, _apart(name, right, got))
    if not worst <= TOLERANCE:
        raise ValueError(
            f"export '{path}': expected what PyTorch computes but for {TOLERANCE} of the body "
            f"height, got poses that are {worst:.2g} apart; nothing was written: try other "
            "versions of torch, onnxscript and onnxruntime"
        )
    return worst


def _apart(name: str, expected: Tensor, got: Tensor) -> float:
    if got.shape != expected.shape or not torch.equal(got.isnan(), expected.isnan()):
        return float("inf")
    if expected.isnan().all():
        return 0.0
    size = torch.ones(()) if name == "elevation_rad" else expected.abs().clamp_min(STATURE_M)
    return float(((got - expected).abs() / size).nan_to_num().max())
