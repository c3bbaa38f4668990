"""The cmu17 arrays, and every way in which a file can be wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from selflift.data.cmu import KEYS, read_clips
from selflift.geometry.anatomy import knee_score
from selflift.skeleton import H36M_17


class Payload:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def arrays() -> dict[str, np.ndarray]:
    """Two clips, one after the other, then one more frame of the first."""
    rng = np.random.default_rng(0)
    second = np.array([False, False, True, True, True, False])
    return {
        "positions": (0.1 * rng.normal(size=(6, 17, 3))).astype(np.float32),
        "subject": np.where(second, "CMU002", "CMU001"),
        "action": np.where(second, "walk", "jump"),
        "clip": np.where(second, "A_second", "B_first"),
        "fps": np.where(second, 10.0, 25.0).astype(np.float32),
        "frame": np.array([0, 2, 5, 10, 15, 4], np.int32),
    }


def write(folder: Path, split: str = "train", compressed: bool = True, **changes: object) -> Path:
    path = folder / f"cmu17_{split}.npz"
    content = {k: v for k, v in (arrays() | changes).items() if v is not None}
    (np.savez_compressed if compressed else np.savez)(path, **content)
    return path


def test_clips_are_read_in_order_of_appearance(tmp_path: Path) -> None:
    write(tmp_path)
    source = arrays()
    first, second = read_clips(tmp_path, "train")
    assert (first.name, first.subject, first.action, first.fps) == ("B_first", "CMU001", "jump", 25)
    assert (second.name, second.subject, second.action) == ("A_second", "CMU002", "walk")
    assert second.fps == 10
    np.testing.assert_array_equal(first.positions, source["positions"][[0, 1, 5]])
    np.testing.assert_array_equal(second.positions, source["positions"][2:5])
    assert first.frame.tolist() == [0, 2, 4]
    assert second.frame.tolist() == [5, 10, 15]
    assert first.positions.dtype == np.float32 and first.frame.dtype == np.int64


def test_one_fps_may_stand_for_all(tmp_path: Path) -> None:
    write(tmp_path, fps=np.float32(50))
    assert [clip.fps for clip in read_clips(tmp_path, "train")] == [50, 50]


def test_further_arrays_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, kind=np.array(["x"] * 6), joints=np.array(H36M_17.joints))
    assert len(read_clips(tmp_path, "train")) == 2


def test_only_the_wanted_split_must_be_there(tmp_path: Path) -> None:
    write(tmp_path, "val")
    assert len(read_clips(str(tmp_path), "val")) == 2
    with pytest.raises(ValueError, match="cmu17_train.npz': no such file"):
        read_clips(tmp_path, "train")


def test_a_name_may_be_followed_by_more_words(tmp_path: Path) -> None:
    write(tmp_path).rename(tmp_path / "dance[1]_train_CC-BY-NC.npz")
    write(tmp_path, "val").rename(tmp_path / "dance[1]_val_CC-BY-NC.npz")
    write(tmp_path, fps=np.full(6, 7.0)).rename(tmp_path / "dance1_train_x.npz")
    assert read_clips(tmp_path, "train", "dance[1]")[0].fps == 25
    with pytest.raises(
        ValueError, match=r"dance_train.npz': no such file; .*data.name .*now dance"
    ):
        read_clips(tmp_path, "train", "dance")


def test_the_exact_name_goes_before_longer_ones(tmp_path: Path) -> None:
    write(tmp_path).rename(tmp_path / "dance_train_a.npz")
    write(tmp_path, fps=np.full(6, 7.0)).rename(tmp_path / "dance_train.npz")
    write(tmp_path).rename(tmp_path / "dance_train_b.npz")
    assert read_clips(tmp_path, "train", "dance")[0].fps == 7
    (tmp_path / "dance_train.npz").unlink()
    with pytest.raises(
        ValueError, match=r"one file dance_train_\*.npz, got dance_train_a.npz, dance"
    ):
        read_clips(tmp_path, "train", "dance")


def test_a_missing_file_names_the_path_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        read_clips(tmp_path / "nowhere", "test")
    assert str(tmp_path / "nowhere" / "cmu17_test.npz") in str(caught.value)
    assert "set data.root (or the environment variable SELFLIFT_DATA)" in str(caught.value)


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="split: expected one of train, val, test, got 'dev'"):
        read_clips(tmp_path, "dev")


@pytest.mark.parametrize("shape", [(6, 16, 3), (6, 17, 2), (6, 51), ()])
def test_another_layout_is_refused(tmp_path: Path, shape: tuple) -> None:
    write(tmp_path, positions=np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match=r"cmu17_train.npz': expected .* \(N, 17, 3\), got .*conv"):
        read_clips(tmp_path, "train")


def test_positions_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    write(tmp_path, positions=np.full((6, 17, 3), "x"))
    with pytest.raises(ValueError, match="cmu17_train.npz': expected positions of numbers"):
        read_clips(tmp_path, "train")


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    write(tmp_path, **{key: value[:0] for key, value in arrays().items()})
    with pytest.raises(ValueError, match="expected at least one frame, got an empty split"):
        read_clips(tmp_path, "train")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_position_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    positions = arrays()["positions"]
    positions[2, 3, 1] = positions[4, 0, 0] = value
    write(tmp_path, positions=positions)
    with pytest.raises(ValueError, match=r"NaN or Inf in 2 frames \(first: 2\); drop these frames"):
        read_clips(tmp_path, "train")


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_array_is_refused(tmp_path: Path, key: str) -> None:
    write(tmp_path, **{key: None})
    with pytest.raises(ValueError, match=f"expected the arrays positions, .*; missing: {key}"):
        read_clips(tmp_path, "train")


@pytest.mark.parametrize("key", KEYS[1:])
def test_an_array_of_another_length_is_refused(tmp_path: Path, key: str) -> None:
    write(tmp_path, **{key: arrays()[key][:5]})
    with pytest.raises(ValueError, match=rf"expected {key} of shape \(6,\), got \(5,\)"):
        read_clips(tmp_path, "train")


@pytest.mark.parametrize("key", ["subject", "action", "clip", "frame"])
def test_one_label_may_not_stand_for_all(tmp_path: Path, key: str) -> None:
    write(tmp_path, **{key: arrays()[key][0]})
    with pytest.raises(ValueError, match=rf"expected {key} of shape \(6,\), got \(\)"):
        read_clips(tmp_path, "train")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = write(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="cmu17_train.npz': expected an npz archive.*get it again"):
        read_clips(tmp_path, "train")


@pytest.mark.parametrize("compressed", [True, False])
def test_damage_anywhere_raises_nothing_but_a_value_error(tmp_path: Path, compressed: bool) -> None:
    path = write(tmp_path, compressed=compressed)
    whole = path.read_bytes()
    refused = 0
    for at in np.random.default_rng(0).integers(len(whole), size=150):
        damaged = bytearray(whole)
        damaged[at : at + 4] = bytes(b ^ 0xA5 for b in damaged[at : at + 4])
        path.write_bytes(damaged)
        try:
            read_clips(tmp_path, "train")
        except ValueError as error:
            assert "cmu17_train.npz" in str(error)
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("kind", ["text", "npy"])
def test_another_kind_of_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "cmu17_train.npz"
    if kind == "text":
        path.write_text("subject,action\n")
    else:
        with open(path, "wb") as file:
            np.save(file, np.zeros((6, 17, 3)))
    with pytest.raises(ValueError, match="cmu17_train.npz': expected an npz archive.*get it again"):
        read_clips(tmp_path, "train")


def test_a_file_cannot_run_code(tmp_path: Path) -> None:
    live, trap = tmp_path / "live", tmp_path / "trap"
    path = write(tmp_path, subject=np.array([Payload(live)] * 6, dtype=object))
    with np.load(path, allow_pickle=True) as file:
        assert len(file["subject"]) == 6
    assert live.is_dir(), "the payload itself is to work"
    write(tmp_path, subject=np.array([Payload(trap)] * 6, dtype=object))
    with pytest.raises(ValueError, match="cmu17_train.npz': .* can't be read safely"):
        read_clips(tmp_path, "train")
    assert not trap.exists()


def test_the_real_test_split_is_whole_and_its_knees_bend_forward() -> None:
    root = os.environ.get("SELFLIFT_DATA")
    if not root or not (Path(root) / "cmu17_test.npz").is_file():
        pytest.skip("set SELFLIFT_DATA to the folder that holds cmu17_test.npz")
    clips = read_clips(root, "test")
    assert len(clips) == 49
    assert sum(len(clip.positions) for clip in clips) == 11_700
    X = torch.from_numpy(np.concatenate([clip.positions for clip in clips]))
    assert knee_score(X, H36M_17) > 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": 1000}, "expected positions in metres, got bodies whose bones from ankles"),
        ({"fps": float("nan")}, "expected fps above 0, got nan"),
    ],
)
def test_millimetres_and_impossible_rates_are_refused(
    tmp_path: Path, change: dict, message: str
) -> None:
    if "positions" in change:
        with np.load(write(tmp_path)) as file:
            change = {"positions": file["positions"] * change["positions"]}
    else:
        change = {"fps": np.full(6, change["fps"])}
    write(tmp_path, **change)
    with pytest.raises(ValueError, match=message):
        read_clips(tmp_path, "train")


def test_an_archive_that_grows_without_measure_is_refused(tmp_path: Path) -> None:
    write(tmp_path, subject=np.zeros(10**7))
    with pytest.raises(ValueError, match=r"cmu17_train.npz': .*got 80 MB for 'subject'"):
        read_clips(tmp_path, "train")
