"""Schema of a conversion; the comments in ``configs/prepare.yaml`` explain its keys."""

from __future__ import annotations

from dataclasses import dataclass, field

from selflift.config.data_schema import RigConfig


@dataclass
class H36MOptions:
    """Options for Human3.6M."""

    keypoints: str | None = None
    lens: bool = True
    stand_in: str | None = "S1"
    joints: int = 17
    subjects: list[str] = field(default_factory=list)
    skip: list[str] = field(default_factory=lambda: ["S11 Directions.54138969"])
    split: str = "test"


@dataclass
class MPIInf3DHPOptions:
    """Options for MPI-INF-3DHP."""

    annotation: str = "universal"
    cameras: list[int] = field(default_factory=lambda: [0, 1, 2, 4, 5, 6, 7, 8])
    subjects: list[str] = field(default_factory=list)
    sequences: list[int] = field(default_factory=lambda: [1, 2])
    valid_only: bool = True
    head_order: str = "natural"


@dataclass
class MocapOptions:
    """Options for motion capture files."""

    unit: str = "auto"
    up: str = "auto"
    fps: float | None = 50.0
    source_fps: float | None = None
    asf: str | None = None
    drop_t_pose: bool = True
    subject: str | None = None
    actions: str | None = None
    bones: dict[str, str] | None = None


@dataclass
class KeypointOptions:
    """Options for files of 2D keypoints."""

    layout: str | None = None
    people: str | None = None
    min_confidence: float = 0.0
    min_frames: int = 1
    fps: float = 30.0
    size_px: list[int] | None = None
    f_px: float | None = None
    subject: str = "unknown"
    action: str = "unknown"


@dataclass
class PrepareConfig:
    """Config of a conversion."""

    source: str | None = None
    input: str = "???"
    output: str = "???"
    overwrite: bool = False
    skeleton: str | None = None
    every: int = 1
    complete: bool = False
    picture: bool = True
    progress: bool = True
    h36m: H36MOptions = field(default_factory=H36MOptions)
    mpi_inf_3dhp: MPIInf3DHPOptions = field(default_factory=MPIInf3DHPOptions)
    mocap: MocapOptions = field(default_factory=MocapOptions)
    rig: RigConfig = field(default_factory=RigConfig)
    keypoints: KeypointOptions = field(default_factory=KeypointOptions)
