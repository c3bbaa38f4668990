r"""Motion as short text: whole steps, differences between frames, as many bytes as each needs.

A number ``v`` becomes ``2 v`` (or ``-2 v - 1`` if negative), then 7 bits per byte, the lowest
first; the top bit says that more follow. The bytes stand in Base64. ``poses.js`` is the inverse.

- 3D: millimetres. The root, then every other joint relative to the root; each as the difference
  from the frame before. ``(T, J, 3)`` in the joints' order.
- 2D: steps of ``step_px``. The difference from where the joint was last seen, plus one; 0 stands
  for a missing joint.
- Frames: differences. Filled-in joints: lengths of the runs of ``False``, ``True``, ``False``, ...
  over time, one joint after the other.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from selflift.skeleton import Skeleton
from selflift.viewer.people import Person

# A body is at least so many steps tall in the image.
STEPS_PER_BODY = 512


def encode_person(person: Person, skeleton: Skeleton, step_px: float) -> dict[str, Any]:
    """A person as the page's script reads it.

    Args:
        person: Checked by :func:`~selflift.viewer.people.check`.
        skeleton: The layout.
        step_px: The unit of 2D.
    """
    X = np.rint(person.X_m.astype(np.float64) * 1000).astype(np.int64)
    others = np.arange(skeleton.num_joints) != skeleton.root
    X[:, others] -= X[:, skeleton.root, None]
    return {
        "name": person.name,
        "count": len(person.frame),
        "frame": _text(_differences(person.frame.astype(np.int64))),
        "X_mm": _text(_zigzag(_differences(X))),
        "pose_2d": _text(_steps_2d(person.pose_2d, step_px)),
        "filled": None if person.filled is None else _text(_runs(person.filled.T.ravel())),
    }


def choose_step(people: Sequence[Person]) -> float:
    """The unit of 2D in pixels: a power of two that leaves a body 512 to 1024 steps.

    Args:
        people: Whose height in the image counts; the median over their frames.

    Returns:
        The step; 1 if no frame has two joints.
    """
    y = np.concatenate([person.pose_2d[..., 1].astype(np.float64) for person in people])
    seen = np.isfinite(y)
    top, bottom = np.where(seen, y, np.inf).min(1), np.where(seen, y, -np.inf).max(1)
    height = (bottom - top)[bottom > top]
    if not height.size:
        return 1.0
    return float(2.0 ** np.floor(np.log2(np.median(height) / STEPS_PER_BODY)))


def _steps_2d(pose_2d: np.ndarray, step_px: float) -> np.ndarray:
    """Codes of 2D poses, ``(T, J, 2)``."""
    missing = np.isnan(pose_2d).any(-1)
    steps = np.rint(np.where(missing[..., None], 0, pose_2d.astype(np.float64)) / step_px)
    # A missing joint stays where it was last seen, at 0 before (the first row, if missing, is 0).
    seen = np.where(missing, 0, np.arange(len(steps))[:, None])
    last = np.maximum.accumulate(seen, axis=0)
    held = np.take_along_axis(steps, last[..., None], axis=0)
    codes = _zigzag(_differences(held.astype(np.int64))) + 1
    codes[missing] = 0
    return codes


def _differences(values: np.ndarray) -> np.ndarray:
    return np.diff(values, axis=0, prepend=np.zeros_like(values[:1]))


def _zigzag(values: np.ndarray) -> np.ndarray:
    return np.where(values < 0, -2 * values - 1, 2 * values)


def _runs(flags: np.ndarray) -> np.ndarray:
    """Lengths of the runs of equal flags, the first of ``False`` (and empty if there is none)."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0)).tolist()
    return np.diff([0, *edges, len(flags)])


def _text(values: np.ndarray) -> str:
    """Numbers from 0 as Base64 of 7 bits per byte, the lowest first."""
    values = values.ravel().astype(np.uint64)
    lengths = np.ones(len(values), np.int64)
    for bits in range(7, 63, 7):
        lengths += values >= 1 << bits
    ends = np.cumsum(lengths)
    starts = ends - lengths
    content = np.zeros(int(ends[-1]), np.uint8)
    for place in range(int(lengths.max())):
        own = lengths > place
        byte = (values[own] >> np.uint64(7 * place)) & np.uint64(127)
        more = np.where(lengths[own] > place + 1, 128, 0)
        content[starts[own] + place] = byte.astype(np.uint8) | more.astype(np.uint8)
    return base64.b64encode(content.tobytes()).decode()
