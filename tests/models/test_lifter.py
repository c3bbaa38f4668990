"""The lifter: depths from 2D, its mirror image and its checkpoint."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from selflift import checkpoint
from selflift.checkpoint import Checkpoint, CheckpointError
from selflift.geometry.camera import project
from selflift.models import Lifter
from selflift.models.blocks import ResidualBlock

SMALL = {"width": 16, "num_blocks": 2}


def small_lifter(seed: int = 0, **options: object) -> Lifter:
    torch.manual_seed(seed)
    return Lifter(**SMALL, **options).eval()


def poses(*batch: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    x = torch.randn((*batch, 17, 2), generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return 0.1 * x


@pytest.mark.parametrize("size", [(), (1,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize("elevation", [False, True])
def test_shapes_follow_any_leading_batch(size: tuple, elevation: bool) -> None:
    lifter = small_lifter(elevation=elevation)
    x = poses(*size)
    lifted = lifter.lift_with_elevation(x)
    assert lifter(x).shape == (*size, 17)
    assert lifted.d.shape == (*size, 17)
    assert lifted.X.shape == lifter.lift(x).shape == (*size, 17, 3)
    if elevation:
        assert lifted.elevation_rad is not None and lifted.elevation_rad.shape == size
    else:
        assert lifted.elevation_rad is None


def test_batched_equals_one_by_one(dtype: torch.dtype, tol: float) -> None:
    lifter = small_lifter(elevation=True).to(dtype)
    x = poses(2, 3, dtype=dtype)
    lifted = lifter.lift_with_elevation(x)
    assert lifted.X.dtype == dtype
    for i in range(2):
        for j in range(3):
            one = lifter.lift_with_elevation(x[i, j])
            torch.testing.assert_close(one.X, lifted.X[i, j], atol=10 * tol, rtol=0)
            torch.testing.assert_close(
                one.elevation_rad, lifted.elevation_rad[i, j], atol=tol, rtol=0
            )


def test_the_papers_network_is_the_default() -> None:
    lifter = Lifter()
    blocks = [m for m in lifter.modules() if isinstance(m, ResidualBlock)]
    norms = [m for m in lifter.modules() if isinstance(m, nn.BatchNorm1d)]
    assert len(blocks) == 4 and len(norms) == 1 + 2 * 4
    assert all(m.num_features == 1024 for m in norms)
    assert not any(isinstance(m, nn.Dropout) for m in lifter.modules())
    assert (lifter.depth, lifter.min_depth, lifter.fix_root) == (10.0, 1.0, True)
    assert lifter.depth_head.out_features == 17


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_every_parameter_receives_gradient(norm: str) -> None:
    lifter = small_lifter(norm=norm, elevation=True).train()
    lifted = lifter.lift_with_elevation(poses(64))
    d, elevation = lifted.d, lifted.elevation_rad
    (d.square().sum() + elevation.square().sum()).backward()
    for name, parameter in lifter.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_lifted_points_lie_on_their_rays_at_depth_c_plus_d() -> None:
    lifter = small_lifter()
    x = poses(5)
    lifted = lifter.lift_with_elevation(x)
    torch.testing.assert_close(project(lifted.X), x)
    torch.testing.assert_close(lifted.X[..., 2], 10 + lifted.d)
    assert lifted.d.abs().max() > 0.01


def test_fix_root_keeps_the_root_at_depth_c() -> None:
    x = poses(5)
    assert (small_lifter()(x)[:, 0] == 0).all()
    assert (small_lifter().lift(x)[:, 0, 2] == 10).all()
    assert (small_lifter(fix_root=False)(x)[:, 0] != 0).all()


def test_no_joint_comes_nearer_than_min_depth() -> None:
    lifter = small_lifter(min_depth=1.0)
    with torch.no_grad():
        lifter.depth_head.bias[5] = -50
        lifter.depth_head.bias[6] = 50
    z = lifter.lift(poses(4))[..., 2]
    assert (z[:, 5] == 1).all()
    assert (z[:, 6] > 50).all()


@pytest.mark.parametrize("elevation", [False, True])
def test_mirror_depth_negates_depths_and_elevation_exactly(elevation: bool) -> None:
    lifter = small_lifter(elevation=elevation)
    x = poses(2, 3)
    before = lifter.lift_with_elevation(x)
    lifter.mirror_depth()
    after = lifter.lift_with_elevation(x)
    assert torch.equal(after.d, -before.d)
    assert before.d.abs().max() > 0.01
    if elevation:
        assert torch.equal(after.elevation_rad, -before.elevation_rad)
        assert before.elevation_rad.abs().min() > 0


def test_mirroring_twice_changes_nothing() -> None:
    lifter = small_lifter(elevation=True)
    before = copy.deepcopy(lifter.state_dict())
    lifter.mirror_depth()
    lifter.mirror_depth()
    assert all(torch.equal(value, before[key]) for key, value in lifter.state_dict().items())


def test_sign_parameters_are_those_of_the_heads() -> None:
    lifter = small_lifter(elevation=True)
    names = {id(p): name for name, p in lifter.named_parameters()}
    assert {names[id(p)] for p in lifter.sign_parameters()} == {
        "depth_head.weight", "depth_head.bias", "elevation_head.weight", "elevation_head.bias"
    }  # fmt: skip


def test_unknown_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="skeleton: expected one of .*, got 'octopus'"):
        Lifter(skeleton="octopus")


def test_from_checkpoint_restores_the_lifter(tmp_path: Path) -> None:
    options = {**SMALL, "elevation": True, "fix_root": False, "min_depth": 2.0, "depth": 8.0}
    lifter = Lifter(**options)
    lifter.train()
    lifter(poses(32, seed=1))
    lifter.eval()
    checkpoint.save(tmp_path / "a.pt", Checkpoint({"lifter": options}, lifter.state_dict()))
    again = Lifter.from_checkpoint(tmp_path / "a.pt")
    x = poses(2, 3)
    expected, got = lifter.lift_with_elevation(x), again.lift_with_elevation(x)
    assert not again.training
    assert torch.equal(got.X, expected.X)
    assert torch.equal(got.elevation_rad, expected.elevation_rad)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"lifter": {**SMALL, "width": 32}}, "size mismatch"),
        ({"lifter": {**SMALL, "num_blocks": 3}}, "Missing key"),
        ({"lifter": {**SMALL, "elevation": True}}, "elevation_head"),
        ({"lifter": {**SMALL, "colour": 3}}, "colour"),
        ({"lifter": {**SMALL, "skeleton": "octopus"}}, "octopus"),
        ({"lifter": None}, "mapping"),
        ({}, "lifter"),
    ],
)
def test_weights_that_do_not_fit_their_metadata_are_refused(
    tmp_path: Path, metadata: dict, words: str
) -> None:
    path = tmp_path / "a.pt"
    checkpoint.save(path, Checkpoint(metadata, Lifter(**SMALL).state_dict()))
    with pytest.raises(CheckpointError, match=f"a.pt': .*got a mismatch .*{words}"):
        Lifter.from_checkpoint(path)


def test_a_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none.pt': no such file"):
        Lifter.from_checkpoint(tmp_path / "none.pt")


def test_mirror_average_makes_evaluation_symmetric_and_leaves_training_alone(generator) -> None:
    lifter = Lifter(width=16, num_blocks=1, elevation=True, mirror_average=True)
    x = torch.randn(5, 17, 2, generator=generator)
    order = list(lifter.skeleton.mirror)
    mirrored = x[:, order] * torch.tensor([-1.0, 1.0])
    lifter.eval()
    a, b = lifter.lift_with_elevation(x), lifter.lift_with_elevation(mirrored)
    torch.testing.assert_close(a.d, b.d[:, order])
    torch.testing.assert_close(a.elevation_rad, b.elevation_rad)
    lifter.mirror_average = False
    assert not torch.allclose(lifter(x), lifter(mirrored)[:, order])
    lifter.train()
    plain = lifter(x)
    lifter.mirror_average = True
    torch.testing.assert_close(lifter(x), plain, rtol=0, atol=0)


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("mirror_average", [False, True])
def test_a_lifter_for_inference_lifts_the_same(norm: str, mirror_average: bool) -> None:
    lifter = small_lifter(norm=norm, mirror_average=mirror_average, elevation=True)
    for part in lifter.modules():
        if isinstance(part, nn.BatchNorm1d):
            # Statistics of a training; fresh ones would hide how they are folded.
            part.running_mean.normal_()
            part.running_var.uniform_(0.2, 3)
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.normal_(part.bias)
    before = copy.deepcopy(lifter.state_dict())
    x = poses(50)
    expected = lifter.lift_with_elevation(x)
    folded = lifter.for_inference("float32")
    found = folded.lift_with_elevation(x)
    torch.testing.assert_close(found.X, expected.X, rtol=1e-5, atol=2e-5)
    torch.testing.assert_close(found.elevation_rad, expected.elevation_rad, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm1d) for m in folded.modules())
    # The lifter itself is what it was.
    after = lifter.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)
    assert torch.equal(lifter.lift(x), expected.X)


def test_a_lifter_for_inference_in_bfloat16_lifts_nearly_the_same() -> None:
    torch.manual_seed(0)
    lifter = Lifter(width=128, num_blocks=4).eval()
    x = poses(200)
    expected, folded = lifter(x).detach(), lifter.for_inference("bfloat16")
    assert folded.trunk.precision == torch.bfloat16
    error = (folded(x) - expected).square().mean().sqrt() / expected.std()
    assert 0 < float(error) < 0.02


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of auto, float32, bfloat16, got 'half'"):
        small_lifter().for_inference("half")


def test_arguments_are_the_constructor_s() -> None:
    options = {
        "skeleton": "coco_17_hip", "width": 16, "num_blocks": 2, "norm": "none", "dropout": 0.1,
        "depth": 8.0, "min_depth": 2.0, "fix_root": False, "elevation": True,
        "mirror_average": True, "max_elevation_deg": 30.0, "confidences": True, "refine": True,
    }  # fmt: skip
    assert Lifter(**options).arguments == options
    assert Lifter(**Lifter().arguments).arguments == Lifter().arguments
    lifter = Lifter(width=8)
    lifter.mirror_average = True
    assert lifter.arguments["mirror_average"] is True
