"""All data sources: a config and a split in, a pose set out."""

from __future__ import annotations

from pathlib import Path

from selflift.config import DataConfig
from selflift.data import cmu, synthetic
from selflift.data.noise import add_noise, check_noise
from selflift.data.pose_set import PoseSet
from selflift.data.rig import film
from selflift.files.scratch import MAX_IN_MEMORY
from selflift.skeleton import H36M_17

SOURCES = ("synthetic", "cmu", "files")
SPLITS = ("train", "val", "test")
# The name in every config of the source "cmu" from before it named the files.
UNNAMED, CMU = DataConfig.name, "cmu17"


def load_split(
    data: DataConfig,
    split: str,
    truth: bool = True,
    scratch: Path | None = None,
    above: int = MAX_IN_MEMORY,
) -> PoseSet:
    """Load one split of the configured source, with the configured noise.

    Args:
        data: The source and its parameters.
        split: ``"train"``, ``"val"`` or ``"test"``.
        truth: Load the 3D poses of a file, too.
        scratch: Folder for the large arrays of a file, see :meth:`PoseSet.load`.
        above: Largest array that lies in memory, in bytes.

    Raises:
        ValueError: If the source is unknown, its data are missing, corrupt or empty, or the noise
            is not defined.
        OSError: If the disk has no room for scratch files.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got '{split}'")
    if data.source not in SOURCES:
        raise ValueError(f"data.source: expected one of {', '.join(SOURCES)}, got '{data.source}'")
    check_noise(data.noise)
    if data.source == "synthetic":
        poses = film(synthetic.generate(split, data.synthetic), data.rig, H36M_17)
    elif data.source == "cmu":
        name = CMU if data.name == UNNAMED else data.name
        poses = film(cmu.read_clips(data.root, split, name), data.rig, H36M_17)
    else:
        path, subjects = _file(data, split)
        poses = PoseSet.load(path, subjects, truth, scratch, above)
        if len(poses) == 0:
            raise ValueError(f"data '{path}': expected at least one pose, got an empty split")
    return add_noise(poses, data.noise)


def _file(data: DataConfig, split: str) -> tuple[Path, list[str] | None]:
    """The file of a split, and the subjects in it; ``None``: all are the split's."""
    subjects: list[str] = getattr(data.subjects, split)
    path = Path(data.root) / (f"{data.name}.h5" if subjects else f"{data.name}_{split}.h5")
    if not path.is_file():
        raise ValueError(
            f"data '{path}': no such file; expected a pose set (HDF5): make one from your files "
            f"with python -m selflift.prepare input=... output={path.name}, see data/README.md, "
            "and set data.root (or the environment variable SELFLIFT_DATA) to its folder"
        )
    return path, subjects or None
