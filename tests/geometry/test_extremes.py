"""Whatever the pose: a finite, correct result, or one clear ``ValueError``."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from selflift.geometry import align
from selflift.geometry.anatomy import forward_direction, knee_score
from selflift.geometry.bodies import (
    body_of,
    bone_lengths,
    bones_of,
    foreshortened,
    recombine,
    relative_bone_lengths,
    rescale_bones,
    skeleton_height,
)
from selflift.geometry.normalise import pose_size
from selflift.geometry.precision import power_of_two
from selflift.skeleton import H36M_17
from tests.geometry.extremes import body, finite, poses, scales, seeds, shapes

quick = settings(max_examples=40, deadline=None)


def residual(P: np.ndarray, T: np.ndarray, reflection: bool) -> float:
    """What the best similarity leaves of ``|s R P + t - T|``, relative to ``|T|``; in float64.

    Umeyama's: from the singular values alone, whichever of many rotations is the best.
    """
    P, T = P - P.mean(0), T - T.mean(0)
    P, T = P / np.linalg.norm(P), T / np.linalg.norm(T)
    U, S, Vt = np.linalg.svd(P.T @ T)
    if not reflection and np.linalg.det(U) * np.linalg.det(Vt) < 0:
        S[2] = -S[2]
    return float(np.sqrt(max(0.0, 1 - S.sum() ** 2)))


@settings(max_examples=150, deadline=None)
@given(seeds(), shapes(), shapes(), scales(), scales(), st.booleans(), st.booleans())
def test_procrustes_leaves_what_a_reference_leaves_also_at_degenerate_ranks(
    seed: int, of_p: str, of_t: str, p: float, t: float, reflection: bool, double: bool
) -> None:
    dtype = torch.float64 if double else torch.float32
    P, T = (p * body(seed, of_p)).to(dtype), (t * body(seed + 1, of_t)).to(dtype)
    if "point" in (of_p, of_t):
        with pytest.raises(ValueError, match="procrustes: expected poses with an extent"):
            align.procrustes(P, T, reflection)
        return
    aligned = align.procrustes(P, T, reflection)
    assert finite(aligned)
    left = (aligned.double() - T.double()).numpy()
    for k in range(len(P)):
        truth = T[k].double().numpy()
        size = np.linalg.norm(truth - truth.mean(0))
        found = np.linalg.norm(left[k]) / size
        expected = residual(P[k].double().numpy(), truth, reflection)
        # Where all fits, what is left is the square root of rounding in the reference itself.
        assert found == pytest.approx(expected, abs=1e-7 if double else 3e-6)


@pytest.mark.parametrize("reflection", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_poses_that_have_nothing_in_common_are_aligned_to_a_point(
    reflection: bool, dtype: torch.dtype
) -> None:
    P, T = torch.zeros(1, 4, 3, dtype=dtype), torch.zeros(1, 4, 3, dtype=dtype)
    P[0, :, 0] = torch.tensor([1.0, 1, -1, -1])
    T[0, :, 1] = torch.tensor([1.0, -1, 1, -1])
    torch.testing.assert_close(align.procrustes(P, T, reflection), torch.zeros_like(T))


@quick
@given(poses(), poses(), st.sampled_from(["scale_fit", "scale_norm", "procrustes"]))
def test_alignment_is_finite_or_refused_in_words(P: Tensor, T: Tensor, name: str) -> None:
    n = min(len(P), len(T))
    try:
        aligned = getattr(align, name)(P[:n], T[:n])
    except ValueError as error:
        assert f"{name}: expected poses with an extent" in str(error)
    else:
        assert finite(aligned) and aligned.shape == T[:n].shape
        largest = T[:n].abs().amax((-2, -1))
        assert (aligned.abs().amax((-2, -1)) <= 10 * largest + 1e-30).all()


@quick
@given(seeds(), st.integers(-90, 90), st.integers(-90, 90))
def test_powers_of_two_change_no_bit_of_an_alignment(seed: int, p: int, t: int) -> None:
    P, T = body(seed).float(), body(seed + 1).float()
    for name in ("scale_fit", "scale_norm", "procrustes"):
        plain = getattr(align, name)(P, T)
        assert torch.equal(getattr(align, name)(P * 2.0**p, T * 2.0**t), plain * 2.0**t), name


@quick
@given(st.floats(0, 2.0**127, width=32))
def test_a_power_of_two_is_one_and_next_to_the_number(size: float) -> None:
    power = float(power_of_two(torch.tensor(size)))
    assert float(np.log2(power)).is_integer()
    assert size == 0 or 1 <= size / power < 2


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", ["scale_fit", "scale_norm", "procrustes", "procrustes_both"])
@pytest.mark.parametrize("side", [0, 1])
def test_what_is_not_finite_is_not_aligned(name: str, value: float, side: int) -> None:
    both = [body(0), body(1)]
    both[side][1, 4, 0] = value
    with pytest.raises(ValueError, match=f"{name.split('_both')[0]}: expected finite poses"):
        getattr(align, name)(*both)


@quick
@given(poses())
def test_knees_score_within_one_and_directions_are_units_or_zero(X: Tensor) -> None:
    score = knee_score(X, H36M_17)
    assert abs(score) <= 1 + 1e-5
    norm = forward_direction(X, H36M_17).norm(dim=-1)
    assert ((norm - 1).abs().minimum(norm) < 1e-5).all()


@quick
@given(seeds(), scales())
def test_knees_and_proportions_are_blind_to_the_unit(seed: int, scale: float) -> None:
    X = body(seed).float()
    # In float32 a unit that is no power of two rounds once.
    assert knee_score(scale * X, H36M_17) == pytest.approx(knee_score(X, H36M_17), abs=1e-5)
    torch.testing.assert_close(
        relative_bone_lengths(scale * X, H36M_17), relative_bone_lengths(X, H36M_17)
    )


@quick
@given(seeds(), st.sampled_from(["collinear", "two points", "point"]), scales())
def test_straight_poses_face_nowhere_and_are_undecided(seed: int, shape: str, size: float) -> None:
    X = (size * body(seed, shape)).float()
    assert (forward_direction(X, H36M_17) == 0).all()
    assert knee_score(X, H36M_17) == 0


@quick
@given(seeds(), scales())
def test_legs_straight_but_for_rounding_are_undecided(seed: int, size: float) -> None:
    X = (size * body(seed)).float()
    for hip, knee, ankle in H36M_17.legs:
        X[:, knee] = 0.3 * X[:, hip] + 0.7 * X[:, ankle]
    assert knee_score(X, H36M_17) == 0


def test_knees_of_poses_that_are_not_numbers_are_refused() -> None:
    X = body(0)
    X[1, 3] = torch.nan
    with pytest.raises(ValueError, match="knee_score: expected finite poses"):
        knee_score(X, H36M_17)


@quick
@given(poses())
def test_bodies_are_taken_apart_and_put_together_again(X: Tensor) -> None:
    bones = bones_of(X, H36M_17)
    size = float(X.abs().max()) if X.numel() else 0.0
    torch.testing.assert_close(body_of(bones, H36M_17), X, rtol=0, atol=1e-6 * size)
    lengths = bones.norm(dim=-1)
    solved = foreshortened(bones, lengths)
    assert finite(solved)
    torch.testing.assert_close(solved.norm(dim=-1), lengths, rtol=1e-3, atol=1e-3 * size)
    for found in (bone_lengths(X, H36M_17), skeleton_height(X, H36M_17), pose_size(X)):
        assert finite(found) and (found >= 0).all()
    assert finite(relative_bone_lengths(X, H36M_17))
    generator = torch.Generator().manual_seed(0)
    assert finite(rescale_bones(bones, 0.1, H36M_17, generator))


@quick
@given(seeds(), shapes(), scales())
def test_limbs_keep_their_lengths_when_they_are_exchanged(
    seed: int, shape: str, scale: float
) -> None:
    bones = bones_of((scale * body(seed, shape, n=4)).float(), H36M_17)
    mixed = recombine(bones, 1.0, 1.0, H36M_17, torch.Generator().manual_seed(seed))
    assert finite(mixed)
    size = float(bones.abs().max())
    # A body whose shoulders lie along its spine keeps its arms, so its donor's occur twice.
    difference = (mixed.norm(dim=-1)[:, None] - bones.norm(dim=-1)).abs().amin(1)
    assert (difference <= 2e-5 * size).all()
