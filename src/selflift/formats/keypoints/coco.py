"""Keypoints in COCO's JSON: annotations, and detectors' results.

Annotations are an object of ``images``, ``annotations`` and ``categories``; the ``keypoints`` of a
person are x, y, v of each joint, where v is 0 for a joint that is not labelled, 1 for one that is
labelled though hidden, 2 for one that is seen. Results are a list ``{image_id, category_id,
keypoints, score}``, whose third number is a confidence, or again v (with a place of no meaning
where v is 0). If there is nothing but 0, 1 and 2, it is taken for v: joints of 1 and 2 get
confidence 1.

Images have an order only if they come from a video, so everybody is taken by default, and ``frame``
is the image's id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Report
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.assemble import recordings
from selflift.formats.keypoints.detections import (
    MOST,
    MOST_DIGITS,
    MOST_PIXELS,
    NO_TRACK,
    Collector,
    Detections,
)
from selflift.formats.keypoints.json_stream import first_items, items
from selflift.formats.keypoints.layouts import choose_layout

_PARTS = ("images", "annotations", "categories")
_PERSON = "person"
_PERSON_ID = 1


@dataclass
class _Content:
    """What is gathered from a file; people by their category."""

    path: Path
    people: dict[int, Collector] = field(default_factory=dict)
    names: dict[int, tuple[str, list[str]]] = field(default_factory=dict)
    images: set[int] = field(default_factory=set)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    with_people: set[int] = field(default_factory=set)
    dropped: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)

    @property
    def annotated(self) -> bool:
        return bool(self.images or self.names)


def recognise(path: Path) -> bool:
    """Whether it is a JSON file of COCO's annotations, or of results by image *numbers*."""
    for key, item in first_items(path, 100):
        if key in _PARTS:
            return isinstance(item, dict) and "id" in item
        if not key:
            return (
                isinstance(item, dict)
                and isinstance(item.get("image_id"), int)
                and "category_id" in item
            )
    return False


def open_coco(path: str | Path, options: KeypointOptions) -> Recordings:
    """The people in a file of COCO's annotations or results.

    The file is read here, whole, item by item into compact arrays.

    Args:
        path: The file.
        options: What to make of it.

    Raises:
        ImportFileError: If the file is damaged, has no keypoints or an unknown layout.
    """
    path = Path(path)
    content = _read(path)
    chosen = _category(content)
    collector = content.people[chosen]
    names = content.names.get(chosen, ("", []))[1]
    layout = choose_layout(f"'{path}'", collector.joints, options.layout, names)
    size = _size(content, options)
    table = collector.table(path.stem, layout.skeleton.num_joints, size)
    people, third = _confidences(content, table)

    def read(report: Report) -> Iterator[Detections]:
        for reason, number in content.dropped.items():
            report.drop(reason, number)
        report.drop("nobody annotated in the image", len(content.images - content.with_people))
        yield people

    return recordings(
        "coco",
        options,
        layout,
        read,
        videos=1,
        people="all",
        has_size=size is not None,
        settings={
            "frame": "the image's id; images are taken for frames of one video only if "
            "keypoints.people is best or track",
            "third number of a joint": third,
        },
    )


def _read(path: Path) -> _Content:
    content = _Content(path)
    for number, (key, item) in enumerate(items(path)):
        if key not in ("", *_PARTS):
            continue
        where = f"'{path}', {key[:-1] or 'item'} {number}"
        if not isinstance(item, dict):
            raise ImportFileError(f"{where}: expected an object, got {type(item).__name__}")
        if key == "images":
            _add_image(content, where, item)
        elif key == "categories":
            joints = item.get("keypoints") or []
            if not isinstance(joints, list):
                raise ImportFileError(
                    f"{where}: expected keypoints as a list of the joints' names, got "
                    f"{type(joints).__name__}"
                )
            content.names[_id(where, item, "id")] = (
                str(item.get("name", "")), [str(joint) for joint in joints],
            )  # fmt: skip
        else:
            _add_person(content, where, item)
    return content


