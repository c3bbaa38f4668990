r"""The viewer's HTML page: markup, style, script and data in one file that loads nothing.

A content security policy in the page allows its own style and script and nothing else: text in a
name or a title is shown, never executed. The same data give the same bytes.

Motion is short text. A whole number ``v`` becomes ``2 v`` (or ``-2 v - 1`` if negative), then 7
bits per byte, the lowest first; the top bit marks that more follow. The bytes are in Base64.
``poses.js`` is the inverse.

- 3D: millimetres. The root, then every other joint relative to the root; each as the difference
  from the frame before. ``(T, J, 3)`` in the joints' order.
- 2D: steps of ``step_px``. The difference from where the joint was last seen, plus one; 0 stands
  for a missing joint.
- Frames: differences. Filled-in joints: lengths of the runs of ``False``, ``True``, ``False``, ...
  over time, one joint after the other.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from selflift.files.atomic_write import atomic_path
from selflift.skeleton import Skeleton
from selflift.viewer.shown_person import Person, check, floor_height

# In this order; each uses those before it.
SCRIPTS = (
    "poses.js", "camera.js", "draw.js", "motion.js", "hands.js", "controls.js", "viewer.js",
)  # fmt: skip
TITLE = "Lifted motion"
# A body is at least so many steps tall in the image.
STEPS_PER_BODY = 512


def write_viewer(
    path: str | Path,
    people: Sequence[Person],
    skeleton: Skeleton,
    *,
    fps: float,
    title: str = TITLE,
    size_px: tuple[int, int] | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write a page that plays people's motion in 3D beside their 2D input, atomically.

    It is one file, opens offline in any browser and loads nothing. 3D is rounded to millimetres.

    Args:
        path: The file, usually ``*.html``; its folder is made if it doesn't exist.
        people: The people to show.
        skeleton: The layout of their poses.
        fps: Frames per second of the video.
        title: The page's title.
        size_px: Width and height of the video's image; the extent of the keypoints if not given.
        notes: Remarks for the viewer, a sentence each.

    Raises:
        ValueError: As :func:`render`.
        OSError: If it can't be written; an earlier file of that name is intact.
    """
    content = render(people, skeleton, fps=fps, title=title, size_px=size_px, notes=notes)
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8", newline="\n")


def render(
    people: Sequence[Person],
    skeleton: Skeleton,
    *,
    fps: float,
    title: str = TITLE,
    size_px: tuple[int, int] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The page of :func:`write_viewer` as HTML text; same arguments.

    Raises:
        ValueError: If there is nobody, an array has a wrong shape, type or range, or a number is
            not finite.
    """
    check(people, skeleton, fps, size_px, (title, *notes))
    style, script = _part("viewer.css"), _script()
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": policy,
        "title": escape(title),
        "notes": "".join(f"<li>{escape(note)}</li>" for note in notes),
        "style": style,
        "script": script,
        "data": _data(people, skeleton, fps, size_px),
    }
    # One pass, so that nothing in a part is taken for a place of the template.
    return re.sub(r"\[\[(\w+)\]\]", lambda place: parts[place[1]], _part("viewer.html"))


def _data(
    people: Sequence[Person], skeleton: Skeleton, fps: float, size_px: tuple[int, int] | None
) -> str:
    """The data as JSON that can't end the element it stands in."""
    step_px = choose_step(people)
    table = {
        "fps": float(fps),
        "size_px": None if size_px is None else [int(n) for n in size_px],
        "floor_mm": round(1000 * floor_height(people)),
        "step_px": step_px,
        "joints": skeleton.joints,
        "parents": skeleton.parents,
        "left": skeleton.left,
        "right": skeleton.right,
        "people": [encode_person(person, skeleton, step_px) for person in people],
    }
    return json.dumps(table, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def encode_person(person: Person, skeleton: Skeleton, step_px: float) -> dict[str, Any]:
    """Encode a person for the page's script; ``step_px`` is the unit of 2D."""
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
    """The unit of 2D in pixels: a power of two that leaves the median body 512 to 1024 steps.

    It is 1 if no frame has two joints.
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


def _script() -> str:
    # A scope of its own, invisible from outside.
    return '(() => {\n"use strict";\n' + "\n".join(_part(name) for name in SCRIPTS) + "})();\n"


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
