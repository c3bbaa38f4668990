"""The typed schema of a training run: types and defaults live here, numbers in ``configs/``.

Plain dataclasses; the command line merges the YAML onto them, so that a misspelt key or a wrong
type fails at once. The comments in the YAML say where the paper's value is not known for certain.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class SyntheticConfig:
    """How much synthetic data there is.

    Attributes:
        seed: The same seed gives the same data, bit for bit.
        train_subjects: Number of people in the training split; no split shares a person.
        val_subjects: The same for the validation split.
        test_subjects: The same for the test split.
        clips_per_subject: Clips of each person; the actions take turns.
        frames_per_clip: Length of every clip.
        fps: Frames per second.
    """

    seed: int = 0
    train_subjects: int = 27
    val_subjects: int = 2
    test_subjects: int = 4
    clips_per_subject: int = 20
    frames_per_clip: int = 75
    fps: float = 25.0


@dataclass
class RigConfig:
    """How clips are filmed. Defaults resemble Human3.6M's hall.

    Attributes:
        cameras: Number of cameras, evenly spaced around the clip's mean root.
        azimuth_jitter_deg: Each camera's azimuth is off its even place by U[-jitter, jitter].
        distance_min_m: Cameras stand U[min, max] away from the mean root.
        distance_max_m: See above.
        pitch_mean_deg: Cameras look down by N(mean, std).
        pitch_std_deg: See above.
        f_px: Focal length in pixels.
        size_px: Width and height of the square image.
        min_depth_m: Frames in which a joint comes nearer to a camera than this are dropped there.
    """

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
    """What a 2D detector makes of the source's keypoints; see :mod:`selflift.data.noise`.

    Attributes:
        kind: ``"none"``, or ``"detector"``, which all other entries belong to.
        seed: The same seed gives the same noise.
        jitter: Multiplier of the table of each body part's standard deviation.
        outlier_share: Share of joints that are off by ``outlier_factor`` times as much.
        outlier_factor: See above.
        swap_share: Share of poses whose legs are taken for each other; arms likewise.
        drop: Multiplier of the table of how often each body part is missing.
        hip_shift: Both hips lie further out by so many hip-to-hip distances.
        head_shift: Head and nose lie further up by so many distances of the head from the thorax.
    """

    kind: str = "none"
    seed: int = 0
    jitter: float = 1.0
    outlier_share: float = 0.03
    outlier_factor: float = 5.0
    swap_share: float = 0.02
    drop: float = 1.0
    hip_shift: float = 0.0
    head_shift: float = 0.0


@dataclass
class SubjectsConfig:
    """Which subjects of one pose set make a split; see :class:`DataConfig`."""

    train: list[str] = field(default_factory=list)
    val: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)


@dataclass
class DataConfig:
    """Where the 2D poses come from.

    Attributes:
        source: ``"synthetic"``, ``"cmu"`` or ``"files"`` (pose sets).
        root: Folder of the data (``cmu``, ``files``).
        name: File name stem (``cmu``, where ``"poses"`` stands for ``"cmu17"``; ``files``).
        subjects: The subjects of each split in the one file ``{name}.h5``; a split that names none
            is the file ``{name}_{split}.h5`` (``files``).
        mirror: Whether half of every training batch, at random, has left and right exchanged.
        synthetic: The procedural human.
        rig: The virtual cameras (``synthetic``, ``cmu``).
        noise: What is done to the 2D poses of any source.
    """

    source: str = "synthetic"
    root: str = "data"
    name: str = "poses"
    subjects: SubjectsConfig = field(default_factory=SubjectsConfig)
    mirror: bool = True
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    rig: RigConfig = field(default_factory=RigConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)


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
    """How random views are drawn; see :class:`selflift.views.ViewSampler`."""

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
    """New bodies made of lifted ones; see :mod:`selflift.composites`.

    Attributes:
        legs: Share of bodies that get another body's legs.
        arms: Share of left arms, and of right ones, that come from another body.
        constant_bones: How far depths first are moved, from 0 to 1, to where bones have the mean
            length of their recording (one person, one camera).
        bone_std: Spread of the logarithm of bone lengths.
        jitter: Noise added to every joint of their projections before they are centred and lifted,
            N(0, jitter), as a share of a pose's size.
        warmup: Steps over which the weights of this term and of ``loss.w_bone`` rise linearly from
            zero. Before depth has formed, bodies are flat, and a lifter that learns from them stays
            flat.
    """

    legs: float = 0.5
    arms: float = 0.5
    constant_bones: float = 0.5
    bone_std: float = 0.08
    jitter: float = 0.0
    warmup: int = 1000


@dataclass
class DomainConfig:
    """2D poses of another domain that join the training; see :mod:`selflift.train.adapt`.

    Attributes:
        share: How many source poses join a batch, as a share of ``trainer.batch_size``; 0: none.
        data: Where they come from; the training split of it.
        adapter: ``"none"`` (they join as they are), ``"first"`` (the adapter is trained before the
            lifter, then kept) or ``"joint"`` (it is trained along with it).
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
    """Weights and kinds of the terms; see :mod:`selflift.losses`.

    Attributes:
        w_2d: Weight of ``L_2D``.
        w_3d: Weight of ``L_3D``.
        joints: Whether these two are the ``"mean"`` or the ``"sum"`` over joints.
        w_bone: Weight of bone lengths' constancy over a recording (not in the paper); 0 leaves it
            out.
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

    lr: float = 2e-4
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
        log_every: Steps between TensorBoard scalars.
        validate_every: Steps between validations, each of which saves checkpoints.
        validation_poses: At most so many validation poses are used, drawn once by the seed.
        threads: CPU threads; 0 leaves the choice to PyTorch.
        progress: Whether to draw a progress bar.
    """

    steps: int = 3000
    batch_size: int = 256
    log_every: int = 20
    validate_every: int = 250
    validation_poses: int = 8192
    threads: int = 1
    progress: bool = True


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
    domain: DomainConfig = field(default_factory=DomainConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)


