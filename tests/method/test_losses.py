"""The terms of the objective, against their formulas by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from selflift.method import losses
from selflift.method.losses import (
    GAMES,
    bone_constancy,
    consistency_2d,
    consistency_3d,
    correction_size,
    discriminator_accuracies,
    discriminator_accuracy,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    r1_penalty,
)
from selflift.skeleton import H36M_17

REAL, FAKE = [0.7, -1.3, 2.0, 0.1], [-0.4, 0.9, -2.2, 0.3]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize(("loss", "size"), [(consistency_2d, 2), (consistency_3d, 3)])
def test_consistency_is_the_mean_squared_distance(
    loss: Callable, size: int, batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    a, b = normal(*batch, 17, size, seed=1), normal(*batch, 17, size, seed=2)
    distances = [
        math.dist(p, q) ** 2
        for p, q in zip(a.reshape(-1, size).tolist(), b.reshape(-1, size).tolist(), strict=True)
    ]
    assert float(loss(a.to(dtype), b.to(dtype))) == pytest.approx(mean(distances), rel=10 * tol)
    summed = float(loss(a.to(dtype), b.to(dtype), joints="sum"))
    assert summed == pytest.approx(17 * mean(distances), rel=10 * tol)
    assert float(loss(a, a)) == 0
    with pytest.raises(ValueError, match="loss.joints: expected 'mean' or 'sum', got 'max'"):
        loss(a, b, joints="max")


def test_cross_entropy_is_the_papers_formula() -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    expected = mean([-math.log(sigmoid(r)) for r in REAL])
    expected += mean([-math.log(1 - sigmoid(f)) for f in FAKE])
    assert float(discriminator_loss("cross_entropy", real, fake)) == pytest.approx(expected)
    expected = mean([-math.log(sigmoid(f)) for f in FAKE])
    assert float(generator_loss("cross_entropy", fake)) == pytest.approx(expected)


def test_least_squares_aims_at_one_and_zero() -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    expected = (mean([(r - 1) ** 2 for r in REAL]) + mean([f**2 for f in FAKE])) / 2
    assert float(discriminator_loss("least_squares", real, fake)) == pytest.approx(expected)
    expected = mean([(f - 1) ** 2 for f in FAKE]) / 2
    assert float(generator_loss("least_squares", fake)) == pytest.approx(expected)


def test_wasserstein_is_the_difference_of_means() -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    loss = discriminator_loss("wasserstein", real, fake)
    assert float(loss) == pytest.approx(mean(FAKE) - mean(REAL))
    assert float(generator_loss("wasserstein", fake)) == pytest.approx(-mean(FAKE))


@pytest.mark.parametrize(
    ("game", "undecided", "d_loss", "g_loss"),
    [
        ("cross_entropy", 0.0, 2 * math.log(2), math.log(2)),
        ("least_squares", 0.5, 0.25, 0.125),
        ("wasserstein", 0.0, 0.0, 0.0),
    ],
)
def test_losses_at_the_equilibrium(
    game: str, undecided: float, d_loss: float, g_loss: float
) -> None:
    scores = torch.full((8,), undecided)
    assert float(discriminator_loss(game, scores, scores)) == pytest.approx(d_loss)
    assert float(generator_loss(game, scores)) == pytest.approx(g_loss)


@pytest.mark.parametrize("game", GAMES)
def test_the_two_players_pull_fakes_apart(game: str) -> None:
    real, fake = torch.tensor(REAL, requires_grad=True), torch.tensor(FAKE, requires_grad=True)
    undecided = torch.full((4,), 0.5, requires_grad=True)
    (of_d,) = torch.autograd.grad(discriminator_loss(game, real, undecided), undecided)
    (of_g,) = torch.autograd.grad(generator_loss(game, undecided), undecided)
    assert (of_d > 0).all(), "the discriminator lowers the score of fakes"
    assert (of_g < 0).all(), "the lifter raises it"
    (of_d,) = torch.autograd.grad(discriminator_loss(game, undecided, fake), undecided)
    assert (of_d < 0).all(), "the discriminator raises the score of real poses"


def test_cross_entropy_survives_extreme_logits() -> None:
    far = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = discriminator_loss("cross_entropy", far, far) + generator_loss("cross_entropy", far)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(far.grad).all()


@pytest.mark.parametrize(("game", "border"), [("cross_entropy", 0.0), ("least_squares", 0.5)])
def test_accuracy_counts_the_right_side_of_the_border(game: str, border: float) -> None:
    real = torch.tensor([1.0, 0.2, -0.1, 3.0]) + border
    fake = torch.tensor([-1.0, -0.2, 0.1, 0.4]) + border
    assert float(discriminator_accuracy(game, real, fake)) == (0.75 + 0.5) / 2
    assert [float(side) for side in discriminator_accuracies(game, real, fake)] == [0.75, 0.5]


@pytest.mark.parametrize("game", GAMES)
def test_accuracy_is_one_half_when_nothing_is_told_apart(game: str) -> None:
    same = normal(100)
    assert float(discriminator_accuracy(game, same, same)) == 0.5
    stuck = torch.full((100,), 3.0)
    assert float(discriminator_accuracy(game, stuck, stuck)) == 0.5


@pytest.mark.parametrize("game", GAMES)
def test_accuracy_is_one_when_all_is_told_apart(game: str) -> None:
    spread = normal(100).abs()
    assert float(discriminator_accuracy(game, 1 + spread, -1 - spread)) == 1
    assert float(discriminator_accuracy(game, -1 - spread, 1 + spread)) == 0


def test_wasserstein_accuracy_ignores_a_common_offset() -> None:
    real, fake = normal(100, seed=1) + 1, normal(100, seed=2)
    accuracy = discriminator_accuracy("wasserstein", real, fake)
    assert 0.5 < accuracy < 1
    assert discriminator_accuracy("wasserstein", real + 64, fake + 64) == accuracy


def test_r1_of_a_linear_discriminator_is_half_its_squared_weight() -> None:
    weight = normal(17, 2, seed=1).requires_grad_()
    real = normal(6, 17, 2, seed=2)
    penalty = r1_penalty(lambda x: (x * weight).sum((-2, -1)), real)
    expected = float(weight.detach().square().sum()) / 2
    assert float(penalty.detach()) == pytest.approx(expected, rel=1e-12)
    penalty.backward()
    torch.testing.assert_close(weight.grad, weight.detach())


def test_r1_agrees_with_finite_differences() -> None:
    real, weight = normal(3, 17, 2, seed=1), normal(17, 2, seed=2)

    def discriminator(x: Tensor) -> Tensor:
        return torch.sin((x * weight).sum((-2, -1))) + x.pow(3).sum((-2, -1))

    step, squares = 1e-6, torch.zeros(3, dtype=torch.float64)
    for j in range(17):
        for k in range(2):
            moved = torch.zeros(17, 2, dtype=torch.float64)
            moved[j, k] = step
            slope = (discriminator(real + moved) - discriminator(real - moved)) / (2 * step)
            squares += slope**2
    assert float(r1_penalty(discriminator, real).detach()) == pytest.approx(
        float(squares.mean()) / 2, rel=1e-6
    )


@pytest.mark.parametrize("norm", [0.2, 1.0, 3.0])
def test_gradient_penalty_of_a_linear_critic_is_its_norms_distance_from_one(norm: float) -> None:
    weight = normal(17, 2, seed=1)
    weight = norm * weight / weight.norm()
    penalty = gradient_penalty(
        lambda x: (x * weight).sum((-2, -1)), normal(5, 17, 2), normal(5, 17, 2, seed=3),
        torch.rand(5, dtype=torch.float64),
    )  # fmt: skip
    assert float(penalty.detach()) == pytest.approx((norm - 1) ** 2, abs=1e-9)


def test_gradient_penalty_is_taken_between_real_and_fake() -> None:
    real, fake = normal(4, 17, 2, seed=1), normal(4, 17, 2, seed=2)
    mix = torch.tensor([0.0, 1.0, 0.25, 0.5], dtype=torch.float64)
    seen = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.square().sum((-2, -1)) / 2

    penalty = gradient_penalty(critic, real, fake, mix)
    points = [fake[0], real[1], real[2] / 4 + 3 * fake[2] / 4, (real[3] + fake[3]) / 2]
    torch.testing.assert_close(seen[0], torch.stack(points))
    # The critic's gradient is the point itself.
    expected = mean([(float(p.norm()) - 1) ** 2 for p in points])
    assert float(penalty.detach()) == pytest.approx(expected, rel=1e-9)


def test_gradient_penalty_of_a_constant_critic_has_a_finite_gradient() -> None:
    weight = torch.zeros(17, 2, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty(
        lambda x: (x * weight).sum((-2, -1)), normal(5, 17, 2), normal(5, 17, 2, seed=3),
        torch.rand(5, dtype=torch.float64),
    )  # fmt: skip
    penalty.backward()
    assert torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("function", ["discriminator_loss", "discriminator_accuracy"])
def test_unknown_game_is_refused(function: str) -> None:
    words = "loss.game: expected one of cross_entropy, least_squares, wasserstein, got 'chess'"
    scores = torch.zeros(3)
    with pytest.raises(ValueError, match=words):
        getattr(losses, function)("chess", scores, scores)
    with pytest.raises(ValueError, match=words):
        generator_loss("chess", scores)


@pytest.mark.parametrize("joints", ["mean", "sum"])
def test_consistency_weighs_joints_by_their_confidence(
    batch: tuple, dtype: torch.dtype, tol: float, joints: str
) -> None:
    x, x_hat = normal(*batch, 17, 2, seed=1), normal(*batch, 17, 2, seed=2)
    confidence = normal(*batch, 17, seed=3).clamp(0, 1)
    assert (confidence == 0).any() and ((confidence > 0) & (confidence < 1)).any()
    squares = [math.dist(p, q) ** 2 for p, q in zip(
        x.reshape(-1, 2).tolist(), x_hat.reshape(-1, 2).tolist(), strict=True
    )]  # fmt: skip
    weights = confidence.flatten().tolist()
    total = sum(w * s for w, s in zip(weights, squares, strict=True))
    expected = total / (sum(weights) if joints == "mean" else math.prod(batch))
    loss = consistency_2d(x.to(dtype), x_hat.to(dtype), joints, confidence.to(dtype))
    assert float(loss) == pytest.approx(expected, rel=10 * tol)
    # A missing joint counts for nothing; if all are sure, nothing is weighed.
    elsewhere = torch.where((confidence == 0)[..., None], 1e3, x_hat)
    assert float(consistency_2d(x, elsewhere, joints, confidence)) == pytest.approx(expected)
    sure = consistency_2d(x, x_hat, joints, torch.ones_like(confidence))
    assert float(sure) == pytest.approx(float(consistency_2d(x, x_hat, joints)), rel=1e-9)


def test_consistency_of_poses_that_lack_everything_is_nothing() -> None:
    x = normal(3, 17, 2).requires_grad_()
    for joints in ("mean", "sum"):
        loss = consistency_2d(x, 2 * x, joints, torch.zeros(3, 17, dtype=x.dtype))
        (gradient,) = torch.autograd.grad(loss, x)
        assert float(loss.detach()) == 0 and (gradient == 0).all()
    with pytest.raises(ValueError, match="loss.joints: expected 'mean' or 'sum', got 'max'"):
        consistency_2d(x, x, "max", torch.ones(3, 17, dtype=x.dtype))


def test_correction_size_is_the_mean_squared_length(
    batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    correction = normal(*batch, 17, 2)
    expected = mean([math.hypot(*c) ** 2 for c in correction.reshape(-1, 2).tolist()])
    assert float(correction_size(correction.to(dtype))) == pytest.approx(expected, rel=10 * tol)
    assert float(correction_size(0 * correction)) == 0


def test_depths_where_bones_fit_cost_nothing_and_others_pull_on_depth_alone() -> None:
    body = normal(20, 17, 3, seed=4)
    body = body - body[:, :1]
    X = body + torch.tensor([0.0, 0.0, 10.0], dtype=body.dtype)
    assert float(bone_constancy(X, body, H36M_17)) == pytest.approx(0, abs=1e-9)
    flat = X.clone()
    flat[..., 2] = 10 + 0.2 * body[..., 2]
    flat.requires_grad_()
    loss = bone_constancy(flat, body, H36M_17)
    expected = (0.8 * body[..., 2]).square().mean()
    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, flat)
    assert not gradient[..., :2].any() and bool(gradient[:, 1:, 2].abs().min() > 0)
    moved = (flat - gradient * 1e-2).detach()
    assert float(bone_constancy(moved, body, H36M_17)) < float(loss.detach())
