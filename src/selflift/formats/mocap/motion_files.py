"""Motion files of a folder, and what their names state: clip, subject, action, skeleton."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from selflift.data.recording import Report
from selflift.formats.mocap.numbered_lines import wrong

SKELETON, MOTION = ".asf", (".amc", ".bvh")
UNKNOWN = "unknown"
# 02 of 02_01 (CMU's subject and trial), or subject1 of walk1_subject1.
SUBJECTS = (r"^([a-z]{0,3}\d+)_\d+(?:_|$)", r"(?:^|_)((?:subject|actor|person)\d+)(?:_|$)")
RECOGNISE_DEPTH = 3
RECOGNISE_ENTRIES = 20_000


@dataclass(frozen=True)
class MotionFile:
    """A motion file.

    Attributes:
        path: The file.
        clip: Unique name of the recording.
        subject: Who moves, as far as names state it.
        asf: The skeleton of an AMC file.
    """

    path: Path
    clip: str
    subject: str
    asf: Path | None


def recognise(path: Path) -> bool:
    """True for a motion capture file, and a folder with one at most three levels down."""
    names = iter([path.name]) if path.is_file() else islice(_names(path), RECOGNISE_ENTRIES)
    return any(Path(name).suffix.lower() in (SKELETON, *MOTION) for name in names)


def _names(folder: Path) -> Iterator[str]:
    for here, folders, files in os.walk(folder, followlinks=True):
        if len(Path(here).relative_to(folder).parts) == RECOGNISE_DEPTH:
            folders.clear()
        yield from files
        # These count towards the limit, too.
        yield from ("" for _ in folders)


def find_files(path: Path, asf: Path | None, report: Report) -> list[MotionFile]:
    """Find the motion files of a file or folder, sorted by path.

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
    root, pattern = (path.parent, "*") if path.is_file() else (path, "**/*")
    files = [path] if path.is_file() else []
    if not files or path.suffix.lower() == SKELETON:
        files = [f for f in root.glob(pattern) if f.is_file()]
    if path.is_file() and path.suffix.lower() == SKELETON:
        asf, files = path, [f for f in files if _is_of(f, path)]
    files = [f for f in files if f.suffix.lower() in MOTION]
    if not files:
        raise wrong(path, "expected motion files (.amc, .bvh), got none; give their folder")
    amc = {f.with_suffix("") for f in files if f.suffix.lower() == ".amc"}
    converted = sorted(f for f in files if f.suffix.lower() == ".bvh" and f.with_suffix("") in amc)
    if converted:
        report.note(
            f"BVH left out, since the AMC of the same name lies beside it: {some(converted)}"
        )
    files = sorted(set(files) - set(converted))
    counts = Counter(f.stem for f in files)

    @cache
    def skeletons(folder: Path) -> list[Path]:
        return sorted(f for f in folder.glob("*") if f.suffix.lower() == SKELETON)

    def skeleton(amc: Path) -> Path:
        if asf is not None:
            if not asf.is_file():
                raise wrong(asf, "no such file; set mocap.asf to the skeleton of the AMC files")
            return asf
        for folder in (amc.parent, amc.parent.parent):
            here = skeletons(folder)
            # "HDM_bd.asf" rather than "HDM.asf" for "HDM_bd_01.amc".
            if own := sorted((f for f in here if _is_of(amc, f)), key=lambda f: -len(f.stem)):
                return own[0]
            if folder == amc.parent and len(here) == 1:
                return here[0]
        raise wrong(
            amc,
            f"expected its skeleton '{amc.stem.split('_')[0]}.asf' in '{amc.parent}' or the folder "
            "above, got none; put it there or set mocap.asf",
        )

    found = []
    for file in files:
        own = skeleton(file) if file.suffix.lower() == ".amc" else None
        name = file.relative_to(root).with_suffix("").as_posix()
        clip = file.stem if counts[file.stem] == 1 else name
        found.append(MotionFile(file, clip, _subject(file, root, own), own))
    return found


def _is_of(motion: Path, asf: Path) -> bool:
    return motion.stem == asf.stem or motion.stem.startswith(f"{asf.stem}_")


def _subject(file: Path, root: Path, asf: Path | None) -> str:
    if asf is not None and file.stem.startswith(f"{asf.stem}_"):
        return asf.stem
    for pattern in SUBJECTS:
        if match := re.search(pattern, file.stem, re.IGNORECASE):
            return match[1]
    return UNKNOWN if file.parent == root else file.parent.name


def some(files: list[Path]) -> str:
    """Count files, and name a few, for a note."""
    names = ", ".join(file.name for file in files[:5]) + (", ..." if len(files) > 5 else "")
    return f"{len(files)} file{'s' if len(files) > 1 else ''} ({names})"


def read_actions(path: Path) -> dict[str, str]:
    """Read lines ``clip action`` as a mapping from clip to action.

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
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        clip, *rest = line.split("\t" if "\t" in line else None, 1)
        clip, action = clip.strip(), " ".join("".join(rest).split())
        if not (clip and action):
            raise wrong(path, f"expected 'clip action', got '{line}'; fix the line", number)
        if actions.setdefault(clip, action) != action:
            raise wrong(
                path,
                f"expected one action of '{clip}', got '{actions[clip]}' and '{action}'; keep one",
                number,
            )
    return actions
