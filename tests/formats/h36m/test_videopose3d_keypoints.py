"""2D in VideoPose3D's layout: recognised, converted and paired with the 3D."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from selflift.data.pose_set_writer import write_poses
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.videopose3d_keypoints import read_keypoints, to_h36m_17
from selflift.skeleton import COCO_17, H36M_17, H36M_SH_16, MPII_16
from tests.formats.h36m.people import CAMERAS, SLOTS
from tests.formats.h36m.videopose3d_files import (
    COCO_SIDES,
    H36M_SIDES,
    HOURGLASS_SIDES,
    Poses2D,
    Poses3D,
    detected,
    open_pair,
    read_pair,
    seen_by,
    write_2d,
)


def test_each_array_goes_to_its_camera(tmp_path: Path, positions: Poses3D) -> None:
    poses = detected(positions, noise_px=5)
    recordings, takes = read_pair(tmp_path, positions, poses)
    assert recordings.total == len(takes) == 12 and recordings.skeleton == H36M_17
    assert recordings.settings["2D"] == "data_2d_h36m_cpn.npz (h36m_17)"
    first, last = takes[0], takes[-1]
    assert (first.clip, first.camera) == ("S1 Directions 1", "S1/54138969")
    assert (last.clip, last.camera) == ("S9 Sitting 1", "S9/60457274")
    np.testing.assert_array_equal(first.poses_2d, poses["S1"]["Directions 1"][0])
    np.testing.assert_array_equal(last.poses_2d, poses["S9"]["Sitting 1"][3])
    expected = seen_by("S9", CAMERAS[3], positions["S9"]["Sitting 1"][:, SLOTS])
    assert last.poses_3d is not None and last.confidence is not None
    np.testing.assert_allclose(last.poses_3d, expected[..., :3], rtol=1e-7)
    assert last.confidence.dtype == np.float32 and (last.confidence == 1).all()
    assert not recordings.report.dropped


def test_a_third_column_is_the_confidence(tmp_path: Path, positions: Poses3D) -> None:
    poses = detected(positions)
    rng = np.random.default_rng(0)
    score = {
        s: {k: [rng.uniform(0.1, 1, (*v.shape[:2], 1)).astype("f4") for v in views]
            for k, views in row.items()}
        for s, row in poses.items()
    }  # fmt: skip
    scored = {
        s: {k: [np.concatenate(pair, -1) for pair in zip(poses[s][k], score[s][k], strict=True)]
            for k in row}
        for s, row in poses.items()
    }  # fmt: skip
    _, takes = read_pair(tmp_path, positions, scored)
    assert takes[1].confidence is not None
    np.testing.assert_array_equal(takes[1].confidence, score["S1"]["Directions 1"][1][..., 0])
    np.testing.assert_array_equal(takes[1].poses_2d, poses["S1"]["Directions 1"][1])


def test_joints_at_zero_nan_or_without_confidence_are_missing(
    tmp_path: Path, positions: Poses3D
) -> None:
    poses = {
        s: {k: [np.concatenate([v, np.ones_like(v[..., :1])], -1) for v in views]
            for k, views in row.items()}
        for s, row in detected(positions).items()
    }  # fmt: skip
    view = poses["S1"]["WalkDog"][2]
    view[3, 5, :2] = 0
    view[4, 6, 0] = np.nan
    view[5, 7, 2] = 0
    view[5, 8, 2] = np.nan
    view[6, 9, :2] = [0, 300]
    view[7] = 0
    recordings, takes = read_pair(tmp_path, positions, poses)
    take = takes[6]
    assert take.confidence is not None and take.frame.tolist() == [*range(7), *range(8, 30)]
    missing = [tuple(where) for where in np.argwhere(take.confidence == 0)]
    assert missing == [(3, 5), (4, 6), (5, 7), (5, 8)]
    np.testing.assert_array_equal(np.isnan(take.poses_2d).all(-1), take.confidence == 0)
    assert take.poses_2d[6, 9].tolist() == [0, 300]
    assert recordings.report.dropped == {"no joint detected": 1}
    assert "3 of 359 poses lack a joint (confidence 0)" in recordings.report.notes
    with write_poses(tmp_path / "out.h5", H36M_17) as writer:
        for take in takes:
            writer.add(take)
        assert writer.rows == 359


def as_layout(poses: Poses2D, convert: Callable[[np.ndarray], np.ndarray]) -> Poses2D:
    return {s: {k: [convert(v) for v in views] for k, views in p.items()} for s, p in poses.items()}


def as_coco(v: np.ndarray) -> np.ndarray:
    """COCO's joints about a body in Human3.6M's order; eyes and ears around the head."""
    face = [v[:, 9], v[:, 10] - [3, 0], v[:, 10] + [3, 0], v[:, 10] - [6, 0], v[:, 10] + [6, 0]]
    rest = [v[:, j] for j in (11, 14, 12, 15, 13, 16, 4, 1, 5, 2, 6, 3)]
    return np.stack([*face, *rest], 1).astype(np.float32)


def as_hourglass(v: np.ndarray) -> np.ndarray:
    return v[:, [3, 2, 1, 4, 5, 6, 0, 7, 8, 10, 16, 15, 14, 11, 12, 13]]


def test_coco_joints_are_converted(tmp_path: Path, positions: Poses3D) -> None:
    poses = as_layout(detected(positions), as_coco)
    recordings, takes = read_pair(tmp_path, positions, poses, COCO_SIDES, "data_2d_pt_coco.npz")
    coco = poses["S1"]["WalkDog"][1]
    expected = {
        0: coco[:, [11, 12]].mean(1), 8: coco[:, [5, 6]].mean(1), 10: coco[:, 1:3].mean(1),
        9: coco[:, 0], 3: coco[:, 16], 6: coco[:, 15], 13: coco[:, 9], 16: coco[:, 10],
    }  # fmt: skip
    for joint, points in expected.items():
        np.testing.assert_allclose(takes[5].poses_2d[:, joint], points, atol=1e-3)
    assert recordings.settings["2D"] == "data_2d_pt_coco.npz (coco_17)"
    assert any(
        "joints of coco_17" in note and "Hip = mean of LHip, RHip; " in note
        for note in recordings.report.notes
    )


@pytest.mark.parametrize("name", ["data_2d_h36m_sh_ft_h36m.npz", "data_2d_h36m_sh_pt_mpii.npz"])
def test_the_name_tells_which_hourglass_it_is(
    tmp_path: Path, positions: Poses3D, name: str
) -> None:
    poses = as_layout(detected(positions), as_hourglass)
    recordings, takes = read_pair(tmp_path, positions, poses, HOURGLASS_SIDES, name)
    given = poses["S1"]["Directions 1"][0]
    of = {0: 6, 1: 2, 2: 1, 3: 0, 4: 3, 5: 4, 6: 5, 11: 13, 12: 14, 13: 15, 14: 12, 15: 11, 16: 10}
    for joint, source in of.items():
        np.testing.assert_array_equal(takes[0].poses_2d[:, joint], given[:, source])
    np.testing.assert_array_equal(takes[0].poses_2d[:, 10], given[:, 9])
    layout, thorax = (H36M_SH_16, 8) if "_ft_" in name else (MPII_16, 7)
    np.testing.assert_array_equal(takes[0].poses_2d[:, 8], given[:, thorax])
    np.testing.assert_allclose(takes[0].poses_2d[:, 9], given[:, [8, 9]].mean(1), atol=1e-3)
    assert recordings.settings["2D"] == f"{name} ({layout.name})"


def test_a_missing_joint_takes_what_is_derived_from_it_along() -> None:
    poses = np.random.default_rng(0).uniform(100, 900, (4, 17, 2))
    poses[1, 11] = 0
    converted, confidence = to_h36m_17(poses, COCO_17)
    # The left hip, the pelvis and the spine.
    assert np.argwhere(confidence == 0).tolist() == [[1, 0], [1, 4], [1, 7]]
    assert np.isnan(converted[1, [0, 4, 7]]).all() and np.isfinite(converted[0]).all()
    assert not (converted == 0).any()


def test_the_longer_tail_is_cut_and_reported(tmp_path: Path, positions: Poses3D) -> None:
    poses = detected(positions)
    walk, sitting = poses["S1"]["WalkDog"], poses["S9"]["Sitting 1"]
    kept = walk[0]
    walk[0] = np.concatenate([kept, kept[-3:]])
    walk[3] = np.concatenate([walk[3], walk[3][-1:]])
    sitting[1] = sitting[1][:-6]
    sitting[2] = sitting[2][:0]
    recordings, takes = read_pair(tmp_path, positions, poses)
    assert [len(take) for take in takes] == [40] * 4 + [30] * 4 + [20, 14, 20]
    np.testing.assert_array_equal(takes[4].poses_2d, kept)
    np.testing.assert_array_equal(takes[9].poses_2d, sitting[1])
    assert takes[9].frame.tolist() == list(range(14))
    assert recordings.report.dropped == {"2D without 3D": 4, "3D without 2D": 26}
    assert recordings.report.notes[-3:-1] == [
        "2D runs on after the 3D in 2 takes, by up to 3 frames; its tail is cut",
        "3D runs on after the 2D in 2 takes, by up to 20 frames; its tail is cut",
    ]


def test_recordings_of_one_file_only_are_named(tmp_path: Path, positions: Poses3D) -> None:
    poses = detected(positions)
    for subject in ("S2", "S3", "S4"):
        poses[subject] = {"Directions": [np.full((9, 17, 2), 5, "f4")] * 4}
    poses["S9"]["Posing"] = [np.full((2, 17, 2), 5, "f4")] * 4
    positions["S11"] = {"Photo 1": positions["S9"]["Sitting 1"]}
    del poses["S1"]["WalkDog"]
    recordings, takes = read_pair(tmp_path, positions, poses)
    assert [take.clip for take in takes[::4]] == ["S1 Directions 1", "S9 Sitting 1"]
    assert recordings.total == 8
    assert recordings.report.dropped == {"3D without 2D": 4 * (30 + 20)}
    assert recordings.report.notes[:2] == [
        "left out, since there is no 2D: S1 WalkDog, S11",
        "left out, since there is no 3D: S9 Posing, S2, S3, S4",
    ]


def test_old_and_new_names_of_a_recording_are_one(tmp_path: Path, positions: Poses3D) -> None:
    poses = detected(positions)
    poses["S1"]["WalkingDog"] = poses["S1"].pop("WalkDog")
    assert len(read_pair(tmp_path, positions, poses)[1]) == 12


def refused(folder: Path, positions: Poses3D, poses: object, message: str, **rest: object) -> None:
    with pytest.raises(ImportFileError, match=message) as caught:
        open_pair(folder, positions, poses, **rest)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


WALK = r"data_2d_h36m_cpn.npz': positions_2d\['S1'\]\['WalkDog'\]: expected "


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v[:3], WALK + "4 arrays, of the cameras 54138969, .*, got a list of 3"),
        (lambda v: [*v, v[0]], WALK + "4 arrays, .* got a list of 5"),
        (lambda v: None, WALK + "4 arrays, .* got NoneType"),
        (
            lambda v: [v[0], v[1], v[2], v[3][:, :16]],
            WALK + r".* \(frames, 17, 2\) .*\(30, 16, 2\)",
        ),
        (lambda v: [a[..., :1] for a in v], WALK + r".*got an array of shape \(30, 17, 1\)"),
        (lambda v: [a.reshape(30, 34) for a in v], WALK + r".*got an array of shape \(30, 34\)"),
        (lambda v: [a.astype(str) for a in v], WALK + "pixels .* and type <U"),
        (lambda v: [a.tolist() for a in v], WALK + ".*got a list of 30"),
    ],
)
def test_arrays_that_are_wrong_are_refused_by_name(
    tmp_path: Path, positions: Poses3D, change: Callable, message: str
) -> None:
    poses: dict = detected(positions)
    poses["S1"]["WalkDog"] = change(poses["S1"]["WalkDog"])
    refused(tmp_path, positions, poses, message)


def test_tables_that_are_wrong_are_refused(tmp_path: Path, positions: Poses3D) -> None:
    poses = detected(positions)
    refused(tmp_path, positions, {}, "expected at least one subject in positions_2d, got none")
    refused(tmp_path, positions, poses["S1"]["WalkDog"][0], "positions_2d = {subject: .*an array")
    refused(tmp_path, positions, poses | {"S9": {}}, r"\['S9'\]: expected a table .* dict of 0")
    twice = poses | {"S1": poses["S1"] | {"WalkingDog": poses["S1"]["WalkDog"]}}
    refused(tmp_path, positions, twice, "expected one recording 'S1 WalkDog', got two")
    others = {"S7": poses["S1"]}
    refused(tmp_path, positions, others, "such as 'S1 Directions 1', got none .* same data set")
    message = "cpn.npz': expected h36m.subjects of S1, got S9"
    refused(tmp_path, positions, {"S1": poses["S1"]}, message, subjects=["S1", "S9"])


def test_2d_of_subjects_without_cameras_is_refused(tmp_path: Path, positions: Poses3D) -> None:
    solid = positions | {"CMU002": {"Walk 01": positions["S1"]["WalkDog"]}}
    poses = detected(positions)
    flat = poses | {"CMU002": {"Walk 01": poses["S1"]["WalkDog"]}}
    message = "expected 2D of S1, .*, got 2D of CMU002, whose cameras are not known; name h36m.sub"
    refused(tmp_path, solid, flat, message)
    # Without 2D of theirs nobody needs their cameras.
    assert len(read_pair(tmp_path, solid, poses, stand_in=None)[1]) == 12
    assert len(read_pair(tmp_path, solid, flat, subjects=["S1", "S9"])[1]) == 12


@pytest.mark.parametrize(
    ("sides", "name", "message"),
    [
        (None, "a.npz", "expected metadata with keypoints_symmetry: .* got a dict of 1 without"),
        ([[1], 2], "a.npz", "expected metadata with keypoints_symmetry"),
        ([[1, 2], [3, 4]], "a.npz", r"got 17 of which \[1, 2\] are left and \[3, 4\] right; conv"),
        (HOURGLASS_SIDES, "a.npz", r"Human3.6M's 17 joints, .*, got 17 of which"),
        (H36M_SIDES[::-1], "a.npz", "got 17 of which .*; convert them to one of these"),
    ],
)
def test_an_unknown_layout_is_refused(
    tmp_path: Path, positions: Poses3D, sides: object, name: str, message: str
) -> None:
    refused(
        tmp_path, positions, detected(positions), f"{name}': .*{message}", sides=sides, name=name
    )


@pytest.mark.parametrize("name", ["sh.npz", "pt_and_ft.npz", "data_2d_h36m_shaft_opt.npz"])
def test_an_hourglass_that_is_not_named_is_refused(
    tmp_path: Path, positions: Poses3D, name: str
) -> None:
    poses = as_layout(detected(positions), as_hourglass)
    message = f"{name}': expected 'pt' or 'ft' in the name .* got neither or both; rename it"
    refused(tmp_path, positions, poses, message, sides=HOURGLASS_SIDES, name=name)


def test_metadata_that_contradict_the_arrays_are_refused(
    tmp_path: Path, positions: Poses3D
) -> None:
    path = write_2d(tmp_path / "2d.npz", detected(positions), num_joints=16)
    with pytest.raises(ImportFileError, match="expected the 16 joints of its metadata .*, got 17"):
        read_keypoints(path, [])
    np.savez(path, positions_2d=np.array(detected(positions), dtype=object))
    with pytest.raises(
        ImportFileError, match="2d.npz': expected the key metadata, got positions_2"
    ):
        read_keypoints(path, [])
    with pytest.raises(ImportFileError, match="none.npz': no such file"):
        read_keypoints(tmp_path / "none.npz", [])


def test_names_and_sides_of_another_kind_are_refused(tmp_path: Path, positions: Poses3D) -> None:
    poses = detected(positions)
    poses["S1"][3] = poses["S1"].pop("WalkDog")  # type: ignore[index]
    with pytest.raises(ImportFileError, match="expected recordings by their names, got '3'"):
        open_pair(tmp_path, positions, poses)
    with pytest.raises(ImportFileError, match="expected metadata with keypoints_symmetry"):
        open_pair(tmp_path, positions, detected(positions), sides=[[float("inf")], [1]])
