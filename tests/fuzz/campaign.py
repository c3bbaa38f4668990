"""Many damaged files for many readers, in a process of their own, since one may bring it down.

    python -m tests.fuzz.campaign --cases 200
    python -m tests.fuzz.campaign --cases 20000 --seed 1 --only bvh pose_set --json fuzz.json
    python -m tests.fuzz.campaign --only bvh --first 1234 --cases 1 --keep case    # one case again

Prints how many cases each reader read, how many it refused, and each finding: how to make it again.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.target import Target, prepare, try_case
from tests.fuzz.targets import TARGETS

# A reader that asks for more than this is refused it.
MOST_ADDRESSES = 2**36


@dataclass
class Result:
    """What came of a reader's cases.

    Attributes:
        name: The reader.
        outcomes: How many cases there were of each outcome.
        findings: ``(case, outcome, message)`` of those that should not be.
    """

    name: str
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, str, str]] = field(default_factory=list)

    def note(self, case: int, outcome: str, message: str) -> None:
        """Count a case."""
        self.outcomes[outcome] += 1
        if outcome not in ("read", "refused"):
            self.findings.append((case, outcome, message))


def attack(names: Sequence[str], cases: int, seed: int = 0, first: int = 0) -> list[Result]:
    """Try ``cases`` damaged files with each reader; what brings the process down is a finding."""
    results = [Result(name) for name in names]
    for result in results:
        begin = first
        while begin < first + cases:
            command = [
                sys.executable, "-m", "tests.fuzz.campaign", "--child", "--only", result.name,
                "--first", str(begin), "--cases", str(first + cases - begin), "--seed", str(seed),
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True)
            lines = [json.loads(line) for line in done.stdout.splitlines() if line[:1] == "["]
            for case, outcome, message in lines:
                result.note(case, outcome, message)
            begin = lines[-1][0] + 1 if lines else begin
            if begin < first + cases:
                if done.returncode >= 0:
                    raise RuntimeError(f"{result.name}: {done.stderr[-2000:]}")
                result.note(begin, "crash", f"signal {-done.returncode}")
                begin += 1
    return results


def _child(targets: Sequence[Target], cases: int, seed: int, first: int, keep: str | None) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    with tempfile.TemporaryDirectory() as made:
        for target in targets:
            sound = prepare(target, Path(made))
            folder = Path(keep) if keep else Path(made, "case")
            for case in range(first, first + cases):
                outcome, message = try_case(target, sound, folder, seed, case)
                print(json.dumps([case, outcome, message]), flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=100, help="of each reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[t.name for t in TARGETS], help="readers")
    parser.add_argument("--json", help="where the results go")
    parser.add_argument("--keep", help="folder that the last damaged files stay in")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    by_name = {target.name: target for target in TARGETS}
    if given.child or given.keep:
        chosen = [by_name[name] for name in given.only]
        _child(chosen, given.cases, given.seed, given.first, given.keep)
        return
    results = attack(given.only, given.cases, given.seed, given.first)
    print(f"{'reader':<24}{'cases':>8}{'read':>8}{'refused':>9}{'findings':>10}")
    for result in results:
        counts, total = result.outcomes, sum(result.outcomes.values())
        print(
            f"{result.name:<24}{total:>8}{counts['read']:>8}{counts['refused']:>9}"
            f"{len(result.findings):>10}"
        )
    for result in results:
        for case, outcome, message in result.findings:
            print(f"\n{result.name} case {case} ({outcome}):\n{message}")
    if given.json:
        Path(given.json).write_text(json.dumps([vars(result) for result in results], indent=1))
    sys.exit(any(result.findings for result in results))


if __name__ == "__main__":
    main()
