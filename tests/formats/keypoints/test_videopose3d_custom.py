"""VideoPose3D's files of your own videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints import detectron
from selflift.formats.keypoints.videopose3d_custom import open_keypoints, recognise
from selflift.skeleton import COCO_17, H36M_17

Read = Callable[[Recordings], list[Take]]
Make = Callable[..., np.ndarray]

SYMMETRY = [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]


def write(folder: Path, videos: Any, metadata: Any = None, **changes: Any) -> Path:
    """Named and laid out as the public script does it."""
    if metadata is None:
        metadata = {
            "layout_name": "coco", "num_joints": 17, "keypoints_symmetry": SYMMETRY,
            "video_metadata": {name: {"w": 640, "h": 480} for name in videos}, **changes,
        }  # fmt: skip
    path = folder / "data_2d_custom_mine.npz"
    np.savez_compressed(path, positions_2d=videos, metadata=metadata)
    return path


def custom(track: np.ndarray) -> dict[str, list[np.ndarray]]:
    return {"custom": [track]}


def test_each_video_becomes_a_clip(tmp_path: Path, make_people: Make, read: Read) -> None:
    tracks = {"a.mp4": make_people(frames=5)[0, ..., :2], "b.mp4": make_people(seed=1)[0, ..., :2]}
    path = write(tmp_path, {name: custom(track) for name, track in tracks.items()})
    assert recognise(path) and not detectron.recognise(path)
    source = open_keypoints(path, KeypointOptions())
    assert source.skeleton is COCO_17 and source.total == 2
    takes = read(source)
    assert [(take.clip, len(take)) for take in takes] == [("a.mp4", 5), ("b.mp4", 4)]
    for take in takes:
        np.testing.assert_array_equal(take.poses_2d, tracks[take.clip])
        assert take.confidence is not None and (take.confidence == 1).all()
        assert take.view is None
    assert "no confidences" in source.report.notes[0]


def test_the_files_sizes_make_cameras(tmp_path: Path, make_people: Make, read: Read) -> None:
    track = make_people()[0, ..., :2]
    sizes = {"a": {"w": 640, "h": 480}, "b": {"w": 1920, "h": 1080}}
    path = write(tmp_path, {name: custom(track) for name in "ab"}, video_metadata=sizes)
    takes = read(open_keypoints(path, KeypointOptions(f_px=1000.0)))
    assert [take.camera for take in takes] == ["640x480", "1920x1080"]
    assert takes[1].view is not None and takes[1].view.c_px.tolist() == [960, 540]
    with pytest.raises(ImportFileError, match="'b': expected images of 1920 x 1080"):
        read(open_keypoints(path, KeypointOptions(size_px=[640, 480])))


@pytest.mark.parametrize("layout", ["h36m", None])
def test_the_layouts_name_decides(tmp_path: Path, make_people: Make, layout: str | None) -> None:
    path = write(tmp_path, {"a": custom(make_people()[0, ..., :2])}, layout_name=layout)
    source = open_keypoints(path, KeypointOptions())
    assert source.skeleton is (COCO_17 if layout is None else H36M_17)
    if layout is None:
        assert source.settings["layout"] == "coco_17 (by its 17 joints)"
        assert open_keypoints(path, KeypointOptions(layout="h36m_17")).skeleton is H36M_17
    else:
        assert source.settings["layout"] == "h36m_17 (metadata.layout_name = h36m)"


@pytest.mark.parametrize(
    ("videos", "changes", "message"),
    [
        ({}, {}, "expected at least one video, got none"),
        ({"a": [1]}, {}, "'a': expected a dict by action .'custom'., got list"),
        ({"a": {"custom": []}}, {}, "'a': expected a list of one array .T, J, 2., got 0"),
        ({"a": {"custom": 3}}, {}, "'a': expected a list of one array .T, J, 2., got none"),
        ({"a": custom(np.zeros((4, 17, 3)))}, {}, r"of shape \(T, J, 2\), got \(4, 17, 3\)"),
        ({"a": custom(np.full((4, 17, 2), "x"))}, {}, r"got \(4, 17, 2\) of <U1"),
        ({"a": custom(np.ones((4, 16, 2)))}, {}, "expected 17 joints .metadata.num.*, got 16"),
        (
            {"a": custom(np.ones((4, 17, 2))), "b": custom(np.ones((4, 16, 2)))}, {},
            "'b': expected 17 joints, as in the first video, got 16",
        ),
        (
            {"a": custom(np.ones((4, 17, 2)))}, {"layout_name": "mpii"},
            "expected metadata.layout_name of coco, h36m, got 'mpii'; name the layout",
        ),
        (
            {"a": custom(np.ones((4, 17, 2)))}, {"video_metadata": {"b": {"w": 1, "h": 1}}},
            "'a': expected w and h in metadata.video_metadata, got None",
        ),
        (
            {"a": custom(np.ones((4, 17, 2)))}, {"video_metadata": {"a": {"w": 0, "h": 1}}},
            "'a': expected w and h in metadata.video_metadata, got {'w': 0",
        ),
    ],
)  # fmt: skip
def test_contents_that_do_not_fit_are_refused_at_once(
    tmp_path: Path, videos: Any, changes: dict, message: str
) -> None:
    path = write(tmp_path, videos, **changes)
    with pytest.raises(ImportFileError, match=f"data_2d_custom_mine.npz'.*{message}"):
        open_keypoints(path, KeypointOptions())


def test_files_of_human36m_are_sent_elsewhere(tmp_path: Path) -> None:
    path = write(tmp_path, {"S1": {"Walking": [np.ones((4, 17, 2))]}}, {"num_joints": 17})
    assert not recognise(path)
    with pytest.raises(ImportFileError, match="expected metadata with video_metadata, .*h36m.keyp"):
        open_keypoints(path, KeypointOptions())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, make_people: Make, share: float) -> None:
    path = write(tmp_path, {"a": custom(make_people()[0, ..., :2])})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert not recognise(path)
    with pytest.raises(ImportFileError, match="data_2d_custom_mine.npz': expected an npz archive"):
        open_keypoints(path, KeypointOptions())


def test_foreign_files_are_not_recognised(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", positions_2d=np.zeros(3), metadata=np.zeros(3))
    np.savez(tmp_path / "b.npz", positions_3d=np.zeros(3))
    for path in (tmp_path, tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "no.npz"):
        assert not recognise(path)
    with pytest.raises(ImportFileError, match="expected positions_2d as a dict by video"):
        open_keypoints(tmp_path / "a.npz", KeypointOptions())
    with pytest.raises(ImportFileError, match="expected the key positions_2d, metadata, got pos"):
        open_keypoints(tmp_path / "b.npz", KeypointOptions())


def test_a_size_without_end_is_refused_in_one_line(tmp_path: Path, make_people: Make) -> None:
    tracks = {"a\nb": custom(make_people()[0, ..., :2])}
    path = write(tmp_path, tracks, video_metadata={"a\nb": {"w": float("inf"), "h": 480}})
    with pytest.raises(ImportFileError, match=r"'a\\nb': expected w and h in metadata") as caught:
        open_keypoints(path, KeypointOptions())
    assert "\n" not in str(caught.value)
