"""The test set: poses and activities as published, fitted cameras, and every way to be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from selflift.config import MPIInf3DHPOptions
from selflift.data.pose_set_writer import write_poses
from selflift.data.recording import Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.mpi_inf_3dhp import training_set
from selflift.formats.mpi_inf_3dhp.annotations import BEHIND, NOT_ANNOTATED, TEST_SEQUENCES
from selflift.formats.mpi_inf_3dhp.test_set import open_test, recognise
from selflift.geometry.camera import Calibration, project_pixels
from selflift.skeleton import H36M_17
from tests.formats.mpi_inf_3dhp import studio

METRIC = MPIInf3DHPOptions(annotation="metric")
NAMES = (
    "Stand/Walk", "Exercise", "Sit on Chair", "Crouch/Reach", "On the Floor", "Sports", "Misc",
)  # fmt: skip


def read(root: Path, options: MPIInf3DHPOptions = METRIC) -> list[Take]:
    return list(open_test(root, options).takes)


def test_files_are_recognised_by_their_names(tmp_path: Path) -> None:
    assert not recognise(tmp_path) and not recognise(tmp_path / "nowhere")
    path = studio.write_scene(tmp_path / "mpi_inf_3dhp_test_set", "TS4")
    for place in (tmp_path, path.parent.parent, path.parent, path):
        assert recognise(place)
    assert not training_set.recognise(tmp_path)
    studio.write_train(tmp_path)
    assert recognise(tmp_path) and training_set.recognise(tmp_path)


def test_other_files_are_not_recognised(tmp_path: Path) -> None:
    for name in ("TS7/annot_data.mat", "S1/annot_data.mat", "TS1/annot.mat", "annot_data.mat"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert not recognise(tmp_path) and not recognise(tmp_path / "annot_data.mat")


def test_a_take_is_one_activity_of_one_sequence(tmp_path: Path) -> None:
    for scene in ("TS5", "TS1"):
        studio.write_scene(tmp_path, scene)
    recordings = open_test(tmp_path, METRIC)
    takes = list(recordings.takes)
    assert recordings.skeleton == H36M_17 and recordings.total == len(takes) == 14
    assert [(t.subject, t.clip, t.camera, t.action) for t in takes] == [
        (s, s, f"{s}/0", name) for s in ("TS1", "TS5") for name in NAMES
    ]
    for number, take in enumerate(takes[:7]):
        # 14 of 21 frames are valid, and the activities take turns.
        assert take.frame.tolist() == [number, number + 7] and take.frame.dtype == np.int64
        assert take.fps == 25 and take.confidence is None
        assert take.poses_2d.dtype == np.float32


@pytest.mark.parametrize("userblock", [False, True])
def test_joints_are_those_of_the_published_order(tmp_path: Path, userblock: bool) -> None:
    studio.write_scene(tmp_path, userblock=userblock)
    arrays = studio.scene_arrays()
    for annotation, key in (("metric", "annot3"), ("universal", "univ_annot3")):
        for take in read(tmp_path, MPIInf3DHPOptions(annotation=annotation)):
            for column, name in ((take.poses_2d, "annot2"), (take.poses_3d, key)):
                expected = arrays[name][take.frame, 0][:, studio.TO_H36M_17]
                np.testing.assert_array_equal(column, expected.astype(np.float32))


def test_swapped_heads_are_head_top_before_head(tmp_path: Path) -> None:
    studio.write_scene(tmp_path)
    take = read(tmp_path, MPIInf3DHPOptions(annotation="metric", head_order="swapped"))[0]
    order = [14, 8, 9, 10, 11, 12, 13, 15, 1, 0, 16, 5, 6, 7, 2, 3, 4]
    expected = studio.scene_arrays()["annot3"][take.frame, 0][:, order]
    np.testing.assert_array_equal(take.poses_3d, expected.astype(np.float32))


def test_training_and_test_joints_are_the_same_ones(tmp_path: Path) -> None:
    studio.write_scene(tmp_path)
    # The same person, first as 28 joints, then as the 17 that the data set's own code keeps.
    both = studio.seen(studio.people(21, seed=7), 0)
    take = read(tmp_path)[0]
    expected = both[take.frame][:, studio.TO_H36M_28]
    np.testing.assert_array_equal(take.poses_3d, expected.astype(np.float32))


@pytest.mark.parametrize(("scene", "size"), [("TS1", (2048, 2048)), ("TS6", (1920, 1080))])
def test_the_fitted_camera_projects_the_poses(
    tmp_path: Path, scene: str, size: tuple[int, int]
) -> None:
    studio.write_scene(tmp_path, scene)
    recordings = open_test(tmp_path, METRIC)
    like = "TS1" if scene == "TS1" else "TS5"
    for take in recordings.takes:
        view = take.view
        assert view is not None and take.poses_3d is not None and view.rotation is None
        assert tuple(view.size_px) == size
        np.testing.assert_allclose(view.f_px, studio.TEST_F[like], rtol=0, atol=1e-6)
        np.testing.assert_allclose(view.c_px, studio.TEST_C[like], rtol=0, atol=1e-6)
        lens = (view.f_px, view.c_px, view.radial, view.tangential)
        camera = Calibration(*(torch.from_numpy(np.asarray(a, np.float64)) for a in lens))
        pixels = project_pixels(torch.from_numpy(take.poses_3d).double(), camera).numpy()
        np.testing.assert_allclose(pixels, take.poses_2d, rtol=0, atol=0.002)
    (fx, fy), (cx, cy) = studio.TEST_F[like], studio.TEST_C[like]
    text = recordings.settings[f"{scene}: camera"]
    assert f"f {fx:.2f} {fy:.2f}, c {cx:.2f} {cy:.2f} px; annot3 is within" in text


def test_frames_that_are_not_valid_do_not_count_for_the_camera(tmp_path: Path) -> None:
    arrays = studio.scene_arrays()
    arrays["valid_frame"][5:] = 0
    arrays["annot2"][5:] = arrays["annot2"][5:][::-1] + 200
    studio.write_scene(tmp_path, **arrays)
    view = read(tmp_path)[0].view
    assert view is not None
    np.testing.assert_allclose(view.f_px, studio.TEST_F["TS1"], rtol=0, atol=1e-6)


def test_frames_that_are_not_valid_are_dropped_or_kept_as_asked(tmp_path: Path) -> None:
    studio.write_scene(tmp_path)
    recordings = open_test(tmp_path, METRIC)
    assert sum(len(take) for take in recordings.takes) == 14
    assert recordings.report.dropped == {"valid_frame = 0": 7}
    assert recordings.settings["frames"] == "valid_frame = 1"
    everything = open_test(tmp_path, MPIInf3DHPOptions(valid_only=False))
    takes = list(everything.takes)
    assert sorted(f for take in takes for f in take.frame) == list(range(21))
    assert everything.report.dropped == {}
    assert everything.settings["frames"] == "all, valid or not"


def test_the_published_frames_add_up_and_others_are_mentioned(tmp_path: Path) -> None:
    assert sum(scene.valid for scene in TEST_SEQUENCES.values()) == 2929
    studio.write_scene(tmp_path, "TS5")
    notes = open_test(tmp_path, METRIC).report.notes
    assert "TS5: expected 276 valid frames, as published, got 14" in notes
    assert "of the test set's sequences, not there: TS1, TS2, TS3, TS4, TS6" in notes


def test_a_file_with_the_published_frames_is_not_mentioned(tmp_path: Path) -> None:
    valid = np.zeros((320, 1))
    valid[:276] = 1
    studio.write_scene(
        tmp_path, "TS5", **(studio.scene_arrays("TS5", 320) | {"valid_frame": valid})
    )
    recordings = open_test(tmp_path, MPIInf3DHPOptions(annotation="metric", subjects=["TS5"]))
    assert recordings.report.notes == []
    assert sum(len(take) for take in recordings.takes) == 276


def test_flags_may_lie_in_a_row(tmp_path: Path) -> None:
    arrays = studio.scene_arrays()
    column = read_all(tmp_path / "column")
    row = read_all(
        tmp_path / "row",
        valid_frame=arrays["valid_frame"].T,
        activity_annotation=arrays["activity_annotation"].T,
    )
    assert column == row


def read_all(root: Path, **changes: np.ndarray) -> list[tuple[str, list[int]]]:
    studio.write_scene(root, **changes)
    return [(take.action, take.frame.tolist()) for take in read(root)]


def test_dimensions_in_matlabs_own_order_are_turned(tmp_path: Path) -> None:
    arrays = studio.scene_arrays()
    turned = {key: arrays[key].T for key in ("annot2", "annot3")}
    assert turned["annot2"].shape == (2, 17, 1, 21)
    studio.write_scene(tmp_path, **turned)
    (first, *_) = read(tmp_path)
    expected = arrays["annot2"][first.frame, 0][:, studio.TO_H36M_17]
    np.testing.assert_array_equal(first.poses_2d, expected.astype(np.float32))


def test_activities_out_of_range_become_unknown_and_are_mentioned(tmp_path: Path) -> None:
    activity = studio.scene_arrays()["activity_annotation"]
    activity[0], activity[7], activity[8], activity[20] = 0, np.nan, 8, 0
    studio.write_scene(tmp_path, activity_annotation=activity)
    recordings = open_test(tmp_path, METRIC)
    takes = {take.action: take.frame.tolist() for take in recordings.takes}
    assert takes["unknown"] == [0, 7, 8] and takes["Exercise"] == [1]
    assert "Stand/Walk" not in takes
    assert any("TS1: 3 frames have no activity from 1 to 7" in n for n in recordings.report.notes)


def test_universal_poses_are_told_to_be_off_the_rays(tmp_path: Path) -> None:
    studio.write_scene(tmp_path)
    arrays = studio.scene_arrays()
    gap = np.linalg.norm(
        studio.projected(arrays["univ_annot3"][:14], studio.TEST_F["TS1"], studio.TEST_C["TS1"])
        - arrays["annot2"][:14],
        axis=-1,
    )
    notes = open_test(tmp_path, MPIInf3DHPOptions()).report.notes
    (note,) = [n for n in notes if "univ_annot3" in n]
    assert f"lies {np.median(gap):.1f} px from annot2" in note and "OFF THE RAYS" in note
    assert not any("univ" in n for n in open_test(tmp_path, METRIC).report.notes)


def test_frames_without_all_joints_are_dropped_and_counted(tmp_path: Path) -> None:
    arrays = studio.scene_arrays()
    arrays["annot2"][0, 0, 3] = np.nan
    arrays["annot2"][1, 0, 3] = 0
    arrays["annot3"][2, 0, 16] = np.nan
    arrays["annot3"][3, 0, 16, 2] = -500
    # Not valid anyway.
    arrays["annot3"][20] = 0
    studio.write_scene(tmp_path, **arrays)
    recordings = open_test(tmp_path, METRIC)
    assert sum(len(take) for take in recordings.takes) == 10
    assert recordings.report.dropped == {"valid_frame = 0": 7, NOT_ANNOTATED: 3, BEHIND: 1}


def test_half_of_the_valid_frames_may_be_without_joints(tmp_path: Path) -> None:
    arrays = studio.scene_arrays()
    arrays["annot2"][:7] = 0
    studio.write_scene(tmp_path, **arrays)
    recordings = open_test(tmp_path, METRIC)
    assert sum(len(take) for take in recordings.takes) == 7
    assert recordings.report.dropped[NOT_ANNOTATED] == 7
    arrays["annot2"][:] = 0
    studio.write_scene(tmp_path, **arrays)
    with pytest.raises(ImportFileError, match="annot_data.mat': expected whole poses .*, got none"):
        open_test(tmp_path, METRIC)


def test_takes_become_a_pose_set(tmp_path: Path) -> None:
    for scene in TEST_SEQUENCES:
        studio.write_scene(tmp_path, scene)
    with write_poses(tmp_path / "out.h5", H36M_17) as writer:
        for take in read(tmp_path, MPIInf3DHPOptions()):
            writer.add(take)
    assert writer.rows == 6 * 14


def test_annotations_that_no_camera_explains_are_refused(tmp_path: Path) -> None:
    annot2 = studio.scene_arrays()["annot2"]
    for wrong in (annot2[::-1], annot2 + 20 * np.random.default_rng(0).normal(size=annot2.shape)):
        studio.write_scene(tmp_path, annot2=wrong)
        with pytest.raises(ImportFileError, match="annot_data.mat': expected annot2 to be the"):
            open_test(tmp_path, METRIC)


def test_a_camera_of_another_image_size_is_refused(tmp_path: Path) -> None:
    # A square image's camera under the name of a sequence of 1080 rows.
    annot2 = studio.scene_arrays("TS1")["annot2"] + [0, 200]
    studio.write_scene(tmp_path, "TS5", annot2=annot2)
    with pytest.raises(ImportFileError, match="TS5/annot_data.mat': .* c = 1017, 1243; are"):
        open_test(tmp_path, METRIC)


@pytest.mark.parametrize("key", ["annot3", "univ_annot3"])
@pytest.mark.parametrize("scale", [0.001, 0.1, 10])
def test_another_unit_than_millimetres_is_refused(tmp_path: Path, key: str, scale: float) -> None:
    studio.write_scene(tmp_path, **{key: scale * studio.scene_arrays()[key]})
    with pytest.raises(ImportFileError, match=f"annot_data.mat': {key}: expected millimetres"):
        open_test(tmp_path, MPIInf3DHPOptions())


@pytest.mark.parametrize(
    "key", ["annot2", "annot3", "univ_annot3", "valid_frame", "activity_annotation"]
)
def test_a_missing_variable_is_named(tmp_path: Path, key: str) -> None:
    studio.write_scene(tmp_path, **{key: None})
    with pytest.raises(ImportFileError, match=f"annot_data.mat': expected the variable {key}, got"):
        open_test(tmp_path, MPIInf3DHPOptions())
    if key == "univ_annot3":
        assert len(read(tmp_path)) == 7


def test_variables_of_another_shape_are_refused(tmp_path: Path) -> None:
    arrays = studio.scene_arrays()
    for changes, message in (
        ({"annot2": arrays["annot2"][:, 0]}, r"annot2: expected shape \(frames, 1, 17, 2\), got"),
        ({"annot2": arrays["annot2"][:, :, :16]}, r"annot2: .*, got \(21, 1, 16, 2\)"),
        (
            {"annot3": arrays["annot3"][:20]},
            r"annot3: .*\(frames, 1, 17, 3\), got \(20, 1, 17, 3\)",
        ),
        ({"annot3": arrays["annot3"].reshape(21, 51)}, r"annot3: expected shape .*\(21, 51\)"),
        ({"annot2": arrays["annot2"][:0]}, r"annot2: expected shape .*, got \(0, 1, 17, 2\)"),
        ({"annot2": np.float64(3)}, r"annot2: expected shape .*, got \(\)"),
        ({"annot2": np.full((21, 1, 17, 2), b"x")}, "annot2: expected an array of numbers, got"),
        ({"valid_frame": arrays["valid_frame"][:20]}, "valid_frame: expected one number for each"),
        ({"valid_frame": 2 * arrays["valid_frame"]}, "valid_frame: expected zeros and ones"),
        ({"valid_frame": 0 * arrays["valid_frame"]}, "valid_frame: expected at least one valid"),
        ({"activity_annotation": np.ones((21, 2))}, "activity_annotation: expected one number"),
    ):
        studio.write_scene(tmp_path, **changes)
        with pytest.raises(ImportFileError, match=f"annot_data.mat': {message}.*; get the file"):
            open_test(tmp_path, METRIC)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.99])
def test_a_truncated_file_is_refused_at_once(tmp_path: Path, share: float) -> None:
    path = studio.write_scene(tmp_path, userblock=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ImportFileError, match="annot_data.mat': expected a"):
        open_test(tmp_path, METRIC)


def test_damage_anywhere_raises_nothing_but_an_import_error(tmp_path: Path) -> None:
    path = studio.write_scene(tmp_path)
    whole = path.read_bytes()
    refused = 0
    for at in np.random.default_rng(0).integers(len(whole), size=150):
        damaged = bytearray(whole)
        damaged[at : at + 4] = bytes(b ^ 0xA5 for b in damaged[at : at + 4])
        path.write_bytes(damaged)
        try:
            read(tmp_path)
        except ImportFileError as error:
            assert "annot_data.mat" in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 0


def test_earlier_matlab_files_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "TS1/annot_data.mat"
    path.parent.mkdir(parents=True)
    savemat(path, studio.scene_arrays())
    with pytest.raises(ImportFileError, match=r"version 7.3 \(HDF5\), .*, got an earlier version"):
        open_test(tmp_path, METRIC)
    path.write_text("frame,x,y\n" * 100)
    with pytest.raises(ImportFileError, match="expected a MATLAB file, got something else"):
        open_test(tmp_path, METRIC)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"annotation": "annot3"}, "mpi_inf_3dhp.annotation: expected one of universal, metric"),
        ({"head_order": ""}, "mpi_inf_3dhp.head_order: expected one of natural, swapped, got ''"),
        ({"subjects": ["TS1", "TS2"]}, "subjects, got TS1; missing: TS2"),
        ({"subjects": ["S1"]}, "subjects, got TS1; missing: S1"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: dict, message: str) -> None:
    studio.write_scene(tmp_path)
    with pytest.raises(ImportFileError, match=message):
        open_test(tmp_path, MPIInf3DHPOptions(**options))


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(
            ImportFileError, match=f"'{folder}': expected TS1/annot_data.mat to TS6"
        ):
            open_test(folder, METRIC)
