"""A training holds no more the longer it runs, and what measures that would notice."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest
import torch

from selflift.train import trainer

from .train.test_trainer import small

SCRIPT = Path(__file__).parent.parent / "scripts" / "soak.py"
# Growth per 10,000 steps that is no leak: what Matplotlib's caches take before they are full (some
# 40 objects at each of 200 validations), and what an allocator keeps for a while (some 20 MiB).
LIMITS = {"open_files": 0.0, "threads": 0.0, "files": 0.0, "objects": 15_000, "resident_MiB": 5000}


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def grows(soak: ModuleType, folder: Path) -> set[str]:
    """What grows in a short run, after its first half."""
    config = small(folder, steps=200)
    config.trainer.validate_every, config.trainer.log_every = 50, 10
    samples = soak.soak(config, every=10)
    return {name for name, most in LIMITS.items() if soak.growth(samples, name, 0.5) > most}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_a_training_does_not_grow(tmp_path: Path, soak: ModuleType) -> None:
    assert grows(soak, tmp_path / "run") == set()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_a_leak_is_noticed(
    tmp_path: Path, soak: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    handles: list[int] = []
    kept: list[object] = []

    def leaking(*arguments: object) -> None:
        handles.append(os.open(os.devnull, os.O_RDONLY))
        kept.append([[] for _ in range(1000)])
        kept.append(torch.ones(2**24))

    monkeypatch.setattr(trainer, "log_bodies", leaking)
    try:
        assert grows(soak, tmp_path / "run") == {"open_files", "objects", "resident_MiB"}
    finally:
        for handle in handles:
            os.close(handle)
