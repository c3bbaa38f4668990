"""Every file holds what was predicted; files come together, where they may, or not at all."""

from __future__ import annotations

import csv
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from selflift.lift import outputs
from selflift.lift.output_files import COLUMNS, as_arrays
from selflift.lift.outputs import all_or_none, bvh_parts, check_places, write_all
from selflift.lift.people import Prediction
from selflift.skeleton import H36M_17, Skeleton
from tests.lift.conftest import walkers


@pytest.fixture
def prediction(predicted: Callable[..., Prediction]) -> Prediction:
    """Two people; the second lacks two frames, which are filled, and later ten, which are not."""
    x = walkers(2, 30)
    x[4:6, 1] = np.nan
    x[12:22, 1] = np.nan
    return predicted(x)


def write(prediction: Prediction, folder: Path, *names: str, overwrite: bool = False) -> list[Path]:
    paths = [folder / name for name in names]
    return [path for path, _ in write_all(prediction, paths, [], "walk", overwrite)]


def test_npz_and_hdf5_hold_the_same_arrays(prediction: Prediction, tmp_path: Path) -> None:
    write(prediction, tmp_path, "a.npz", "a.h5")
    own = as_arrays(prediction)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as npz, h5py.File(tmp_path / "a.h5") as h5:
        assert set(npz) == set(own) == set(h5) | set(h5.attrs)
        for name, array in own.items():
            np.testing.assert_array_equal(npz[name], array)
            if name in h5.attrs:
                assert h5.attrs[name] == array.item()
            elif array.dtype.kind == "U":
                assert list(h5[name].asstr()[()]) == array.tolist()
            else:
                np.testing.assert_array_equal(h5[name][()], array)
    assert own["format"].item() == "selflift.prediction"
    assert Skeleton.from_json(own["skeleton"].item()) == H36M_17
    n = len(own["frame"])
    assert own["X_m"].shape == own["levelled_m"].shape == (n, 17, 3)
    assert own["person"].tolist() == [0] * 30 + [1] * 20
    assert own["people"].tolist() == ["person1", "person2"]
    assert own["interpolated"].sum() == 2 and own["lifted"].sum() == n - 2
    # A rotation leads from one frame to the other.
    np.testing.assert_allclose(
        np.linalg.norm(own["X_m"], axis=-1), np.linalg.norm(own["levelled_m"], axis=-1), atol=1e-5
    )


def test_csv_has_a_line_for_every_joint(prediction: Prediction, tmp_path: Path) -> None:
    (path,) = write(prediction, tmp_path, "a.csv")
    lines = list(csv.DictReader(path.read_text().splitlines()))
    assert tuple(lines[0]) == COLUMNS and len(lines) == 50 * 17
    one = prediction.people[1]
    own = [line for line in lines if line["person"] == "person2" and line["frame"] == "5"]
    assert [line["joint"] for line in own] == list(H36M_17.joints)
    t = int(np.flatnonzero(one.frame == 5)[0])
    found = [[float(line[f"{axis}_m"]) for axis in "xyz"] for line in own]
    np.testing.assert_allclose(found, one.absolute_m[t], atol=1e-4)
    seen = [[float(line[f"camera_{axis}_m"]) for axis in "xyz"] for line in own]
    np.testing.assert_allclose(seen, one.poses.X_m[t] + one.poses.root_m[t], atol=1e-4)
    assert {(line["interpolated"], line["filled"], line["confidence"]) for line in own} == {
        ("1", "1", "0.000")
    }


def test_json_is_plain(prediction: Prediction, tmp_path: Path) -> None:
    (path,) = write(prediction, tmp_path, "a.json")
    content = json.loads(path.read_text())
    assert content["format"] == "selflift.prediction"
    assert content["skeleton"]["joints"] == list(H36M_17.joints)
    assert [person["name"] for person in content["people"]] == ["person1", "person2"]
    frame = content["people"][1]["frames"][5]
    assert frame["frame"] == 5 and frame["interpolated"] is True
    np.testing.assert_allclose(frame["levelled_m"], prediction.people[1].absolute_m[5], atol=1e-4)
    assert content["assumed"] == list(prediction.assumed)


def test_poses_that_are_nowhere_are_null_in_json_and_absent_in_csv(
    predicted: Callable[..., Prediction], tmp_path: Path
) -> None:
    x = walkers(1, 4)
    x[0, 0, 0] = np.nan
    found = predicted(x)
    write(found, tmp_path, "a.json", "a.csv", "a.npz")
    frames = json.loads((tmp_path / "a.json").read_text())["people"][0]["frames"]
    assert frames[0]["levelled_m"] is None and frames[1]["levelled_m"] is not None
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + 3 * 17


