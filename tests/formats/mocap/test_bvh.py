"""BVH files: hierarchy, motion, and where the joints are."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from selflift.files.untrusted import ImportFileError
from selflift.formats.mocap.bvh import read_header, read_motion
from selflift.formats.mocap.numbered_lines import BLOCK_FRAMES

from .bvh_files import Joint, human_joints, in_file_order, place_bvh, random_bvh, write_bvh


def odd_joints() -> list[Joint]:
    """Every rotation order, missing channels, and position channels at inner joints."""
    rng = np.random.default_rng(5)
    joints = [Joint("pelvis of man", "", (1.0, -2.0, 3.0), ("Yrotation", "Xposition", "Zposition"))]
    for i, order in enumerate(itertools.permutations("XYZ")):
        channels = [f"{axis}rotation" for axis in order][: 3 - i % 2]
        if i % 3 == 0:
            channels[1:1] = ["Yposition", "Xposition", "Zposition"]
        parent = joints[i // 2].name
        joints.append(Joint(f"joint{i}", parent, tuple(rng.normal(size=3)), tuple(channels)))
    ends = [j for j in joints if not any(child.parent == j.name for child in joints)]
    return joints + [Joint(f"{j.name}/End", j.name, (0.0, 1.5, 0.5), (), True) for j in ends]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    joints = human_joints()
    return write_bvh(tmp_path / "a.bvh", joints, random_bvh(joints, 5))


@pytest.mark.parametrize("eol", ["\n", "\r\n", "\r\r\n"])
def test_joints_lie_where_a_loop_over_frames_and_joints_puts_them(tmp_path: Path, eol: str) -> None:
    joints = odd_joints()
    values = random_bvh(joints, 9, seed=6)
    header = read_header(write_bvh(tmp_path / "a.bvh", joints, values, eol=eol))
    X = header.place(np.concatenate(list(read_motion(header))))
    expected = place_bvh(joints, values)
    assert set(header.points) == set(expected)
    for name, index in header.points.items():
        np.testing.assert_allclose(X[:, index], expected[name], atol=1e-10, err_msg=name)


def test_long_motion_is_read_block_by_block(tmp_path: Path) -> None:
    joints = [Joint("Hips", "", (0, 0, 0), ("Xposition",))]
    values = np.arange(2 * BLOCK_FRAMES + 7, dtype=float)[:, None]
    header = read_header(write_bvh(tmp_path / "a.bvh", joints, values))
    blocks = list(read_motion(header))
    assert [len(block) for block in blocks] == [BLOCK_FRAMES, BLOCK_FRAMES, 7]
    np.testing.assert_array_equal(np.concatenate(blocks), values)


def test_words_may_stand_on_any_line(tmp_path: Path) -> None:
    (tmp_path / "a.bvh").write_text(
        "\ufeffhierarchy\nroot Hips { OFFSET\n0 1 2 CHANNELS\n1 xPOSITION joint a\n{ OFFSET 1 1 1 "
        "CHANNELS 0 End Site { OFFSET 0 0 1 } End Site { OFFSET 0 1 0 } } }\n\n\nMotion\n"
        "Frame Time: 0.01\nFrames:\t2\n\n 7\n\n8 \n\n",
        encoding="utf-8",
    )
    header = read_header(tmp_path / "a.bvh")
    assert header.points == {"Hips": 0, "a": 1, "a/End": 2, "a/End1": 3}
    X = header.place(np.concatenate(list(read_motion(header))))
    np.testing.assert_array_equal(X[:, 2], [[8, 2, 4], [9, 2, 4]])


def test_end_sites_without_an_offset_are_no_points(tmp_path: Path) -> None:
    joints = [
        Joint("Hips", "", (0, 0, 0)), Joint("Head", "Hips", (0, 0, 0)),
        Joint("Head/End", "Head", (0, 0, 0), (), True),
    ]  # fmt: skip
    header = read_header(write_bvh(tmp_path / "a.bvh", joints, np.zeros((1, 6))))
    assert header.points == {"Hips": 0, "Head": 1}


@pytest.mark.parametrize(
    ("text", "fps"),
    [
        (".0083333", 120), ("0.00833", 120), ("0.0333333", 30), ("0.016667", 60), ("0.02", 50),
        ("0.0333667", 1 / 0.0333667), ("0.04170838", 1 / 0.04170838), ("0", None),
    ],
)  # fmt: skip
def test_rates_are_whole_where_the_frame_times_digits_allow(
    tmp_path: Path, text: str, fps: float | None
) -> None:
    joints = [Joint("Hips", "", (0, 0, 0))]
    assert read_header(write_bvh(tmp_path / "a.bvh", joints, np.zeros((1, 3)), text)).fps == fps


HEADER_MISTAKES = {
    "foreign": ("HIERARCHY", "<html>", "line 1: expected a BVH file that begins with HIERARCHY"),
    "no motion": ("MOTION", "MOTIONS", "a brace or MOTION, got 'MOTIONS'"),
    "no frames": ("Frames: 5", "5", "expected 'Frames:' and 'Frame Time:' after MOTION, got '5'"),
    "empty": ("Frames: 5", "Frames: 0", "expected at least one frame, got none; leave this file"),
    "frames": ("Frames: 5", "Frames: many", "expected a number as 'frames:', got 'many'"),
    "offset": ("OFFSET 0.02 2.05", "OFFSET 2.05", "expected 3 numbers as OFFSET, got '2.05 -0.14'"),
    "nan": ("OFFSET 0.02 2.05", "OFFSET nan 2.05", "expected 3 numbers as OFFSET, got 'nan'"),
    "no offset": ("OFFSET 0.02 2.05 -0.14", "", "expected an OFFSET of every joint, got none of S"),
    "count": ("CHANNELS 3 Z", "CHANNELS 4 Z", "expected 4 channels such as Xposition or Zrotation"),
    "fewer": ("CHANNELS 3 Z", "CHANNELS 2 Z", "expected 2 channels such as Xposition"),
    "huge": ("CHANNELS 3 Z", "CHANNELS 1e9 Z", r"expected 1e\+09 channels such as"),
    "channel": ("3 Zrotation Y", "3 Wrotation Y", "got 'wrotation yrotation xrotation'; fix"),
    "twice": ("3 Zrotation Y", "3 Yrotation Y", "each once, got 'yrotation yrotation xrotation'"),
    "brace": ("}\nMOTION", "MOTION", "closing brace for each opening one, got 1 still open"),
    "more": ("}\nMOTION", "}\n}\nMOTION", "expected ROOT, got '}'; fix the braces"),
    "no brace": ("JOINT Spine\n\t\t{", "JOINT Spine\n", "an opening brace after a joint's name"),
    "roots": ("JOINT LowerBack", "ROOT LowerBack", "expected one ROOT before all joints"),
    "same name": ("JOINT Spine1", "JOINT Spine", "joints of different names, got 'Spine' again"),
    "nameless": ("JOINT Spine1", "JOINT", "expected joints of different names, got '' again"),
    "outside": ("}\nMOTION", "}\nJOINT b {\n}\nMOTION", "expected a joint inside of the ROOT"),
}


@pytest.mark.parametrize("mistake", HEADER_MISTAKES)
def test_a_wrong_header_is_refused_in_one_line(path: Path, mistake: str) -> None:
    old, new, message = HEADER_MISTAKES[mistake]
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ImportFileError, match=message) as caught:
        read_header(path)
    assert str(caught.value).startswith(f"mocap '{path}'") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1 2 3", "expected 72 numbers as a frame's values, got '1 2 3'; fix the line"),
        ("nan " * 72, "expected 72 numbers as a frame's values, got 'nan'"),
        ("inf " * 72, "expected 72 numbers as a frame's values, got 'inf'"),
        ("1,5 " * 72, "expected 72 numbers as a frame's values, got '1,5'"),
        ("1_5 " * 72, "expected lines of numbers, got other text"),
    ],
)
def test_a_wrong_frame_is_refused_by_its_line(path: Path, row: str, message: str) -> None:
    header = read_header(path)
    assert len(header.is_angle) == 72
    lines = path.read_text().splitlines()
    lines[header.lines + 3] = row
    path.write_text("\n".join(lines))
    with pytest.raises(ImportFileError, match=message) as caught:
        list(read_motion(header))
    if not row.startswith("1_5"):
        assert str(caught.value).startswith(f"mocap '{path}', line {header.lines + 4}: ")


@pytest.mark.parametrize(("keep", "reason"), [(4, "is cut short"), (0, "is cut short")])
def test_truncated_motion_is_refused(path: Path, keep: int, reason: str) -> None:
    header = read_header(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[: header.lines + keep]))
    with pytest.raises(ImportFileError, match=f"expected 5 frames, got {keep}; the file {reason}"):
        list(read_motion(header))


def test_more_frames_than_said_are_refused(path: Path) -> None:
    text = path.read_text()
    path.write_text(text + text.splitlines()[-1] + "\n")
    with pytest.raises(ImportFileError, match="expected 5 frames, got 6; the file goes on"):
        list(read_motion(read_header(path)))


@pytest.mark.parametrize("share", np.linspace(0, 0.99, 25))
def test_a_file_cut_anywhere_is_refused(path: Path, share: float) -> None:
    text = path.read_text()
    path.write_text(text[: int(share * len(text))])
    with pytest.raises(ImportFileError, match="a.bvh'"):
        list(read_motion(read_header(path)))


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="no.bvh': expected a file that can be read, got 'No"):
        read_header(tmp_path / "no.bvh")
    (tmp_path / "b.bvh").write_bytes(bytes(50))
    with pytest.raises(ImportFileError, match="got a binary file"):
        read_header(tmp_path / "b.bvh")


def test_rotation_columns_are_told_from_positions(tmp_path: Path) -> None:
    joints = odd_joints()
    header = read_header(write_bvh(tmp_path / "a.bvh", joints, random_bvh(joints, 1)))
    names = [channel for joint in in_file_order(joints) for channel in joint.channels]
    assert header.is_angle.tolist() == [name.endswith("rotation") for name in names]
