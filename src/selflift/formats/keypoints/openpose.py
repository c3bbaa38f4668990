"""OpenPose's folder of ``<video>_<frame>_keypoints.json``, one file a frame.

``people[i].pose_keypoints_2d`` (in old files ``pose_keypoints``) holds x, y and confidence of each
joint: 75 numbers for BODY_25, 54 for the COCO model; 0, 0, 0 is a joint that was not found. Several
videos may share a folder, or have a sub-folder each. ``person_id`` is the track, where OpenPose was
told to track.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Report
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.assemble import Gaps, recordings
from selflift.formats.keypoints.detections import NO_TRACK, Collector, Detections, split_name
from selflift.formats.keypoints.json_stream import reason_of
from selflift.formats.keypoints.layouts import Layout, choose_layout
from selflift.skeleton import OPENPOSE_BODY_25, OPENPOSE_COCO_18

ENDING = "_keypoints.json"
PATTERNS = (f"*{ENDING}", f"*/*{ENDING}")
LAYOUTS = {25: OPENPOSE_BODY_25, 18: OPENPOSE_COCO_18}
KEYS = ("pose_keypoints_2d", "pose_keypoints")


def recognise(path: Path) -> bool:
    """Whether it is a folder with at least one of OpenPose's files, or with folders of them."""
    if not path.is_dir():
        return False
    try:
        first = next((file for pattern in PATTERNS for file in path.glob(pattern)), None)
        return first is not None and _people(first) is not None
    except (ImportFileError, OSError):
        return False


def open_openpose(path: str | Path, options: KeypointOptions) -> Recordings:
    """The people in a folder of OpenPose's output; each video is a clip.

    Args:
        path: The folder.
        options: What to make of it.

    Raises:
        ImportFileError: If there is no such file in it, nobody in any of them, or the first with
            somebody has another number of joints; while reading, if a file is damaged.
    """
    root = Path(path)
    videos = _videos(root)
    layout, key = _layout(root, videos, options)

    def read(report: Report) -> Iterator[Detections]:
        gaps = Gaps()
        for video, files in videos.items():
            collector = Collector(layout.count)
            empty = 0
            for frame, file in files:
                people = _people(file)
                empty += not people
                for person in people:
                    collector.add(f"'{file}'", frame, person.get(key), track=_track(person))
            report.drop("nobody detected", empty)
            gaps.see(video, np.array([frame for frame, _ in files]))
            yield collector.table(video)
        gaps.tell(report, "have no file")

    return recordings(
        "openpose",
        options,
        layout,
        read,
        videos=len(videos),
        settings={"score": "the mean confidence of a person's joints, missing ones count as 0"},
    )


def _videos(root: Path) -> dict[str, list[tuple[int, Path]]]:
    """Clip to its frames and their files, in order."""
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


def _layout(
    root: Path, videos: dict[str, list[tuple[int, Path]]], options: KeypointOptions
) -> tuple[Layout, str]:
    for files in videos.values():
        for _, file in files:
            for person in _people(file):
                key = next((key for key in KEYS if key in person), "")
                numbers = person.get(key)
                if not isinstance(numbers, list) or len(numbers) % 3:
                    raise ImportFileError(
                        f"'{file}': expected people with {KEYS[0]} (x, y, confidence of each "
                        f"joint), got {f'{numbers!r:.80}' if key else ', '.join(person)}"
                    )
                if not numbers:
                    raise ImportFileError(
                        f"'{file}': expected {KEYS[0]} of 75 or 54 numbers, got none; run OpenPose "
                        "with the body"
                    )
                return (
                    choose_layout(f"'{file}'", len(numbers) // 3, options.layout, known=LAYOUTS),
                    key,
                )
    raise ImportFileError(f"'{root}': expected people, got nobody in any of the files")


def _people(file: Path) -> list[dict[str, Any]]:
    if file.exists() and not file.is_file():
        raise ImportFileError(
            f"'{file}': expected a file, got a folder, a pipe or a device; remove it"
        )
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else reason_of(error)
        raise ImportFileError(
            f"'{file}': expected JSON, got a file that is damaged, cut short or something else "
            f"({reason}); run OpenPose again, or remove the file"
        ) from error
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise ImportFileError(
            f"'{file}': expected an object with a list 'people', as OpenPose writes, got "
            f"{', '.join(content) if isinstance(content, dict) else type(content).__name__}"
        )
    return people


def _track(person: dict[str, Any]) -> int:
    identity = person.get("person_id")
    if isinstance(identity, list) and len(identity) == 1 and isinstance(identity[0], int):
        return identity[0]
    return NO_TRACK
