"""The benchmark runs and tells what it promises; how fast is not asked here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parent.parent / "scripts" / "benchmark.py"


def script() -> object:
    spec = importlib.util.spec_from_file_location("benchmark", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("objective", ["paper", "default"])
def test_a_small_benchmark(tmp_path: Path, objective: str) -> None:
    size = ["--width", "16", "--batch", "8", "--threads", "1", "--rounds", "1", "--repeats", "2"]
    files = ["--json", str(tmp_path / "speed.json"), "--markdown", str(tmp_path / "speed.md")]
    command = [sys.executable, str(SCRIPT), *size, *files, "--profile", "--objective", objective]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads((tmp_path / "speed.json").read_text())["results"]
    for variant in ("plain", "engine"):
        assert len(found[variant]["rates"]) == 2 and min(found[variant]["rates"]) > 0
        assert found[variant]["precision"] == "float32"
        assert abs(sum(found[variant]["profile"].values()) - 1) < 1e-9
        assert "matrix products" in found[variant]["profile"]
    assert ("bound" in found) == (objective == "paper")
    table = (tmp_path / "speed.md").read_text()
    assert "| 16 | 8 | 1 |" in table and table.strip() in done.stdout


def test_a_size_that_is_none_is_refused() -> None:
    command = [sys.executable, str(SCRIPT), "--batch", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert "expected a whole number above 0, got '0'" in done.stderr


def test_the_products_are_those_of_a_step() -> None:
    """Counted as the profiler counts them in the engine's own step."""
    benchmark = script()
    width, batch = 64, 32
    config = benchmark.config_of(width, batch, "paper")  # type: ignore[attr-defined]
    config.engine.precision = "float32"
    step = benchmark.engine_step(config, torch.device("cpu"))  # type: ignore[attr-defined]
    x = torch.zeros(batch, 17, 2)
    step(x)
    with torch.profiler.profile(record_shapes=True) as profile:
        step(x)
    counted = 0.0
    for event in profile.key_averages(group_by_input_shape=True):
        if event.key in ("aten::mm", "aten::addmm"):
            (m, k), (_, n) = event.input_shapes[-2:] if event.key == "aten::mm" else (
                event.input_shapes[1], event.input_shapes[2]
            )  # fmt: skip
            counted += event.count * m * k * n
    expected = sum(
        sum(times) * batch * n_in * n_out
        for (n_in, n_out), times in benchmark.products(config).items()  # type: ignore[attr-defined]
    )
    assert counted == pytest.approx(expected, rel=0.02)
