"""MMPose's archives of Human3.6M, and every way in which they can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.config.prepare_schema import H36MOptions
from selflift.data.pose_set import PoseSet
from selflift.data.pose_set_writer import write_poses
from selflift.data.recording import Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.mmpose import open_mmpose, recognise
from tests.formats.h36m.people import CAMERAS, camera_points, people, pixels

FRAMES = 6
# Recording as the folders have it, clip, camera.
TAKES = [
    ("S1", "Directions_1", "S1 Directions 1", "54138969"),
    ("S1", "Directions_1", "S1 Directions 1", "60457274"),
    ("S1", "TakingPhoto", "S1 Photo", "58860488"),
    ("S11", "Walking_1", "S11 Walking 1", "55011271"),
]


def truth(number: int) -> np.ndarray:
    subject, _, _, camera = TAKES[number]
    return camera_points(people(FRAMES, number), subject, camera)


def name(subject: str, recording: str, camera: str, frame: int) -> str:
    stem = f"{subject}_{recording}.{camera}"
    return f"{subject}/{stem}/{stem}_{frame:06d}.jpg"


def arrays() -> dict[str, np.ndarray]:
    X = np.concatenate([truth(i) for i in range(len(TAKES))])
    x = np.concatenate([pixels(truth(i), TAKES[i][3]) for i in range(len(TAKES))])
    n = len(X)
    names = [name(s, r, c, 5 * t + 1) for s, r, _, c in TAKES for t in range(FRAMES)]
    return {
        "imgname": np.array(names),
        "center": np.zeros((n, 2)),
        "scale": np.ones(n),
        "part": np.concatenate([x, np.ones((n, 17, 1))], axis=-1),
        "S": np.concatenate([X / 1000, np.ones((n, 17, 1))], axis=-1),
    }


def write(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "h36m_train.npz"
    content = {k: v for k, v in (arrays() | changes).items() if v is not None}
    np.savez(path, **content)
    return path


def read(path: Path, **options: object) -> tuple[list[Take], list[str], dict[str, int]]:
    recordings = open_mmpose(path, H36MOptions(**options))
    takes = list(recordings.takes)
    return takes, recordings.report.notes, dict(recordings.report.dropped)


def test_folders_become_takes(tmp_path: Path) -> None:
    recordings = open_mmpose(write(tmp_path), H36MOptions())
    takes = list(recordings.takes)
    assert recordings.total == 4
    assert [take.clip for take in takes] == [clip for _, _, clip, _ in TAKES]
    assert [take.camera for take in takes] == [f"{s}/{c}" for s, _, _, c in TAKES]
    assert [take.action for take in takes] == ["Directions", "Directions", "Photo", "Walking"]
    for i, take in enumerate(takes):
        assert take.fps == 50 and take.frame.tolist() == [0, 5, 10, 15, 20, 25]
        np.testing.assert_allclose(take.poses_3d, truth(i), atol=1e-2)
        np.testing.assert_allclose(take.poses_2d, pixels(truth(i), TAKES[i][3]), atol=1e-3)
        assert take.confidence is not None and (take.confidence == 1).all()
    assert any("2D lies 0.00 px" in note for note in recordings.report.notes)


def test_takes_come_in_the_order_of_their_first_rows(tmp_path: Path) -> None:
    path = write(tmp_path, **{key: array[::-1] for key, array in arrays().items()})
    assert [take.clip for take in read(path)[0]] == [clip for _, _, clip, _ in TAKES[::-1]]


def test_rows_may_come_in_any_order(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(len(TAKES) * FRAMES)
    path = write(tmp_path, **{key: array[order] for key, array in arrays().items()})
    takes = {(take.clip, take.camera): take for take in read(path)[0]}
    for i, (subject, _, clip, camera) in enumerate(TAKES):
        take = takes[clip, f"{subject}/{camera}"]
        assert take.frame.tolist() == [0, 5, 10, 15, 20, 25]
        np.testing.assert_allclose(take.poses_3d, truth(i), atol=1e-2)


def test_invisible_joints_have_confidence_0(tmp_path: Path) -> None:
    content = arrays()
    content["part"][0, 2, 2] = 0
    content["part"][1, 3] = 0
    content["S"][2, 4, 3] = 0
    content["part"][3, 5, 2] = 0.5
    takes, notes, dropped = read(write(tmp_path, **content))
    confidence = np.ones((FRAMES, 17))
    confidence[[0, 1, 2], [2, 3, 4]] = 0
    confidence[3, 5] = 0.5
    assert takes[0].poses_3d is not None and dropped == {}
    np.testing.assert_array_equal(takes[0].confidence, confidence)
    np.testing.assert_array_equal(np.isnan(takes[0].poses_2d).all(-1), confidence == 0)
    assert np.isnan(takes[0].poses_3d).any(-1).sum() == 1
    assert "3 of 24 poses lack a joint (confidence 0)" in notes


def test_skipped_takes_and_other_subjects_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path)
    takes, _, dropped = read(path, skip=["S1 Directions 1", "S11 Walking 1.55011271"])
    assert [take.clip for take in takes] == ["S1 Photo"]
    assert sum(dropped.values()) == 3 * FRAMES
    assert [take.subject for take in read(path, subjects=["S11"])[0]] == ["S11"]
    with pytest.raises(ImportFileError, match="expected subjects of S1, S11, got S9"):
        open_mmpose(path, H36MOptions(subjects=["S9"]))


def rename(old: str, new: str) -> Any:
    return lambda names: np.char.replace(names, old, new)


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        (
            "S",
            lambda S: S * [1000, 1000, 1000, 1],
            "expected S in metres, .* got 1.* m .median.; con",
        ),
        ("S", lambda S: S[..., :3], r"expected S of floats, shape \(24, 17, 4\), .*\(24, 17, 3\)"),
        ("S", lambda S: S * [1, 1, -1, 1], "expected S in the camera's frame"),
        ("S", lambda S: S * [1, np.nan, 1, 1], "expected finite S, got NaN or Inf in 6 frames"),
        ("S", lambda S: S[:-1], r"expected S of floats, shape \(24, 17, 4\)"),
        ("S", lambda S: S[FRAMES:][np.arange(24) % 18], "expected part within 10 px"),
        ("part", lambda part: part[:, :16], "expected part of floats"),
        ("part", lambda part: part.astype(int), "expected part of floats, .*got int64"),
        (
            "part",
            lambda part: part * [1, 1, -1],
            "expected confidences of 0 or more with part, got",
        ),
        ("imgname", lambda names: names[:0], "expected imgname of text, .*at least one row"),
        ("imgname", lambda names: np.arange(24.0), "expected imgname of text, .*got float64"),
        ("imgname", rename("_1.", "_1x."), "expected imgname like 'S1/S1_Directions_1.54138969/"),
        (
            "imgname",
            rename("54138969", "54138960"),
            "one of the four cameras, got 'S1/S1_Dir.*row 0",
        ),
        ("imgname", rename("S11/", "S9/"), "got 'S9/S11_Walking_1.55011271/.* in row 18"),
        ("imgname", rename("TakingPhoto.58860488/", "T/"), "got 'S1/S1_T/S1_TakingPhoto.* row 12"),
        (
            "imgname",
            rename("Walking", "Juggling"),
            "row 18: .*an action of Directions.*Juggling 1'",
        ),
        (
            "imgname",
            rename("_000006", "_000001"),
            "each frame once, from 1, got frame numb",
        ),
        ("imgname", rename("_000001", "_000000"), "once, from 1, got frame 0; the file is incons"),
        ("imgname", rename("_000011", "_first"), "expected imgname like .* in row 2"),
        ("S", None, "expected the key S, got imgname"),
    ],
)
def test_files_that_can_not_be_right_are_refused(
    tmp_path: Path, key: str, change: Any, message: str
) -> None:
    path = write(tmp_path, **{key: None if change is None else change(arrays()[key])})
    with pytest.raises(ImportFileError, match=f"h36m_train.npz'.*{message}"):
        read(path)


def test_subjects_without_calibration_are_left_out_and_noted(tmp_path: Path) -> None:
    names = rename("S11", "S2")(arrays()["imgname"])
    takes, notes, _ = read(write(tmp_path, imgname=names))
    assert {take.subject for take in takes} == {"S1"}
    assert "left out, since their calibration is not public: S2" in notes


def test_pixels_of_another_camera_are_refused(tmp_path: Path) -> None:
    content = arrays()
    content["part"][:FRAMES, :, :2] = pixels(truth(0), CAMERAS[2])
    with pytest.raises(
        ImportFileError, match="part of camera 54138969, got pixels that fit .*5886"
    ):
        read(write(tmp_path, **content))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = write(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert not recognise(path)
    with pytest.raises(ImportFileError, match="h36m_train.npz': expected an npz archive"):
        open_mmpose(path, H36MOptions())


def test_other_archives_are_not_recognised(tmp_path: Path) -> None:
    assert recognise(write(tmp_path))
    assert not recognise(tmp_path) and not recognise(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", positions_3d=np.zeros(3))
    assert not recognise(tmp_path / "other.npz")
    with pytest.raises(ImportFileError, match="expected h36m.joints = 17, got 32"):
        open_mmpose(write(tmp_path), H36MOptions(joints=32))


def test_what_is_read_can_be_written_as_a_pose_set(tmp_path: Path) -> None:
    content = arrays()
    content["part"][1, 3] = 0
    content["S"][2, 4, 3] = 0
    recordings = open_mmpose(write(tmp_path, **content), H36MOptions())
    with write_poses(tmp_path / "out.h5", recordings.skeleton) as writer:
        for take in recordings.takes:
            writer.add(take)
    poses = PoseSet.load(tmp_path / "out.h5")
    assert len(poses) == len(TAKES) * FRAMES and poses.cameras is not None


@pytest.mark.parametrize("tail", ["1e+38", "", "-1", "9" * 30, "²"])
def test_a_picture_without_a_number_is_refused(tmp_path: Path, tail: str) -> None:
    names = arrays()["imgname"].astype("U200")
    names[5] = names[5].rpartition("_")[0] + f"_{tail}.jpg"
    with pytest.raises(ImportFileError, match="h36m_train.npz'.*row 5"):
        open_mmpose(write(tmp_path, imgname=names), H36MOptions())
