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

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from selflift.config.prepare_schema import H36MOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.files.array_archives import read_pickle
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.assemble import Assembler, chosen_subjects, output_layout, settings_of
from selflift.formats.h36m.cameras import view_of
from selflift.formats.h36m.image_frame import READINGS, Rigidity, limb_lengths, most_rigid, rebuild
from selflift.formats.h36m.motionbert_rows import (
    SPLITS,
    Run,
    check_cameras,
    checked_arrays,
    find_runs,
    take_split,
)
from selflift.formats.h36m.subactions import by_subaction

# Limbs rebuilt with the true reading don't vary; with a wrong one, by some 2 %; from arrays that
# are something else, by far more.
_CLEAR_SPREAD, _MAX_SPREAD = 0.005, 0.03
_SAMPLED_FRAMES = 200


def recognise(path: Path) -> bool:
    """Whether it is a pickle whose name says Human3.6M."""
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
        ImportFileError: If the file is missing, damaged, or lacks an array, its arrays contradict
            each other, or its 3D can't be rebuilt.
    """
    path = Path(path)
    skeleton = output_layout(path, options, (17,))
    if options.split not in SPLITS:
        raise ImportFileError(
            f"'{path}': expected h36m.split = {' or '.join(SPLITS)}, got '{options.split}'"
        )
    data = take_split(path, read_pickle(path), options.split)
    with_3d = options.split == "test"
    all_runs = find_runs(path, data["source"])
    arrays = checked_arrays(path, data, with_3d)
    check_cameras(path, data.pop("camera_name"), all_runs)
    report = Report()
    subjects = chosen_subjects(path, options, {run.subject for run in all_runs}, report)
    runs = [run for run in all_runs if run.subject in subjects]
    settings = {"2D": f"detections, {options.split} split", "3D": "none"}
    reading = None
    if with_3d:
        rigidity = _choose(path, arrays, runs)
        reading = rigidity.reading
        spreads = ", ".join(f"{name} {100 * s:.3f} %" for name, s in rigidity.spread.items())
        settings["3D"] = (
            f"rebuilt from joint3d_image, 2.5d_factor read as '{reading}' (limb lengths vary by: "
            f"{spreads})"
        )
        if rigidity.spread[reading] > _CLEAR_SPREAD:
            report.note(
                f"limbs of the rebuilt 3D vary by {100 * rigidity.spread[reading]:.1f} %: "
                "2.5d_factor is something else than either reading, the 3D is approximate"
            )
    report.note("a clip's number is that of its subaction, not of the recording")
    assembler = Assembler(
        options, skeleton, report, ("joint_2d", "joint3d_image", "pixels"),
        by_subaction(options.skip), detected=True,
    )  # fmt: skip
    return Recordings(
        source="h36m_motionbert",
        skeleton=skeleton,
        takes=_takes(path, arrays, runs, reading, assembler),
        total=len(runs),
        settings=settings_of(options, **settings),
        report=report,
    )


def _takes(
    path: Path,
    arrays: dict[str, np.ndarray],
    runs: list[Run],
    reading: str | None,
    assembler: Assembler,
) -> Iterator[Take]:
    for run in runs:
        part = {name: array[run.rows] for name, array in arrays.items()}
        X = None
        if reading is not None:
            view = view_of(run.subject, run.camera)
            X = rebuild(part["joint3d_image"], part["2.5d_factor"], view, reading)
        take = assembler.take(
            f"'{path}' ({run.clip}, camera {run.camera})", run.camera, run.clip,
            np.arange(len(part["joint_2d"])), x=part["joint_2d"], X=X,
            confidence=part.get("confidence"), reference=part["joint3d_image"][..., :2],
        )  # fmt: skip
        if take is not None:
            yield take
    assembler.finish()


def _choose(path: Path, arrays: dict[str, np.ndarray], runs: list[Run]) -> Rigidity:
    """What the factor is, by the limbs of a sample of each take's frames."""
    lengths: dict[str, list[np.ndarray]] = {}
    for reading in READINGS:
        people: dict[str, list[np.ndarray]] = {}
        for run in runs:
            few = np.arange(run.rows.start, run.rows.stop)
            few = few[np.unique(np.linspace(0, len(few) - 1, _SAMPLED_FRAMES).astype(int))]
            X = rebuild(
                arrays["joint3d_image"][few], arrays["2.5d_factor"][few],
                view_of(run.subject, run.camera), reading,
            )  # fmt: skip
            people.setdefault(run.subject, []).append(limb_lengths(X))
        lengths[reading] = [np.concatenate(parts) for parts in people.values()]
    rigidity = most_rigid(lengths)
    if not rigidity.spread[rigidity.reading] < _MAX_SPREAD:
        raise ImportFileError(
            f"'{path}': expected limbs of constant length after rebuilding the 3D from "
            f"joint3d_image and 2.5d_factor, got lengths that vary by "
            f"{100 * rigidity.spread[rigidity.reading]:.1f} %; is it MotionBERT's file of "
            "Human3.6M? Its 2D can be used with h36m.split=train"
        )
    return rigidity
