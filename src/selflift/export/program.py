"""Programs of ``torch.export``: for PyTorch without selflift, and as the way to other formats."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram

from selflift.export.check import check, example
from selflift.export.module import PixelLifter
from selflift.files.atomic_write import atomic_path
from selflift.lift import PoseLifter

# One batch size for keypoints and confidences; the camera and the stature are one for all.
_BATCH = {0: Dim("batch", min=1)}
DYNAMIC = (_BATCH, _BATCH, None, None, None)
# Older ones can't trace the lifter, or write what they traced.
OLDEST_TORCH = "2.10"


def export_program(pose_lifter: PoseLifter, path: str | Path) -> float:
    """Write a ``.pt2`` file, load it again, compare it with the lifter; see the package.

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
            # PyTorch 2.10 tells of a buffer of its own that nobody writes to.
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
        # Where on this machine the code lies is nobody else's matter.
        node.meta.pop("stack_trace", None)
    return program
