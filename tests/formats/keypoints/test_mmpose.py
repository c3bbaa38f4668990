"""MMPose's predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints import alphapose, coco, openpose
from selflift.formats.keypoints.mmpose import open_keypoints, recognise
from selflift.skeleton import COCO_17, H36M_17, HALPE_26
from tests.formats.keypoints.test_layout_recognition import COCO_NAMES, H36M_NAMES, HALPE_NAMES

Read = Callable[[Recordings], list[Take]]
Make = Callable[..., np.ndarray]
Write = Callable[..., Path]


def instance(person: np.ndarray, score: float | None = 0.9, **more: Any) -> dict[str, Any]:
    return {
        "keypoints": person[:, :2].tolist(), "keypoint_scores": person[:, 2].tolist(),
        "bbox": [[1.0, 2.0, 3.0, 4.0]], **({} if score is None else {"bbox_score": score}), **more,
    }  # fmt: skip


def video(people: np.ndarray, first: int = 0) -> list[dict[str, Any]]:
    """``(people, frames, joints, 3)`` as the list of frames."""
    return [
        {"frame_id": t + first, "instances": [instance(person) for person in people[:, t]]}
        for t in range(people.shape[1])
    ]


def meta(names: list[str]) -> dict[str, Any]:
    return {
        "dataset_name": "any", "num_keypoints": len(names),
        "keypoint_id2name": {str(n): name for n, name in reversed(list(enumerate(names)))},
    }  # fmt: skip


def test_a_video_becomes_a_clip(write_json: Write, make_people: Make, read: Read) -> None:
    people = make_people()
    path = write_json(video(people, 1), "walk.json")
    assert recognise(path)
    assert not any(other.recognise(path) for other in (coco, alphapose, openpose))
    source = open_keypoints(path, KeypointOptions())
    assert source.skeleton is COCO_17
    (take,) = read(source)
    assert take.clip == "walk" and take.frame.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(take.poses_2d, people[0, ..., :2])
    np.testing.assert_array_equal(take.confidence, people[0, ..., 2])
    assert not source.report.notes and not source.report.dropped


@pytest.mark.parametrize(
    ("names", "skeleton"),
    [(COCO_NAMES, COCO_17), (H36M_NAMES, H36M_17), (HALPE_NAMES, HALPE_26)],
)
def test_the_names_in_the_file_decide_the_layout(
    write_json: Write, make_people: Make, read: Read, names: list[str], skeleton: Any
) -> None:
    people = make_people(joints=len(names))
    path = write_json({"meta_info": meta(names), "instance_info": video(people)})
    assert recognise(path)
    source = open_keypoints(path, KeypointOptions())
    assert source.skeleton is skeleton and "the file's names" in source.settings["layout"]
    np.testing.assert_array_equal(read(source)[0].poses_2d, people[0, ..., :2])


def test_the_option_names_seventeen_joints_that_are_not_cocos(
    write_json: Write, make_people: Make
) -> None:
    source = open_keypoints(write_json(video(make_people())), KeypointOptions(layout="h36m_17"))
    assert source.skeleton is H36M_17


def test_the_file_of_an_image_is_one_frame(
    write_json: Write, make_people: Make, read: Read
) -> None:
    people = make_people(2)[:, 0]
    instances = [instance(people[0], 0.6), instance(people[1], 0.7)]
    for content in (instances, {"meta_info": meta(COCO_NAMES), "instance_info": instances}):
        path = write_json(content, "photo.json")
        assert recognise(path)
        (take,) = read(open_keypoints(path, KeypointOptions()))
        assert take.clip == "photo" and take.frame.tolist() == [0]
        np.testing.assert_array_equal(take.poses_2d[0], people[1, :, :2])


def test_a_folder_has_a_clip_in_each_file(
    tmp_path: Path, write_json: Write, make_people: Make, read: Read
) -> None:
    people = make_people()
    write_json([{"frame_id": 0, "instances": []}], "out/a.json")
    write_json(video(people), "out/b.json")
    write_json([instance(people[0, 2])], "out/c.json")
    assert recognise(tmp_path / "out")
    source = open_keypoints(tmp_path / "out", KeypointOptions())
    assert source.total == 3
    assert {t.clip: len(t) for t in read(source)} == {"b": 4, "c": 1}
    assert source.report.dropped == {"nobody detected": 1}


def test_boxes_without_score_leave_the_choice_to_the_joints(
    write_json: Write, make_people: Make, read: Read
) -> None:
    people = make_people(2)[:, 0]
    people[0, :, 2] = 0.95
    path = write_json([instance(people[0], None), instance(people[1], 0.99)])
    (take,) = read(open_keypoints(path, KeypointOptions()))
    np.testing.assert_array_equal(take.poses_2d[0], people[0, :, :2])


def test_track_id_is_the_person(write_json: Write, make_people: Make, read: Read) -> None:
    people = make_people(2)
    frames = video(people)
    for t, frame in enumerate(frames):
        for n, person in enumerate(frame["instances"]):
            person["track_id"] = n if t < 2 else 1 - n
    takes = read(open_keypoints(write_json(frames), KeypointOptions(people="track")))
    np.testing.assert_array_equal(takes[0].poses_2d[2:], people[1, 2:, :, :2])


def test_frames_of_nobody_are_counted_and_gaps_told(
    write_json: Write, make_people: Make, read: Read
) -> None:
    frames = video(make_people(frames=9))
    frames[4]["instances"] = []
    del frames[6]
    source = open_keypoints(write_json(frames), KeypointOptions())
    assert read(source)[0].frame.tolist() == [0, 1, 2, 3, 5, 7, 8]
    assert source.report.dropped == {"nobody detected": 1}
    assert "1 frames are not in the file" in source.report.notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": [[1.0, 2.0, 3.0]] * 17}, r"got keypoints of \[1.0, 2.0, 3.0\] and 17 .*3D"),
        ({"keypoints": [[1.0, 2.0]] * 16}, "as many keypoint_scores, got keypoints of .* and 17"),
        ({"keypoints": []}, r"got keypoints of \[\] and 17 scores"),
        ({"keypoints": None}, "got keypoints of None and 17 scores"),
        ({"keypoint_scores": None}, "and no scores; 3D predictions are not read"),
        ({"keypoints": [["a", 2.0]] * 17}, "frame 1: expected keypoints of numbers, got 'a'"),
        ({"bbox_score": [0.9]}, "frame 1: expected a number as score, got list"),
    ],
)
def test_a_damaged_instance_is_named(
    write_json: Write, make_people: Make, read: Read, change: dict, message: str
) -> None:
    frames = video(make_people())
    frames[1]["instances"][0] |= change
    source = open_keypoints(write_json(frames), KeypointOptions())
    with pytest.raises(ImportFileError, match=f"people.json', frame 1: expected .*{message}"
                       if "frame 1" not in message else message):  # fmt: skip
        read(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected people, got nobody in any frame"),
        ([{"frame_id": 0, "instances": []}], "expected people, got nobody in any frame"),
        ([{"frame_id": "a", "instances": []}], "item 0: expected a frame_id with a list of inst"),
        ([{"frame_id": 0}], "item 0: expected a frame_id .*, got frame_id"),
        ([{"frame_id": 0, "instances": [3]}], "item 0: expected a frame_id with a list"),
        ([7], "item 0: expected a frame_id .*, got int"),
        ({"meta_info": {}}, "expected people, got nobody"),
    ],
)
def test_other_contents_are_refused_at_once(write_json: Write, content: Any, message: str) -> None:
    with pytest.raises(ImportFileError, match=f"people.json'.*{message}"):
        open_keypoints(write_json(content), KeypointOptions())


def test_frames_out_of_order_are_refused(write_json: Write, make_people: Make, read: Read) -> None:
    frames = [*video(make_people()), *video(make_people())]
    source = open_keypoints(write_json(frames), KeypointOptions())
    with pytest.raises(ImportFileError, match="expected rising frame_id, got 0 after 3"):
        read(source)


def test_a_folder_without_json_is_refused(tmp_path: Path) -> None:
    assert not recognise(tmp_path)
    with pytest.raises(ImportFileError, match="expected a folder with .*.json, got none in it"):
        open_keypoints(tmp_path, KeypointOptions())
    with pytest.raises(ImportFileError, match="expected a JSON file, got none that can be read"):
        open_keypoints(tmp_path / "no.json", KeypointOptions())


def test_foreign_files_are_not_recognised(tmp_path: Path, write_json: Write) -> None:
    foreign = (
        [], {}, [1], {"people": [{}]}, [{"frame_id": 0}],
        [{"image_id": "0.jpg", "category_id": 1, "keypoints": [1, 2, 3], "score": 1}],
    )  # fmt: skip
    for content in foreign:
        assert not recognise(write_json(content))
    assert not recognise(tmp_path / "no.json")
