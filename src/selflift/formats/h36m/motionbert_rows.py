"""The arrays of MotionBERT's pickle, checked, and the takes that their rows belong to.

What the arrays are is told in :mod:`selflift.formats.h36m.motionbert`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.cameras import CAMERAS
from selflift.formats.h36m.protocol import ACTIONS, FIRST_ACTION_NUMBER

SPLITS = ("train", "test")
_SOURCE = re.compile(r"s_(\d+)_act_(\d+)_subact_(\d+)_ca_(\d+)")
# mm per pixel: Human3.6M's cameras have 2.6 at 3 m and 7 at 8 m.
_FACTORS = (1.0, 20.0)


@dataclass(frozen=True)
class Run:
    """Consecutive rows of one source.

    Attributes:
        clip: ``"S9 Directions 1"``, with the number of the subaction.
        camera: One of the four.
        rows: Where they are.
    """

    clip: str
    camera: str
    rows: slice

    @property
    def subject(self) -> str:
        """Who."""
        return self.clip.partition(" ")[0]


def take_split(path: Path, content: Any, split: str) -> dict[str, Any]:
    """The arrays of one split; those of the other are let go.

    Args:
        path: The file, for messages.
        content: What is in it; emptied.
        split: One of :data:`SPLITS`.

    Raises:
        ImportFileError: If it is of another form or lacks an array.
    """
    if not isinstance(content, dict) or not isinstance(content.get(split), dict):
        keys = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise ImportFileError(
            f"'{path}': expected a dict with the keys {' and '.join(SPLITS)}, each a dict, got "
            f"{keys}; is it MotionBERT's file of Human3.6M?"
        )
    data = content.pop(split)
    content.clear()
    wanted = ["joint_2d", "joint3d_image", "camera_name", "source"]
    wanted += ["2.5d_factor"] if split == "test" else []
    missing = [key for key in wanted if key not in data]
    if missing:
        raise ImportFileError(
            f"'{path}': expected {split} to have {', '.join(wanted)}, got no "
            f"{', '.join(missing)}; is it MotionBERT's file of Human3.6M?"
        )
    return data


def checked_arrays(path: Path, data: dict[str, Any], with_3d: bool) -> dict[str, np.ndarray]:
    """The arrays of numbers, taken out of ``data``.

    Args:
        path: The file, for messages.
        data: A split.
        with_3d: Whether its factors are wanted.

    Returns:
        ``joint_2d`` (N, 17, 2), ``joint3d_image`` (N, 17, 3), ``confidence`` (N, 17) unless every
        joint is there and none was given, and ``2.5d_factor`` (N,) if wanted.

    Raises:
        ImportFileError: If a shape is wrong, a factor is impossible, or they contradict each other.
    """
    n = len(data["source"])
    joint_2d = _numbers(path, data, "joint_2d", [(n, 17, 2), (n, 17, 3)])
    out = {
        "joint_2d": joint_2d[..., :2],
        "joint3d_image": _numbers(path, data, "joint3d_image", [(n, 17, 3)]),
    }
    broken = ~np.isfinite(out["joint3d_image"]).all((1, 2))
    if broken.any():
        raise ImportFileError(
            f"'{path}': expected finite joint3d_image, got NaN or Inf in {int(broken.sum())} rows "
            f"(first: {np.flatnonzero(broken)[0]}); get the file again"
        )
    if "confidence" in data:
        confidence = _numbers(path, data, "confidence", [(n, 17), (n, 17, 1)])
        out["confidence"] = confidence.reshape(n, 17)
    elif joint_2d.shape[-1] == 3:
        out["confidence"] = joint_2d[..., 2]
    else:
        there = np.isfinite(out["joint_2d"]).all(-1) & (out["joint_2d"] != 0).any(-1)
        if not there.all():
            out["confidence"] = there.astype(np.float32)
    if not with_3d:
        return out
    factor = out["2.5d_factor"] = _numbers(path, data, "2.5d_factor", [(n,), (n, 1)]).reshape(n)
    low, high = _FACTORS
    bad = ~((factor > low) & (factor < high))
    if bad.any():
        raise ImportFileError(
            f"'{path}': expected 2.5d_factor between {low:g} and {high:g} mm per pixel, got "
            f"{factor[bad][0]:g} in {int(bad.sum())} rows (first: {np.flatnonzero(bad)[0]}); is it "
            "MotionBERT's file of Human3.6M?"
        )
    if "joints_2.5d_image" in data:
        scaled = _numbers(path, data, "joints_2.5d_image", [(n, 17, 3)])
        few = np.unique(np.linspace(0, n - 1, 1000).astype(int))
        product = out["joint3d_image"][few] * factor[few, None, None]
        off = ~np.isclose(scaled[few], product, rtol=1e-3, atol=1.0).all((1, 2))
        if off.any():
            raise ImportFileError(
                f"'{path}': expected joints_2.5d_image to be joint3d_image times 2.5d_factor, got "
                f"another product in row {few[off][0]}; the arrays don't belong together"
            )
    return out


def _numbers(
    path: Path, data: dict[str, Any], key: str, shapes: list[tuple[int, ...]]
) -> np.ndarray:
    array = np.asarray(data.pop(key))
    if array.shape not in shapes or array.dtype.kind != "f":
        raise ImportFileError(
            f"'{path}': expected {key} of floats, shape {' or '.join(map(str, shapes))}, got "
            f"{array.dtype} {array.shape}; is it MotionBERT's file of Human3.6M?"
        )
    return array


def find_runs(path: Path, source: Any) -> list[Run]:
    """The takes, by the sources of the rows.

    Args:
        path: The file, for messages.
        source: ``(N,)`` texts.

    Raises:
        ImportFileError: If one is malformed, comes in two pieces, or there is none.
    """
    out: list[Run] = []
    start, seen = 0, set()
    for name, group in groupby(source if isinstance(source, (list, tuple, np.ndarray)) else ()):
        rows = slice(start, start + sum(1 for _ in group))
        match = _SOURCE.fullmatch(name) if isinstance(name, str) else None
        numbers = [int(n) for n in match.groups()] if match else [0, 0, 0, 0]
        subject, action, subaction, camera = numbers
        action -= FIRST_ACTION_NUMBER
        if not match or not (0 <= action < len(ACTIONS) and 1 <= camera <= len(CAMERAS)):
            raise ImportFileError(
                f"'{path}': expected source like 's_09_act_02_subact_01_ca_01', with actions 2 to "
                f"16 and cameras 1 to 4, got {name!r} in row {start}"
            )
        if name in seen:
            raise ImportFileError(
                f"'{path}': expected the rows of a source one after another, got '{name}' again in "
                f"row {start}; the file was reordered"
            )
        seen.add(name)
        out.append(Run(f"S{subject} {ACTIONS[action]} {subaction}", CAMERAS[camera - 1], rows))
        start = rows.stop
    if not out:
        raise ImportFileError(f"'{path}': expected at least one row, got an empty split")
    return out


def check_cameras(path: Path, names: Any, runs: list[Run]) -> None:
    """Raise unless the camera of each row is that of its source.

    Args:
        path: The file, for messages.
        names: ``camera_name``, ``(N,)``.
        runs: The takes.

    Raises:
        ImportFileError: If one differs.
    """
    array = np.asarray(names).astype(str)
    if array.shape != (runs[-1].rows.stop,):
        raise ImportFileError(
            f"'{path}': expected camera_name of shape ({runs[-1].rows.stop},), one per source, got "
            f"{array.shape}"
        )
    for run in runs:
        other = np.flatnonzero(array[run.rows] != run.camera)
        if len(other):
            row = run.rows.start + other[0]
            raise ImportFileError(
                f"'{path}': expected camera_name {run.camera} in row {row}, as its source says "
                f"(ca_{CAMERAS.index(run.camera) + 1:02d}), got {array[row]}; the arrays don't "
                "belong together"
            )
