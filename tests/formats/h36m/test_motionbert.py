"""MotionBERT's pickle, made joint by joint as LCN's code makes it, and its 3D rebuilt."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.config.prepare_schema import H36MOptions
from selflift.data.pose_set import PoseSet
from selflift.data.pose_set_writer import write_poses
from selflift.data.recording import Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.motionbert import open_motionbert, recognise
from selflift.skeleton import H36M_17
from tests.formats.h36m.people import CAMERAS, TABLE, camera_points, people, pixels

FRAMES = 8
SOURCES = {
    "s_09_act_02_subact_01_ca_01": ("S9", "S9 Directions 1", "Directions"),
    "s_09_act_02_subact_01_ca_03": ("S9", "S9 Directions 1", "Directions"),
    "s_11_act_12_subact_02_ca_04": ("S11", "S11 Photo 2", "Photo"),
}


def image_frame(X: np.ndarray, camera: str, fit: bool) -> tuple[np.ndarray, float]:
    """One pose ``(17, 3)`` in LCN's image frame, and its factor in mm per pixel."""
    inner = TABLE["intrinsics"][camera]
    (fx, fy), (cx, cy) = inner["f_px"], inner["c_px"]
    x0, _, z0 = X[0]
    left, right = (x0 - 1000) / z0 * fx + cx, (x0 + 1000) / z0 * fx + cx
    ratio = (right - left + 1) / 2000
    out = np.empty((17, 3))
    for j, (x, y, z) in enumerate(X):
        out[j] = [x / z * fx + cx, y / z * fy + cy, ratio * (z - z0)]
    if not fit:
        return out, 1 / ratio
    flat, solid = (out - out[0]).reshape(-1, 1), (X - X[0]).ravel()
    return out, float(np.linalg.lstsq(flat, solid, rcond=None)[0][0])


def truth(source: str) -> np.ndarray:
    subject, seed = SOURCES[source][0], int(source[-1])
    size = {"S9": 1.0, "S11": 1.08}[subject]
    return camera_points(people(FRAMES, seed, size), subject, CAMERAS[seed - 1])


def content(fit: bool = False, columns: int = 2) -> dict[str, dict[str, Any]]:
    """Both splits; the rows of the test split, with detections 3 px off."""
    rng = np.random.default_rng(0)
    rows: dict[str, list] = {key: [] for key in ("joint_2d", "image", "factor", "camera", "source")}
    for source in SOURCES:
        camera = CAMERAS[int(source[-1]) - 1]
        X = truth(source)
        offset = 3 * np.array([1, 0]) + 0.1 * rng.standard_normal((FRAMES, 17, 2))
        rows["joint_2d"] += list(pixels(X, camera) + offset)
        for pose in X:
            image, factor = image_frame(pose, camera, fit)
            rows["image"].append(image)
            rows["factor"].append(factor)
        rows["camera"] += [camera] * FRAMES
        rows["source"] += [source] * FRAMES
    image, factor = np.array(rows["image"]), np.array(rows["factor"])
    joint_2d = np.array(rows["joint_2d"])
    if columns == 3:
        joint_2d = np.concatenate([joint_2d, np.full((len(image), 17, 1), 0.5)], axis=-1)
    train = {
        "joint_2d": joint_2d, "confidence": rng.uniform(0.2, 1, (len(image), 17)),
        "joint3d_image": image, "camera_name": np.array(rows["camera"]), "source": rows["source"],
    }  # fmt: skip
    test = train | {
        "action": ["Direct"] * len(image), "2.5d_factor": factor,
        "joints_2.5d_image": image * factor[:, None, None],
    }  # fmt: skip
    return {"train": train, "test": test}


def write(folder: Path, data: Any, name: str = "h36m_sh_conf_cam_source_final.pkl") -> Path:
    path = folder / name
    path.write_bytes(pickle.dumps(data, protocol=4))
    return path


