"""The official archives, as cdflib writes them, and every way in which they can be wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from cdflib.cdfwrite import CDF

from selflift.config.prepare_schema import H36MOptions
from selflift.data.pose_set import PoseSet
from selflift.data.pose_set_writer import write_poses
from selflift.data.recording import Take
from selflift.files.child_process import IsolatedReader
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m import cdf
from selflift.formats.h36m.cdf import open_cdf, recognise
from selflift.skeleton import H36M_17, H36M_32
from tests.formats.h36m.people import CAMERAS, SLOTS, TABLE, camera_points, in_32, people, pixels

FRAMES = 7
MONO, WORLD, FLAT = (
    f"MyPoseFeatures/{name}" for name in ("D3_Positions_mono", "D3_Positions", "D2_Positions")
)


def write(path: Path, pose: np.ndarray, variable: str = "Pose") -> Path:
    """Joints to the file's flat rows, in one record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = pose.reshape(len(pose), -1).astype(np.float32)
    path.unlink(missing_ok=True)
    file = CDF(path)
    spec = {
        "Variable": variable, "Data_Type": file.CDF_FLOAT, "Num_Elements": 1, "Rec_Vary": True,
        "Dim_Sizes": list(flat.shape), "Var_Type": "zVariable",
    }  # fmt: skip
    file.write_var(spec, var_data=flat[None])
    file.close()
    return path


def write_take(
    root: Path, recording: str, camera: str, subject: str = "S1", flat: bool = True, seed: int = 0
) -> np.ndarray:
    """A camera-frame file, with its 2D; returns the 17 joints in the camera's frame."""
    X = camera_points(people(FRAMES, seed), subject, camera)
    write(root / subject / MONO / f"{recording}.{camera}.cdf", in_32(X))
    if flat:
        write(root / subject / FLAT / f"{recording}.{camera}.cdf", in_32(pixels(X, camera)))
    return X


def read(path: Path, **options: object) -> tuple[list[Take], list[str], dict[str, int]]:
    recordings = open_cdf(path, H36MOptions(**options))
    takes = list(recordings.takes)
    return takes, recordings.report.notes, dict(recordings.report.dropped)


def test_camera_frame_files_come_as_they_are(tmp_path: Path) -> None:
    X = write_take(tmp_path, "TakingPhoto 1", "55011271")
    (take,), notes, dropped = read(tmp_path)
    assert (take.subject, take.action, take.clip) == ("S1", "Photo", "S1 Photo 1")
    assert (take.camera, take.fps, take.frame.tolist()) == ("S1/55011271", 50.0, list(range(7)))
    assert take.confidence is None and take.view is not None and take.poses_3d is not None
    np.testing.assert_allclose(take.poses_3d, X, atol=1e-2)
    np.testing.assert_allclose(take.poses_2d, pixels(X, "55011271"), atol=1e-3)
    np.testing.assert_allclose(take.view.radial, TABLE["intrinsics"]["55011271"]["radial"])
    assert dropped == {}
    assert any("2D lies 0.00 px" in note for note in notes)
    assert "S1 TakingPhoto 1: no 3D for 54138969, 58860488, 60457274" in notes


def test_a_world_file_is_seen_by_four_cameras_and_returns_to_the_world(tmp_path: Path) -> None:
    world = people(FRAMES, seed=3)
    write(tmp_path / "S9" / WORLD / "Sitting 1.cdf", in_32(world))
    takes, _, _ = read(tmp_path)
    assert [take.camera for take in takes] == [f"S9/{camera}" for camera in CAMERAS]
    for take, camera in zip(takes, CAMERAS, strict=True):
        assert take.clip == "S9 Sitting 1" and take.view is not None
        np.testing.assert_allclose(take.poses_3d, camera_points(world, "S9", camera), atol=1e-2)
        assert take.view.rotation is not None and take.view.centre_mm is not None
        assert take.poses_3d is not None
        back = take.poses_3d.astype(np.float64) @ take.view.rotation + take.view.centre_mm
        np.testing.assert_allclose(back, world, atol=1e-2)


