"""The scripts that watch over the pinned versions."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from packaging.requirements import Requirement

SCRIPTS = Path(__file__).parents[1] / "scripts"

pytestmark = pytest.mark.skipif(not SCRIPTS.is_dir(), reason="an installation without scripts/")


def opened(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


check_pins, check_contents = opened("check_pins"), opened("check_contents")
FOUND = {
    "selflift": ("0.1.0", ["A_b>=1", "c; python_version < '3'", "tool[fast]>=2; extra == 'dev'"]),
    "a-b": ("1.4+cpu", ["d"]),
    "d": ("2.0rc1", []),
    "tool": ("3", ["quick; extra == 'fast'", "slow; extra == 'never'"]),
    "quick": ("5", ["tool"]),
    "stray": ("1", []),
}
PINS = ["a.b==1.4", "d==2.0rc1", "tool==3", "quick==5"]


def problems(folder: Path, lines: list[str], found: dict[str, Any] = FOUND) -> list[str]:
    path = folder / "pins.txt"
    path.write_text("# pins\n" + "\n".join(lines) + "\n")
    pins, not_installed, wrong = check_pins.read_pins(path)
    there = {n: SimpleNamespace(version=v, requires=asked) for n, (v, asked) in found.items()}
    versions, absent = check_pins.installed("selflift", {"dev"}, there)
    return [*wrong, *absent, *check_pins.problems(pins, not_installed, versions)]


def test_complete_pins_have_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, PINS) == []
    below = ["", check_pins.NOT_INSTALLED + ": others.", "other==1"]
    assert problems(tmp_path, [*PINS, *below]) == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (PINS[:-1], "expected a pin of quick, got none; 5 is installed"),
        (["a.b==1.3", *PINS[1:]], "expected a.b==1.3, got 1.4+cpu installed"),
        ([*PINS, "other==1"], "expected something that needs other==1, got nothing; remove"),
        ([*PINS, "stray==1"], "expected something that needs stray==1, got nothing; remove"),
        ([*PINS[:-1], "quick>=5"], "expected NAME==VERSION, got 'quick>=5'"),
        ([*PINS[:-1], "quick==5.*"], "expected NAME==VERSION, got 'quick==5.*'"),
        ([*PINS, "D==2.0rc1"], "expected one pin of d, got another"),
    ],
)
def test_a_gap_in_the_pins_is_told(tmp_path: Path, lines: list[str], words: str) -> None:
    assert problems(tmp_path, lines)[0].startswith(words)


def test_what_is_not_installed_is_told(tmp_path: Path) -> None:
    without = {name: told for name, told in FOUND.items() if name != "quick"}
    assert problems(tmp_path, PINS, without)[0] == "quick"


def test_the_lowest_versions_are_those_declared() -> None:
    bounds = [Requirement(line) for line in ("a-b>=1.4", "d>=2,<3", "e>=1")]
    pins = {name: Requirement(f"{name}=={v}") for name, v in {"a-b": "1.4.0", "d": "2.1"}.items()}
    assert check_pins.not_the_lowest(pins, bounds) == [
        "expected a pin of the lowest d<3,>=2, got d==2.1",
        "expected a pin of the lowest e>=1, got none",
    ]


CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found on PyPI"}
KNOWN = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"], "description": "Bad."}
FOUND_ONE = {"name": "c", "version": "1", "vulns": [KNOWN]}


def audit(folder: Path, answer: str, *words: str, ignored: str = "") -> tuple[int, str]:
    """Run the script with a program in pip-audit's place that answers so."""
    fake = folder / "pip-audit"
    fake.write_text(f"#!{sys.executable}\n{answer}\n")
    fake.chmod(0o755)
    script = folder / "scripts" / "audit.py"
    script.parent.mkdir()
    text = (SCRIPTS / "audit.py").read_text(encoding="utf-8")
    script.write_text(text.replace("str] = {}", f"str] = {{{ignored}}}"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), *words],
        env={**os.environ, "PATH": str(folder)}, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).strip()


def told(*dependencies: dict[str, Any], status: int = 0) -> str:
    """A pip-audit that tells these."""
    return f"print({json.dumps(json.dumps({'dependencies': dependencies}))})\nexit({status})"


