"""The table of everybody in a video."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.person_table import Collector, Person, split_name


def test_people_come_out_in_order_of_frames(make_people: Callable[..., np.ndarray]) -> None:
    person = make_people(frames=7)[0]
    collector = Collector(17)
    order = [4, 0, 6, 2, 1, 5, 3]
    for frame in order:
        numbers = person[frame].ravel().tolist()
        collector.add(Person("f", "v", frame, numbers, frame / 10, frame * 2))
    table = collector.table("video", size_px=(640, 480))
    assert len(collector) == len(table) == 7
    assert table.frame.tolist() == list(range(7))
    np.testing.assert_array_equal(table.keypoints, person[..., :2])
    np.testing.assert_array_equal(table.confidence, person[..., 2])
    np.testing.assert_allclose(table.score, np.arange(7) / 10)
    assert table.track.tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert (table.video, table.size_px) == ("video", (640, 480))


def test_people_of_one_frame_keep_the_files_order(make_people: Callable[..., np.ndarray]) -> None:
    people = make_people(100, 1)[:, 0]
    frame = np.random.default_rng(0).integers(0, 4, 100)
    collector = Collector(17)
    for t, person in zip(frame.tolist(), people, strict=True):
        collector.add(Person("f", "v", t, person.ravel().tolist()))
    order = [n for t in range(4) for n in range(100) if frame[n] == t]
    np.testing.assert_array_equal(collector.table("v").keypoints, people[order][..., :2])


def test_joints_behind_the_kept_ones_are_cut(make_people: Callable[..., np.ndarray]) -> None:
    person = make_people(joints=133)[0]
    collector = Collector(133)
    collector.add(Person("f", "v", 0, person[0].ravel().tolist()))
    table = collector.table("v", 17)
    np.testing.assert_array_equal(table.keypoints[0], person[0, :17, :2])
    assert table.confidence.shape == (1, 17)


def test_nobody_makes_an_empty_table() -> None:
    table = Collector(17).table("v")
    assert table.keypoints.shape == (0, 17, 2) and len(table) == 0


def test_null_and_numbers_beyond_float32_are_no_places() -> None:
    collector = Collector(2)
    collector.add(Person("f", "v", 0, [None, 2, 1, 1e300, 4, 1]))
    table = collector.table("v")
    assert np.isnan(table.keypoints[0, 0, 0]) and np.isinf(table.keypoints[0, 1, 0])


@pytest.mark.parametrize(
    ("triples", "message"),
    [
        ([1.0] * 5, r"'f', frame 3: expected 6 keypoint numbers .*of 2 joints\), got 5"),
        ([1.0] * 75, "expected 6 keypoint numbers .*, got 75"),
        (None, "expected 6 keypoint numbers .*, got NoneType"),
        ({"x": 1}, "expected 6 keypoint numbers .*, got dict"),
        ([1, 2, "3", 4, 5, 6], r"'f', frame 3: expected keypoints of numbers, got '3' \(str\)"),
        (["1", "2", "3", "4", "5", "6"], "expected keypoints of numbers, got '1'"),
        ([1, 2, None, "4", 5, 6], "expected keypoints of numbers, got '4'"),
        ([1, 2, [3], 4, 5, 6], r"expected keypoints of numbers, got '\[3\]' \(list\)"),
        ([[1], [2], [3], [4], [5], [6]], r"expected keypoints of numbers, got '\[1\]' \(list\)"),
        ([{}, 2, 3, 4, 5, 6], "expected keypoints of numbers, got '{}' .dict."),
        ([1, 2, 10**400, 4, 5, 6], "expected keypoints of numbers, got '10000000"),
        ([10**400] * 6, "expected keypoints of numbers, got '10000000"),
    ],
)
def test_keypoints_that_are_no_triples_are_refused(triples: object, message: str) -> None:
    with pytest.raises(ImportFileError, match=message):
        Collector(2).add(Person("'f'", "v", 3, triples))


def test_numbers_of_every_kind_are_read() -> None:
    collector = Collector(1)
    for frame, row in enumerate(([1, 2.5, True], [None, 10**20, 0], [10**300, -1, 1.0])):
        collector.add(Person("f", "v", frame, row))
    table = collector.table("video")
    assert table.keypoints[:, 0].tolist()[0] == [1.0, 2.5] and np.isnan(table.keypoints[1, 0, 0])
    assert np.isinf(table.keypoints[2, 0, 0]) and table.confidence[:, 0].tolist() == [1, 0, 1]


@pytest.mark.parametrize("what", ["frame", "track", "score"])
def test_numbers_of_any_length_are_told(what: str) -> None:
    values = {"frame": 1, "track": 2, "score": 0.5, what: 10**400}
    word = {"track": "identity"}.get(what, what)
    with pytest.raises(ImportFileError, match=f"f: expected a {word} of at most"):
        Collector(1).add(
            Person("f", "v", values["frame"], [1, 2, 3], values["score"], values["track"])
        )


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ImportFileError, match="frame 0: expected a number as score, got str"):
        Collector(1).add(Person("f", "v", 0, [1, 2, 3], "0.9"))


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("walk_000000000012", ("walk", 12)),
        ("video_12_000000000003", ("video_12", 3)),
        ("000000000007", ("", 7)),
        ("0", ("", 0)),
        ("img0012", ("img", 12)),
        ("a-b.c-5", ("a-b.c", 5)),
        ("clip 3", ("clip", 3)),
        ("portrait", ("portrait", None)),
        ("take2_final", ("take2_final", None)),
        ("COCO_val2014_000000000192", ("COCO_val2014", 192)),
    ],
)
def test_names_of_frames_split_into_video_and_number(
    stem: str, expected: tuple[str, int | None]
) -> None:
    assert split_name(stem) == expected
