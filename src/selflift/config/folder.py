"""Folder of YAML files: its place, and the options to choose from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Group:
    """A config group, of which a run chooses one option.

    Attributes:
        name: Its name.
        options: Its options, with the first sentence of each file's comment.
        default: The default option; ``None``: none.
    """

    name: str
    options: dict[str, str]
    default: str | None


def config_folder() -> Path:
    """Return the folder of YAML files: the wheel's own, else the checkout's.

    Raises:
        ValueError: If neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    candidates = (package / "configs", package.parents[1] / "configs")
    for folder in candidates:
        if (folder / "train.yaml").is_file():
            return folder
    raise ValueError(
        f"configs: expected train.yaml in '{candidates[0]}' (installed) or '{candidates[1]}' "
        "(checkout), got neither; reinstall selflift"
    )


def groups(command: str, others: Sequence[Path] = ()) -> list[Group]:
    """List the groups of a command in the order of its YAML file.

    Args:
        command: ``"train"``, ``"eval"``, ...
        others: Further folders with options, the user's.

    Raises:
        ValueError: If there is no folder of YAML files.
    """
    folder = config_folder()
    found = []
    for name, default in _defaults(folder / f"{command}.yaml"):
        files = [file for place in (folder, *others) for file in (place / name).glob("*.yaml")]
        options = {file.stem: _about(file) for file in sorted(files, key=lambda file: file.stem)}
        found.append(Group(name, options, None if default == "null" else default))
    return found


def _defaults(path: Path) -> list[tuple[str, str]]:
    # Parsed by hand: importing a YAML parser would slow help texts, and these lines are simple.
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    listed = re.search(r"^defaults:\n((?:[ #].*\n)*)", text, re.MULTILINE)
    return re.findall(r"^ +- (\w+): (\w+)", listed[1], re.MULTILINE) if listed else []


def _about(file: Path) -> str:
    """Return the first sentence of the comment at the head of a file."""
    words = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @"):
            words.append(line.lstrip("# "))
    sentence = re.split(r"[.;](?:\s|$)|: python", " ".join(words), maxsplit=1)[0]
    return sentence.strip()
