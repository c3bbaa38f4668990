"""Plain arrays: every shape and file, what a file says of itself, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.arrays import open_keypoints, recognise
from selflift.skeleton import COCO_17, H36M_17, OPENPOSE_BODY_25

Make = Callable[..., np.ndarray]
Read = Callable[[Recordings], list[Take]]
COCO = KeypointOptions(layout="coco_17")
TRACK = KeypointOptions(layout="coco_17", people="track")


def write(folder: Path, ending: str, **arrays: Any) -> Path:
    path = folder / f"walk{ending}"
    if ending == ".npy":
        np.save(path, arrays["keypoints"], allow_pickle=True)
    elif ending == ".npz":
        np.savez_compressed(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return path


@pytest.mark.parametrize("ending", [".npy", ".npz", ".h5"])
def test_every_file_holds_the_same_poses(
    tmp_path: Path, make_people: Make, read: Read, ending: str
) -> None:
    people = make_people()[0]
    path = write(tmp_path, ending, keypoints=people)
    assert recognise(path)
    source = open_keypoints(path, COCO)
    assert source.skeleton is COCO_17
    (take,) = read(source)
    np.testing.assert_array_equal(take.poses_2d, people[..., :2])
    np.testing.assert_array_equal(take.confidence, people[..., 2])
    assert take.clip == "walk" and take.frame.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("with_confidence", [True, False])
def test_every_shape_is_read(
    tmp_path: Path, make_people: Make, read: Read, with_confidence: bool
) -> None:
    last = 3 if with_confidence else 2
    people = make_people(2)[..., :last]
    for array, frames, clips in (
        (people[0, 0], 1, ["walk/person1"]),
        (people[0], 4, ["walk/person1"]),
        (people.swapaxes(0, 1), 4, ["walk/person1", "walk/person2"]),
    ):
        source = open_keypoints(write(tmp_path, ".npy", keypoints=array), TRACK)
        takes = read(source)
        assert [take.clip for take in takes] == clips
        assert all(len(take) == frames for take in takes)
        said = any("no confidences" in note for note in source.report.notes)
        assert said != with_confidence
    np.testing.assert_array_equal(takes[1].poses_2d, people[1, ..., :2])


def test_the_place_on_the_axis_of_people_is_the_person(
    tmp_path: Path, make_people: Make, read: Read
) -> None:
    people = make_people(2).swapaxes(0, 1)
    people[1, 0] = np.nan
    people[2, :, :, 2] = 0
    # They change places: only identities can tell.
    people[3] = people[3, ::-1]
    source = open_keypoints(write(tmp_path, ".npy", keypoints=people), TRACK)
    first, second = read(source)
    assert first.frame.tolist() == [0, 3] and second.frame.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(first.poses_2d[1], people[3, 0, :, :2])
    assert source.report.dropped == {"nobody in the frame": 1}
    track = np.array([[1, 2], [1, 2], [1, 2], [2, 1]])
    told = write(tmp_path, ".npz", keypoints=people, track=track)
    first, second = read(open_keypoints(told, TRACK))
    np.testing.assert_array_equal(first.poses_2d[-1], people[3, 1, :, :2])


def test_a_file_tells_of_itself(tmp_path: Path, make_people: Make, read: Read) -> None:
    people = make_people()[0]
    for ending in (".npz", ".h5"):
        path = write(
            tmp_path, ending, poses_2d=people[..., :2], scores=people[..., 2], fps=25.0,
            f_px=1100.0, size_px=np.array([1920, 1080]), layout="h36m_17",
            frame=np.array([3, 5, 7, 9]),
        )  # fmt: skip
        assert recognise(path)
        source = open_keypoints(path, KeypointOptions())
        assert source.skeleton is H36M_17
        assert source.settings["layout"] == "h36m_17 (as the file says)"
        (take,) = read(source)
        assert take.fps == 25 and take.frame.tolist() == [3, 5, 7, 9]
        assert take.view is not None and take.view.f_px.tolist() == [1100, 1100]
        assert take.size_px == (1920, 1080)
        with pytest.raises(ImportFileError, match="expected fps = 25, as the file says, got key"):
            open_keypoints(path, KeypointOptions(fps=50.0))


def test_a_number_of_joints_that_several_layouts_have_needs_a_name(
    tmp_path: Path, make_people: Make
) -> None:
    path = write(tmp_path, ".npy", keypoints=make_people()[0])
    with pytest.raises(ImportFileError, match="h36m_17, coco_17, .* have, got none; name it, as"):
        open_keypoints(path, KeypointOptions())
    path = write(tmp_path, ".npy", keypoints=make_people(joints=25)[0])
    assert open_keypoints(path, KeypointOptions()).skeleton is OPENPOSE_BODY_25


@pytest.mark.parametrize(
    ("keypoints", "more", "message"),
    [
        (np.ones((4, 34)), {}, r"expected keypoints of shape \(T, K, 2\), .*, got \(4, 34\)"),
        (np.ones((0, 17, 2)), {}, r"got \(0, 17, 2\)"),
        (np.full((4, 17, 2), "x"), {}, "keypoints as an array of numbers, got <U1"),
        (np.full((4, 17, 3), -5.0), {}, "expected confidences of 0 or more .* 3D poses"),
        (np.full((4, 17, 3), 900.0), {}, "3D poses"),
        (np.ones((4, 17, 3)), {"confidence": np.ones((4, 17))}, "give confidences once"),
        (np.ones((4, 17, 2)), {"confidence": np.ones((4, 16))}, r"of shape \(4, 17\)"),
        (np.ones((4, 17, 2)), {"frame": np.array([0, 2, 1, 3])}, "expected frame to rise"),
        (np.ones((4, 17, 2)), {"frame": np.array([0, 1, 2])}, r"frame as whole .* shape \(4,\)"),
        (np.ones((4, 17, 2)), {"frame": np.array([0, 1, 2, 3.5])}, "frame as whole numbers"),
        (np.ones((4, 17, 2)), {"size_px": np.ones(3)}, r"size_px as whole numbers of shape \(2,"),
        (np.ones((4, 17, 2)), {"fps": np.ones(3)}, "expected fps as one number"),
        (np.ones((4, 17, 2)), {"poses_2d": np.ones(3)}, "one array of keypoints, got two"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, keypoints: np.ndarray, more: dict[str, Any], message: str
) -> None:
    path = write(tmp_path, ".npz", keypoints=keypoints, **more)
    with pytest.raises(ImportFileError, match=f"walk.npz': .*{message}"):
        open_keypoints(path, COCO)


def test_objects_are_not_read(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return (Path.touch, (tmp_path / "boom",))  # type: ignore[return-value]

    bomb = np.array([Bomb()], dtype=object)
    for ending in (".npy", ".npz"):
        with pytest.raises(ImportFileError, match="expected"):
            open_keypoints(write(tmp_path, ending, keypoints=bomb), COCO)
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("ending", [".npy", ".npz", ".h5"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_damaged_file_is_refused(
    tmp_path: Path, make_people: Make, ending: str, share: float
) -> None:
    path = write(tmp_path, ending, keypoints=make_people(frames=200)[0])
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ImportFileError, match=f"walk{ending}': expected"):
        open_keypoints(path, COCO)


def test_sizes_that_the_file_can_t_have_are_not_allocated(tmp_path: Path) -> None:
    path = tmp_path / "walk.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("keypoints", (10**9, 17, 3), "f4", chunks=(1000, 17, 3))
    with pytest.raises(ImportFileError, match="at most 34 MB.* got 204,000 MB for 'keypoints'"):
        open_keypoints(path, COCO)
    path = tmp_path / "walk.npy"
    with open(path, "wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 17, 3)}
        )
        stream.write(bytes(1000))
    with pytest.raises(ImportFileError, match="walk.npy': expected an array of numbers"):
        open_keypoints(path, COCO)


def test_foreign_files_are_not_recognised(tmp_path: Path) -> None:
    for arrays in ({"boxes": 1, "keypoints": 2, "metadata": 3}, {"positions_3d": 1},
                   {"a": 1, "b": 2}):  # fmt: skip
        assert not recognise(write(tmp_path, ".npz", **arrays))
    assert not recognise(write(tmp_path, ".h5", a=1, b=2))
    assert not recognise(tmp_path) and not recognise(tmp_path / "none.npy")
    path = write(tmp_path, ".npz", a=np.ones((4, 17, 2)), b=np.ones(3))
    with pytest.raises(ImportFileError, match="expected an array keypoints or poses_2d, got"):
        open_keypoints(path, COCO)


def test_what_is_no_array_but_called_so_is_refused(tmp_path: Path, make_people: Make) -> None:
    path = tmp_path / "walk.npy"
    for header in (
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (4, #, 17, 3), }",
        b"(" * 99,
    ):
        path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        with pytest.raises(ImportFileError, match="walk.npy': expected an array of numbers"):
            open_keypoints(path, COCO)
    archive = write(tmp_path, ".npz", keypoints=make_people()[0])
    archive.rename(path)
    with pytest.raises(ImportFileError, match="walk.npy': expected an array of numbers"):
        open_keypoints(path, COCO)


def test_a_layout_is_one_name(tmp_path: Path, make_people: Make) -> None:
    for names in ([], ["coco_17", "h36m_17"]):
        path = write(tmp_path, ".npz", keypoints=make_people()[0], layout=np.array(names, str))
        with pytest.raises(ImportFileError, match="expected layout as one name, got [02]"):
            open_keypoints(path, KeypointOptions())


def test_a_link_to_another_file_is_not_followed(tmp_path: Path, make_people: Make) -> None:
    path = write(tmp_path, ".h5", keypoints=make_people()[0])
    path.rename(tmp_path / "other.h5")
    with h5py.File(path, "w") as file:
        file["keypoints"] = h5py.ExternalLink("other.h5", "/keypoints")
    with pytest.raises(ImportFileError, match="'keypoints' in the file itself, got a link"):
        open_keypoints(path, COCO)
