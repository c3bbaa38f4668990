"""The command ``selflift prepare``: a pose set from files of keypoints or motion capture."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from selflift.cli import help
from selflift.cli.hydra_entry import run
from selflift.cli.interrupt import Signals
from selflift.config import PrepareConfig
from selflift.data.recording import Take
from selflift.formats import convert
from selflift.formats.registry import SOURCES
from selflift.formats.tally import content_sha256, dropped
from selflift.skeleton import Skeleton
from selflift.viz import SamplePose, figure_samples, save_figure

# Characters that fit above three panels, and above one.
LABEL_LENGTH, SHORT_LABEL_LENGTH = 40, 24

USAGE = """usage: {program} [SOURCE] input=PATH output=poses.h5 [key=value ...]

Converts keypoints and motion capture to a pose set (HDF5), which training and evaluation read.

SOURCE, if it can't be recognised from the files (h36m and mpi_inf_3dhp alone choose among theirs):
{sources}

Often used:
  skeleton=h36m_17         convert to this layout
  every=5                  keep every 5th frame
  complete=true            leave out frames with a missing joint
  h36m.keypoints=FILE      VideoPose3D's detected 2D instead of the projected 3D
  overwrite=true           replace an output that is there
All keys with their defaults: {program} --cfg job"""


def prepare(config: PrepareConfig) -> convert.Outcome:
    """Convert, report what was read, written and left out, and draw samples.

    Raises:
        ValueError: As :func:`selflift.formats.convert.prepare`.
        OSError: If the output can't be written.
    """
    signals = Signals()
    picture = _picture(config)
    started = time.monotonic()
    outcome = convert.prepare(config, signals.check)
    signals.check()
    seconds = time.monotonic() - started
    recordings = outcome.recordings
    print(f"{config.input}: {recordings.source}, layout {recordings.skeleton.name}")
    for name, value in recordings.settings.items():
        print(f"  {name}: {value}")
    if config.every > 1:
        print(f"  frames: one of every {config.every} at the source's rate")
    print(f"\n{outcome.tally.table()}\n\n{dropped(recordings.report)}")
    for note in recordings.report.notes:
        print(f"note: {note}")
    size = outcome.path.stat().st_size / 1e6
    print(
        f"\n{'poses:':<10}{outcome.path} ({outcome.skeleton.name}, {size:,.1f} MB, {seconds:.0f} s)"
    )
    print(f"{'content:':<10}sha256 {content_sha256(outcome.path)}")
    if picture is not None:
        save_figure(figure_samples(_rows(outcome.samples, outcome.skeleton)), picture)
        print(f"{'picture:':<10}{picture}")
    return outcome


def _rows(samples: list[Take], skeleton: Skeleton) -> list[SamplePose]:
    rows = []
    for take in samples:
        limit = SHORT_LABEL_LENGTH if take.poses_3d is None else LABEL_LENGTH
        lines = (f"{take.clip}, {take.action}", f"{take.camera}, frame {take.frame[0]}")
        rows.append(
            SamplePose(
                take.poses_2d[0].astype(np.float64),
                None if take.poses_3d is None else take.poses_3d[0].astype(np.float64),
                "\n".join(_short(line, limit) for line in lines),
                skeleton,
            )
        )
    return rows


def _short(label: str, limit: int) -> str:
    """Return the end of a label that is too long, where the names of one folder differ."""
    return label if len(label) <= limit else "…" + label[-limit + 1 :]


def _picture(config: PrepareConfig) -> Path | None:
    """Return where samples are drawn, if that place is free."""
    output = Path(config.output)
    if not config.picture or not output.name:
        return None
    picture = output.with_suffix(".png")
    if picture == output:
        raise ValueError(
            f"output '{output}': expected another ending than that of the picture beside it, got "
            "the same; end it in .h5"
        )
    if picture.exists() and not config.overwrite:
        raise ValueError(
            f"picture '{picture}': is there already; choose another output, or set picture=false "
            "or overwrite=true"
        )
    return picture


def usage() -> str:
    """Return the help text, with every source."""
    sources = help.listed({source.name: source.about for source in SOURCES.values()})
    return USAGE.format(program=help.program("prepare"), sources=sources)


def main() -> None:
    """Run the command."""
    if not help.answer(usage, needs_arguments=True):
        run("prepare", PrepareConfig, prepare, positional="source")
