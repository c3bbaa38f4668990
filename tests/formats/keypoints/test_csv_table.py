"""CSV tables, long and wide."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.csv_table import open_keypoints, recognise
from selflift.skeleton import COCO_17, OPENPOSE_BODY_25

Make = Callable[..., np.ndarray]
Read = Callable[[Recordings], list[Take]]
TRACK = KeypointOptions(people="track")


def long(people: np.ndarray, joints: tuple[str, ...], shuffled: bool = True) -> str:
    """Lines for people ``(P, T, K, 3)``; columns and lines in no order."""
    lines = [
        f"{c},{joint.upper()},{y},{t},anna{p},{x}"
        for p, frames in enumerate(people)
        for t, pose in enumerate(frames)
        for joint, (x, y, c) in zip(joints, pose.tolist(), strict=True)
    ]
    if shuffled:
        random.Random(0).shuffle(lines)
    return "\n".join(["Score,joint,y,frame,person,x", *lines]) + "\n"


def wide(people: np.ndarray, joints: tuple[str, ...], separator: str = ",") -> str:
    order = list(range(len(joints)))
    random.Random(0).shuffle(order)
    header = ["track", *(f"{joints[j]}_{n}" for j in order for n in ("y", "x", "conf")), "frame"]
    lines = [
        separator.join(
            [str(7 - p), *(str(pose[j, n]) for j in order for n in (1, 0, 2)), str(10 + t)]
        )
        for p, frames in enumerate(people)
        for t, pose in enumerate(frames)
    ]
    return "\n".join([separator.join(header), *lines])


def write(folder: Path, text: str, ending: str = ".csv") -> Path:
    path = folder / f"walk{ending}"
    path.write_text(text)
    assert recognise(path)
    return path


def test_both_forms_are_read_whatever_the_order(
    tmp_path: Path, make_people: Make, read: Read
) -> None:
    people = make_people(2)
    for text, first in ((long(people, COCO_17.joints), 0), (wide(people, COCO_17.joints), 10),
                        (wide(people, COCO_17.joints, ";"), 10)):  # fmt: skip
        source = open_keypoints(write(tmp_path, text), TRACK)
        assert source.skeleton is COCO_17
        takes = read(source)
        assert [take.frame.tolist() for take in takes] == [list(range(first, first + 4))] * 2
        found = sorted(takes, key=lambda take: take.poses_2d[0, 0, 0])
        for take, own in zip(found, sorted(people, key=lambda p: p[0, 0, 0]), strict=True):
            np.testing.assert_allclose(take.poses_2d, own[..., :2], rtol=1e-6)
            np.testing.assert_allclose(take.confidence, own[..., 2], rtol=1e-6)


def test_joints_may_be_numbers_and_most_columns_may_be_absent(
    tmp_path: Path, make_people: Make, read: Read
) -> None:
    people = make_people(joints=25)[:, :, :, :2]
    header = ",".join(f"{j}_x,{j}_y" for j in range(1, 26))
    lines = [",".join(map(str, pose.reshape(-1).tolist())) for pose in people[0]]
    source = open_keypoints(write(tmp_path, "\n".join([header, *lines])), KeypointOptions())
    assert source.skeleton is OPENPOSE_BODY_25
    (take,) = read(source)
    np.testing.assert_allclose(take.poses_2d, people[0], rtol=1e-6)
    assert take.frame.tolist() == [0, 1, 2, 3]
    assert "no confidences" in source.report.notes[0]


def test_missing_joints_are_missing(tmp_path: Path, make_people: Make, read: Read) -> None:
    text = long(make_people(), COCO_17.joints, shuffled=False).splitlines()
    # Of the first frame one joint has no line, one no number; the layout has to be named no more.
    cells = text[3].split(",")
    text[3] = ",".join([cells[0], cells[1], "", *cells[3:]])
    del text[1]
    (take,) = read(open_keypoints(write(tmp_path, "\n".join(text)), KeypointOptions()))
    assert take.confidence is not None
    assert np.flatnonzero(take.confidence[0] == 0).tolist() == [0, 2]
    assert (take.confidence[1:] > 0).all()


def test_a_layout_with_joints_that_are_nowhere_has_to_be_named(
    tmp_path: Path, make_people: Make, read: Read
) -> None:
    text = wide(make_people()[:, :, 5:], COCO_17.joints[5:])
    path = write(tmp_path, text)
    with pytest.raises(ImportFileError, match="expected the joints of a known layout, got 12 jo"):
        open_keypoints(path, KeypointOptions())
    (take,) = read(open_keypoints(path, KeypointOptions(layout="coco_17")))
    assert take.confidence is not None and (take.confidence[:, :5] == 0).all()
    assert (take.confidence[:, 5:] > 0).all()
    with pytest.raises(ImportFileError, match="expected joints of 'cmu_31' .*, got "):
        open_keypoints(path, KeypointOptions(layout="cmu_31"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got an empty file"),
        ("a,b\n1,2\n", "expected the columns frame, joint, x, y .*, got a, b"),
        ("joint,x,y\nnose,1,2\n", "expected the columns frame"),
        ("frame,nose_x,left_eye_x\n0,1,2\n", "x or y of 'nose' is absent"),
        ("frame,nose_x,nose_y,NOSE_X\n0,1,2,3\n", "'nose' has a column twice"),
        ("frame,joint,x,y\n", "expected lines below the header, got none"),
        ("frame,joint,x,y\n0,nose,1\n", "line 2: expected 4 fields, as in the header, got 3"),
        ("frame,joint,x,y\n0,nose,left,1\n", "line 2: expected a number, got 'left'"),
        ("frame,joint,x,y\n0.5,nose,1,1\n", "expected a frame of 0 or more, .* got '0.5'"),
        ("frame,joint,x,y\n-1,nose,1,1\n", "got '-1'"),
        ("frame,joint,x,y\n0,,1,1\n", "expected the name of one of a layout's joints"),
        ("frame,joint,x,y\n0,tail,1,1\n", "known layout, got 1 joints named tail"),
        ("frame,joint,x,y\n0,3,1,1\n0,5,1,1\n", "numbered from 0 or 1 without a gap, got 3, 5"),
        ('frame,joint,x,y\n0,"nose,1,1\n', "expected a table as text"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ImportFileError, match=f"walk.csv'.*{message}"):
        open_keypoints(write(tmp_path, text), KeypointOptions())


def test_one_person_is_one_line(tmp_path: Path, make_people: Make) -> None:
    text = long(make_people(), COCO_17.joints)
    path = write(tmp_path, text + text.splitlines()[1] + "\n")
    with pytest.raises(ImportFileError, match="every joint once in a frame .* leave one out"):
        open_keypoints(path, KeypointOptions())


def test_other_columns_are_told_and_other_bytes_refused(
    tmp_path: Path, make_people: Make, read: Read
) -> None:
    lines = long(make_people(), COCO_17.joints).splitlines()
    text = "\n".join([lines[0] + ",time", *(line + ",0.1" for line in lines[1:])])
    source = open_keypoints(write(tmp_path, text), KeypointOptions())
    read(source)
    assert "columns that are not used: time" in source.report.notes
    path = tmp_path / "walk.csv"
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(ImportFileError, match="walk.csv': expected"):
        open_keypoints(path, KeypointOptions())
