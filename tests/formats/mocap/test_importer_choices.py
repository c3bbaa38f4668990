"""Motion capture files to takes: what is chosen, noted, counted and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selflift.config.prepare_schema import MocapOptions
from selflift.data.pose_set import PoseSet
from selflift.data.pose_set_writer import write_poses
from selflift.files.untrusted import ImportFileError
from selflift.formats.mocap import open_mocap

from .acclaim_files import cmu_bones, place_asf, write_amc, write_asf
from .bvh_files import SIX, Joint, write_bvh
from .scenes import (
    ASF_JOINTS,
    CMU_M,
    RIG,
    add_amc,
    add_bvh,
    expected_world,
    read,
    world_of,
)


def test_a_lost_thorax_is_told_with_files_and_remedy(tmp_path: Path) -> None:
    add_bvh(tmp_path / "02_01.bvh", thorax=0.0)
    add_bvh(tmp_path / "02_02.bvh", thorax=2.07)
    recordings, _ = read(tmp_path)
    (note,) = [note for note in recordings.report.notes if "thorax" in note]
    assert note.startswith("the thorax was lost") and "1 file (02_01.bvh);" in note
    assert "about 11 cm too low" in note and "use the ASF/AMC files" in note


def test_rates_are_noted_where_they_are_assumed_or_overruled(tmp_path: Path) -> None:
    add_amc(tmp_path / "a")
    add_bvh(tmp_path / "b" / "60_01.bvh")
    notes = "\n".join(read(tmp_path / "a")[0].report.notes)
    assert "120 Hz is assumed" in notes
    recordings, (take, *_) = read(tmp_path, source_fps=60.0, fps=None)
    assert take.fps == 60
    notes = "\n".join(recordings.report.notes)
    assert "BVH files state 120 Hz; 60 Hz is used instead" in notes and "assumed" not in notes
    recordings, (take, *_) = read(tmp_path / "b", source_fps=30.0, fps=50.0)
    assert len(take) == 24 * 50 // 30 + 1
    assert any("30 Hz were interpolated to 50 Hz" in note for note in recordings.report.notes)


def test_a_bvh_without_rate_asks_for_one(tmp_path: Path) -> None:
    add_bvh(tmp_path / "a.bvh", frame_time="0")
    with pytest.raises(
        ImportFileError, match="expected a Frame Time above 0, got 0; set mocap.sou"
    ):
        read(tmp_path)
    assert read(tmp_path, source_fps=100)[1][0].fps == 50


def test_actions_and_subjects_are_named(tmp_path: Path) -> None:
    add_amc(tmp_path / "in", trial="01")
    add_amc(tmp_path / "in", trial="02")
    (tmp_path / "a.txt").write_text("02_01\twalk slowly\n86_01\trun\n")
    _, takes = read(tmp_path / "in", actions=str(tmp_path / "a.txt"))
    assert {(t.clip, t.subject, t.action) for t in takes} == {
        ("02_01", "02", "walk slowly"), ("02_02", "02", "unknown")
    }  # fmt: skip
    (tmp_path / "a.txt").write_text("86_01 run\n")
    recordings, takes = read(tmp_path / "in", actions=str(tmp_path / "a.txt"), subject="Ann")
    assert {take.subject for take in takes} == {"Ann"}
    assert any("no clip is named in" in note for note in recordings.report.notes)
    add_bvh(tmp_path / "bvh" / "dance.bvh")
    recordings, takes = read(tmp_path / "bvh")
    assert takes[0].subject == "unknown"
    assert any("no subject in the names" in note for note in recordings.report.notes)


def test_frames_too_near_to_a_camera_are_counted(tmp_path: Path) -> None:
    add_amc(tmp_path)
    near = replace(RIG, distance_min_m=0.55, distance_max_m=1.1)
    recordings = open_mocap(tmp_path, MocapOptions(fps=None), near)
    kept = sum(len(take) for take in recordings.takes)
    assert 0 < kept < 100
    assert recordings.report.dropped == {"too near to a camera of the virtual rig": 100 - kept}


def test_takes_are_written_and_read_back(tmp_path: Path) -> None:
    add_amc(tmp_path / "in", trial="01")
    add_bvh(tmp_path / "in" / "07_02.bvh", frames=31)
    recordings = open_mocap(tmp_path / "in", MocapOptions(), RIG)
    with write_poses(tmp_path / "out.h5", recordings.skeleton) as writer:
        for take in recordings.takes:
            writer.add(take)
    poses = PoseSet.load(tmp_path / "out.h5")
    assert len(poses) == 4 * (11 + 13)
    assert poses.clip.names == ("02_01", "07_02") and len(poses.camera.names) == 8
    assert poses.cameras is not None and poses.cameras.rotation is not None


def test_the_rest_is_read_only_when_its_takes_are(tmp_path: Path) -> None:
    add_amc(tmp_path, trial="01")
    add_amc(tmp_path, trial="02")
    broken = tmp_path / "02_02.amc"
    broken.write_text(broken.read_text()[:-200])
    recordings = open_mocap(tmp_path, MocapOptions(), RIG)
    takes = [next(recordings.takes) for _ in range(4)]
    assert {take.clip for take in takes} == {"02_01"}
    with pytest.raises(ImportFileError, match="02_02.amc'"):
        next(recordings.takes)


def test_every_skeleton_is_checked_at_once(tmp_path: Path) -> None:
    add_bvh(tmp_path / "01_01.bvh")
    write_bvh(tmp_path / "09_01.bvh", [Joint("Cube", "", (0, 0, 0), SIX)], np.zeros((2, 6)))
    with pytest.raises(ImportFileError, match="09_01.bvh': expected bones of a known rig"):
        open_mocap(tmp_path, MocapOptions(), RIG)


def test_a_file_of_another_unit_is_refused(tmp_path: Path) -> None:
    add_bvh(tmp_path / "01_01.bvh")
    add_bvh(tmp_path / "02_01.bvh", scale=5.6)
    with pytest.raises(
        ImportFileError, match="02_01.bvh': expected bodies that measure 0.8 to 2.5"
    ):
        read(tmp_path)
    with pytest.raises(ImportFileError, match="01_01.bvh': .* with unit m"):
        open_mocap(tmp_path, MocapOptions(unit="m"), RIG)


def test_skeletons_of_other_length_units_stand_side_by_side(tmp_path: Path) -> None:
    """What the files call one unit of length is each file's own."""
    values = add_amc(tmp_path / "02", "02")
    truth = expected_world(place_asf(cmu_bones(), values), ASF_JOINTS, CMU_M)
    half = [bone._replace(length=bone.length / 2) for bone in cmu_bones()]
    (tmp_path / "03").mkdir()
    write_asf(tmp_path / "03/03.asf", half, length=0.225)
    for frame in values:
        frame["root"][:3] = [v / 2 for v in frame["root"][:3]]
    write_amc(tmp_path / "03/03_01.amc", values)
    _, takes = read(tmp_path, fps=None)
    for take in (takes[0], takes[4]):
        assert 1000 * np.abs(world_of(take) - truth).max() < 0.01


def test_people_on_their_hands_are_noted(tmp_path: Path) -> None:
    add_bvh(tmp_path / "01_01.bvh")
    joints, values = add_bvh(tmp_path / "02_01.bvh")
    values[:, 3:6] = [180.0, 0.0, 0.0]
    write_bvh(tmp_path / "02_01.bvh", joints, values)
    notes = "\n".join(read(tmp_path)[0].report.notes)
    assert "02_01.bvh': heads lie below the ankles" in notes and "01_01.bvh'" not in notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "foot"}, "mocap.unit: expected one of auto, cmu, m, cm, mm, inch, got 'foot'"),
        ({"up": "x"}, "mocap.up: expected one of auto, y, z, got 'x'"),
        ({"fps": 0.0}, "mocap.fps: expected a rate above 0 or none, got 0.0"),
        ({"source_fps": float("nan")}, "mocap.source_fps: expected a rate above 0 or none, got n"),
        ({"actions": "no.txt"}, "no.txt': expected a text file with a line 'clip action'"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, options: dict, message: str) -> None:
    add_amc(tmp_path)
    with pytest.raises(ImportFileError, match=message):
        open_mocap(tmp_path, MocapOptions(**options), RIG)
