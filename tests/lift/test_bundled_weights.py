"""Weights that come with the package, and the door to them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

import selflift
from selflift import checkpoint
from selflift.checkpoint import Checkpoint
from selflift.config import TrainConfig
from selflift.geometry.normalise import Normaliser
from selflift.lift import bundled_weights
from selflift.models import Lifter

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "make_weights.py"
LIFTER = {"skeleton": "h36m_17", "width": 16, "num_blocks": 1, "elevation": True}
X_PX = np.random.default_rng(0).uniform(100, 900, (5, 17, 2))


def trained() -> Checkpoint:
    """What a training on somebody's machine writes."""
    torch.manual_seed(0)
    config = asdict(TrainConfig(output_dir="/home/me/runs/a"))
    config["data"] |= {"root": "/home/me/data", "name": "cmu17", "source": "cmu"}
    config["domain"]["data"]["root"] = "relative/data"
    config["files"] = ["C:\\Users\\me\\a.h5", "~/b.h5", "S1"]
    metadata = {
        "lifter": LIFTER,
        "normaliser": asdict(Normaliser("rotate", "sample", 0.4, 0.06)),
        "config": config,
    }
    return Checkpoint(metadata, Lifter(**LIFTER).state_dict(), {"step": 3})  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled weights."""
    monkeypatch.setattr(bundled_weights, "FOLDER", tmp_path / "weights")
    for name in ("walker", "dancer"):
        checkpoint.save_weights(tmp_path / "weights" / f"{name}.safetensors", trained())
    (tmp_path / "weights" / "walker.md").write_text("A card.")
    return tmp_path / "weights"


def test_bundled_weights_are_those_in_the_folder(folder: Path) -> None:
    assert bundled_weights.bundled() == {
        "dancer": folder / "dancer.safetensors", "walker": folder / "walker.safetensors"
    }  # fmt: skip
    assert list(bundled_weights.bundled()) == ["dancer", "walker"]


def test_a_name_takes_the_bundled_file(folder: Path) -> None:
    lifter = selflift.load("walker", device="cpu", precision="float32")
    assert repr(lifter) == "PoseLifter('walker', h36m_17, complete poses only)"
    found = lifter(X_PX, size_px=(1000, 1000))
    assert found.lifted.all() and np.isfinite(found.X_m).all()
    assert isinstance(lifter, selflift.PoseLifter)


def test_a_path_takes_a_file_or_a_run_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    checkpoint.save(run / "checkpoints" / "best.pt", trained())
    checkpoint.save_weights(tmp_path / "a.safetensors", trained(), torch.float32)
    expected = selflift.load(run, "cpu")(X_PX, size_px=(1000, 1000))
    for path in (str(run), run / "checkpoints" / "best.pt", str(tmp_path / "a.safetensors")):
        found = selflift.load(path, "cpu")(X_PX, size_px=(1000, 1000))
        np.testing.assert_array_equal(found.X_m, expected.X_m)


def test_a_bundled_name_goes_before_a_folder_of_that_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "walker").mkdir()
    assert selflift.load("walker", "cpu").name == "walker"
    with pytest.raises(ValueError, match="expected a run folder with checkpoints/best.pt"):
        selflift.load("./walker", "cpu")
    with pytest.raises(ValueError, match="expected a run folder with checkpoints/best.pt"):
        selflift.load(Path("walker"), "cpu")


def test_what_is_neither_is_refused_with_the_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    message = r"checkpoint 'waker': expected .*\(dancer, walker\) or the path .* got neither"
    with pytest.raises(ValueError, match=message):
        selflift.load("waker")
    for path in ("gone.pt", "gone/run", "gone.safetensors", Path("gone")):
        with pytest.raises(ValueError, match="gone.*': no such file"):
            selflift.load(path)
    with pytest.raises(ValueError, match="device: expected auto, cpu or cuda, got 'tpu'"):
        selflift.load("walker", device="tpu")
    with pytest.raises(ValueError, match="precision: expected one of"):
        selflift.load("walker", precision="float8")
    monkeypatch.setattr(bundled_weights, "FOLDER", tmp_path / "none")
    with pytest.raises(ValueError, match=r"bundled weights \(none\)"):
        selflift.load("walker")


def test_every_bundled_file_is_sound_small_and_has_its_card() -> None:
    for name, path in bundled_weights.bundled().items():
        assert path.with_suffix(".md").is_file(), name
        assert path.stat().st_size < 20e6
        content = checkpoint.load(path)
        assert content.metadata == bundled_weights.portable(content).metadata
        assert np.isfinite(selflift.load(name, "cpu")(X_PX, size_px=(1000, 1000)).root_m).any()


def test_importing_the_package_imports_nothing_that_computes() -> None:
    code = (
        "import sys, selflift; print(selflift.__version__, sorted(dir(selflift))); "
        "heavy = {'torch', 'numpy', 'h5py', 'hydra', 'matplotlib'}; print(heavy & {*sys.modules}); "
        "print(selflift.Camera.__module__, selflift.PoseLifter.__name__)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    version, loaded, lazy = told.stdout.splitlines()
    assert version.startswith(selflift.__version__) and "'PoseLifter'" in version
    assert loaded == "set()" and lazy == "selflift.lift.camera_assumptions PoseLifter"
    with pytest.raises(AttributeError, match="module 'selflift' has no attribute 'lode'"):
        selflift.lode  # noqa: B018


def test_weights_for_others_tell_nothing_of_the_machine() -> None:
    made = bundled_weights.portable(trained())
    text = json.dumps(made.metadata)
    for word in ("home", "Users", "~", "relative", "output_dir", '"root"'):
        assert word not in text
    assert made.metadata["config"]["data"]["name"] == "cmu17"
    assert made.metadata["config"]["files"] == ["S1"]
    assert made.metadata["lifter"] == LIFTER and made.state == {}
    assert "/home/me" in json.dumps(trained().metadata)


@pytest.mark.skipif(not SCRIPT.is_file(), reason="an installation without scripts/")
def test_the_script_makes_weights_and_tells_what_rounding_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run" / "checkpoints" / "best.pt"
    checkpoint.save(run, trained())

    def script(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SCRIPT), *arguments, "--folder", str(tmp_path / "out")]
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    done = script(str(tmp_path / "run"), "walker")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "out" / "walker.safetensors"
    assert f"{path}: {path.stat().st_size:,} bytes" in done.stdout
    assert "mm on average" in done.stdout and "walker.md, got none; write it" in done.stdout
    most = float(done.stdout.split(" mm at most")[0].rsplit(", ", 1)[1])
    assert 0 < most < 20
    assert b"home" not in path.read_bytes() and os.listdir(tmp_path / "out") == [path.name]
    assert script(str(tmp_path / "gone.pt"), "walker").returncode == 1
    assert script(str(run), "a name").returncode == 2


def test_the_wheel_has_the_weights_and_their_cards(tmp_path: Path) -> None:
    builders = pytest.importorskip("hatchling.builders.wheel")
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("an installation without pyproject.toml")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "train.yaml").touch()
    package = tmp_path / "src" / "selflift"
    (package / "weights").mkdir(parents=True)
    shutil.copy(ROOT / "src" / "selflift" / "__init__.py", package)
    checkpoint.save_weights(package / "weights" / "walker.safetensors", trained())
    (package / "weights" / "walker.md").write_text("A card.")
    (wheel,) = builders.WheelBuilder(str(tmp_path)).build(directory=str(tmp_path / "dist"))
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"selflift/weights/walker.{end}" for end in ("md", "safetensors")} <= set(names)
