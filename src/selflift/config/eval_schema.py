"""Schema of an evaluation; the comments in ``configs/eval.yaml`` explain its keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class EvalDataConfig:
    """Data of an evaluation; ``None`` takes what the checkpoint was trained on."""

    source: str | None = None
    root: str | None = None
    name: str | None = None
    subjects: list[str] | None = None
    noise: str | None = None


@dataclass
class EvalConfig:
    """Config of an evaluation."""

    checkpoint: Any = "???"
    compare: list[str] = field(default_factory=list)
    protocols: list[str] = field(default_factory=lambda: ["plain"])
    poses: str | None = None
    split: str = "test"
    device: str = "auto"
    output_dir: str | None = None
    batch_size: int = 8192
    skeleton_height_mm: float = 1600.0
    train_scale: bool = False
    mirror_average: bool | None = None
    label_free: bool = False
    resamples: int = 2000
    seed: int = 0
    report: bool = True
    data: EvalDataConfig = field(default_factory=EvalDataConfig)
