"""OpenPose's folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.openpose import open_keypoints, recognise
from selflift.skeleton import OPENPOSE_BODY_25, OPENPOSE_COCO_18

Read = Callable[[Recordings], list[Take]]
Make = Callable[..., np.ndarray]


def write(
    folder: Path,
    frames: dict[int, list[np.ndarray]],
    video: str = "walk",
    key: str = "pose_keypoints_2d",
    ids: list[int] | None = None,
) -> Path:
    """One file a frame, as OpenPose 1.7 writes it; ``frames`` has the people of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame, people in frames.items():
        content = {
            "version": 1.3,
            "people": [
                {
                    "person_id": [-1 if ids is None else ids[n]],
                    key: person.ravel().tolist(),
                    "face_keypoints_2d": [],
                    "hand_left_keypoints_2d": [],
                    "hand_right_keypoints_2d": [],
                }
                for n, person in enumerate(people)
            ],
        }
        (folder / f"{video}_{frame:012d}_keypoints.json").write_text(json.dumps(content))
    return folder


def test_a_video_becomes_a_clip(tmp_path: Path, make_people: Make, read: Read) -> None:
    person = make_people(joints=25)[0]
    write(tmp_path, {t: [person[t]] for t in range(4)})
    assert recognise(tmp_path)
    source = open_keypoints(tmp_path, KeypointOptions())
    assert source.skeleton is OPENPOSE_BODY_25 and source.total == 1
    (take,) = read(source)
    assert take.clip == "walk" and take.frame.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(take.poses_2d, person[..., :2])
    np.testing.assert_array_equal(take.confidence, person[..., 2])
    assert not source.report.dropped and not source.report.notes


def test_fifty_four_numbers_are_the_coco_model_also_under_the_old_key(
    tmp_path: Path, make_people: Make, read: Read
) -> None:
    person = make_people(joints=18)[0]
    write(tmp_path, {t: [person[t]] for t in range(4)}, key="pose_keypoints")
    source = open_keypoints(tmp_path, KeypointOptions())
    assert source.skeleton is OPENPOSE_COCO_18
    np.testing.assert_array_equal(read(source)[0].poses_2d, person[..., :2])


def test_videos_may_share_a_folder_or_have_one_each(
    tmp_path: Path, make_people: Make, read: Read
) -> None:
    person = make_people(joints=25)[0]
    frames = {t: [person[t]] for t in range(2)}
    write(tmp_path, frames, "b")
    write(tmp_path, frames, "a_2")
    write(tmp_path / "c", frames, "c")
    write(tmp_path / "d", frames, "a_2")
    (tmp_path / "portrait_keypoints.json").write_text(
        (tmp_path / "b_000000000001_keypoints.json").read_text()
    )
    folder = tmp_path / "e"
    write(folder, frames, "x")
    for t in range(2):
        (folder / f"x_{t:012d}_keypoints.json").rename(folder / f"{t:012d}_keypoints.json")
    source = open_keypoints(tmp_path, KeypointOptions())
    clips = {take.clip: take.frame.tolist() for take in read(source)}
    assert clips == {
        "a_2": [0, 1], "b": [0, 1], "c": [0, 1], "d/a_2": [0, 1], "e": [0, 1], "portrait": [0],
    }  # fmt: skip
    assert source.total == 6


def test_frames_of_nobody_are_counted_and_gaps_are_told(
    tmp_path: Path, make_people: Make, read: Read
) -> None:
    person = make_people(frames=9, joints=25)[0]
    write(tmp_path, {t: [person[t]] if t not in (0, 6) else [] for t in (0, 1, 2, 5, 6, 8)})
    source = open_keypoints(tmp_path, KeypointOptions())
    assert read(source)[0].frame.tolist() == [1, 2, 5, 8]
    assert source.report.dropped == {"nobody detected": 2}
    (note,) = source.report.notes
    assert "3 frames have no file (in 1 videos; the first: 'walk' after frame 2)" in note


