"""Takes from world positions: one per recording and camera, projected or paired with detections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from selflift.config import H36MOptions
from selflift.data.recording import Report, Take, View
from selflift.formats.h36m.cameras import CAMERAS, to_camera, to_pixels, view_of
from selflift.formats.h36m.detections import Detections, usable
from selflift.formats.h36m.match import Agreement
from selflift.formats.h36m.protocol import FPS, TEST_SUBJECTS, TRAIN_SUBJECTS, is_skipped
from selflift.formats.h36m.world import LAYOUTS, Recording, WorldPoses
from selflift.skeleton import convert

METRES_TO_MM = 1000.0
MIN_DEPTH_MM = 500.0
# Tangent of the angle to the optical axis up to which the lens models can be inverted; the corners
# of the images are below 0.7.
MAX_SLOPE = 1.0

TOO_CLOSE = "a joint less than 0.5 m in front of the camera"
TOO_OBLIQUE = "a joint more than 45 degrees off the optical axis, beyond the lens model"
NOT_DETECTED = "no joint detected"
SKIPPED = "on the skip list"
NO_2D = "3D without 2D"
NO_3D = "2D without 3D"


class Filming:
    """Reads the takes of a file, and keeps the counts that its last notes state.

    Args:
        world: The positions.
        recordings: Which of them; all are in ``detections``, if those are given.
        detections: Their 2D; ``None`` projects the positions.
        options: Joints, lens, stand-in and skip list.
        report: Gets what is dropped, and at the end of the last take the notes.
    """

    def __init__(
        self,
        world: WorldPoses,
        recordings: list[Recording],
        detections: Detections | None,
        options: H36MOptions,
        report: Report,
    ) -> None:
        self._world = world
        self._recordings = recordings
        self._detections = detections
        self._options = options
        self._report = report
        self._skeleton = LAYOUTS[options.joints]
        self._agreement = None if detections is None else Agreement(detections.path)
        self._poses: Counter[str] = Counter()
        self._outside = 0
        self._incomplete = 0
        # 2D frames more (or, below 0, fewer) than 3D frames, of the takes where they differ.
        self._surplus: list[int] = []

    @property
    def total(self) -> int:
        """How many takes there will be at most."""
        return sum(len(self._cameras(recording)) for recording in self._recordings)

    def takes(self) -> Iterator[Take]:
        """The takes, recording by recording and camera by camera.

        Raises:
            ImportFileError: If the detections don't belong to the positions.
        """
        for recording in self._recordings:
            for take in self._takes_of(recording):
                if len(take):
                    self._poses[take.subject] += len(take)
                    yield take
        self._finish()

    def _cameras(self, recording: Recording) -> list[str]:
        return [c for c in CAMERAS if not is_skipped(recording.clip, c, self._options.skip)]

    def _takes_of(self, recording: Recording) -> Iterator[Take]:
        positions = self._world.pop(recording)
        if positions.shape[1] != self._skeleton.num_joints:
            positions = convert(positions, self._world.skeleton, self._skeleton).positions
        positions_mm = METRES_TO_MM * positions.astype(np.float64)
        owner = recording.subject
        if not recording.known:
            assert self._options.stand_in is not None
            owner = self._options.stand_in
            positions_mm[..., :2] -= positions_mm[:, self._skeleton.root, :2].mean(0)
        cameras = self._cameras(recording)
        self._report.drop(SKIPPED, (len(CAMERAS) - len(cameras)) * recording.frames)
        if self._detections is not None:
            yield from self._detected(recording, positions_mm, cameras, self._detections)
            return
        for camera in cameras:
            view = view_of(owner, camera, self._options.lens)
            yield self._projected(recording, positions_mm, f"{owner}/{camera}", view)

    def _projected(
        self, recording: Recording, positions_mm: np.ndarray, camera: str, view: View
    ) -> Take:
        solid = to_camera(positions_mm, view)
        frame = np.arange(len(solid))
        near = _too_close(solid)
        self._report.drop(TOO_CLOSE, int(near.sum()))
        solid, frame = solid[~near], frame[~near]
        if self._options.lens:
            slopes = np.square(solid[..., :2]).sum(-1) / np.square(solid[..., 2])
            oblique = (slopes > MAX_SLOPE**2).any(1)
            self._report.drop(TOO_OBLIQUE, int(oblique.sum()))
            solid, frame = solid[~oblique], frame[~oblique]
        flat = to_pixels(solid, view)
        self._outside += int(((flat < 0) | (flat >= view.size_px)).any((1, 2)).sum())
        return Take(
            subject=recording.subject,
            action=recording.action,
            clip=recording.clip,
            camera=camera,
            poses_2d=flat.astype(np.float32),
            frame=frame,
            fps=FPS,
            poses_3d=solid.astype(np.float32),
            view=view,
        )

    def _detected(
        self,
        recording: Recording,
        positions_mm: np.ndarray,
        cameras: list[str],
        detections: Detections,
    ) -> Iterator[Take]:
        assert self._agreement is not None
        found = dict(zip(CAMERAS, detections.pop(recording.clip), strict=True))
        # Compared through the true lens, whatever the output's calibration says of it.
        views = {camera: view_of(recording.subject, camera) for camera in CAMERAS}
        solids = {camera: to_camera(positions_mm, view) for camera, view in views.items()}
        flats = {camera: to_pixels(solids[camera], view) for camera, view in views.items()}
        for camera in CAMERAS:
            flats[camera][solids[camera][..., 2] < MIN_DEPTH_MM] = np.nan
        for camera in cameras:
            surplus = len(found[camera]) - recording.frames
            if surplus:
                self._surplus.append(surplus)
            self._report.drop(NO_3D, max(surplus, 0))
            self._report.drop(NO_2D, max(-surplus, 0))
            n = min(len(found[camera]), recording.frames)
            poses, confidence = usable(found[camera][:n], detections.skeleton)
            self._agreement.check(
                recording.clip, camera, poses, {c: flat[:n] for c, flat in flats.items()}
            )
            take = Take(
                subject=recording.subject,
                action=recording.action,
                clip=recording.clip,
                camera=f"{recording.subject}/{camera}",
                poses_2d=poses,
                frame=np.arange(n),
                fps=FPS,
                poses_3d=solids[camera][:n].astype(np.float32),
                confidence=confidence,
                view=view_of(recording.subject, camera, self._options.lens),
            )
            near = _too_close(solids[camera][:n])
            empty = ~near & ~(confidence > 0).any(1)
            self._report.drop(TOO_CLOSE, int(near.sum()))
            self._report.drop(NOT_DETECTED, int(empty.sum()))
            take = take.select(~near & ~empty)
            assert take.confidence is not None
            self._incomplete += int((take.confidence <= 0).any(1).sum())
            yield take

    def _finish(self) -> None:
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
        longer = [n for n in self._surplus if n > 0]
        shorter = [-n for n in self._surplus if n < 0]
        for one, other, counts in (("2D", "3D", longer), ("3D", "2D", shorter)):
            if counts:
                note(
                    f"{one} runs on after the {other} in {len(counts):,} takes, by up to "
                    f"{max(counts):,} frames; its tail is cut"
                )
        if self._agreement is not None and (summary := self._agreement.summary()):
            note(summary)


def _too_close(solid: np.ndarray) -> np.ndarray:
    """Frames in which a joint is behind the camera or too near to it, ``(T,)``."""
    return np.any(solid[..., 2] < MIN_DEPTH_MM, axis=1)
