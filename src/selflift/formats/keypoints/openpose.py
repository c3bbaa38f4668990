"""OpenPose's folder of ``<video>_<frame>_keypoints.json``, one file per frame.

``people[i].pose_keypoints_2d`` (in old files ``pose_keypoints``) holds x, y and confidence of each
joint: 75 numbers for BODY_25, 54 for the COCO model; 0, 0, 0 is a joint that was not found. Several
videos may share a folder, or have a sub-folder each. ``person_id`` is the track, where OpenPose was
told to track.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.json_items import load_json
from selflift.formats.keypoints.person_table import NO_TRACK, NOBODY, Person, split_name
from selflift.formats.keypoints.reader import MEAN_CONFIDENCE, open_people
from selflift.skeleton import OPENPOSE_BODY_25, OPENPOSE_COCO_18

ENDING = "_keypoints.json"
PATTERNS = (f"*{ENDING}", f"*/*{ENDING}")
LAYOUTS = {25: OPENPOSE_BODY_25, 18: OPENPOSE_COCO_18}
KEYS = ("pose_keypoints_2d", "pose_keypoints")


def recognise(path: Path) -> bool:
    """Return whether it is a folder with OpenPose's files, or with folders of them."""
    if not path.is_dir():
        return False
    try:
        first = next((file for pattern in PATTERNS for file in path.glob(pattern)), None)
        return first is not None and _people(first) is not None
    except (ImportFileError, OSError):
        return False


def open_keypoints(path: Path, options: KeypointOptions) -> Recordings:
    """Open a folder of OpenPose's output; each video is a clip."""
    videos = _videos(path)

    def people() -> Iterator[Person]:
        for video, frames in videos.items():
            for frame, file in frames:
                where = f"'{file}'"
                found = _people(file)
                if not found:
                    yield Person(where, video, frame, NOBODY)
                for person in found:
                    yield Person(where, video, frame, _numbers(where, person), None, _track(person))

    return open_people(
        "openpose", path, people, options, known=LAYOUTS, videos=len(videos), gaps="have no file",
        score=f"{MEAN_CONFIDENCE}, missing ones count as 0",
    )  # fmt: skip


def _videos(root: Path) -> dict[str, list[tuple[int, Path]]]:
    """Find the videos, and the frames of each with their files, in order."""
    if not root.is_dir():
        raise ImportFileError(
            f"'{root}': expected a folder of *{ENDING}, got {'a file' if root.exists() else 'none'}"
        )
    videos: dict[str, dict[int, Path]] = {}
    for file in sorted(file for pattern in PATTERNS for file in root.glob(pattern)):
        video, frame = split_name(file.name.removesuffix(ENDING))
        folder = file.parent.name
        if file.parent != root:
            video = folder if video in ("", folder) else f"{folder}/{video}"
        frames = videos.setdefault(video or folder, {})
        number = frame or 0
        if number in frames:
            raise ImportFileError(
                f"'{file}': expected one file a frame, got a second one of frame {number} of "
                f"'{video or folder}' ('{frames[number].name}'); keep one"
            )
        frames[number] = file
    if not videos:
        raise ImportFileError(
            f"'{root}': expected files *{ENDING} in the folder or in its sub-folders, got none; "
            "run OpenPose with --write_json"
        )
    return {video: sorted(frames.items()) for video, frames in videos.items()}


def _people(file: Path) -> list[dict[str, Any]]:
    content = load_json(file)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise ImportFileError(
            f"'{file}': expected an object with a list 'people', as OpenPose writes, got "
            f"{', '.join(content) if isinstance(content, dict) else type(content).__name__}"
        )
    return people


def _numbers(where: str, person: dict[str, Any]) -> Any:
    key = next((key for key in KEYS if key in person), None)
    if key is None:
        raise ImportFileError(
            f"{where}: expected people with {KEYS[0]} (x, y, confidence of each joint), got "
            f"{', '.join(person)}"
        )
    return person[key]


def _track(person: dict[str, Any]) -> int:
    identity = person.get("person_id")
    if isinstance(identity, list) and len(identity) == 1 and isinstance(identity[0], int):
        return identity[0]
    return NO_TRACK
