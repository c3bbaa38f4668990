"""The method's figure, closed by a lifter that is right."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from selflift.geometry.camera import project
from selflift.geometry.normalise import pose_size
from selflift.geometry.rotation import turn_about_root
from selflift.method.cycle import (
    CycleOutput,
    NextFrames,
    as_seen_by_discriminator,
    keep_in_front,
    run_cycle,
)
from selflift.method.views import KINDS, ViewSampler
from selflift.models import Lifter
from selflift.models.lifter import Lifted

DEPTH = 10.0
B, J = 12, 17


class Oracle(Lifter):
    """Says, lift after lift, the offsets and the elevation it was told."""

    def __init__(self, offsets: list[Tensor], elevation_rad: Tensor | None = None) -> None:
        super().__init__(width=4, num_blocks=1)
        self.told = list(offsets)
        self.elevation_rad = elevation_rad

    def _network(self, x: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor | None, None]:
        return self.told.pop(0), self.elevation_rad, None


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small_lifter(**options: object) -> Lifter:
    torch.manual_seed(0)
    return Lifter(width=16, num_blocks=2, **options)


def poses(seed: int = 0) -> Tensor:
    x = 0.1 * torch.randn(B, J, 2, generator=seeded(seed))
    return x - x[:, :1]


def oracle_cycle(bodies: Tensor, kind: str) -> tuple[CycleOutput, Tensor]:
    """The cycle of a lifter that knows the truth, and the true bodies."""
    X = bodies + torch.tensor([0.0, 0.0, DEPTH], dtype=bodies.dtype)
    views = ViewSampler(kind)
    own = torch.linspace(0.1, 0.3, len(X), dtype=X.dtype)
    R = views.sample(project(X), own, seeded())
    Y = turn_about_root(X, R, 0, DEPTH)
    oracle = Oracle([X[..., 2] - DEPTH, Y[..., 2] - DEPTH], own)
    return run_cycle(oracle, project(X), views, seeded()), X


@pytest.mark.parametrize("kind", KINDS)
def test_a_lifter_that_is_right_closes_the_loop(
    make_bodies: Callable, kind: str, dtype: torch.dtype, tol: float
) -> None:
    out, X = oracle_cycle(make_bodies(B, dtype=dtype), kind)
    torch.testing.assert_close(out.X, X, atol=10 * tol, rtol=0)
    torch.testing.assert_close(out.Y_hat, out.Y, atol=10 * tol, rtol=0)
    torch.testing.assert_close(out.X_hat, X, atol=20 * tol, rtol=0)
    torch.testing.assert_close(out.x_hat, out.x, atol=10 * tol, rtol=0)
    # It is no empty loop: the views differ from the input's.
    assert (out.y - out.x).abs().amax((1, 2)).min() > 1e-3


def test_a_lifter_that_is_wrong_does_not_close_the_loop(make_bodies: Callable) -> None:
    X = make_bodies(B) + torch.tensor([0.0, 0.0, DEPTH])
    flat = torch.zeros(B, J, dtype=X.dtype)
    out = run_cycle(Oracle([flat, flat]), project(X), ViewSampler(), seeded())
    assert (out.Y_hat - out.Y).norm(dim=-1).mean() > 0.05
    assert (out.x_hat - out.x).norm(dim=-1).mean() > 0.005


@pytest.mark.parametrize("kind", KINDS)
def test_every_symbol_has_its_shape(kind: str) -> None:
    x = poses()
    out = run_cycle(small_lifter(elevation=kind == "learned"), x, ViewSampler(kind), seeded())
    shapes = {"R": (B, 3, 3), "x": (B, J, 2), "y": (B, J, 2), "x_hat": (B, J, 2)}
    shapes |= {name: (B, J, 3) for name in ("X", "Y", "Y_hat", "X_hat")}
    shapes["elevation_rad"] = (B,)
    optional = {"confidence", "y_next"}
    assert set(shapes) | optional == {f.name for f in dataclasses.fields(out)}
    assert out.confidence is None and out.y_next is None
    for name, shape in shapes.items():
        value = getattr(out, name)
        if name == "elevation_rad" and kind != "learned":
            assert value is None
        else:
            assert value.shape == shape, name
            assert torch.isfinite(value).all(), name
    assert out.x is x


def test_every_arrow_of_the_figure_is_its_formula() -> None:
    lifter = small_lifter().eval()
    out = run_cycle(lifter, poses(), ViewSampler(), seeded())
    c = torch.tensor([0.0, 0.0, DEPTH])
    root = out.X[:, :1]
    torch.testing.assert_close(out.X, lifter.lift(out.x))
    torch.testing.assert_close(out.R, ViewSampler().sample(out.x, None, seeded()))
    torch.testing.assert_close(out.Y, (out.X - root) @ out.R.mT + c)
    torch.testing.assert_close(out.y, project(out.Y))
    torch.testing.assert_close(out.Y_hat, lifter.lift(out.y))
    X_hat = torch.linalg.solve(out.R, (out.Y_hat - c).mT).mT + root
    torch.testing.assert_close(out.X_hat, X_hat, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(out.x_hat, project(out.X_hat))


def test_the_roots_stay_where_they_belong() -> None:
    out = run_cycle(small_lifter(), poses(), ViewSampler(), seeded())
    c = torch.tensor([0.0, 0.0, DEPTH]).expand(B, 3)
    torch.testing.assert_close(out.Y[:, 0], c)
    torch.testing.assert_close(out.y[:, 0], torch.zeros(B, 2))
    torch.testing.assert_close(out.X_hat[:, 0], out.X[:, 0])


def test_the_generator_decides() -> None:
    lifter = small_lifter().eval()
    first, again, other = (
        run_cycle(lifter, poses(), ViewSampler(), seeded(s)).y for s in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("end", ["Y_hat", "x_hat", "y"])
def test_every_parameter_receives_gradient_from_every_end(end: str) -> None:
    lifter = small_lifter(elevation=True)
    out = run_cycle(lifter, poses(), ViewSampler("learned"), seeded())
    weights = torch.randn(getattr(out, end).shape, generator=seeded(1))
    (getattr(out, end) * weights).sum().backward()
    for name, parameter in lifter.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_the_running_statistics_only_follow_the_input() -> None:
    lifter = small_lifter().train()
    alone = copy.deepcopy(lifter)
    for seed in range(3):
        run_cycle(lifter, poses(seed), ViewSampler(), seeded())
        alone(poses(seed))
    for norm, expected in zip(lifter.modules(), alone.modules(), strict=True):
        if isinstance(norm, nn.BatchNorm1d):
            assert torch.equal(norm.running_mean, expected.running_mean)
            assert torch.equal(norm.running_var, expected.running_var)
            assert not torch.equal(norm.running_mean, torch.zeros_like(norm.running_mean))


def test_the_second_lift_sees_its_own_batchs_statistics() -> None:
    lifter = small_lifter().train()
    out = run_cycle(lifter, poses(), ViewSampler(), seeded())
    torch.testing.assert_close(out.Y_hat, lifter.lift(out.y))


def test_keep_in_front_only_moves_joints_that_are_too_near() -> None:
    X = torch.tensor([[1.0, 2.0, -3.0], [1.0, 2.0, 0.5], [1.0, 2.0, 1.0], [1.0, 2.0, 7.0]])
    kept = keep_in_front(X, 1.0)
    assert kept[:, 2].tolist() == [1.0, 1.0, 1.0, 7.0]
    assert torch.equal(kept[:, :2], X[:, :2])


def test_a_joint_turned_behind_the_camera_projects_finitely() -> None:
    offsets = torch.zeros(2, B, J)
    offsets[0, :, 5] = offsets[1, :, 6] = 40.0
    offsets.requires_grad_()
    out = run_cycle(Oracle([*offsets]), poses(), ViewSampler(), seeded(3))
    assert (out.Y[:, 5, 2] < 0).any() and (out.X_hat[..., 2] < 0).any(), "the case is to occur"
    torch.testing.assert_close(out.y, project(keep_in_front(out.Y, 1.0)))
    torch.testing.assert_close(out.x_hat, project(keep_in_front(out.X_hat, 1.0)))
    (out.y.square().sum() + out.x_hat.square().sum()).backward()
    assert torch.isfinite(out.y).all() and torch.isfinite(out.x_hat).all()
    assert torch.isfinite(offsets.grad).all()


def test_unit_size_is_the_same_for_every_pose(batch: tuple, dtype: torch.dtype, tol: float) -> None:
    x = 0.1 * torch.randn((*batch, J, 2), generator=seeded(), dtype=dtype)
    seen = as_seen_by_discriminator(x, DEPTH, "unit")
    torch.testing.assert_close(
        pose_size(seen), torch.ones(batch, dtype=dtype), atol=10 * tol, rtol=0
    )
    # Only the size is gone.
    torch.testing.assert_close(seen * pose_size(x)[..., None, None], x)
    torch.testing.assert_close(as_seen_by_discriminator(7 * x, DEPTH, "unit"), seen)


def test_kept_size_is_only_brought_to_the_order_of_one(batch: tuple, dtype: torch.dtype) -> None:
    x = 0.1 * torch.randn((*batch, J, 2), generator=seeded(), dtype=dtype)
    torch.testing.assert_close(as_seen_by_discriminator(x, DEPTH, "kept"), 10 * x)


def test_a_pose_in_one_point_has_a_finite_unit_size() -> None:
    seen = as_seen_by_discriminator(torch.zeros(2, J, 2), DEPTH, "unit")
    assert torch.equal(seen, torch.zeros(2, J, 2))


def test_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match="discriminator_size: expected 'unit' or 'kept', got 'xl'"):
        as_seen_by_discriminator(poses(), DEPTH, "xl")


def test_a_pose_in_one_point_has_a_finite_gradient_for_the_discriminator() -> None:
    x = torch.zeros(2, 17, 2, requires_grad=True)
    as_seen_by_discriminator(x, 10.0, "unit").sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all())


class Listener(Lifter):
    """Keeps what it was asked to lift."""

    def lift_with_elevation(self, x: Tensor, confidence: Tensor | None = None) -> Lifted:
        self.__dict__.setdefault("asked", []).append((x, confidence))
        return super().lift_with_elevation(x, confidence)


def listener() -> Listener:
    torch.manual_seed(0)
    lifter = Listener(width=16, num_blocks=2, confidences=True).eval()
    nn.init.normal_(lifter.position_head.weight)
    return lifter


def confidences(n: int = B, seed: int = 4) -> Tensor:
    """About a third of the joints missing, never the root."""
    sure = torch.rand(n, J, generator=seeded(seed))
    sure = torch.where(sure < 1 / 3, 0.0, sure)
    sure[:, 0] = 1
    return sure


def test_the_second_lift_hides_the_joints_that_another_pose_lacks() -> None:
    lifter, x, sure = listener(), poses(), confidences()
    out = run_cycle(lifter, x, ViewSampler(), seeded(), sure)
    assert out.confidence is sure
    (first, of_first), (second, of_second) = lifter.asked
    assert torch.equal(first, x) and torch.equal(of_first, sure)
    assert torch.equal(second, out.y)
    # The same masks, each with the confidences that belong together, at other poses.
    apart = (of_second[:, None] != sure[None]).any(-1)
    assert ((~apart).sum(1) == 1).all() and ((~apart).sum(0) == 1).all()
    assert apart.diagonal().all(), "no pose keeps its own"
    # What is hidden is found again, not known: y says nothing about it.
    torch.testing.assert_close(out.Y_hat, lifter.lift(out.y, of_second))
    y = out.y.masked_fill((of_second == 0)[..., None], torch.nan)
    torch.testing.assert_close(out.Y_hat, lifter.lift(y, of_second))


def test_what_stands_at_a_missing_joint_does_not_enter_the_cycle() -> None:
    lifter, sure = listener(), confidences()
    missing = (sure == 0)[..., None]
    here, there = (
        run_cycle(lifter, poses().masked_fill(missing, value), ViewSampler(), seeded(), sure)
        for value in (0.0, 0.7)
    )
    for name in ("X", "Y", "y", "Y_hat", "X_hat", "x_hat"):
        assert torch.equal(getattr(here, name), getattr(there, name)), name
        assert torch.isfinite(getattr(here, name)).all()
    # Missing joints have a place in the complete projection.
    assert (here.y[missing[..., 0]].abs() > 0).all()


def test_without_confidence_nothing_is_hidden() -> None:
    lifter = listener()
    run_cycle(lifter, poses(), ViewSampler(), seeded())
    assert [confidence for _, confidence in lifter.asked] == [None, None]


OF = torch.tensor([2, 7, 7, 0, 11])


@pytest.mark.parametrize("confident", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_following_frames_are_seen_in_the_view_of_the_pose_they_follow(
    kind: str, confident: bool
) -> None:
    lifter = small_lifter(elevation=kind == "learned", confidences=confident).eval()
    x, after = poses(), poses(3)[: len(OF)]
    sure, of_after = (confidences(), confidences(len(OF), 5)) if confident else (None, None)
    following = NextFrames(after, OF, of_after)
    out = run_cycle(lifter, x, ViewSampler(kind), seeded(), sure, following)
    X = lifter.lift(after, of_after)
    expected = project(turn_about_root(X, out.R[OF], 0, DEPTH))
    torch.testing.assert_close(out.y_next, expected, atol=1e-6, rtol=1e-5)
    # The frames that stand still show no motion.
    still = NextFrames(x[OF], OF, None if sure is None else sure[OF])
    standing = run_cycle(lifter, x, ViewSampler(kind), seeded(), sure, still)
    torch.testing.assert_close(standing.y_next, standing.y[OF], atol=1e-6, rtol=1e-5)
    assert (out.y_next - out.y[OF]).abs().amax((1, 2)).min() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_following_frames_change_nothing_else_in_evaluation_mode(kind: str) -> None:
    lifter = small_lifter(elevation=kind == "learned").eval()
    following = NextFrames(poses(3)[: len(OF)], OF)
    alone = run_cycle(lifter, poses(), ViewSampler(kind), seeded())
    out = run_cycle(lifter, poses(), ViewSampler(kind), seeded(), None, following)
    for field in dataclasses.fields(out):
        one, other = (getattr(o, field.name) for o in (alone, out))
        if field.name == "y_next":
            assert one is None and other.shape == (len(OF), J, 2)
        elif one is None:
            assert other is None
        else:
            torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-5, msg=field.name)


def test_poses_and_following_frames_are_one_batch_to_the_batch_norm() -> None:
    lifter = small_lifter().train()
    alone = copy.deepcopy(lifter)
    after = poses(3)[: len(OF)]
    run_cycle(lifter, poses(), ViewSampler(), seeded(), None, NextFrames(after, OF))
    alone(torch.cat([poses(), after]))
    found = 0
    for norm, expected in zip(lifter.modules(), alone.modules(), strict=True):
        if isinstance(norm, nn.BatchNorm1d):
            assert torch.equal(norm.running_mean, expected.running_mean)
            found += 1
    assert found


def test_gradient_flows_from_following_frames_to_every_parameter() -> None:
    lifter = small_lifter(elevation=True)
    after = NextFrames(poses(3)[: len(OF)], OF)
    out = run_cycle(lifter, poses(), ViewSampler("learned"), seeded(), None, after)
    (out.y_next * torch.randn(out.y_next.shape, generator=seeded(1))).sum().backward()
    for name, parameter in lifter.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_a_following_joint_turned_behind_the_camera_projects_finitely() -> None:
    offsets = torch.zeros(B + 1, J)
    offsets[B, 5] = 40.0
    x, told = poses(), [offsets, torch.zeros(B, J)]
    # Behind the camera in some view: by half a turn.
    R = ViewSampler().sample(x, None, seeded(3))
    of = R[:, 2, 2].argmin()[None]
    out = run_cycle(Oracle(told), x, ViewSampler(), seeded(3), None, NextFrames(x[of], of))
    X = x[of][0] * (DEPTH + offsets[B])[:, None]
    X = torch.cat([X, (DEPTH + offsets[B])[:, None]], -1)[None]
    Y = turn_about_root(X, R[of], 0, DEPTH)
    assert Y[0, 5, 2] < 0, "the case is to occur"
    torch.testing.assert_close(out.y_next, project(keep_in_front(Y, 1.0)))


def test_hidden_joints_lie_at_the_origin_and_have_no_part_in_the_size(
    dtype: torch.dtype, tol: float
) -> None:
    x = poses().to(dtype)
    present = (confidences() > 0).to(dtype)
    hidden = present == 0
    for size in ("unit", "kept"):
        seen = as_seen_by_discriminator(x, DEPTH, size, present)
        assert (seen[hidden] == 0).all() and (seen[~hidden][1:] != 0).any()
        elsewhere = as_seen_by_discriminator(
            x.masked_fill(hidden[..., None], 3.0), DEPTH, size, present
        )
        assert torch.equal(elsewhere, seen)
        everything = as_seen_by_discriminator(x, DEPTH, size, torch.ones_like(present))
        torch.testing.assert_close(everything, as_seen_by_discriminator(x, DEPTH, size))
    kept = as_seen_by_discriminator(x, DEPTH, "kept", present)
    torch.testing.assert_close(kept[~hidden], DEPTH * x[~hidden])
    unit = as_seen_by_discriminator(x, DEPTH, "unit", present)
    ones = torch.ones(B, dtype=dtype)
    torch.testing.assert_close(pose_size(unit, ~hidden), ones, atol=10 * tol, rtol=0)


def test_a_pose_of_which_all_is_hidden_is_finite_and_so_is_its_gradient() -> None:
    x = poses().requires_grad_()
    seen = as_seen_by_discriminator(x, DEPTH, "unit", torch.zeros(B, J))
    seen.sum().backward()
    assert (seen == 0).all() and (x.grad == 0).all()


@pytest.mark.parametrize("known", ["pose", "next"])
def test_confidences_of_only_the_pose_or_only_the_next_frame_are_kept(known: str) -> None:
    lifter = small_lifter(confidences=True).eval()
    x, missing = poses(), torch.ones(B, J)
    missing[:, 4] = 0
    of = torch.arange(B)
    following = NextFrames(x, of, missing if known == "next" else None)
    out = run_cycle(
        lifter, x, ViewSampler(), seeded(), missing if known == "pose" else None, following
    )
    complete, incomplete = lifter.lift(x), lifter.lift(x, missing)
    torch.testing.assert_close(out.X, incomplete if known == "pose" else complete)
    expected = incomplete if known == "next" else complete
    Y = turn_about_root(expected, out.R, 0, DEPTH)
    assert out.y_next is not None
    torch.testing.assert_close(out.y_next, project(Y))
