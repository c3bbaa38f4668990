"""The command ``python -m selflift.predict``."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from pathlib import Path

from selflift.cli.help import program, show
from selflift.cli.hydra_entry import EXIT_BAD_INPUT, run
from selflift.cli.signals import Signals
from selflift.config import PredictConfig
from selflift.formats.registry import SOURCES
from selflift.lift.chosen_weights import open_lifter
from selflift.lift.keypoint_input import NAMES, open_input
from selflift.lift.output_paths import DATA_ENDINGS, PICTURE_ENDINGS, check_places
from selflift.lift.outputs import write_all
from selflift.lift.people import Prediction
from selflift.lift.predict import check_numbers, predict
from selflift.lift.smoothing import unbroken
from selflift.lift.summary import told_files, told_input, told_lack, told_notes, told_people

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
                                 what is known of the camera; the rest is assumed, and said
  stature_m=1.82                 the person's height, which sets the scale
  smooth=0                       no smoothing; or seconds, by default 0.06
  overwrite=true                 replace files that are there

Examples:
  {program} input=openpose_folder output=walk.npz render=walk.html
  {program} input=alphapose-results.json 'output=[a.csv,a.bvh]' keypoints.fps=25
  {program} input=keypoints.npy keypoints.layout=coco_17 output=walk.json
All keys with their defaults: {program} --cfg job"""


def predict_and_tell(config: PredictConfig) -> Prediction:
    """Lift, write every file, and print what was read, assumed, found and written.

    Raises:
        ValueError: If the input, the lifter or an option is unusable.
        OSError: If a file can't be written; then none is.
    """
    signals = Signals()
    # It tells of every animation that it writes.
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    data, pictures = check_places(
        config.output, config.render, Path(config.input), config.overwrite
    )
    check_numbers(config)
    opened = open_input(config)
    lifter = open_lifter(config.checkpoint, config.device, config.precision, config.mirror_average)
    signals.check()
    started = time.monotonic()
    prediction = predict(config, lifter, opened, signals.check)
    seconds = time.monotonic() - started
    signals.check()
    written = write_all(prediction, data, pictures, Path(config.input).name, config.overwrite)
    poses = sum(int(person.poses.lifted.sum()) for person in prediction.people)
    parts = Counter({person.name: len(unbroken(person)) for person in prediction.people})
    lack = told_lack(prediction, lifter.lifter.confidences)
    smoothed = f"Gaussian of {config.smooth:g} s" if prediction.smooth_s else "none"
    print(told_input(config.input, opened.recordings))
    print(f"\nlifter: {lifter!r}, weights sha256 {prediction.lifter_sha256[:16]}")
    print(f"smoothing: {smoothed}\n{told_notes(prediction)}")
    print(f"\n{told_people(prediction, parts)}\n{lack}{chr(10) if lack else ''}")
    print(f"{poses:,} poses in {seconds:.1f} s ({poses / max(seconds, 1e-3):,.0f} a second)\n")
    print(told_files(written))
    return prediction


def usage() -> str:
    """The help text, with every format."""

    def listed(table: dict[str, str]) -> str:
        width = max(map(len, table))
        return "\n".join(f"  {name:<{width}}  {about}" for name, about in table.items())

    return USAGE.format(
        program=program("predict"),
        sources=listed({name: SOURCES[name].about for name in NAMES}),
        data=listed(DATA_ENDINGS),
        pictures=listed(PICTURE_ENDINGS),
    )


def main() -> None:
    """The door."""
    if len(sys.argv) == 1 or sys.argv[1] in ("-h", "--help", "help"):
        show(usage())
        sys.exit(0 if len(sys.argv) > 1 else 2)
    # Most people name the input first, without its key.
    before = ["", *sys.argv[1:]]
    for word, last in zip(sys.argv[1:], before, strict=False):
        if "=" not in word and not word.startswith(("-", "+", "~")) and not last.startswith("-"):
            print(
                f"selflift: error: '{word}': expected key=value, as in input={word}, got no key",
                file=sys.stderr,
            )
            sys.exit(EXIT_BAD_INPUT)
    run("predict", PredictConfig, predict_and_tell)
