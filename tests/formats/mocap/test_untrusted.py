"""Motion files by somebody else: counts, names and numbers that nobody means well."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from selflift.files.untrusted import ImportFileError
from selflift.formats.mocap import bvh, numbered_lines
from selflift.formats.mocap.acclaim import MOST_BONES, read_amc, read_asf
from selflift.formats.mocap.bvh import read_header, read_motion
from selflift.formats.mocap.motion_files import MotionFile
from selflift.formats.mocap.world_motion import open_sources, read_bodies

from .acclaim_files import cmu_bones, random_amc, write_amc, write_asf
from .bvh_files import human_joints, random_bvh, write_bvh
from .scenes import add_amc, add_bvh, read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    joints = human_joints()
    return write_bvh(tmp_path / "a.bvh", joints, random_bvh(joints, 5))


def rewrite(path: Path, old: str, new: str) -> None:
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


def test_channels_given_twice_are_refused(path: Path) -> None:
    line = "CHANNELS 3 Zrotation Yrotation Xrotation "
    rewrite(path, line, f"{line}\n{line}")
    with pytest.raises(
        ImportFileError, match=r"line \d+: expected the channels of 'LowerBack' onc"
    ):
        read_header(path)


@pytest.mark.parametrize("nested", [True, False])
def test_any_number_of_joints_is_refused_at_once(path: Path, nested: bool) -> None:
    joints = "".join(
        f"JOINT j{n} {{ OFFSET 0 1 0 " + ("\n" if nested else "}\n") for n in range(50_000)
    )
    rewrite(path, "JOINT Spine\n", f"{joints}JOINT Spine\n")
    with pytest.raises(
        ImportFileError, match="expected at most 1000 joints and end sites, got mor"
    ):
        read_header(path)


def test_as_many_joints_as_allowed_are_read(path: Path) -> None:
    count = bvh.MOST_JOINTS - len(human_joints())
    joints = "".join(f"JOINT j{n} {{ OFFSET 0 1 0 }}\n" for n in range(count))
    rewrite(path, "JOINT Spine\n", f"{joints}JOINT Spine\n")
    assert len(read_header(path).bones) == bvh.MOST_JOINTS


@pytest.mark.parametrize("frames", ["1000000000", "51000"])
def test_more_frames_than_a_file_can_hold_are_refused_unread(path: Path, frames: str) -> None:
    rewrite(path, "Frames: 5", f"Frames: {frames}")
    with pytest.raises(ImportFileError, match=r"or 60 bytes for each, got [\d,]+ frames in [\d,]+"):
        next(read_motion(read_header(path)))


@pytest.mark.parametrize("line", ["Frames: 1000000000000", "Frames: 1e300", "Frame Time: 1e300"])
def test_counts_beyond_reason_are_refused(path: Path, line: str) -> None:
    key, _, value = line.partition(": ")
    rewrite(path, "Frames: 5" if key == "Frames" else "Frame Time: .0083333", line)
    with pytest.raises(ImportFileError, match=rf"expected a number as .*'{value}', beyond 1e\+09"):
        read_header(path)


def test_a_long_recording_may_be_as_long_as_its_file_explains(tmp_path: Path) -> None:
    path = tmp_path / "a.bvh"
    path.write_bytes(b"x" * 60 * 50_001)
    numbered_lines.check_frames(path, 50_001)
    with pytest.raises(ImportFileError, match=r"expected at most 50,000 frames, or 60 bytes for "):
        numbered_lines.check_frames(path, 50_002)


def test_motion_of_a_few_bytes_a_frame_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbered_lines, "MOST_SHORT_FRAMES", 500)
    bones = [bone._replace(dof=()) for bone in cmu_bones()]
    skeleton = read_asf(write_asf(tmp_path / "a.asf", bones, root=("TX",)))
    path = tmp_path / "a_1.amc"
    path.write_text("".join(f"{n}\nroot 1\n" for n in range(1, 502)))
    with pytest.raises(ImportFileError, match="expected at most 500 frames, or 60 bytes"):
        list(read_amc(path, skeleton))


def test_bodies_in_small_blocks_are_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = open_sources([MotionFile(path, "a", "b", None)], {})
    X, _ = read_bodies(source)
    monkeypatch.setattr(numbered_lines, "BLOCK_PLACES", 2 * len(read_header(path).bones))
    assert [len(block) for block in read_motion(read_header(path))] == [2, 2, 1]
    np.testing.assert_allclose(read_bodies(source)[0], X, rtol=1e-12)


@pytest.mark.parametrize("frame_time", ["3600", "1e-300", "1.1", "1e-6", "-0.01"])
def test_a_rate_that_nobody_records_at_is_not_resampled(tmp_path: Path, frame_time: str) -> None:
    add_bvh(tmp_path / "a.bvh", frame_time=frame_time)
    with pytest.raises(
        ImportFileError, match=r"expected a Frame Time above 0.*set mocap.source_fp"
    ):
        read(tmp_path)
    _, takes = read(tmp_path, source_fps=120.0)
    assert takes[0].fps == 50


@pytest.mark.parametrize("number", ["1e300", "-1e10", "9" * 5000])
def test_numbers_beyond_any_unit_are_refused(tmp_path: Path, path: Path, number: str) -> None:
    header = read_header(path)
    lines = path.read_text().splitlines()
    lines[header.lines + 1] = " ".join([*lines[header.lines + 1].split()[:-1], number])
    path.write_text("\n".join(lines))
    with pytest.raises(ImportFileError, match="expected 72 numbers as a frame's values") as caught:
        list(read_motion(header))
    assert len(str(caught.value)) < 400
    rewrite(path, "OFFSET 0.02", f"OFFSET {number}")
    with pytest.raises(ImportFileError, match="expected 3 numbers as OFFSET"):
        read_header(path)
    skeleton = read_asf(write_asf(tmp_path / "a.asf", cmu_bones()))
    values = random_amc(cmu_bones(), 3)
    values[1]["ltibia"] = [float(number)]
    with pytest.raises(
        ImportFileError, match="expected a number as the motion of 'ltibia', got '.*', beyond"
    ):
        list(read_amc(write_amc(tmp_path / "a_1.amc", values), skeleton))


@pytest.mark.parametrize("name", ["a.bvh", "a.asf"])
def test_a_file_without_line_ends_is_not_read_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"1 " * 2_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ImportFileError, match="line 1: expected lines of at most 1048576 char"):
            read_header(path) if name == "a.bvh" else read_asf(path)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_a_pipe_is_no_skeleton(tmp_path: Path) -> None:
    add_amc(tmp_path)
    (tmp_path / "02.asf").unlink()
    os.mkfifo(tmp_path / "02.asf")
    with pytest.raises(
        ImportFileError, match="02.asf': expected a file, got a folder, a pipe or a"
    ):
        read(tmp_path)


def test_bones_in_a_ring_are_refused(tmp_path: Path) -> None:
    path = write_asf(tmp_path / "a.asf", cmu_bones())
    rewrite(path, "lfemur ltibia", "lfoot lfemur\n    lfemur ltibia")
    with pytest.raises(ImportFileError, match="expected one parent of 'lfemur', got several"):
        read_asf(path)
    rewrite(path, "root lowerback lhipjoint", "root lowerback")
    with pytest.raises(
        ImportFileError, match="hang on the root, got lhipjoint, lfemur, ltibia, lf"
    ):
        read_asf(path)


def test_any_number_of_bones_is_refused_at_once(tmp_path: Path) -> None:
    path = write_asf(tmp_path / "a.asf", cmu_bones())
    bone = "begin\nname b{}\ndirection 0 1 0\nlength 1\naxis 0 0 0 XYZ\nend\n"
    more = "".join(bone.format(n) for n in range(MOST_BONES))
    rewrite(path, ":bonedata\n", f":bonedata\n{more}")
    with pytest.raises(ImportFileError, match="expected at most 1000 bones, got more"):
        read_asf(path)


def test_a_skeleton_in_which_nothing_moves_is_refused(tmp_path: Path) -> None:
    bones = [bone._replace(dof=()) for bone in cmu_bones()]
    with pytest.raises(ImportFileError, match="expected a bone that moves, got none with a dof"):
        read_asf(write_asf(tmp_path / "a.asf", bones, root=()))


def test_a_frame_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    skeleton = read_asf(write_asf(tmp_path / "a.asf", cmu_bones()))
    path = write_amc(tmp_path / "a_1.amc", random_amc(cmu_bones(), 3))
    rewrite(path, "\n2\n", f"\n{'9' * 5000}\n")
    with pytest.raises(ImportFileError, match="expected bones that move in") as caught:
        list(read_amc(path, skeleton))
    assert len(str(caught.value)) < 1000
