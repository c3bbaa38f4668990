"""The typed schema of data: where 2D poses come from, and what becomes of them on the way."""

from __future__ import annotations

from dataclasses import dataclass, field


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
        clean_share: Share of takes that keep their exact keypoints, all of them.
        lack_share: Share of the other takes in which every frame lacks the spine, the thorax and
            the top of the head, as do the layouts of most detectors (COCO's for one).
        least_level: A take's confidences are multiplied by a number drawn from
            ``[least_level, 1]``: some detectors are more confident than others.
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
    clean_share: float = 0.0
    lack_share: float = 0.0
    least_level: float = 1.0


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
