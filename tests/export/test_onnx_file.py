"""ONNX files: written, run by ONNX Runtime, compared."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from selflift.export import INPUTS, OUTPUTS, export_onnx, model_files
from selflift.skeleton import H36M_17
from tests.export.lifters import answer, asked, assert_same, needs_tracing, pose_lifter

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")

ROOT = str(Path(__file__).parents[2])


@needs_tracing
@pytest.mark.parametrize("kind", ["all heads", "plain", "no camera"])
def test_onnx_runtime_gives_the_pose_lifters_numbers(tmp_path: Path, kind: str) -> None:
    lifter, path = pose_lifter(kind), tmp_path / "lifter.onnx"
    assert export_onnx(lifter, path) < 1e-4
    assert list(tmp_path.iterdir()) == [path]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch, seed in ((1, 10), (2, 11), (257, 12)):
        inputs = asked(lifter, batch, seed)
        named = {name: x.numpy() for name, x in zip(INPUTS, inputs, strict=True)}
        assert_same(session.run(list(OUTPUTS), named), answer(lifter, inputs))
    joints = lifter.skeleton.num_joints
    shapes = {i.name: i.shape for i in (*session.get_inputs(), *session.get_outputs())}
    assert shapes == {
        "keypoints": ["batch", joints, 2], "confidence": ["batch", joints], "f_px": [2],
        "c_px": [2], "stature_m": [], "X_m": ["batch", joints, 3], "root_m": ["batch", 3],
        "elevation_rad": ["batch"],
    }  # fmt: skip
    onnx.checker.check_model(onnx.load(path), full_check=True)
    told = session.get_modelmeta().custom_metadata_map
    assert told["layout"] == lifter.skeleton.name
    assert json.loads(told["joints"]) == list(lifter.skeleton.joints)
    assert json.loads(told["incomplete_poses"]) is lifter.lifter.confidences
    assert "y down" in told["axes"] and "metres" in told["units"]
    whole = path.read_bytes()
    assert not any(word.encode() in whole for word in (ROOT, "site-packages", "/home/me"))


@needs_tracing
def test_a_file_that_computes_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lifter.onnx"
    path.write_bytes(b"an earlier file")
    monkeypatch.setattr(model_files, "TOLERANCE", -1.0)
    with pytest.raises(ValueError, match="lifter.onnx': .*apart; nothing was written"):
        export_onnx(pose_lifter("plain"), path)
    assert path.read_bytes() == b"an earlier file" and list(tmp_path.iterdir()) == [path]


def test_metadata_are_texts_that_name_the_bones() -> None:
    told = model_files.metadata(model_files.PixelLifter(pose_lifter("plain")))
    assert all(isinstance(text, str) for text in told.values())
    assert json.loads(told["bones"]) == [list(bone) for bone in H36M_17.bones]
    assert told["elevation_head"] == "false" and told["root"] == "0"


@pytest.mark.parametrize("package", ["onnxruntime", "onnxscript"])
def test_without_the_extra_a_line_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"'{package}' is missing.*pip install 'selflift\[exp"):
        export_onnx(pose_lifter("plain"), tmp_path / "lifter.onnx")
