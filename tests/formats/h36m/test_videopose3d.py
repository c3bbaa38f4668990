"""World positions in VideoPose3D's layout, projected; and the ways in which a file can be wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from selflift.config import H36MOptions
from selflift.data.pose_set_writer import write_poses
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.videopose3d import open_videopose3d, recognise
from selflift.skeleton import H36M_17, H36M_32
from tests.formats.h36m.people import CAMERAS, SLOTS
from tests.formats.h36m.videopose3d_files import (
    Poses3D,
    as_32,
    motion,
    seen_by,
    write_3d,
)

ROOT = os.environ.get("SELFLIFT_DATA") or Path(__file__).parents[4] / "shared" / "data"


def files(standing: np.ndarray) -> Poses3D:
    return {
        "S1": {
            "Directions 1": as_32(motion(standing, 7, 1)),
            "WalkingDog": as_32(motion(standing, 4, 2)),
        },
        "S9": {"SittingDown 1": as_32(motion(standing, 5, 3))},
    }


def opened(path: Path, positions: object, **options: object) -> tuple[Recordings, list[Take]]:
    write_3d(path / "data_3d_h36m.npz", positions)
    recordings = open_videopose3d(path / "data_3d_h36m.npz", H36MOptions(**options))  # type: ignore[arg-type]
    return recordings, list(recordings.takes)


def refused(path: Path, positions: object, message: str, **options: object) -> None:
    """The file is refused in a line that names it."""
    with pytest.raises(ImportFileError, match=message) as caught:
        opened(path, positions, **options)
    assert "\n" not in str(caught.value)


def test_every_recording_becomes_a_take_of_each_camera(
    tmp_path: Path, standing: np.ndarray
) -> None:
    recordings, takes = opened(tmp_path, files(standing))
    assert recordings.skeleton == H36M_17 and recordings.source == "h36m_videopose3d"
    assert recordings.total == len(takes) == 12
    assert [(t.subject, t.action, t.clip, len(t)) for t in takes[::4]] == [
        ("S1", "Directions", "S1 Directions 1", 7),
        ("S1", "WalkDog", "S1 WalkDog", 4),
        ("S9", "SittingDown", "S9 SittingDown 1", 5),
    ]
    assert [t.camera for t in takes[:4]] == [f"S1/{camera}" for camera in CAMERAS]
    assert takes[8].camera == "S9/54138969"
    for take in takes:
        assert take.poses_3d is not None and take.view is not None
        assert take.poses_2d.dtype == take.poses_3d.dtype == np.float32
        assert take.confidence is None and take.fps == 50
        assert take.frame.dtype == np.int64 and take.frame.tolist() == list(range(len(take)))
    assert recordings.settings["2D"] == "projected from the 3D"
    assert recordings.settings["joints"] == "17 of the file's 32"
    assert not recordings.report.dropped
    assert recordings.report.notes == [
        "standard training subjects (S1, S5, S6, S7, S8): 44 poses read",
        "standard test subjects (S9, S11): 20 poses read",
    ]


@pytest.mark.parametrize("lens", [True, False])
def test_takes_hold_what_the_cameras_see(tmp_path: Path, standing: np.ndarray, lens: bool) -> None:
    positions = files(standing)
    recordings, takes = opened(tmp_path, positions, lens=lens)
    for number, take in enumerate(takes):
        subject = take.subject
        key = list(positions[subject])[number // 4 % len(positions[subject])]
        metres = positions[subject][key][:, SLOTS]
        expected = seen_by(subject, CAMERAS[number % 4], metres, lens)
        assert take.poses_3d is not None and take.view is not None
        # Half a unit in the last place of float32: 0.25 µm and 0.03 thousandths of a pixel.
        np.testing.assert_allclose(take.poses_3d, expected[..., :3], rtol=6e-8, atol=1e-7)
        np.testing.assert_allclose(take.poses_2d, expected[..., 3:], rtol=6e-8, atol=1e-7)
        assert take.view.radial.any() == lens
    assert recordings.settings["lens"] == ("OpenCV model" if lens else "none")


def test_all_32_joints_can_be_kept(tmp_path: Path, standing: np.ndarray) -> None:
    positions = files(standing)
    recordings, takes = opened(tmp_path, positions, joints=32)
    assert recordings.skeleton == H36M_32 and recordings.settings["joints"] == "32"
    expected = seen_by("S1", CAMERAS[1], positions["S1"]["Directions 1"])
    np.testing.assert_allclose(takes[1].poses_2d, expected[..., 3:], rtol=6e-8)


def test_files_of_17_joints_are_read_as_they_are(tmp_path: Path, standing: np.ndarray) -> None:
    body = motion(standing, 7, 1)
    recordings, takes = opened(tmp_path, {"S1": {"Directions 1": body.astype(np.float64)}})
    _, of_32 = opened(tmp_path, {"S1": {"Directions 1": as_32(body)}})
    assert recordings.settings["joints"] == "17"
    for take, other in zip(takes, of_32, strict=True):
        np.testing.assert_array_equal(take.poses_2d, other.poses_2d)
    message = r"data_3d_h36m.npz': expected 32 joints \(h36m.joints\), got 17; set h36m.joints=17"
    refused(tmp_path, {"S1": {"Directions 1": body}}, message, joints=32)


def test_subjects_and_skip_list_leave_takes_out(tmp_path: Path, standing: np.ndarray) -> None:
    skip = ["S1 Directions 1.55011271", "S1 WalkDog", "S1 Eating", "S9 Eating"]
    recordings, takes = opened(tmp_path, files(standing), subjects=["S1"], skip=skip)
    assert [(t.clip, t.camera) for t in takes] == [
        ("S1 Directions 1", f"S1/{camera}") for camera in CAMERAS if camera != "55011271"
    ]
    assert recordings.report.dropped == {
        "on the skip list: S1 Directions 1.55011271": 7,
        **{f"on the skip list: S1 WalkDog.{camera}": 4 for camera in CAMERAS},
    }
    assert recordings.settings["skipped takes"] == "S1 Directions 1.55011271, S1 WalkDog"
    assert "h36m.skip: 'S1 Eating' names no recording of the source" in recordings.report.notes
    assert not any("S9" in note for note in recordings.report.notes)
    message = "expected h36m.subjects of S1, S9, got S5, S11"
    refused(tmp_path, files(standing), message, subjects=["S5", "S1", "S11"])


def test_other_subjects_are_filmed_by_stand_ins_from_the_origin(
    tmp_path: Path, standing: np.ndarray
) -> None:
    body = motion(standing, 6, 4)
    far = body + np.float32([30, -20, 0])
    recordings, takes = opened(tmp_path, {"CMU002": {"Walk 04 part2": as_32(far)}}, stand_in="S5")
    centred = far.astype(np.float64)
    centred[..., :2] -= far[:, 0, :2].astype(np.float64).mean(0)
    for take, camera in zip(takes, CAMERAS, strict=True):
        assert (take.subject, take.action, take.clip) == ("CMU002", "Walk", "CMU002 Walk 04 part2")
        assert take.camera == f"S5/{camera}"
        expected = seen_by("S5", camera, centred)
        assert take.poses_3d is not None
        np.testing.assert_allclose(take.poses_3d, expected[..., :3], atol=1e-3)
        np.testing.assert_allclose(take.poses_2d, expected[..., 3:], atol=1e-3)
    assert recordings.settings["cameras"].startswith(
        "Human3.6M's four as calibrated for S5, standing in for the unknown ones of CMU002; each "
        "recording is moved so that its mean root lies above the world's origin"
    )


def test_subjects_with_and_without_cameras_may_share_a_file(
    tmp_path: Path, standing: np.ndarray
) -> None:
    positions = {"me": {"jump": as_32(motion(standing, 3, 0))}} | files(standing)
    recordings, takes = opened(tmp_path, positions)
    with write_poses(tmp_path / "out.h5", recordings.skeleton) as writer:
        for take in takes:
            writer.add(take)
        assert writer.rows == 4 * (3 + 7 + 4 + 5)
    assert recordings.settings["cameras"].startswith("Human3.6M's four, as calibrated for each")
    assert "standing in for the unknown ones of me;" in recordings.settings["cameras"]


@pytest.mark.parametrize(
    ("key", "action"),
    [
        ("Walk 01", "Walk"), ("walk_03", "walk"), ("Walk2run 7", "Walk2run"), ("Dance", "Dance"),
        ("Walking 1 chunk0", "Walking"), ("Jump12", "Jump"), ("12", "12"),
        ("Throw/Catch 1", "Throw/Catch"),
    ],
)  # fmt: skip
def test_the_action_is_the_name_without_its_number(
    tmp_path: Path, standing: np.ndarray, key: str, action: str
) -> None:
    _, takes = opened(tmp_path, {"me": {key: as_32(motion(standing, 2, 0))}})
    assert {(take.action, take.clip) for take in takes} == {(action, f"me {key}")}


def test_frames_that_a_camera_cannot_see_are_dropped_and_counted(
    tmp_path: Path, standing: np.ndarray
) -> None:
    # Along the line of sight of the first camera, from the far side of the room to behind it.
    view = np.array([1.0, 2.6, 0.0]) / np.hypot(1.0, 2.6)
    steps = np.linspace(-7, 7, 57)
    body = (standing + steps[:, None, None] * view).astype(np.float32)
    recordings, takes = opened(tmp_path, {"me": {"run": as_32(body)}})
    close = oblique = outside = 0
    for take, camera in zip(takes, CAMERAS, strict=True):
        expected = seen_by("S1", camera, body - body[:, 0].mean(0) * [1, 1, 0])
        near = (expected[..., 2] < 500).any(1)
        slope = np.hypot(expected[..., 0], expected[..., 1]) / expected[..., 2]
        wide = (slope > 1).any(1) & ~near
        assert take.frame.tolist() == np.flatnonzero(~near & ~wide).tolist()
        np.testing.assert_allclose(take.poses_2d, expected[take.frame][..., 3:], atol=1e-3)
        height = 1002 if camera in ("54138969", "60457274") else 1000
        pixels = expected[take.frame][..., 3:]
        outside += int(((pixels < 0) | (pixels >= [1000, height])).any((1, 2)).sum())
        close, oblique = close + int(near.sum()), oblique + int(wide.sum())
    assert close > 5 and oblique > 5 and outside > 5
    assert recordings.report.dropped == {
        "a joint less than 0.5 m in front of the camera": close,
        "a joint more than 45 degrees off the optical axis, beyond the lens model": oblique,
    }
    poses = 4 * 57 - close - oblique
    assert recordings.report.notes == [
        f"{outside} of {poses} poses have a joint outside of the image; they are kept"
    ]


def test_stand_ins_can_be_refused(tmp_path: Path, standing: np.ndarray) -> None:
    positions = {f"p{i}": {"Walk 1": as_32(motion(standing, 2, i))} for i in range(7)}
    message = "got p0, p1, p2, p3, p4 and 2 more, of whom no calibration is known; set h36m.stand"
    refused(tmp_path, positions, message, stand_in=None)
    refused(tmp_path, positions, "h36m.stand_in: expected one of S1, .* got 'S2'", stand_in="S2")
    assert len(opened(tmp_path, files(standing), stand_in=None)[1]) == 12


def changed(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Poses3D], Poses3D]:
    def apply(positions: Poses3D) -> Poses3D:
        positions["S1"]["WalkingDog"] = change(positions["S1"]["WalkingDog"])
        return positions

    return apply


def everywhere(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Poses3D], Poses3D]:
    return lambda positions: {
        s: {k: change(a) for k, a in row.items()} for s, row in positions.items()
    }


def spoilt(poses: np.ndarray) -> np.ndarray:
    poses[2, 31] = np.nan
    poses[3, 0, 1] = np.inf
    return poses


WALK = r"positions_3d\['S1'\]\['WalkingDog'\]: expected "


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(lambda a: a[:, :16]), WALK + r".* \(frames, 32, 3\), got an array of .*\(4, 16"),
        (everywhere(lambda a: a[:, :25]), r"\(frames, 17 or 32, 3\), got an array .*; convert"),
        (changed(lambda a: a[:, SLOTS]), WALK + r".* \(frames, 32, 3\), .*as in the recordings"),
        (changed(lambda a: a[..., :2]), WALK + r".*\(4, 32, 2\)"),
        (changed(lambda a: a.reshape(4, 96)), WALK + r".*\(4, 96\)"),
        (changed(lambda a: a.astype(int)), WALK + "floating-point positions .* type int64"),
        (changed(lambda a: a.astype(object)), WALK + "floating-point positions .* type object"),
        (changed(lambda a: a[:0]), WALK + r".*\(0, 32, 3\)"),
        (changed(lambda a: a.tolist()), WALK + ".*got a list of 4"),
        (changed(spoilt), WALK + r"finite positions, got NaN or Inf in 2 of 4 .*first: .* 2"),
        (changed(lambda a: 1000 * a), "WalkDog.54138969: expected positions_3d in metres"),
        (changed(lambda a: a / 100), "in metres, of bodies 0.5 to 3 m tall, .* check the"),
        (everywhere(lambda a: a - a[:, :1]), "expected positions in the world, got poses that"),
        (everywhere(lambda a: a[..., [0, 2, 1]] * np.float32([1, 1, -1])), r"z up, .* along \+y"),
        (everywhere(lambda a: -a), "expected a world with z up, got bodies that stand along -z"),
        (lambda p: p | {"S5": {"Juggling 1": p["S9"]["SittingDown 1"]}}, "'Juggling 1'; rename"),
        (lambda p: p | {"S5": {1: p["S9"]["SittingDown 1"]}}, "recordings by their names, got '1'"),
        (lambda p: p | {"S5": {}}, r"positions_3d\['S5'\]: expected a table .*, got a dict of 0"),
        (lambda p: p | {"S5": p["S9"]["SittingDown 1"]}, r"\['S5'\]: expected a table of record"),
        (lambda p: p["S9"]["SittingDown 1"], r"expected positions_3d = {subject: .*\(5, 32, 3\)"),
        (lambda p: {}, "expected at least one subject in positions_3d, got none"),
        (lambda p: {"S1": p["S1"] | {"WalkDog": p["S1"]["WalkingDog"]}}, "'S1 WalkDog', got two"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused_by_name(
    tmp_path: Path, standing: np.ndarray, change: Callable, message: str
) -> None:
    refused(tmp_path, change(files(standing)), f"data_3d_h36m.npz': .*{message}")


def test_damage_in_a_subject_that_is_not_wanted_does_no_harm(
    tmp_path: Path, standing: np.ndarray
) -> None:
    positions = changed(spoilt)(files(standing))
    assert len(opened(tmp_path, positions, subjects=["S9"])[1]) == 4


def test_options_that_fit_no_file_are_refused(tmp_path: Path, standing: np.ndarray) -> None:
    refused(tmp_path, files(standing), "h36m.joints: expected 17 or 32, got 16", joints=16)
    message = "expected 17 with h36m.keypoints, got 32"
    refused(tmp_path, files(standing), message, joints=32, keypoints="2d.npz")


def test_missing_cut_and_foreign_files_are_refused(tmp_path: Path, standing: np.ndarray) -> None:
    path = tmp_path / "data_3d_h36m.npz"
    with pytest.raises(ImportFileError, match="data_3d_h36m.npz': no such file"):
        open_videopose3d(path, H36MOptions())
    whole = write_3d(path, files(standing)).read_bytes()
    assert recognise(path)
    path.write_bytes(whole[: len(whole) // 2])
    assert not recognise(path)
    with pytest.raises(ImportFileError, match="data_3d_h36m.npz': expected an npz archive, got a"):
        open_videopose3d(path, H36MOptions())
    np.savez(path, positions=np.zeros((3, 17, 3)))
    assert not recognise(path)
    with pytest.raises(ImportFileError, match="expected the key positions_3d, got positions"):
        open_videopose3d(path, H36MOptions())
    for foreign in (tmp_path, tmp_path / "none.npz", write_3d(tmp_path / "a.npz.bak.npz", {})):
        assert recognise(foreign) == (foreign.name == "a.npz.bak.npz")
    (tmp_path / "text.npz").write_text("positions_3d")
    assert not recognise(tmp_path / "text.npz")


@pytest.mark.skipif(
    not (Path(ROOT) / "data_3d_cmu.npz").is_file(),
    reason="set SELFLIFT_DATA to the folder that holds data_3d_cmu.npz",
)
def test_real_motion_in_this_layout_is_filmed_whole() -> None:
    path = Path(ROOT) / "data_3d_cmu.npz"
    assert recognise(path)
    recordings = open_videopose3d(path, H36MOptions())
    subjects, clips, poses = set(), set(), 0
    for take in recordings.takes:
        assert take.poses_3d is not None
        subjects.add(take.subject)
        clips.add(take.clip)
        poses += len(take)
        if len(clips) % 20 == 1:
            root = take.poses_3d[:, 0]
            assert 3000 < np.median(root[:, 2]) < 7000
            # Upright: the head is above the hip in the image.
            above = take.poses_2d[:, 10, 1] < take.poses_2d[:, 0, 1]
            assert above.mean() > 0.9
    assert (len(subjects), len(clips), recordings.total) == (18, 145, 580)
    assert poses + sum(recordings.report.dropped.values()) == 4 * 48_928
    assert poses > 0.99 * 4 * 48_928
