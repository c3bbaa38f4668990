"""What all sources of 2D keypoints share: missing joints, the camera, implausible pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.pose_set import PoseSet
from selflift.data.pose_set_writer import write_poses
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.layout_recognition import Layout
from selflift.formats.keypoints.person_table import NOBODY, Detections, Person
from selflift.formats.keypoints.reader import open_people, recordings
from selflift.geometry.camera import Calibration, project_pixels
from selflift.skeleton import COCO_17

Read = Callable[[Recordings], list[Take]]
LAYOUT = Layout(COCO_17, 17, "test")


def video(person: np.ndarray, name: str = "v", size: tuple[int, int] | None = None) -> Detections:
    return Detections(
        name, np.arange(len(person)), person[..., :2].copy(), person[..., 2].copy(), size_px=size
    )


def opened(
    *videos: Detections, has_size: bool = False, layout: Layout = LAYOUT, **options: object
) -> Recordings:
    return recordings(
        "test", KeypointOptions(**options), layout, lambda report: videos, videos=len(videos),
        has_size=has_size,
    )  # fmt: skip


def test_joints_without_place_or_confidence_are_missing(
    make_people: Callable[..., np.ndarray], read: Read
) -> None:
    person = make_people(frames=1)[0]
    person[0, 0, :2] = 0  # (0, 0) is no detection, whatever its confidence
    person[0, 1, 2] = 0
    person[0, 2, 2] = -1
    person[0, 3, 2] = np.nan
    person[0, 4, 0] = np.nan
    person[0, 5, 1] = np.inf
    person[0, 6, 0] = 0  # on the image's edge, not missing
    (take,) = read(opened(video(person)))
    assert take.confidence is not None
    assert np.flatnonzero(take.confidence[0] == 0).tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(take.poses_2d[0, 6:], person[0, 6:, :2])
    np.testing.assert_array_equal(take.confidence[0, 6:], person[0, 6:, 2])


def test_weak_joints_are_missing_and_counted(
    make_people: Callable[..., np.ndarray], read: Read
) -> None:
    person = make_people(frames=50)[0]
    person[3, 4] = 0
    source = opened(video(person), min_confidence=0.8)
    (take,) = read(source)
    expected = sum(0 < person[t, j, 2] < np.float32(0.8) for t in range(50) for j in range(17))
    assert take.confidence is not None
    assert int((take.confidence == 0).sum()) == expected + 1
    assert take.confidence[take.confidence > 0].min() >= 0.8
    assert source.report.notes == [
        f"of 850 joints 1 are missing, {expected} below keypoints.min_confidence; complete=true "
        "leaves out poses that lack one"
    ]
    assert source.settings["missing joints"].endswith("also confidence below 0.8")


def test_a_joint_as_confident_as_asked_for_is_kept(
    make_people: Callable[..., np.ndarray], read: Read
) -> None:
    person = make_people(frames=1)[0]
    person[0, :, 2] = 0.25
    person[0, 0, 2] = np.nextafter(np.float32(0.25), np.float32(0))
    (take,) = read(opened(video(person), min_confidence=0.25))
    assert take.confidence is not None
    assert take.confidence[0].tolist() == [0.0, *[0.25] * 16]


def test_the_input_is_left_as_it_is(make_people: Callable[..., np.ndarray], read: Read) -> None:
    people = video(make_people(frames=3)[0])
    before = people.keypoints.copy(), people.confidence.copy()
    read(opened(people, min_confidence=0.9))
    np.testing.assert_array_equal(people.keypoints, before[0])
    np.testing.assert_array_equal(people.confidence, before[1])


def test_a_person_without_any_joint_is_dropped_and_counted(
    make_people: Callable[..., np.ndarray], read: Read
) -> None:
    person = make_people(frames=5)[0]
    person[[1, 4]] = 0
    source = opened(video(person))
    (take,) = read(source)
    assert take.frame.tolist() == [0, 2, 3]
    assert source.report.dropped == {"no joint of the person is there": 2}


def test_a_video_of_nobody_yields_no_take(
    make_people: Callable[..., np.ndarray], read: Read
) -> None:
    empty = video(np.zeros((0, 17, 3), np.float32), "empty")
    takes = read(opened(empty, video(np.zeros((2, 17, 3), np.float32), "zero"),
                        video(make_people()[0], "full")))  # fmt: skip
    assert [take.clip for take in takes] == ["full"]


def test_labels_and_rate_are_the_options(
    make_people: Callable[..., np.ndarray], read: Read
) -> None:
    source = opened(video(make_people()[0]), subject="Ann", action="walk", fps=25.0)
    (take,) = read(source)
    assert (take.subject, take.action, take.clip, take.camera) == ("Ann", "walk", "v", "camera")
    assert take.fps == 25 and take.view is None
    assert source.total == 1 and source.source == "test" and source.skeleton is COCO_17


def test_focal_length_and_size_make_a_pinhole_in_the_middle(
    make_people: Callable[..., np.ndarray], read: Read
) -> None:
    people = [video(make_people()[0], name) for name in "ab"]
    takes = read(opened(*people, f_px=1000.0, size_px=[640, 480]))
    assert {take.camera for take in takes} == {"640x480"}
    view = takes[0].view
    assert view is not None and takes[1].view is view and view.rotation is None
    camera = Calibration(
        *(torch.from_numpy(a) for a in (view.f_px, view.c_px, view.radial, view.tangential))
    )
    # Half a metre to the right and a quarter up, at 2 m.
    pixel = project_pixels(torch.tensor([[0.5, -0.25, 2.0]], dtype=torch.float64), camera)
    assert pixel.tolist() == [[320 + 250, 240 - 125]]
    assert view.size_px.tolist() == [640, 480]


def test_each_size_is_a_camera_of_its_own(
    make_people: Callable[..., np.ndarray], read: Read
) -> None:
    people = [
        video(make_people()[0], name, size) for name, size in
        (("a", (640, 480)), ("b", (1920, 1080)), ("c", (640, 480)))
    ]  # fmt: skip
    takes = read(opened(*people, f_px=900.0, has_size=True))
    assert [take.camera for take in takes] == ["640x480", "1920x1080", "640x480"]
    assert takes[1].view is not None and takes[1].view.c_px.tolist() == [960, 540]


@pytest.mark.parametrize("people", ["best", "track", "all"])
def test_takes_can_be_written_and_loaded(
    tmp_path: Path, make_people: Callable[..., np.ndarray], read: Read, people: str
) -> None:
    two = make_people(2, 5)
    two[1, :, 3] = 0
    rows = Detections(
        "v", np.repeat(np.arange(5), 2), two.swapaxes(0, 1).reshape(10, 17, 3)[..., :2].copy(),
        two.swapaxes(0, 1).reshape(10, 17, 3)[..., 2].copy(), np.tile([1.0, 2.0], 5),
    )  # fmt: skip
    source = opened(rows, people=people, f_px=1000.0, size_px=[640, 480])
    path = tmp_path / "poses.h5"
    with write_poses(path, source.skeleton) as writer:
        for take in read(source):
            writer.add(take)
    poses = PoseSet.load(path)
    assert len(poses) == (5 if people == "best" else 10)
    assert poses.confidence is not None and poses.cameras is not None
    second = poses.confidence[:, 3] == 0
    assert second.sum() == 5, "the one with the higher score lacks joint 3"
    np.testing.assert_array_equal(
        np.delete(poses.poses_2d[second], 3, 1), np.delete(two[1, ..., :2], 3, 1)
    )


@pytest.mark.parametrize("scale", [1 / 1000, -1 / 1000])
def test_scaled_keypoints_are_refused(
    make_people: Callable[..., np.ndarray], read: Read, scale: float
) -> None:
    person = make_people()[0]
    person[..., :2] *= scale
    with pytest.raises(ImportFileError, match="'v': expected keypoints in pixels, got all of them"):
        read(opened(video(person)))


def test_keypoints_of_another_size_of_image_are_refused(
    make_people: Callable[..., np.ndarray], read: Read
) -> None:
    person = make_people()[0]
    person[..., :2] += 500
    with pytest.raises(ImportFileError, match="inside the images of 400 x 300 .* 100% .*the size"):
        read(opened(video(person), size_px=[400, 300]))
    person[:, :9, :2] -= 500
    assert read(opened(video(person), size_px=[400, 700]))


def test_a_size_that_contradicts_the_file_is_refused(
    make_people: Callable[..., np.ndarray], read: Read
) -> None:
    people = video(make_people()[0], size=(640, 480))
    with pytest.raises(ImportFileError, match=r"640 x 480 .*got keypoints.size_px=\[640, 360\]"):
        read(opened(people, size_px=[640, 360], has_size=True))
    assert read(opened(people, size_px=[640, 480], has_size=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"people": "first"}, "keypoints.people: expected one of best, track, all, got 'first'"),
        ({"fps": 0.0}, "keypoints.fps: expected a rate above 0, got 0"),
        ({"fps": float("nan")}, "keypoints.fps: .*got nan"),
        ({"min_confidence": -0.1}, "keypoints.min_confidence: expected 0 or more, got -0.1"),
        ({"min_frames": 0}, "keypoints.min_frames: expected at least 1, got 0"),
        ({"size_px": [640]}, r"keypoints.size_px: expected width and height.*got \[640\]"),
        ({"size_px": [640, 0]}, "keypoints.size_px: expected width and height"),
        ({"f_px": 1000.0}, "keypoints.f_px: expected the size of the images with it, got none"),
        ({"f_px": -1.0, "size_px": [9, 9]}, "keypoints.f_px: expected pixels above 0, got -1"),
    ],
)
def test_unusable_options_are_refused_at_once(options: dict, message: str) -> None:
    with pytest.raises(ImportFileError, match=message):
        opened(**options)


def test_the_layouts_note_is_told(make_people: Callable[..., np.ndarray]) -> None:
    assert opened(layout=Layout(COCO_17, 133, "names", "cut")).report.notes == ["cut"]


def people_of(
    frames: dict[str, list[int]], empty: tuple[int, ...] = (), step: int = 1, **options: bool
) -> Recordings:
    """One person in every frame of each video, but for the empty ones."""
    body = np.random.default_rng(0).uniform(10, 200, 51).tolist()
    records = [
        Person("'f'", video, step * frame, NOBODY if frame in empty else body)
        for video, numbers in frames.items()
        for frame in numbers
    ]
    return open_people(
        "test", Path("f"), lambda: iter(records), KeypointOptions(), videos=None, score="none",
        gaps="have no file", **options,
    )  # fmt: skip


@pytest.mark.parametrize("step", [1, 5])
def test_absent_frames_are_counted_by_the_usual_step(read: Read, step: int) -> None:
    videos = {"whole": [*range(9)], "one": [3], "holes": [0, 1, 4, 5, 7], "more": [2, 3, 5]}
    source = people_of(videos, (1, 5), step)
    assert [len(take) for take in read(source)] == [7, 1, 3, 2]
    assert source.report.dropped == {"nobody detected": 5}
    assert source.report.notes == [
        "between the first and the last of a video, 4 frames have no file (in 2 videos; the first: "
        f"'holes' after frame {step})"
    ]


def test_without_absent_frames_there_is_no_note(read: Read) -> None:
    source = people_of({"whole": list(range(9))})
    assert len(read(source)) == 1 and source.report.notes == []


def test_records_of_several_videos_may_be_mixed(read: Read) -> None:
    names = ["a", "b", "a", "c", "b"]
    records = [Person("f", name, n, [50.0 + n] * 51) for n, name in enumerate(names)]
    source = open_people(
        "test", Path("f"), lambda: records, KeypointOptions(), videos=None, score="", gaps="",
        mixed=True,
    )  # fmt: skip
    assert {t.clip: t.frame.tolist() for t in read(source)} == {"a": [0, 2], "b": [1, 4], "c": [3]}


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (NOBODY, "'f': expected people, got nobody in any frame"),
        ([], r"g: expected keypoints as x, y and confidence of each joint, got \[\]; have the"),
        ("x", "g: expected keypoints as x, y and confidence of each joint, got 'x'"),
        ([1.0] * 52, r"g: expected keypoints as x, y and confidence of each joint, got \[1.0, 1"),
        ([1.0] * 42, "g: expected 17 .coco_17., 26 .halpe_26. joints a person, got 14"),
    ],
)
def test_a_first_person_that_decides_no_layout_is_refused(numbers: object, message: str) -> None:
    with pytest.raises(ImportFileError, match=message):
        open_people(
            "test", Path("f"), lambda: [Person("g", "v", 0, numbers)], KeypointOptions(),
            videos=1, score="", gaps="",
        )  # fmt: skip
