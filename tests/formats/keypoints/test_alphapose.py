"""AlphaPose's results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints import coco
from selflift.formats.keypoints.alphapose import open_keypoints, recognise
from selflift.skeleton import COCO_17, HALPE_26, OPENPOSE_COCO_18, Skeleton

Read = Callable[[Recordings], list[Take]]
Make = Callable[..., np.ndarray]
Write = Callable[..., Path]


def result(image: str, person: np.ndarray, score: float = 2.5, **more: Any) -> dict[str, Any]:
    return {
        "image_id": image, "category_id": 1, "keypoints": person.ravel().tolist(),
        "score": score, "box": [1.0, 2.0, 3.0, 4.0], "idx": [0.0], **more,
    }  # fmt: skip


@pytest.mark.parametrize(("joints", "skeleton"), [(17, COCO_17), (26, HALPE_26), (136, HALPE_26)])
def test_a_video_becomes_a_clip(
    write_json: Write, make_people: Make, read: Read, joints: int, skeleton: Skeleton
) -> None:
    person = make_people(frames=12, joints=joints)[0]
    # By their names, 10 comes before 2.
    order = sorted(range(12), key=str)
    path = write_json([result(f"{t}.jpg", person[t]) for t in order], "alphapose-results.json")
    assert recognise(path) and not coco.recognise(path)
    source = open_keypoints(path, KeypointOptions())
    assert source.skeleton is skeleton
    (take,) = read(source)
    assert take.clip == "alphapose-results" and take.frame.tolist() == list(range(12))
    np.testing.assert_array_equal(take.poses_2d, person[:, : skeleton.num_joints, :2])
    np.testing.assert_array_equal(take.confidence, person[:, : skeleton.num_joints, 2])
    assert bool(source.report.notes) == (joints == 136)


def test_images_of_several_videos_are_told_apart(
    write_json: Write, make_people: Make, read: Read
) -> None:
    person = make_people()[0]
    names = ["run_003.png", "walk_010.JPEG", "run_001.png", "portrait.bmp"]
    path = write_json([result(name, person[n]) for n, name in enumerate(names)])
    clips = {t.clip: t.frame.tolist() for t in read(open_keypoints(path, KeypointOptions()))}
    assert clips == {"run": [1, 3], "walk": [10], "portrait": [0]}


def test_the_highest_score_is_the_best(write_json: Write, make_people: Make, read: Read) -> None:
    people = make_people(2)
    rows = [result(f"{t}.jpg", people[n, t], [2.0, 2.9][n]) for t in (0, 1, 3) for n in (0, 1)]
    source = open_keypoints(write_json(rows), KeypointOptions())
    (take,) = read(source)
    np.testing.assert_array_equal(take.poses_2d, people[1, [0, 1, 3], :, :2])
    assert source.report.dropped == {"other people in the frame": 3}
    (note,) = source.report.notes
    assert "1 frames have nobody in them (in 1 videos; the first: 'people' after frame 1)" in note


@pytest.mark.parametrize("idx", [float("inf"), float("nan"), "x", -1, []])
def test_an_idx_that_is_no_identity_is_none(
    write_json: Write, make_people: Make, read: Read, idx: object
) -> None:
    rows = [result(f"{t}.jpg", make_people(1)[0, t], idx=idx) for t in range(3)]
    source = open_keypoints(write_json(rows), KeypointOptions(people="track"))
    assert len(read(source)) == 1
    assert any("followed by the distance" in note for note in source.report.notes)


@pytest.mark.parametrize("form", [lambda k: k, float, lambda k: [k], lambda k: [[float(k)], [9.0]]])
def test_idx_is_the_track_in_every_form(
    write_json: Write, make_people: Make, read: Read, form: Callable[[int], Any]
) -> None:
    people = make_people(2)
    # AlphaPose says that the people change places in frame 2.
    rows = [
        result(f"{t}.jpg", people[n, t], idx=form(1 + (n if t < 2 else 1 - n)))
        for t in range(4)
        for n in (0, 1)
    ]
    source = open_keypoints(write_json(rows), KeypointOptions(people="track"))
    takes = read(source)
    assert [take.clip for take in takes] == ["people/person1", "people/person2"]
    np.testing.assert_array_equal(takes[0].poses_2d[2:], people[1, 2:, :, :2])
    assert "people are followed by the identities in the file" in source.report.notes


@pytest.mark.parametrize(
    ("outer", "inner"), [("bodies", "joints"), ("people", "pose_keypoints_2d")]
)
def test_the_forms_cmu_and_open_are_openposes_coco_model(
    write_json: Write, make_people: Make, read: Read, outer: str, inner: str
) -> None:
    people = make_people(2, 3, joints=18)
    people[1, ..., 2] = 0.99
    content = {
        f"{t}.jpg": {
            "version": "AlphaPose v0.3",
            outer: [{inner: person.ravel().tolist()} for person in people[:, t]],
        }
        for t in range(3)
    }
    path = write_json(content)
    assert recognise(path) and not coco.recognise(path)
    source = open_keypoints(path, KeypointOptions())
    assert source.skeleton is OPENPOSE_COCO_18
    assert source.settings["score"].startswith("the mean confidence")
    (take,) = read(source)
    np.testing.assert_array_equal(take.poses_2d, people[1, ..., :2])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            {"image_id": "1.jpg"},
            "item 1: expected image_id with the name of an image and keypoints",
        ),
        ({"image_id": 1, "keypoints": [1.0] * 51}, "got image_id, keypoints .image_id 1.; .*coco"),
        (5, "item 1: expected an object, got int"),
        (
            {"image_id": "1.jpg", "keypoints": [1.0] * 78, "score": 1},
            "image '1.jpg', frame 1: expected 51 keypoint numbers .*, got 78",
        ),
        (
            {"image_id": "1.jpg", "keypoints": ["a"] * 51, "score": 1},
            "image '1.jpg', frame 1: expected keypoints of numbers, got 'a'",
        ),
    ],
)
def test_a_damaged_item_is_named(
    write_json: Write, make_people: Make, read: Read, second: Any, message: str
) -> None:
    path = write_json([result("0.jpg", make_people()[0, 0]), second])
    source = open_keypoints(path, KeypointOptions())
    with pytest.raises(ImportFileError, match=f"people.json'.*{message}"):
        read(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "people.json': expected people, got nobody in any frame"),
        ({}, "people.json': expected people, got nobody in any frame"),
        ([{"image_id": 3, "category_id": 1, "keypoints": []}], "item 0: expected image_id with"),
        (
            [{"image_id": "0.jpg", "keypoints": [1.0] * 52}],
            "x, y and confidence of each joint, got",
        ),
        ([{"image_id": "0.jpg", "keypoints": []}], "x, y and confidence of each joint, got"),
        ([{"image_id": "0.jpg", "keypoints": [1.0] * 42}], "26 .halpe_26. joints a person, got 14"),
        ({"0.jpg": {"bodies": [{}]}}, "image '0.jpg': expected bodies with joints, got none"),
        ({"0.jpg": {"version": 1}}, "image '0.jpg': expected .*got version; .*'cmu' and 'open'"),
        ({"0.jpg": {"people": [{"pose_keypoints_2d": [1.0] * 51}]}}, "18 .*a person, got 17"),
    ],
)
def test_other_contents_are_refused_at_once(write_json: Write, content: Any, message: str) -> None:
    with pytest.raises(ImportFileError, match=message):
        open_keypoints(write_json(content), KeypointOptions())


def test_foreign_files_are_not_recognised(tmp_path: Path, write_json: Write) -> None:
    foreign = (
        [], [1], {"people": [{"pose_keypoints_2d": []}]}, {"0.jpg": [1]}, {"a.jpg": {"w": 3}},
        [{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 3], "score": 1}],
        [{"image_id": "0.jpg", "bbox": [1, 2, 3, 4]}],
    )  # fmt: skip
    for content in foreign:
        assert not recognise(write_json(content))
    assert not recognise(tmp_path) and not recognise(tmp_path / "no.json")
