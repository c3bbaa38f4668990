"""MMPose's predictions in JSON.

Of a video, a list ``{frame_id, instances: [{keypoints: [[x, y], ...], keypoint_scores, bbox,
bbox_score}, ...]}``; of an image, the list of instances alone. The demos of MMPose 1.x put either
into an object as ``instance_info``, beside ``meta_info`` with the names of the joints. A folder
holds one such file per video or image.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.json_items import first_items, items
from selflift.formats.keypoints.person_table import MOST_DIGITS, NOBODY, Person, identity
from selflift.formats.keypoints.reader import MEAN_CONFIDENCE, files_of, open_people


def recognise(path: Path) -> bool:
    """Return whether it is a file of instances or frames with instances, or a folder of such."""
    try:
        file = files_of(path, ".json")[0]
    except ImportFileError:
        return False
    for key, item in first_items(file):
        if key == "instance_info":
            return True
        if isinstance(item, dict) and not key:
            return {"frame_id", "instances"} <= set(item) or "keypoint_scores" in item
    return False


def open_keypoints(path: Path, options: KeypointOptions) -> Recordings:
    """Open MMPose's predictions; each file is a clip."""
    files = files_of(path, ".json")

    def people() -> Iterator[Person]:
        for file in files:
            last: int | None = None
            for frame, instances, names in _frames(file):
                if last is not None and frame <= last:
                    raise ImportFileError(
                        f"'{file}': expected rising frame_id, got {frame} after {last}"
                    )
                last = frame
                if not instances:
                    yield Person(f"'{file}'", file.stem, frame, NOBODY)
                for person in instances:
                    numbers = _numbers(file, frame, person)
                    score, track = person.get("bbox_score"), identity(person.get("track_id"))
                    yield Person(f"'{file}'", file.stem, frame, numbers, score, track, names)

    return open_people(
        "mmpose", path, people, options, videos=len(files), gaps="are not in the file",
        score=f"bbox_score; {MEAN_CONFIDENCE}, where there is none",
    )  # fmt: skip


def _frames(file: Path) -> Iterator[tuple[int, list[dict[str, Any]], list[str]]]:
    """Read the frames of a file, each with its instances and the joints' names; an image is one."""
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
        frame = item.get("frame_id") if isinstance(item, dict) else None
        instances = item.get("instances") if isinstance(item, dict) else None
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
        yield frame, instances, names
    if image:
        yield 0, image, names


def _names(meta: Any) -> list[str]:
    table = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(table, dict) or not all(
        key.isdecimal() and len(key) <= MOST_DIGITS for key in table
    ):
        return []
    return [str(table[key]) for key in sorted(table, key=int)]


def _numbers(file: Path, frame: int, person: dict[str, Any]) -> list[Any]:
    """Join x, y and score of each joint, one after another."""
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