def test_bvh_is_a_file_for_each_unbroken_motion(
    prediction: Prediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = {}

    def write_bvh(path: Path, joints: np.ndarray, skeleton: Skeleton, fps: float, up: str) -> None:
        assert skeleton == H36M_17 and up == "y" and fps == 30
        written[path.name] = joints
        path.write_text("HIERARCHY")

    monkeypatch.setattr(outputs, "write_bvh", write_bvh)
    paths = write(prediction, tmp_path, "a.bvh")
    assert [path.name for path in paths] == [
        "a_person1.bvh", "a_person2_part1.bvh", "a_person2_part2.bvh",
    ]  # fmt: skip
    assert all(path.is_file() for path in paths)
    assert [len(written[path.name]) for path in paths] == [30, 12, 8]
    first = prediction.people[0].absolute_m
    ground = [0, prediction.scenes[0].ground_m, 0]
    np.testing.assert_allclose(written["a_person1.bvh"], first - ground, atol=1e-6)
    with pytest.raises(ValueError, match="a_person1.bvh': is there already"):
        write(prediction, tmp_path, "a.bvh", "b.npz")
    assert not (tmp_path / "b.npz").exists()
    write(prediction, tmp_path, "a.bvh", overwrite=True)


def test_one_person_has_the_name_that_was_given(predicted: Callable[..., Prediction]) -> None:
    (part,) = bvh_parts(Path("out/a.bvh"), predicted(walkers(1)))
    assert part.path == Path("out/a.bvh")


def test_one_that_fails_leaves_none(
    prediction: Prediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_bvh(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs, "write_bvh", write_bvh)
    before = set(tmp_path.iterdir())
    with pytest.raises(OSError, match="No space left"):
        write(prediction, tmp_path, "a.npz", "a.csv", "a.bvh")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("output", "render", "message"),
    [
        (None, None, "expected a file to write, got none; give output=out.npz"),
        ([], [], "expected a file to write, got none"),
        ("a.txt", None, "output 'a.txt': expected a file that ends in .npz, .*, got '.txt'"),
        ("a", None, "got ''"),
        ("a.png", None, "got '.png'; give it as render=a.png"),
        (None, "a.bvh", "render 'a.bvh': .* give it as output=a.bvh"),
        (3, None, "output: expected a file or a list of files, as in output=.a.npz., got 3"),
        ({"a": 1}, None, "expected a file or a list"),
        ([""], None, "expected a file or a list"),
        (["a.npz", "./a.npz"], None, "expected each file once, got it twice"),
        ("in.npz", None, "another file than the input"),
        ("folder.npz", None, "got a folder; add a name"),
        ("there.npz", None, "'there.npz': is there already; .* overwrite=true"),
        (None, ["there.html"], "'there.html': is there already"),
        ("pipe.npz", None, "got a device or a pipe"),
    ],
)
def test_wrong_places_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: object, render: object, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.npz").mkdir()
    for name in ("there.npz", "there.html"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(ValueError, match=message):
        check_places(output, render, Path("in.npz"), overwrite=False)
    if "already" in message:
        check_places(output, render, Path("in.npz"), overwrite=True)


def test_one_path_is_a_list_of_one() -> None:
    data, pictures = check_places("a.npz", ["b.HTML"], Path("in"), overwrite=False)
    assert data == [Path("a.npz")] and pictures == [Path("b.HTML")]


def test_files_appear_together(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "new" / "deep" / "b.txt"
    with all_or_none() as place:
        place(first).write_text("a")
        place(second).write_text("b")
        assert not first.exists() and place(first).name == "a.txt"
    assert first.read_text() == "a" and second.read_text() == "b"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "new"]
    assert [p.name for p in second.parent.iterdir()] == ["b.txt"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(143)])
def test_whatever_fails_leaves_everything_as_it_was(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "a.txt").write_text("before")
    with pytest.raises(type(error)), all_or_none() as place:
        place(tmp_path / "a.txt").write_text("a")
        place(tmp_path / "new" / "b.txt").write_text("b")
        raise error
    assert (tmp_path / "a.txt").read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_told_by_the_files_own_name(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match="No space left") as raised, all_or_none() as place:
        raise OSError(errno.ENOSPC, "No space left on device", str(place(path)))
    assert raised.value.filename == str(path) and raised.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())
