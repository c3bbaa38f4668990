"""ONNX files: for runtimes in other languages and on other devices."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import selflift
from selflift.export.check import check, example
from selflift.export.module import INPUTS, OUTPUTS, PixelLifter
from selflift.export.program import DYNAMIC, program_of
from selflift.files.atomic_write import atomic_path
from selflift.lift import PoseLifter


def export_onnx(pose_lifter: PoseLifter, path: str | Path) -> float:
    """Write an ONNX file, run it by ONNX Runtime, compare it with the lifter; see the package.

    The file's metadata tell the layout, its joints, units and axes.

    Args:
        pose_lifter: The lifter.
        path: The file; it is written atomically.

    Returns:
        By how much the file's poses differ from the lifter's, as a share of the body height.

    Raises:
        ImportError: If packages of the extra ``export`` are missing or PyTorch is older than 2.10.
        ValueError: If the file computes something else; nothing is written then.
        OSError: If it can't be written.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "selflift.export: expected the packages onnx, onnxscript and onnxruntime, got none "
            f"('{error.name}' is missing); pip install 'selflift[export]'"
        ) from error
    module = PixelLifter(pose_lifter)
    with _quiet():
        made = torch.onnx.export(
            program_of(module),
            example(module, 3, seed=0),
            dynamo=True,
            dynamic_shapes=DYNAMIC,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            verbose=False,
        )
    assert made is not None
    model = made.model
    for node in model.graph:
        # Where on this machine the code lies is nobody else's matter.
        node.metadata_props.clear()
    model.metadata_props.update(metadata(module))
    model.producer_name, model.producer_version = "selflift", selflift.__version__
    with atomic_path(path) as temporary:
        made.save(temporary, external_data=False)
        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])

        def run(inputs: tuple[Tensor, ...]) -> list[Tensor]:
            named = {name: x.numpy() for name, x in zip(INPUTS, inputs, strict=True)}
            return [torch.from_numpy(x) for x in session.run(list(OUTPUTS), named)]

        return check(path, run, module)


def metadata(module: PixelLifter) -> dict[str, str]:
    """What one has to know to use a file, name -> text; lists are JSON."""
    skeleton, lifter = module.skeleton, module.lifter
    told: dict[str, Any] = {
        "selflift": selflift.__version__,
        "layout": skeleton.name,
        "joints": list(skeleton.joints),
        "bones": [list(bone) for bone in skeleton.bones],
        "root": skeleton.root,
        "incomplete_poses": lifter.confidences,
        "elevation_head": lifter.elevation_head is not None,
        "keypoints": "pixels, x right, y down, of a pinhole camera",
        "confidence": "0 to 1; 0 marks a missing joint",
        "axes": "the camera's: x right, y down, z forward",
        "units": "X_m, root_m: metres at the given stature; X_m from the root; elevation: radians",
        "not_lifted": "NaN",
    }
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in told.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Within it the exporter doesn't tell of its own deprecations and of packages not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