@dataclass
class EvalDataConfig:
    """The data of an evaluation; ``None`` takes what the checkpoint was trained on.

    Attributes:
        source: See :class:`DataConfig`.
        root: See :class:`DataConfig`.
        name: See :class:`DataConfig`.
        subjects: Subjects of the pose set ``{name}.h5``, whatever the split.
        noise: Kind of the noise on 2D, :class:`NoiseConfig`; its numbers are the checkpoint's.
    """

    source: str | None = None
    root: str | None = None
    name: str | None = None
    subjects: list[str] | None = None
    noise: str | None = None


@dataclass
class EvalConfig:
    """Everything that defines an evaluation.

    Attributes:
        checkpoint: A checkpoint file or a run folder (its ``best`` checkpoint), or a list of them:
            trainings that differ in their seed, whose spread is reported.
        compare: More checkpoints; each is compared with the first one, pose by pose.
        protocols: Which poses, joints and means; names of :mod:`selflift.eval.protocols`.
        poses: A pose set file to evaluate on; ``None`` takes ``data`` and ``split``.
        split: ``"train"``, ``"val"`` or ``"test"``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        output_dir: Where the results go; default ``eval_{split}`` in the run folder.
        batch_size: Poses lifted at once.
        skeleton_height_mm: Assumed length of the chain of bones from ankles to head, the one
            number that gives MPJPE its millimetres.
        train_scale: Whether to fit ``mpjpe_train_scale_mm``'s factor to the training split, whose
            3D poses it needs.
        mirror_average: Whether to average each pose with its mirror image; ``None``: as trained.
        label_free: Whether to report also what can be known without truth; a set of 2D poses alone
            gets nothing else.
        resamples: Bootstrap resamples behind each interval.
        seed: Of the bootstrap and of random views.
        report: Whether to write the HTML report.
        data: Which data, if not the checkpoint's own source.
    """

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


def to_yaml(config: Any) -> str:
    """A config dataclass as YAML text; read back by the command line on resuming."""
    return "\n".join(_yaml_lines(asdict(config), 0)) + "\n"


def _yaml_lines(values: dict[str, Any], depth: int) -> list[str]:
    lines = []
    for key, value in values.items():
        if isinstance(value, dict):
            lines += ["  " * depth + f"{key}:", *_yaml_lines(value, depth + 1)]
        else:
            # JSON scalars are YAML scalars; quoting keeps strings strings.
            lines.append("  " * depth + f"{key}: {json.dumps(value)}")
    return lines
