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
from typing import Any, NamedTuple

import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Report
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.assemble import Gaps, recordings
from selflift.formats.keypoints.detections import NO_TRACK, Collector, Detections, split_name
from selflift.formats.keypoints.json_stream import first_items, items
from selflift.formats.keypoints.layouts import BY_COUNT, choose_layout
from selflift.skeleton import OPENPOSE_COCO_18

_IMAGE = re.compile(r".*\.(jpe?g|png|bmp|tiff?|webp)", re.IGNORECASE)
# Of an object by image: where its people are, and where their joints.
_FORMS = {"bodies": "joints", "people": "pose_keypoints_2d"}
_OBJECT_LAYOUTS = {18: OPENPOSE_COCO_18}


class _Person(NamedTuple):
    image: str
    triples: Any
    score: Any
    track: int
    by_image: bool


def recognise(path: Path) -> bool:
    """Whether it is a JSON file of people by image *names*; COCO's results have numbers."""
    for key, item in first_items(path, 1):
        if not isinstance(item, dict):
            return False
        if key:
            return _is_image(key) and any(form in item for form in _FORMS)
        return _is_image(item.get("image_id")) and "keypoints" in item
    return False


def open_alphapose(path: str | Path, options: KeypointOptions) -> Recordings:
    """The people in one of AlphaPose's files.

    An image's number is its frame. Images of a folder whose names differ before the number
    (``walk_001.jpg``, ``run_001.jpg``) are clips of their own.

    Args:
        path: The file.
        options: What to make of it.

    Raises:
        ImportFileError: If the file has another form or nobody in it; while reading, if it is
            damaged.
    """
    path = Path(path)
    first = next(_people(path), None)
    if first is None:
        raise ImportFileError(f"'{path}': expected people, got none")
    numbers = first.triples
    if not isinstance(numbers, list) or not numbers or len(numbers) % 3:
        raise ImportFileError(
            f"'{path}': expected keypoints as x, y and confidence of each joint, got "
            f"{numbers!r:.80}"
        )
    layout = choose_layout(
        f"'{path}'", len(numbers) // 3, options.layout,
        known=_OBJECT_LAYOUTS if first.by_image else BY_COUNT,
    )  # fmt: skip

    def read(report: Report) -> Iterator[Detections]:
        videos: dict[str, Collector] = {}
        for person in _people(path):
            video, frame = split_name(PurePosixPath(person.image).stem)
            collector = videos.setdefault(video or path.stem, Collector(layout.count))
            collector.add(
                f"'{path}', image '{person.image}'", frame or 0, person.triples, person.score,
                person.track,
            )  # fmt: skip
        gaps = Gaps()
        for video, collector in videos.items():
            table = collector.table(video, layout.skeleton.num_joints)
            gaps.see(video, np.unique(table.frame))
            yield table
        gaps.tell(report, "have nobody in them")

    score = "the mean confidence of a person's joints" if first.by_image else "AlphaPose's score"
    return recordings("alphapose", options, layout, read, videos=None, settings={"score": score})


def _is_image(name: Any) -> bool:
    return isinstance(name, str) and _IMAGE.fullmatch(name) is not None


def _people(path: Path) -> Iterator[_Person]:
    for number, (key, item) in enumerate(items(path)):
        where = f"'{path}', item {number}"
        if not isinstance(item, dict):
            raise ImportFileError(f"{where}: expected an object, got {type(item).__name__}")
        if key:
            yield from _bodies(f"'{path}', image '{key}'", key, item)
            continue
        image = item.get("image_id")
        if not _is_image(image) or "keypoints" not in item:
            raise ImportFileError(
                f"{where}: expected image_id with the name of an image and keypoints, got "
                f"{', '.join(item)} (image_id {image!r:.40}); if these are COCO results, name the "
                "source coco"
            )
        track = _track(item.get("idx"))
        yield _Person(str(image), item["keypoints"], item.get("score"), track, by_image=False)


def _bodies(where: str, image: str, item: dict[str, Any]) -> Iterator[_Person]:
    form = next((form for form in _FORMS if form in item), None)
    if form is None or not _is_image(image) or not isinstance(item[form], list):
        raise ImportFileError(
            f"{where}: expected the name of an image and in it bodies or people, got "
            f"{', '.join(item)}; AlphaPose's forms are a list, 'cmu' and 'open'"
        )
    for body in item[form]:
        triples = body.get(_FORMS[form]) if isinstance(body, dict) else None
        if triples is None:
            raise ImportFileError(f"{where}: expected {form} with {_FORMS[form]}, got none")
        yield _Person(image, triples, None, NO_TRACK, by_image=True)


def _track(value: Any) -> int:
    while isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, (int, float)) and 0 <= value < float("inf"):
        return int(value)
    return NO_TRACK
