"""Files of a prediction: arrays (``.npz``, HDF5), JSON and CSV.

Arrays have the format ``selflift.prediction``, version 1.

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

JSON holds the header (``format`` to ``smooth_s`` above), ``assumed``, ``notes``, ``scenes`` and
``people``, each with its ``name``, ``scene``, ``fps`` and ``frames``; a frame has ``frame``,
``interpolated``, and by joint ``levelled_m``, ``camera_m`` (``null``: no pose), ``pixels``,
``confidence`` and ``filled``. CSV has a line for each frame, person and joint that has a place.
Both hold absolute places in metres: ``x_m, y_m, z_m`` are levelled, ``camera_*`` in the camera's
frame.

Writers aren't atomic: :func:`selflift.lift.outputs.all_or_none` is.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import h5py
import numpy as np

from selflift.files.atomic_write import atomic_hdf5
from selflift.lift.people import LiftedPerson, Prediction

FORMAT, VERSION = "selflift.prediction", 1
CAMERA_FIELDS = ("f_px", "c_px", "size_px", "radial", "tangential")
COLUMNS = (
    "frame", "time_s", "person", "joint", "x_m", "y_m", "z_m", "camera_x_m", "camera_y_m",
    "camera_z_m", "x_px", "y_px", "confidence", "filled", "interpolated",
)  # fmt: skip
# Decimals of text: tenths of a millimetre, hundredths of a pixel, thousandths of a confidence.
METRES, PIXELS, SHARES = 4, 2, 3


def as_arrays(prediction: Prediction) -> dict[str, np.ndarray]:
    """Return all datasets of the module's table, by name."""
    people, scenes = prediction.people, prediction.scenes

    def poses(name: str) -> np.ndarray:
        return np.concatenate([getattr(person.poses, name) for person in people])

    def cameras(name: str) -> np.ndarray:
        return np.array([getattr(scene.camera, name) for scene in scenes], np.float32)

    rows = ("X_m", "root_m", "levelled_m", "levelled_root_m", "up", "pose_2d", "confidence",
            "filled", "lifted")  # fmt: skip
    index = np.arange(len(people), dtype=np.int32)
    return {
        **{name: poses(name) for name in rows},
        "interpolated": np.concatenate([person.interpolated for person in people]),
        "frame": np.concatenate([person.frame for person in people]),
        "person": np.repeat(index, [len(person.frame) for person in people]),
        "people": np.array([person.name for person in people]),
        "scene": np.array([person.scene for person in people], np.int32),
        "fps": np.array([person.fps for person in people], np.float32),
        "scenes": np.array([scene.name for scene in scenes]),
        **{f"camera_{name}": cameras(name) for name in CAMERA_FIELDS},
        "ground_m": np.array([scene.ground_m for scene in scenes], np.float32),
        # An empty list has no type of its own.
        "assumed": np.array(prediction.assumed, dtype=np.str_),
        "notes": np.array(prediction.notes, dtype=np.str_),
        **{name: np.array(value) for name, value in _header(prediction).items()},
    }


def _header(prediction: Prediction) -> dict[str, Any]:
    """Return the texts and numbers that describe the whole prediction."""
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
    """Write an ``.npz`` file, which ``numpy.load(path, allow_pickle=False)`` reads."""
    # Not numpy.savez_compressed: NumPy 1.24 leaves the archive open when the disk is full,
    # and Python prints a traceback about it at the end.
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, array in as_arrays(prediction).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def write_hdf5(path: Path, prediction: Prediction) -> None:
    """Write an HDF5 file."""
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


def write_json(path: Path, prediction: Prediction) -> None:
    """Write JSON."""
    header = _header(prediction)
    scenes = [
        {
            "name": scene.name,
            **{name: getattr(scene.camera, name) for name in CAMERA_FIELDS},
            "ground_m": None if np.isnan(scene.ground_m) else round(scene.ground_m, METRES),
        }
        for scene in prediction.scenes
    ]
    people = [
        {
            "name": person.name,
            "scene": prediction.scenes[person.scene].name,
            "fps": person.fps,
            "frames": _frames(person),
        }
        for person in prediction.people
    ]
    content = {
        **header,
        "skeleton": json.loads(header["skeleton"]),
        "assumed": prediction.assumed,
        "notes": prediction.notes,
        "scenes": scenes,
        "people": people,
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, allow_nan=False)


def _frames(person: LiftedPerson) -> list[dict[str, Any]]:
    poses, there = person.poses, person.there
    columns = {
        "levelled_m": np.round(person.absolute_m.astype(np.float64), METRES),
        "camera_m": np.round(_in_camera(person), METRES),
        "pixels": np.round(poses.pose_2d.astype(np.float64), PIXELS),
    }
    lists = {name: array.tolist() for name, array in columns.items()}
    confidence = np.round(poses.confidence.astype(np.float64), SHARES).tolist()
    return [
        {
            "frame": int(person.frame[t]),
            "interpolated": bool(person.interpolated[t]),
            **{name: rows[t] if there[t] else None for name, rows in lists.items()},
            "confidence": confidence[t],
            "filled": poses.filled[t].tolist(),
        }
        for t in range(len(there))
    ]


def _in_camera(person: LiftedPerson) -> np.ndarray:
    return np.asarray(person.poses.X_m + person.poses.root_m[:, None], np.float64)


def write_csv(path: Path, prediction: Prediction) -> None:
    """Write a table."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for person in prediction.people:
            level, camera = person.absolute_m, _in_camera(person)
            for t in np.flatnonzero(person.there):
                joints = zip(
                    prediction.skeleton.joints, level[t], camera[t], person.poses.pose_2d[t],
                    person.poses.confidence[t], person.poses.filled[t], strict=True,
                )  # fmt: skip
                for joint, X, X_camera, x, sure, filled in joints:
                    table.writerow([
                        person.frame[t], f"{person.frame[t] / person.fps:.4f}", person.name, joint,
                        *(f"{value:.{METRES}f}" for value in (*X, *X_camera)),
                        *(f"{value:.{PIXELS}f}" for value in x),
                        f"{sure:.{SHARES}f}", int(filled), int(person.interpolated[t]),
                    ])  # fmt: skip
