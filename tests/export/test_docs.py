"""Every piece of code in docs/export.md runs, and gives what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift import checkpoint
from selflift.checkpoint import Checkpoint
from selflift.lift import bundled_weights
from tests.export.lifters import needs_tracing, pose_lifter

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="an installation without docs/")


@needs_tracing
def test_the_page_s_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package, reason="the extra 'export' is not installed")
    hub_mixin = pytest.importorskip("huggingface_hub.hub_mixin", reason="no extra 'hub'")
    pushed: list[str] = []

    class Hub:
        def __init__(self, **_: object) -> None:
            pass

        def create_repo(self, repo_id: str, **_: object) -> object:
            pushed.append(repo_id)
            return type("Url", (), {"repo_id": repo_id})

        def upload_folder(self, **_: object) -> str:
            return "url"

    monkeypatch.setattr(hub_mixin, "HfApi", Hub)
    monkeypatch.setattr(bundled_weights, "FOLDER", tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    made = pose_lifter("mirror")
    content = Checkpoint(made.metadata, made.lifter.state_dict())
    checkpoint.save(tmp_path / "best.pt", content)
    checkpoint.save_weights(tmp_path / "weights" / "cmu17.safetensors", content)
    np.save("keypoints.npy", np.random.default_rng(0).uniform(200, 800, (6, 17, 2)))

    told: dict[str, Any] = {}
    pieces = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert len(pieces) == 7
    for piece in pieces:
        exec(piece, told)
    assert told["worst"] < 1e-4 and told["joints"] == list(made.skeleton.joints)
    for name in ("X_m", "X_m_again"):
        np.testing.assert_allclose(told[name], told["poses"].X_m, atol=1e-4)
    for name in ("root_m", "root_m_again"):
        np.testing.assert_allclose(told[name], told["poses"].root_m, rtol=1e-4)
    assert repr(told["again"]).startswith("PoseLifter('a-folder', h36m_17")
    assert pushed == ["somebody/a-lifter"]
    assert "licence: CMU motion capture; CC BY" in Path("a-folder/README.md").read_text()
