"""Networks that are told which joints a detector missed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from selflift import checkpoint
from selflift.checkpoint import Checkpoint
from selflift.geometry.camera import project
from selflift.models import Lifter, PoseDiscriminator, TemporalDiscriminator
from selflift.models.lifter import Lifted

B, J = 24, 17
SMALL = {"width": 16, "num_blocks": 1}
KINDS = [PoseDiscriminator, TemporalDiscriminator]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def trained_lifter(dtype: torch.dtype = torch.float32, **options: object) -> Lifter:
    """A lifter whose every weight says something, as after training."""
    torch.manual_seed(0)
    lifter = Lifter(**{**SMALL, "confidences": True, **options}).to(dtype).eval()
    if lifter.position_head is not None:
        nn.init.normal_(lifter.position_head.weight)
        nn.init.normal_(lifter.position_head.bias)
    return lifter


def poses(*batch: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    x = 0.1 * torch.randn((*batch, J, 2), generator=seeded(seed), dtype=dtype)
    return x - x[..., :1, :]


def confidences(*batch: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    """About a third of the joints missing, never the root; the others more or less sure."""
    sure = torch.rand((*batch, J), generator=seeded(seed), dtype=dtype)
    sure = torch.where(sure < 1 / 3, 0.0, sure)
    sure[..., 0] = 1
    return sure


def same(a: Lifted, b: Lifted) -> bool:
    assert a.elevation_rad is not None and b.elevation_rad is not None
    pairs = ((a.X, b.X), (a.d, b.d), (a.elevation_rad, b.elevation_rad), (a.x, b.x))
    return all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("mirror_average", [False, True])
@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize("elsewhere", [0.3, 1e9, torch.inf, torch.nan])
def test_what_stands_at_a_missing_joint_changes_nothing(
    elsewhere: float, refine: bool, mirror_average: bool
) -> None:
    lifter = trained_lifter(elevation=True, refine=refine, mirror_average=mirror_average)
    x, sure = poses(B), confidences(B)
    missing = (sure == 0)[..., None]
    lifted = lifter.lift_with_elevation(x.masked_fill(missing, 0.0), sure)
    other = lifter.lift_with_elevation(x.masked_fill(missing, elsewhere), sure)
    assert same(lifted, other)
    assert torch.isfinite(other.X).all() and torch.isfinite(other.x).all()
    # What stands at a joint that is there does.
    assert not torch.allclose(lifter(x + 0.1, sure), lifted.d)


def test_seen_joints_stay_and_missing_ones_get_positions() -> None:
    lifter = trained_lifter()
    x, sure = poses(B), confidences(B)
    lifted = lifter.lift_with_elevation(x, sure)
    seen = sure > 0
    assert torch.equal(lifted.x[seen], x[seen])
    found = lifted.x[~seen]
    assert (found.abs() > 1e-6).all()
    # Other poses, other positions.
    elsewhere = lifter.lift_with_elevation(poses(B, seed=5), sure).x[~seen]
    assert (found - elsewhere).norm(dim=-1).min() > 1e-6
    torch.testing.assert_close(project(lifted.X), lifted.x)


def test_refine_corrects_seen_joints_and_leaves_the_root() -> None:
    lifter = trained_lifter(refine=True)
    x, sure = poses(B), confidences(B)
    lifted = lifter.lift_with_elevation(x, sure)
    assert (lifted.x - x)[:, 1:].norm(dim=-1).min() > 1e-6
    assert torch.equal(lifted.x[:, 0], x[:, 0])
    torch.testing.assert_close(project(lifted.X), lifted.x)
    # One head: what it says is a correction where a joint is seen, and a position where not.
    lifter.refine = False
    seen = sure > 0
    missing = lifter.lift_with_elevation(x, sure).x[~seen]
    assert torch.equal(lifted.x[~seen], missing)


def test_refine_needs_no_confidences() -> None:
    lifter = trained_lifter(confidences=False, refine=True)
    x = poses(B)
    assert (lifter.lift_with_elevation(x).x - x)[:, 1:].norm(dim=-1).min() > 1e-6


@pytest.mark.parametrize("confident", [False, True])
def test_an_untrained_lifter_believes_what_it_is_given(confident: bool) -> None:
    torch.manual_seed(0)
    lifter = Lifter(**SMALL, confidences=confident, refine=True).eval()
    x = poses(B)
    assert torch.equal(lifter.lift_with_elevation(x).x, x)
    if confident:
        # And a missing joint is at the root, as far as it knows.
        sure = confidences(B)
        found = lifter.lift_with_elevation(x, sure).x
        assert torch.equal(found, x * (sure > 0)[..., None])


def test_without_confidences_all_joints_are_sure() -> None:
    lifter = trained_lifter(elevation=True)
    x = poses(B)
    assert same(lifter.lift_with_elevation(x), lifter.lift_with_elevation(x, torch.ones(B, J)))


def test_the_lifter_knows_how_sure_the_detector_is() -> None:
    lifter = trained_lifter()
    x, sure = poses(B), torch.ones(B, J)
    sure[:, 7] = 0.4
    doubtful = lifter(x, sure)
    assert (doubtful - lifter(x)).abs().amax(-1).min() > 1e-6
    # A joint that lies on the root is another thing than one that is missing.
    x[:, 7] = 0
    sure[:, 7] = 0
    assert (lifter(x, sure) - lifter(x)).abs().amax(-1).min() > 1e-6


def test_a_lifter_that_takes_no_confidences_ignores_them() -> None:
    lifter = trained_lifter(confidences=False, elevation=True)
    x = poses(B)
    assert same(lifter.lift_with_elevation(x), lifter.lift_with_elevation(x, confidences(B)))


@pytest.mark.parametrize("refine", [False, True])
def test_mirror_averaging_commutes_with_mirroring(
    dtype: torch.dtype, tol: float, refine: bool
) -> None:
    lifter = trained_lifter(dtype, elevation=True, refine=refine, mirror_average=True)
    x, sure = poses(B, dtype=dtype), confidences(B, dtype=dtype)
    order, flip = list(lifter.skeleton.mirror), torch.tensor([-1.0, 1.0], dtype=dtype)
    across = torch.tensor([-1.0, 1.0, 1.0], dtype=dtype)
    plain = lifter.lift_with_elevation(x, sure)
    mirrored = lifter.lift_with_elevation(x[:, order] * flip, sure[:, order])
    limit = {"atol": 100 * tol, "rtol": 0.0}
    torch.testing.assert_close(mirrored.d, plain.d[:, order], **limit)
    torch.testing.assert_close(mirrored.elevation_rad, plain.elevation_rad, **limit)
    torch.testing.assert_close(mirrored.x, plain.x[:, order] * flip, **limit)
    torch.testing.assert_close(mirrored.X, plain.X[:, order] * across, **limit)
    # Without averaging it is not so: the network itself knows no symmetry.
    lifter.mirror_average = False
    alone = lifter.lift_with_elevation(x, sure)
    turned = lifter.lift_with_elevation(x[:, order] * flip, sure[:, order])
    assert (turned.x - alone.x[:, order] * flip).abs().max() > 1e-3
    # The average is that of the two.
    torch.testing.assert_close(plain.x, (alone.x + turned.x[:, order] * flip) / 2, **limit)


@pytest.mark.parametrize("size", [(), (1,), (2, 3), (0,)])
def test_shapes_follow_any_leading_batch(size: tuple, dtype: torch.dtype) -> None:
    lifter = trained_lifter(dtype, elevation=True, refine=True)
    x, sure = poses(*size, dtype=dtype), confidences(*size, dtype=dtype)
    lifted = lifter.lift_with_elevation(x, sure)
    assert lifted.d.shape == lifter(x, sure).shape == (*size, J)
    assert lifted.X.shape == lifter.lift(x, sure).shape == (*size, J, 3)
    assert lifted.x.shape == (*size, J, 2)
    assert lifted.X.dtype == lifted.x.dtype == lifted.d.dtype == dtype


@pytest.mark.parametrize("refine", [False, True])
def test_every_parameter_receives_a_finite_gradient(refine: bool) -> None:
    torch.manual_seed(0)
    lifter = Lifter(**SMALL, elevation=True, confidences=True, refine=refine).train()
    x, sure = poses(64), confidences(64)
    x = x.masked_fill((sure == 0)[..., None], torch.nan)
    lifted = lifter.lift_with_elevation(x, sure)
    target = torch.randn(lifted.X.shape, generator=seeded(2))
    ((lifted.X - target).square().sum() + lifted.elevation_rad.square().sum()).backward()
    for name, parameter in lifter.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name
    # Positions of the root are nobody's business.
    assert (lifter.position_head.bias.grad.reshape(J, 2)[0] == 0).all()
    assert (lifter.position_head.bias.grad.reshape(J, 2)[1:] != 0).all()


def test_mirroring_depths_leaves_positions_alone() -> None:
    lifter = trained_lifter(refine=True)
    x, sure = poses(B), confidences(B)
    before = lifter.lift_with_elevation(x, sure)
    lifter.mirror_depth()
    after = lifter.lift_with_elevation(x, sure)
    assert torch.equal(after.x, before.x) and torch.equal(after.d, -before.d)


@pytest.mark.parametrize("refine", [False, True])
def test_the_lifter_survives_its_checkpoint(tmp_path: Path, refine: bool) -> None:
    options = {**SMALL, "elevation": True, "confidences": True, "refine": refine}
    lifter = trained_lifter(**options)
    checkpoint.save(tmp_path / "a.pt", Checkpoint({"lifter": options}, lifter.state_dict()))
    again = Lifter.from_checkpoint(tmp_path / "a.pt")
    assert (again.confidences, again.refine) == (True, refine)
    x, sure = poses(B), confidences(B)
    assert same(again.lift_with_elevation(x, sure), lifter.lift_with_elevation(x, sure))


def test_lifters_of_complete_poses_have_the_weights_they_always_had() -> None:
    lifter = Lifter(**SMALL)
    assert not any("position" in name for name in lifter.state_dict())
    first = next(m for m in lifter.modules() if isinstance(m, nn.Linear))
    assert first.in_features == 2 * J
    assert torch.equal(lifter.eval().lift_with_elevation(x := poses(B)).x, x)


def discriminator(kind: type, **options: object) -> PoseDiscriminator:
    torch.manual_seed(0)
    return kind(**{**SMALL, "confidences": True, **options})


@pytest.mark.parametrize("kind", KINDS)
def test_the_discriminator_sees_the_mask(kind: type) -> None:
    network, x = discriminator(kind), poses(B)
    all_there = network(x)
    assert torch.equal(network(x, torch.ones(B, J)), all_there)
    for joint in range(J):
        present = torch.ones(B, J)
        present[:, joint] = 0
        assert (network(x, present) != all_there).all(), joint
    # Each pose has a mask of its own.
    present = (confidences(B) > 0).float()
    logits = network(x, present)
    for b in range(B):
        torch.testing.assert_close(logits[b], network(x[b], present[b]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_discriminator_of_complete_poses_ignores_the_mask(kind: type) -> None:
    network, x = discriminator(kind, confidences=False), poses(B)
    assert torch.equal(network(x, (confidences(B) > 0).float()), network(x))
    first = next(m for m in network.modules() if isinstance(m, nn.Linear))
    assert first.in_features == 2 * J


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(), (1,), (2, 3), (0,)])
def test_one_logit_per_incomplete_pose(kind: type, size: tuple, dtype: torch.dtype) -> None:
    network = discriminator(kind).to(dtype)
    logits = network(poses(*size, dtype=dtype), confidences(*size, dtype=dtype))
    assert logits.shape == size and logits.dtype == dtype


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_the_pose_and_the_mask_receive_gradient(kind: type) -> None:
    network = discriminator(kind)
    x, present = poses(64).requires_grad_(), torch.ones(64, J, requires_grad=True)
    network(x, present).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
    assert (x.grad.abs().amax((1, 2)) > 0).all()
    assert (present.grad.abs().amax(0) > 0).all()


def test_a_refining_lifter_without_confidences_ignores_them() -> None:
    torch.manual_seed(0)
    lifter = Lifter(width=16, num_blocks=1, refine=True).eval()
    for parameter in lifter.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x = 0.1 * torch.randn(4, 17, 2)
    missing = torch.ones(4, 17)
    missing[:, 5] = 0
    torch.testing.assert_close(lifter.lift(x, missing), lifter.lift(x))
