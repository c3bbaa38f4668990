"""The harness would find a reader that does harm, and goes on after it."""

from __future__ import annotations

from tests.fuzz import careless
from tests.fuzz.campaign import attack


def test_a_reader_that_does_harm_is_found_whatever_the_harm_is() -> None:
    names = [target.name for target in careless.TARGETS]
    results = attack(names, cases=2, targets="tests.fuzz.careless", patience_s=0.3)
    found = {result.name: result.outcomes for result in results}
    assert found == {
        "refuses": {"refused": 2}, "raises a KeyError": {"error": 2},
        "says too many lines": {"message": 2}, "eats memory": {"memory": 2}, "hangs": {"slow": 2},
        "crashes": {"crash": 2},
    }  # fmt: skip
    assert [len(result.findings) for result in results] == [0, 2, 2, 2, 2, 2]
