"""Exported files: ONNX, and programs of ``torch.export``; each is compared before it is written."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

import selflift
from selflift.export.pixel_lifter import INPUTS, OUTPUTS, PixelLifter
from selflift.files.atomic_write import atomic_path
from selflift.lift import PoseLifter

# One batch size for keypoints and confidences; the camera and the stature are one for all.
_BATCH = {0: Dim("batch", min=1)}
DYNAMIC = (_BATCH, _BATCH, None, None, None)
# Older ones can't trace the lifter, or write the trace.
OLDEST_TORCH = "2.10"
# Relative to the body height, or to the distance from the camera where that is larger.
TOLERANCE = 1e-4
BATCHES = (1, 2, 5, 64)
STATURE_M = 1.7

Run = Callable[[tuple[Tensor, ...]], Sequence[Tensor]]


def export_onnx(pose_lifter: PoseLifter, path: str | Path) -> float:
    """Write an ONNX file, after ONNX Runtime has given the lifter's poses with it.

    The file's metadata name the layout, its joints, units and axes.

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
        # Paths on this machine stay private.
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
    """Metadata of a file, name -> text; lists are JSON."""
    skeleton, lifter = module.skeleton, module.lifter
    facts: dict[str, Any] = {
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
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in facts.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's own deprecations and its hints on packages that aren't needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def export_program(pose_lifter: PoseLifter, path: str | Path) -> float:
    """Write a ``.pt2`` file, after it has given the lifter's poses when loaded again.

    Args:
        pose_lifter: The lifter.
        path: The file; it is written atomically.

    Returns:
        By how much the file's poses differ from the lifter's, as a share of the body height.

    Raises:
        ImportError: If PyTorch is older than 2.10.
        ValueError: If the file computes something else; nothing is written then.
        OSError: If it can't be written.
    """
    module = PixelLifter(pose_lifter)
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            torch.export.save(program_of(module), file)
        with open(temporary, "rb") as file, warnings.catch_warnings():
            # PyTorch 2.10 warns of a buffer of its own that nobody writes to.
            warnings.filterwarnings("ignore", "The given buffer is not writable", UserWarning)
            loaded = torch.export.load(file).module()
        return check(path, lambda inputs: loaded(*inputs), module)


def program_of(module: PixelLifter) -> ExportedProgram:
    """The module as a graph of tensor operations, for any batch size.

    Raises:
        ImportError: If PyTorch is older than 2.10.
    """
    if torch.__version__ < OLDEST_TORCH:
        raise ImportError(
            f"selflift.export: expected PyTorch {OLDEST_TORCH} or newer, got "
            f"{torch.__version__}; pip install 'selflift[export]'"
        )
    with torch.no_grad():
        program = torch.export.export(
            module, example(module, 3, seed=0), dynamic_shapes=DYNAMIC, strict=False
        )
    for node in program.graph.nodes:
        # Paths on this machine stay private.
        node.meta.pop("stack_trace", None)
    return program


def example(module: PixelLifter, batch: int, seed: int) -> tuple[Tensor, ...]:
    """Random inputs: people of 300 px in an image of 1,000; some lack a joint or more."""
    generator = torch.Generator().manual_seed(seed)
    joints = module.skeleton.num_joints
    keypoints = 500 + 100 * torch.randn(batch, joints, 2, generator=generator)
    confidence = torch.rand(batch, joints, generator=generator)
    missing = 0.15 if module.lifter.confidences else 0.15 / joints
    confidence[torch.rand(batch, joints, generator=generator) < missing] = 0
    f_px = 900 + 400 * torch.rand(2, generator=generator)
    c_px = 480 + 40 * torch.rand(2, generator=generator)
    return keypoints, confidence, f_px, c_px, torch.tensor(STATURE_M)


def check(path: object, run: Run, module: PixelLifter) -> float:
    """Compare a file, named ``path`` and run by ``run``, with the module that it was made of.

    Returns:
        The largest difference on new poses, as a share of the body height.

    Raises:
        ValueError: If it is above :data:`TOLERANCE`, or other poses are NaN.
    """
    worst = 0.0
    for seed, batch in enumerate(BATCHES):
        inputs = example(module, batch, seed)
        with torch.inference_mode():
            expected = module(*inputs)
        for name, right, got in zip(OUTPUTS, expected, run(inputs), strict=True):
            worst = max(worst, _apart(name, right, got))
    if not worst <= TOLERANCE:
        raise ValueError(
            f"export '{path}': expected what PyTorch computes but for {TOLERANCE} of the body "
            f"height, got poses that are {worst:.2g} apart; nothing was written: try other "
            "versions of torch, onnxscript and onnxruntime"
        )
    return worst


def _apart(name: str, expected: Tensor, got: Tensor) -> float:
    if got.shape != expected.shape or not torch.equal(got.isnan(), expected.isnan()):
        return float("inf")
    if expected.isnan().all():
        return 0.0
    size = torch.ones(()) if name == "elevation_rad" else expected.abs().clamp_min(STATURE_M)
    return float(((got - expected).abs() / size).nan_to_num().max())
