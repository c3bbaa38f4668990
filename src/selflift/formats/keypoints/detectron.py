"""A Detectron inference file of a video, as VideoPose3D's ``inference`` scripts write it.

``boxes[i][1]`` is ``(n, 5)``: x1, y1, x2, y2, score of the people of frame i; ``keypoints[i][1]``
is ``(n, 4, 17)``: rows x, y, logit, probability of COCO's joints. Class 1 is the person.
``metadata`` is ``{"w": ..., "h": ...}``. Detectron's probabilities are those of one cell of a
heatmap: small numbers are usual.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Report
from selflift.files.array_archives import npz_keys, read_npz
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints.layout_recognition import choose_layout
from selflift.formats.keypoints.person_table import Detections
from selflift.formats.keypoints.reader import files_of, recordings

KEYS = ("boxes", "keypoints", "metadata")
JOINTS = 17
_CLASS = 1


def recognise(path: Path) -> bool:
    """Return whether it is an npz file of boxes, keypoints and metadata, or a folder of such."""
    try:
        file = files_of(path, ".npz")[0]
    except ImportFileError:
        return False
    return file.is_file() and set(KEYS) <= set(npz_keys(file))


def open_keypoints(path: Path, options: KeypointOptions) -> Recordings:
    """Open Detectron's file or a folder of such files; each file is a clip."""
    files = files_of(path, ".npz")
    for file in files:
        have = npz_keys(file)
        if file.is_file() and have and (missing := sorted(set(KEYS) - set(have))):
            raise ImportFileError(
                f"'{file}': expected the keys {', '.join(KEYS)}, got {', '.join(have)} (without "
                f"{', '.join(missing)}); is it a Detectron inference file?"
            )
    layout = choose_layout(f"'{path}'", JOINTS, options.layout)
    first = _read(files[0])
    if len(files) == 1 and len(first[0]) == 0:
        raise ImportFileError(f"'{path}': expected people, got nobody in {first[1]} frames")

    def read(report: Report) -> Iterator[Detections]:
        for number, file in enumerate(files):
            people, empty = first if number == 0 else _read(file)
            report.drop("nobody detected", empty)
            yield people

    return recordings(
        "detectron", options, layout, read, videos=len(files), has_size=True,
        settings={"score": "the score of a person's box"},
    )  # fmt: skip


def _read(file: Path) -> tuple[Detections, int]:
    """Read the people of a file, and the number of frames without any."""
    content = read_npz(file, *KEYS)
    boxes, keypoints = content["boxes"], content["keypoints"]
    for key in ("boxes", "keypoints"):
        table = content[key]
        if not isinstance(table, list) and not (isinstance(table, np.ndarray) and table.ndim):
            raise ImportFileError(f"'{file}': expected {key} as a list by frame, got {table!r:.60}")
    if len(boxes) != len(keypoints) or len(boxes) == 0:
        raise ImportFileError(
            f"'{file}': expected as many frames of boxes as of keypoints, got {len(boxes)} and "
            f"{len(keypoints)}; the file is incomplete"
        )
    frames: list[int] = []
    scores, joints = [np.zeros(0)], [np.zeros((0, 4, JOINTS))]
    for frame, (box, points) in enumerate(zip(boxes, keypoints, strict=True)):
        box, points = _of_people(file, frame, box), _of_people(file, frame, points)
        if len(box) == 0 or len(points) == 0:
            continue
        if box.ndim != 2 or box.shape[1] != 5 or points.shape != (len(box), 4, JOINTS):
            raise ImportFileError(
                f"'{file}', frame {frame}: expected boxes (n, 5) and keypoints (n, 4, {JOINTS}), "
                f"got {box.shape} and {points.shape}"
            )
        frames += [frame] * len(box)
        scores.append(box[:, 4])
        joints.append(points)
    together = np.concatenate(joints).astype(np.float32)
    people = Detections(
        video=file.stem,
        frame=np.array(frames, np.int64),
        keypoints=together[:, :2].transpose(0, 2, 1),
        confidence=together[:, 3],
        score=np.concatenate(scores),
        size_px=_size(file, content["metadata"]),
    )
    return people, len(boxes) - len(set(frames))


def _of_people(file: Path, frame: int, classes: Any) -> np.ndarray:
    try:
        found = np.asarray(classes[_CLASS], np.float64)
        if found.ndim == 0:
            raise ValueError("expected an array, got one number")
        return found
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        raise ImportFileError(
            f"'{file}', frame {frame}: expected a list by class with the people at {_CLASS}, got "
            f"{classes!r:.60}"
        ) from error


def _size(file: Path, metadata: Any) -> tuple[int, int]:
    try:
        return int(metadata["w"]), int(metadata["h"])
    except (TypeError, KeyError, ValueError, IndexError, OverflowError) as error:
        raise ImportFileError(
            f"'{file}': expected metadata with w and h, got {metadata!r:.60}"
        ) from error