@pytest.mark.parametrize("lens", [True, False])
def test_without_2d_files_the_3d_is_projected(tmp_path: Path, lens: bool) -> None:
    X = write_take(tmp_path, "Eating", "58860488", flat=False)
    recordings = open_cdf(tmp_path, H36MOptions(lens=lens))
    (take,) = recordings.takes
    np.testing.assert_allclose(take.poses_2d, pixels(X, "58860488", lens), atol=1e-3)
    assert take.view is not None and bool(take.view.radial.any()) is lens
    assert recordings.settings["2D"] == "projected from 3D"
    assert recordings.settings["lens"] == ("OpenCV model" if lens else "none")
    assert not any("2D lies" in note for note in recordings.report.notes)


def test_takes_without_2d_among_others_are_counted(tmp_path: Path) -> None:
    write_take(tmp_path, "Eating", "58860488", flat=False)
    write_take(tmp_path, "Eating 2", "58860488")
    settings = open_cdf(tmp_path, H36MOptions()).settings
    assert settings["2D"] == "D2_Positions, projected from 3D for 1 of 2 takes"
    assert settings["3D"] == "D3_Positions_mono"


def test_folders_of_h36m_fetch_are_read_alike(tmp_path: Path) -> None:
    X = camera_points(people(FRAMES), "S5", "60457274")
    folder = tmp_path / "extracted" / "S5"
    write(folder / "Poses_D3_Positions_mono" / "Walking 1.60457274.cdf", in_32(X))
    flat = in_32(pixels(X, "60457274"))
    write(folder / "Poses_D2_Positions" / "Walking 1.60457274.cdf", flat)
    for path in (tmp_path, tmp_path / "extracted", folder):
        assert recognise(path)
        (take,), _, _ = read(path)
        assert take.clip == "S5 Walking 1"
        np.testing.assert_allclose(take.poses_2d, flat[:, SLOTS], atol=1e-3)


def test_camera_frame_files_are_preferred_to_world_files(tmp_path: Path) -> None:
    write_take(tmp_path, "Posing", "54138969")
    write(tmp_path / "S1" / WORLD / "Posing.cdf", in_32(people(FRAMES)))
    assert len(read(tmp_path)[0]) == 1


def test_all_32_joints_can_be_kept(tmp_path: Path) -> None:
    X = write_take(tmp_path, "Posing", "54138969")
    recordings = open_cdf(tmp_path, H36MOptions(joints=32))
    (take,) = recordings.takes
    assert recordings.skeleton == H36M_32 and take.poses_2d.shape == (FRAMES, 32, 2)
    np.testing.assert_allclose(take.poses_3d, in_32(X), atol=1e-2)
    assert open_cdf(tmp_path, H36MOptions()).skeleton == H36M_17


def test_rows_without_the_leading_record_are_read(tmp_path: Path) -> None:
    X = camera_points(people(FRAMES), "S1", "54138969")
    path = tmp_path / "S1" / MONO / "Posing.54138969.cdf"
    path.parent.mkdir(parents=True)
    file = CDF(path)
    spec = {
        "Variable": "Pose", "Data_Type": file.CDF_DOUBLE, "Num_Elements": 1, "Rec_Vary": True,
        "Dim_Sizes": [96], "Var_Type": "zVariable",
    }  # fmt: skip
    file.write_var(spec, var_data=in_32(X).reshape(FRAMES, 96))
    file.close()
    (take,), _, _ = read(tmp_path)
    np.testing.assert_allclose(take.poses_3d, X, atol=1e-2)


def test_the_longer_of_2d_and_3d_is_cut_and_counted(tmp_path: Path) -> None:
    X = write_take(tmp_path, "Posing", "54138969")
    write(tmp_path / "S1" / FLAT / "Posing.54138969.cdf", in_32(pixels(X[:5], "54138969")))
    longer = np.concatenate([X, X[:3]])
    write_take(tmp_path, "Posing 1", "54138969")
    write(tmp_path / "S1" / FLAT / "Posing 1.54138969.cdf", in_32(pixels(longer, "54138969")))
    takes, _, dropped = read(tmp_path)
    assert sorted(len(take) for take in takes) == [5, FRAMES]
    assert dropped == {"3D without 2D": 2, "2D without 3D": 3}


