"""The command ``selflift predict``: 3D poses from files of 2D keypoints."""

from __future__ import annotations

import logging
import time
from collections import Counter
from pathlib import Path

import numpy as np

from selflift.cli import help
from selflift.cli.hydra_entry import run
from selflift.cli.interrupt import Signals
from selflift.config import PredictConfig
from selflift.data.recording import Recordings
from selflift.formats.registry import SOURCES
from selflift.formats.tally import dropped
from selflift.lift import PoseLifter
from selflift.lift.keypoint_input import NAMES, open_input
from selflift.lift.lift_people import check_numbers, lift_people
from selflift.lift.metres import FEWEST_JOINTS
from selflift.lift.outputs import DATA_ENDINGS, PICTURE_ENDINGS, check_places, write_all
from selflift.lift.people import LiftedPerson, Prediction
from selflift.lift.smoothing import unbroken

# Longer lists are cut.
MOST_ROWS, MOST_NOTES = 30, 12
TITLES = ("person", "frames", "lifted", "interpolated", "joints filled in", "parts")
USAGE = """usage: {program} input=PATH output=out.npz [key=value ...]

Lifts 2D keypoints to 3D: every person in every frame, in metres, smoothed over time.

input is recognised from the files; if it can't be, name it with source=NAME:
{sources}

output, by its ending (or a list, output=[a.npz,b.bvh]):
{data}
render, by its ending (or a list):
{pictures}

Often used:
  checkpoint=RUN_DIR             another lifter than the bundled cmu17: a run folder or a file
  keypoints.layout=h36m_17       the joints' layout, if it can't be recognised
  keypoints.fps=25               the video's rate
  keypoints.people=best          one person; track (the default for videos), all
  camera.size_px=[1920,1080] camera.f_px=1450
                                 what is known of the camera; the rest is assumed, and reported
  stature_m=1.82                 the person's height, which sets the scale
  smooth=0                       no smoothing; or seconds, by default 0.06
  overwrite=true                 replace files that are there

Examples:
  {program} input=openpose_folder output=walk.npz render=walk.html
  {program} input=alphapose-results.json 'output=[a.csv,a.bvh]' keypoints.fps=25
  {program} input=keypoints.npy keypoints.layout=coco_17 output=walk.json
All keys with their defaults: {program} --cfg job"""


def predict(config: PredictConfig) -> Prediction:
    """Lift, write every file, and report what was read, assumed, found and written.

    Raises:
        ValueError: If the input, the lifter or an option is unusable.
        OSError: If a file can't be written; then none is.
    """
    signals = Signals()
    # Matplotlib logs every animation that it writes.
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    data, pictures = check_places(
        config.output, config.render, Path(config.input), config.overwrite
    )
    check_numbers(config)
    opened = open_input(config)
    lifter = PoseLifter.from_checkpoint(
        config.checkpoint, config.device, config.precision, config.mirror_average
    )
    signals.check()
    started = time.monotonic()
    prediction = lift_people(config, lifter, opened, signals.check)
    seconds = time.monotonic() - started
    signals.check()
    written = write_all(prediction, data, pictures, Path(config.input).name, config.overwrite)
    poses = sum(int(person.poses.lifted.sum()) for person in prediction.people)
    smoothed = f"Gaussian of {config.smooth:g} s" if prediction.smooth_s else "none"
    print(_input(config.input, opened.recordings))
    print(f"\nlifter: {lifter!r}, weights sha256 {prediction.lifter_sha256[:16]}")
    print(f"smoothing: {smoothed}\n{_notes(prediction)}")
    print(f"\n{_people(prediction)}\n{_not_lifted(prediction, lifter)}")
    print(f"{poses:,} poses in {seconds:.1f} s ({poses / max(seconds, 1e-3):,.0f} a second)\n")
    files = [f"{'output:':<10}{path}{f' ({about})' if about else ''}" for path, about in written]
    print(_cut(files, MOST_ROWS, " beside it"))
    return prediction


def _cut(lines: list[str], most: int, where: str) -> str:
    more = [f"... and {len(lines) - most} more{where}"] if len(lines) > most else []
    return "\n".join([*lines[:most], *more])


def _input(path: str, recordings: Recordings) -> str:
    settings = [f"  {name}: {value}" for name, value in recordings.settings.items()
                if name != "camera"]  # fmt: skip
    head = f"{path}: {recordings.source}, layout {recordings.skeleton.name}"
    return "\n".join([head, *settings, dropped(recordings.report)])


def _notes(prediction: Prediction) -> str:
    lines = [f"assumed: {line}" for line in prediction.assumed]
    lines += [f"note: {line}" for line in prediction.notes]
    return _cut(lines, MOST_NOTES, ", see the output")


def _people(prediction: Prediction) -> str:
    people = prediction.people
    parts = Counter({person.name: len(unbroken(person)) for person in people})
    rows = [_cells(person.name, [person], parts[person.name]) for person in people[:MOST_ROWS]]
    if len(people) > 1:
        rows.append(_cells("all", people, parts.total()))
    table = [TITLES, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(TITLES))]
    lines = [
        "  ".join([f"{row[0]:<{widths[0]}}",
                   *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))])
        for row in table
    ]  # fmt: skip
    lines.insert(1, "-" * len(lines[0]))
    if len(people) > MOST_ROWS:
        lines.insert(-1, f"... and {len(people) - MOST_ROWS} more")
    return "\n".join(lines)


def _cells(name: str, people: list[LiftedPerson], parts: int) -> tuple[str, ...]:
    seen = sum(int((~person.interpolated).sum()) for person in people)
    lifted = sum(int(person.poses.lifted.sum()) for person in people)
    between = sum(int(person.interpolated.sum()) for person in people)
    filled = sum(int(person.poses.filled[person.poses.lifted].sum()) for person in people)
    joints = max(lifted * people[0].poses.filled.shape[-1], 1)
    return (
        name, f"{seen:,}", f"{lifted:,} ({lifted / max(seen, 1):.0%})", f"{between:,}",
        f"{filled:,} ({filled / joints:.0%})", f"{parts:,}",
    )  # fmt: skip


def _not_lifted(prediction: Prediction, lifter: PoseLifter) -> str:
    """Explain why poses could not be lifted; empty if all were."""
    confidence = np.concatenate([
        person.poses.confidence[~person.there] for person in prediction.people
    ])  # fmt: skip
    if not len(confidence):
        return ""
    missing = (confidence <= 0).sum(0)
    worst = np.argsort(-missing, kind="stable")[:3]
    joints = prediction.skeleton.joints
    names = ", ".join(f"{joints[j]} {missing[j]:,}" for j in worst if missing[j])
    needs = (
        f"at least {FEWEST_JOINTS} joints and the root" if lifter.lifter.confidences
        else "all joints: this lifter takes complete poses only"
    )  # fmt: skip
    most = f" (missing most often: {names})" if names else ""
    return f"not lifted: {len(confidence):,} poses, since lifting takes {needs}{most}\n"


def usage() -> str:
    """Return the help text, with every format."""
    return USAGE.format(
        program=help.program("predict"),
        sources=help.listed({name: SOURCES[name].about for name in NAMES}),
        data=help.listed(DATA_ENDINGS),
        pictures=help.listed(PICTURE_ENDINGS),
    )


def main() -> None:
    """Run the command."""
    if not help.answer(usage, needs_arguments=True):
        run("predict", PredictConfig, predict)
