"""A prediction as text: JSON and CSV. Both hold absolute places in metres, in both frames.

JSON: what :mod:`selflift.lift.output_arrays` calls header, ``assumed``, ``notes`` and ``scenes``,
and ``people``, each with its ``name``, ``scene``, ``fps`` and ``frames``; a frame has ``frame``,
``interpolated``, and by joint ``levelled_m``, ``camera_m`` (``null``: no pose), ``pixels``,
``confidence`` and ``filled``.

CSV: a line for each frame, person and joint that has a place. ``x_m, y_m, z_m`` are levelled (x
right, y up, z towards the camera), ``camera_*`` in the camera's frame (x right, y down, z forward).
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from selflift.files.atomic_write import atomic_path
from selflift.lift.output_arrays import header
from selflift.lift.people import LiftedPerson, Prediction

COLUMNS = (
    "frame", "time_s", "person", "joint", "x_m", "y_m", "z_m", "camera_x_m", "camera_y_m",
    "camera_z_m", "x_px", "y_px", "confidence", "filled", "interpolated",
)  # fmt: skip
# Tenths of a millimetre, hundredths of a pixel, thousandths of a confidence.
METRES, PIXELS, SHARES = 4, 2, 3


def write_json(path: Path, prediction: Prediction) -> None:
    """Write JSON.

    Raises:
        OSError: If it can't be written; an earlier file of that name is intact.
    """
    head = header(prediction)
    head["skeleton"] = json.loads(head["skeleton"])
    scenes = [
        {
            "name": scene.name,
            "f_px": scene.camera.f_px,
            "c_px": scene.camera.c_px,
            "size_px": scene.camera.size_px,
            "radial": scene.camera.radial,
            "tangential": scene.camera.tangential,
            "ground_m": None if np.isnan(scene.ground_m) else round(scene.ground_m, METRES),
        }
        for scene in prediction.scenes
    ]
    content = {
        **head,
        "assumed": prediction.assumed,
        "notes": prediction.notes,
        "scenes": scenes,
        "people": [
            {
                "name": person.name,
                "scene": prediction.scenes[person.scene].name,
                "fps": person.fps,
                "frames": _frames(person),
            }
            for person in prediction.people
        ],
    }
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
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
    """Write a table.

    Raises:
        OSError: If it can't be written; an earlier file of that name is intact.
    """
    joints = prediction.skeleton.joints
    with (
        atomic_path(path) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for person in prediction.people:
            level, camera = person.absolute_m, _in_camera(person)
            for t in np.flatnonzero(person.there):
                own = zip(
                    joints, level[t], camera[t], person.poses.pose_2d[t],
                    person.poses.confidence[t], person.poses.filled[t], strict=True,
                )  # fmt: skip
                for joint, X, seen, x, sure, filled in own:
                    table.writerow([
                        person.frame[t], f"{person.frame[t] / person.fps:.4f}", person.name, joint,
                        *(f"{value:.{METRES}f}" for value in (*X, *seen)),
                        *(f"{value:.{PIXELS}f}" for value in x),
                        f"{sure:.{SHARES}f}", int(filled), int(person.interpolated[t]),
                    ])  # fmt: skip