def read(path: Path, **options: object) -> tuple[list[Take], list[str], dict[str, int]]:
    recordings = open_motionbert(path, H36MOptions(**options))
    takes = list(recordings.takes)
    return takes, recordings.report.notes, dict(recordings.report.dropped)


@pytest.mark.parametrize("fit", [False, True], ids=["box", "fit"])
def test_the_camera_frame_is_rebuilt_whatever_the_factor_is(tmp_path: Path, fit: bool) -> None:
    recordings = open_motionbert(write(tmp_path, content(fit)), H36MOptions())
    takes = list(recordings.takes)
    assert f"read as '{'fit' if fit else 'box'}'" in recordings.settings["3D"]
    for take, source in zip(takes, SOURCES, strict=True):
        error_mm = np.linalg.norm(take.poses_3d - truth(source), axis=-1)
        assert error_mm.max() < 0.01


def test_a_factor_of_another_meaning_is_noted(tmp_path: Path) -> None:
    data = content()
    del data["test"]["joints_2.5d_image"]
    data["test"]["2.5d_factor"] *= np.random.default_rng(0).uniform(0.98, 1.02, 3 * FRAMES)
    _, notes, _ = read(write(tmp_path, data))
    assert any("the 3D is approximate" in note for note in notes)
    assert not any("approximate" in note for note in read(write(tmp_path, content()))[1])


def test_single_precision_costs_less_than_a_millimetre(tmp_path: Path) -> None:
    data = content()
    for key in ("joint3d_image", "2.5d_factor", "joints_2.5d_image"):
        data["test"][key] = data["test"][key].astype(np.float32)
    for take, source in zip(read(write(tmp_path, data))[0], SOURCES, strict=True):
        assert np.linalg.norm(take.poses_3d - truth(source), axis=-1).max() < 0.1


def test_sources_become_takes(tmp_path: Path) -> None:
    data = content()
    path = write(tmp_path, data)
    takes, notes, dropped = read(path)
    assert [take.clip for take in takes] == [clip for _, clip, _ in SOURCES.values()]
    assert [take.action for take in takes] == [action for *_, action in SOURCES.values()]
    assert [take.camera for take in takes] == ["S9/54138969", "S9/58860488", "S11/60457274"]
    for i, take in enumerate(takes):
        rows = slice(FRAMES * i, FRAMES * (i + 1))
        assert take.frame.tolist() == list(range(FRAMES)) and take.fps == 50
        assert take.view is not None and take.view.radial.any()
        np.testing.assert_allclose(take.poses_2d, data["test"]["joint_2d"][rows], rtol=1e-6)
        np.testing.assert_allclose(take.confidence, data["test"]["confidence"][rows], rtol=1e-6)
    assert dropped == {}
    (line,) = (note for note in notes if note.startswith("2D lies"))
    assert float(line.split()[2]) == pytest.approx(3, abs=0.1)
    recordings = open_motionbert(path, H36MOptions(lens=False))
    assert recordings.total == 3 and recordings.skeleton == H36M_17
    assert not next(recordings.takes).view.radial.any()


def test_takes_whose_3d_drifts_are_noted_and_others_refused(tmp_path: Path) -> None:
    data = content()
    rows = slice(0, FRAMES)
    # By a third of a body: more than detectors err.
    data["test"]["joint_2d"][rows] += 150
    with pytest.raises(ImportFileError, match="S9 Directions 1.*expected joint_2d within"):
        read(write(tmp_path, data))
    data["test"]["source"][rows] = ["s_09_act_05_subact_02_ca_01"] * FRAMES
    takes, notes, _ = read(write(tmp_path, data))
    assert takes[0].clip == "S9 Greeting 2" and len(takes) == 3
    assert any(note.endswith("since their 3D drifts: S9 Greeting 2.54138969") for note in notes)


