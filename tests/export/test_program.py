"""Programs of torch.export: written, loaded, compared."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.torch_version import TorchVersion

from selflift import device
from selflift.export import export_onnx, export_program, model_files
from selflift.lift import PoseLifter
from tests.export.lifters import answer, asked, assert_same, needs_tracing, pose_lifter

ROOT = str(Path(__file__).parents[2])


@needs_tracing
@pytest.mark.parametrize("kind", ["all heads", "plain"])
def test_a_saved_program_gives_the_pose_lifters_numbers(tmp_path: Path, kind: str) -> None:
    lifter, path = pose_lifter(kind), tmp_path / "folder" / "lifter.pt2"
    # Nothing that tracing makes up may be kept for those who compute.
    device._resident.cache_clear()
    assert export_program(lifter, path) < 1e-5
    program = torch.export.load(path).module()
    for batch, seed in ((1, 10), (2, 11), (33, 12)):
        inputs = asked(lifter, batch, seed)
        assert_same(program(*inputs), answer(lifter, inputs))
    assert list(path.parent.iterdir()) == [path]
    with zipfile.ZipFile(path) as archive:
        whole = b"".join(archive.read(name) for name in archive.namelist())
    assert not any(word.encode() in whole for word in (ROOT, "site-packages", "/home/me"))


@needs_tracing
def test_a_program_that_computes_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "TOLERANCE", -1.0)
    with pytest.raises(ValueError, match="apart; nothing was written"):
        export_program(pose_lifter("plain"), tmp_path / "lifter.pt2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("export", [export_onnx, export_program])
def test_a_pytorch_that_is_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export: Callable[[PoseLifter, Path], float]
) -> None:
    pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.4.0+cpu"))
    with pytest.raises(ImportError, match=r"expected PyTorch 2\.10 or newer, got 2\.4\.0\+cpu;"):
        export(pose_lifter("plain"), tmp_path / "lifter")
    assert list(tmp_path.iterdir()) == []
