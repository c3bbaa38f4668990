"""Finding motion files, and what their names tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from selflift.data.recording import Report
from selflift.files.untrusted import ImportFileError
from selflift.formats.mocap import motion_files
from selflift.formats.mocap.motion_files import find_files, read_actions, recognise


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    return root


def names_of(path: Path, asf: Path | None = None) -> dict[str, tuple[str, str | None]]:
    found = find_files(path, asf, Report())
    return {f.clip: (f.subject, None if f.asf is None else f.asf.name) for f in found}


@pytest.mark.parametrize("name", ["a.asf", "a.AMC", "x/a.bvh", "x/y/a.BVH", "x/y/z/a.amc"])
def test_folders_with_motion_are_recognised(tmp_path: Path, name: str) -> None:
    make(tmp_path, "readme.txt", name)
    assert recognise(tmp_path)
    assert recognise(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npz", "bvh", "x/y/z/w/a.bvh", "a.bvh.zip", "amc/a.txt"])
def test_foreign_folders_are_not_recognised(tmp_path: Path, name: str) -> None:
    make(tmp_path, name)
    assert not recognise(tmp_path)
    assert not recognise(tmp_path / "nowhere")
    if not name.endswith(".bvh"):
        assert not recognise(tmp_path / name)


def test_recognising_stops_in_huge_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motion_files, "RECOGNISE_ENTRIES", 10)
    make(tmp_path, *(f"{i}.jpg" for i in range(20)), "frames/a.bvh")
    assert not recognise(tmp_path)


def test_cmus_tree_gives_clips_subjects_and_skeletons(tmp_path: Path) -> None:
    make(tmp_path, *(f"subjects/{s}/{s}{end}" for s in ("02", "131")
                     for end in (".asf", "_01.amc", "_02.amc", "_01.mpg")))  # fmt: skip
    assert names_of(tmp_path) == {
        "02_01": ("02", "02.asf"), "02_02": ("02", "02.asf"),
        "131_01": ("131", "131.asf"), "131_02": ("131", "131.asf"),
    }  # fmt: skip
    assert list(names_of(tmp_path / "subjects/02/02_02.amc")) == ["02_02"]
    assert list(names_of(tmp_path / "subjects/02/02.asf")) == ["02_01", "02_02"]


def test_skeletons_are_looked_for_beside_above_and_alone(tmp_path: Path) -> None:
    make(tmp_path, "HDM.asf", "HDM_bd.asf", "motion/HDM_bd_01.amc", "one/skel.asf", "one/7_1.amc")
    assert names_of(tmp_path) == {"HDM_bd_01": ("HDM_bd", "HDM_bd.asf"), "7_1": ("7", "skel.asf")}
    given = tmp_path / "HDM.asf"
    assert names_of(tmp_path, given)["7_1"] == ("7", "HDM.asf")


def test_a_motion_without_skeleton_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "02_01.amc", "03.asf", "04.asf")
    with pytest.raises(ImportFileError, match="expected its skeleton '02.asf' in '.*set mocap.asf"):
        find_files(tmp_path, None, Report())
    with pytest.raises(ImportFileError, match="no.asf': no such file; set mocap.asf"):
        find_files(tmp_path, tmp_path / "no.asf", Report())


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "02.asf", "a.txt")
    for path in (tmp_path, tmp_path / "02.asf", tmp_path / "a.txt"):
        with pytest.raises(
            ImportFileError, match=r"expected motion files \(.amc, .bvh\), got none"
        ):
            find_files(path, None, Report())
    with pytest.raises(ImportFileError, match="nowhere': no such file or folder"):
        find_files(tmp_path / "nowhere", None, Report())


def test_equal_names_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    make(tmp_path, "anna/walk.bvh", "ben/walk.bvh", "ben/run.bvh", "sit.bvh")
    assert names_of(tmp_path) == {
        "anna/walk": ("anna", None), "ben/walk": ("ben", None), "run": ("ben", None),
        "sit": ("unknown", None),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stem", "subject"),
    [
        ("02_01", "02"), ("131_01_3dsmax_names", "131"), ("S8_02", "S8"), ("CMU008_01", "CMU008"),
        ("walk1_subject5", "subject5"), ("Actor3_dance_01", "Actor3"), ("walk_01", "unknown"),
        ("dataset-1_walk_active_001", "unknown"), ("dance", "unknown"),
    ],
)  # fmt: skip
def test_names_tell_the_subject(tmp_path: Path, stem: str, subject: str) -> None:
    make(tmp_path, f"{stem}.bvh")
    assert names_of(tmp_path) == {stem: (subject, None)}


def test_a_bvh_beside_its_amc_is_left_out_and_told(tmp_path: Path) -> None:
    make(tmp_path, "02.asf", "02_01.amc", "02_01.bvh", "02_02.bvh", "other/02_01.bvh")
    report = Report()
    found = find_files(tmp_path, None, report)
    assert [f.path.name for f in found] == ["02_01.amc", "02_02.bvh", "02_01.bvh"]
    assert [f.clip for f in found] == ["02_01", "02_02", "other/02_01"]
    (note,) = report.notes
    assert note.startswith("BVH left out") and note.endswith("1 file (02_01.bvh)")


def test_actions_are_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "actions.txt"
    path.write_text("\ufeff# CMU's index\n02_01 walk\n\n 02_02\twalk  on uneven  ground \r\n"
                    "my clip\tsit down\n02_01   walk\n", encoding="utf-8")  # fmt: skip
    assert read_actions(path) == {
        "02_01": "walk", "02_02": "walk on uneven ground", "my clip": "sit down"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("02_01 walk\n02_02\n", "line 2: expected 'clip action', got '02_02'; fix the line"),
        ("02_01\t\n", "line 1: expected 'clip action', got '02_01'; fix the line"),
        (
            "02_01 walk\n\n02_01 run\n",
            "line 3: expected one action of '02_01', got 'walk' and 'run",
        ),
    ],
)
def test_a_malformed_action_is_refused_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "actions.txt"
    path.write_text(text)
    with pytest.raises(ImportFileError, match=message):
        read_actions(path)


def test_a_missing_or_binary_action_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe\x00\xd8")
    for name in ("no.txt", "a.bin"):
        with pytest.raises(
            ImportFileError, match=f"{name}': expected a text file .* mocap.actions"
        ):
            read_actions(tmp_path / name)
