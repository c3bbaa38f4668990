"""Which lifter is meant."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

import selflift
from selflift.lifting import PoseLifter


def open_lifter(
    given: str, device: str, precision: str, mirror_average: bool | None = None
) -> PoseLifter:
    """The lifter of a run folder, a checkpoint file, or of weights that come with selflift.

    Args:
        given: The folder, the file or the name.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
        mirror_average: Whether to average each pose with its mirror image; ``None``: as trained.

    Raises:
        ValueError: If it is missing or unusable, or the device or the precision is unknown.
    """
    path = Path(given)
    load = getattr(selflift, "load", None)
    if path.exists() or path.suffix or len(path.parts) > 1:
        lifter = PoseLifter.from_checkpoint(given, device, precision)
    elif load is None:
        raise ValueError(
            f"checkpoint '{given}': expected a run folder or a checkpoint file, got neither, and "
            "no weights come with this selflift; give checkpoint=RUN_DIR"
        )
    else:
        found = load(given)
        lifter = PoseLifter(found.lifter, found.normaliser, found.name, device, precision)
    if mirror_average is None or lifter.lifter.mirror_average == mirror_average:
        return lifter
    lifter.lifter.mirror_average = mirror_average
    # Its fast copy was made before.
    return PoseLifter(lifter.lifter, lifter.normaliser, lifter.name, device, precision)


def weights_sha256(lifter: PoseLifter) -> str:
    """A checksum of a lifter's weights, whatever file they came in."""
    digest = hashlib.sha256()
    for name, weight in sorted(lifter.lifter.state_dict().items()):
        values = weight.detach().cpu().float().numpy()
        digest.update(f"{name} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values, "<f4").tobytes())
    return digest.hexdigest()
