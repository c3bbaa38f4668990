"""Convert files to a pose set: open, thin, convert the layout, write, and count."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from selflift.config import PrepareConfig
from selflift.data.pose_set_writer import write_poses
from selflift.data.recording import Recordings, Report, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.registry import find_source
from selflift.formats.tally import Tally
from selflift.skeleton import SKELETONS, Skeleton, convert, derived_joints, get_skeleton

SAMPLES = 6
# Frames are counted in 64 bits.
MOST_EVERY = 2**31 - 1


@dataclass(frozen=True)
class Outcome:
    """The result of a conversion.

    Attributes:
        path: The pose set.
        recordings: The source, with its settings and its complete report.
        skeleton: The layout of the pose set.
        tally: Counts per subject.
        samples: A few takes of one frame each, drawn evenly from the set.
    """

    path: Path
    recordings: Recordings
    skeleton: Skeleton
    tally: Tally
    samples: list[Take]


def prepare(config: PrepareConfig, between_takes: Callable[[], None] | None = None) -> Outcome:
    """Convert a source to a pose set, in memory that does not grow with it.

    The output appears, whole, at the end; an interrupted conversion leaves none.

    Args:
        config: What to read, what to keep, where to write.
        between_takes: Called before every take is written; what it raises ends the conversion.

    Raises:
        ValueError: If the input, an option or the output is unusable, or no frame is left.
        OSError: If the output can't be written.
    """
    _check(config)
    source = find_source(config.source, Path(config.input))
    recordings = source.open(Path(config.input), config)
    own, report = recordings.skeleton, recordings.report
    skeleton = own if config.skeleton is None else get_skeleton(config.skeleton)
    _note_layout(report, own, skeleton)
    tally = Tally()
    samples = _Samples()
    missing = np.zeros(skeleton.num_joints, np.int64)
    output = Path(config.output)
    with _reading_of(config.input), write_poses(output, skeleton) as writer:
        bar = tqdm(
            recordings.takes,
            total=recordings.total,
            desc=f"reading {recordings.source}",
            unit="take",
            leave=False,
            # None shows the bar only in a terminal.
            disable=None if config.progress else True,
        )
        for take in bar:
            if between_takes is not None:
                between_takes()
            kept = _kept(take, config, own, skeleton, recordings, missing)
            if len(kept) == 0:
                continue
            writer.add(kept)
            tally.add(kept)
            samples.add(kept)
        if between_takes is not None:
            between_takes()
        if tally.poses == 0:
            raise _nothing_left(config, report, skeleton, missing)
    return Outcome(output, recordings, skeleton, tally, samples.distinct())


def _note_layout(report: Report, own: Skeleton, skeleton: Skeleton) -> None:
    """Note joints that are stand-ins, and a layout that can't be trained on."""
    derived = derived_joints(own, skeleton)
    if derived:
        other = own if own.trainable else SKELETONS.get(f"{own.name}_hip", skeleton)
        at_hand = "leave out skeleton=" if other is own else f"skeleton={other.name}"
        means = "; ".join(f"{joint} = {_mean(of)}" for joint, of in derived.items())
        report.note(
            f"joints of {skeleton.name} that {own.name} lacks are stand-ins: {means}. A lifter "
            "trained on annotated joints loses accuracy on stand-ins: train on converted poses, or "
            f"on the layout at hand ({at_hand})"
        )
    if not skeleton.trainable:
        report.note(
            f"{skeleton.name} has no joint between the hips to centre poses on: it can be stored "
            f"and drawn, not trained on; skeleton={skeleton.name}_hip adds one"
        )


def _nothing_left(
    config: PrepareConfig, report: Report, skeleton: Skeleton, missing: np.ndarray
) -> ImportFileError:
    reasons = ", ".join(f"{n:,}: {reason}" for reason, n in report.dropped.most_common())
    if missing.any():
        worst = np.argsort(-missing, kind="stable")[:3]
        names = ", ".join(f"{skeleton.joints[j]} {missing[j]:,}" for j in worst if missing[j])
        reasons += f" (missing most often: {names})"
    return ImportFileError(
        f"input '{config.input}': expected at least one pose to write, got none; left out: "
        f"{reasons or 'nothing, the source is empty'}"
    )


def _check(config: PrepareConfig) -> None:
    output = Path(config.output)
    if output.is_dir():
        raise ValueError(f"output '{output}': expected a file to write, got a folder; add a name")
    # Replacing a device or a pipe by a file would remove it for the whole machine.
    if output.exists() and not output.is_file():
        raise ValueError(f"output '{output}': expected a file, got a device or a pipe; name a file")
    if output.exists() and not config.overwrite:
        raise ValueError(
            f"output '{output}': is there already; choose another name or set overwrite=true"
        )
    if output.exists() and output.resolve() == Path(config.input).resolve():
        raise ValueError(f"output '{output}': expected another file than the input, got the same")
    if not 1 <= config.every <= MOST_EVERY:
        raise ValueError(f"every: expected 1 to {MOST_EVERY}, got {config.every}")
    if config.skeleton is not None:
        get_skeleton(config.skeleton)


def _kept(
    take: Take,
    config: PrepareConfig,
    own: Skeleton,
    skeleton: Skeleton,
    recordings: Recordings,
    missing: np.ndarray,
) -> Take:
    if config.every > 1:
        # The first frame of every window of so many.
        window = take.frame // config.every
        take = take.select(np.diff(window, prepend=-1) != 0)
    if skeleton != own:
        flat = convert(take.poses_2d, own, skeleton, take.confidence)
        solid = None
        if take.poses_3d is not None:
            solid = convert(take.poses_3d, own, skeleton).positions
        take = replace(take, poses_2d=flat.positions, confidence=flat.confidence, poses_3d=solid)
    if config.complete and take.confidence is not None:
        missing += (take.confidence <= 0).sum(0)
        whole = np.asarray((take.confidence > 0).all(1))
        recordings.report.drop("a joint is missing", int((~whole).sum()))
        take = take.select(whole)
    return take


class _Samples:
    """Poses drawn evenly from all that were added (reservoir sampling)."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        self._seen = 0
        self._slots: list[Take | None] = [None] * SAMPLES

    def add(self, take: Take) -> None:
        self._seen += len(take)
        for slot in range(SAMPLES):
            if self._rng.random() < len(take) / self._seen:
                self._slots[slot] = take.select(self._rng.integers(len(take), size=1))

    def distinct(self) -> list[Take]:
        """Return the samples, each pose once."""
        found = {(t.clip, t.camera, int(t.frame[0])): t for t in self._slots if t is not None}
        return list(found.values())


def _mean(joints: tuple[str, ...]) -> str:
    return joints[0] if len(joints) == 1 else f"mean of {', '.join(joints)}"


@contextmanager
def _reading_of(path: str) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise ImportFileError(
            f"input '{path}': does not fit into memory; convert it by subjects or splits"
        ) from error
    finally:
        sys.stderr.flush()
