"""The ``cmu17`` arrays: CMU motion capture in the Human3.6M 17-joint layout.

A folder holds ``{name}_{train,val,test}.npz``, by default ``cmu17``'s, each with the arrays
``positions`` (N, 17, 3) float32 (world metres, z up), ``subject``, ``action``, ``clip`` (text),
``fps`` and ``frame``; others are ignored. The frames are thinned; ``frame`` is each one's index in
the recording (``cmu17``: at 50 Hz). No camera is included: the virtual rig films them.

More words may follow the split, as in ``dance_train_CC-BY-NC.npz``: data under another licence can
so be told apart at sight.
"""

from __future__ import annotations

import glob
from pathlib import Path

import numpy as np
import torch

from selflift.data.rig import Clip
from selflift.files.array_archives import npz_keys, read_npz
from selflift.files.untrusted import ImportFileError
from selflift.geometry.bodies import skeleton_height
from selflift.skeleton import H36M_17

PLAUSIBLE_HEIGHT_M = (0.5, 3.0)
SPLITS = ("train", "val", "test")
KEYS = ("positions", "subject", "action", "clip", "fps", "frame")


def read_clips(root: str | Path, split: str, name: str = "cmu17") -> list[Clip]:
    """The clips of one split.

    Args:
        root: The folder that holds the files; only the wanted split's must be there.
        split: ``"train"``, ``"val"`` or ``"test"``.
        name: The file is ``{name}_{split}.npz`` or else the only ``{name}_{split}_*.npz``.

    Returns:
        Clips in order of their first frame in the file.

    Raises:
        ValueError: If the split is unknown or its file missing, not the only one, damaged, empty or
            of another layout.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got '{split}'")
    path = _find(Path(root), name, split)
    arrays = _read_arrays(path)
    positions = arrays["positions"]
    joints = H36M_17.num_joints
    if positions.ndim != 3 or positions.shape[1:] != (joints, 3):
        raise ValueError(
            f"cmu17 '{path}': expected positions of shape (N, {joints}, 3), got "
            f"{positions.shape}; convert them to the Human3.6M 17-joint layout"
        )
    if len(positions) == 0:
        raise ValueError(f"cmu17 '{path}': expected at least one frame, got an empty split")
    for key in KEYS[1:]:
        # A recording rate may be given once for all.
        if arrays[key].shape != (len(positions),) and (key, arrays[key].shape) != ("fps", ()):
            raise ValueError(
                f"cmu17 '{path}': expected {key} of shape ({len(positions)},), got "
                f"{arrays[key].shape}; every frame needs one"
            )
    bad = ~np.isfinite(positions).all((1, 2))
    if bad.any():
        raise ValueError(
            f"cmu17 '{path}': expected finite positions, got NaN or Inf in {int(bad.sum())} "
            f"frames (first: {int(np.argmax(bad))}); drop these frames"
        )
    heights = skeleton_height(torch.from_numpy(positions.astype(np.float32)), H36M_17)
    height = float(heights.median())
    if not PLAUSIBLE_HEIGHT_M[0] < height < PLAUSIBLE_HEIGHT_M[1]:
        raise ValueError(
            f"cmu17 '{path}': expected positions in metres, got bodies whose bones from ankles to "
            f"head measure {height:.4g}; convert the unit"
        )
    if not (np.isfinite(arrays["fps"]).all() and (arrays["fps"] > 0).all()):
        raise ValueError(f"cmu17 '{path}': expected fps above 0, got {arrays['fps'].min()}")
    return _group(arrays)


def _find(root: Path, name: str, split: str) -> Path:
    path = root / f"{name}_{split}.npz"
    if path.is_file():
        return path
    others = sorted(path.parent.glob(f"{glob.escape(path.stem)}_*{path.suffix}"))
    if len(others) > 1:
        raise ValueError(
            f"cmu17 '{path}': expected it or one file {path.stem}_*.npz, got "
            f"{', '.join(other.name for other in others)}; move all but one to another folder"
        )
    if not others:
        raise ValueError(
            f"cmu17 '{path}': no such file; set data.root (or the environment variable "
            f"SELFLIFT_DATA) to the folder that holds {name}_{{train,val,test}}.npz, and data.name "
            f"to what their names begin with (now {name})"
        )
    return others[0]


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        names = npz_keys(path)
        present = [key for key in KEYS if key in names]
        arrays = read_npz(path, *(present or KEYS))
    except ImportFileError as error:
        raise ValueError(
            f"cmu17 '{path}': expected an npz archive of plain arrays, got a file that is damaged, "
            f"cut short or can't be read safely ({str(error)[:400]}); get it again"
        ) from error
    if objects := [k for k, a in arrays.items() if not isinstance(a, np.ndarray) or a.dtype == "O"]:
        raise ValueError(
            f"cmu17 '{path}': expected an npz archive of plain arrays, got Python objects in "
            f"{', '.join(objects)}, which can't be read safely; get it again"
        )
    missing = [key for key in KEYS if key not in names]
    if missing:
        raise ValueError(
            f"cmu17 '{path}': expected the arrays {', '.join(KEYS)}, got {', '.join(names)}; "
            f"missing: {', '.join(missing)}"
        )
    for key in ("positions", "fps", "frame"):
        if arrays[key].dtype.kind not in "fiu":
            raise ValueError(
                f"cmu17 '{path}': expected {key} of numbers, got {arrays[key].dtype}; "
                "write it again"
            )
    return arrays


def _group(arrays: dict[str, np.ndarray]) -> list[Clip]:
    n = len(arrays["positions"])
    fps = np.broadcast_to(arrays["fps"], (n,))
    names, first, member = np.unique(arrays["clip"], return_index=True, return_inverse=True)
    clips = []
    for which in np.argsort(first, kind="stable"):
        rows = np.flatnonzero(member == which)
        lead = rows[0]
        clips.append(
            Clip(
                positions=arrays["positions"][rows].astype(np.float32),
                subject=str(arrays["subject"][lead]),
                action=str(arrays["action"][lead]),
                name=str(names[which]),
                fps=float(fps[lead]),
                frame=arrays["frame"][rows].astype(np.int64),
            )
        )
    return clips
