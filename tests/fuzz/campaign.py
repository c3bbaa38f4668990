"""Many damaged files for many readers, in a process of their own, since one may bring it down.

    python -m tests.fuzz.campaign --cases 200
    python -m tests.fuzz.campaign --cases 20000 --seed 1 --only bvh pose_set --json fuzz.json
    python -m tests.fuzz.campaign --only bvh --first 1234 --cases 1 --keep case    # one case again

Prints how many cases each reader read, how many it refused, and each finding: how to make it again.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.target import MOST_SECONDS, Target, prepare, try_case

TARGETS_OF = "tests.fuzz.targets"
# Seconds of the clock until a reader that waits, or hears no signal, is ended.
MOST_PATIENCE = 90
# Reader, first case, the case after the last.
Job = tuple[str, int, int]
# A reader that asks for more than this is refused it.
MOST_ADDRESSES = 3 * 2**32


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


def attack(
    names: Sequence[str],
    cases: int,
    seed: int = 0,
    first: int = 0,
    targets: str = TARGETS_OF,
    patience_s: float = MOST_SECONDS,
) -> list[Result]:
    """Try ``cases`` damaged files with each reader; what brings the process down is a finding.

    Args:
        names: The readers.
        cases: How many of each; slow readers get their share of it.
        seed: Of the damage.
        first: Number of the first case.
        targets: The module whose ``TARGETS`` they are.
        patience_s: What is slow.
    """
    by_name = {target.name: target for target in targets_of(targets)}
    results = {name: Result(name) for name in names}
    todo = [(name, first, first + max(1, round(by_name[name].share * cases))) for name in names]
    while todo:
        jobs = ["{}:{}:{}".format(*job) for job in todo]
        command = [
            sys.executable, "-m", "tests.fuzz.campaign", "--child", *jobs, "--seed", str(seed),
            "--targets", targets, "--patience", str(patience_s),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line[:1] == "["]
        for name, case, outcome, message in lines:
            results[name].note(case, outcome, message)
        todo = _rest(todo, lines[-1][:2] if lines else None)
        hung = "Timeout (" in done.stderr
        if done.returncode > 0 and not hung:
            raise RuntimeError(done.stderr[-2000:])
        if todo:
            name, begin, stop = todo.pop(0)
            results[name].note(begin, "hang" if hung else "crash", _end(done))
            todo = [(name, begin + 1, stop)] * (begin + 1 < stop) + todo
    return list(results.values())


def _end(done: subprocess.CompletedProcess[str]) -> str:
    # A list of a hundred libraries would hide where it was.
    where = done.stderr.split("\nExtension modules: ")[0]
    return f"ended by {done.returncode}: {where[-1500:]}"


def _rest(todo: list[Job], last: Sequence | None) -> list[Job]:
    """What is left of the jobs after the last case that was told."""
    if last is None:
        return todo
    at = [name for name, _, _ in todo].index(last[0])
    name, _, stop = todo[at]
    return [(name, last[1] + 1, stop)] * (last[1] + 1 < stop) + todo[at + 1 :]


def targets_of(module: str) -> tuple[Target, ...]:
    """The readers of a module."""
    return importlib.import_module(module).TARGETS


def _child(
    jobs: Sequence[Job], seed: int, keep: str | None, targets: str, patience_s: float
) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    by_name = {target.name: target for target in targets_of(targets)}
    faulthandler.enable()
    # Once, and never stopped: each case's watchdog is a thread that frees memory as it starts, and
    # CPython before 3.12.9 and 3.13.2 may crash if tracing starts or stops meanwhile (gh-128679).
    tracemalloc.start()
    with tempfile.TemporaryDirectory() as made:
        for name, first, stop in jobs:
            sound = prepare(by_name[name], Path(made))
            folder = Path(keep) if keep else Path(made, "case")
            for case in range(first, stop):
                # What hangs in C hears no signal.
                faulthandler.dump_traceback_later(MOST_PATIENCE, exit=True)
                outcome, message = try_case(by_name[name], sound, folder, seed, case, patience_s)
                print(json.dumps([name, case, outcome, message]), flush=True)
            shutil.rmtree(sound)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=100, help="of each reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="readers; all if none is named")
    parser.add_argument("--json", help="where the results go")
    parser.add_argument("--keep", help="folder that the last damaged files stay in")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--targets", default=TARGETS_OF, help=argparse.SUPPRESS)
    parser.add_argument("--patience", type=float, default=MOST_SECONDS, help="what is slow, s")
    given = parser.parse_args()
    names = given.only or [target.name for target in targets_of(given.targets)]
    if given.child or given.keep:
        parts = [job.rsplit(":", 2) for job in given.child or ()]
        jobs = [(name, int(first), int(stop)) for name, first, stop in parts] or [
            (name, given.first, given.first + given.cases) for name in names
        ]
        _child(jobs, given.seed, given.keep, given.targets, given.patience)
        return
    results = attack(names, given.cases, given.seed, given.first, given.targets, given.patience)
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
