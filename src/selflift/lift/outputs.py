"""Output files of a prediction: checked before anything is computed, written all or none."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selflift.formats.mocap import write_bvh
from selflift.lift.output_files import write_csv, write_hdf5, write_json, write_npz
from selflift.lift.people import LiftedPerson, Prediction
from selflift.lift.render import render
from selflift.lift.smoothing import unbroken

# Endings, with a description for the help text.
DATA_ENDINGS = {
    ".npz": "arrays",
    ".h5": "arrays (HDF5)",
    ".hdf5": "arrays (HDF5)",
    ".json": "people, frame by frame",
    ".csv": "a table, a line for each joint",
    ".bvh": "motion for animation tools, a file for each person",
}
PICTURE_ENDINGS = {
    ".png": "a few frames",
    ".gif": "an animation",
    ".mp4": "an animation",
    ".html": "a viewer that opens offline",
}
WRITERS: dict[str, Callable[[Path, Prediction], None]] = {
    ".npz": write_npz,
    ".h5": write_hdf5,
    ".hdf5": write_hdf5,
    ".json": write_json,
    ".csv": write_csv,
}


class Part(NamedTuple):
    """An unbroken motion, some rows of one person, and the BVH file to write it to."""

    path: Path
    person: LiftedPerson
    rows: slice


def check_places(
    output: Any, render: Any, source: Path, overwrite: bool
) -> tuple[list[Path], list[Path]]:
    """Validate the names of the files to write and of those to draw.

    Args:
        output: A path or a list of them, or ``None``.
        render: The same.
        source: The input, which is never replaced.
        overwrite: Whether other existing files are replaced.

    Raises:
        ValueError: If there is none, an ending is unknown, a path is named twice, or one is taken.
    """
    data = _paths("output", output, DATA_ENDINGS, "render", PICTURE_ENDINGS)
    pictures = _paths("render", render, PICTURE_ENDINGS, "output", DATA_ENDINGS)
    if not data and not pictures:
        raise ValueError(
            "output: expected a file to write, got none; give output=out.npz (or "
            f"{', '.join(ending for ending in DATA_ENDINGS if ending != '.npz')}), or "
            f"render=out.html (or {', '.join(e for e in PICTURE_ENDINGS if e != '.html')})"
        )
    places = [*data, *pictures]
    for path in places:
        if sum(other.resolve() == path.resolve() for other in places) > 1:
            raise ValueError(f"output '{path}': expected each file once, got it twice")
        if path.resolve() == source.resolve():
            raise ValueError(f"output '{path}': expected another file than the input, got the same")
        _check_free(path, overwrite)
    return data, pictures


def _paths(
    key: str, given: Any, endings: dict[str, str], other: str, other_endings: dict[str, str]
) -> list[Path]:
    listed = given if isinstance(given, list) else [] if given is None else [given]
    if not all(isinstance(one, str) and one for one in listed):
        raise ValueError(
            f"{key}: expected a file or a list of files, as in {key}=[a{next(iter(endings))}], got "
            f"{given!r}"
        )
    paths = [Path(one) for one in listed]
    for path in paths:
        if (ending := path.suffix.lower()) not in endings:
            remedy = f"; give it as {other}={path}" if ending in other_endings else ""
            raise ValueError(
                f"{key} '{path}': expected a file that ends in {', '.join(endings)}, got "
                f"'{path.suffix}'{remedy}"
            )
    return paths


def _check_free(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise ValueError(f"output '{path}': expected a file to write, got a folder; add a name")
    # Replacing a device or a pipe by a file would take it away from everybody on the machine.
    if path.exists() and not path.is_file():
        raise ValueError(f"output '{path}': expected a file, got a device or a pipe; name a file")
    if path.exists() and not overwrite:
        raise ValueError(
            f"output '{path}': is there already; choose another name or set overwrite=true"
        )


def write_all(
    prediction: Prediction, data: list[Path], pictures: list[Path], title: str, overwrite: bool
) -> list[tuple[Path, str]]:
    """Write and draw all files, or none.

    Args:
        prediction: The prediction.
        data: Data files, each in the format of its ending.
        pictures: Files to draw.
        title: Title of the pictures.
        overwrite: Whether existing files are replaced.

    Returns:
        Each file, with a remark about its content.

    Raises:
        ValueError: If nobody has a pose for a BVH file or a picture, or a file exists already.
        OSError: If a file can't be written; earlier ones are intact.
    """
    parts = [part for path in data if path.suffix.lower() == ".bvh"
             for part in bvh_parts(path, prediction)]  # fmt: skip
    for part in parts:
        _check_free(part.path, overwrite)
    arrays = [path for path in data if path.suffix.lower() != ".bvh"]
    with all_or_none() as place:
        for path in arrays:
            WRITERS[path.suffix.lower()](place(path), prediction)
        remarks = [(part.path, _write_bvh(place(part.path), part, prediction)) for part in parts]
        for path in pictures:
            render(place(path), prediction, title)
    return [*((path, "") for path in arrays), *remarks, *((path, "") for path in pictures)]


def bvh_parts(path: Path, prediction: Prediction) -> list[Part]:
    """Name the BVH files: one for each person, and for each part of a broken motion.

    Args:
        path: The name given; with several files the person's is added, and the part's number.
        prediction: The prediction.

    Raises:
        ValueError: If nobody has a pose.
    """
    found = [(person, parts) for person in prediction.people if (parts := unbroken(person))]
    if not found:
        raise ValueError(f"output '{path}': expected somebody with a pose, got nobody")
    out: dict[str, Part] = {}
    for person, parts in found:
        own = "" if len(found) == 1 else "_" + re.sub(r"[^\w\-]+", "_", person.name)
        for number, rows in enumerate(parts, 1):
            name = path.stem + own + (f"_part{number}" if len(parts) > 1 else "")
            while name in out:
                name += "_"
            out[name] = Part(path.with_name(name + path.suffix), person, rows)
    return list(out.values())


def _write_bvh(path: Path, part: Part, prediction: Prediction) -> str:
    person, rows = part.person, part.rows
    # Animation tools expect the ground at height 0.
    ground = np.array([0.0, prediction.scenes[person.scene].ground_m, 0.0])
    X = person.absolute_m[rows] - ground
    write_bvh(path, X, prediction.skeleton, person.fps / person.step, up="y")
    return f"{person.name}, {len(X):,} frames from frame {int(person.frame[rows][0])}"


@contextmanager
def all_or_none() -> Iterator[Callable[[Path], Path]]:
    """Have files appear together when the block ends without an error, or not at all.

    Yields:
        A function from a file's path to where to write it meanwhile: under its own name, in a
        hidden folder beside it.

    Raises:
        OSError: If one can't be written, with its own path; earlier files of that name are intact.
    """
    hidden: dict[Path, Path] = {}
    made: list[Path] = []
    written: dict[Path, Path] = {}

    def place(path: Path) -> Path:
        home = path.parent
        if home not in hidden:
            absent = [folder for folder in (home, *home.parents) if not folder.exists()]
            home.mkdir(parents=True, exist_ok=True)
            made.extend(absent)
            hidden[home] = Path(tempfile.mkdtemp(dir=home, prefix=".selflift."))
        written[path] = hidden[home] / path.name
        return written[path]

    try:
        yield place
        for path, temporary in written.items():
            os.replace(temporary, path)
        made.clear()
    # Errors name the files that the user asked for, not the temporary ones.
    except ValueError as error:
        line = str(error)
        for path, temporary in written.items():
            line = line.replace(str(temporary), str(path))
        raise ValueError(line) from error
    except OSError as error:
        paths = {str(temporary): path for path, temporary in written.items()}
        name = paths.get(str(error.filename)) or next(reversed(written), error.filename)
        raise type(error)(error.errno, error.strerror or str(error), str(name)) from error
    finally:
        for folder in hidden.values():
            shutil.rmtree(folder, ignore_errors=True)
        for folder in made:
            # Others may have put something there since.
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
