r"""The terms of the objective, one function each.

``min_G  w_2D L_2D + w_3D L_3D + w_adv L_adv(G, D) + w_temporal L_T(G, T)`` against
``min_D L_adv`` and ``min_T L_T``. Distances are squared, summed over coordinates, averaged over
poses, and averaged or summed over joints (which of the two the paper does is not known).

An empty batch has no mean and raises.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selflift.skeleton import Skeleton

GAMES = ("cross_entropy", "least_squares", "wasserstein")


def consistency_3d(
    Y: Float[Tensor, "*batch J 3"], Y_hat: Float[Tensor, "*batch J 3"], joints: str = "mean"
) -> Float[Tensor, ""]:
    """``L_3D = |Y - Y_hat|^2``: the turned body and its second lift.

    Args:
        Y: Turned bodies.
        Y_hat: Their second lift.
        joints: ``"mean"`` or ``"sum"`` over joints; poses are always averaged.

    Raises:
        ValueError: If ``joints`` is unknown or there is no pose.
    """
    return _squared_distance(Y, Y_hat, joints)


def consistency_2d(
    x: Float[Tensor, "*batch J 2"],
    x_hat: Float[Tensor, "*batch J 2"],
    joints: str = "mean",
    confidence: Float[Tensor, "*batch J"] | None = None,
) -> Float[Tensor, ""]:
    """``L_2D = |x - x_hat|^2``: the input and what comes back to its view.

    Args:
        x: Input poses.
        x_hat: What the cycle makes of them.
        joints: ``"mean"`` or ``"sum"`` over joints; poses are always averaged.
        confidence: Weight of each joint; a missing joint has 0 and counts for nothing, also not in
            the mean, whatever stands in its place. All 1 if ``None``.

    Raises:
        ValueError: If ``joints`` is unknown or there is no pose.
    """
    return _squared_distance(x, x_hat, joints, confidence)


def _squared_distance(a: Tensor, b: Tensor, joints: str, weight: Tensor | None = None) -> Tensor:
    a, b = _poses(a, b)
    if weight is not None:
        # Before the difference, through which a NaN would get into the gradient.
        present = (weight > 0)[..., None]
        a, b = torch.where(present, a, 0.0), torch.where(present, b, 0.0)
    distance = (a - b).square().sum(-1)
    if weight is not None:
        distance = distance * weight
    if joints == "mean":
        return distance.mean() if weight is None else distance.sum() / weight.sum().clamp_min(1e-9)
    if joints == "sum":
        return distance.sum(-1).mean()
    raise ValueError(f"loss.joints: expected 'mean' or 'sum', got '{joints}'")


def correction_size(correction: Float[Tensor, "*batch J 2"]) -> Float[Tensor, ""]:
    """``|C(x_s)|^2``: how much the domain adapter changes, averaged over joints and poses.

    Raises:
        ValueError: If there is no pose.
    """
    (correction,) = _poses(correction)
    return correction.square().sum(-1).mean()


def bone_constancy(
    X: Float[Tensor, "batch J 3"], corrected: Float[Tensor, "batch J 3"], skeleton: Skeleton
) -> Float[Tensor, ""]:
    """Squared distance of depths from those at which bones have their person's lengths.

    Averaged over joints and poses. Nothing measured enters: see
    :class:`~selflift.method.composites.BoneTable`.

    Differs from the paper: not part of it. Yu et al. (ICCV 2021) hold bone lengths constant over a
    clip by penalising their variation.

    Args:
        X: Lifted poses, in the camera's axes.
        corrected: The same at those depths, root-centred.
        skeleton: The layout.

    Raises:
        ValueError: If there is no pose.
    """
    X, corrected = _poses(X, corrected)
    depth = X[..., 2] - X[:, skeleton.root, None, 2]
    return (depth - corrected[..., 2]).square().mean()


def discriminator_loss(
    game: str, real: Float[Tensor, "*batch"], fake: Float[Tensor, "*batch"]
) -> Float[Tensor, ""]:
    """The discriminator's side of the adversarial game.

    Args:
        game: ``"cross_entropy"`` (the paper's: ``-log D(r) - log(1 - D(y))``),
            ``"least_squares"`` (Mao et al., ICCV 2017: targets 1 and 0) or ``"wasserstein"``
            (Arjovsky et al., ICML 2017; add :func:`gradient_penalty`).
        real: Logits of real poses.
        fake: Logits of generated poses.

    Raises:
        ValueError: If the game is unknown or there is no pose.
    """
    real, fake = _poses(real, fake)
    if game == "cross_entropy":
        return F.softplus(-real).mean() + F.softplus(fake).mean()
    if game == "least_squares":
        return 0.5 * ((real - 1).square().mean() + fake.square().mean())
    if game == "wasserstein":
        return fake.mean() - real.mean()
    raise _unknown(game)


def generator_loss(game: str, fake: Float[Tensor, "*batch"]) -> Float[Tensor, ""]:
    """The lifter's side of the adversarial game (cross-entropy in its non-saturating form).

    Args:
        game: As in :func:`discriminator_loss`.
        fake: Logits of generated poses.

    Raises:
        ValueError: If the game is unknown or there is no pose.
    """
    (fake,) = _poses(fake)
    if game == "cross_entropy":
        return F.softplus(-fake).mean()
    if game == "least_squares":
        return 0.5 * (fake - 1).square().mean()
    if game == "wasserstein":
        return -fake.mean()
    raise _unknown(game)


def discriminator_accuracies(
    game: str, real: Float[Tensor, "*batch"], fake: Float[Tensor, "*batch"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Share of real poses, and of generated ones, on the right side of the decision.

    The border is the game's own midpoint: logit 0, target 1/2, or the batch's mean score.

    Args:
        game: As in :func:`discriminator_loss`.
        real: Logits of real poses.
        fake: Logits of generated poses.

    Raises:
        ValueError: If the game is unknown or there is no pose.
    """
    real, fake = _poses(real, fake)
    if game == "cross_entropy":
        border = torch.zeros_like(real.mean())
    elif game == "least_squares":
        border = torch.full_like(real.mean(), 0.5)
    elif game == "wasserstein":
        border = (real.mean() + fake.mean()) / 2
    else:
        raise _unknown(game)
    return (real > border).float().mean(), (fake <= border).float().mean()


def discriminator_accuracy(
    game: str, real: Float[Tensor, "*batch"], fake: Float[Tensor, "*batch"]
) -> Float[Tensor, ""]:
    """Mean of :func:`discriminator_accuracies`; 0.5 when ``D`` is at a loss."""
    of_real, of_fake = discriminator_accuracies(game, real, fake)
    return (of_real + of_fake) / 2


def r1_penalty(
    discriminator: Callable[[Tensor], Tensor], real: Float[Tensor, "*batch J 2"]
) -> Float[Tensor, ""]:
    """``E |grad D(r)|^2 / 2`` on real poses (Mescheder et al., ICML 2018).

    Args:
        discriminator: Logits of poses.
        real: Real poses.

    Raises:
        ValueError: If there is no pose.
    """
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    (gradient,) = _poses(gradient)
    return 0.5 * gradient.square().sum((-2, -1)).mean()


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor],
    real: Float[Tensor, "batch J 2"],
    fake: Float[Tensor, "batch J 2"],
    mix: Float[Tensor, "batch"],
) -> Float[Tensor, ""]:
    """``E (|grad D(m)| - 1)^2`` on mixtures of real and fake (Gulrajani et al., NeurIPS 2017).

    Args:
        discriminator: The critic.
        real: Real poses.
        fake: Generated poses.
        mix: Share of the real pose in each mixture, in [0, 1].

    Raises:
        ValueError: If there is no pose.
    """
    mix = mix[:, None, None]
    between = (mix * real + (1 - mix) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    (gradient,) = _poses(gradient)
    norm = gradient.square().sum((-2, -1)).add(1e-12).sqrt()
    return (norm - 1).square().mean()


def _poses(*given: Tensor) -> tuple[Tensor, ...]:
    """Refuse an empty batch, whose mean would be NaN."""
    if any(x.numel() == 0 for x in given):
        raise ValueError("losses: expected at least one pose, got none; leave the term out")
    return given


def _unknown(game: str) -> ValueError:
    return ValueError(f"loss.game: expected one of {', '.join(GAMES)}, got '{game}'")
