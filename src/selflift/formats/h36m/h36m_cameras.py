"""The four cameras of Human3.6M, as calibrated for each of its seven public subjects.

The numbers in ``cameras.json`` are those of the data set's ``metadata.xml``, in the form that
VideoPose3D made common: an orientation as a quaternion (w, x, y, z) that turns *camera* axes into
world axes, and the optical centre in world millimetres, so ``X_cam = R^-1 (X - t)``. Intrinsics and
lens are shared by all subjects.

The lens model is OpenCV's (:func:`selflift.geometry.camera.distort`). Public code disagrees here:
Human3.6M's own and Martinez et al.'s leave out the factor 2 of the tangential term, VideoPose3D's
also exchanges its coefficients. On these lenses the difference stays below 2 pixels.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch

from selflift.geometry.camera import Calibration, project_pixels, world_to_camera

# In the order of the lists in VideoPose3D's files.
CAMERAS = ("54138969", "55011271", "58860488", "60457274")
SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")


@cache
def view_of(subject: str, camera: str, lens: bool = True) -> Calibration:
    """The calibration of one camera as it stood for one subject.

    Args:
        subject: One of :data:`SUBJECTS`.
        camera: One of :data:`CAMERAS`.
        lens: Whether the lens distorts; without it the coefficients are zero.

    Raises:
        ValueError: If there is no such calibration.
    """
    table = _table()
    if subject not in table["extrinsics"] or camera not in table["intrinsics"]:
        raise ValueError(
            f"Human3.6M: expected a subject of {', '.join(SUBJECTS)} and a camera of "
            f"{', '.join(CAMERAS)}, got '{subject}' and '{camera}'; their calibration is not public"
        )
    inner, outer = table["intrinsics"][camera], table["extrinsics"][subject][camera]
    keep = 1.0 if lens else 0.0
    return Calibration(
        f_px=np.array(inner["f_px"]),
        c_px=np.array(inner["c_px"]),
        radial=keep * np.array(inner["radial"]),
        tangential=keep * np.array(inner["tangential"]),
        size_px=np.array(inner["size_px"]),
        rotation=_matrix(outer["orientation_wxyz"]).T,
        centre_mm=np.array(outer["centre_mm"]),
    )


def intrinsics_of(view: Calibration) -> Calibration:
    """The view's intrinsics and lens as float64 tensors."""
    parts = (view.f_px, view.c_px, view.radial, view.tangential)
    return Calibration(*(torch.from_numpy(np.asarray(part, np.float64)) for part in parts))


def to_camera(positions_mm: np.ndarray, view: Calibration) -> np.ndarray:
    """Transform world positions to the frame of a camera (x right, y down, z forward).

    Args:
        positions_mm: ``(T, J, 3)``, world, mm.
        view: A camera whose place is known.

    Returns:
        ``(T, J, 3)`` float64, mm.

    Raises:
        ValueError: If the view has no rotation or no centre.
    """
    if view.rotation is None or view.centre_mm is None:
        raise ValueError("camera: expected one with rotation and centre_mm, got one without")
    moved = world_to_camera(
        torch.from_numpy(np.asarray(positions_mm, np.float64)),
        torch.from_numpy(np.asarray(view.rotation, np.float64)),
        torch.from_numpy(np.asarray(view.centre_mm, np.float64)),
    )
    return moved.numpy()


def to_pixels(positions_mm: np.ndarray, view: Calibration) -> np.ndarray:
    """Project positions in a camera's frame to pixels, through the view's lens.

    Args:
        positions_mm: ``(T, J, 3)``, in front of the camera; any unit.
        view: The camera.

    Returns:
        ``(T, J, 2)`` float64.
    """
    points = torch.from_numpy(np.asarray(positions_mm, np.float64))
    return project_pixels(points, intrinsics_of(view)).numpy()


@cache
def _table() -> dict[str, dict[str, dict]]:
    return json.loads((Path(__file__).parent / "cameras.json").read_text(encoding="utf-8"))


def _matrix(wxyz: list[float]) -> np.ndarray:
    w, x, y, z = np.array(wxyz) / np.linalg.norm(wxyz)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