def test_openposes_own_identities_are_used(tmp_path: Path, make_people: Make, read: Read) -> None:
    people = make_people(2, 4, joints=25)
    for t in range(4):
        write(tmp_path, {t: list(people[:, t])}, ids=[5, 3] if t < 2 else [3, 5])
    source = open_keypoints(tmp_path, KeypointOptions(people="track"))
    first, second = read(source)
    np.testing.assert_array_equal(first.poses_2d[2:], people[1, 2:, :, :2])
    np.testing.assert_array_equal(second.poses_2d[2:], people[0, 2:, :, :2])
    assert "people are followed by the identities in the file" in source.report.notes


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (15, "expected 25 .openpose_body_25., 18 .openpose_coco_18. joints a person, got 15"),
        (135, ".*joints a person, got 135; name their layout in keypoints.layout"),
    ],
)
def test_another_model_is_refused_with_its_count(
    tmp_path: Path, make_people: Make, joints: int, message: str
) -> None:
    write(tmp_path, {0: [make_people(joints=joints)[0, 0]]})
    with pytest.raises(ImportFileError, match=f"walk_000000000000_keypoints.json': {message}"):
        open_keypoints(tmp_path, KeypointOptions())


def test_two_models_in_one_folder_are_refused(
    tmp_path: Path, make_people: Make, read: Read
) -> None:
    write(tmp_path, {0: [make_people(joints=25)[0, 0]]}, "a")
    write(tmp_path, {7: [make_people(joints=18)[0, 0]]}, "b")
    message = r"b_000000000007_keypoints.json', frame 7: expected 75 keypoint numbers .*, got 54"
    with pytest.raises(ImportFileError, match=message):
        read(open_keypoints(tmp_path, KeypointOptions()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected JSON, got a file that is corrupt, cut short"),
        ('{"version": 1.3, "people": [', "expected JSON, got .* cut short"),
        ("\x00\x01", "expected JSON, got a file that is corrupt"),
        ("[1]", "expected an object with a list 'people', as OpenPose writes, got list"),
        ('{"version": 1}', "expected an object with a list 'people', .*, got version"),
        ('{"people": [3]}', "expected an object with a list 'people'"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, make_people: Make, read: Read, content: str, message: str
) -> None:
    write(tmp_path, {0: [make_people(joints=25)[0, 0]]})
    bad = tmp_path / "walk_000000000001_keypoints.json"
    bad.write_text(content)
    source = open_keypoints(tmp_path, KeypointOptions())
    with pytest.raises(ImportFileError, match=f"walk_000000000001_keypoints.json': {message}"):
        read(source)
    # The first file is looked at when opening.
    (tmp_path / "walk_000000000000_keypoints.json").unlink()
    with pytest.raises(ImportFileError, match=message):
        open_keypoints(tmp_path, KeypointOptions())
    assert not recognise(tmp_path)


@pytest.mark.parametrize(
    ("person", "message"),
    [
        ({"face_keypoints_2d": []}, "expected people with pose_keypoints_2d .*, got face_keyp"),
        ({"pose_keypoints_2d": []}, r"expected keypoints as x, y .* got \[\]; have the detector"),
        ({"pose_keypoints_2d": [1.0] * 74}, r"expected keypoints as x, y and .* got \[1.0, 1.0"),
        ({"pose_keypoints_2d": "x"}, "expected keypoints as x, y and .* got 'x'"),
    ],
)
def test_people_without_a_body_are_refused(tmp_path: Path, person: dict, message: str) -> None:
    (tmp_path / "a_0_keypoints.json").write_text(json.dumps({"people": [person]}))
    with pytest.raises(ImportFileError, match=f"a_0_keypoints.json': {message}"):
        open_keypoints(tmp_path, KeypointOptions())


def test_folders_without_anybody_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("{}")
    for path, message in (
        (
            tmp_path,
            "expected files .*_keypoints.json in the folder or in its sub-folders, got none",
        ),
        (file, "expected a folder of .*_keypoints.json, got a file"),
        (tmp_path / "no", "expected a folder of .*_keypoints.json, got none"),
    ):
        assert not recognise(path)
        with pytest.raises(ImportFileError, match=message):
            open_keypoints(path, KeypointOptions())
    write(tmp_path, {0: [], 1: []})
    assert recognise(tmp_path)
    with pytest.raises(ImportFileError, match="expected people, got nobody in any frame"):
        open_keypoints(tmp_path, KeypointOptions())


def test_two_files_of_one_frame_are_refused(tmp_path: Path, make_people: Make) -> None:
    write(tmp_path, {1: [make_people(joints=25)[0, 0]]})
    (tmp_path / "walk_1_keypoints.json").write_text('{"people": []}')
    with pytest.raises(ImportFileError, match="a second one of frame 1 of 'walk' .*; keep one"):
        open_keypoints(tmp_path, KeypointOptions())