def test_the_training_split_has_2d_only(tmp_path: Path) -> None:
    path = write(tmp_path, content())
    recordings = open_motionbert(path, H36MOptions(split="train"))
    takes = list(recordings.takes)
    assert all(take.poses_3d is None and take.confidence is not None for take in takes)
    assert recordings.settings["3D"] == "none"
    assert "train split" in recordings.settings["2D"]
    assert any(note.startswith("2D lies") for note in recordings.report.notes)
    with pytest.raises(ImportFileError, match="expected h36m.split = train or test, got 'val'"):
        open_motionbert(path, H36MOptions(split="val"))


def test_confidence_comes_in_four_ways(tmp_path: Path) -> None:
    data = content()
    expected = data["test"]["confidence"][:FRAMES]
    data["test"]["confidence"] = data["test"]["confidence"][..., None]
    take = read(write(tmp_path, data))[0][0]
    np.testing.assert_allclose(take.confidence, expected, rtol=1e-6)
    data = content(columns=3)
    del data["test"]["confidence"]
    assert (read(write(tmp_path, data))[0][0].confidence == 0.5).all()
    data = content()
    del data["test"]["confidence"]
    assert read(write(tmp_path, data))[0][0].confidence is None
    data["test"]["joint_2d"][2, 4] = 0
    takes, notes, _ = read(write(tmp_path, data))
    assert all(take.confidence is not None for take in takes)
    assert "1 of 24 poses lack a joint (confidence 0)" in notes


def test_missing_detections_have_confidence_0_and_no_place(tmp_path: Path) -> None:
    data = content()
    data["test"]["joint_2d"][1, 3] = 0
    data["test"]["joint_2d"][1, 5] = np.nan
    data["test"]["confidence"][2, 7] = 0
    take = read(write(tmp_path, data))[0][0]
    assert take.confidence is not None and take.poses_3d is not None
    missing = np.zeros((FRAMES, 17), bool)
    missing[1, 3] = missing[1, 5] = missing[2, 7] = True
    np.testing.assert_array_equal(take.confidence == 0, missing)
    np.testing.assert_array_equal(np.isnan(take.poses_2d).all(-1), missing)
    assert np.isfinite(take.poses_3d).all()


def test_skip_lists_are_read_by_subaction(tmp_path: Path) -> None:
    data = content()
    for part in data.values():
        part["source"] = [s.replace("act_12", "act_02") for s in part["source"]]
        part["source"] = [s.replace("ca_04", "ca_01") for s in part["source"]]
        part["camera_name"] = np.where(
            part["camera_name"] == "60457274", "54138969", part["camera_name"]
        )
    takes, _, dropped = read(write(tmp_path, data))
    assert dropped == {"on the skip list: S11 Directions 2.54138969": FRAMES}
    assert len(takes) == 2
    assert len(read(write(tmp_path, content()), skip=["S9 Directions 1.58860488"])[0]) == 2


def test_subjects_can_be_chosen(tmp_path: Path) -> None:
    path = write(tmp_path, content())
    assert [take.subject for take in read(path, subjects=["S11"])[0]] == ["S11"]
    with pytest.raises(ImportFileError, match="expected subjects of S9, S11, got S1"):
        open_motionbert(path, H36MOptions(subjects=["S1"]))


def put(key: str, value: Any) -> Any:
    def change(data: dict[str, dict[str, Any]]) -> None:
        old = data["test"].get(key)
        data["test"][key] = value(old) if callable(value) else value

    return change


def rows_between(data: dict[str, dict[str, Any]]) -> None:
    data["test"]["source"][3:5] = ["s_09_act_03_subact_01_ca_01"] * 2


