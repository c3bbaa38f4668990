"""Schema of a prediction; the comments in ``configs/predict.yaml`` explain its keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from selflift.config.prepare_schema import KeypointOptions


@dataclass
class CameraOptions:
    """Known properties of the camera; they override the file's, and the rest is assumed."""

    size_px: list[int] | None = None
    f_px: Any = None
    c_px: list[float] | None = None


@dataclass
class PredictConfig:
    """Config of a prediction."""

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
