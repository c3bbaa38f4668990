"""The typed schema of a training run: types and defaults live here, numbers in ``configs/``.

Plain dataclasses; the command line merges the YAML onto them, so that a misspelt key or a wrong
type fails at once. The comments in the YAML say where the paper's value is not known for certain.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from selflift.config.data_schema import DataConfig


@dataclass
class NormaliseConfig:
    """From pixels to the lifter's input; see :mod:`selflift.geometry.normalise`."""

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
    """The networks of a run.

    Attributes:
        lifter: ``G``.
        discriminator: ``D``.
        temporal_discriminator: ``T``; built where ``loss.w_temporal`` is above 0.
        adapter: ``C``; built where ``domain.adapter`` asks for it.
        domain_discriminator: ``D_D``, the adapter's.
    """

    lifter: LifterConfig = field(default_factory=LifterConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    temporal_discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    domain_discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)


@dataclass
class ViewConfig:
    """How random views are drawn; see :class:`selflift.method.views.ViewSampler`."""

    kind: str = "learned"
    azimuth_range_deg: float = 180.0
    elevation_range_deg: float = 20.0
    elevation_mean_deg: float = 12.0
    elevation_std_deg: float = 5.0


@dataclass
class SignConfig:
    """How the depth sign is settled by anatomy.

    Attributes:
        check: Whether to look at the knees at all.
        first_step: First look, when depth has begun to form.
        every: Steps between looks.
        margin: The lifter is turned over when the knee score falls below ``-margin``.
    """

    check: bool = True
    first_step: int = 100
    every: int = 100
    margin: float = 0.0


@dataclass
class TemporalConfig:
    """Which two frames of a clip are a pair for the temporal discriminator.

    Attributes:
        min_frames: Frames of the source recording between the two, at least.
        max_frames: The same, at most. The nearest frame within the two bounds is taken; a pose
            that has none is in no pair.
    """

    min_frames: int = 1
    max_frames: int = 4


@dataclass
class CompositeConfig:
    """New bodies made of lifted ones; see :mod:`selflift.method.composites`.

    Attributes:
        legs: Share of bodies that get another body's legs.
        arms: Share of left arms, and of right ones, that come from another body.
        bone_std: Spread of the logarithm of bone lengths.
        warmup: Steps over which the weights of this term and of ``loss.w_bone`` rise linearly from
            zero. Before depth has formed, bodies are flat, and a lifter that learns from them stays
            flat.
    """

    legs: float = 0.5
    arms: float = 0.5
    bone_std: float = 0.08
    warmup: int = 1000


@dataclass
class BonesConfig:
    """Bone lengths of lifted poses; see :class:`selflift.method.composites.BoneTable`.

    Used by ``loss.w_bone`` and by composites.

    Attributes:
        per: Whose poses share their bones: ``"recording"`` (a clip through one camera) or
            ``"person"`` (all poses under one subject's name: right where names name people).
        sharpness: How much more a bone counts that lies across the line of sight.
    """

    per: str = "recording"
    sharpness: float = 8.0


@dataclass
class DomainConfig:
    """2D poses of another domain that join the training; see :mod:`selflift.method.domain_adapter`.

    Attributes:
        share: How many source poses join a batch, as a share of ``trainer.batch_size``; 0: none.
        data: Where they come from; the training split of it.
        adapter: ``"none"`` (they join as they are), ``"first"`` (the adapter is trained before the
            lifter, then kept), ``"joint"`` (it is trained along with it) or ``"bones"`` (no 2D
            adapter: bodies lifted from them, in the proportions of the target's people, are
            composites' material and take no other part).
        steps: Adapter updates before the lifter's first (``first``).
        w_correction: Weight of ``|C(x_s)|^2``.
        lr: Learning rate of the adapter and its discriminator.
    """

    share: float = 0.0
    data: DataConfig = field(default_factory=DataConfig)
    adapter: str = "joint"
    steps: int = 2000
    w_correction: float = 10.0
    lr: float = 2e-4