def test_no_known_vulnerability_passes(tmp_path: Path) -> None:
    assert audit(tmp_path, told(CLEAN, CLEAN)) == (
        0, "audit: no known vulnerability in 2 pinned versions"
    )  # fmt: skip


def test_a_known_vulnerability_fails(tmp_path: Path) -> None:
    assert audit(tmp_path, told(CLEAN, FOUND_ONE, status=1)) == (
        1, "audit: c==1: PYSEC-1 = CVE-1, fixed in 2"
    )  # fmt: skip


def test_one_that_is_ignored_passes_with_its_reason(tmp_path: Path) -> None:
    status, said = audit(tmp_path, told(FOUND_ONE, status=1), ignored="'CVE-1': 'not used here'")
    assert status == 0 and said.startswith("audit: ignored CVE-1: not used here")


def test_an_ignored_one_that_is_gone_is_told(tmp_path: Path) -> None:
    status, said = audit(tmp_path, told(CLEAN), ignored="'CVE-1': 'not used here'")
    assert status == 0 and "CVE-1 is not found any more; remove it" in said


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (told(SKIPPED, SKIPPED), "has no advisories"),
        ("import sys\nsys.exit('long\\nno route to host')", "gave no result (no route to host)"),
        ("exit(3)", "gave no result (exit status 3)"),
    ],
)
@pytest.mark.parametrize("required", [False, True])
def test_where_nobody_can_be_asked_it_says_so(
    tmp_path: Path, answer: str, why: str, required: bool
) -> None:
    status, said = audit(tmp_path, answer, *["--required"] * required)
    assert status == required
    assert said.startswith("audit: not done: ") and why in said and "\n" not in said


def test_a_pin_that_was_passed_over_fails(tmp_path: Path) -> None:
    assert audit(tmp_path, told(CLEAN, SKIPPED)) == (
        1, "audit: b: not audited: Dependency not found on PyPI"
    )  # fmt: skip


HELD = {
    "selflift/__init__.py": b"",
    "selflift/py.typed": b"",
    "selflift/weights/a.safetensors": b"w",
}


def wheel_problems(held: dict[str, bytes] | None = None) -> list[str]:
    files = {**HELD, **(held or {})}
    return check_contents.problems(files, check_contents.IN_WHEEL, set(HELD), ["/somebody/"])


def test_a_wheel_of_the_checkouts_files_has_no_problem() -> None:
    assert wheel_problems() == []
    sources = {f"src/{name}" for name in HELD} | {"configs/train.yaml", "tests/a.py", "notes"}
    assert check_contents.expected_of_wheel(sources) == {*HELD, "selflift/configs/train.yaml"}
    assert check_contents.expected_of_sdist(sources) == sources - {"notes"}


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({"tests/a.py": b""}, "holds tests/a.py, which is not the checkout's"),
        ({"selflift/a.py": b""}, "holds selflift/a.py, which is not the checkout's"),
        ({"selflift/py.typed": b"x" * 300_000}, "holds selflift/py.typed of 300,000 bytes, exp"),
        ({"selflift/py.typed": b"/somebody/a"}, "holds selflift/py.typed, which names /somebody/"),
    ],
)  # fmt: skip
def test_what_a_wheel_should_not_hold_is_told(held: dict[str, bytes], words: str) -> None:
    (told,) = wheel_problems(held)
    assert told.startswith(words)


@pytest.mark.parametrize("name", ["run.pt", "data.h5", "__pycache__/a.py", "notes.txt", "a.npz"])
def test_a_file_of_another_kind_is_told_even_if_the_checkout_has_it(name: str) -> None:
    held, expected = {**HELD, f"selflift/{name}": b""}, {*HELD, f"selflift/{name}"}
    (told,) = check_contents.problems(held, check_contents.IN_WHEEL, expected, [])
    assert told == f"holds selflift/{name}, of a kind that isn't listed"


def test_what_a_wheel_lacks_is_told() -> None:
    held = {name: content for name, content in HELD.items() if name != "selflift/py.typed"}
    wrong = check_contents.problems(held, check_contents.IN_WHEEL, set(HELD), [])
    assert wrong == ["lacks selflift/py.typed"]
