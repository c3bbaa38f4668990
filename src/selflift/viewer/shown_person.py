"""The people in a viewer, and their validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from selflift.skeleton import Skeleton

# Far beyond any scene, yet a person in millimetres is farther.
REACH_M = 1000.0
REACH_PX = 1e6
LAST_FRAME = 2**30
# Share of the frames whose lowest joint may be below the floor.
BELOW_FLOOR = 0.05


@dataclass(frozen=True)
class Person:
    """One person's motion; frames where the person isn't there are left out.

    Attributes:
        name: The person's name in the viewer.
        frame: ``(T,)`` frames of the video, whole numbers from 0, ascending.
        X_m: ``(T, J, 3)`` places in metres, level: x right, y up, z towards the viewer, all as seen
            from the camera, which stands at the origin. A body in front of it has a negative z.
        pose_2d: ``(T, J, 2)`` the input, pixels with y down; NaN where a joint is missing.
        filled: ``(T, J)`` bool, the joints that were missing in the input and filled in, if known.
    """

    name: str
    frame: np.ndarray
    X_m: np.ndarray
    pose_2d: np.ndarray
    filled: np.ndarray | None = None


def check(
    people: Sequence[Person],
    skeleton: Skeleton,
    fps: float,
    size_px: tuple[int, int] | None,
    texts: Sequence[str],
) -> None:
    """Validate the contents of a page; ``texts`` are its title and notes.

    Raises:
        ValueError: If there is nobody, an array has another shape, type or range than
            :class:`Person` states, or a number is not finite.
    """
    if not people:
        raise ValueError("viewer: expected at least one person, got none; give a Person")
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(
            f"viewer: expected fps to be a finite number above 0, got {fps}; give the video's "
            "frames per second"
        )
    if size_px is not None and not (
        len(size_px) == 2 and all(isinstance(n, Integral) and 0 < n <= REACH_PX for n in size_px)
    ):
        raise ValueError(
            f"viewer: expected size_px to be width and height in whole pixels, got {size_px}; give "
            "the image's size, or None"
        )
    for text in (*texts, *(person.name for person in people)):
        _check_text(text)
    for i, person in enumerate(people):
        _check_person(person, skeleton, f"viewer, person {i} '{person.name}'")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"viewer: expected text that UTF-8 can hold, got {text!r}; give another name, title or "
            "note"
        ) from None


def _check_person(person: Person, skeleton: Skeleton, where: str) -> None:
    frame, J = person.frame, skeleton.num_joints
    if frame.ndim != 1 or frame.size == 0 or not np.issubdtype(frame.dtype, np.integer):
        raise ValueError(
            f"{where}: expected frame to be (T,) whole numbers, T at least 1, got {frame.shape} "
            f"{frame.dtype}; leave people without frames out"
        )
    if frame[0] < 0 or frame[-1] > LAST_FRAME or (frame[1:] <= frame[:-1]).any():
        raise ValueError(
            f"{where}: expected frames that ascend, from 0 to {LAST_FRAME} at most, got others in "
            f"{int(frame.min())} to {int(frame.max())}; sort them and drop the doubles"
        )
    shapes = {"X_m": (len(frame), J, 3), "pose_2d": (len(frame), J, 2), "filled": (len(frame), J)}
    for name, shape in shapes.items():
        array = getattr(person, name)
        if array is not None and array.shape != shape:
            raise ValueError(
                f"{where}: expected {name} {shape}, got {array.shape}; give one row per frame in "
                f"the layout '{skeleton.name}', or name another skeleton"
            )
    for name in ("X_m", "pose_2d"):
        if not np.issubdtype(getattr(person, name).dtype, np.floating):
            raise ValueError(
                f"{where}: expected {name} to be floating-point numbers, got "
                f"{getattr(person, name).dtype}; convert it with astype(float)"
            )
    if person.filled is not None and person.filled.dtype != bool:
        raise ValueError(
            f"{where}: expected filled to be bool, got {person.filled.dtype}; convert it with "
            "astype(bool)"
        )
    # NaN is outside as well.
    if not (np.abs(person.X_m) <= REACH_M).all():
        raise ValueError(
            f"{where}: expected X_m to be metres within {REACH_M:g} of the camera, got "
            f"{_farthest(person.X_m)}; check the unit, and leave out the frames without a pose"
        )
    if not (np.abs(person.pose_2d) <= REACH_PX)[~np.isnan(person.pose_2d)].all():
        raise ValueError(
            f"{where}: expected pose_2d to be pixels within {REACH_PX:g}, or NaN where a joint is "
            f"missing, got {_farthest(person.pose_2d)}; check the detections"
        )


def _farthest(array: np.ndarray) -> float:
    """The value that is farthest out: one that isn't finite, or the largest."""
    odd = array[~np.isfinite(array)]
    if odd.size and (np.isnan(odd).all() or np.isinf(odd).any()):
        return float(odd[np.argmax(np.isinf(odd))])
    return float(array.ravel()[np.nanargmax(np.abs(array))])


def floor_height(people: Sequence[Person]) -> float:
    """Height of the ground in metres, which the lowest joint of 95 % of all poses exceeds."""
    lowest = np.concatenate([person.X_m[..., 1].min(1) for person in people])
    return float(np.quantile(lowest, BELOW_FLOOR))
