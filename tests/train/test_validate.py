"""Criteria without truth: they tell right from wrong, and vanish where they should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from selflift.skeleton import H36M_17
from selflift.train.validate import bone_variation, energy_distance


def test_bone_variation_is_zero_for_one_body_turned_and_scaled(make_bodies) -> None:
    body = make_bodies(seed=1).float()
    q, _ = torch.linalg.qr(torch.randn(40, 3, 3, generator=torch.Generator().manual_seed(0)))
    size = torch.linspace(0.5, 2, 40)[:, None, None]
    X = size * (body @ q)
    assert bone_variation(X, torch.zeros(40, dtype=torch.long), H36M_17) < 1e-5


def test_bone_variation_grows_when_bodies_are_flattened(make_bodies) -> None:
    body = make_bodies(seed=1).float()
    q, _ = torch.linalg.qr(torch.randn(40, 3, 3, generator=torch.Generator().manual_seed(0)))
    X = body @ q
    one = torch.zeros(40, dtype=torch.long)
    flat = X * torch.tensor([1.0, 1.0, 0.0])
    assert bone_variation(flat, one, H36M_17) > 0.1


def test_bone_variation_is_taken_within_subjects(make_bodies) -> None:
    a, b = make_bodies(seed=1).float(), make_bodies(seed=2, noise=0.2).float()
    X = torch.cat([a.expand(10, 17, 3), b.expand(10, 17, 3)])
    subject = torch.arange(20) // 10
    assert bone_variation(X, subject, H36M_17) < 1e-5
    assert bone_variation(X, torch.zeros_like(subject), H36M_17) > 0.01


def test_strangers_with_one_pose_each_count_as_one_subject(make_bodies) -> None:
    X = torch.cat([make_bodies(1, seed=s).float() for s in range(4)])
    together = bone_variation(X, torch.zeros(4, dtype=torch.long), H36M_17)
    assert bone_variation(X, torch.arange(4), H36M_17) == together > 0


def test_energy_distance_agrees_with_a_loop() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(6, 17, 2)), rng.normal(0.3, 1, size=(5, 17, 2))

    def mean(first, second, same):  # type: ignore[no-untyped-def]
        pairs = [
            np.linalg.norm(p - q)
            for i, p in enumerate(first) for j, q in enumerate(second) if not (same and i == j)
        ]  # fmt: skip
        return np.mean(pairs)

    expected = 2 * mean(a, b, False) - mean(a, a, True) - mean(b, b, True)
    got = energy_distance(torch.from_numpy(a), torch.from_numpy(b))
    assert got == pytest.approx(expected, abs=1e-6)


def test_energy_distance_tells_shifted_from_same() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(500, 17, 2, generator=generator) for _ in range(2))
    assert abs(energy_distance(a, b)) < 0.05
    assert energy_distance(a, b + 0.5) > 0.5
