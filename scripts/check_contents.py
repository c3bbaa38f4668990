"""Do the wheel and the source archive hold what they should, and nothing else?

    python scripts/check_contents.py dist/selflift-*.whl dist/selflift-*.tar.gz

Both must hold exactly the checkout's files of their folders, by git where there is one; and each
file must be of a kind that is listed here, so that a new kind is thought about once.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[1]
# A * stands for folders, too.
PACKAGE = (
    "*.py", "py.typed", "formats/*.json", "evaluate/*.csv", "evaluate/*.html", "viewer/*.css",
    "viewer/*.html", "viewer/*.js", "weights/*.md", "weights/*.safetensors",
)  # fmt: skip
INFORMATION = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
IN_WHEEL = (
    *(f"selflift/{kind}" for kind in PACKAGE),
    "selflift/configs/*.yaml",
    *(f"selflift-*.dist-info/{name}" for name in INFORMATION),
)
TOP = (
    ".gitignore", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile",
    "README.md", "SECURITY.md", "constraints.txt", "constraints-oldest.txt", "data/README.md",
    "mkdocs.yml", "pyproject.toml",
)  # fmt: skip
FOLDERS = ("configs", "docs", "examples", "scripts", "src", "tests")
IN_SDIST = (
    *TOP, *(f"src/selflift/{kind}" for kind in PACKAGE), "PKG-INFO", "configs/*.yaml", "docs/*.md",
    "docs/figures/*.png", "examples/*.ipynb", "examples/*.py", "scripts/*.py", "scripts/*.sh",
    "tests/*.js", "tests/*.py",
)  # fmt: skip
# Never included, whatever the kind.
NEVER = ("*__pycache__*", "*.pt", "*.h5", "*.npz", "*/outputs/*", "*.pyc", "*/.*")
LARGEST_BYTES = {"*.safetensors": 2 * 2**20, "*.ipynb": 2**21, "*": 2**18}


def matches(name: str, kinds: Iterable[str]) -> bool:
    """Return whether a file's name is of one of the kinds."""
    return any(fnmatchcase(name, kind) for kind in kinds)


def checkout(root: Path) -> set[str]:
    """A checkout's files, relative to it: those that git knows, or else those that are there."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True
    )
    if listed.returncode == 0 and (root / ".git").exists():
        return {name for name in listed.stdout.split("\0") if name and (root / name).is_file()}
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if path.suffix != ".pyc"}


def expected_of_wheel(files: Iterable[str]) -> set[str]:
    """Files of a checkout that a wheel must contain, apart from its metadata."""
    package = {name.removeprefix("src/") for name in files if name.startswith("src/selflift/")}
    return package | {f"selflift/{name}" for name in files if name.startswith("configs/")}


def expected_of_sdist(files: Iterable[str]) -> set[str]:
    """Files of a checkout that a source archive must contain, apart from PKG-INFO."""
    return {name for name in files if name in TOP or name.split("/")[0] in FOLDERS}


def problems(
    held: Mapping[str, bytes], kinds: Iterable[str], expected: set[str], paths: Iterable[str]
) -> list[str]:
    """List the errors of an archive.

    Args:
        held: Its files, by name.
        kinds: Of the files that it may hold.
        expected: The names of the checkout's files that it must hold.
        paths: Of this machine, which no file may name.
    """
    kinds, own = tuple(kinds), {"PKG-INFO"}
    wrong = [f"lacks {name}" for name in sorted(expected - held.keys())]
    for name, content in sorted(held.items()):
        most = next(size for kind, size in LARGEST_BYTES.items() if fnmatchcase(name, kind))
        if name not in expected | own and ".dist-info/" not in name:
            wrong.append(f"holds {name}, which is not the checkout's")
        elif not matches(name, kinds) or matches(name, NEVER):
            wrong.append(f"holds {name}, of a kind that isn't listed")
        elif len(content) > most:
            wrong.append(f"holds {name} of {len(content):,} bytes, expected at most {most:,}")
        wrong += [f"holds {name}, which names {path}" for path in paths if path.encode() in content]
    return wrong


def read(archive: Path) -> dict[str, bytes]:
    """The files of a wheel or a source archive; of the latter without its one folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    held = {}
    with tarfile.open(archive) as sdist:
        for member in sdist.getmembers():
            file = sdist.extractfile(member)
            if file is None:
                sys.exit(f"check_contents: {archive.name}: expected files, got {member.name}")
            held[member.name.split("/", 1)[1]] = file.read()
    return held


def main() -> None:
    """The door."""
    files = checkout(ROOT)
    paths = {f"{ROOT}/", f"{ROOT.resolve()}/", f"{Path.home()}/"}
    failed = False
    for archive in map(Path, sys.argv[1:]):
        held = read(archive)
        wheel = archive.suffix == ".whl"
        kinds = IN_WHEEL if wheel else IN_SDIST
        expected = expected_of_wheel(files) if wheel else expected_of_sdist(files)
        if wheel:
            information = f"{'-'.join(archive.name.split('-')[:2])}.dist-info"
            expected |= {f"{information}/{name}" for name in INFORMATION}
        else:
            expected |= {"PKG-INFO"}
        wrong = problems(held, kinds, expected, paths)
        for line in wrong:
            print(f"check_contents: {archive.name} {line}", file=sys.stderr)
        failed |= bool(wrong)
        size, unpacked = archive.stat().st_size, sum(map(len, held.values()))
        print(f"{archive.name}: {len(held)} files, {size:,} bytes, {unpacked:,} unpacked")
    sys.exit(failed)


if __name__ == "__main__":
    main()
