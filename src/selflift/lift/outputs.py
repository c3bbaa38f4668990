"""Writing a prediction: each file by its ending."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selflift.formats.mocap import write_bvh
from selflift.lift.output_arrays import write_hdf5, write_npz
from selflift.lift.output_paths import Place, all_or_none, check_free
from selflift.lift.output_text import write_csv, write_json
from selflift.lift.people import LiftedPerson, Prediction
from selflift.lift.render import render
from selflift.lift.smoothing import unbroken

WRITERS: dict[str, Callable[[Path, Prediction], None]] = {
    ".npz": write_npz,
    ".h5": write_hdf5,
    ".hdf5": write_hdf5,
    ".json": write_json,
    ".csv": write_csv,
}


@dataclass(frozen=True)
class Part:
    """An unbroken motion of one person, which is one BVH file.

    Attributes:
        path: The file.
        person: Who.
        rows: Which of the person's rows.
    """

    path: Path
    person: LiftedPerson
    rows: slice

    @property
    def first_frame(self) -> int:
        """The frame of the video with which it begins."""
        return int(self.person.frame[self.rows][0])


def write_all(
    prediction: Prediction, data: list[Path], pictures: list[Path], title: str, overwrite: bool
) -> list[tuple[Path, str]]:
    """Write and draw all files, or none.

    Args:
        prediction: What to write.
        data: Files of data.
        pictures: Files to draw.
        title: What pictures are called.
        overwrite: Whether files that are there are replaced.

    Returns:
        Each file, and what one should know of it.

    Raises:
        ValueError: If nobody has a pose for a BVH file or a picture, or a file is there already.
        OSError: If a file can't be written; earlier ones are intact.
    """
    parts = [part for path in data if path.suffix.lower() == ".bvh"
             for part in bvh_parts(path, prediction)]  # fmt: skip
    for part in parts:
        check_free(part.path, overwrite)
    written: list[tuple[Path, str]] = []
    with all_or_none() as place:
        for path in data:
            if (ending := path.suffix.lower()) != ".bvh":
                WRITERS[ending](place(path), prediction)
                written.append((path, ""))
        for part in parts:
            written.append((part.path, _write_bvh(place, part, prediction)))
        for path in pictures:
            render(place(path), prediction, title)
            written.append((path, ""))
    return written


def bvh_parts(path: Path, prediction: Prediction) -> list[Part]:
    """The BVH files of a prediction: one for each person, and for each part of a broken motion.

    Args:
        path: The name given; with several files the person's is added, and the part's number.
        prediction: Whose people.

    Raises:
        ValueError: If nobody has a pose.
    """
    found = [(person, unbroken(person)) for person in prediction.people]
    found = [(person, parts) for person, parts in found if parts]
    if not found:
        raise ValueError(f"output '{path}': expected somebody with a pose, got nobody")
    out = []
    taken: set[str] = set()
    for person, parts in found:
        own = "" if len(found) == 1 else "_" + re.sub(r"[^\w\-]+", "_", person.name)
        for number, rows in enumerate(parts, 1):
            name = path.stem + own + (f"_part{number}" if len(parts) > 1 else "")
            while name in taken:
                name += "_"
            taken.add(name)
            out.append(Part(path.with_name(name + path.suffix), person, rows))
    return out


def _write_bvh(place: Place, part: Part, prediction: Prediction) -> str:
    X = part.person.absolute_m[part.rows] - on_ground(prediction, part.person)
    fps = part.person.fps / part.person.step
    write_bvh(place(part.path), X, prediction.skeleton, fps, up="y")
    return f"{part.person.name}, {len(X):,} frames from frame {part.first_frame}"


def on_ground(prediction: Prediction, person: LiftedPerson) -> np.ndarray:
    """What to subtract from levelled places so that the ground is at height 0, ``(3,)``."""
    return np.array([0.0, prediction.scenes[person.scene].ground_m, 0.0])
