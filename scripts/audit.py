"""Ask for known vulnerabilities of the pinned versions, where somebody can be asked.

    python scripts/audit.py               # one line and exit status 0 where nobody can be asked
    python scripts/audit.py --required    # exit status 1 there

Runs pip-audit, which asks PyPI, on constraints.txt; nothing is installed for it. pip-audit passes
over what the index has no advisories of and calls the rest clean, so an index that has none at all
would look like a clean bill. Here that counts as not asked.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PINS = Path(__file__).parents[1] / "constraints.txt"
OPTIONS = ["--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off", "--timeout=5"]
LONGEST_S = 300
# Advisories, by their number or an alias, that don't concern selflift, each with the reason.
IGNORED: dict[str, str] = {}


class NotAskedError(Exception):
    """Nobody could be asked."""


@dataclass(frozen=True)
class Advisory:
    """A known vulnerability of a pinned version."""

    pin: str
    names: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fixed = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "not fixed yet"
        return f"{self.pin}: {' = '.join(self.names)}, {fixed}"


def ask(pins: Path) -> list[dict[str, Any]]:
    """Run pip-audit on each pin.

    Raises:
        NotAskedError: If it reached nobody, or nobody who knows any of the pins.
    """
    tool = shutil.which("pip-audit")
    if tool is None:
        sys.exit("audit: expected the program pip-audit, got none; make venv")
    try:
        done = subprocess.run(
            [tool, "--requirement", str(pins), *OPTIONS],
            capture_output=True, text=True, timeout=LONGEST_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotAskedError(f"no answer within {LONGEST_S} s") from error
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError) as error:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise NotAskedError(f"pip-audit gave no result ({last[:200]})") from error
    if all("vulns" not in pin for pin in found):
        raise NotAskedError("the index that is reachable here has no advisories")
    return found


def advisories(found: list[dict[str, Any]]) -> list[Advisory]:
    """Vulnerabilities in the report of pip-audit."""
    return [
        Advisory(
            f"{pin['name']}=={pin['version']}",
            (each["id"], *each.get("aliases", ())),
            tuple(each.get("fix_versions", ())),
        )
        for pin in found
        for each in pin.get("vulns", ())
    ]


def main() -> None:
    """The door."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--required", action="store_true", help="fail where nobody can be asked")
    required = parser.parse_args().required
    try:
        found = ask(PINS)
    except NotAskedError as error:
        print(f"audit: not done: {error}")
        sys.exit(1 if required else 0)
    known = advisories(found)
    ignored = {name for each in known for name in each.names if name in IGNORED}
    for name in sorted(ignored):
        print(f"audit: ignored {name}: {IGNORED[name]}")
    for name in sorted(IGNORED.keys() - ignored):
        print(f"audit: {name} is not found any more; remove it from IGNORED")
    wrong = [str(each) for each in known if not ignored & set(each.names)]
    wrong += [
        f"{pin['name']}: not audited: {pin['skip_reason']}" for pin in found if "vulns" not in pin
    ]
    if wrong:
        sys.exit("\n".join(f"audit: {line}" for line in wrong))
    print(f"audit: no known vulnerability in {len(found)} pinned versions")


if __name__ == "__main__":
    main()
