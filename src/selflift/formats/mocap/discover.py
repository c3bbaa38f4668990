"""Finds motion files, and what their names tell: clip, subject, action, skeleton."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from selflift.data.recording import Report
from selflift.formats.mocap.text import wrong

SKELETON, MOTION = ".asf", (".amc", ".bvh")
UNKNOWN = "unknown"
# 02 of 02_01 (CMU's subject and trial), or subject1 of walk1_subject1.
SUBJECTS = (r"^([a-z]{0,3}\d+)_\d+(?:_|$)", r"(?:^|_)((?:subject|actor|person)\d+)(?:_|$)")
RECOGNISE_DEPTH = 3
RECOGNISE_ENTRIES = 20_000


@dataclass(frozen=True)
class Found:
    """A motion file.

    Attributes:
        path: The file.
        clip: Unique name of the recording.
        subject: Who moves, as far as names tell.
        asf: The skeleton of an AMC file.
    """

    path: Path
    clip: str
    subject: str
    asf: Path | None


def recognise(path: Path) -> bool:
    """Whether it is a motion capture file, or a folder with one at most three levels down."""
    kinds = (SKELETON, *MOTION)
    if path.is_file():
        return path.suffix.lower() in kinds
    names = islice(_walk(path, RECOGNISE_DEPTH), RECOGNISE_ENTRIES)
    return any(Path(name).suffix.lower() in kinds for name in names)


def _walk(folder: Path, depth: int) -> Iterator[str]:
    """Names of what is in a folder, then of what is in its folders."""
    folders = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                yield entry.name
                if entry.is_dir():
                    folders.append(folder / entry.name)
    except OSError:
        return
    for inner in folders if depth > 0 else ():
        yield from _walk(inner, depth - 1)


def find_files(path: Path, asf: Path | None, report: Report) -> list[Found]:
    """The motion files of a file or folder, sorted by path.

    A BVH beside an AMC of the same name is left out: it is the same motion, converted.

    Args:
        path: A motion file, an ASF file (its AMC files) or a folder.
        asf: The skeleton of all AMC files, if it is given.
        report: Takes the note of files that were left out.

    Raises:
        ImportFileError: If there is no motion file, or no skeleton for one.
    """
    if not path.exists():
        raise wrong(path, "no such file or folder; expected ASF/AMC or BVH files")
    if path.is_file():
        root, files = path.parent, [path]
        if path.suffix.lower() == SKELETON:
            asf = path
            files = [file for file in _motion_files(root) if _is_of(file, path)]
    else:
        root, files = path, _motion_files(path, deep=True)
    files = [file for file in files if file.suffix.lower() in MOTION]
    if not files:
        raise wrong(path, "expected motion files (.amc, .bvh), got none; give their folder")
    amc = {file.with_suffix("") for file in files if file.suffix.lower() == ".amc"}
    converted = [f for f in files if f.suffix.lower() != ".amc" and f.with_suffix("") in amc]
    if converted:
        report.note(
            f"BVH left out, since the AMC of the same name lies beside it: {some(converted)}"
        )
    files = sorted(set(files) - set(converted))
    counts = Counter(file.stem for file in files)
    folders: dict[Path, list[Path]] = {}
    found = []
    for file in files:
        skeleton = _skeleton(file, asf, folders) if file.suffix.lower() == ".amc" else None
        name = file.relative_to(root).with_suffix("").as_posix()
        clip = file.stem if counts[file.stem] == 1 else name
        found.append(Found(file, clip, _subject(file, root, skeleton), skeleton))
    return found


def _motion_files(folder: Path, deep: bool = False) -> list[Path]:
    files = folder.rglob("*") if deep else folder.glob("*")
    return sorted(file for file in files if file.suffix.lower() in MOTION and file.is_file())


def _is_of(motion: Path, asf: Path) -> bool:
    return motion.stem == asf.stem or motion.stem.startswith(f"{asf.stem}_")


def _skeleton(amc: Path, given: Path | None, folders: dict[Path, list[Path]]) -> Path:
    """The skeleton of an AMC file; ``folders`` remembers the ASF files of each folder."""
    if given is not None:
        if not given.is_file():
            raise wrong(given, "no such file; set mocap.asf to the skeleton of the AMC files")
        return given
    for folder in (amc.parent, amc.parent.parent):
        if folder not in folders:
            files = folder.glob("*")
            folders[folder] = sorted(file for file in files if file.suffix.lower() == SKELETON)
        here = folders[folder]
        # "HDM_bd.asf" rather than "HDM.asf" for "HDM_bd_01.amc".
        own = max(
            (asf for asf in here if _is_of(amc, asf)), key=lambda f: len(f.stem), default=None
        )
        if own is not None:
            return own
        if folder == amc.parent and len(here) == 1:
            return here[0]
    raise wrong(
        amc,
        f"expected its skeleton '{amc.stem.split('_')[0]}.asf' in '{amc.parent}' or the folder "
        "above, got none; put it there or set mocap.asf",
    )


def _subject(file: Path, root: Path, asf: Path | None) -> str:
    if asf is not None and file.stem.startswith(f"{asf.stem}_"):
        return asf.stem
    for pattern in SUBJECTS:
        if match := re.search(pattern, file.stem, re.IGNORECASE):
            return match[1]
    return UNKNOWN if file.parent == root else file.parent.name


def some(files: list[Path]) -> str:
    """How many files, and the names of a few, for a note."""
    names = ", ".join(file.name for file in files[:5]) + (", ..." if len(files) > 5 else "")
    return f"{len(files)} file{'s' if len(files) > 1 else ''} ({names})"


def read_actions(path: Path) -> dict[str, str]:
    """Clip to action, from lines ``clip action``.

    The clip ends at the first tab, or, in a line without one, at the first blank. Lines that begin
    with ``#`` are comments.

    Raises:
        ImportFileError: If the file can't be read, a line has no action, or a clip has two.
    """
    actions: dict[str, str] = {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise wrong(
            path, "expected a text file with a line 'clip action' per clip; set mocap.actions"
        ) from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        clip, *rest = line.strip().split("\t" if "\t" in line.strip() else None, 1)
        clip, action = clip.strip(), " ".join("".join(rest).split())
        if not (clip and action):
            raise wrong(path, f"expected 'clip action', got '{line.strip()}'; mend it", number)
        if actions.setdefault(clip, action) != action:
            raise wrong(
                path,
                f"expected one action of '{clip}', got '{actions[clip]}' and '{action}'; keep one",
                number,
            )
    return actions
