"""The typed schema of ``python -m selflift.predict``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from selflift.config.prepare_schema import KeypointOptions


@dataclass
class CameraOptions:
    """What is known of the camera; it counts before what a file says, and the rest is assumed.

    Attributes:
        size_px: Width and height of the image.
        f_px: Focal length, one number or ``[x, y]``.
        c_px: Principal point; the image's middle if ``None``.
    """

    size_px: list[int] | None = None
    f_px: Any = None
    c_px: list[float] | None = None


@dataclass
class PredictConfig:
    """Everything that defines a prediction.

    Attributes:
        input: File or folder of 2D keypoints.
        source: Name of its format; ``None`` recognises it from the files.
        output: File to write, or a list; the ending says what: ``.npz``, ``.h5``, ``.json``,
            ``.csv``, ``.bvh`` (one file per person).
        render: File to draw, or a list: ``.png``, ``.gif``, ``.mp4``, ``.html``.
        overwrite: Whether files that are already there are replaced.
        checkpoint: A run folder (its best checkpoint), a checkpoint file, or the name of weights
            that come with selflift.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
        batch_size: Poses lifted at once; ``None``: as many as suit the device.
        stature_m: The body height at which results are in metres.
        mirror_average: Whether to average each pose with its mirror image; ``None``: as trained.
        same_camera: Whether one camera that keeps still saw all frames of a video, so that they
            have one vertical; ``None``: for videos, not for unrelated images.
        smooth: Standard deviation in seconds of the Gaussian that smooths each person's 3D motion;
            0 for none. Unrelated images are never smoothed.
        fill_gap: Where a person lacks up to so many frames, poses are interpolated; at longer gaps
            the motion is split.
        progress: Whether to show a progress bar.
        camera: What is known of the camera.
        keypoints: How the input is read; ``people`` is by default ``"track"`` for videos, ``"all"``
            for COCO's images.
    """

    input: str = "???"
    source: str | None = None
    output: Any = None
    render: Any = None
    overwrite: bool = False
    checkpoint: str = "cmu17"
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    stature_m: float = 1.70
    mirror_average: bool | None = None
    same_camera: bool | None = None
    smooth: float = 0.06
    fill_gap: int = 5
    progress: bool = True
    camera: CameraOptions = field(default_factory=CameraOptions)
    keypoints: KeypointOptions = field(default_factory=KeypointOptions)
