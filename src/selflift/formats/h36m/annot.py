"""One ``annot.h5`` of h36m-fetch: its arrays, checked against the folders it lies in.

It holds thinned frames, all cameras one after another:

==========================  ========================================================================
``pose/2d``                 (N, 32, 2), pixels
``pose/3d``                 (N, 32, 3), the camera's frame, mm; absent in older files
``pose/3d-univ``            the same, of bodies scaled to a universal skeleton
``intrinsics/CAMERA``       fx, cx, fy, cy, fitted to the 2D and ``pose/3d``; in older files to
                            ``pose/3d-univ``
``intrinsics-univ/CAMERA``  the same, fitted to ``pose/3d-univ``
``frame``                   (N,), 1-based index in the 50 Hz video
``camera``, ``subject``     (N,), 54138969 and 1
``action``                  (N,), 2 to 16; in older files, which lack ``subaction``, 1 to 15
``subaction``               (N,), 1 or 2
==========================  ========================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from selflift.data.recording import View
from selflift.files.hdf5 import Hdf5File, open_hdf5
from selflift.files.untrusted import ImportFileError, UntrustedError
from selflift.formats.h36m.cameras import CAMERAS, view_of
from selflift.formats.h36m.protocol import ACTIONS, FIRST_ACTION_NUMBER

METRIC, UNIVERSAL = "pose/3d", "pose/3d-univ"
# How far the fitted intrinsics may be from the calibration: they know nothing of the lens.
_MAX_FOCAL_SHARE, _MAX_CENTRE_PX = 0.05, 60.0


@dataclass(frozen=True)
class AnnotFile:
    """One file, and what its folders say of it.

    Attributes:
        path: The file.
        subject: ``"S1"``.
        action: ``"Photo"``.
        number: The subaction; 0 in the older layout, which has none.
    """

    path: Path
    subject: str
    action: str
    number: int

    @property
    def clip(self) -> str:
        """Name of the recording."""
        return f"{self.subject} {self.action}{f' {self.number}' if self.number else ''}"


@dataclass(frozen=True)
class Annotations:
    """What a file holds.

    Attributes:
        x: ``(N, 32, 2)``, pixels.
        X: ``(N, 32, 3)``, camera frame, mm.
        frame: ``(N,)``, as in the file.
        camera: ``(N,)``, as in the file.
        intrinsics: By camera, fx, cx, fy, cy fitted to ``X``.
    """

    x: np.ndarray
    X: np.ndarray
    frame: np.ndarray
    camera: np.ndarray
    intrinsics: dict[str, np.ndarray]


def poses_in(file: AnnotFile) -> list[str]:
    """Which of :data:`METRIC` and :data:`UNIVERSAL` a file has.

    Raises:
        ImportFileError: If it is no HDF5 file.
    """
    with _opened(file.path) as content:
        return [key for key in (METRIC, UNIVERSAL) if key in content]


def read_annotations(file: AnnotFile, key: str) -> Annotations:
    """Read a file.

    Args:
        file: The file.
        key: Its 3D poses, :data:`METRIC` or :data:`UNIVERSAL`.

    Raises:
        ImportFileError: If it is damaged, lacks a dataset, or contradicts its folders.
    """
    names = ["pose/2d", key, "frame", "camera", "subject", "action"]
    names += ["subaction"] if file.number else []
    group = "intrinsics"
    with _opened(file.path) as content:
        missing = [name for name in names if name not in content]
        if missing:
            raise ImportFileError(
                f"'{file.path}': expected the datasets {', '.join(names)}, got no "
                f"{', '.join(missing)}; process the take again"
            )
        arrays = {name: content.array(name) for name in names}
        if key == UNIVERSAL and "intrinsics-univ" in content:
            group = "intrinsics-univ"
        intrinsics = {c: content.array(f"{group}/{c}") for c in content.names(group)}
    _check_shapes(file, arrays, key)
    _check_labels(file, arrays)
    return Annotations(
        arrays["pose/2d"], arrays[key], arrays["frame"], arrays["camera"], intrinsics
    )


def fitted_view(
    where: str, subject: str, camera: str, fitted: np.ndarray | None, key: str
) -> View | None:
    """The camera that universal poses project through; ``None`` is the calibrated one.

    Args:
        where: The file and camera, for messages.
        subject: Whose calibration to compare with.
        camera: Which camera's.
        fitted: fx, cx, fy, cy.
        key: The poses that they were fitted to.

    Raises:
        ImportFileError: If those of metric poses are far from the calibration, or those of
            universal ones are missing.
    """
    if fitted is None and key == METRIC:
        return None
    if fitted is None or fitted.shape != (4,) or not np.isfinite(fitted).all():
        raise ImportFileError(
            f"{where}: expected intrinsics fx, cx, fy, cy fitted to {key}, got "
            f"{'none' if fitted is None else fitted.ravel()[:4].tolist()}; process the take again"
        )
    view = view_of(subject, camera, lens=False)
    f_px, c_px = fitted[[0, 2]].astype(float), fitted[[1, 3]].astype(float)
    if key == UNIVERSAL:
        return replace(view, f_px=f_px, c_px=c_px)
    far_f = np.abs(f_px / view.f_px - 1) > _MAX_FOCAL_SHARE
    far_c = np.abs(c_px - view.c_px) > _MAX_CENTRE_PX
    if far_f.any() or far_c.any():
        raise ImportFileError(
            f"{where}: expected intrinsics near the calibration's fx {view.f_px[0]:.0f}, cx "
            f"{view.c_px[0]:.0f}, fy {view.f_px[1]:.0f}, cy {view.c_px[1]:.0f}, got "
            f"{', '.join(f'{v:.0f}' for v in fitted)}; the poses are not pixels and millimetres "
            "of this camera"
        )
    return None


def _check_shapes(file: AnnotFile, arrays: dict[str, np.ndarray], key: str) -> None:
    n = len(arrays["frame"]) if arrays["frame"].ndim else 0
    poses = {"pose/2d": (n, 32, 2), key: (n, 32, 3)}
    for name, array in arrays.items():
        shape, kinds = (poses[name], "f") if name in poses else ((n,), "iu")
        if n == 0 or array.shape != shape or array.dtype.kind not in kinds:
            raise ImportFileError(
                f"'{file.path}': expected {name} of {'floats' if kinds == 'f' else 'integers'}, "
                f"shape {shape}, at least one frame, got {array.dtype} {array.shape}; process the "
                "take again"
            )


def _check_labels(file: AnnotFile, arrays: dict[str, np.ndarray]) -> None:
    first = FIRST_ACTION_NUMBER if file.number else 1
    expected = {
        "subject": int(file.subject[1:]),
        "action": ACTIONS.index(file.action) + first,
        "subaction": file.number,
    }
    for name, number in expected.items():
        if name in arrays and (arrays[name] != number).any():
            wrong = arrays[name][arrays[name] != number][0]
            raise ImportFileError(
                f"'{file.path}': expected {name} {number}, as its folders say, got {wrong}; the "
                "file lies in the wrong folder"
            )
    foreign = sorted(set(np.unique(arrays["camera"]).astype(str)) - set(CAMERAS))
    if foreign:
        raise ImportFileError(
            f"'{file.path}': expected camera of {', '.join(CAMERAS)}, got {', '.join(foreign)}; "
            "process the take again"
        )


@contextmanager
def _opened(path: Path) -> Iterator[Hdf5File]:
    """An HDF5 file; whatever its damage raises becomes one line that names it."""
    try:
        with open_hdf5(path) as file:
            yield file
    except ImportFileError:
        raise
    except UntrustedError as error:
        raise ImportFileError(f"'{path}': {error}") from error
    except Exception as error:  # h5py raises many kinds, depending on the damage
        reason = " ".join(str(error).split())[:300]
        raise ImportFileError(
            f"'{path}': expected h36m-fetch's HDF5 file, got one that is damaged, cut short or "
            f"something else ({reason}); process the take again"
        ) from error
