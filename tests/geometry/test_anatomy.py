"""Which way a body faces, and which way its knees bend."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from selflift.geometry.anatomy import forward_direction, knee_score
from selflift.skeleton import H36M_17

MIRROR = torch.tensor([1.0, 1.0, -1.0])


def rigid(X: Tensor, seed: int = 0) -> Tensor:
    """Each pose turned and moved at random."""
    rng = np.random.default_rng(seed)
    R = torch.from_numpy(Rotation.random(len(X), rng=rng).as_matrix()).to(X.dtype)
    return X @ R.mT + torch.from_numpy(rng.normal(0, 5, (len(X), 1, 3))).to(X.dtype)


def test_the_standing_person_faces_where_they_were_made_to_face(standing: np.ndarray) -> None:
    forward = forward_direction(torch.from_numpy(standing), H36M_17)
    assert float(forward[1]) > 0.99
    assert float(forward.norm()) == pytest.approx(1, rel=1e-12)


def test_forward_direction_turns_with_the_body(
    standing: np.ndarray, batch: tuple, dtype: torch.dtype, tol: float
) -> None:
    X = torch.from_numpy(standing).to(dtype).expand(*batch, 17, 3)
    R = torch.from_numpy(Rotation.random(rng=1).as_matrix()).to(dtype)
    turned = forward_direction(X @ R.mT + 2, H36M_17)
    expected = forward_direction(X, H36M_17) @ R.mT
    torch.testing.assert_close(turned, expected, atol=50 * tol, rtol=0)


def test_knees_that_bend_forward_score_plus_one_whichever_way_the_body_faces(
    standing: np.ndarray, dtype: torch.dtype
) -> None:
    X = torch.from_numpy(standing).to(dtype).expand(100, 17, 3)
    scores = [knee_score(pose[None], H36M_17) for pose in rigid(X)]
    assert min(scores) > 0.9
    assert max(scores) <= 1 + 1e-6
    assert knee_score(rigid(X), H36M_17) == pytest.approx(np.mean(scores), abs=1e-3)


def test_knees_that_bend_backward_score_minus_one(standing: np.ndarray) -> None:
    X = torch.from_numpy(standing).clone()
    for hip, knee, ankle in H36M_17.legs:
        middle = (X[hip] + X[ankle]) / 2
        X[knee, 1] = 2 * middle[1] - X[knee, 1]
    assert knee_score(X[None], H36M_17) < -0.9


def test_a_depth_mirror_flips_the_sign_exactly(make_bodies: Callable, dtype: torch.dtype) -> None:
    X = rigid(make_bodies(50, dtype=dtype))
    score = knee_score(X, H36M_17)
    assert score != 0
    assert knee_score(X * MIRROR.to(dtype), H36M_17) == -score


def test_size_and_place_do_not_matter(make_bodies: Callable) -> None:
    X = make_bodies(20)
    assert knee_score(300 * X + 7, H36M_17) == pytest.approx(knee_score(X, H36M_17), rel=1e-9)


def test_straight_legs_weigh_nothing(standing: np.ndarray) -> None:
    bent = torch.from_numpy(standing)
    straight = bent.clone()
    for hip, knee, ankle in H36M_17.legs:
        straight[knee] = (straight[hip] + straight[ankle]) / 2
    assert abs(knee_score(torch.stack([bent, straight]), H36M_17)) == pytest.approx(
        knee_score(bent[None], H36M_17), abs=1e-9
    )


def test_exactly_straight_legs_are_undecided() -> None:
    X = torch.zeros(2, 17, 3)
    X[:, H36M_17.head, 2] = 1
    for side, leg in zip((-1.0, 1.0), H36M_17.legs, strict=True):
        for drop, joint in enumerate(leg):
            X[:, joint] = torch.tensor([side, 0.0, -float(drop)])
    assert knee_score(X, H36M_17) == 0


def test_a_layout_without_legs_is_refused() -> None:
    torso = dataclasses.replace(H36M_17, name="torso", legs=())
    with pytest.raises(ValueError, match="'torso': expected two legs .* got 0; name them in"):
        knee_score(torch.zeros(2, 17, 3), torso)
