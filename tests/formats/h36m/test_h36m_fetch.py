"""h36m-fetch's files, new and old, and every way in which they can be wrong."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from selflift.config.prepare_schema import H36MOptions
from selflift.data.recording import Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.h36m_fetch import open_fetch, recognise
from selflift.skeleton import H36M_32
from tests.formats.h36m.people import CAMERAS, SLOTS, camera_points, in_32, people, pixels

FRAMES = 5
# One-based, thinned, unequal steps.
NUMBERS = np.array([1, 6, 17, 65, 66])


def fitted(x: np.ndarray, X: np.ndarray) -> np.ndarray:
    """fx, cx, fy, cy by least squares: ``u Z = fx X + cx Z``."""
    out = []
    for axis in (0, 1):
        rows = np.stack([X[..., axis].ravel(), X[..., 2].ravel()], axis=-1)
        out += list(np.linalg.lstsq(rows, (x[..., axis] * X[..., 2]).ravel(), rcond=None)[0])
    return np.array(out)


def arrays(
    subject: str = "S1", action: int = 2, subaction: int = 1, cameras: list[str] = CAMERAS
) -> dict[str, np.ndarray]:
    """The datasets of a newer file, and the universal poses: 0.9 times as large and as far."""
    world = people(FRAMES, seed=action)
    X = {c: in_32(camera_points(world, subject, c)) for c in cameras}
    x = {c: pixels(X[c], c) for c in cameras}
    n = len(cameras) * FRAMES
    return {
        "pose/2d": np.concatenate([x[c] for c in cameras]).astype(np.float32),
        "pose/3d": np.concatenate([X[c] for c in cameras]).astype(np.float32),
        "pose/3d-univ": 0.9 * np.concatenate([X[c] for c in cameras]).astype(np.float32),
        **{f"intrinsics/{c}": fitted(x[c], X[c]) for c in cameras},
        **{f"intrinsics-univ/{c}": fitted(x[c], 0.9 * X[c]) for c in cameras},
        "frame": np.tile(NUMBERS, len(cameras)),
        "camera": np.repeat([int(c) for c in cameras], FRAMES),
        "subject": np.full(n, int(subject[1:])),
        "action": np.full(n, action),
        "subaction": np.full(n, subaction),
    }


def old(**changes: np.ndarray | None) -> dict[str, np.ndarray | None]:
    """The changes that make an older file of it: no metric poses, no subaction, action from 1."""
    newer = arrays()
    gone = ["pose/3d", "subaction", *(f"intrinsics-univ/{c}" for c in CAMERAS)]
    univ = {f"intrinsics/{c}": newer[f"intrinsics-univ/{c}"] for c in CAMERAS}
    return {**univ, "action": newer["action"] - 1, **dict.fromkeys(gone), **changes}


def write(folder: Path, content: dict[str, np.ndarray], **changes: np.ndarray | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "annot.h5", "w") as file:
        for name, array in (content | changes).items():
            if array is not None:
                file.create_dataset(name, data=array)
    return folder / "annot.h5"


def read(path: Path, **options: object) -> tuple[list[Take], list[str], dict[str, int]]:
    recordings = open_fetch(path, H36MOptions(**options))
    takes = list(recordings.takes)
    return takes, recordings.report.notes, dict(recordings.report.dropped)


def test_takes_are_the_cameras_of_each_file(tmp_path: Path) -> None:
    content = arrays(action=12, subaction=2)
    write(tmp_path / "processed" / "S1" / "TakingPhoto-2", content)
    recordings = open_fetch(tmp_path, H36MOptions())
    takes = list(recordings.takes)
    assert recordings.total == 4 and recordings.settings["3D"] == "pose/3d"
    assert [take.camera for take in takes] == [f"S1/{c}" for c in CAMERAS]
    for i, take in enumerate(takes):
        assert (take.subject, take.action, take.clip) == ("S1", "Photo", "S1 Photo 2")
        assert take.fps == 50 and take.confidence is None
        assert take.frame.tolist() == [0, 5, 16, 64, 65]
        rows = slice(FRAMES * i, FRAMES * (i + 1))
        np.testing.assert_array_equal(take.poses_3d, content["pose/3d"][rows][:, SLOTS])
        np.testing.assert_array_equal(take.poses_2d, content["pose/2d"][rows][:, SLOTS])
    assert any("2D lies 0.00 px" in note for note in recordings.report.notes)
    assert any("number is that of its subaction" in note for note in recordings.report.notes)


def test_rows_of_cameras_may_be_mixed(tmp_path: Path) -> None:
    content = arrays()
    order = np.argsort(content["frame"], kind="stable")
    mixed = {k: v[order] for k, v in content.items() if not k.startswith("intrinsics")}
    write(tmp_path / "S1" / "Directions-1", content | mixed)
    for i, take in enumerate(read(tmp_path)[0]):
        rows = slice(FRAMES * i, FRAMES * (i + 1))
        np.testing.assert_array_equal(take.poses_3d, content["pose/3d"][rows][:, SLOTS])


def test_files_are_found_up_to_three_folders_down_and_sorted(tmp_path: Path) -> None:
    for subject, name, action in (("S11", "Directions", 2), ("S9", "WalkingDog", 15)):
        for number in (2, 1):
            content = arrays(subject, action, number, CAMERAS[1:2])
            write(tmp_path / "processed" / subject / f"{name}-{number}", content)
    clips = ["S9 WalkDog 1", "S9 WalkDog 2", "S11 Directions 1", "S11 Directions 2"]
    assert [take.clip for take in read(tmp_path)[0]] == clips
    assert [take.clip for take in read(tmp_path / "processed")[0]] == clips
    assert [take.clip for take in read(tmp_path / "processed" / "S9")[0]] == clips[:2]
    one = tmp_path / "processed" / "S9" / "WalkingDog-2"
    assert recognise(one) and [take.clip for take in read(one)[0]] == clips[1:2]
    assert [take.subject for take in read(tmp_path, subjects=["S11"])[0]] == ["S11", "S11"]
    with pytest.raises(ImportFileError, match="expected subjects of S9, S11, got S1;"):
        open_fetch(tmp_path, H36MOptions(subjects=["S1"]))


def test_the_damaged_take_is_skipped_by_its_subaction(tmp_path: Path) -> None:
    for number in (1, 2):
        write(tmp_path / "S11" / f"Directions-{number}", arrays("S11", 2, number))
    takes, _, dropped = read(tmp_path)
    assert dropped == {"on the skip list: S11 Directions 2.54138969": FRAMES}
    assert len(takes) == 7
    with pytest.raises(ImportFileError, match="expected 'S1 Eating 1' or 'S1 Eating 2'"):
        open_fetch(tmp_path, H36MOptions(skip=["S1 Eating"]))


def test_a_missing_camera_is_noted_unless_it_is_skipped(tmp_path: Path) -> None:
    write(tmp_path / "S11" / "Directions-2", arrays("S11", 2, 2, CAMERAS[1:3]))
    _, notes, _ = read(tmp_path)
    assert "S11 Directions 2: no frames of camera 60457274" in notes
    assert not any("54138969" in note for note in notes)


def test_all_32_joints_can_be_kept(tmp_path: Path) -> None:
    content = arrays()
    write(tmp_path / "S1" / "Directions-1", content)
    recordings = open_fetch(tmp_path, H36MOptions(joints=32))
    assert recordings.skeleton == H36M_32
    np.testing.assert_array_equal(next(recordings.takes).poses_3d, content["pose/3d"][:FRAMES])


def test_older_files_have_universal_poses_and_no_number(tmp_path: Path) -> None:
    content = arrays()
    write(tmp_path / "S1" / "Directions", content, **old())
    recordings = open_fetch(tmp_path, H36MOptions())
    takes = list(recordings.takes)
    assert recordings.settings["3D"] == "pose/3d-univ"
    assert {take.clip for take in takes} == {"S1 Directions"}
    expected = content["pose/3d-univ"][:FRAMES][:, SLOTS]
    np.testing.assert_array_equal(takes[0].poses_3d, expected)
    assert any("scaled to a universal skeleton" in note for note in recordings.report.notes)
    # The fitted pinhole knows no lens, so it leaves some pixels.
    (line,) = (note for note in recordings.report.notes if note.startswith("2D lies"))
    assert 0.1 < float(line.split()[2]) < 5 and "expected" not in line


def test_universal_poses_of_newer_files_use_their_own_intrinsics(tmp_path: Path) -> None:
    content = arrays()
    content["pose/3d-univ"][..., 1] *= 2
    univ = {}
    for i, camera in enumerate(CAMERAS):
        rows = slice(FRAMES * i, FRAMES * (i + 1))
        univ[f"intrinsics-univ/{camera}"] = fitted(
            content["pose/2d"][rows], content["pose/3d-univ"][rows]
        )
    write(tmp_path / "S1" / "Directions-1", content, **{"pose/3d": None}, **univ)
    assert len(read(tmp_path)[0]) == 4
    none = dict.fromkeys([*univ, *(f"intrinsics/{c}" for c in CAMERAS)])
    write(tmp_path / "S1" / "Directions-1", content, **{"pose/3d": None}, **none)
    with pytest.raises(ImportFileError, match="fx, cx, fy, cy fitted to pose/3d-univ, got none"):
        read(tmp_path)


def test_metric_and_universal_files_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path / "S1" / "Directions-1", arrays())
    write(tmp_path / "S1" / "Directions-2", arrays(subaction=2), **{"pose/3d": None})
    assert read(tmp_path)[0][0].clip == "S1 Directions 1"
    assert open_fetch(tmp_path, H36MOptions()).settings["3D"] == "pose/3d-univ"
    write(tmp_path / "S1" / "Directions-1", arrays(), **{"pose/3d-univ": None})
    with pytest.raises(
        ImportFileError, match="Directions-2/annot.h5': expected pose/3d, as in 1 o"
    ):
        open_fetch(tmp_path, H36MOptions())
    write(tmp_path / "S1" / "Directions-2", arrays(subaction=2))
    assert open_fetch(tmp_path, H36MOptions()).settings["3D"] == "pose/3d"
    write(tmp_path / "S1" / "Eating", arrays())
    with pytest.raises(ImportFileError, match="like 'Directions-1' or like 'Directions', got both"):
        open_fetch(tmp_path, H36MOptions())


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("subject", lambda a: a + 4, "expected subject 1, as its folders say, got 5"),
        ("action", lambda a: a + 1, "expected action 2, as its folders say, got 3"),
        ("subaction", lambda a: a + 1, "expected subaction 1, as its folders say, got 2"),
        ("camera", lambda a: a + 1, "expected camera of 54138969, .*got 54138970, "),
        ("camera", np.flip, "pose/2d of camera 54138969, got pixels that fit camera 60457274"),
        ("frame", np.zeros_like, r"expected frame to rise from 1 or more, got \[0, 0, 0\]"),
        ("frame", lambda a: a[:-1], r"expected pose/2d of floats, shape \(19, 32, 2\)"),
        ("frame", lambda a: a * 1.0, "expected frame of integers, .* got float64"),
        ("pose/2d", lambda a: a[:, :17], r"expected pose/2d .*32, 2\), .* got float32 \(20, 17, 2"),
        ("pose/2d", lambda a: a / 1000, r"pose/2d within 10 px .* whole image"),
        ("pose/3d", lambda a: a / 1000, "expected pose/3d in mm, of bodies 0.5 to 3 m tall, got 0"),
        ("pose/3d", lambda a: a * np.nan, "expected finite pose/3d, got NaN or Inf in 5 frames"),
        ("pose/2d", None, "expected the datasets pose/2d, .* got no pose/2d; process the take"),
        ("subaction", None, "got no subaction; process the take again"),
    ],
)
def test_files_that_can_not_be_right_are_refused(
    tmp_path: Path, name: str, change: object, message: str
) -> None:
    content = arrays()
    changed = change(content[name]) if callable(change) else None
    write(tmp_path / "S1" / "Directions-1", content, **{name: changed})
    with pytest.raises(ImportFileError, match=f"Directions-1/annot.h5'.*{message}"):
        read(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    empty = {k: v[:0] for k, v in arrays().items() if not k.startswith("intrinsics")}
    write(tmp_path / "S1" / "Directions-1", empty)
    with pytest.raises(ImportFileError, match="annot.h5': expected pose/2d .* at least one row"):
        read(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "S1" / "Directions-1", arrays())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert recognise(tmp_path)
    with pytest.raises(
        ImportFileError, match="annot.h5': expected h36m-fetch's HDF5 file.*process"
    ):
        read(tmp_path)


def test_frames_without_a_joint_or_a_body_are_dropped_and_counted(tmp_path: Path) -> None:
    content = arrays()
    content["pose/2d"][1, SLOTS[3]] = 0
    content["pose/3d"][2] = 0
    write(tmp_path / "S1" / "Directions-1", content)
    takes, _, dropped = read(tmp_path)
    assert takes[0].frame.tolist() == [0, 64, 65]
    assert dropped == {"2D of a joint missing": 1, "body not as tall as a person": 1}


def test_every_action_is_read_by_the_name_that_h36m_fetch_gives_it(tmp_path: Path) -> None:
    # The names of the data set's metadata.xml, which are not those of its files.
    names = {12: "TakingPhoto", 15: "WalkingDog", 16: "WalkingTogether"}
    for action, name in names.items():
        write(tmp_path / "S1" / f"{name}-1", arrays(action=action))
    takes, notes, _ = read(tmp_path)
    assert {take.clip for take in takes} == {"S1 Photo 1", "S1 WalkDog 1", "S1 WalkTogether 1"}
    assert len(takes) == 12 and not any("left out" in note for note in notes)


def test_a_folder_of_an_unknown_name_is_not_lost_unseen(tmp_path: Path) -> None:
    write(tmp_path / "S1" / "Directions-1", arrays())
    write(tmp_path / "S1" / "Juggling-1", {})
    takes, notes, _ = read(tmp_path)
    assert len(takes) == 4
    assert any("left out, since 'Juggling-1' is no action" in note for note in notes)


def test_other_folders_are_not_recognised(tmp_path: Path) -> None:
    assert not recognise(tmp_path) and not recognise(tmp_path / "none")
    write(tmp_path / "S1" / "Juggling-1", {})
    write(tmp_path / "subject" / "Directions-1", {})
    assert not recognise(tmp_path)
    with pytest.raises(ImportFileError, match="S.*/ACTION-NUMBER/annot.h5.*got none"):
        open_fetch(tmp_path, H36MOptions())
    with pytest.raises(ImportFileError, match="got no folder"):
        open_fetch(tmp_path / "none", H36MOptions())
    with pytest.raises(ImportFileError, match="expected h36m.joints = 17 or 32, got 16"):
        open_fetch(tmp_path, H36MOptions(joints=16))
    write(tmp_path / "S2" / "Directions-1", {})
    with pytest.raises(
        ImportFileError, match="expected subjects of S1, .*got S2; the cameras of o"
    ):
        open_fetch(tmp_path, H36MOptions())
