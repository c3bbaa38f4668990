"""selflift: learn to lift 2D human keypoints to 3D from 2D keypoints alone.

    lifter = selflift.load("cmu17")
    poses = lifter(keypoints, "coco_17", size_px=(1920, 1080))

Importing the package is cheap: PyTorch and the rest are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike

    from selflift.lift import Camera, LiftedPoses, PoseLifter

__version__ = "0.1.0"

__all__ = ["Camera", "LiftedPoses", "PoseLifter", "__version__", "load"]

_LIFT = ("Camera", "LiftedPoses", "PoseLifter")


def load(
    name_or_path: str | PathLike[str], device: str = "auto", precision: str = "auto"
) -> PoseLifter:
    """Load a lifter that takes keypoints in pixels and returns poses in metres.

    Args:
        name_or_path: The name of weights that ship with selflift
            (:func:`selflift.lift.bundled_weights.bundled` lists them), or else a checkpoint file
            (``.pt``, ``.safetensors``) or a run folder.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        precision: ``"float32"``, ``"bfloat16"`` or ``"auto"``: bfloat16 where it is faster.

    Raises:
        ValueError: If there is no such name or file, or the file is unusable.
    """
    from selflift.lift import PoseLifter

    return PoseLifter.from_checkpoint(name_or_path, device, precision)


def __getattr__(name: str) -> Any:
    if name not in _LIFT:
        raise AttributeError(f"module 'selflift' has no attribute '{name}'")
    from selflift import lift

    return getattr(lift, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LIFT})
