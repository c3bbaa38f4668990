"""Schema of a training run; the comments in ``configs/`` explain its keys.

Plain dataclasses: the command line merges the YAML onto them, so that a misspelt key or a wrong
type fails at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from selflift.config.data_schema import DataConfig


@dataclass
class NormaliseConfig:
    """Normalisation of 2D poses; see :mod:`selflift.geometry.normalise`."""

    centre: str = "rotate"
    scale: str = "sample"


@dataclass
class LifterConfig:
    """Architecture of the lifter; see :class:`selflift.models.Lifter`."""

    width: int = 256
    num_blocks: int = 4
    norm: str = "batch"
    dropout: float = 0.0
    depth: float = 10.0
    min_depth: float = 1.0
    fix_root: bool = True
    max_elevation_deg: float = 45.0
    mirror_average: bool = True
    confidences: bool = False
    refine: bool = False


@dataclass
class DiscriminatorConfig:
    """Architecture of the discriminator; see :class:`selflift.models.PoseDiscriminator`."""

    width: int = 256
    num_blocks: int = 3
    dropout: float = 0.0


@dataclass
class AdapterConfig:
    """Architecture of the domain adapter; see :class:`selflift.models.DomainAdapter`."""

    width: int = 256
    num_blocks: int = 4
    norm: str = "batch"
    dropout: float = 0.0


@dataclass
class ModelConfig:
    """Networks: the lifter ``G``, ``D``, the temporal ``T``, the adapter ``C`` and its ``D_D``."""

    lifter: LifterConfig = field(default_factory=LifterConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    temporal_discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    domain_discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)


@dataclass
class ViewConfig:
    """Random views; see :class:`selflift.method.views.ViewSampler`."""

    kind: str = "learned"
    azimuth_range_deg: float = 180.0
    elevation_range_deg: float = 20.0
    elevation_mean_deg: float = 12.0
    elevation_std_deg: float = 5.0


@dataclass
class SignConfig:
    """Choice of the depth sign by anatomy."""

    check: bool = True
    first_step: int = 100
    every: int = 100
    margin: float = 0.0


@dataclass
class TemporalConfig:
    """Pairs of frames for the temporal discriminator."""

    min_frames: int = 1
    max_frames: int = 4


@dataclass
class CompositeConfig:
    """Composite bodies; see :mod:`selflift.method.composites`."""

    legs: float = 0.5
    arms: float = 0.5
    bone_std: float = 0.08
    warmup: int = 1000


@dataclass
class BonesConfig:
    """Bone lengths of lifted poses; see :class:`selflift.method.composites.BoneTable`."""

    per: str = "recording"
    sharpness: float = 8.0


@dataclass
class DomainConfig:
    """Poses of another domain; see :mod:`selflift.method.domain_adapter`."""

    share: float = 0.0
    data: DataConfig = field(default_factory=DataConfig)
    adapter: str = "joint"
    steps: int = 2000
    w_correction: float = 10.0
    lr: float = 2e-4


@dataclass
class LossConfig:
    """Weights and kinds of the loss terms; see :mod:`selflift.method.losses`."""

    w_2d: float = 1.0
    w_3d: float = 0.1
    joints: str = "mean"
    w_bone: float = 1.0
    w_adv: float = 1.0
    w_temporal: float = 0.0
    w_composite: float = 2.0
    w_truth: float = 0.0
    game: str = "least_squares"
    r1: float = 0.2
    gradient_penalty: float = 0.0
    discriminator_size: str = "unit"


@dataclass
class OptimConfig:
    """Adam, its schedule, and the ratio of updates."""

    lr: float = 1e-3
    lr_discriminator: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.9
    schedule: str = "cosine"
    decay: float = 0.9
    decay_every: int = 300
    warmup: int = 0
    discriminator_every: int = 3
    ema: float = 0.999


@dataclass
class TrainerConfig:
    """Length of a run and intervals within it."""

    steps: int = 3000
    batch_size: int = 256
    log_every: int | None = None
    validate_every: int = 250
    validation_poses: int = 8192
    threads: int = 1
    progress: bool = True
    poses_on_disk: bool | None = None


@dataclass
class EngineConfig:
    """Implementation of a step; its results stay the same up to rounding."""

    precision: str = "auto"
    one_pass: bool | None = None
    graph: bool | None = None
    compile: bool = False
    onednn: bool = True
    keep_memory: bool = True
    anomaly: bool = False
    deterministic: bool = False


@dataclass
class TrainConfig:
    """Config of a run."""

    seed: int = 0
    output_dir: str = "outputs/run"
    resume: str | None = None
    device: str = "auto"
    data: DataConfig = field(default_factory=DataConfig)
    normalise: NormaliseConfig = field(default_factory=NormaliseConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    view: ViewConfig = field(default_factory=ViewConfig)
    sign: SignConfig = field(default_factory=SignConfig)
    temporal: TemporalConfig = field(default_factory=TemporalConfig)
    composite: CompositeConfig = field(default_factory=CompositeConfig)
    bones: BonesConfig = field(default_factory=BonesConfig)
    domain: DomainConfig = field(default_factory=DomainConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
