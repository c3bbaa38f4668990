"""Random views: circle, elevations and the vertical."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import kstest, norm
from torch import Tensor

from selflift.geometry.rotation import azimuth, pitch
from selflift.method.views import KINDS, ViewSampler

UP = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64)  # in a level camera, y is down
MANY = 20_000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(
    sampler: ViewSampler, n: int = MANY, elevation: Tensor | None = None, seed: int = 0
) -> Tensor:
    return sampler.sample(torch.zeros(n, 17, 2, dtype=torch.float64), elevation, seeded(seed))


def elevations(n: int, mean_deg: float, std_deg: float) -> Tensor:
    noise = torch.randn(n, generator=seeded(7), dtype=torch.float64)
    return torch.deg2rad(mean_deg + std_deg * noise)


def elevation_of(up: Tensor) -> Tensor:
    """How far a camera looks down that sees the vertical as ``up``, degrees."""
    return torch.rad2deg(torch.asin(-up[..., 2]))


def azimuth_of(R: Tensor, own: Tensor | float, new: Tensor) -> Tensor:
    """Azimuth of ``R = pitch(new) azimuth(a) pitch(-own)``."""
    own = torch.as_tensor(own, dtype=R.dtype).expand(len(R))
    A = pitch(-new) @ R @ pitch(own)
    return torch.atan2(A[:, 0, 2], A[:, 0, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_views_are_rotations_of_the_samples_dtype(kind: str, dtype: torch.dtype) -> None:
    own = torch.linspace(-0.2, 0.4, 50, dtype=dtype)
    R = ViewSampler(kind).sample(torch.zeros(50, 17, 2, dtype=dtype), own, seeded())
    assert R.shape == (50, 3, 3) and R.dtype == dtype
    tol = 1e-5 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(R @ R.mT, torch.eye(3, dtype=dtype).expand_as(R), atol=tol, rtol=0)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(50, dtype=dtype), atol=tol, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_generator_decides(kind: str) -> None:
    own = elevations(100, 10, 3)
    first = draw(ViewSampler(kind), 100, own)
    assert torch.equal(first, draw(ViewSampler(kind), 100, own))
    assert not torch.equal(first, draw(ViewSampler(kind), 100, own, seed=1))


@pytest.mark.parametrize("kind", KINDS)
def test_every_sample_has_a_view_of_its_own(kind: str) -> None:
    R = draw(ViewSampler(kind), 50, elevations(50, 10, 0))
    apart = (R[:, None] - R[None]).norm(dim=(-2, -1)) + torch.eye(50)
    assert apart.min() > 1e-4


def test_paper_elevation_is_uniform_over_its_range() -> None:
    elevation = elevation_of(draw(ViewSampler("paper")) @ UP)
    assert elevation.abs().max() <= 20
    assert kstest(elevation.numpy(), "uniform", args=(-20, 40)).pvalue > 0.01


def test_paper_is_the_default_with_the_papers_ranges() -> None:
    sampler = ViewSampler()
    assert sampler.kind == "paper"
    assert sampler.azimuth_range_deg == 180
    # pi / 9
    assert math.radians(sampler.elevation_range_deg) == pytest.approx(math.pi / 9)


def test_azimuth_covers_the_circle_uniformly() -> None:
    level = {"elevation_range_deg": 0.0, "elevation_mean_deg": 0.0, "elevation_std_deg": 0.0}
    for kind in KINDS:
        R = draw(ViewSampler(kind, **level), MANY, torch.zeros(MANY, dtype=torch.float64))
        turn = azimuth_of(R, 0.0, torch.zeros(MANY, dtype=torch.float64))
        assert kstest(turn.numpy(), "uniform", args=(-math.pi, 2 * math.pi)).pvalue > 0.01


def test_azimuth_range_is_kept() -> None:
    R = draw(ViewSampler("paper", azimuth_range_deg=30.0, elevation_range_deg=0.0))
    turn = torch.rad2deg(azimuth_of(R, 0.0, torch.zeros(MANY, dtype=torch.float64)))
    assert 29.9 < turn.max() <= 30
    assert -30 <= turn.min() < -29.9


def test_azimuth_and_elevation_are_independent() -> None:
    R = draw(ViewSampler("paper"))
    elevation = torch.asin(-(R @ UP)[:, 2])
    turn = azimuth_of(R, 0.0, elevation)
    correlation = torch.corrcoef(torch.stack([turn, elevation]))[0, 1]
    assert abs(correlation) < 4 / math.sqrt(MANY)


def test_known_without_turn_and_spread_is_the_view_itself() -> None:
    sampler = ViewSampler("known", azimuth_range_deg=0.0, elevation_std_deg=0.0)
    R = draw(sampler, 10)
    torch.testing.assert_close(R, torch.eye(3, dtype=R.dtype).expand_as(R))


def test_known_levels_and_pitches_again_without_a_turn() -> None:
    sampler = ViewSampler("known", azimuth_range_deg=0.0, elevation_mean_deg=15.0)
    R = draw(sampler, 1000)
    # Two pitches in a row: still a rotation about the camera's x axis, by the difference.
    change = torch.atan2(R[:, 2, 1], R[:, 1, 1])
    torch.testing.assert_close(R, pitch(change))
    assert float(torch.rad2deg(change).std()) == pytest.approx(5, rel=0.1)


def test_known_keeps_an_upright_body_upright() -> None:
    mean, std = 12.0, 5.0
    seen = pitch(torch.tensor(math.radians(mean), dtype=torch.float64)) @ UP
    sampler = ViewSampler("known", elevation_mean_deg=mean, elevation_std_deg=std)
    up = draw(sampler) @ seen
    # In each new view the vertical leans towards or from the camera, never aside.
    torch.testing.assert_close(up[:, 0], torch.zeros(MANY, dtype=up.dtype), atol=1e-12, rtol=0)
    new = elevation_of(up)
    torch.testing.assert_close(up, pitch(torch.deg2rad(new)) @ UP)
    assert kstest(new.numpy(), norm(mean, std).cdf).pvalue > 0.01


def test_paper_tilts_a_body_seen_from_above() -> None:
    seen = pitch(torch.tensor(math.radians(12.0), dtype=torch.float64)) @ UP
    assert (draw(ViewSampler("paper")) @ seen)[:, 0].abs().max() > 0.2


def test_learned_keeps_an_upright_body_upright_by_its_own_elevation() -> None:
    own = elevations(MANY, 10, 4)
    seen = (pitch(own) @ UP)[..., None]
    up = (draw(ViewSampler("learned"), elevation=own) @ seen)[..., 0]
    torch.testing.assert_close(up[:, 0], torch.zeros(MANY, dtype=up.dtype), atol=1e-12, rtol=0)
    new = elevation_of(up)
    torch.testing.assert_close(up, pitch(torch.deg2rad(new)) @ UP)
    mean, std = (float(torch.rad2deg(v)) for v in (own.mean(), own.std()))
    assert kstest(new.numpy(), norm(mean, std).cdf).pvalue > 0.01
    # Each sample is pitched anew, not by its own elevation again.
    assert abs(torch.corrcoef(torch.stack([new, own]))[0, 1]) < 4 / math.sqrt(MANY)


def test_learned_without_spread_pitches_all_samples_alike() -> None:
    own = torch.full((100,), 0.21, dtype=torch.float64)
    R = draw(ViewSampler("learned"), 100, own)
    up = (R @ (pitch(own) @ UP)[..., None])[..., 0]
    torch.testing.assert_close(up, pitch(own) @ UP)
    turn = azimuth_of(R, own, own)
    torch.testing.assert_close(R, pitch(own) @ azimuth(turn) @ pitch(-own))


@pytest.mark.parametrize("spread", [0.0, 4.0])
def test_gradient_flows_to_the_elevation(spread: float) -> None:
    own = elevations(16, 10, spread).requires_grad_()
    R = draw(ViewSampler("learned"), 16, own)
    weights = torch.randn(R.shape, generator=seeded(3), dtype=R.dtype)
    (R * weights).sum().backward()
    assert torch.isfinite(own.grad).all()
    assert (own.grad.abs() > 1e-6).all()


def test_gradient_of_the_elevation_is_right_through_mean_and_spread_too() -> None:
    own = elevations(5, 10, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda e: draw(ViewSampler("learned"), 5, e), (own,))


def test_only_learned_needs_an_elevation() -> None:
    needs = [kind for kind in KINDS if ViewSampler(kind).needs_elevation]
    assert needs == ["learned"]
    for kind in ("paper", "known"):
        own = elevations(20, 30, 10)
        assert torch.equal(draw(ViewSampler(kind), 20), draw(ViewSampler(kind), 20, own))


def test_learned_without_an_elevation_is_refused() -> None:
    with pytest.raises(ValueError, match="'learned': expected a lifter with an elevation head"):
        draw(ViewSampler("learned"), 3)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="view.kind: expected one of paper, known, learned, got"):
        ViewSampler("isometric")


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_is_levelled_and_then_looked_at(kind: str, dtype: torch.dtype) -> None:
    own, like = elevations(50, 10, 4).to(dtype), torch.zeros(50, 17, 2, dtype=dtype)
    sampler = ViewSampler(kind)
    look, new = sampler.look(like, own, seeded())
    level = sampler.level(like, own)
    assert look.dtype == level.dtype == new.dtype == dtype
    assert look.shape == level.shape == (50, 3, 3) and new.shape == (50,)
    R = sampler.sample(like, own, seeded())
    torch.testing.assert_close(R, torch.einsum("nij,njk->nik", look, level))
    # The elevation is the one of the camera that looks at the upright body.
    up = look @ UP.to(dtype)
    tol = 1e-5 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(up, pitch(new) @ UP.to(dtype), atol=tol, rtol=0)
    assert new.std() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_level_undoes_the_elevation(kind: str) -> None:
    own = elevations(50, 10, 4)
    seen = {"paper": torch.zeros_like(own), "learned": own}
    seen["known"] = torch.full_like(own, math.radians(17.0))
    like = torch.zeros(50, 17, 3, dtype=own.dtype)
    level = ViewSampler(kind, elevation_mean_deg=17.0).level(like, own)
    up = (level @ pitch(seen[kind]) @ UP[:, None])[..., 0]
    torch.testing.assert_close(up, UP.expand(50, 3), atol=1e-12, rtol=0)
    # And turns nothing aside.
    across = torch.tensor([1.0, 0.0, 0.0], dtype=own.dtype)
    torch.testing.assert_close(level @ across, across.expand(50, 3))


def test_paper_levels_nothing() -> None:
    level = ViewSampler("paper").level(torch.zeros(9, 17, 3), torch.full((9,), 0.3))
    assert torch.equal(level, torch.eye(3).expand(9, 3, 3))


def test_level_of_learned_needs_an_elevation() -> None:
    with pytest.raises(ValueError, match="'learned': expected a lifter with an elevation head"):
        ViewSampler("learned").level(torch.zeros(3, 17, 3), None)
