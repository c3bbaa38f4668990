"""AlphaPose's ``alphapose-results.json``, in its three forms.

The usual one is a list, ``{image_id: "12.jpg", category_id, keypoints: [x, y, confidence, ...],
score, box, idx}``. The forms "cmu" and "open" are an object by image, with ``bodies[i].joints`` or
``people[i].pose_keypoints_2d``; AlphaPose puts these in the order of OpenPose's COCO model and adds
a neck. ``idx`` is the track: a number, or a list of those that were merged, of which the first
counts. ``score`` is the mean confidence plus 1.25 times the largest plus that of the box.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.json_items import first_items, items
from selflift.formats.keypoints.layout_recognition import BY_COUNT
from selflift.formats.keypoints.person_table import NO_TRACK, Person, split_name
from selflift.formats.keypoints.reader import MEAN_CONFIDENCE, open_people
from selflift.skeleton import OPENPOSE_COCO_18

_IMAGE = re.compile(r".*\.(jpe?g|png|bmp|tiff?|webp)", re.IGNORECASE)
# In an object by image: the key of its people, and that of their joints.
_FORMS = {"bodies": "joints", "people": "pose_keypoints_2d"}


def recognise(path: Path) -> bool:
    """Return whether it is a JSON file of people by image *names*; COCO's have numbers."""
    for key, item in first_items(path, 1):
        if not isinstance(item, dict):
            return False
        if key:
            return _is_image(key) and any(form in item for form in _FORMS)
        return _is_image(item.get("image_id")) and "keypoints" in item
    return False


def open_keypoints(path: Path, options: KeypointOptions) -> Recordings:
    """Open one of AlphaPose's files.

    An image's number is its frame. Images whose names differ before the number (``walk_001.jpg``,
    ``run_001.jpg``) are clips of their own.
    """
    by_image = next(items(path), ("", None))[0] != ""

    def people() -> Iterator[Person]:
        for number, (key, item) in enumerate(items(path)):
            where = f"'{path}', item {number}"
            if not isinstance(item, dict):
                raise ImportFileError(f"{where}: expected an object, got {type(item).__name__}")
            if key:
                yield from _bodies(path, key, item)
                continue
            image = item.get("image_id")
            if not _is_image(image) or "keypoints" not in item:
                raise ImportFileError(
                    f"{where}: expected image_id with the name of an image and keypoints, got "
                    f"{', '.join(item)} (image_id {image!r:.40}); if these are COCO results, name "
                    "the source coco"
                )
            yield _person(path, str(image), item["keypoints"], item.get("score"), item.get("idx"))

    return open_people(
        "alphapose", path, people, options, videos=None, mixed=True, gaps="have nobody in them",
        known={18: OPENPOSE_COCO_18} if by_image else BY_COUNT,
        score=MEAN_CONFIDENCE if by_image else "AlphaPose's score",
    )  # fmt: skip


def _is_image(name: Any) -> bool:
    return isinstance(name, str) and _IMAGE.fullmatch(name) is not None


def _bodies(path: Path, image: str, item: dict[str, Any]) -> Iterator[Person]:
    where = f"'{path}', image '{image}'"
    form = next((form for form in _FORMS if form in item), None)
    if form is None or not _is_image(image) or not isinstance(item[form], list):
        raise ImportFileError(
            f"{where}: expected the name of an image and in it bodies or people, got "
            f"{', '.join(item)}; AlphaPose's forms are a list, 'cmu' and 'open'"
        )
    for body in item[form]:
        numbers = body.get(_FORMS[form]) if isinstance(body, dict) else None
        if numbers is None:
            raise ImportFileError(f"{where}: expected {form} with {_FORMS[form]}, got none")
        yield _person(path, image, numbers)


def _person(path: Path, image: str, numbers: Any, score: Any = None, track: Any = None) -> Person:
    video, frame = split_name(PurePosixPath(image).stem)
    while isinstance(track, list) and track:
        track = track[0]
    tracked = isinstance(track, (int, float)) and 0 <= track < float("inf")
    return Person(
        f"'{path}', image '{image}'", video or path.stem, frame or 0, numbers, score,
        int(track) if tracked else NO_TRACK,
    )  # fmt: skip