def non_rigid(data: dict[str, dict[str, Any]]) -> None:
    test, rng = data["test"], np.random.default_rng(1)
    test["joint3d_image"][..., 2] += 60 * rng.standard_normal(test["joint3d_image"].shape[:2])
    del test["joints_2.5d_image"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("test"), "dict with the keys train and test, .*got train; is it"),
        (lambda data: data["test"].pop("source"), "expected test to have .* got no source"),
        (lambda data: data["test"].pop("2.5d_factor"), "got no 2.5d_factor; is it"),
        (put("joint_2d", lambda a: a[:, :16]), r"joint_2d of floats, .*got float64 \(24, 16, 2\)"),
        (put("joint_2d", lambda a: a[:-1]), r"expected joint_2d .*got float64 \(23, 17, 2\)"),
        (put("joint_2d", lambda a: a.astype(str)), "expected joint_2d of floats, .* got <U"),
        (put("joint_2d", lambda a: a / 500 - 1), "joint_2d within .* is in pixels of the whole im"),
        (put("joint_2d", lambda a: a[:, ::-1]), "expected joint_2d within .* px of the projected"),
        (put("confidence", lambda a: -a), "expected confidences of 0 or more with joint_2d, got -"),
        (put("confidence", lambda a: a * np.nan), "expected confidences of 0 or more .* got nan"),
        (put("2.5d_factor", lambda a: 1 / a), "2.5d_factor between 1 and 20 mm per pixel, got 0."),
        (put("2.5d_factor", lambda a: a * np.nan), "2.5d_factor between .* got nan in 24 rows"),
        (put("joints_2.5d_image", lambda a: a[::-1]), "to be joint3d_image times 2.5d_factor"),
        (put("joint3d_image", lambda a: a * np.nan), "finite joint3d_image, got NaN or Inf in 24"),
        (put("camera_name", lambda a: a[::-1]), r"camera_name 54138969 in row 0, .*\(ca_01\), got"),
        (put("camera_name", lambda a: a[:-1]), r"camera_name of shape \(24,\), .* got \(23,\)"),
        (put("source", lambda a: ["S9.Walking"] * len(a)), "source like 's_09_act.*'S9.Walking' i"),
        (put("source", lambda a: [s.replace("act_02", "act_17") for s in a]), "actions 2 to 16"),
        (put("source", lambda a: a[:-1]), r"camera_name of shape \(23,\), .* got \(24,\)"),
        (put("source", 7), "expected at least one row, got an empty split"),
        (rows_between, "one after another, got 's_09_act_02_subact_01_ca_01' again in row 5"),
        (non_rigid, "limbs of constant length .* can be used with h36m.split=train"),
    ],
)  # fmt: skip
def test_files_that_can_not_be_right_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    data = content()
    change(data)
    with pytest.raises(ImportFileError, match=f"h36m_sh_conf_cam_source_final.pkl'.*{message}"):
        read(write(tmp_path, data))


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    data = content()
    for key, value in data["test"].items():
        data["test"][key] = value[:0]
    with pytest.raises(ImportFileError, match="expected at least one row, got an empty split"):
        open_motionbert(write(tmp_path, data), H36MOptions())


def test_other_files_are_not_recognised_and_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, content())
    assert recognise(path)
    assert not recognise(write(tmp_path, content(), "poses.pkl"))
    assert not recognise(tmp_path) and not recognise(tmp_path / "h36m_none.pkl")
    (tmp_path / "h36m_text.pkl").write_text("text")
    assert not recognise(tmp_path / "h36m_text.pkl")
    with pytest.raises(ImportFileError, match="h36m_none.pkl': no such file"):
        open_motionbert(tmp_path / "h36m_none.pkl", H36MOptions())
    with pytest.raises(ImportFileError, match="got list; is it MotionBERT's"):
        open_motionbert(write(tmp_path, [1]), H36MOptions())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImportFileError, match="expected a pickle, got a file that is corrupt"):
        open_motionbert(path, H36MOptions())
    with pytest.raises(ImportFileError, match="expected h36m.joints = 17, got 32; this source has"):
        open_motionbert(path, H36MOptions(joints=32))


@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_read_can_be_written_as_a_pose_set(tmp_path: Path, split: str) -> None:
    recordings = open_motionbert(write(tmp_path, content()), H36MOptions(split=split))
    with write_poses(tmp_path / "out.h5", recordings.skeleton) as writer:
        for take in recordings.takes:
            writer.add(take)
    poses = PoseSet.load(tmp_path / "out.h5")
    assert len(poses) == 3 * FRAMES and (poses.poses_3d is None) == (split == "train")
