"""From the arrays of one take of Human3.6M to a checked :class:`Take`: how importers end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from selflift.config.prepare_schema import H36MOptions
from selflift.data.recording import Report, Take, View
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.cameras import SUBJECTS, to_pixels, view_of
from selflift.formats.h36m.checks import Distances, check_bodies
from selflift.formats.h36m.protocol import FPS, action_of, is_skipped
from selflift.skeleton import H36M_17, H36M_32, Skeleton
from selflift.skeleton.convert import convert


def output_layout(path: Path, options: H36MOptions, has: Sequence[int]) -> Skeleton:
    """The layout that the options ask for.

    Args:
        path: The source, for the message.
        options: Their ``joints`` counts.
        has: The numbers of joints that the source can give.

    Raises:
        ImportFileError: If it can't give that many.
    """
    if options.joints not in has:
        raise ImportFileError(
            f"'{path}': expected h36m.joints = {' or '.join(map(str, has))}, got "
            f"{options.joints}; this source has no other layout"
        )
    return H36M_17 if options.joints == 17 else H36M_32


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


def settings_of(options: H36MOptions, **more: str) -> dict[str, str]:
    """What every importer says of its choices."""
    return {
        **more,
        "lens": "OpenCV model" if options.lens else "none",
        "joints": str(options.joints),
        "skipped takes": ", ".join(options.skip) or "none",
    }


class Assembler:
    """Checks the takes of one source, and remembers how well their 2D and 3D agree.

    Args:
        options: Human3.6M's options.
        skeleton: Layout of the output.
        report: Where drops and notes go.
        keys: What the 2D and the 3D are called in the source, and the unit of the 3D there.
        skip: The takes to leave out, as this source names them.
        detected: Whether the 2D are a detector's, not the recording's.
    """

    def __init__(
        self,
        options: H36MOptions,
        skeleton: Skeleton,
        report: Report,
        keys: tuple[str, str, str],
        skip: Sequence[str],
        detected: bool = False,
    ) -> None:
        self._options, self._skeleton, self._report = options, skeleton, report
        self._key_2d, self._key_3d, self._unit = keys
        self._skip = list(skip)
        self._distances = Distances(self._key_2d, detected)
        self._missing = 0

    def take(
        self,
        where: str,
        camera: str,
        clip: str,
        frame: np.ndarray,
        x: np.ndarray | None = None,
        X: np.ndarray | None = None,
        confidence: np.ndarray | None = None,
        reference: np.ndarray | None = None,
        through: View | None = None,
    ) -> Take | None:
        """One take; ``None`` if it is skipped or none of its frames is usable.

        Args:
            where: The file, and what else identifies the take in it, for messages.
            camera: One of the four.
            clip: ``"S1 Photo 1"``.
            frame: ``(T,)``, index in the recording, rising.
            x: ``(T, 17 or 32, 2)``, pixels; ``None`` projects ``X``.
            X: ``(T, 17 or 32, 3)``, camera frame, mm; NaN where missing, if ``confidence`` says so.
            confidence: ``(T, 17)``; without it, frames with a missing joint are dropped.
            reference: ``(T, 17, 2)``, where the 2D should lie, if there is no ``X``.
            through: The camera that ``X`` projects through, if it is not the calibrated one.

        Raises:
            ImportFileError: If body, unit, camera or subject can't be right.
        """
        if is_skipped(clip, camera, self._skip):
            self._report.drop(f"on the skip list: {clip}.{camera}", len(frame))
            return None
        subject, _, recording = clip.partition(" ")
        view = view_of(subject, camera, self._options.lens)
        kept = np.ones(len(frame), bool)
        target = reference
        if X is not None:
            target = X = np.asarray(self._reduced(X), np.float64)
            kept = check_bodies(
                where, self._key_3d, self._unit, X, self._skeleton, confidence, self._report
            )
        if x is None:
            assert X is not None
            x, target = to_pixels(X, view), None
        x = np.array(self._reduced(x), np.float64)
        present = np.isfinite(x).all(-1) & (x != 0).any(-1)
        if confidence is None:
            whole = present.all(-1)
            self._report.drop("2D of a joint missing", int((kept & ~whole).sum()))
            kept &= whole
        else:
            self._check_confidence(where, confidence)
            present &= confidence > 0
            x[~present] = np.nan
            confidence = np.where(present, confidence, 0.0).astype(np.float32)
            self._missing += int((~present[kept]).sum())
        if not kept.any():
            return None
        if target is not None:
            self._distances.check(where, clip, camera, x[kept], target[kept], through)
        return Take(
            subject=subject,
            action=action_of(recording),
            clip=clip,
            camera=f"{subject}/{camera}",
            poses_2d=x.astype(np.float32),
            frame=frame.astype(np.int64),
            fps=FPS,
            poses_3d=None if X is None else X.astype(np.float32),
            confidence=confidence,
            view=view,
        ).select(slice(None) if kept.all() else kept)

    def finish(self) -> None:
        """Say what was seen over all takes."""
        if self._missing:
            self._report.note(f"{self._missing} joints have no 2D (confidence 0)")
        self._distances.note(self._report)

    def _reduced(self, poses: np.ndarray) -> np.ndarray:
        if poses.shape[-2] == self._skeleton.num_joints:
            return poses
        return convert(poses, H36M_32, self._skeleton).positions

    def _check_confidence(self, where: str, confidence: np.ndarray) -> None:
        bad = ~(np.isfinite(confidence) & (confidence >= 0))
        if bad.any():
            raise ImportFileError(
                f"{where}: expected confidences of 0 or more with {self._key_2d}, got "
                f"{confidence[bad][0]} in {int(bad.any(1).sum())} frames; the file is damaged"
            )
