"""Choosing people, and following them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from selflift.formats.keypoints.person_table import NO_TRACK, Detections
from selflift.formats.keypoints.tracking import PATIENCE_S, REACH, choose, follow

FPS = 30.0


def table(
    frame: Sequence[int],
    people: np.ndarray,
    score: Sequence[float] | None = None,
    track: Sequence[int] | None = None,
) -> Detections:
    n = len(frame)
    return Detections(
        video="v",
        frame=np.array(frame, np.int64),
        keypoints=people[..., :2].reshape(n, -1, 2),
        confidence=people[..., 2].reshape(n, -1),
        score=None if score is None else np.array(score, float),
        track=None if track is None else np.array(track),
    )


def mixed(people: np.ndarray, seed: int = 0) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Frame by frame, people in another order in each: frame, person and keypoints of each row."""
    rng = np.random.default_rng(seed)
    frame, who = [], []
    for t in range(people.shape[1]):
        frame += [t] * len(people)
        who += rng.permutation(len(people)).tolist()
    return frame, np.array(who), people[who, frame]


def test_the_best_is_the_one_of_the_highest_score_in_each_frame(
    make_people: Callable[..., np.ndarray],
) -> None:
    frame = [0, 0, 0, 1, 4, 4]
    score = [0.2, 0.9, 0.5, 0.1, 0.7, 0.8]
    choice = choose(table(frame, make_people(1, 6)[0], score), "best", FPS, 1)
    ((name, rows),) = choice.takes
    assert name == "" and rows.tolist() == [1, 3, 5]
    assert choice.dropped == {"other people in the frame": 3}


def test_without_scores_the_mean_confidence_decides(make_people: Callable[..., np.ndarray]) -> None:
    people = make_people(1, 6)[0]
    frame = [0, 0, 1, 1, 1, 2]
    expected = []
    for t in (0, 1, 2):
        rows = [n for n, f in enumerate(frame) if f == t]
        expected.append(max(rows, key=lambda n: float(people[n, :, 2].mean())))
    partly = [5.0, 4.0, 3.0, np.nan, 2.0, 1.0]
    for score in (None, partly):
        choice = choose(table(frame, people, score), "best", FPS, 1)
        assert choice.takes[0][1].tolist() == expected


def test_equal_scores_keep_the_files_order(make_people: Callable[..., np.ndarray]) -> None:
    people = table([0, 0, 1, 1], make_people(1, 4)[0], [1, 1, 1, 1])
    assert choose(people, "best", FPS, 1).takes[0][1].tolist() == [0, 2]


