"""The typed schema of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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
        checkpoint: A checkpoint file, a run folder (its ``best`` checkpoint) or the name of bundled
            weights, or a list of them: trainings that differ in their seed, whose spread is
            reported.
        compare: More checkpoints; each is compared with the first one, pose by pose.
        protocols: Which poses, joints and means; names of :mod:`selflift.evaluate.protocols`.
        poses: A pose set file to evaluate on; ``None`` takes ``data`` and ``split``.
        split: ``"train"``, ``"val"`` or ``"test"``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        output_dir: Where the results go; default ``eval_{split}`` in the run folder, for another
            checkpoint than ``best`` with its name (``eval_{split}_last``).
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
