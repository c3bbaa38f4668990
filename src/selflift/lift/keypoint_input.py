"""Keypoint files to predict from: open them, group people by camera, name people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from selflift.config import CameraOptions, KeypointOptions, PredictConfig, PrepareConfig
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.registry import SOURCES, Source, find_source
from selflift.lift.camera_assumptions import Camera

# The formats of 2D keypoints; the others are motion capture.
NAMES = (
    "openpose", "coco", "alphapose", "mmpose", "videopose3d_custom", "detectron", "arrays", "table",
    "poses",
)  # fmt: skip
# The format of unrelated images.
IMAGES = "coco"
_PERSON = re.compile(r"(?P<video>.*)/(?P<person>person\d+)")


class Group(NamedTuple):
    """The takes that one camera saw, and the name of the video or the camera."""

    name: str
    takes: list[Take]


class Opened(NamedTuple):
    """An opened input.

    Attributes:
        recordings: The takes, and how they are read.
        unrelated: Whether its frames are unrelated images, not a video.
        followed: Whether a take is one person.
    """

    recordings: Recordings
    unrelated: bool
    followed: bool


def open_input(config: PredictConfig) -> Opened:
    """Open the input of a prediction.

    Raises:
        ValueError: If it is missing, unusable, or holds no 2D keypoints.
    """
    path = Path(config.input)
    source = _find(config.source, path)
    options = _options(config.keypoints, config.camera)
    people = options.people or ("all" if source.name == IMAGES else "track")
    options = replace(options, people=people)
    recordings = source.open(path, PrepareConfig(input=str(path), keypoints=options))
    unrelated = source.name == IMAGES and people == "all"
    return Opened(recordings, unrelated, source.name == "poses" or people != "all")


def _find(name: str | None, path: Path) -> Source:
    if name is not None and name not in NAMES:
        film = " films motion capture: convert it with selflift.prepare" if name in SOURCES else ""
        raise ImportFileError(
            f"source: expected one of {', '.join(NAMES)} (or none to recognise it), got '{name}'"
            + (f", which{film} and predict from that" if film else "")
        )
    source = find_source(name, path)
    if source.name not in NAMES:
        raise ImportFileError(
            f"input '{path}': expected 2D keypoints, got {source.name} ({source.about}); "
            "convert it with selflift.prepare, and predict from the pose set"
        )
    return source


def _options(keypoints: KeypointOptions, camera: CameraOptions) -> KeypointOptions:
    size = camera.size_px
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ImportFileError(
            f"camera.size_px: expected width and height, as in [1920,1080], got {size}"
        )
    if isinstance(camera.f_px, str):
        raise ImportFileError(
            f"camera.f_px: expected pixels, as in 1450 or [1450,1448], got '{camera.f_px}'"
        )
    if size is not None and keypoints.size_px not in (None, size):
        raise ImportFileError(
            f"camera.size_px: expected what keypoints.size_px says, {keypoints.size_px}, got "
            f"{size}; leave one out"
        )
    return replace(keypoints, size_px=size or keypoints.size_px)


def group_takes(takes: Iterable[Take]) -> list[Group]:
    """Group takes by the video and the camera that saw them, in order of appearance."""
    found: dict[tuple[str, str, tuple[int, int] | None], list[Take]] = {}
    for take in takes:
        # A calibrated camera's name is its own; without calibration each video has a camera.
        where = take.camera if take.view is not None else _split_clip(take.clip)[0]
        found.setdefault((where, take.camera, take.size_px), []).append(take)
    return [Group(where, group) for (where, _, _), group in found.items()]


def _split_clip(clip: str) -> tuple[str, str]:
    """Split a clip into video and person; the person is empty if the clip is a video."""
    match = _PERSON.fullmatch(clip)
    return (clip, "") if match is None else (match["video"], match["person"])


def name_people(takes: Sequence[Take]) -> list[str]:
    """Give the person of each take a short unique name."""
    parts = [_split_clip(take.clip) for take in takes]
    one_video = len({video for video, _ in parts}) == 1
    names = [person if person and one_video else take.clip
             for take, (_, person) in zip(takes, parts, strict=True)]  # fmt: skip
    if len(set(names)) < len(names):
        names = [f"{name} {take.camera}" for name, take in zip(names, takes, strict=True)]
    seen: Counter[str] = Counter()
    for i, name in enumerate(names):
        seen[name] += 1
        names[i] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return names


def camera_of(group: Group, given: CameraOptions) -> Camera:
    """Return a group's camera: the options first, then the file's, then the usual assumptions.

    Raises:
        ValueError: If a number is out of range.
    """
    view, size = group.takes[0].view, group.takes[0].size_px
    points = np.concatenate([take.poses_2d.reshape(-1, 2) for take in group.takes])
    f_px = given.f_px
    try:
        if view is None:
            return Camera.of(points, given.size_px or size, f_px, given.c_px)
        f_px = view.f_px.tolist() if f_px is None else f_px
        return Camera.of(
            points, given.size_px or view.size_px.tolist(), f_px,
            view.c_px.tolist() if given.c_px is None else given.c_px,
            view.radial.tolist(), view.tangential.tolist(),
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"camera.{error}") from error
