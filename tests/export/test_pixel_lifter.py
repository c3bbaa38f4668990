"""The whole path as one network gives what the notebook door gives."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from selflift.export import PixelLifter
from selflift.export.model_files import BATCHES, TOLERANCE, check
from tests.export.lifters import answer, asked, assert_same, every_kind, pose_lifter


@every_kind
@pytest.mark.parametrize("batch", [1, 40])
def test_the_module_gives_the_pose_lifters_numbers(kind: str, batch: int) -> None:
    lifter = pose_lifter(kind)
    module = PixelLifter(lifter)
    inputs = asked(lifter, batch, seed=1)
    expected = answer(lifter, inputs)
    assert_same(module(*inputs), expected)
    assert batch == 1 or 0 < expected.lifted.sum() < batch
    assert float(np.nanmax(np.abs(expected.X_m))) > 0.1


def test_what_stands_at_a_missing_joint_does_not_matter() -> None:
    lifter = pose_lifter("all heads")
    module, inputs = PixelLifter(lifter), asked(lifter, 20, seed=2)
    expected = module(*inputs)
    missing = inputs[1] == 0
    assert missing.any()
    for value in (0.0, -1e4, 1e30, torch.nan, torch.inf):
        keypoints = torch.where(missing[..., None], value, inputs[0])
        for got, right in zip(module(keypoints, *inputs[1:]), expected, strict=True):
            torch.testing.assert_close(got, right, equal_nan=True)
    # A keypoint that is none is missing, whatever its confidence.
    holes = torch.where(missing[..., None], torch.nan, inputs[0])
    sure = torch.where(missing, 0.9, inputs[1])
    torch.testing.assert_close(module(holes, sure, *inputs[2:])[0], expected[0], equal_nan=True)


def test_poses_without_a_root_an_extent_or_enough_joints_are_nan() -> None:
    lifter = pose_lifter("all heads")
    keypoints, confidence, *camera = asked(lifter, 4, seed=3)
    confidence[:] = 1
    confidence[0, 0] = 0
    confidence[1, 5:] = 0
    keypoints[2] = 300.0
    X_m, root_m, elevation_rad = PixelLifter(lifter)(keypoints, confidence, *camera)
    for found in (X_m, root_m, elevation_rad):
        assert found.reshape(4, -1).isnan().all(1).tolist() == [True, True, True, False]


def test_the_module_is_a_float32_copy() -> None:
    fast, lifter = pose_lifter("all heads", "bfloat16"), pose_lifter("all heads")
    before = copy.deepcopy(fast.lifter.state_dict())
    module = PixelLifter(fast)
    inputs = asked(lifter, 5, seed=4)
    torch.testing.assert_close(module(*inputs), PixelLifter(lifter)(*inputs), equal_nan=True)
    for parameter in module.parameters():
        assert parameter.dtype == torch.float32 and not parameter.requires_grad
        parameter.zero_()
    assert all(torch.equal(t, before[name]) for name, t in fast.lifter.state_dict().items())


def test_a_file_that_computes_something_else_is_refused() -> None:
    module = PixelLifter(pose_lifter("mirror"))
    batches: list[int] = []

    def run(inputs: tuple[Tensor, ...]) -> Sequence[Tensor]:
        batches.append(len(inputs[0]))
        return module(*inputs)

    assert check("a", run, module) == 0
    assert batches == list(BATCHES) and 1 in batches

    def off(by: float, which: int) -> float:
        def wrong(inputs: tuple[Tensor, ...]) -> Sequence[Tensor]:
            outputs = [x.clone() for x in module(*inputs)]
            outputs[which].reshape(-1)[-1] += by
            return outputs

        return check("a", wrong, module)

    assert 0 < off(0.5 * TOLERANCE, 2) < TOLERANCE
    for which, by in ((0, 0.001), (1, 1.0), (2, 0.001), (0, torch.nan), (2, torch.inf)):
        with pytest.raises(ValueError, match="export 'a': expected what PyTorch computes"):
            off(by, which)
