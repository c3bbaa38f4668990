"""MMPose's predictions in JSON.

Of a video, a list ``{frame_id, instances: [{keypoints: [[x, y], ...], keypoint_scores, bbox,
bbox_score}, ...]}``; of an image, the list of instances alone. The demos of MMPose 1.x put either
into an object as ``instance_info``, beside ``meta_info`` with the names of the joints. A folder
holds one such file per video or image.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Report
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.assemble import Gaps, recordings
from selflift.formats.keypoints.detections import MOST_DIGITS, NO_TRACK, Collector, Detections
from selflift.formats.keypoints.json_stream import first_items, items
from selflift.formats.keypoints.layouts import Layout, choose_layout


class _Frame(NamedTuple):
    number: int
    instances: list[dict[str, Any]]
    names: list[str]


def recognise(path: Path) -> bool:
    """Whether it is a file of instances or of frames with instances, or a folder of such files."""
    try:
        file = next(iter(sorted(path.glob("*.json"))), None) if path.is_dir() else path
    except OSError:
        return False
    if file is None:
        return False
    for key, item in first_items(file):
        if key == "instance_info":
            return True
        if isinstance(item, dict) and not key:
            return {"frame_id", "instances"} <= set(item) or "keypoint_scores" in item
    return False


def open_mmpose(path: str | Path, options: KeypointOptions) -> Recordings:
    """The people in MMPose's predictions; each file is a clip.

    Args:
        path: The file or the folder of files.
        options: What to make of it.

    Raises:
        ImportFileError: If a file has another form or there is nobody in any; while reading, if
            one is damaged.
    """
    path = Path(path)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ImportFileError(f"'{path}': expected a folder with *.json, got none in it")
    layout = _layout(path, files, options)

    def read(report: Report) -> Iterator[Detections]:
        gaps = Gaps()
        for file in files:
            collector = Collector(layout.count)
            frames: list[int] = []
            for frame in _frames(file):
                if frames and frame.number <= frames[-1]:
                    raise ImportFileError(
                        f"'{file}': expected rising frame_id, got {frame.number} after {frames[-1]}"
                    )
                frames.append(frame.number)
                if not frame.instances:
                    report.drop("nobody detected", 1)
                for person in frame.instances:
                    collector.add(
                        f"'{file}'", frame.number, _triples(file, frame.number, person),
                        person.get("bbox_score"), _track(person),
                    )  # fmt: skip
            gaps.see(file.stem, np.array(frames))
            yield collector.table(file.stem, layout.skeleton.num_joints)
        gaps.tell(report, "are not in the file")

    score = "bbox_score; the mean confidence of a person's joints, where there is none"
    return recordings("mmpose", options, layout, read, videos=len(files), settings={"score": score})


def _layout(path: Path, files: list[Path], options: KeypointOptions) -> Layout:
    for file in files:
        for frame in _frames(file):
            for person in frame.instances:
                count = len(_triples(file, frame.number, person)) // 3
                return choose_layout(f"'{file}'", count, options.layout, frame.names)
    raise ImportFileError(f"'{path}': expected people, got nobody in any frame")


def _frames(file: Path) -> Iterator[_Frame]:
    """The frames of a file; of an image, one."""
    names: list[str] = []
    image: list[dict[str, Any]] = []
    for number, (key, item) in enumerate(items(file)):
        if key == "meta_info":
            names = _names(item)
        if key not in ("", "instance_info"):
            continue
        if isinstance(item, dict) and "keypoints" in item:
            image.append(item)
            continue
        frame, instances = (
            (item.get("frame_id"), item.get("instances")) if isinstance(item, dict) else (0, None)
        )
        if (
            not isinstance(frame, int)
            or not isinstance(instances, list)
            or not all(isinstance(person, dict) for person in instances)
        ):
            raise ImportFileError(
                f"'{file}', item {number}: expected a frame_id with a list of instances, or an "
                "instance with keypoints, got "
                f"{', '.join(item) if isinstance(item, dict) else type(item).__name__}"
            )
        yield _Frame(frame, instances, names)
    if image:
        yield _Frame(0, image, names)


def _names(meta: Any) -> list[str]:
    table = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(table, dict) or not all(
        key.isdecimal() and len(key) <= MOST_DIGITS for key in table
    ):
        return []
    return [str(table[key]) for key in sorted(table, key=int)]


def _triples(file: Path, frame: int, person: dict[str, Any]) -> list[Any]:
    """x, y and score of each joint, one after another."""
    places, scores = person.get("keypoints"), person.get("keypoint_scores")
    if (
        not isinstance(places, list)
        or not isinstance(scores, list)
        or len(places) != len(scores)
        or not places
        or not all(isinstance(place, list) and len(place) == 2 for place in places)
    ):
        first = places[0] if isinstance(places, list) and places else places
        raise ImportFileError(
            f"'{file}', frame {frame}: expected keypoints [[x, y], ...] and as many "
            f"keypoint_scores, got keypoints of {first!r:.60} and "
            f"{len(scores) if isinstance(scores, list) else 'no'} scores; 3D predictions are not "
            "read"
        )
    return [value for (x, y), s in zip(places, scores, strict=True) for value in (x, y, s)]


def _track(person: dict[str, Any]) -> int:
    track = person.get("track_id")
    return track if isinstance(track, int) and track >= 0 else NO_TRACK