def _id(where: str, item: dict[str, Any], key: str) -> int:
    value = item.get(key)
    if isinstance(value, str) and value.isdecimal() and len(value) <= MOST_DIGITS:
        value = int(value)
    if not isinstance(value, int) or abs(value) > MOST:
        raise ImportFileError(
            f"{where}: expected an integer {key}, got {value!r:.40}; COCO numbers its images and "
            "categories"
        )
    return value


def _add_image(content: _Content, where: str, item: dict[str, Any]) -> None:
    content.images.add(_id(where, item, "id"))
    width, height = item.get("width"), item.get("height")
    if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
        if max(width, height) > MOST_PIXELS:
            raise ImportFileError(
                f"{where}: expected an image of at most {MOST_PIXELS} pixels a side, got a larger "
                "one; the file is damaged"
            )
        content.sizes.add((width, height))


def _add_person(content: _Content, where: str, item: dict[str, Any]) -> None:
    triples = item.get("keypoints")
    image = _id(where, item, "image_id")
    content.keys.update(item)
    content.with_people.add(image)
    if item.get("iscrowd"):
        content.dropped["crowd, not a person"] += 1
    elif triples is None:
        content.dropped["person without keypoints"] += 1
    elif item.get("num_keypoints") == 0:
        content.dropped["person without a labelled joint"] += 1
    else:
        category = _id(where, item, "category_id")
        if category not in content.people:
            if not isinstance(triples, list) or not triples or len(triples) % 3:
                raise ImportFileError(
                    f"{where}: expected keypoints as x, y and v of each joint, got {triples!r:.60}"
                )
            content.people[category] = Collector(len(triples) // 3)
        track = item.get("track_id")
        content.people[category].add(
            where, image, triples, item.get("score"),
            track if isinstance(track, int) and track >= 0 else NO_TRACK,
        )  # fmt: skip


def _category(content: _Content) -> int:
    """The category of people; the others are counted as dropped."""
    path, people = content.path, content.people
    if not people:
        got = f"items of {', '.join(sorted(content.keys))}" if content.keys else "no item"
        reasons = "".join(f"; {number} x {reason}" for reason, number in content.dropped.items())
        raise ImportFileError(
            f"'{path}': expected people with keypoints, got {got}{reasons}; boxes alone "
            "are not enough: use the file of keypoints (person_keypoints_*.json), or run a pose "
            "estimator on the boxes"
        )
    named = [number for number in people if content.names.get(number, ("", []))[0] == _PERSON]
    if len(people) == 1:
        chosen = next(iter(people))
    elif len(named) == 1:
        chosen = named[0]
    elif not content.names and _PERSON_ID in people:
        chosen = _PERSON_ID
    else:
        raise ImportFileError(
            f"'{path}': expected keypoints of one category, '{_PERSON}', got those of "
            f"{', '.join(content.names.get(n, (str(n),))[0] for n in people)}; keep one"
        )
    for number, others in people.items():
        if number != chosen:
            name = content.names.get(number, (str(number),))[0]
            content.dropped[f"of category {name}"] += len(others)
    return chosen


def _size(content: _Content, options: KeypointOptions) -> tuple[int, int] | None:
    """The size of the images, if they all have the same."""
    if len(content.sizes) == 1:
        return next(iter(content.sizes))
    if content.sizes and (options.size_px is not None or options.f_px is not None):
        raise ImportFileError(
            f"'{content.path}': expected images of one size for keypoints.size_px and "
            f"keypoints.f_px, got {len(content.sizes)} sizes; leave both out"
        )
    return None


def _confidences(content: _Content, table: Detections) -> tuple[Detections, str]:
    third = table.confidence
    if np.isfinite(third).all() and third.max(initial=0) <= 0:
        raise ImportFileError(
            f"'{content.path}': expected a confidence or a visibility above 0 as third number of "
            "some joint, got none; have the detector write its scores"
        )
    if not np.isin(third, (0, 1, 2)).all():
        return table, "a confidence"
    said = "COCO's visibility: 1 (hidden) and 2 (seen) count as confidence 1, 0 as missing"
    return replace(table, confidence=np.minimum(third, np.float32(1))), said
