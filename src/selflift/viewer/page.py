"""The viewer's file: markup, style, script and data in one, which needs nothing else.

A content security policy in the page allows its own style and script and nothing besides: what a
name or a title contains is shown, never obeyed. The same data give the same bytes.
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

from selflift.files.atomic_write import atomic_path
from selflift.skeleton import Skeleton
from selflift.viewer.encode import choose_step, encode_person
from selflift.viewer.people import Person, check, floor_height

# In this order; each uses those before it.
SCRIPTS = (
    "poses.js", "camera.js", "draw.js", "motion.js", "hands.js", "controls.js", "viewer.js",
)  # fmt: skip
TITLE = "Lifted motion"


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
        people: Who is shown.
        skeleton: The layout of their poses.
        fps: Frames per second of the video.
        title: The page's title.
        size_px: Width and height of the video's image; what the keypoints fill if not given.
        notes: What a viewer should know, a sentence each.

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
    """The page of :func:`write_viewer` as HTML text.

    Args:
        people: Who is shown.
        skeleton: The layout of their poses.
        fps: Frames per second of the video.
        title: The page's title.
        size_px: Width and height of the video's image.
        notes: What a viewer should know.

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
    # One pass, so that nothing a part contains is taken for a place of the template.
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


def _script() -> str:
    # A scope of its own: nothing of it is seen from outside.
    return '(() => {\n"use strict";\n' + "\n".join(_part(name) for name in SCRIPTS) + "})();\n"


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
