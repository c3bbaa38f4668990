"""The training set: poses, cameras and rates as published, and every way it can be wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from selflift.config import MPIInf3DHPOptions
from selflift.data.pose_set import PoseSet
from selflift.data.pose_set_writer import write_poses
from selflift.data.recording import Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.mpi_inf_3dhp.annotations import BEHIND, NOT_ANNOTATED, VIDEOS, Video
from selflift.formats.mpi_inf_3dhp.training_set import open_train, recognise
from selflift.geometry.camera import Calibration, camera_to_world, project_pixels
from selflift.skeleton import H36M_17
from tests.formats.mpi_inf_3dhp import studio

METRIC = MPIInf3DHPOptions(annotation="metric")


def read(root: Path, options: MPIInf3DHPOptions = METRIC) -> list[Take]:
    return list(open_train(root, options).takes)


def intrinsics(take: Take) -> Calibration:
    view = take.view
    assert view is not None
    return Calibration(*(torch.from_numpy(np.asarray(a, np.float64))
                        for a in (view.f_px, view.c_px, view.radial, view.tangential)))  # fmt: skip


def solid(take: Take) -> torch.Tensor:
    assert take.poses_3d is not None
    return torch.from_numpy(take.poses_3d).double()


def test_files_are_recognised_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "S3" / "Seq2" / "annot.mat"
    assert not recognise(tmp_path) and not recognise(tmp_path / "nowhere")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"anything")
    for place in (tmp_path, tmp_path / "S3", path.parent, path):
        assert recognise(place)
    assert not recognise(tmp_path.parent)


def test_other_files_are_not_recognised(tmp_path: Path) -> None:
    for name in ("S9/Seq1/annot.mat", "S1/Seq3/annot.mat", "TS1/annot_data.mat", "annot.mat"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert not recognise(tmp_path) and not recognise(tmp_path / "annot.mat")


def test_a_take_is_one_camera_of_one_sequence(tmp_path: Path) -> None:
    for name in ("S2/Seq1", "S1/Seq2", "S1/Seq1"):
        studio.write_train(tmp_path, name)
    recordings = open_train(tmp_path, MPIInf3DHPOptions(cameras=[0, 13]))
    takes = list(recordings.takes)
    assert recordings.skeleton == H36M_17 and recordings.total == len(takes) == 6
    assert [(t.subject, t.action, t.clip, t.camera) for t in takes] == [
        (s, q, f"{s} {q}", f"{s} {q}/{c}")
        for s, q in (("S1", "Seq1"), ("S1", "Seq2"), ("S2", "Seq1"))
        for c in (0, 13)
    ]
    for take in takes:
        assert take.poses_2d.shape == (12, 17, 2) and take.poses_2d.dtype == np.float32
        assert take.frame.tolist() == list(range(12)) and take.frame.dtype == np.int64
        assert take.confidence is None and take.view is not None


def test_joints_are_those_of_the_published_order(tmp_path: Path) -> None:
    studio.write_train(tmp_path)
    arrays = studio.train_arrays()
    for annotation, key in (("metric", "annot3"), ("universal", "univ_annot3")):
        for take, camera in zip(
            read(tmp_path, MPIInf3DHPOptions(annotation=annotation, cameras=[0, 5])),
            (0, 5),
            strict=True,
        ):
            expected_2d = arrays["annot2"][camera][:, studio.TO_H36M_28]
            np.testing.assert_array_equal(take.poses_2d, expected_2d.astype(np.float32))
            expected_3d = arrays[key][camera][:, studio.TO_H36M_28]
            np.testing.assert_array_equal(take.poses_3d, expected_3d.astype(np.float32))


def test_swapped_heads_are_head_top_before_head(tmp_path: Path) -> None:
    studio.write_train(tmp_path)
    options = MPIInf3DHPOptions(annotation="metric", cameras=[0], head_order="swapped")
    (take,) = read(tmp_path, options)
    # As public code indexes it.
    order = [4, 23, 24, 25, 18, 19, 20, 3, 5, 7, 6, 9, 10, 11, 14, 15, 16]
    arrays = studio.train_arrays()
    np.testing.assert_array_equal(take.poses_2d, arrays["annot2"][0][:, order].astype(np.float32))
    np.testing.assert_array_equal(take.poses_3d, arrays["annot3"][0][:, order].astype(np.float32))
    settings = open_train(tmp_path, options).settings["head order"]
    assert settings == "swapped: Nose (9) is the head top, Head (10) the head"


def test_metric_poses_project_to_the_2d_by_the_view(tmp_path: Path) -> None:
    studio.write_train(tmp_path)
    takes = read(tmp_path, MPIInf3DHPOptions(annotation="metric", cameras=list(range(14))))
    assert len(takes) == 14
    for take in takes:
        pixels = project_pixels(solid(take), intrinsics(take)).numpy()
        np.testing.assert_allclose(pixels, take.poses_2d, rtol=0, atol=0.002)


def test_projection_returns_to_the_z_up_world_for_every_camera(tmp_path: Path) -> None:
    studio.write_train(tmp_path)
    y_up = studio.people(12)[:, studio.TO_H36M_28]
    z_up = np.stack([y_up[..., 0], -y_up[..., 2], y_up[..., 1]], axis=-1)
    for take in read(tmp_path, MPIInf3DHPOptions(annotation="metric", cameras=list(range(14)))):
        assert take.view is not None
        world = camera_to_world(
            solid(take),
            torch.from_numpy(np.asarray(take.view.rotation)),
            torch.from_numpy(np.asarray(take.view.centre_mm)),
        ).numpy()
        assert np.linalg.norm(world - z_up, axis=-1).max() < 0.01, "mm"
        assert (world[:, H36M_17.head, 2] > world[:, 3, 2] + 1000).all(), "head above foot"


def test_universal_poses_are_told_to_be_off_the_rays(tmp_path: Path) -> None:
    studio.write_train(tmp_path)
    recordings = open_train(tmp_path, MPIInf3DHPOptions(cameras=[0, 1]))
    list(recordings.takes)
    arrays = studio.train_arrays()
    medians = []
    for k in (0, 1):
        joints = arrays["univ_annot3"][k][:, studio.TO_H36M_28]
        moved = studio.projected(joints, studio.focal(k), studio.principal(k))
        gap = np.linalg.norm(moved - arrays["annot2"][k][:, studio.TO_H36M_28], axis=-1)
        medians.append(np.median(gap))
    (note,) = [n for n in recordings.report.notes if "univ_annot3" in n]
    assert (
        f"lies {np.median(medians):.1f} px from annot2 (median; at most {max(medians):.1f}" in note
    )
    assert "OFF THE RAYS" in note and "annotation=metric" in note


def test_universal_poses_on_the_rays_are_only_mentioned(tmp_path: Path) -> None:
    # Scaled about the optical centre.
    studio.write_train(tmp_path, univ_annot3=1.05 * studio.train_arrays()["annot3"])
    recordings = open_train(tmp_path, MPIInf3DHPOptions())
    list(recordings.takes)
    (note,) = [n for n in recordings.report.notes if "univ_annot3" in n]
    assert "lies 0.0 px from annot2" in note and "RAYS" not in note


def test_metric_poses_need_no_universal_ones(tmp_path: Path) -> None:
    studio.write_train(tmp_path, univ_annot3=None)
    assert len(read(tmp_path)) == 8
    with pytest.raises(ImportFileError, match="expected the variable univ_annot3, got annot2"):
        read(tmp_path, MPIInf3DHPOptions())


def test_rates_and_lengths_are_the_published_ones(tmp_path: Path) -> None:
    # Roughly four minutes each, as the README says: which tells 25 from 50 fps.
    assert len(VIDEOS) == 16 and sum(video.frames for video in VIDEOS.values()) == 131_592
    assert all(230 < video.frames / video.fps < 290 for video in VIDEOS.values())
    for name in ("S1/Seq1", "S1/Seq2", "S3/Seq1", "S8/Seq2"):
        studio.write_train(tmp_path, name)
    takes = read(tmp_path, MPIInf3DHPOptions(annotation="metric", cameras=[0]))
    assert [take.fps for take in takes] == [25, 50, 50, 25]


def test_annotations_after_the_end_of_the_video_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VIDEOS, ("S1", 1), Video(25, 9))
    studio.write_train(tmp_path)
    recordings = open_train(tmp_path, MPIInf3DHPOptions(cameras=[2, 3]))
    assert [len(take) for take in recordings.takes] == [9, 9]
    assert recordings.report.dropped == {"after the end of the video": 6}
    assert not any("are annotated" in note for note in recordings.report.notes)


def test_missing_annotations_and_sequences_are_mentioned(tmp_path: Path) -> None:
    studio.write_train(tmp_path, "S1/Seq1")
    recordings = open_train(tmp_path, METRIC)
    list(recordings.takes)
    notes = recordings.report.notes
    assert "S1 Seq1: 12 of the video's 6416 frames are annotated" in notes
    assert notes[0] == "of the training set's sequences, not there: " + ", ".join(
        f"S{s} Seq{q}" for s in range(1, 9) for q in (1, 2) if (s, q) != (1, 1)
    )


def test_only_what_is_asked_for_is_missed(tmp_path: Path) -> None:
    studio.write_train(tmp_path, "S1/Seq1")
    studio.write_train(tmp_path, "S2/Seq1")
    recordings = open_train(tmp_path, MPIInf3DHPOptions(subjects=["S2"], sequences=[1]))
    assert {take.clip for take in recordings.takes} == {"S2 Seq1"}
    assert not any("not there" in note for note in recordings.report.notes)


def test_cells_are_found_by_the_cameras_variable(tmp_path: Path) -> None:
    order = np.random.default_rng(3).permutation(14)
    arrays = studio.train_arrays()
    shuffled = {key: arrays[key][order] for key in ("annot2", "annot3", "univ_annot3")}
    studio.write_train(tmp_path, cameras=order.astype(np.uint8)[None], **shuffled)
    for take, camera in zip(read(tmp_path), METRIC.cameras, strict=True):
        expected = arrays["annot2"][camera][:, studio.TO_H36M_28]
        np.testing.assert_array_equal(take.poses_2d, expected.astype(np.float32))


def test_without_calibration_the_cameras_are_fitted(tmp_path: Path) -> None:
    studio.write_train(tmp_path, calibration=False)
    recordings = open_train(tmp_path, METRIC)
    for take, camera in zip(recordings.takes, METRIC.cameras, strict=True):
        assert take.view is not None and take.view.rotation is None
        np.testing.assert_allclose(take.view.f_px, studio.focal(camera), rtol=0, atol=1e-6)
        np.testing.assert_allclose(take.view.c_px, studio.principal(camera), rtol=0, atol=1e-6)
    text = recordings.settings["calibration"]
    assert text.startswith("fitted to annot2 and annot3 (no camera.calibration)")
    assert "fitted, annot3 is within" in text and "px of annot2" in text


def test_sequences_with_and_without_calibration_are_told_apart(tmp_path: Path) -> None:
    studio.write_train(tmp_path, "S1/Seq1")
    studio.write_train(tmp_path, "S1/Seq2", calibration=False)
    recordings = open_train(tmp_path, METRIC)
    with write_poses(tmp_path / "out.h5", recordings.skeleton) as writer:
        for take in recordings.takes:
            writer.add(take)
    assert (
        "fitted to annot2 and annot3, position unknown: S1 Seq2; projected, annot3 is"
        in (recordings.settings["calibration"])
    )
    poses = PoseSet.load(tmp_path / "out.h5")
    assert len(poses.poses_2d) == 2 * 8 * 12
    assert poses.cameras is not None and poses.cameras.rotation is None


def test_takes_become_a_pose_set_with_rotations(tmp_path: Path) -> None:
    studio.write_train(tmp_path)
    with write_poses(tmp_path / "out.h5", H36M_17) as writer:
        for take in read(tmp_path, MPIInf3DHPOptions()):
            writer.add(take)
    cameras = PoseSet.load(tmp_path / "out.h5").cameras
    assert cameras is not None and cameras.rotation is not None
    assert cameras.rotation.shape == (8, 3, 3)


def test_a_calibration_of_other_cameras_is_refused(tmp_path: Path) -> None:
    path = studio.write_train(tmp_path)
    text = studio.calibration_text().replace(f"{studio.principal(2)[0]!r} ", "1040.0 ")
    (path.parent / "camera.calibration").write_text(text)
    with pytest.raises(ImportFileError, match="annot.mat': camera 2: .*camera.calibration.*fit"):
        read(tmp_path)


def test_a_calibration_that_lacks_a_camera_is_refused_at_once(tmp_path: Path) -> None:
    path = studio.write_train(tmp_path)
    text = studio.calibration_text().split("name          8")[0]
    (path.parent / "camera.calibration").write_text(text)
    with pytest.raises(ImportFileError, match="camera.calibration': expected the cameras 0, .*: 8"):
        open_train(tmp_path, METRIC)
    assert len(read(tmp_path, MPIInf3DHPOptions(cameras=[0, 1]))) == 2


def test_cameras_that_disagree_about_the_place_are_mentioned(tmp_path: Path) -> None:
    path = studio.write_train(tmp_path)
    first, *blocks = studio.calibration_text().split("name ")
    # The translation of camera 1 in metres.
    blocks[1] = blocks[1].replace("-562.8666", "-0.5628666").replace("1398.138", "1.398138")
    (path.parent / "camera.calibration").write_text("name ".join([first, *blocks]))
    recordings = open_train(tmp_path, METRIC)
    assert len(list(recordings.takes)) == 8
    (note,) = [n for n in recordings.report.notes if "rotation and centre" in n]
    assert note.startswith("S1 Seq1/1: ") and "1,506 mm" in note
    assert np.hypot(562.3, 1396.7) == pytest.approx(1506, abs=1)


def test_frames_without_all_joints_are_dropped_and_counted(tmp_path: Path) -> None:
    arrays = studio.train_arrays()
    arrays["annot2"][0, 1, 4] = np.nan
    arrays["annot2"][0, 2, 25] = 0
    arrays["annot3"][0, 3, 11, 2] = 1e300
    arrays["annot3"][0, 5, 7, 2] *= -1
    arrays["univ_annot3"][0, 6, 9] = 0
    # The left toe is none of the 17.
    arrays["annot2"][0, 8, 22] = np.nan
    studio.write_train(tmp_path, **arrays)
    recordings = open_train(tmp_path, MPIInf3DHPOptions(cameras=[0, 1]))
    first, second = recordings.takes
    assert first.frame.tolist() == [0, 4, 7, 8, 9, 10, 11] and len(second) == 12
    assert recordings.report.dropped == {
        NOT_ANNOTATED: 4,
        BEHIND: 1,
    }


def test_a_camera_without_any_whole_frame_is_left_out_and_mentioned(tmp_path: Path) -> None:
    arrays = studio.train_arrays()
    arrays["annot2"][1] = 0
    studio.write_train(tmp_path, **arrays)
    recordings = open_train(tmp_path, MPIInf3DHPOptions(cameras=[0, 1, 2]))
    assert [take.camera for take in recordings.takes] == ["S1 Seq1/0", "S1 Seq1/2"]
    assert recordings.report.dropped == {NOT_ANNOTATED: 12}
    assert "S1 Seq1/1: no frame is left" in recordings.report.notes


def test_frames_that_leave_the_image_are_kept_and_counted(tmp_path: Path) -> None:
    arrays = studio.train_arrays()
    # Nearer to the camera the feet leave the image.
    arrays["annot3"][0, :5, :, 2] -= 2200
    arrays["annot2"][0] = studio.projected(
        arrays["annot3"][0], studio.focal(0), studio.principal(0)
    )
    expected = 0
    for k in METRIC.cameras:
        for frame in range(12):
            joints = arrays["annot2"][k, frame, studio.TO_H36M_28]
            expected += any(not (0 <= x < 2048 and 0 <= y < 2048) for x, y in joints)
    assert 0 < expected < 5
    studio.write_train(tmp_path, **arrays)
    recordings = open_train(tmp_path, METRIC)
    assert sum(len(take) for take in recordings.takes) == 96
    line = f"{expected} of 96 frames have a joint outside the image; they are kept"
    assert line in recordings.report.notes


def test_the_exchanged_part_of_s4_is_mentioned_with_what_the_knees_say(
    tmp_path: Path,
) -> None:
    arrays = studio.train_arrays()
    numbers = np.arange(3750, 3762)[:, None]
    studio.write_train(tmp_path, "S4/Seq2", frames=numbers)
    notes = {}
    for exchanged in (False, True):
        if exchanged:
            names = list(studio.JOINTS_28)
            other = {"left": "right", "right": "left"}
            order = [
                names.index("_".join([other.get(n.split("_")[0], n.split("_")[0]),
                                      *n.split("_")[1:]]))
                for n in names
            ]  # fmt: skip
            changed = {k: arrays[k].copy() for k in ("annot2", "annot3", "univ_annot3")}
            for array in changed.values():
                array[:, 9:] = array[:, 9:][:, :, order]
            studio.write_train(tmp_path, "S4/Seq2", frames=numbers, **changed)
        recordings = open_train(tmp_path, METRIC)
        list(recordings.takes)
        (notes[exchanged],) = [n for n in recordings.report.notes if "left and right" in n]
    assert "frames 3759 to 5852" in notes[False] and "knee score there 1.0" in notes[False]
    assert "knee score there -1.0" in notes[True]


def test_files_are_read_when_their_takes_are_asked_for(tmp_path: Path) -> None:
    studio.write_train(tmp_path, "S1/Seq1")
    path = studio.write_train(tmp_path, "S1/Seq2")
    path.write_bytes(path.read_bytes()[:3000])
    takes = open_train(tmp_path, METRIC).takes
    for _ in range(8):
        next(takes)
    with pytest.raises(ImportFileError, match="Seq2/annot.mat': .*corrupt or cut short"):
        next(takes)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float, compressed: bool) -> None:
    path = studio.write_mat(tmp_path / "S1/Seq1", studio.train_arrays(), compressed)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ImportFileError, match="annot.mat': expected"):
        read(tmp_path, MPIInf3DHPOptions())


@pytest.mark.parametrize("compressed", [True, False])
def test_damage_anywhere_raises_nothing_but_an_import_error(
    tmp_path: Path, compressed: bool
) -> None:
    path = studio.write_mat(tmp_path / "S1/Seq1", studio.train_arrays(3), compressed)
    whole = path.read_bytes()
    refused = 0
    for at in np.random.default_rng(0).integers(len(whole), size=120):
        damaged = bytearray(whole)
        damaged[at : at + 4] = bytes(b ^ 0xA5 for b in damaged[at : at + 4])
        path.write_bytes(damaged)
        try:
            read(tmp_path)
        except ImportFileError as error:
            assert "annot.mat" in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > (60 if compressed else 0)


def test_hdf5_and_foreign_files_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "S1/Seq1/annot.mat"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["annot2"] = np.zeros((4, 56))
    with pytest.raises(ImportFileError, match="annot.mat': .* got HDF5 \\(version 7.3\\); save"):
        open_train(tmp_path, METRIC)
    path.write_text("frame,x,y\n" * 100)
    with pytest.raises(ImportFileError, match="annot.mat': expected a MATLAB file, got something"):
        open_train(tmp_path, METRIC)


@pytest.mark.parametrize("key", ["annot2", "annot3", "univ_annot3", "cameras", "frames"])
def test_a_missing_variable_is_named(tmp_path: Path, key: str) -> None:
    studio.write_train(tmp_path, **{key: None})
    with pytest.raises(ImportFileError, match=f"annot.mat': expected the variable {key}, got "):
        read(tmp_path, MPIInf3DHPOptions())


def test_variables_of_another_shape_are_refused(tmp_path: Path) -> None:
    arrays = studio.train_arrays()
    text = np.empty((14, 1), dtype=object)
    text[:] = "no numbers"
    uneven = studio.cells(arrays["annot3"])
    uneven[5, 0] = uneven[5, 0][:-1]
    for changes, message in (
        (
            {"annot3": arrays["annot3"][:, :, :17]},
            r"annot3: .*\(frames, 84\), got float64 \(12, 51\) in cell 0",
        ),
        (
            {"annot2": arrays["annot2"][:8]},
            r"annot2: expected 14 cells .*, got object of shape \(8, 1\)",
        ),
        ({"annot2": arrays["annot2"][0].reshape(12, -1)}, "annot2: expected 14 cells .*float64"),
        ({"annot2": text}, "annot2: expected 14 cells of numbers, .* in cell 0"),
        ({"annot3": uneven}, "annot3: expected 12 frames in every cell.*, got 11"),
        ({"cameras": np.arange(1, 15)[None]}, "cameras: expected the numbers 0 to 13"),
        ({"cameras": np.arange(13)[None]}, "cameras: expected the numbers 0 to 13"),
        ({"frames": np.arange(11)[:, None]}, "frames: expected 12 rising whole numbers, got 11"),
        ({"frames": np.arange(12)[::-1, None]}, "frames: expected 12 rising whole numbers"),
        ({"frames": np.arange(12)[:, None] / 2}, "frames: expected 12 rising whole numbers"),
        ({"frames": np.full((12, 1), np.nan)}, "frames: expected 12 rising whole numbers"),
        ({"frames": np.linspace(0, 1e300, 12)[:, None]}, "frames: expected 12 rising whole"),
    ):
        studio.write_train(tmp_path, **changes)
        with pytest.raises(ImportFileError, match=f"annot.mat': {message}.*; get the file again"):
            read(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    arrays = {k: v[:, :0] if v.ndim == 4 else v for k, v in studio.train_arrays().items()}
    arrays["frames"] = arrays["frames"][:0]
    studio.write_train(tmp_path, **arrays)
    with pytest.raises(ImportFileError, match="annot.mat': annot2: expected at least one frame"):
        read(tmp_path)


@pytest.mark.parametrize("key", ["annot3", "univ_annot3"])
@pytest.mark.parametrize(
    ("scale", "height"), [(0.001, "1[.]"), (0.1, "1[0-9]{2}[.;]"), (10, "1.*e[+]04")]
)
def test_another_unit_than_millimetres_is_refused(
    tmp_path: Path, key: str, scale: float, height: str
) -> None:
    studio.write_train(tmp_path, **{key: scale * studio.train_arrays()[key]})
    message = f"annot.mat': {key}: expected millimetres, .*, got {height}.*convert the unit"
    with pytest.raises(ImportFileError, match=message):
        read(tmp_path, MPIInf3DHPOptions())


def test_annotations_of_another_camera_are_refused(tmp_path: Path) -> None:
    annot2 = studio.train_arrays()["annot2"][::-1]
    for calibration, message in ((True, "to project to annot2"), (False, "to be the projection")):
        studio.write_train(tmp_path, calibration=False, annot2=annot2)
        if calibration:
            studio.write_train(tmp_path, annot2=annot2)
        else:
            (tmp_path / "S1/Seq1/camera.calibration").unlink(missing_ok=True)
        with pytest.raises(ImportFileError, match=f"annot.mat': camera 0: expected .*{message}"):
            read(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"annotation": "annot3"}, "mpi_inf_3dhp.annotation: expected one of universal, metric"),
        ({"head_order": "kudo"}, "mpi_inf_3dhp.head_order: expected one of natural, swapped, got"),
        ({"cameras": [0, 14]}, r"mpi_inf_3dhp.cameras: expected numbers from 0 to 13, .*\[0, 14\]"),
        ({"cameras": [-1]}, "mpi_inf_3dhp.cameras: expected numbers from 0 to 13"),
        ({"cameras": [1, 1]}, "mpi_inf_3dhp.cameras: expected numbers .* each once"),
        ({"cameras": []}, "mpi_inf_3dhp.cameras: expected numbers"),
        ({"sequences": [0, 1]}, "mpi_inf_3dhp.sequences: expected numbers from 1 to 2"),
        ({"sequences": [2]}, "expected sequence 2 .* of S1, got neither"),
        ({"subjects": ["S1", "S5"]}, "subjects, got S1; missing: S5"),
        ({"subjects": ["TS1"]}, "subjects, got S1; missing: TS1"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused_at_once(
    tmp_path: Path, options: dict, message: str
) -> None:
    studio.write_train(tmp_path)
    with pytest.raises(ImportFileError, match=message):
        open_train(tmp_path, MPIInf3DHPOptions(**options))


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ImportFileError, match=f"'{folder}': expected S1/Seq1/annot.mat to S8"):
            open_train(folder, METRIC)


def test_without_scipy_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.write_train(tmp_path)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(ImportFileError, match=r"package scipy, .*; pip install selflift\[data\]"):
        open_train(tmp_path, METRIC)
