"""The checkout: small files, one name a file, and first pages that match the code."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "selflift"
MOST_BYTES = 500_000
LARGE = ("src/selflift/weights/", "docs/figures/")
# A command is a file in cli/ and one that `python -m` runs.
COMMANDS = {"eval", "predict", "prepare"}
# A format has one name, whichever data set or task its files belong to.
FORMATS = {"mmpose"}

pytestmark = pytest.mark.skipif(
    not (ROOT / "CONTRIBUTING.md").is_file(), reason="an installation without the checkout"
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_tracked_files_are_small() -> None:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git, or no checkout of it")
    names = [name for name in listed.stdout.split("\0") if name and not name.startswith(LARGE)]
    sizes = {name: (ROOT / name).stat().st_size for name in names if (ROOT / name).is_file()}
    assert {name: size for name, size in sizes.items() if size > MOST_BYTES} == {}


def test_no_file_name_occurs_twice() -> None:
    count = Counter(path.stem for path in PACKAGE.rglob("*.py"))
    twice = {name for name, times in count.items() if times > 1}
    assert twice - {"__init__", "__main__"} - COMMANDS - FORMATS == set()


def test_the_readme_is_short_and_lists_every_room() -> None:
    text = read("README.md")
    lines = text.splitlines()
    assert len(lines) < 130
    assert [line for line in lines if len(line) > 100 and line[0] not in "|!"] == []
    layout = text.split("## Layout")[1]
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert {room for room in rooms if f"{room}/" not in layout} == set()


def test_pages_are_wrapped() -> None:
    pages = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "data/README.md"]
    pages += [f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")]
    for page in pages:
        # Tables can't be, nor what a command prints.
        text = re.sub(r"^```.*?^```", "", read(page), flags=re.DOTALL | re.MULTILINE)
        wide = [line for line in text.splitlines() if len(line) > 100 and line[0] not in "|!"]
        assert wide == [], page


def test_contributing_has_the_import_layers_that_are_checked() -> None:
    checked = re.search(r"^layers = \[\n(.*?)^\]", read("pyproject.toml"), re.DOTALL | re.MULTILINE)
    assert checked is not None
    layers = re.findall(r'"(.*)"', checked[1])
    assert "\n".join(f"    {layer}" for layer in layers) in read("CONTRIBUTING.md")


def test_quick_checks_use_the_pinned_formatter() -> None:
    pinned = re.search(r"^ruff==(.*)$", read("constraints.txt"), re.MULTILINE)
    assert pinned is not None
    assert f"ruff-pre-commit\n    rev: v{pinned[1]}\n" in read(".pre-commit-config.yaml")
