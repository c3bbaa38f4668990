"""Where results go: checked before anything is computed, written all or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Ending to what it is, in a few words.
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

# Gives the place to write a file at, for the place where it is to appear.
Place = Callable[[Path], Path]


def check_places(
    output: Any, render: Any, source: Path, overwrite: bool
) -> tuple[list[Path], list[Path]]:
    """The files to write and those to draw.

    Args:
        output: A path or a list of them, or ``None``.
        render: The same.
        source: The input, which is not replaced.
        overwrite: Whether other files that are there are.

    Raises:
        ValueError: If there is none, an ending is unknown, a path is named twice, or something is
            there already.
    """
    data = _paths("output", output, DATA_ENDINGS)
    pictures = _paths("render", render, PICTURE_ENDINGS)
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
        check_free(path, overwrite)
    return data, pictures


def check_free(path: Path, overwrite: bool) -> None:
    """Refuse a place that can't be written, or holds something.

    Raises:
        ValueError: If so.
    """
    if path.is_dir():
        raise ValueError(f"output '{path}': expected a file to write, got a folder; add a name")
    # Replacing a device or a pipe by a file takes it away from everybody on the machine.
    if path.exists() and not path.is_file():
        raise ValueError(f"output '{path}': expected a file, got a device or a pipe; name a file")
    if path.exists() and not overwrite:
        raise ValueError(
            f"output '{path}': is there already; choose another name or set overwrite=true"
        )


def _paths(key: str, given: Any, endings: dict[str, str]) -> list[Path]:
    listed = given if isinstance(given, list) else [] if given is None else [given]
    if not all(isinstance(one, str) and one for one in listed):
        raise ValueError(
            f"{key}: expected a file or a list of files, as in {key}=[a{next(iter(endings))}], got "
            f"{given!r}"
        )
    paths = [Path(one) for one in listed]
    for path in paths:
        if path.suffix.lower() in endings:
            continue
        other = {"output": ("render", PICTURE_ENDINGS), "render": ("output", DATA_ENDINGS)}[key]
        remedy = f"; give it as {other[0]}={path}" if path.suffix.lower() in other[1] else ""
        raise ValueError(
            f"{key} '{path}': expected a file that ends in {', '.join(endings)}, got "
            f"'{path.suffix}'{remedy}"
        )
    return paths


@contextmanager
def all_or_none() -> Iterator[Place]:
    """Files that appear together when the block ends without an error, or not at all.

    Yields:
        Where to write a file, given its place: in a hidden folder beside it, under its own name.

    Raises:
        OSError: If one can't be written, naming its place; earlier files of that name are intact.
    """
    folders: dict[Path, Path] = {}
    made: list[Path] = []
    written: dict[Path, Path] = {}

    def place(path: Path) -> Path:
        home = path.parent
        if home not in folders:
            absent = [p for p in (home, *home.parents) if not p.exists()]
            home.mkdir(parents=True, exist_ok=True)
            made.extend(absent)
            folders[home] = Path(tempfile.mkdtemp(dir=home, prefix=".selflift."))
        written[path] = folders[home] / path.name
        return written[path]

    done = False
    try:
        yield place
        for path, temporary in written.items():
            os.replace(temporary, path)
        done = True
    except ValueError as error:
        line = str(error)
        for path, temporary in written.items():
            line = line.replace(str(temporary), str(path))
        raise ValueError(line) from error
    except OSError as error:
        # The user knows the file that was to be written, not the temporary one.
        where = {str(temporary): path for path, temporary in written.items()}
        name = where.get(str(error.filename)) or next(reversed(written), error.filename)
        raise type(error)(error.errno, error.strerror or str(error), str(name)) from error
    finally:
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)
        if not done:
            for folder in made:
                # Others may have put something there since.
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
