"""Files of keypoints by somebody else: sizes, names and numbers that nobody means well."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.config.prepare_schema import KeypointOptions
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints import (
    alphapose,
    coco,
    csv_table,
    json_items,
    mmpose,
    openpose,
    tracking,
)

Write = Callable[..., Path]
BODY = [float(10 + n) for n in range(51)]


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Fails if more bytes than these are taken at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


def result(image: object, keypoints: list[Any] = BODY, **more: object) -> dict[str, Any]:
    return {"image_id": image, "category_id": 1, "keypoints": keypoints, "score": 0.5, **more}


def test_a_negative_frame_is_refused(write_json: Write) -> None:
    path = write_json([result(0), result(-3)])
    with pytest.raises(ImportFileError, match="expected a frame or an image of 0 or more, got -3"):
        coco.open_keypoints(path, KeypointOptions())


@pytest.mark.parametrize("how", ["best", "track", "all"])
def test_frames_far_apart_take_no_memory(write_json: Write, how: str) -> None:
    path = write_json([result(0), result(7), result(10**12), result(2**62)])
    with at_most(2**22):
        takes = list(coco.open_keypoints(path, KeypointOptions(people=how)).takes)
    assert sorted(f for take in takes for f in take.frame.tolist()) == [0, 7, 10**12, 2**62]


@pytest.mark.parametrize("image", ["9" * 5000, "9" * 20, 10**19, -(2**63)])
def test_an_id_of_too_many_digits_is_refused(write_json: Write, image: object) -> None:
    path = write_json([result(0), result(image)])
    with pytest.raises(ImportFileError, match="item 1: expected an integer image_id, got"):
        coco.open_keypoints(path, KeypointOptions())


def test_an_image_of_impossible_size_is_refused(write_json: Write) -> None:
    images = [{"id": 0, "width": 640, "height": 10**12}]
    path = write_json({"images": images, "annotations": [result(0)]})
    with pytest.raises(ImportFileError, match="image 0: expected an image of at most 16777216 pix"):
        coco.open_keypoints(path, KeypointOptions())


def test_joints_numbered_by_thousands_of_digits_count_as_nameless(write_json: Write) -> None:
    person = {"keypoints": [[10.0 + n, 20.0] for n in range(17)], "keypoint_scores": [0.5] * 17}
    names = {"9" * 5000: "nose"}
    path = write_json({"meta_info": {"keypoint_id2name": names}, "instance_info": [person]})
    assert mmpose.open_keypoints(path, KeypointOptions()).skeleton.name == "coco_17"


def test_a_crowd_is_not_followed(write_json: Write) -> None:
    crowd = tracking.MOST_FOLLOWED + 1
    path = write_json([result(0), *[result(4)] * crowd], "walk.json")
    with pytest.raises(ImportFileError, match=r"'walk', frame 4: expected at most 1,000 .*got 1,0"):
        list(coco.open_keypoints(path, KeypointOptions(people="track")).takes)
    assert len(list(coco.open_keypoints(path, KeypointOptions(people="all")).takes)) == crowd


def test_following_in_blocks_is_following_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frame = np.repeat(np.arange(12), 9)
    keypoints = rng.uniform(0, 400, (len(frame), 17, 2)).astype(np.float32)
    whole = tracking.follow(frame, keypoints, 30.0)
    monkeypatch.setattr(tracking, "BLOCK", 17 * 9 * 2)
    np.testing.assert_array_equal(tracking.follow(frame, keypoints, 30.0), whole)
    assert 9 < len(set(whole.tolist())) < len(frame)


@pytest.mark.parametrize("image", ["\ud800_1.jpg", "a\u0000_1.jpg", "a\x1b[31m_1.jpg"])
def test_an_images_name_that_no_file_can_hold_is_refused(write_json: Write, image: str) -> None:
    with pytest.raises(ImportFileError, match="expected a name that can be written") as caught:
        list(alphapose.open_keypoints(write_json([result(image)]), KeypointOptions()).takes)
    assert str(caught.value).isprintable()


def test_images_named_by_a_path_are_names_and_never_opened(
    write_json: Write, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "walk_1.jpg")
    path = write_json([result(f"{tmp_path}/walk_1.jpg"), result("../../etc/walk_2.jpg")])
    (take,) = alphapose.open_keypoints(path, KeypointOptions()).takes
    assert (take.clip, take.frame.tolist()) == ("walk", [1, 2])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 10**6, "lists or objects too deep in each other"),
        ('{"a":' * 10**5, "lists or objects too deep in each other"),
        ("[" + "9" * 10**6 + "]", "a number of too many digits"),
    ],
)
def test_json_that_asks_for_too_much_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ImportFileError, match=rf"after 0 items \({reason}\); write it again"):
        list(json_items.items(path))
    folder = tmp_path / "folder"
    folder.mkdir()
    path.rename(folder / "a_1_keypoints.json")
    assert not openpose.recognise(folder)
    with pytest.raises(ImportFileError, match=rf"\({reason}\); write it again"):
        openpose.open_keypoints(folder, KeypointOptions())


def test_damage_is_told_without_reading_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1 2' + ", 3" * 10**5)
    monkeypatch.setattr(json_items, "CHUNK", 64)
    read: list[int] = []
    more = json_items._Text._more
    monkeypatch.setattr(
        json_items._Text, "_more", lambda text, size: (read.append(size), more(text, size))[1]
    )
    with pytest.raises(ImportFileError, match=r"Expecting ',' delimiter"):
        list(json_items.items(path))
    assert sum(read) == 64


@pytest.mark.parametrize("chunk", range(1, 40))
def test_values_cut_anywhere_by_the_window_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    content = [{"a": [1.5e-7, -0.25, '\u00e9\U0001f600\\"', None]}, True, -17, [[], {}], "b  c"]
    text = json.dumps(content, indent=25) + " " * 30
    path = tmp_path / "a.json"
    path.write_text(text.replace("null", "-Infinity"))
    monkeypatch.setattr(json_items, "CHUNK", chunk)
    content[0]["a"][3] = -np.inf  # type: ignore[index]
    assert [item for _, item in json_items.items(path)] == content


def test_a_pipe_is_no_file_of_keypoints(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "walk_1_keypoints.json")
    assert not openpose.recognise(folder)
    with pytest.raises(ImportFileError, match=r"\(a folder, a pipe or a device\)"):
        openpose.open_keypoints(folder, KeypointOptions())
    with pytest.raises(ImportFileError, match=r"\(a folder, a pipe or a device\)"):
        mmpose.open_keypoints(folder, KeypointOptions())


@pytest.mark.parametrize("text", ["a," * 10**6, "frame,joint,x,y\n" + "1" * (2**20 + 1)])
def test_a_table_without_line_ends_is_not_read_whole(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with (
        at_most(2**24),
        pytest.raises(ImportFileError, match="a line of more than 1048576 characters"),
    ):
        csv_table.open_keypoints(path, KeypointOptions())


def test_a_line_as_long_as_allowed_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["frame,joint,x,y", *(f"0,{n},{n}.5,{n}.25" for n in range(25))]
    monkeypatch.setattr(csv_table, "LONGEST_LINE", max(map(len, lines)) + 1)
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\n")
    (take,) = csv_table.open_keypoints(path, KeypointOptions(layout="openpose_body_25")).takes
    assert take.poses_2d[0, 24].tolist() == [24.5, 24.25]


def test_titles_of_columns_are_told_in_one_line(tmp_path: Path) -> None:
    lines = [f"0,{n},{n}.5,{n}.25,0" for n in range(25)]
    title = '"\x1b[31m\n' + "y" * 10**5 + '"'
    path = tmp_path / "a.csv"
    path.write_text("\n".join([f"frame,joint,x,y,{title}", *lines]))
    source = csv_table.open_keypoints(path, KeypointOptions(layout="openpose_body_25"))
    list(source.takes)
    (note, _) = source.report.notes
    assert note.isprintable() and len(note) < 400
    path.write_text(f"joint,x,y,{title}\n")
    with pytest.raises(ImportFileError, match="expected the columns frame, joint") as caught:
        csv_table.open_keypoints(path, KeypointOptions())
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000
