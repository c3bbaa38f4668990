"""The cameras of MPI-INF-3DHP: ``camera.calibration``, or a fit to the annotations.

The file is of the kind "Skeletool Camera Calibration File V1.0". Seven lines make a camera: its
name, the sensor's size (mm, not needed), the image's size (pixels), whether it moves, two 4 x 4
matrices row by row and a lens coefficient::

    name          0
      sensor      10 10
      size        2048 2048
      animated    0
      intrinsic   1497.693 0 1024.704 0 0 1497.103 1051.394 0 0 0 1 0 0 0 0 1
      extrinsic   0.9650164 0.00488022 0.262144 -562.8666 ... 0 0 0 1
      radial      0

``extrinsic`` takes world to camera coordinates in millimetres, and in that world **y points up**
(the row that gives the camera's y, which points down, is nearly (0, -1, 0)). Here worlds are z up:
rotations and centres are expressed in the same world turned by :data:`Y_UP_TO_Z_UP`. That changes
no pose, since poses are in camera coordinates.

Where there is no such file, focal lengths and principal point follow from the annotations
themselves: ``annot3`` was projected to give ``annot2``, so that ``u = f X / Z + c`` is a straight
line for each axis.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from selflift.data.recording import Report
from selflift.files.untrusted import ImportFileError
from selflift.geometry.camera import Calibration

CALIBRATION = "camera.calibration"
# Right-handed: x stays, y (up) becomes z, z becomes -y.
Y_UP_TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])

FIELDS = {"sensor": 2, "size": 2, "animated": 1, "intrinsic": 16, "extrinsic": 16, "radial": 1}
# Fourteen cameras take five kilobytes; whatever the unit, no entry is as large.
MOST_BYTES, MOST = 2**20, 1e9
# Entries are printed with seven digits.
ORTHONORMAL_TOLERANCE = 1e-4

FIT_ROUNDS = 10
# Pairs this many times farther off than the median are left out of the next round.
FIT_OUTLIER = 3.0
# A line through points closer together than this (normalised plane) has no slope to speak of.
FIT_MIN_SPREAD = 1e-3


def read_calibration(path: Path, report: Report) -> dict[int, Calibration]:
    """Read the cameras of a sequence, by number.

    Args:
        path: The file.
        report: Gets a note on lens coefficients, which no public document explains.

    Raises:
        ImportFileError: If the file can't be read, or a line is missing, unknown or implausible.
    """
    blocks: dict[str, dict[str, np.ndarray]] = {}
    name = ""
    for number, line in enumerate(_lines(path), start=1):
        key, *words = line.split() or [""]
        text = " ".join(words)
        if key == "name":
            known = {int(other) for other in blocks}
            if not re.fullmatch("[0-9]{1,9}", text) or int(text) in known:
                raise _wrong(path, f"line {number}", "the number of a new camera", f"'{text}'")
            name = text
            blocks[name] = {}
        elif key and blocks:
            if key not in FIELDS or key in blocks[name]:
                raise _wrong(path, f"line {number}", f"one each of {', '.join(FIELDS)}", f"'{key}'")
            try:
                values = np.array([float(word) for word in words])
            except ValueError:
                values = np.array([np.nan])
            if len(values) != FIELDS[key] or not (np.abs(values) <= MOST).all():
                expected = f"{FIELDS[key]} numbers"
                raise _wrong(path, f"line {number}: {key}", expected, f"'{text[:60]}'")
            blocks[name][key] = values
    if not blocks:
        raise _wrong(path, "file", "cameras, each with a line 'name'", "none")
    views = {int(name): _view(path, f"camera {name}", block) for name, block in blocks.items()}
    if lenses := [f"{n} ({b['radial'][0]:g})" for n, b in blocks.items() if b["radial"].any()]:
        report.note(
            f"'{path}': radial, whose lens model is not documented, is not used: camera "
            f"{', '.join(lenses)}"
        )
    return views


def _lines(path: Path) -> list[str]:
    try:
        if path.exists() and not (path.is_file() and path.stat().st_size <= MOST_BYTES):
            raise ValueError("no file, or one of more than a megabyte")
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ImportFileError(
            f"'{path}': expected a text file of cameras, got one that can't be read ({error}); "
            "get it again"
        ) from error


def _view(path: Path, where: str, block: dict[str, np.ndarray]) -> Calibration:
    if missing := [key for key in FIELDS if key not in block]:
        raise _wrong(path, where, f"lines {', '.join(FIELDS)}", f"no {', '.join(missing)}")
    inner, outer = block["intrinsic"].reshape(4, 4), block["extrinsic"].reshape(4, 4)
    size, rotation = block["size"], outer[:3, :3]
    f, c = inner[[0, 1], [0, 1]], inner[:2, 2]
    plain = np.eye(4)
    plain[[0, 1], [0, 1]], plain[:2, 2] = f, c
    orthonormal = np.allclose(rotation @ rotation.T, np.eye(3), 0, ORTHONORMAL_TOLERANCE)
    for key, expected, good in (
        ("animated", "0, a camera that stands still", not block["animated"].any()),
        ("size", "width and height in pixels", (size > 0).all() and (size == size.round()).all()),
        (
            "intrinsic",
            "fx 0 cx 0 0 fy cy 0 0 0 1 0 0 0 0 1",
            (f > 0).all() and np.array_equal(inner, plain),
        ),
        (
            "extrinsic",
            "a rotation and a translation above 0 0 0 1",
            orthonormal and np.linalg.det(rotation) > 0 and np.array_equal(outer[3], [0, 0, 0, 1]),
        ),
    ):
        if not good:
            got = " ".join(f"{number:g}" for number in block[key])
            raise _wrong(path, f"{where}: {key}", expected, got)
    return Calibration(
        f_px=f,
        c_px=c,
        radial=np.zeros(3),
        tangential=np.zeros(2),
        size_px=size.astype(np.int64),
        rotation=rotation @ Y_UP_TO_Z_UP.T,
        centre_mm=Y_UP_TO_Z_UP @ (-rotation.T @ outer[:3, 3]),
    )


def fit_view(
    where: str, pixels: np.ndarray, points: np.ndarray, size_px: tuple[int, int], limit_px: float
) -> tuple[Calibration, float]:
    """Fit the pinhole camera that explains annotated pairs, outliers aside.

    Args:
        where: Of what, for the message.
        pixels: ``(F, J, 2)``.
        points: ``(F, J, 3)``, camera frame, in front of the camera, any unit.
        size_px: Width and height of the image.
        limit_px: Largest median distance that is believed.

    Returns:
        The camera and its median distance in pixels, over all pairs.

    Raises:
        ImportFileError: If the pairs don't determine a camera, or no pinhole camera fits them.
    """
    flat = pixels.reshape(-1, 2)
    rays = (points[..., :2] / points[..., 2:]).reshape(-1, 2)
    if len(rays) == 0 or rays.std(0).min() < FIT_MIN_SPREAD:
        raise ImportFileError(
            f"{where}: expected whole poses in front of the camera to fit it to, got "
            f"{'points in one place' if len(rays) else 'none'}; get the file again"
        )
    used = np.ones(len(rays), bool)
    for _ in range(FIT_ROUNDS):
        x, u = rays[used], flat[used]
        x_mean, u_mean = x.mean(0), u.mean(0)
        f = ((x - x_mean) * (u - u_mean)).sum(0) / ((x - x_mean) ** 2).sum(0)
        c = u_mean - f * x_mean
        distance = np.linalg.norm(rays * f + c - flat, axis=-1)
        kept = distance <= FIT_OUTLIER * max(float(np.median(distance)), 1e-6)
        if np.array_equal(kept, used) or rays[kept].std(0).min() < FIT_MIN_SPREAD:
            break
        used = kept
    residual = float(np.median(distance))
    inside = (c > 0).all() and (c < size_px).all()
    if not (residual <= limit_px and (f > 0).all() and inside):
        raise ImportFileError(
            f"{where}: expected annot2 to be the projection of annot3 by a camera (median within "
            f"{limit_px:g} px), got {residual:.3g} px with f = {f[0]:.4g}, {f[1]:.4g} and c = "
            f"{c[0]:.4g}, {c[1]:.4g}; are 2D and 3D of the same camera, and in the image's pixels?"
        )
    view = Calibration(f, c, np.zeros(3), np.zeros(2), np.array(size_px))
    return view, residual


def distance_px(view: Calibration, pixels: np.ndarray, points: np.ndarray) -> float:
    """Median distance between projected points and pixels, lens aside.

    Args:
        view: The camera.
        pixels: ``(F, J, 2)``.
        points: ``(F, J, 3)``, camera frame, any unit.
    """
    projected = points[..., :2] / points[..., 2:] * view.f_px + view.c_px
    return float(np.median(np.linalg.norm(projected - pixels, axis=-1)))


def _wrong(path: Path, where: str, expected: str, got: str) -> ImportFileError:
    return ImportFileError(
        f"'{path}': {where}: expected {expected}, got {got}; get the file again, or remove it to "
        "fit the intrinsics instead"
    )
