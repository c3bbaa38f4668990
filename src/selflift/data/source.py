"""One door to all data sources: a config and a split in, a pose set or its parts out."""

from __future__ import annotations

from pathlib import Path

from selflift.config import DataConfig
from selflift.data import cmu, synthetic
from selflift.data.noise import add_noise, check_noise
from selflift.data.pose_set import PoseSet
from selflift.data.rig import film
from selflift.data.streamed_set import PoseParts, parts_of, parts_of_file
from selflift.skeleton import H36M_17

SOURCES = ("synthetic", "cmu", "files")
SPLITS = ("train", "val", "test")
# The name in every config of the source "cmu" from before it named the files.
UNNAMED, CMU = DataConfig.name, "cmu17"


def load_split(data: DataConfig, split: str) -> PoseSet:
    """Load one split of the configured source, with the configured noise.

    Args:
        data: The source and its parameters.
        split: ``"train"``, ``"val"`` or ``"test"``.

    Raises:
        ValueError: If the source is unknown, its data are missing, damaged or empty, or the noise
            is not defined.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got '{split}'")
    check_noise(data.noise)
    return add_noise(_load(data, split), data.noise)


def open_split(data: DataConfig, split: str) -> PoseParts:
    """The same split, read part by part: only a pose set file is never in memory whole.

    Args:
        data: The source and its parameters.
        split: ``"train"``, ``"val"`` or ``"test"``.

    Raises:
        ValueError: As :func:`load_split`; what is wrong with the poses themselves shows when they
            are read.
    """
    if data.source != "files" or split not in SPLITS:
        return parts_of(load_split(data, split))
    check_noise(data.noise)
    path, subjects = _file(data, split)
    parts = parts_of_file(path, subjects, data.noise)
    if len(parts) == 0:
        raise _empty(path)
    return parts


def _load(data: DataConfig, split: str) -> PoseSet:
    if data.source == "synthetic":
        return film(synthetic.generate(split, data.synthetic), data.rig, H36M_17)
    if data.source == "cmu":
        name = CMU if data.name == UNNAMED else data.name
        return film(cmu.read_clips(data.root, split, name), data.rig, H36M_17)
    if data.source != "files":
        raise ValueError(f"data.source: expected one of {', '.join(SOURCES)}, got '{data.source}'")
    path, subjects = _file(data, split)
    poses = PoseSet.load(path, subjects)
    if len(poses) == 0:
        raise _empty(path)
    return poses


def _empty(path: Path) -> ValueError:
    return ValueError(f"data '{path}': expected at least one pose, got an empty split")


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
