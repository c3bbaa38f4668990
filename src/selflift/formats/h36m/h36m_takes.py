"""Shared end of every form of Human3.6M: arrays of one recording and camera to a checked take.

A form reads its arrays; :class:`TakeBuilder` views world positions from the calibrated cameras,
projects the 3D where the form has no 2D, drops frames that can't be used, and refuses arrays whose
unit, frame, camera or subject can't be right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from selflift.config import H36MOptions
from selflift.data.cmu import PLAUSIBLE_HEIGHT_M
from selflift.data.recording import Recordings, Report, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.agreement import MIN_DEPTH_MM, Agreement
from selflift.formats.h36m.h36m_cameras import SUBJECTS, to_camera, to_pixels, view_of
from selflift.formats.h36m.h36m_protocol import (
    BAD_TAKE,
    FPS,
    TEST_SUBJECTS,
    TRAIN_SUBJECTS,
    Recording,
    by_subaction,
    is_skipped,
)
from selflift.geometry.bodies import skeleton_height
from selflift.geometry.camera import Calibration
from selflift.skeleton import H36M_17, H36M_32, convert

LAYOUTS = {layout.num_joints: layout for layout in (H36M_17, H36M_32)}
# Tangent of the angle to the optical axis up to which the lens models can be inverted; the corners
# of the images are below 0.7.
MAX_SLOPE = 1.0

NOT_A_PERSON = "body not as tall as a person"
TOO_CLOSE = "a joint less than 0.5 m in front of the camera"
TOO_OBLIQUE = "a joint more than 45 degrees off the optical axis, beyond the lens model"
NO_2D, NO_3D = "3D without 2D", "2D without 3D"
KINDS = {"f": "floats", "iu": "integers", "U": "text"}


def check_joints(path: Path, options: H36MOptions, has: Sequence[int]) -> None:
    """Raise :class:`ImportFileError` unless a source can give as many joints as are asked for."""
    if options.joints not in has:
        raise ImportFileError(
            f"'{path}': expected h36m.joints = {' or '.join(map(str, has))}, got "
            f"{options.joints}; this source has no other layout"
        )


def chosen_subjects(
    path: Path, options: H36MOptions, there: Iterable[str], report: Report
) -> list[str]:
    """The subjects to read, in the data set's order; those without calibration are noted.

    Raises:
        ImportFileError: If the options name one that is not there, or none of those that are there
            has a public calibration.
    """
    there = sorted(set(there))
    known = [name for name in SUBJECTS if name in there]
    missing = [name for name in options.subjects if name not in known]
    if missing or not known:
        raise ImportFileError(
            f"'{path}': expected subjects of {', '.join(known or SUBJECTS)}, got "
            f"{', '.join(missing or there) or 'none'}; "
            f"{'see h36m.subjects' if missing else 'the cameras of others are not public'}"
        )
    if unknown := [name for name in there if name not in SUBJECTS]:
        report.note(f"left out, since their calibration is not public: {', '.join(unknown)}")
    return [name for name in known if name in (options.subjects or known)]


def check_array(
    where: str, name: str, array: np.ndarray, kind: str, shapes: Sequence[tuple], remedy: str
) -> None:
    """Raise :class:`ImportFileError` unless an array has rows of one of the shapes and the kind."""
    if array.shape not in shapes or array.dtype.kind not in kind or len(array) == 0:
        raise ImportFileError(
            f"{where}: expected {name} of {KINDS[kind]}, shape {' or '.join(map(str, shapes))}, at "
            f"least one row, got {array.dtype} {array.shape}; {remedy}"
        )


class TakeBuilder:
    """Builds the takes of one source, and counts for its report.

    Args:
        options: Human3.6M's options.
        keys: Names of the 2D and the 3D in the source, and the unit of the 3D there.
        skip: The takes to leave out, by the source's names; those of the options by default.
        detected: Whether the 2D is a detector's, not the recording's.
    """

    def __init__(
        self,
        options: H36MOptions,
        report: Report,
        keys: tuple[str, str, str],
        skip: Sequence[str] | None = None,
        detected: bool = False,
    ) -> None:
        self._options, self._report = options, report
        self._skeleton = LAYOUTS[options.joints]
        self._key_2d, self._key_3d, self._unit = keys
        self.skip = list(options.skip if skip is None else skip)
        self._agreement = Agreement(self._key_2d, self._skeleton, detected)
        self._skipped: set[str] = set()
        self._poses: Counter[str] = Counter()
        self._outside = self._incomplete = 0
        # 2D frames more (or, below 0, fewer) than 3D frames, of the takes where they differ.
        self._tails: list[int] = []

    def recordings(
        self, source: str, takes: Iterator[Take], total: int, **settings: str
    ) -> Recordings:
        """The opened source; settings and report are complete once ``takes`` is read to the end."""
        lens = "OpenCV model" if self._options.lens else "none"
        settings = {"2D": "", "lens": lens} | settings
        settings.setdefault("joints", str(self._options.joints))
        settings["skipped takes"] = "none"

        def all_takes() -> Iterator[Take]:
            yield from takes
            if hits := [entry for entry in self.skip if entry in self._skipped]:
                settings["skipped takes"] = ", ".join(hits)
            self._finish()

        return Recordings(
            source=source,
            skeleton=self._skeleton,
            takes=all_takes(),
            total=total,
            settings=settings,
            report=self._report,
        )

    def take(
        self,
        where: str,
        recording: Recording,
        camera: str,
        frame: np.ndarray | None = None,
        world: np.ndarray | None = None,
        X: np.ndarray | None = None,
        x: np.ndarray | None = None,
        confidence: np.ndarray | None = None,
        reference: np.ndarray | None = None,
        through: Calibration | None = None,
    ) -> Iterator[Take]:
        """One take; none if it is skipped or none of its frames is usable.

        Args:
            where: The file, and what else identifies the take in it, for messages.
            recording: Its names.
            camera: One of the four.
            frame: ``(T,)``, index in the recording, rising; 0, 1, ... by default.
            world: ``(T, 17 or 32, 3)``, world, mm.
            X: The same in the camera's frame; NaN where ``confidence`` is 0, if unknown.
            x: ``(T, 17 or 32, 2)``, pixels; ``None`` projects the 3D. Of 2D and 3D of different
                length the tail is cut.
            confidence: ``(T, 17)``; without it, frames with a missing joint are dropped.
            reference: ``(T, 17, 2)``, where the 2D should lie, if there is no 3D.
            through: The camera that ``X`` projects through, if it is not the calibrated one.

        Raises:
            ImportFileError: If body, unit, camera or subject can't be right.
        """
        solid = X if world is None else world
        given = x if solid is None else solid
        length = 0 if given is None else len(given)
        if is_skipped(recording.clip, camera, self.skip):
            name = f"{recording.clip}.{camera}"
            self._skipped |= {recording.clip, name}
            self._report.drop(f"on the skip list: {name}", length)
            return
        view = view_of(recording.owner, camera, self._options.lens)
        if x is not None and solid is not None and len(x) != length:
            self._tails.append(len(x) - length)
            self._report.drop(NO_3D, max(len(x) - length, 0))
            self._report.drop(NO_2D, max(length - len(x), 0))
            length = min(len(x), length)
            x, solid = x[:length], solid[:length]
        if length == 0:
            return
        frame = np.arange(length) if frame is None else frame[:length]
        confidence = None if confidence is None else confidence[:length]
        kept = np.ones(length, bool)
        target = reference
        if solid is not None:
            solid = np.asarray(self._reduced(solid), np.float64)
            if world is not None:
                solid = to_camera(solid, view)
            target = solid
            kept = self._check_bodies(where, solid, confidence, world is not None)
        if x is None:
            assert solid is not None
            if self._options.lens:
                oblique = np.square(solid[..., :2]).sum(-1) > np.square(MAX_SLOPE * solid[..., 2])
                kept = self._drop(TOO_OBLIQUE, kept, oblique.any(1))
            x, target = np.full((*solid.shape[:2], 2), np.nan), None
            x[kept] = to_pixels(solid[kept], view)
            self._outside += int(((x < 0) | (x >= view.size_px)).any((1, 2)).sum())
        else:
            x = np.array(self._reduced(x), np.float64)
            present = np.isfinite(x).all(-1) & (x != 0).any(-1)
            if confidence is None:
                kept = self._drop("2D of a joint missing", kept, ~present.all(1))
            else:
                self._check_confidence(where, confidence)
                present &= confidence > 0
                x[~present] = np.nan
                confidence = np.where(present, confidence, 0.0).astype(np.float32)
                kept = self._drop("no joint detected", kept, ~present.any(1))
                self._incomplete += int((kept & ~present.all(1)).sum())
        if not kept.any():
            return
        if target is not None:
            self._agreement.check(where, recording, camera, x[kept], target[kept], through)
        self._poses[recording.subject] += int(kept.sum())
        yield Take(
            subject=recording.subject,
            action=recording.action,
            clip=recording.clip,
            camera=f"{recording.owner}/{camera}",
            poses_2d=x.astype(np.float32),
            frame=frame.astype(np.int64),
            fps=FPS,
            poses_3d=None if solid is None else solid.astype(np.float32),
            confidence=confidence,
            view=view,
        ).select(slice(None) if kept.all() else kept)

    def _reduced(self, poses: np.ndarray) -> np.ndarray:
        if poses.shape[-2] == self._skeleton.num_joints:
            return poses
        return convert(poses, H36M_32, self._skeleton).positions

    def _drop(self, reason: str, kept: np.ndarray, bad: np.ndarray) -> np.ndarray:
        self._report.drop(reason, int((kept & bad).sum()))
        return kept & ~bad

    def _check_bodies(
        self, where: str, X: np.ndarray, confidence: np.ndarray | None, from_world: bool
    ) -> np.ndarray:
        """Frames that hold a person before the camera, ``(T,)``; raise if most can't."""
        bad = ~np.isfinite(X).all(-1)
        if confidence is not None:
            bad &= confidence > 0
        if bad.any():
            row, joint = np.argwhere(bad)[0]
            raise ImportFileError(
                f"{where}: expected finite {self._key_3d}, got NaN or Inf in "
                f"{int(bad.any(1).sum())} frames (first: number {row}, joint "
                f"{self._skeleton.joints[joint]}); get the file again or leave the take out with "
                "h36m.skip"
            )
        kept = np.ones(len(X), bool)
        height = skeleton_height(torch.from_numpy(X), self._skeleton).numpy()
        whole = np.isfinite(height)
        if whole.any():
            low, high = (1000 * metres for metres in PLAUSIBLE_HEIGHT_M)
            median, depth = np.median(height[whole]), np.median(X[whole][..., 2])
            if not low < median < high:
                raise ImportFileError(
                    f"{where}: expected {self._key_3d} in {self._unit}, of bodies "
                    f"{low / 1000:g} to {high / 1000:g} m tall, got {median / 1000:.3g} m "
                    "(median); convert the unit, and check the order of the joints"
                )
            if depth <= 0 and not from_world:
                raise ImportFileError(
                    f"{where}: expected {self._key_3d} in the camera's frame (x right, y down, z "
                    f"forward), got a median depth of {depth:.0f} mm; it is in another frame"
                )
            strange = whole & ~((low < height) & (height < high))
            kept = self._drop(NOT_A_PERSON, kept, np.asarray(strange))
        return self._drop(TOO_CLOSE, kept, np.any(X[..., 2] < MIN_DEPTH_MM, axis=1))

    def _check_confidence(self, where: str, confidence: np.ndarray) -> None:
        bad = ~(np.isfinite(confidence) & (confidence >= 0))
        if bad.any():
            raise ImportFileError(
                f"{where}: expected confidences of 0 or more with {self._key_2d}, got "
                f"{confidence[bad][0]} in {int(bad.any(1).sum())} frames; the file is corrupt"
            )

    def _finish(self) -> None:
        """Report what was seen over all takes."""
        note, poses = self._report.note, sum(self._poses.values())
        for name, subjects in (("training", TRAIN_SUBJECTS), ("test", TEST_SUBJECTS)):
            count = sum(self._poses[subject] for subject in subjects)
            if count:
                note(f"standard {name} subjects ({', '.join(subjects)}): {count:,} poses read")
        if self._outside:
            note(
                f"{self._outside:,} of {poses:,} poses have a joint outside of the image; they are "
                "kept"
            )
        if self._incomplete:
            note(f"{self._incomplete:,} of {poses:,} poses lack a joint (confidence 0)")
        for one, other, sign in (("2D", "3D", 1), ("3D", "2D", -1)):
            if tails := [sign * tail for tail in self._tails if sign * tail > 0]:
                note(
                    f"{one} runs on after the {other} in {len(tails):,} takes, by up to "
                    f"{max(tails):,} frames; its tail is cut"
                )
        # Most sources come without the first of them, and of other subjects nothing is read.
        wanted = self._options.subjects
        expected = {BAD_TAKE, *by_subaction([BAD_TAKE]), *self._skipped}
        for entry in self.skip:
            if entry not in expected and (not wanted or entry.partition(" ")[0] in wanted):
                note(f"h36m.skip: '{entry}' names no recording of the source")
        self._agreement.note(self._report)
