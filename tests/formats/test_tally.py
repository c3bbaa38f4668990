"""Counting and checksums."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from selflift.data.recording import Report, Take
from selflift.formats.tally import Tally, content_sha256, dropped


def take(subject: str, action: str, clip: str, camera: str, frames: int) -> Take:
    poses = np.zeros((frames, 17, 2), np.float32)
    return Take(subject, action, clip, camera, poses, np.arange(frames), 50.0)


def test_frames_count_once_and_poses_once_per_camera() -> None:
    tally = Tally()
    for camera in ("a", "b"):
        tally.add(take("S1", "Walking", "S1 Walking 1", camera, 1000))
        tally.add(take("S1", "Walking", "S1 Walking 2", camera, 500))
    tally.add(take("S5", "Eating", "S5 Eating", "c", 7))
    lines = [line.split() for line in tally.table().splitlines()]
    assert lines[0] == ["subject", "actions", "clips", "frames", "cameras", "poses"]
    assert lines[2] == ["S1", "1", "2", "1,500", "2", "3,000"]
    assert lines[3] == ["S5", "1", "1", "7", "1", "7"]
    assert lines[-1] == ["all", "2", "3", "1,507", "3", "3,007"]
    assert tally.poses == 3007


def test_frames_of_one_camera_in_several_takes_add_up() -> None:
    tally = Tally()
    # MPI-INF-3DHP's test sequences come as a take per activity.
    tally.add(take("TS1", "Exercise", "TS1", "TS1/0", 400))
    tally.add(take("TS1", "Sports", "TS1", "TS1/0", 203))
    assert tally.table().splitlines()[-1].split() == ["all", "2", "1", "603", "1", "603"]


def test_a_long_table_is_cut_and_says_so() -> None:
    tally = Tally()
    for i in range(50):
        tally.add(take(f"P{i}", "x", f"c{i}", "cam", 2))
    table = tally.table()
    assert "... and 10 more" in table
    assert "P39" in table and "P40" not in table
    assert table.splitlines()[-1].split()[-1] == "100"


def test_reasons_are_listed_by_their_number() -> None:
    report = Report()
    assert dropped(report) == "dropped: nothing"
    report.drop("a", 2)
    report.drop("b", 5000)
    report.drop("c", 0)
    assert dropped(report).splitlines() == ["dropped: 5,002 poses", "  5,000: b", "  2: a"]


def test_the_checksum_is_of_the_content_alone(tmp_path: Path, make_pose_set) -> None:
    poses = make_pose_set()
    poses.save(tmp_path / "a.h5")
    original = content_sha256(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as one, h5py.File(tmp_path / "b.h5", "w") as other:
        other.attrs.update(one.attrs)
        for name in ("poses_2d", "poses_3d", "frame", "fps"):
            other[name] = one[name][()]  # neither chunked nor compressed
        for name in ("subject", "action", "clip", "camera", "cameras"):
            one.copy(name, other)
    assert content_sha256(tmp_path / "b.h5") == original
    with h5py.File(tmp_path / "b.h5", "r+") as other:
        other["poses_2d"][3, 2, 1] += 1
    assert content_sha256(tmp_path / "b.h5") != original
