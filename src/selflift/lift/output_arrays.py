"""A prediction as arrays, in ``.npz`` and HDF5 files (format ``selflift.prediction``, version 1).

``N`` poses of all people, one person after another, each in order of frames; ``P`` people, ``S``
scenes (a video, or the images of one camera), ``J`` joints. Two frames: the **camera's** (x right,
y down, z forward) and the **levelled** one (x right, y up, z towards the camera), both with the
camera at the origin. Absolute places are ``X_m + root_m[:, None]`` and
``levelled_m + levelled_root_m[:, None]``.

=======================  ================  =========================================================
dataset                  shape             content
=======================  ================  =========================================================
``X_m``                  (N, J, 3) f4      camera frame, root-centred, metres; NaN: no pose
``root_m``               (N, 3) f4         the root in the camera frame
``levelled_m``           (N, J, 3) f4      levelled frame, root-centred
``levelled_root_m``      (N, 3) f4         the root in the levelled frame
``up``                   (N, 3) f4         the vertical in the camera frame
``pose_2d``              (N, J, 2) f4      the input in this layout, pixels; filled joints as lifted
``confidence``           (N, J) f4         of the input; 0 for missing joints
``filled``               (N, J) bool       joints that were missing and are filled in
``lifted``               (N,) bool         the pose was lifted
``interpolated``         (N,) bool         the pose lies between two lifted ones
``frame``                (N,) i8           frame of the video, or number of the image
``person``               (N,) i4           index into ``people``
``people``               (P,) text         their names
``scene``                (P,) i4           index into ``scenes``
``fps``                  (P,) f4           rate at which ``frame`` counts
``scenes``               (S,) text         names of videos or cameras
``camera_f_px`` ...      (S, 2 or 3) f4    ``f_px``, ``c_px``, ``size_px``, ``radial``,
                                           ``tangential`` of each scene's camera
``ground_m``             (S,) f4           height of the ground in the levelled frame
``assumed``, ``notes``   (.,) text         what was assumed, what one should know; a sentence each
``skeleton``             text              the layout, JSON
``format``, ``version``  text, i8          ``"selflift.prediction"``, 1
``lifter``               text              its name; ``lifter_sha256``: checksum of its weights
``stature_m``            f8                the body height at which poses are in metres
``smooth_s``             f8                standard deviation of the smoothing in seconds; 0: none
=======================  ================  =========================================================

In HDF5 files texts and numbers without a shape are attributes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import h5py
import numpy as np

from selflift.files.atomic_write import atomic_hdf5, atomic_path
from selflift.lift.people import Prediction

FORMAT, VERSION = "selflift.prediction", 1


def as_arrays(prediction: Prediction) -> dict[str, np.ndarray]:
    """All datasets of the module's table, by name."""
    people, scenes = prediction.people, prediction.scenes
    lengths = [len(person.frame) for person in people]

    def poses(name: str) -> np.ndarray:
        return np.concatenate([getattr(person.poses, name) for person in people])

    def cameras(name: str) -> np.ndarray:
        return np.array([getattr(scene.camera, name) for scene in scenes], np.float32)

    rows = ("X_m", "root_m", "levelled_m", "levelled_root_m", "up", "pose_2d", "confidence",
            "filled", "lifted")  # fmt: skip
    columns = ("f_px", "c_px", "size_px", "radial", "tangential")
    return {
        **{name: poses(name) for name in rows},
        "interpolated": np.concatenate([person.interpolated for person in people]),
        "frame": np.concatenate([person.frame for person in people]),
        "person": np.repeat(np.arange(len(people), dtype=np.int32), lengths),
        "people": np.array([person.name for person in people]),
        "scene": np.array([person.scene for person in people], np.int32),
        "fps": np.array([person.fps for person in people], np.float32),
        "scenes": np.array([scene.name for scene in scenes]),
        **{f"camera_{name}": cameras(name) for name in columns},
        "ground_m": np.array([scene.ground_m for scene in scenes], np.float32),
        # An empty list has no type of its own.
        "assumed": np.array(prediction.assumed, dtype=np.str_),
        "notes": np.array(prediction.notes, dtype=np.str_),
        **{name: np.array(value) for name, value in header(prediction).items()},
    }


def header(prediction: Prediction) -> dict[str, Any]:
    """What is one text or number for the whole prediction."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "skeleton": prediction.skeleton.to_json(),
        "lifter": prediction.lifter,
        "lifter_sha256": prediction.lifter_sha256,
        "stature_m": prediction.stature_m,
        "smooth_s": prediction.smooth_s,
    }


def write_npz(path: Path, prediction: Prediction) -> None:
    """Write an ``.npz`` file, which ``numpy.load(path, allow_pickle=False)`` reads.

    Raises:
        OSError: If it can't be written; an earlier file of that name is intact.
    """
    # Not numpy.savez_compressed: NumPy 1.24 leaves the archive open when the disk is full,
    # and Python prints a traceback about it at the end.
    with atomic_path(path) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as archive:
        for name, array in as_arrays(prediction).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def write_hdf5(path: Path, prediction: Prediction) -> None:
    """Write an HDF5 file.

    Raises:
        OSError: If it can't be written; an earlier file of that name is intact.
    """
    with atomic_hdf5(path) as file:
        for name, array in as_arrays(prediction).items():
            if array.ndim == 0:
                file.attrs[name] = array.item()
            elif array.dtype.kind == "U":
                file.create_dataset(name, data=array.astype(h5py.string_dtype()))
            elif array.size:
                file.create_dataset(name, data=array, compression="gzip", shuffle=True)
            else:
                file.create_dataset(name, data=array)
