"""From the file's units and axes to world metres with z up."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from selflift.formats.mocap.text import wrong
from selflift.geometry.normalise import skeleton_height
from selflift.skeleton import H36M_17

INCH_M = 0.0254
UNITS = ("cmu", "m", "cm", "mm", "inch")
UPS = ("y", "z")
# A person's bones from the ankles to the head: what tells a unit, and what no file may leave.
GROWN_M = (1.2, 2.2)
POSSIBLE_M = (0.8, 2.5)
UPRIGHT = 0.8
ANKLES = [H36M_17.legs[0][2], H36M_17.legs[1][2]]


class Frame(NamedTuple):
    """How a file's numbers are to be read.

    Attributes:
        unit: Its name.
        metres: Metres in it.
        up: ``"y"`` or ``"z"``.
    """

    unit: str
    metres: float
    up: str

    def to_world(self, X: np.ndarray) -> np.ndarray:
        """Positions of the file, ``(..., 3)``, in world metres, z up."""
        X = self.metres * X
        return X if self.up == "z" else np.stack([X[..., 0], -X[..., 2], X[..., 1]], axis=-1)


def height_of(X: np.ndarray) -> float:
    """The median length of the bones from ankles to head, in the unit of ``X`` ``(F, 17, 3)``."""
    return float(skeleton_height(torch.from_numpy(X), H36M_17).median())


def units_m(length: float) -> dict[str, float]:
    """Metres in each of :data:`UNITS`; ``length`` is that of an ASF file, 0.45 elsewhere."""
    return dict(zip(UNITS, (INCH_M / length, 1.0, 0.01, 0.001, INCH_M), strict=True))


def choose_frame(path: Path, X: np.ndarray, unit: str, up: str, length: float) -> Frame:
    """Find out what a file doesn't say.

    Args:
        path: The file, for messages.
        X: Its bodies, ``(F, 17, 3)``.
        unit: One of :data:`UNITS`, or ``"auto"``.
        up: One of :data:`UPS`, or ``"auto"``.
        length: See :func:`units_m`.

    Raises:
        ImportFileError: If the bodies leave it open.
    """
    units = units_m(length)
    if unit == "auto":
        unit = _choose_unit(path, height_of(X), units)
    return Frame(unit, units[unit], _choose_up(path, X) if up == "auto" else up)


def _choose_unit(path: Path, height: float, units: dict[str, float]) -> str:
    low, high = GROWN_M
    fits = [unit for unit, metres in units.items() if low <= height * metres <= high]
    if len({units[unit] for unit in fits}) != 1:
        tall = ", ".join(f"{height * metres:.3g} m in {unit}" for unit, metres in units.items())
        raise wrong(
            path,
            f"expected bodies that measure {low} to {high} m from ankles to head in one unit, got "
            f"{height:.4g} file units: {tall}; set mocap.unit",
        )
    return fits[0]


def _choose_up(path: Path, X: np.ndarray) -> str:
    upward = np.median(X[:, H36M_17.head] - X[:, ANKLES].mean(1), axis=0)
    axis = int(np.argmax(np.abs(upward)))
    if not (axis > 0 and upward[axis] > UPRIGHT * np.linalg.norm(upward)):
        raise wrong(
            path,
            "expected heads above ankles along y or z, got a median way from ankles to head of "
            f"({', '.join(f'{value:.3g}' for value in upward)}) file units; set mocap.up, or begin "
            "with a file in which people stand",
        )
    return "xyz"[axis]


def check_height(path: Path, X: np.ndarray, frame: Frame) -> None:
    """Refuse bodies that no person has.

    Args:
        path: The file, for messages.
        X: Its bodies in metres, ``(F, 17, 3)``.
        frame: How they were read.

    Raises:
        ImportFileError: If they are shorter or taller than people.
    """
    height = height_of(X)
    if not POSSIBLE_M[0] <= height <= POSSIBLE_M[1]:
        raise wrong(
            path,
            f"expected bodies that measure {POSSIBLE_M[0]} to {POSSIBLE_M[1]} m from ankles to "
            f"head, got {height:.3g} m with unit {frame.unit} ({frame.metres:.6g} m); set "
            "mocap.unit, and read files of different units apart",
        )


def is_upright(X: np.ndarray) -> bool:
    """Whether heads are above ankles in most frames of ``(F, 17, 3)``, z up."""
    return bool(np.median(X[:, H36M_17.head, 2] - X[:, ANKLES, 2].mean(1)) > 0)
