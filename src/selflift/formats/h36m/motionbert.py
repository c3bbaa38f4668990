"""Human3.6M as MotionBERT publishes it: detected 2D with confidences, one pickle for all.

``h36m_sh_conf_cam_source_final.pkl`` (and ``h36m_cpn_cam_source.pkl``, without confidence) holds
``{"train": ..., "test": ...}``, 1,559,752 and 566,920 rows of one camera and frame each:

======================  ============================================================================
``joint_2d``            (N, 17, 2), pixels, detected (a third column is confidence)
``confidence``          (N, 17) or (N, 17, 1), optional
``joint3d_image``       (N, 17, 3), pixels: projection without lens, and depth in pixels
``camera_name``         (N,) ``"54138969"``
``source``              (N,) ``"s_09_act_02_subact_01_ca_01"``: clip and camera
``2.5d_factor``         (N,) test only: mm per pixel
``joints_2.5d_image``   (N, 17, 3) test only: ``joint3d_image`` times the factor, mm
======================  ============================================================================

The 3D poses of the test split are a *reconstruction*: camera-frame millimetres are not in the file,
but follow from these arrays and the calibration, see :mod:`selflift.formats.h36m.image_frame`. The
training split has no factor, so its takes carry 2D only.

Frames count from the beginning of each take's rows, at 50 Hz. The number in a clip's name, ``S9
Directions 1``, is the *subaction*, not always the number in the recording's own name.

A pickle can't be read in parts: the whole file (1 to 2 GB) lies in memory once, then half of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from selflift.config import H36MOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.files.array_archives import read_pickle
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.h36m_cameras import CAMERAS, view_of
from selflift.formats.h36m.h36m_protocol import (
    ACTIONS,
    FIRST_ACTION_NUMBER,
    Recording,
    by_subaction,
)
from selflift.formats.h36m.h36m_takes import (
    TakeBuilder,
    check_array,
    check_joints,
    chosen_subjects,
)
from selflift.formats.h36m.image_frame import READINGS, limb_spread, rebuild

SPLITS = ("train", "test")
_SOURCE = re.compile(r"s_(\d+)_act_(\d+)_subact_(\d+)_ca_(\d+)")
_REMEDY = "is it MotionBERT's file of Human3.6M?"
# mm per pixel: Human3.6M's cameras have 2.6 at 3 m and 7 at 8 m.
_FACTORS = (1.0, 20.0)
# Limbs rebuilt with the true reading don't vary; with a wrong one, by some 2 %; from arrays that
# are something else, by far more.
_CLEAR_SPREAD, _MAX_SPREAD = 0.005, 0.03
_SAMPLED_FRAMES, _SAMPLED_ROWS = 200, 1000


@dataclass(frozen=True)
class _Run:
    """Consecutive rows of one source."""

    recording: Recording
    camera: str
    rows: slice


def recognise(path: Path) -> bool:
    """Recognise a pickle with Human3.6M in its name."""
    path = Path(path)
    if path.suffix != ".pkl" or "h36m" not in path.name.lower():
        return False
    try:
        with open(path, "rb") as stream:
            return stream.read(1) == b"\x80"
    except OSError:
        return False


def open_motionbert(path: Path, options: H36MOptions) -> Recordings:
    """MotionBERT's pickle of Human3.6M.

    Args:
        path: The file.
        options: ``split``, ``lens`` (of the calibration that the takes carry; the detections are of
            real images), ``subjects`` and ``skip`` apply; skip lists name recordings, of which the
            usual ones are known by their subaction.

    Raises:
        ImportFileError: If the file is missing, corrupt, or lacks an array, its arrays contradict
            each other, or its 3D can't be rebuilt.
    """
    path = Path(path)
    check_joints(path, options, (17,))
    if options.split not in SPLITS:
        raise ImportFileError(
            f"'{path}': expected h36m.split = {' or '.join(SPLITS)}, got '{options.split}'"
        )
    with_3d = options.split == "test"
    data = _split_of(path, read_pickle(path), options.split)
    all_runs = _find_runs(path, data.pop("source"))
    _check_cameras(path, np.asarray(data.pop("camera_name")).astype(str), all_runs)
    arrays = _checked_arrays(path, data, all_runs[-1].rows.stop, with_3d)
    report = Report()
    subjects = chosen_subjects(path, options, {r.recording.subject for r in all_runs}, report)
    runs = [run for run in all_runs if run.recording.subject in subjects]
    source_3d, reading = "none", None
    if with_3d:
        spread = {reading: _spread(arrays, runs, reading) for reading in READINGS}
        reading = min(spread, key=spread.__getitem__)
        varies = f"{100 * spread[reading]:.1f} %"
        if not spread[reading] < _MAX_SPREAD:
            raise ImportFileError(
                f"'{path}': expected limbs of constant length after rebuilding the 3D from "
                f"joint3d_image and 2.5d_factor, got lengths that vary by {varies}; {_REMEDY} Its "
                "2D can be used with h36m.split=train"
            )
        if spread[reading] > _CLEAR_SPREAD:
            report.note(
                f"limbs of the rebuilt 3D vary by {varies}: 2.5d_factor is something else than "
                "either reading, the 3D is approximate"
            )
        spreads = ", ".join(f"{name} {100 * s:.3f} %" for name, s in spread.items())
        source_3d = (
            f"rebuilt from joint3d_image, 2.5d_factor read as '{reading}' (limb lengths vary by: "
            f"{spreads})"
        )
    report.note("a clip's number is that of its subaction, not of the recording")
    builder = TakeBuilder(
        options, report, ("joint_2d", "joint3d_image", "pixels"), by_subaction(options.skip),
        detected=True,
    )  # fmt: skip
    return builder.recordings(
        "h36m_motionbert",
        _takes(path, arrays, runs, reading, builder),
        len(runs),
        **{"2D": f"detections, {options.split} split", "3D": source_3d},
    )


def _takes(
    path: Path,
    arrays: dict[str, np.ndarray],
    runs: list[_Run],
    reading: str | None,
    builder: TakeBuilder,
) -> Iterator[Take]:
    for run in runs:
        part = {name: array[run.rows] for name, array in arrays.items()}
        X = None
        if reading is not None:
            view = view_of(run.recording.owner, run.camera)
            X = rebuild(part["joint3d_image"], part["2.5d_factor"], view, reading)
        yield from builder.take(
            f"'{path}' ({run.recording.clip}, camera {run.camera})", run.recording, run.camera,
            X=X, x=part["joint_2d"], confidence=part.get("confidence"),
            reference=part["joint3d_image"][..., :2],
        )  # fmt: skip


def _split_of(path: Path, content: Any, split: str) -> dict[str, Any]:
    """The arrays of one split; those of the other are released."""
    if not isinstance(content, dict) or not isinstance(content.get(split), dict):
        keys = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise ImportFileError(
            f"'{path}': expected a dict with the keys {' and '.join(SPLITS)}, each a dict, got "
            f"{keys}; {_REMEDY}"
        )
    data = content.pop(split)
    content.clear()
    wanted = ["joint_2d", "joint3d_image", "camera_name", "source"]
    wanted += ["2.5d_factor"] if split == "test" else []
    if missing := [key for key in wanted if key not in data]:
        raise ImportFileError(
            f"'{path}': expected {split} to have {', '.join(wanted)}, got no "
            f"{', '.join(missing)}; {_REMEDY}"
        )
    return data


def _checked_arrays(
    path: Path, data: dict[str, Any], n: int, with_3d: bool
) -> dict[str, np.ndarray]:
    """``joint_2d``, ``joint3d_image``, ``confidence`` if needed and ``2.5d_factor`` if wanted."""

    def taken(key: str, *shapes: tuple[int, ...]) -> np.ndarray:
        array = np.asarray(data.pop(key))
        check_array(f"'{path}'", key, array, "f", shapes, _REMEDY)
        return array

    joint_2d, image = taken("joint_2d", (n, 17, 2), (n, 17, 3)), taken("joint3d_image", (n, 17, 3))
    out = {"joint_2d": joint_2d[..., :2], "joint3d_image": image}
    broken = ~np.isfinite(image).all((1, 2))
    if broken.any():
        raise ImportFileError(
            f"'{path}': expected finite joint3d_image, got NaN or Inf in {int(broken.sum())} rows "
            f"(first: {np.flatnonzero(broken)[0]}); get the file again"
        )
    if "confidence" in data:
        out["confidence"] = taken("confidence", (n, 17), (n, 17, 1)).reshape(n, 17)
    elif joint_2d.shape[-1] == 3:
        out["confidence"] = joint_2d[..., 2]
    else:
        there = np.isfinite(joint_2d).all(-1) & (joint_2d != 0).any(-1)
        if not there.all():
            out["confidence"] = there.astype(np.float32)
    if not with_3d:
        return out
    factor = out["2.5d_factor"] = taken("2.5d_factor", (n,), (n, 1)).reshape(n)
    low, high = _FACTORS
    bad = ~((factor > low) & (factor < high))
    if bad.any():
        raise ImportFileError(
            f"'{path}': expected 2.5d_factor between {low:g} and {high:g} mm per pixel, got "
            f"{factor[bad][0]:g} in {int(bad.sum())} rows (first: {np.flatnonzero(bad)[0]}); "
            f"{_REMEDY}"
        )
    if "joints_2.5d_image" in data:
        few = np.unique(np.linspace(0, n - 1, _SAMPLED_ROWS).astype(int))
        scaled, product = taken("joints_2.5d_image", (n, 17, 3))[few], image * factor[:, None, None]
        off = ~np.isclose(scaled, product[few], rtol=1e-3, atol=1.0).all((1, 2))
        if off.any():
            raise ImportFileError(
                f"'{path}': expected joints_2.5d_image to be joint3d_image times 2.5d_factor, got "
                f"another product in row {few[off][0]}; the arrays don't belong together"
            )
    return out


def _find_runs(path: Path, source: Any) -> list[_Run]:
    """The takes, by the sources of the rows; each in one piece."""
    out: list[_Run] = []
    start, seen = 0, set()
    for name, group in groupby(source if isinstance(source, (list, tuple, np.ndarray)) else ()):
        rows = slice(start, start + sum(1 for _ in group))
        match = _SOURCE.fullmatch(name) if isinstance(name, str) else None
        subject, action, subaction, camera = map(int, match.groups() if match else "0000")
        action -= FIRST_ACTION_NUMBER
        if not match or not (0 <= action < len(ACTIONS) and 1 <= camera <= len(CAMERAS)):
            raise ImportFileError(
                f"'{path}': expected source like 's_09_act_02_subact_01_ca_01', with actions 2 to "
                f"16 and cameras 1 to 4, got {name!r} in row {start}"
            )
        if name in seen:
            raise ImportFileError(
                f"'{path}': expected the rows of a source one after another, got '{name}' again in "
                f"row {start}; the file was reordered"
            )
        seen.add(name)
        recording = Recording.of(f"S{subject}", f"{ACTIONS[action]} {subaction}")
        out.append(_Run(recording, CAMERAS[camera - 1], rows))
        start = rows.stop
    if not out:
        raise ImportFileError(f"'{path}': expected at least one row, got an empty split")
    return out


def _check_cameras(path: Path, names: np.ndarray, runs: list[_Run]) -> None:
    """Raise unless the camera of each row is that of its source."""
    if names.shape != (runs[-1].rows.stop,):
        raise ImportFileError(
            f"'{path}': expected camera_name of shape ({runs[-1].rows.stop},), one per source, got "
            f"{names.shape}"
        )
    for run in runs:
        other = np.flatnonzero(names[run.rows] != run.camera)
        if len(other):
            row = run.rows.start + other[0]
            raise ImportFileError(
                f"'{path}': expected camera_name {run.camera} in row {row}, as its source says "
                f"(ca_{CAMERAS.index(run.camera) + 1:02d}), got {names[row]}; the arrays don't "
                "belong together"
            )


def _spread(arrays: dict[str, np.ndarray], runs: list[_Run], reading: str) -> float:
    """Variation of the limbs' lengths under a reading, over a sample of each take's frames."""
    people: dict[str, list[np.ndarray]] = {}
    for run in runs:
        few = np.linspace(run.rows.start, run.rows.stop - 1, _SAMPLED_FRAMES).astype(int)
        few = np.unique(few)
        view = view_of(run.recording.owner, run.camera)
        X = rebuild(arrays["joint3d_image"][few], arrays["2.5d_factor"][few], view, reading)
        people.setdefault(run.recording.subject, []).append(X)
    return float(np.mean([limb_spread(np.concatenate(poses)) for poses in people.values()]))