def test_sitting_is_not_sitting_down_and_whole_sessions_are_left_out(tmp_path: Path) -> None:
    for name in ("Sitting", "SittingDown 1", "_ALL", "_ALL 1"):
        write_take(tmp_path, name, "54138969", flat=False)
    takes, notes, _ = read(tmp_path)
    assert {take.action for take in takes} == {"Sitting", "SittingDown"}
    assert {take.clip for take in takes} == {"S1 Sitting", "S1 SittingDown 1"}
    assert sum("_ALL" in note for note in notes) == 1


def test_takes_on_the_skip_list_are_left_out_and_counted(tmp_path: Path) -> None:
    for camera in CAMERAS[:2]:
        write_take(tmp_path, "Directions", camera, subject="S11")
    takes, _, dropped = read(tmp_path)
    assert [take.camera for take in takes] == ["S11/55011271"]
    assert dropped == {"on the skip list: S11 Directions.54138969": FRAMES}
    assert len(read(tmp_path, skip=[])[0]) == 2


def test_subjects_come_in_order_and_can_be_chosen(tmp_path: Path) -> None:
    for subject in ("S11", "S9", "S1"):
        write_take(tmp_path, "Posing", "54138969", subject=subject, flat=False)
    write(tmp_path / "S2" / MONO / "Posing.54138969.cdf", in_32(people(2)))
    takes, notes, _ = read(tmp_path)
    assert [take.subject for take in takes] == ["S1", "S9", "S11"]
    assert any("calibration is not public: S2" in note for note in notes)
    assert [take.subject for take in read(tmp_path, subjects=["S9"])[0]] == ["S9"]
    with pytest.raises(ImportFileError, match="expected subjects of S1, S9, S11, got S5"):
        open_cdf(tmp_path, H36MOptions(subjects=["S5"]))


def test_2d_of_another_camera_is_refused(tmp_path: Path) -> None:
    X = write_take(tmp_path, "Posing", "54138969")
    other = in_32(pixels(X, "58860488"))
    write(tmp_path / "S1" / FLAT / "Posing.54138969.cdf", other)
    with pytest.raises(ImportFileError, match="D2_Positions of camera 54138969, .*58860488 .0.0 p"):
        read(tmp_path)


def test_2d_of_another_subject_is_refused(tmp_path: Path) -> None:
    world = people(FRAMES)
    write(tmp_path / "S1" / WORLD / "Posing.cdf", in_32(world))
    points = camera_points(world, "S9", "54138969")
    write(tmp_path / "S1" / FLAT / "Posing.54138969.cdf", in_32(pixels(points, "54138969")))
    with pytest.raises(
        ImportFileError, match=r"Posing.cdf' \(camera 5.* within 10 px .*check camera, subj"
    ):
        read(tmp_path)


def test_frames_without_a_body_or_a_joint_are_dropped_and_counted(tmp_path: Path) -> None:
    X = write_take(tmp_path, "Posing", "54138969")
    flat, solid = in_32(pixels(X, "54138969")), in_32(X)
    flat[2, SLOTS[5]] = 0
    flat[3, SLOTS[1]] = np.nan
    solid[5] = 0
    write(tmp_path / "S1" / FLAT / "Posing.54138969.cdf", flat)
    write(tmp_path / "S1" / MONO / "Posing.54138969.cdf", solid)
    (take,), _, dropped = read(tmp_path)
    assert take.frame.tolist() == [0, 1, 4, 6]
    assert dropped == {"2D of a joint missing": 2, "body not as tall as a person": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X / 1000, r"D3_Positions in mm, of bodies 0.5 to 3 m tall, got 0.00\d+ m"),
        (lambda X: -X, "D3_Positions in the camera's frame .* median depth of -"),
        (
            lambda X: np.where(X[2, 0] == X, np.nan, X),
            "NaN or Inf in 1 frames .first: number 2, jo",
        ),
        (lambda X: X[:, :17], r"expected Pose of floats, shape \(1, frames, 96\).*\(1, 7, 51\)"),
    ],
    ids=["metres", "behind", "nan", "17 joints"],
)
def test_poses_that_can_not_be_right_are_refused(
    tmp_path: Path, change: object, message: str
) -> None:
    assert callable(change)
    X = in_32(camera_points(people(FRAMES), "S1", "54138969"))
    write(tmp_path / "S1" / MONO / "Posing.54138969.cdf", change(X))
    with pytest.raises(ImportFileError, match=f"Posing.54138969.cdf'.*{message}"):
        read(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    write_take(tmp_path, "Posing", "54138969", flat=False)
    path = tmp_path / "S1" / MONO / "Posing.54138969.cdf"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ImportFileError, match="Posing.54138969.cdf': expected a CDF.*get it again"):
        read(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "S1" / MONO / "Posing.54138969.cdf"
    path.parent.mkdir(parents=True)
    file = CDF(path)
    spec = {
        "Variable": "Pose", "Data_Type": file.CDF_FLOAT, "Num_Elements": 1, "Rec_Vary": True,
        "Dim_Sizes": [96], "Var_Type": "zVariable",
    }  # fmt: skip
    file.write_var(spec)
    file.close()
    with pytest.raises(ImportFileError, match="Posing.54138969.cdf': expected .*Pose"):
        read(tmp_path)


def test_a_file_without_poses_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "S1" / MONO / "Posing.54138969.cdf"
    write(path, np.ones((3, 96)), variable="Angles")
    with pytest.raises(ImportFileError, match="variable Pose, got .*Variable name 'Pose' not foun"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("Juggling 1.54138969", "an action of Directions, .*rename"), ("Posing.123", "a camera of 5")],
)
def test_files_of_unknown_names_are_refused(tmp_path: Path, name: str, message: str) -> None:
    write(tmp_path / "S1" / MONO / f"{name}.cdf", in_32(people(2)))
    with pytest.raises(ImportFileError, match=f"{name}.cdf': expected .*{message}|{message}"):
        open_cdf(tmp_path, H36MOptions())