@dataclass
class LossConfig:
    """Weights and kinds of the terms; see :mod:`selflift.method.losses`.

    Attributes:
        w_2d: Weight of ``L_2D``.
        w_3d: Weight of ``L_3D``.
        joints: Whether these two are the ``"mean"`` or the ``"sum"`` over joints.
        w_bone: Weight of the constancy of bone lengths (not in the paper); 0 leaves it out.
        w_adv: Weight of the adversarial term; 0 trains without a discriminator.
        w_temporal: Weight of ``L_T``; 0 trains without a temporal discriminator.
        w_composite: Weight of the second lift of composite bodies (not in the paper); 0 leaves it
            out.
        w_truth: Weight of the distance to the *true* 3D poses: supervised training, a reference
            for what the data allow. 0 everywhere else.
        game: ``"cross_entropy"``, ``"least_squares"`` or ``"wasserstein"``.
        r1: Weight of the R1 gradient penalty on real poses.
        gradient_penalty: Weight of the Wasserstein gradient penalty.
        discriminator_size: ``"unit"`` or ``"kept"``; see ``cycle.as_seen_by_discriminator``.
    """

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
    """Adam, its schedule and the ratio of the two players.

    Attributes:
        lr: Learning rate of the lifter at the start.
        lr_discriminator: Learning rate of the discriminator at the start.
        beta1: Adam's first-moment decay.
        beta2: Adam's second-moment decay.
        schedule: ``"constant"``, ``"exponential"`` (times ``decay`` every ``decay_every`` steps)
            or ``"cosine"`` (to zero at the end).
        decay: See ``schedule``.
        decay_every: See ``schedule``.
        warmup: Steps over which the learning rate rises linearly from zero.
        discriminator_every: The discriminator is updated at every so many-th lifter step.
        ema: Decay of the running average of the lifter's weights that is used for inference; 0
            uses the weights as they are.
    """

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
    """Length and rhythm of a run.

    Attributes:
        steps: Lifter updates.
        batch_size: Poses per update.
        log_every: Steps between TensorBoard scalars; ``None``: 20, or more where that would be more
            than 5,000 points.
        validate_every: Steps between validations, each of which saves checkpoints.
        validation_poses: At most so many validation poses are used, drawn once by the seed.
        threads: CPU threads; 0 leaves the choice to PyTorch.
        progress: Whether to draw a progress bar.
        poses_on_disk: Whether training poses, normalised, lie in a scratch file that batches are
            read from, see :mod:`selflift.files.scratch`; ``None``: where they take more than
            4 GiB.
    """

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
    """How a step is computed; what it computes is the same.

    Attributes:
        precision: What the networks' blocks compute in: ``"float32"``, ``"bfloat16"``, or
            ``"auto"``, see :func:`selflift.device.choose_precision`.
        one_pass: Whether both players learn from one pass of the discriminator over the generated
            poses, see :class:`selflift.method.adversary.SharedBackward`; ``None``: where it is
            updated at every step (elsewhere it saves little).
        graph: Whether steps are recorded once and replayed (CUDA alone), see
            :mod:`selflift.train.cuda_graph`; ``None``: where that is possible.
        compile: Whether ``torch.compile`` translates the networks' blocks: a minute or so of
            translating first. Discriminators with a gradient penalty are left out.
        onednn: Whether oneDNN may multiply the float32 matrices of the CPU, see
            :func:`selflift.device.prefer_onednn`.
        keep_memory: Whether the CPU's freed memory is kept for the next step, see
            :func:`selflift.device.keep_freed_memory`.
        anomaly: Whether every step is searched for NaN and infinite values, each with the
            operation that it came from: many times slower, to look into a run that stopped.
        deterministic: Whether every operator takes an algorithm that always gives the same bits,
            see :func:`selflift.device.make_deterministic`; slower on GPUs.
    """

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
    """Everything that defines a run."""

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
