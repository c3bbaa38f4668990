"""A training holds no more the longer it runs, and what measures that would notice."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from selflift.train import loop

from .train.test_loop import small

SCRIPT = Path(__file__).parent.parent / "scripts" / "soak.py"
# Growth per 10,000 steps that is no leak: 40 objects in the test's 400 steps, and what an allocator
# may still take. A leak of one tensor of 64 KiB a step would be 640 MiB.
MOST_OBJECTS, MOST_MIB = 1000, 250


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def grows(soak: ModuleType, folder: Path) -> list[str]:
    """What grows in a short run, after its first half."""
    config = small(folder, steps=400)
    config.trainer.validate_every, config.trainer.log_every = 40, 10
    samples = soak.soak(config, every=10)
    limits = {"open_files": 0.0, "threads": 0.0, "files": 0.0, "objects": MOST_OBJECTS,
              "resident_MiB": MOST_MIB}  # fmt: skip
    return [name for name, most in limits.items() if soak.growth(samples, name, 0.5) > most]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_a_training_does_not_grow(tmp_path: Path, soak: ModuleType) -> None:
    assert grows(soak, tmp_path / "run") == []
    told = (tmp_path / "run" / "metrics.json").read_text()
    assert '"step": 400' in told


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
@pytest.mark.parametrize("leak", ["open_files", "objects"])
def test_a_leak_is_noticed(
    tmp_path: Path, soak: ModuleType, monkeypatch: pytest.MonkeyPatch, leak: str
) -> None:
    handles: list[int] = []
    kept: list[object] = []

    def leaking(*arguments: object) -> None:
        if leak == "open_files":
            handles.append(os.open(os.devnull, os.O_RDONLY))
        else:
            kept.append([[] for _ in range(20)])

    monkeypatch.setattr(loop, "tell_scenes", leaking)
    try:
        assert leak in grows(soak, tmp_path / "run")
    finally:
        for handle in handles:
            os.close(handle)