def test_a_folder_without_archives_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="S.*Poses_D3_Positions_mono.*got no folder"):
        open_cdf(tmp_path / "none", H36MOptions())
    with pytest.raises(ImportFileError, match="got none of them; is it the right folder"):
        open_cdf(tmp_path, H36MOptions())
    (tmp_path / "Poses_D3_Positions_mono_S1.tgz").touch()
    with pytest.raises(ImportFileError, match="unpack 'Poses_D3_Positions_mono_S1.tgz'"):
        open_cdf(tmp_path, H36MOptions())
    assert not recognise(tmp_path) and not recognise(tmp_path / "none")
    assert not recognise(tmp_path / "Poses_D3_Positions_mono_S1.tgz")


def test_16_joints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="expected h36m.joints = 17 or 32, got 16"):
        open_cdf(tmp_path, H36MOptions(joints=16))


def test_without_cdflib_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_take(tmp_path, "Posing", "54138969", flat=False)
    monkeypatch.setitem(sys.modules, "cdflib", None)
    assert recognise(tmp_path)
    with pytest.raises(ImportFileError, match=r"package cdflib.*pip install selflift\[data\]"):
        open_cdf(tmp_path, H36MOptions())


def test_what_is_read_can_be_written_as_a_pose_set(tmp_path: Path) -> None:
    X = [write_take(tmp_path / "in", "Posing", camera) for camera in CAMERAS]
    recordings = open_cdf(tmp_path / "in", H36MOptions())
    with write_poses(tmp_path / "out.h5", recordings.skeleton) as writer:
        for take in recordings.takes:
            writer.add(take)
    poses = PoseSet.load(tmp_path / "out.h5")
    assert recordings.total == 4 and poses.camera.names == tuple(f"S1/{c}" for c in CAMERAS)
    np.testing.assert_allclose(poses.poses_3d, np.concatenate(X), atol=1e-2)


def test_a_file_that_names_two_billion_variables_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader looks at all of them before it looks for the right one."""
    reader = IsolatedReader(cdf._READ, patience_s=0.1)
    monkeypatch.setattr(cdf, "_cdf", reader)
    write_take(tmp_path, "Directions 1", "54138969", flat=False)
    assert len(read(tmp_path)[0]) == 1
    path = tmp_path / "S1" / MONO / "Directions 1.54138969.cdf"
    data = bytearray(path.read_bytes())
    descriptor = int.from_bytes(data[20:28], "big")
    data[descriptor + 44 : descriptor + 48] = b"\x7f\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(ImportFileError, match="'.*cdf': expected a CDF file .* did not end within"):
        read(tmp_path)
    reader.close()
