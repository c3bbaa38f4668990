"""Which lifter is meant."""

from __future__ import annotations

import hashlib

import numpy as np

import selflift
from selflift.lift import PoseLifter


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
    lifter = selflift.load(given, device, precision)
    if mirror_average is None or lifter.lifter.mirror_average == mirror_average:
        return lifter
    lifter.lifter.mirror_average = mirror_average
    # Its fast copy was made before.
    return PoseLifter(
        lifter.lifter, lifter.normaliser, lifter.name, device, precision, lifter.metadata
    )


def weights_sha256(lifter: PoseLifter) -> str:
    """A checksum of a lifter's weights, whatever file they came in."""
    digest = hashlib.sha256()
    for name, weight in sorted(lifter.lifter.state_dict().items()):
        values = weight.detach().cpu().float().numpy()
        digest.update(f"{name} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values, "<f4").tobytes())
    return digest.hexdigest()
