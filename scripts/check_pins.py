"""Is everything that is installed here pinned, and are the oldest versions the declared ones?

    python scripts/check_pins.py

From what pyproject.toml asks for, every requirement of every distribution is followed, in the
environment of the interpreter that runs this: constraints.txt must pin exactly these, at the
versions that are there. constraints-oldest.txt must pin the lower bounds of pyproject.toml.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PINS, OLDEST_PINS = ROOT / "constraints.txt", ROOT / "constraints-oldest.txt"
# What `make venv` and `make test-oldest` install.
EXTRAS, OLDEST_EXTRAS = {"dev", "docs"}, {"data", "hub"}
# Pins of what is not installed for the tests stand below this line.
NOT_INSTALLED = "# Not installed for the tests"
PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+_]+)")
# The one came with Python, the other is what is checked.
FREE = {"pip", "selflift"}

Pins = dict[str, Requirement]


def read_pins(path: Path) -> tuple[Pins, set[str], list[str]]:
    """The pins of a file, which of them are not installed, and what is wrong with its lines."""
    pins: Pins = {}
    absent: set[str] = set()
    wrong: list[str] = []
    below = False
    for line in path.read_text(encoding="utf-8").splitlines():
        below |= line.startswith(NOT_INSTALLED)
        if not line.strip() or line.startswith("#"):
            continue
        if not PIN.fullmatch(line):
            wrong.append(f"expected NAME==VERSION, got '{line}'")
            continue
        pin = Requirement(line)
        name = canonicalize_name(pin.name)
        if name in pins:
            wrong.append(f"expected one pin of {name}, got another")
        pins[name] = pin
        if below:
            absent.add(name)
    return pins, absent, wrong


def applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    """Return whether a requirement applies to this machine and these extras."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def installed(
    project: str, extras: set[str], found: Mapping[str, metadata.Distribution]
) -> tuple[dict[str, str], list[str]]:
    """Versions of all that a project brings, by name, and what is asked for but not there.

    Args:
        project: Its name.
        extras: Of the project.
        found: The environment's distributions, by canonical name.
    """
    versions: dict[str, str] = {}
    absent: list[str] = []
    seen: set[tuple[str, str]] = set()
    ahead = [(canonicalize_name(project), extra) for extra in ("", *sorted(extras))]
    while ahead:
        name, extra = ahead.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        if name not in found:
            absent.append(name)
            continue
        versions[name] = found[name].version
        for line in found[name].requires or ():
            asked = Requirement(line)
            if applies(asked, (extra,)):
                names = canonicalize_name(asked.name)
                ahead += [(names, wanted) for wanted in ("", *asked.extras)]
    return versions, sorted(set(absent))


def problems(pins: Pins, not_installed: set[str], versions: Mapping[str, str]) -> list[str]:
    """List the pins that differ from the installed versions."""
    wrong = []
    for name in sorted((versions.keys() | pins.keys()) - FREE - not_installed):
        version = versions.get(name)
        if name not in pins:
            wrong.append(f"expected a pin of {name}, got none; {version} is installed")
        elif version is None:
            wrong.append(f"expected something that needs {pins[name]}, got nothing; remove the pin")
        # A local version (2.13.0+cpu) is another build of the same release.
        elif not pins[name].specifier.contains(version, prereleases=True):
            wrong.append(f"expected {pins[name]}, got {version} installed")
    return wrong


def declared(extras: set[str]) -> list[Requirement]:
    """Requirements of the installed selflift, with these extras."""
    lines = metadata.requires("selflift") or []
    return [asked for asked in map(Requirement, lines) if applies(asked, extras)]


def not_the_lowest(pins: Pins, bounds: Iterable[Requirement]) -> list[str]:
    """Bounds whose lowest version is not the one that is pinned."""
    wrong = []
    for bound in bounds:
        pin = pins.get(canonicalize_name(bound.name))
        lowest = [part.version for part in bound.specifier if part.operator == ">="]
        if pin is None or not any(pin.specifier.contains(version) for version in lowest):
            wrong.append(f"expected a pin of the lowest {bound}, got {pin or 'none'}")
    return wrong


def main() -> None:
    """The door."""
    try:
        pins, not_installed, wrong = read_pins(PINS)
        oldest, _, wrong_oldest = read_pins(OLDEST_PINS)
        found = {canonicalize_name(d.metadata["Name"]): d for d in metadata.distributions()}
        versions, absent = installed("selflift", EXTRAS, found)
    except (OSError, InvalidRequirement) as error:
        sys.exit(f"check_pins: {error}")
    if absent:
        wrong += [f"expected {name} to be installed, got nothing; make venv" for name in absent]
    else:
        wrong += problems(pins, not_installed, versions)
        wrong_oldest += not_the_lowest(oldest, declared(OLDEST_EXTRAS))
    errors = [f"{PINS.name}: {line}" for line in wrong]
    errors += [f"{OLDEST_PINS.name}: {line}" for line in wrong_oldest]
    if errors:
        sys.exit("\n".join(errors))
    print(f"{PINS.name} pins all {len(versions.keys() - FREE)} distributions that are here,")
    print(f"{OLDEST_PINS.name} the lowest versions of pyproject.toml.")


if __name__ == "__main__":
    main()
