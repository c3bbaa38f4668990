"""What is read for a prediction, which camera saw it, and what people are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selflift.config import CameraOptions, KeypointOptions, PredictConfig
from selflift.data.pose_set import PoseSet
from selflift.data.recording import Take
from selflift.formats.registry import SOURCES
from selflift.geometry.camera import Calibration
from selflift.lift.keypoint_input import (
    NAMES,
    Group,
    camera_of,
    group_takes,
    name_people,
    open_input,
)
from tests.lift.conftest import walkers

VIEW = Calibration(np.array([900.0, 910.0]), np.array([320.0, 200.0]), np.array([0.1, 0.0, 0.0]),
            np.array([0.0, 0.01]), np.array([640, 480]))  # fmt: skip


def take(
    clip: str, camera: str = "camera", view: Calibration | None = None, **more: object
) -> Take:
    return Take("S1", "walk", clip, camera, np.full((2, 17, 2), 300.0), np.arange(2), 25.0,
                view=view, **more)  # type: ignore[arg-type]  # fmt: skip


def test_all_sources_of_keypoints_are_known() -> None:
    film = {name for name in SOURCES if name.startswith(("h36m_", "mpi_inf_3dhp_", "mocap"))}
    assert set(SOURCES) - film == set(NAMES)


def test_people_of_one_video_share_a_camera_and_videos_do_not() -> None:
    takes = [take("a/person1"), take("b"), take("a/person2")]
    groups = list(group_takes(takes))
    assert [(g.name, len(g.takes)) for g in groups] == [("a", 2), ("b", 1)]
    calibrated = [take("a", "c1", VIEW), take("b", "c1", VIEW), take("a", "c2", VIEW)]
    assert [(g.name, len(g.takes)) for g in group_takes(calibrated)] == [("c1", 2), ("c2", 1)]


def test_people_have_short_names_of_their_own() -> None:
    assert name_people([take("a/person1"), take("a/person2")]) == ["person1", "person2"]
    assert name_people([take("a/person1"), take("b/person1")]) == ["a/person1", "b/person1"]
    assert name_people([take("a", "c1"), take("a", "c2")]) == ["a c1", "a c2"]
    assert name_people([take("a"), take("a")]) == ["a camera", "a camera (2)"]


def test_what_is_given_of_the_camera_counts_before_the_files() -> None:
    group = Group("a", [take("a", view=VIEW)])
    own = camera_of(group, CameraOptions())
    assert own.f_px == (900, 910) and own.c_px == (320, 200) and own.size_px == (640, 480)
    assert own.radial == (0.1, 0, 0) and own.tangential == (0, 0.01) and own.assumed == ()
    given = camera_of(group, CameraOptions(f_px=1000.0, c_px=[1.0, 2.0]))
    assert given.f_px == (1000, 1000) and given.c_px == (1, 2) and given.size_px == (640, 480)
    sized = camera_of(Group("a", [take("a", size_px=(640, 480))]), CameraOptions())
    assert sized.size_px == (640, 480) and len(sized.assumed) == 1
    with pytest.raises(ValueError, match="camera.f_px: expected a focal length above 0"):
        camera_of(group, CameraOptions(f_px=-1.0))


def test_videos_are_followed_and_images_are_not(
    save_input: Callable[..., str], tmp_path: Path
) -> None:
    config = PredictConfig(input=save_input(walkers()))
    opened = open_input(config)
    assert opened.followed and not opened.unrelated
    assert [t.clip for t in opened.recordings.takes] == ["walk/person1", "walk/person2"]
    all_of = open_input(replace(config, keypoints=KeypointOptions(people="all")))
    assert not all_of.followed and not all_of.unrelated
    coco = tmp_path / "coco.json"
    coco.write_text(
        '[{"image_id": 1, "category_id": 1, "score": 1, "keypoints": ['
        + ", ".join(["10, 20, 1"] * 17) + "]}]"
    )  # fmt: skip
    assert open_input(PredictConfig(input=str(coco))).unrelated
    video = open_input(PredictConfig(input=str(coco), keypoints=KeypointOptions(people="track")))
    assert video.followed and not video.unrelated


def test_a_pose_set_is_an_input(make_pose_set: Callable[..., PoseSet], tmp_path: Path) -> None:
    make_pose_set().save(tmp_path / "set.h5")
    opened = open_input(PredictConfig(input=str(tmp_path / "set.h5")))
    assert opened.recordings.source == "poses" and opened.followed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": "nowhere"}, "input 'nowhere': no such file or folder"),
        ({"source": "mocap"}, "got 'mocap', which films motion capture: convert it"),
        ({"source": "vicon"}, "source: expected one of openpose, .*, got 'vicon'$"),
        ({"camera": CameraOptions(size_px=[3])}, r"camera.size_px: expected width and .*, got \[3"),
        ({"camera": CameraOptions(f_px="wide")}, "camera.f_px: expected pixels, .*, got 'wide'"),
        (
            {"camera": CameraOptions(size_px=[9, 9]), "keypoints": KeypointOptions(size_px=[8, 8])},
            "expected what keypoints.size_px says",
        ),
        ({"keypoints": KeypointOptions(people="two")}, "expected one of best, track, all"),
    ],
)
def test_wrong_inputs_are_refused(
    save_input: Callable[..., str], changes: dict[str, object], message: str
) -> None:
    config = replace(PredictConfig(input=save_input(walkers())), **changes)
    with pytest.raises(ValueError, match=message):
        open_input(config)


def test_motion_capture_is_sent_to_prepare(tmp_path: Path) -> None:
    np.savez(tmp_path / "data_3d.npz", positions_3d=np.zeros(3))
    with pytest.raises(ValueError, match="expected 2D keypoints, got h36m_videopose3d .* convert"):
        open_input(PredictConfig(input=str(tmp_path / "data_3d.npz")))
