"""Damaged files for every reader: each is read, or refused in one line."""

from __future__ import annotations

import os

from tests.fuzz.campaign import attack
from tests.fuzz.targets import TARGETS

# Some 3,500 files; the same ones each time, unless another seed is asked for.
CASES, SEED = 100, int(os.environ.get("SELFLIFT_FUZZ_SEED", "0"))


def test_damaged_files_are_read_or_refused_in_one_line() -> None:
    results = attack([target.name for target in TARGETS], CASES, SEED)
    findings = [
        f"{result.name} case {case} ({outcome}): {message}\nagain: python -m tests.fuzz.campaign "
        f"--only {result.name} --seed {SEED} --first {case} --cases 1 --keep FOLDER"
        for result in results
        for case, outcome, message in result.findings
    ]
    assert not findings, "\n\n".join(findings)
    for result in results:
        assert result.outcomes["refused"] > 0, f"{result.name}: no damage is noticed"
