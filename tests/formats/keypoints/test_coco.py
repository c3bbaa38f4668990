"""COCO's annotations and results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.coco import open_keypoints, recognise
from selflift.skeleton import COCO_17, H36M_17, HALPE_26
from tests.formats.keypoints.test_layout_recognition import COCO_NAMES, HALPE_NAMES

Read = Callable[[Recordings], list[Take]]
Make = Callable[..., np.ndarray]
Write = Callable[..., Path]


def annotations(
    people: list[tuple[int, np.ndarray]], names: list[str] = COCO_NAMES, **more: Any
) -> dict[str, Any]:
    """Image and keypoints of each person in the public layout; all labelled unless v says no."""
    images = sorted({image for image, _ in people})
    return {
        "info": {"year": 2026},
        "licenses": [{"id": 1}],
        "images": [
            {"id": n, "file_name": f"{n:012d}.jpg", "width": 640, "height": 480} for n in images
        ],
        "annotations": [
            {
                "id": n, "image_id": image, "category_id": 1, "iscrowd": 0, "area": 100.0,
                "segmentation": [[1, 2, 3, 4, 5, 6]], "bbox": [1, 2, 3, 4],
                "num_keypoints": int((person[:, 2] > 0).sum()),
                "keypoints": person.ravel().tolist(), **more,
            }
            for n, (image, person) in enumerate(people)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": names, "skeleton": [[1, 2]]}],
    }  # fmt: skip


def results(people: list[tuple[int, np.ndarray, float]], **more: Any) -> list[dict[str, Any]]:
    return [
        {"image_id": i, "category_id": 1, "keypoints": p.ravel().tolist(), "score": s, **more}
        for i, p, s in people
    ]


def labelled(people: np.ndarray, visibility: int | np.ndarray = 2) -> np.ndarray:
    out = people.copy()
    out[..., 2] = visibility
    return out


def test_everybody_annotated_is_taken_with_the_images_id_as_frame(
    write_json: Write, make_people: Make, read: Read
) -> None:
    a, b, c = labelled(make_people(3, 1))[:, 0]
    b[5] = 0  # the more labelled one of an image comes first
    path = write_json(annotations([(900, b), (7, c), (900, a)]), "val.json")
    assert recognise(path)
    source = open_keypoints(path, KeypointOptions())
    assert source.skeleton is COCO_17 and source.settings["people"].endswith("(the default)")
    first, second = read(source)
    assert (first.clip, first.frame.tolist()) == ("val/person1", [7, 900])
    assert (second.clip, second.frame.tolist()) == ("val/person2", [900])
    np.testing.assert_array_equal(first.poses_2d, np.stack([c, a])[..., :2])
    np.testing.assert_array_equal(np.delete(second.poses_2d[0], 5, 0), np.delete(b, 5, 0)[:, :2])
    assert first.confidence is not None and (first.confidence == 1).all()


def test_hidden_joints_count_and_unlabelled_ones_are_missing(
    write_json: Write, make_people: Make, read: Read
) -> None:
    v = np.arange(17) % 3
    person = labelled(make_people()[0, 0], v)
    for content in (annotations([(1, person)]), results([(1, person, 0.5)])):
        source = open_keypoints(write_json(content), KeypointOptions())
        (take,) = read(source)
        assert take.confidence is not None
        assert take.confidence[0].tolist() == [float(value > 0) for value in v]
        assert np.isnan(take.poses_2d[0, v == 0]).all()
        assert "visibility" in source.settings["third number of a joint"]


def test_results_carry_their_confidences(write_json: Write, make_people: Make, read: Read) -> None:
    people = make_people(2, 3)
    rows = [(10 * t, people[n, t], [0.3, 0.9][n]) for t in range(3) for n in range(2)]
    path = write_json(results(rows))
    assert recognise(path)
    source = open_keypoints(path, KeypointOptions())
    first, second = read(source)
    np.testing.assert_array_equal(first.poses_2d, people[1, ..., :2])
    np.testing.assert_array_equal(first.confidence, people[1, ..., 2])
    np.testing.assert_array_equal(second.poses_2d, people[0, ..., :2])
    assert source.settings["third number of a joint"] == "a confidence"


def test_images_of_a_video_can_be_followed(
    write_json: Write, make_people: Make, read: Read
) -> None:
    people = make_people(2, 8)
    rows = [(t, people[(n + t) % 2, t], 0.5) for t in range(8) for n in range(2)]
    path = write_json(results(rows), "walk.json")
    takes = read(open_keypoints(path, KeypointOptions(people="track")))
    assert [take.clip for take in takes] == ["walk/person1", "walk/person2"]
    np.testing.assert_array_equal(takes[0].poses_2d, people[0, ..., :2])
    (best,) = read(open_keypoints(path, KeypointOptions(people="best")))
    assert best.clip == "walk" and best.frame.tolist() == list(range(8))


def test_a_track_id_is_the_person(write_json: Write, make_people: Make, read: Read) -> None:
    people = labelled(make_people(2, 2))
    content = annotations([(t, people[n, t]) for t in range(2) for n in range(2)])
    for n, annotation in enumerate(content["annotations"]):
        annotation["track_id"] = [4, 8, 8, 4][n]
    takes = read(open_keypoints(write_json(content), KeypointOptions(people="track")))
    np.testing.assert_array_equal(takes[0].poses_2d[1], people[1, 1, :, :2])


def test_crowds_and_unlabelled_people_are_dropped_by_reason(
    write_json: Write, make_people: Make, read: Read
) -> None:
    person = labelled(make_people()[0, 0])
    content = annotations([(n, person) for n in range(6)])
    content["images"] += [{"id": n} for n in range(6, 9)]
    content["annotations"][1]["iscrowd"] = 1
    content["annotations"][2]["num_keypoints"] = 0
    del content["annotations"][3]["keypoints"]
    content["annotations"][4]["keypoints"] = [0] * 51
    source = open_keypoints(write_json(content), KeypointOptions())
    (take,) = read(source)
    assert take.frame.tolist() == [0, 5]
    assert source.report.dropped == {
        "crowd, not a person": 1, "person without a labelled joint": 1,
        "person without keypoints": 1, "no joint of the person is there": 1,
        "nobody annotated in the image": 3,
    }  # fmt: skip


def test_twenty_six_joints_are_halpe(write_json: Write, make_people: Make, read: Read) -> None:
    person = make_people(joints=26)[0, 0]
    named = annotations([(1, labelled(person))], HALPE_NAMES)
    for content in (named, results([(1, person, 1.0)])):
        source = open_keypoints(write_json(content), KeypointOptions())
        assert source.skeleton is HALPE_26
        np.testing.assert_array_equal(read(source)[0].poses_2d[0], person[:, :2])


def test_names_that_follow_the_annotations_decide(write_json: Write, make_people: Make) -> None:
    content = annotations([(1, labelled(make_people()[0, 0]))], [f"k{n}" for n in range(17)])
    with pytest.raises(ImportFileError, match="got 17 joints named k0, k1, .*set keypoints.layout"):
        open_keypoints(write_json(content), KeypointOptions())
    source = open_keypoints(write_json(content), KeypointOptions(layout="h36m_17"))
    assert source.skeleton is H36M_17


def test_people_are_told_from_other_categories(
    write_json: Write, make_people: Make, read: Read
) -> None:
    person, dog = make_people()[0, 0], make_people(joints=5)[0, 0]
    content = annotations([(1, labelled(dog)), (2, labelled(person))])
    content["annotations"][0]["category_id"] = 3
    content["categories"].append({"id": 3, "name": "dog", "keypoints": list("abcde")})
    source = open_keypoints(write_json(content), KeypointOptions())
    assert [take.frame.tolist() for take in read(source)] == [[2]]
    assert source.report.dropped["of category dog"] == 1
    rows = [*results([(1, dog, 0.5)]), *results([(2, person, 0.5)])]
    rows[0]["category_id"] = 18
    source = open_keypoints(write_json(rows), KeypointOptions())
    assert [take.frame.tolist() for take in read(source)] == [[2]]
    assert source.report.dropped == {"of category 18": 1}
    rows[1]["category_id"] = 19
    with pytest.raises(ImportFileError, match="expected keypoints of one category.*got .* 18, 19"):
        open_keypoints(write_json(rows), KeypointOptions())


def test_images_of_one_size_make_a_camera(write_json: Write, make_people: Make, read: Read) -> None:
    content = annotations([(n, labelled(make_people()[0, 0])) for n in range(3)])
    options = KeypointOptions(f_px=800.0)
    (take,) = read(open_keypoints(write_json(content), options))
    assert take.camera == "640x480" and take.view is not None
    assert take.view.c_px.tolist() == [320, 240]
    content["images"][0]["width"] = 500
    with pytest.raises(ImportFileError, match="expected images of one size .*got 2 sizes"):
        open_keypoints(write_json(content), options)
    with pytest.raises(ImportFileError, match="keypoints.f_px: expected the size of the images"):
        open_keypoints(write_json(results([(1, make_people()[0, 0], 1.0)])), options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": [1.0] * 48}, "annotation 3, frame 1: expected 51 keypoint numbers .*got 48"),
        ({"keypoints": ["1"] * 51}, "expected keypoints of numbers, got '1' .str."),
        ({"keypoints": "x"}, "annotation 3, frame 1: expected 51 keypoint numbers .*got str"),
        ({"image_id": None}, "annotation 3: expected an integer image_id, got None"),
        ({"image_id": "a.jpg"}, "annotation 3: expected an integer image_id, got 'a.jpg'"),
        ({"category_id": None}, "annotation 3: expected an integer category_id, got None"),
        ({"score": "high"}, "annotation 3, frame 1: expected a number as score, got str"),
    ],
)
def test_a_damaged_annotation_is_named(
    write_json: Write, make_people: Make, change: dict, message: str
) -> None:
    person = labelled(make_people()[0, 0])
    content = annotations([(0, person), (1, person)])
    del content["licenses"]
    del content["images"][1]
    content["annotations"][1] |= change
    with pytest.raises(ImportFileError, match=message):
        open_keypoints(write_json(content), KeypointOptions())


def test_a_category_whose_joints_are_no_list_is_named(write_json: Write, make_people: Make) -> None:
    content = annotations([(1, labelled(make_people(1, 1))[0, 0])])
    content["categories"][0]["keypoints"] = 17
    with pytest.raises(ImportFileError, match="expected keypoints as a list of .*names, got int"):
        open_keypoints(write_json(content), KeypointOptions())


def test_a_truncated_file_is_refused(write_json: Write, make_people: Make) -> None:
    path = write_json(annotations([(n, labelled(make_people()[0, 0])) for n in range(9)]))
    whole = path.read_text()
    for share in (0.0, 0.2, 0.6, 0.99):
        path.write_text(whole[: int(share * len(whole))])
        with pytest.raises(ImportFileError, match="people.json': expected JSON, got .*cut short"):
            open_keypoints(path, KeypointOptions())


def test_files_without_any_keypoints_are_refused_in_one_line(
    tmp_path: Path, write_json: Write, make_people: Make
) -> None:
    boxes = [{"image_id": n, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9} for n in (1, 2)]
    for content, got in (
        (boxes, "got items of bbox, category_id, image_id, score; 2 x person without keypoints"),
        ([], "got no item"),
        ({"images": [{"id": 1}], "annotations": [], "categories": []}, "got no item"),
    ):
        with pytest.raises(
            ImportFileError, match=f"expected people with keypoints, {got}"
        ) as error:
            open_keypoints(write_json(content), KeypointOptions())
        assert "\n" not in str(error.value)
    with pytest.raises(ImportFileError, match="expected a JSON file, got none that can be read"):
        open_keypoints(tmp_path / "no.json", KeypointOptions())
    with pytest.raises(ImportFileError, match="item 0: expected an object, got int"):
        open_keypoints(write_json([1]), KeypointOptions())


def test_confidences_that_are_all_zero_are_refused(write_json: Write, make_people: Make) -> None:
    content = results([(1, labelled(make_people()[0, 0], 0), 1.0)])
    with pytest.raises(ImportFileError, match="above 0 as third number .*have the detector write"):
        open_keypoints(write_json(content), KeypointOptions())


def test_foreign_files_are_not_recognised(tmp_path: Path, write_json: Write) -> None:
    foreign = (
        [], {}, [1], {"images": [3]}, {"people": [{}]},
        [{"image_id": "0.jpg", "category_id": 1, "keypoints": [1, 2, 3], "score": 1}],
        [{"frame_id": 0, "instances": []}],
    )  # fmt: skip
    for content in foreign:
        assert not recognise(write_json(content))
    assert not recognise(tmp_path) and not recognise(tmp_path / "no.json")