def test_all_are_sorted_by_score_within_each_frame(make_people: Callable[..., np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    frame = np.sort(rng.integers(0, 40, 100))
    score = rng.uniform(size=100)
    choice = choose(table(frame.tolist(), make_people(1, 100)[0], score), "all", FPS, 1)
    expected: dict[int, list[int]] = {}
    for t in np.unique(frame):
        rows = sorted(np.flatnonzero(frame == t), key=lambda n: -score[n])
        for k, row in enumerate(rows, 1):
            expected.setdefault(k, []).append(int(row))
    assert [name for name, _ in choice.takes] == [f"person{k}" for k in expected]
    assert [rows.tolist() for _, rows in choice.takes] == list(expected.values())
    assert not choice.dropped


@pytest.mark.parametrize("seed", range(5))
def test_people_are_followed_through_shuffled_frames(
    make_people: Callable[..., np.ndarray], seed: int
) -> None:
    people = make_people(3, 40, seed=seed)
    frame, who, rows = mixed(people, seed)
    choice = choose(table(frame, rows), "track", FPS, 1)
    assert len(choice.takes) == 3
    for _, taken in choice.takes:
        assert len(set(who[taken])) == 1 and len(taken) == 40
        assert np.array(frame)[taken].tolist() == list(range(40))
    assert "distance of their poses" in str(choice.note)


def test_the_nearest_pair_wins_a_conflict() -> None:
    # Both people of frame 1 are nearest to A; the farther one has to take B.
    body = np.stack([np.linspace(0, 10, 5), np.linspace(0, 100, 5)], -1)
    places = {"A": 0.0, "B": 60.0, "near A": 5.0, "between": 25.0}
    keypoints = np.stack([body + np.array([x, 0]) for x in places.values()]).astype(np.float32)
    assert follow(np.array([0, 0, 1, 1]), keypoints, FPS).tolist() == [0, 1, 0, 1]
    # In the other order as well.
    swapped = keypoints[[1, 0, 3, 2]]
    assert follow(np.array([0, 0, 1, 1]), swapped, FPS).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(("share", "tracks"), [(0.95, 1), (1.05, 2)])
def test_a_jump_beyond_reach_starts_a_new_track(share: float, tracks: int) -> None:
    body = np.stack([np.linspace(0, 30, 6), np.linspace(0, 200, 6)], -1)
    moved = body + np.array([0, share * REACH * 200])
    keypoints = np.stack([body, moved]).astype(np.float32)
    assert len(set(follow(np.array([0, 1]), keypoints, FPS))) == tracks


def test_a_track_survives_a_pause_no_longer_than_the_patience(
    make_people: Callable[..., np.ndarray],
) -> None:
    keypoints = make_people(1, 4)[0, ..., :2]
    longest = int(PATIENCE_S * FPS)
    assert len(set(follow(np.array([0, 1, 1 + longest, 2 + longest]), keypoints, FPS))) == 1
    assert follow(np.array([0, 1, 2 + longest, 3 + longest]), keypoints, FPS).tolist() == [
        0,
        0,
        1,
        1,
    ]


def test_frames_far_apart_can_be_followed_all_the_same(
    make_people: Callable[..., np.ndarray],
) -> None:
    keypoints = make_people(1, 4)[0, ..., :2]
    assert len(set(follow(np.array([0, 100, 200, 300]), keypoints, FPS))) == 1


def test_joints_that_one_of_two_poses_lacks_do_not_count(
    make_people: Callable[..., np.ndarray],
) -> None:
    keypoints = make_people(1, 3)[0, ..., :2].copy()
    keypoints[0, :7] = keypoints[1, 7:12] = np.nan
    assert len(set(follow(np.arange(3), keypoints, FPS))) == 1
    keypoints[2, 2:] = np.nan
    assert follow(np.arange(3), keypoints, FPS).tolist() == [0, 0, 1], "two in common say little"


def test_joints_in_one_place_have_a_distance() -> None:
    keypoints = np.full((2, 4, 2), 50, np.float32)
    assert follow(np.arange(2), keypoints, FPS).tolist() == [0, 0]


def test_the_files_own_tracks_come_first(make_people: Callable[..., np.ndarray]) -> None:
    people = make_people(2, 10)
    frame, who, rows = mixed(people)
    # The file says that the people change places in frame 5.
    track = np.where(np.array(frame) < 5, who, 1 - who) + 7
    choice = choose(table(frame, rows, track=track.tolist()), "track", FPS, 1)
    for _, taken in choice.takes:
        assert len(set(track[taken])) == 1 and len(taken) == 10
    assert choice.note == "people are followed by the identities in the file"


@pytest.mark.parametrize("track", [[0] * 8, [3] * 8, [1, 2, 1, 2, 1, 2, 1, NO_TRACK]])
def test_identities_that_tell_nobody_apart_are_not_used(
    make_people: Callable[..., np.ndarray], track: list[int]
) -> None:
    frame, who, rows = mixed(make_people(2, 4))
    choice = choose(table(frame, rows, track=track), "track", FPS, 1)
    assert [len(set(who[taken])) for _, taken in choice.takes] == [1, 1]
    assert "has no identity of its own" in str(choice.note)


def test_short_tracks_are_left_out_and_counted(make_people: Callable[..., np.ndarray]) -> None:
    people = make_people(2, 9)
    frame, who, rows = mixed(people)
    keep = (who == 0) | (np.array(frame) < 3)
    choice = choose(table(np.array(frame)[keep].tolist(), rows[keep]), "track", FPS, 4)
    assert [len(taken) for _, taken in choice.takes] == [9]
    assert choice.dropped == {"in a track of less than 4 frames": 3}


def test_tracks_are_numbered_in_order_of_appearance(make_people: Callable[..., np.ndarray]) -> None:
    people = make_people(1, 6)[0]
    choice = choose(table([0, 0, 1, 1, 2, 3], people, track=[9, 4, 4, 9, 2, 9]), "track", FPS, 1)
    assert [(name, rows.tolist()) for name, rows in choice.takes] == [
        ("person1", [0, 3, 5]), ("person2", [1, 2]), ("person3", [4]),
    ]  # fmt: skip
