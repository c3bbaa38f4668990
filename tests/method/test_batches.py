"""Batches with all that may belong to a pose: its next frame, confidences, source poses, truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from selflift.data import streams as streams_module
from selflift.data.pose_set import Labels, PoseSet
from selflift.data.streams import NO_FRAME, next_frames, streams
from selflift.method.batches import Batches, TrainingPoses
from selflift.skeleton import H36M_17


def recorded(frames: dict[str, list[int]], cameras: int = 1) -> PoseSet:
    """Poses of several clips, clip by clip and camera by camera, at given frames."""
    clips = [c for c, own in frames.items() for _ in range(cameras * len(own))]
    films = [f"{c}/{k}" for c, own in frames.items() for k in range(cameras) for _ in own]
    frame = [f for own in frames.values() for _ in range(cameras) for f in own]
    n = len(frame)
    return PoseSet(
        skeleton=H36M_17,
        poses_2d=np.zeros((n, 17, 2), np.float32),
        subject=Labels.of(["S1"] * n),
        action=Labels.of(["Walk"] * n),
        clip=Labels.of(clips),
        camera=Labels.of(films),
        frame=np.array(frame, np.int64),
        fps=np.full(n, 50, np.float32),
    )


def test_the_next_frame_is_the_nearest_one_of_the_same_recording_within_the_bounds() -> None:
    poses = recorded({"a": [0, 2, 4, 9, 30], "b": [31, 32, 33]})
    after = next_frames(poses, 1, 5)
    assert after.tolist() == [1, 2, 3, NO_FRAME, NO_FRAME, 6, 7, NO_FRAME]
    after = next_frames(poses, 4, 7)
    assert after.tolist() == [2, 3, 3, *[NO_FRAME] * 5]
    after = next_frames(poses, 2, 2)
    assert after.tolist() == [1, 2, NO_FRAME, NO_FRAME, NO_FRAME, 7, NO_FRAME, NO_FRAME]


def test_cameras_are_no_successors_of_each_other_and_order_does_not_matter() -> None:
    poses = recorded({"a": [0, 1, 2], "b": [3, 4]}, cameras=2)
    after = next_frames(poses, 1, 1)
    assert after.tolist() == [1, 2, -1, 4, 5, -1, 7, -1, 9, -1]
    order = np.random.default_rng(0).permutation(len(poses))
    shuffled = next_frames(poses.select(order), 1, 1)
    place = np.argsort(order)
    expected = np.where(after == NO_FRAME, NO_FRAME, place[after])
    assert np.array_equal(shuffled, expected[order])


def test_one_pose_has_no_next_frame() -> None:
    assert next_frames(recorded({"a": [5]}), 1, 4).tolist() == [NO_FRAME]


def numbered(n: int) -> TrainingPoses:
    """Poses that carry their row in every coordinate."""
    row = torch.arange(1.0, n + 1)
    joint = torch.arange(17.0)
    following = torch.arange(1, n + 1)
    following[4::5] = NO_FRAME
    following[-1] = NO_FRAME
    return TrainingPoses(
        x=(row[:, None] + 100 * joint)[..., None].expand(n, 17, 2).clone(),
        confidence=row[:, None] + 1000 * joint,
        following=following,
        truth=(-row[:, None] - 100 * joint)[..., None].expand(n, 17, 3).clone(),
    )


def row_of(x: Tensor) -> Tensor:
    return x[:, 0, 0].abs().round().long() - 1


def test_what_belongs_to_a_pose_stays_with_it_also_in_the_mirror() -> None:
    poses = numbered(40)
    batch = Batches(poses, 40, 0, H36M_17, mirror=True)(0)
    rows, mirrored = row_of(batch.x), batch.x[:, 0, 0] < 0
    assert 5 < int(mirrored.sum()) < 35
    order = torch.tensor(H36M_17.mirror)
    assert poses.confidence is not None and poses.truth is not None
    original = poses.confidence[rows]
    expected = torch.where(mirrored[:, None], original[:, order], original)
    assert batch.confidence is not None and torch.equal(batch.confidence, expected)
    original = poses.truth[rows]
    other = original[:, order] * torch.tensor([-1.0, 1.0, 1.0])
    expected = torch.where(mirrored[:, None, None], other, original)
    assert batch.truth is not None and torch.equal(batch.truth, expected)
    following = batch.following
    assert following is not None and poses.following is not None
    assert torch.equal(following.of, torch.nonzero(poses.following[rows] != NO_FRAME)[:, 0])
    assert torch.equal(row_of(following.x), poses.following[rows[following.of]])
    # A pair is seen in the mirror as a whole, or not at all.
    assert torch.equal(following.x[:, 0, 0] < 0, mirrored[following.of])
    assert following.confidence is not None and poses.confidence is not None
    assert torch.equal(following.confidence[:, 0], poses.confidence[row_of(following.x), 0])


def test_source_poses_come_each_once_an_epoch_of_their_own() -> None:
    source = replace(numbered(12), following=None, truth=None)
    batches = Batches(numbered(40), 8, 3, H36M_17, False, source, source_size=4)
    seen = []
    for step in range(6):
        batch = batches(step)
        assert batch.x.shape == (8, 17, 2)
        assert batch.source is not None and batch.source_confidence is not None
        assert torch.equal(batch.source_confidence[:, 0], batch.source[:, 0, 0])
        seen += row_of(batch.source).tolist()
    assert sorted(seen[:12]) == sorted(seen[12:]) == list(range(12))
    assert seen[:12] != seen[12:]


def test_what_is_not_asked_for_is_not_there() -> None:
    batch = Batches(TrainingPoses(numbered(8).x), 4, 0, H36M_17, mirror=True)(0)
    assert batch.confidence is batch.following is batch.source is batch.truth is None


@pytest.mark.parametrize("bounds", [(1, 1), (1, 4), (3, 9), (5, 40)])
def test_next_frames_are_those_that_a_loop_finds_whatever_the_block(
    monkeypatch: pytest.MonkeyPatch, bounds: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    frames = {c: sorted(rng.choice(120, 40, replace=False).tolist()) for c in "abc"}
    poses = recorded(frames, cameras=2)
    poses = poses.select(rng.permutation(len(poses)))
    low, high = bounds
    expected = []
    for i in range(len(poses)):
        own = (poses.clip.index == poses.clip.index[i]) & (
            poses.camera.index == poses.camera.index[i]
        )
        later = poses.frame - poses.frame[i]
        fits = np.flatnonzero(own & (later >= low) & (later <= high))
        expected.append(int(fits[np.argmin(later[fits])]) if len(fits) else NO_FRAME)
    for block in (7, 1000):
        monkeypatch.setattr(streams_module, "BLOCK", block)
        assert next_frames(poses, low, high).tolist() == expected


def test_streams_are_numbered_alike_in_any_order() -> None:
    poses = recorded({"a": [0, 1, 2], "b": [3, 4]}, cameras=2)
    rows = np.arange(len(poses))
    assert streams(poses, rows).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]
    mixed = np.random.default_rng(1).permutation(len(poses))
    assert np.array_equal(streams(poses, mixed), streams(poses, rows)[mixed])
    assert len(streams(poses, rows[:0])) == 0
