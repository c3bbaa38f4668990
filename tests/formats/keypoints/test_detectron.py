"""Detectron's inference files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints import videopose3d_custom
from selflift.formats.keypoints.detectron import open_keypoints, recognise
from selflift.skeleton import COCO_17

Read = Callable[[Recordings], list[Take]]
Make = Callable[..., np.ndarray]


def objects(frames: list[Any]) -> np.ndarray:
    """A list by frame of lists by class, as an array of objects."""
    out = np.empty((len(frames), 2), dtype=object)
    for n, (nothing, people) in enumerate(frames):
        out[n, 0], out[n, 1] = nothing, people
    return out


def write(
    path: Path,
    frames: list[list[tuple[np.ndarray, float]]],
    as_list: bool = False,
    **changes: Any,
) -> Path:
    """``frames`` has the people of each, keypoints and score; in the public layout."""
    boxes, keypoints = [], []
    for people in frames:
        if not people:
            boxes.append([[], []])
            keypoints.append([[], []])
            continue
        boxes.append([[], np.array([[1, 2, 3, 4, score] for _, score in people], np.float32)])
        rows = [np.stack([p[:, 0], p[:, 1], np.full(17, 7.0), p[:, 2]]) for p, _ in people]
        # Detectron 1 leaves a list of people, Detectron 2 an array.
        keypoints.append([[], rows if as_list else np.stack(rows)])
    content: dict[str, Any] = {
        "boxes": objects(boxes), "segments": np.array([None] * len(frames), dtype=object),
        "keypoints": objects(keypoints), "metadata": {"w": 1200, "h": 500}, **changes,
    }  # fmt: skip
    np.savez_compressed(path, **{k: v for k, v in content.items() if v is not None})
    return path


@pytest.mark.parametrize("as_list", [False, True])
def test_the_highest_box_is_the_best_and_nobody_is_counted(
    tmp_path: Path, make_people: Make, read: Read, as_list: bool
) -> None:
    people = make_people(3)
    frames = [[(people[n, t], [0.5, 0.99, 0.7][n]) for n in range(3)] for t in range(4)]
    frames[2] = []
    path = write(tmp_path / "walk.mp4.npz", frames, as_list)
    assert recognise(path) and not videopose3d_custom.recognise(path)
    source = open_keypoints(path, KeypointOptions())
    (take,) = read(source)
    assert source.skeleton is COCO_17 and take.clip == "walk.mp4"
    assert take.frame.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(take.poses_2d, people[1, [0, 1, 3], :, :2])
    np.testing.assert_array_equal(take.confidence, people[1, [0, 1, 3], :, 2])
    assert source.report.dropped == {"nobody detected": 1, "other people in the frame": 6}


def test_everybody_is_followed_and_the_files_size_makes_a_camera(
    tmp_path: Path, make_people: Make, read: Read
) -> None:
    people = make_people(2)
    frames = [[(people[(n + t) % 2, t], 0.9) for n in range(2)] for t in range(4)]
    path = write(tmp_path / "a.npz", frames)
    takes = read(open_keypoints(path, KeypointOptions(people="track", f_px=1000.0)))
    assert [take.clip for take in takes] == ["a/person1", "a/person2"]
    np.testing.assert_array_equal(takes[0].poses_2d, people[0, ..., :2])
    assert takes[0].camera == "1200x500" and takes[0].view is not None
    assert takes[0].view.c_px.tolist() == [600, 250]


def test_a_folder_has_a_clip_in_each_file(tmp_path: Path, make_people: Make, read: Read) -> None:
    person = make_people()[0]
    write(tmp_path / "a.npz", [[], []])
    write(tmp_path / "b.npz", [[(person[t], 0.9)] for t in range(3)])
    assert recognise(tmp_path)
    source = open_keypoints(tmp_path, KeypointOptions())
    assert source.total == 2
    assert [(take.clip, len(take)) for take in read(source)] == [("b", 3)]
    assert source.report.dropped == {"nobody detected": 2}
    np.savez(tmp_path / "c.npz", positions=np.zeros(3))
    with pytest.raises(ImportFileError, match="c.npz': expected the keys boxes, .*got positions"):
        open_keypoints(tmp_path, KeypointOptions())


def frames_of(shape: tuple[int, ...], n: int = 1) -> np.ndarray:
    return objects([[[], np.ones((n, *shape))]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints": frames_of((4, 16))}, r"frame 0: .*got \(1, 5\) and \(1, 4, 16\)"),
        ({"keypoints": frames_of((17, 3))}, r"frame 0: .*got \(1, 5\) and \(1, 17, 3\)"),
        ({"keypoints": frames_of((4, 17), 2)}, r"got \(1, 5\) and \(2, 4, 17\)"),
        ({"boxes": frames_of((4,))}, r"got \(1, 4\) and \(1, 4, 17\)"),
        (
            {"boxes": objects([[[], []]] * 2)},
            "as many frames of boxes as of keypoints, got 2 and 1",
        ),
        ({"boxes": objects([]), "keypoints": objects([])}, "got 0 and 0; the file is incomplete"),
        ({"boxes": objects([[[], []]])}, "expected people, got nobody in 1 frames"),
        ({"boxes": np.array([3.0])}, "frame 0: expected a list by class .* at 1, got .*3.0"),
        ({"boxes": objects([[[], "x"]])}, "frame 0: expected a list by class with the people at 1"),
        ({"metadata": {"w": 3}}, "expected metadata with w and h, got {'w': 3}"),
        ({"metadata": np.zeros(3)}, "expected metadata with w and h, got array"),
        ({"metadata": {"w": "x", "h": 2}}, "expected metadata with w and h, got {'w': 'x'"),
        ({"boxes": np.float32(3)}, "expected boxes as a list by frame, got array"),
        ({"boxes": {"a": 1}}, "expected boxes as a list by frame, got {'a': 1}"),
        ({"boxes": None}, "expected the keys boxes, .*without boxes"),
    ],
)
def test_contents_that_do_not_fit_are_refused_at_once(
    tmp_path: Path, make_people: Make, changes: dict, message: str
) -> None:
    path = write(tmp_path / "a.npz", [[(make_people()[0, 0], 0.9)]], **changes)
    with pytest.raises(ImportFileError, match=f"a.npz'.*{message}"):
        open_keypoints(path, KeypointOptions())


def test_other_joints_than_cocos_are_refused(tmp_path: Path, make_people: Make) -> None:
    path = write(tmp_path / "a.npz", [[(make_people()[0, 0], 0.9)]])
    with pytest.raises(ImportFileError, match="expected 25 joints .keypoints.layout.*, got 17"):
        open_keypoints(path, KeypointOptions(layout="openpose_body_25"))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, make_people: Make, share: float) -> None:
    path = write(tmp_path / "a.npz", [[(make_people()[0, 0], 0.9)]])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert not recognise(path)
    with pytest.raises(ImportFileError, match="a.npz': expected an npz archive, got a file that"):
        open_keypoints(path, KeypointOptions())


def test_a_file_cannot_run_code(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "trap"),)

    path = write(tmp_path / "a.npz", [[]], boxes=np.array([Payload()], dtype=object))
    with pytest.raises(ImportFileError, match="a.npz': expected only NumPy arrays"):
        open_keypoints(path, KeypointOptions())
    assert not (tmp_path / "trap").exists()


def test_missing_files_are_refused(tmp_path: Path) -> None:
    assert not recognise(tmp_path) and not recognise(tmp_path / "no.npz")
    with pytest.raises(ImportFileError, match="expected a folder with .*.npz, got none in it"):
        open_keypoints(tmp_path, KeypointOptions())
    with pytest.raises(ImportFileError, match="no.npz': no such file"):
        open_keypoints(tmp_path / "no.npz", KeypointOptions())


@pytest.mark.parametrize("people", [3.0, "somebody", 10**400])
def test_one_thing_where_people_should_be_is_refused(
    tmp_path: Path, make_people: Make, people: object
) -> None:
    boxes = np.empty((1, 2), dtype=object)
    boxes[0, 1] = people
    path = write(tmp_path / "walk.npz", [[(make_people()[0, 0], 0.9)]], boxes=boxes)
    with pytest.raises(ImportFileError, match="frame 0: expected a list by class with the people"):
        open_keypoints(path, KeypointOptions())
