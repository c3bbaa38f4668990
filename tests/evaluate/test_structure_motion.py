"""MPJVE against a loop over recordings, in any order and with left-out frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from selflift.evaluate.structure import mpjve


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 100 * torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


def recordings(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Three clips, two cameras, thinned unevenly, in disorder; one take is a single pose."""
    rng = np.random.default_rng(seed)
    rows = [
        (clip, camera, frame)
        for clip, camera, kept in [(0, 0, 9), (0, 1, 7), (1, 0, 12), (2, 1, 1)]
        for frame in rng.choice(40, kept, replace=False)
    ]
    clip, camera, frame = torch.tensor(rng.permutation(rows)).T
    P, T = noise(len(rows), 17, 3, seed=1), noise(len(rows), 17, 3, seed=2)
    return P, T, clip.int(), camera.int(), frame


def slow(P: Tensor, T: Tensor, clip: Tensor, camera: Tensor, frame: Tensor) -> np.ndarray:
    out = np.full(len(P), np.nan)
    for i in range(len(P)):
        later = [
            j
            for j in range(len(P))
            if clip[j] == clip[i] and camera[j] == camera[i] and frame[j] > frame[i]
        ]
        if later:
            j = min(later, key=lambda j: int(frame[j]))
            change = (P[j] - P[i]) - (T[j] - T[i])
            gap = int(frame[j]) - int(frame[i])
            out[i] = np.mean([np.linalg.norm(change[k]) for k in range(17)]) / gap
    return out


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_the_loop_in_any_order(seed: int, dtype: torch.dtype) -> None:
    P, T, *where = recordings(seed)
    found = mpjve(P.to(dtype), T.to(dtype), *where)
    assert found.dtype == dtype
    np.testing.assert_allclose(found.numpy(), slow(P, T, *where), rtol=1e-4)


def test_only_the_last_pose_of_each_take_is_excluded() -> None:
    P, T, clip, camera, frame = recordings()
    excluded = mpjve(P, T, clip, camera, frame).isnan()
    assert int(excluded.sum()) == 4
    for i in excluded.nonzero().flatten():
        same = (clip == clip[i]) & (camera == camera[i])
        assert frame[i] == frame[same].max()


def test_on_one_whole_recording_it_is_the_difference_along_time() -> None:
    P, T = noise(20, 17, 3, seed=1), noise(20, 17, 3, seed=2)
    zeros = torch.zeros(20, dtype=torch.int32)
    found = mpjve(P, T, zeros, zeros, torch.arange(20))
    change = np.diff(P.numpy(), axis=0) - np.diff(T.numpy(), axis=0)
    expected = np.mean(np.linalg.norm(change, axis=-1))
    assert found[:-1].mean().item() == pytest.approx(expected)


def test_a_constant_offset_costs_nothing_and_a_drift_costs_its_speed_however_thinned() -> None:
    T = noise(9, 17, 3)
    zeros = torch.zeros(9, dtype=torch.int64)
    frame = torch.tensor([0, 1, 2, 5, 9, 10, 20, 21, 50])
    assert mpjve(T + 40, T, zeros, zeros, frame)[:-1].max() < 1e-9
    drifting = T + 3 * frame[:, None, None] * torch.tensor([0.0, 0.6, 0.8]).double()
    found = mpjve(drifting, T, zeros, zeros, frame)
    np.testing.assert_allclose(found[:-1].numpy(), 3.0, rtol=1e-6)


@pytest.mark.parametrize("other", ["clip", "camera"])
def test_no_velocity_leads_from_one_take_to_another(other: str) -> None:
    P, T = noise(2, 17, 3, seed=1), noise(2, 17, 3, seed=2)
    same, differs = torch.tensor([0, 0]), torch.tensor([0, 1])
    where = (differs, same) if other == "clip" else (same, differs)
    assert mpjve(P, T, *where, torch.tensor([0, 1])).isnan().all()


def test_a_single_pose_has_no_velocity() -> None:
    zero = torch.zeros(1, dtype=torch.int64)
    assert mpjve(noise(1, 17, 3), noise(1, 17, 3, seed=1), zero, zero, zero).isnan().all()


def test_two_poses_of_one_frame_raise() -> None:
    zeros = torch.zeros(4, dtype=torch.int64)
    frame = torch.tensor([7, 3, 5, 3])
    with pytest.raises(ValueError, match="one pose per frame.*got 1 more .*frame 3 of pose 1"):
        mpjve(noise(4, 17, 3), noise(4, 17, 3, seed=1), zeros, zeros, frame)


def test_poses_that_cannot_be_scored_raise() -> None:
    P, T, *where = recordings()
    P[4, 3] = torch.nan
    with pytest.raises(ValueError, match="finite predictions.*pose 4"):
        mpjve(P, T, *where)
    with pytest.raises(ValueError, match="at least one pose"):
        mpjve(P[:0], T[:0], *(index[:0] for index in where))
