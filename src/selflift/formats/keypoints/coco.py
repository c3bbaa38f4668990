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
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Report
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.json_items import first_items, items
from selflift.formats.keypoints.layout_recognition import choose_layout
from selflift.formats.keypoints.person_table import (
    MOST,
    MOST_DIGITS,
    Collector,
    Detections,
    Person,
    identity,
)
from selflift.formats.keypoints.reader import recordings

MOST_PIXELS = 2**24
_PARTS = ("images", "annotations", "categories")
_PERSON = "person"
_PERSON_ID = 1


def recognise(path: Path) -> bool:
    """Return whether it is a JSON file of COCO's annotations, or of results by image *numbers*."""
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


def open_keypoints(path: Path, options: KeypointOptions) -> Recordings:
    """Open a file of COCO's annotations or results; it is read here, into compact arrays."""
    content = _Content(path)
    chosen = content.person_category()
    collector = content.people[chosen]
    names = content.names.get(chosen, ("", []))[1]
    layout = choose_layout(f"'{path}'", collector.joints, options.layout, names)
    size = content.size_px(options)
    table = collector.table(path.stem, layout.skeleton.num_joints, size)
    people, third = _confidences(path, table)

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


class _Content:
    """The content of a file; people by their category."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.people: dict[int, Collector] = {}
        self.names: dict[int, tuple[str, list[str]]] = {}
        self.images: set[int] = set()
        self.with_people: set[int] = set()
        self.dropped: Counter[str] = Counter()
        self._sizes: set[tuple[int, int]] = set()
        self._keys: set[str] = set()
        for number, (key, item) in enumerate(items(path)):
            if key not in ("", *_PARTS):
                continue
            where = f"'{path}', {key[:-1] or 'item'} {number}"
            if not isinstance(item, dict):
                raise ImportFileError(f"{where}: expected an object, got {type(item).__name__}")
            if key == "images":
                self._add_image(where, item)
            elif key == "categories":
                self._add_category(where, item)
            else:
                self._add_person(where, item)

    def _add_image(self, where: str, item: dict[str, Any]) -> None:
        self.images.add(_id(where, item, "id"))
        width, height = item.get("width"), item.get("height")
        if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
            if max(width, height) > MOST_PIXELS:
                raise ImportFileError(
                    f"{where}: expected an image of at most {MOST_PIXELS} pixels a side, got a "
                    "larger one; the file is corrupt"
                )
            self._sizes.add((width, height))

    def _add_category(self, where: str, item: dict[str, Any]) -> None:
        joints = item.get("keypoints") or []
        if not isinstance(joints, list):
            raise ImportFileError(
                f"{where}: expected keypoints as a list of the joints' names, got "
                f"{type(joints).__name__}"
            )
        self.names[_id(where, item, "id")] = str(item.get("name", "")), list(map(str, joints))

    def _add_person(self, where: str, item: dict[str, Any]) -> None:
        numbers = item.get("keypoints")
        image = _id(where, item, "image_id")
        self._keys.update(item)
        self.with_people.add(image)
        if item.get("iscrowd"):
            self.dropped["crowd, not a person"] += 1
        elif numbers is None:
            self.dropped["person without keypoints"] += 1
        elif item.get("num_keypoints") == 0:
            self.dropped["person without a labelled joint"] += 1
        else:
            category = _id(where, item, "category_id")
            if category not in self.people:
                if not isinstance(numbers, list) or not numbers or len(numbers) % 3:
                    raise ImportFileError(
                        f"{where}: expected keypoints as x, y and v of each joint, got "
                        f"{numbers!r:.60}"
                    )
                self.people[category] = Collector(len(numbers) // 3)
            track = identity(item.get("track_id"))
            person = Person(where, self.path.stem, image, numbers, item.get("score"), track)
            self.people[category].add(person)

    def person_category(self) -> int:
        """Choose the category of people; the others are counted as dropped."""
        if not self.people:
            got = f"items of {', '.join(sorted(self._keys))}" if self._keys else "no item"
            reasons = "".join(f"; {number} x {reason}" for reason, number in self.dropped.items())
            raise ImportFileError(
                f"'{self.path}': expected people with keypoints, got {got}{reasons}; boxes alone "
                "are not enough: use the file of keypoints (person_keypoints_*.json), or run a "
                "pose estimator on the boxes"
            )
        name = {n: self.names.get(n, (str(n), []))[0] for n in self.people}
        named = [n for n in self.people if name[n] == _PERSON]
        if len(self.people) == 1:
            named = list(self.people)
        elif not self.names and _PERSON_ID in self.people:
            named = [_PERSON_ID]
        if len(named) != 1:
            raise ImportFileError(
                f"'{self.path}': expected keypoints of one category, '{_PERSON}', got those of "
                f"{', '.join(name.values())}; keep one"
            )
        for n, others in self.people.items():
            if n != named[0]:
                self.dropped[f"of category {name[n]}"] += len(others)
        return named[0]

    def size_px(self, options: KeypointOptions) -> tuple[int, int] | None:
        """Return the size of the images, if they all have the same."""
        if len(self._sizes) > 1 and (options.size_px is not None or options.f_px is not None):
            raise ImportFileError(
                f"'{self.path}': expected images of one size for keypoints.size_px and "
                f"keypoints.f_px, got {len(self._sizes)} sizes; leave both out"
            )
        return next(iter(self._sizes)) if len(self._sizes) == 1 else None


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


def _confidences(path: Path, table: Detections) -> tuple[Detections, str]:
    third = table.confidence
    if np.isfinite(third).all() and third.max(initial=0) <= 0:
        raise ImportFileError(
            f"'{path}': expected a confidence or a visibility above 0 as third number of "
            "some joint, got none; have the detector write its scores"
        )
    if not np.isin(third, (0, 1, 2)).all():
        return table, "a confidence"
    meaning = "COCO's visibility: 1 (hidden) and 2 (seen) count as confidence 1, 0 as missing"
    return replace(table, confidence=np.minimum(third, np.float32(1))), meaning
