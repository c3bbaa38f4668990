"""Schema of training data; comments in ``configs/data``, ``rig`` and ``noise`` explain its keys."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class SyntheticConfig:
    """Amount of synthetic data; the same seed gives the same data, bit for bit."""

    seed: int = 0
    train_subjects: int = 27
    val_subjects: int = 2
    test_subjects: int = 4
    clips_per_subject: int = 20
    frames_per_clip: int = 75
    fps: float = 25.0


@dataclass
class RigConfig:
    """Virtual cameras; defaults resemble Human3.6M's hall."""

    cameras: int = 4
    azimuth_jitter_deg: float = 15.0
    distance_min_m: float = 4.5
    distance_max_m: float = 6.5
    pitch_mean_deg: float = 12.0
    pitch_std_deg: float = 3.0
    f_px: float = 1145.0
    size_px: int = 1000
    min_depth_m: float = 0.5


@dataclass
class NoiseConfig:
    """Errors of a 2D detector; see :mod:`selflift.data.noise`."""

    kind: str = "none"
    seed: int = 0
    jitter: float = 1.0
    outlier_share: float = 0.03
    outlier_factor: float = 5.0
    swap_share: float = 0.02
    drop: float = 1.0
    hip_shift: float = 0.0
    head_shift: float = 0.0
    clean_share: float = 0.0
    lack_share: float = 0.0
    least_level: float = 1.0


@dataclass
class SubjectsConfig:
    """Subjects of each split, all in the one file ``{name}.h5``."""

    train: list[str] = field(default_factory=list)
    val: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)


@dataclass
class DataConfig:
    """Source of 2D poses, and the noise on them."""

    source: str = "synthetic"
    root: str = "data"
    name: str = "poses"
    subjects: SubjectsConfig = field(default_factory=SubjectsConfig)
    mirror: bool = True
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    rig: RigConfig = field(default_factory=RigConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
