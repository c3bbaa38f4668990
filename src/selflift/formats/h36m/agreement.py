"""Agreement of 2D keypoints with the 3D poses that they are paired with.

Joints or cameras in another order, another person's recording, another unit: nothing in the numbers
themselves shows it. So each take's 2D is compared with its projected 3D. Recorded 2D lies within
2 pixels, whichever of the published lens models made it; another camera's intrinsics give 5 to 16,
another subject's place of the camera 2 to 50. Detectors err by some 5 to 20 pixels on bodies of
some 400. The 3D of three of S9's recordings drifts away from the video: these are noted, not
refused.
"""

from __future__ import annotations

import numpy as np

from selflift.data.recording import Report
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.h36m_cameras import CAMERAS, to_camera, to_pixels, view_of
from selflift.formats.h36m.h36m_protocol import Recording, drifts
from selflift.geometry.camera import Calibration
from selflift.skeleton import Skeleton

MIN_DEPTH_MM = 500.0
# Medians up to the first need no other explanation; beyond the second, 2D and 3D don't belong
# together. Between the two, recorded 2D may have been rounded or filtered.
CLEAR_PX, MAX_PX = 2.0, 10.0
# The same for detections, and for universal bodies: shares of the body's extent in the image.
CLEAR_SHARE, MAX_SHARE = 0.05, 0.25
# How much better another explanation has to fit.
BETTER = 0.5
COMPARED_FRAMES = 500


class Agreement:
    """Distances between 2D and projected 3D over the takes of a source.

    Args:
        key: The source's name of its 2D.
        skeleton: Layout of both.
        detected: Whether the 2D is a detector's, not the recording's.
    """

    def __init__(self, key: str, skeleton: Skeleton, detected: bool) -> None:
        self._key, self._skeleton, self._detected = key, skeleton, detected
        self._recorded = not detected
        self._px: dict[str, float] = {}
        self._drifting: list[str] = []
        # Place of each, for messages.
        self._mirrored: dict[str, str] = {}

    def check(
        self,
        where: str,
        recording: Recording,
        camera: str,
        x: np.ndarray,
        target: np.ndarray,
        through: Calibration | None = None,
    ) -> None:
        """Compare one take.

        Args:
            where: The take, for messages.
            recording: Its recording.
            camera: Its camera.
            x: ``(T, J, 2)``, pixels; NaN where a joint is missing.
            target: ``(T, J, 3)``, camera frame, mm; or ``(T, J, 2)``, pixels.
            through: The camera that ``target`` projects through, if not the calibrated one.

        Raises:
            ImportFileError: If they don't belong together.
        """
        few = np.unique(np.linspace(0, len(x) - 1, COMPARED_FRAMES).astype(int))
        x, target = x[few], target[few]
        solid = target.shape[-1] == 3
        place = to_pixels(target, through or view_of(recording.owner, camera)) if solid else target
        px = _median_px(x, place)
        extents = np.ptp(place, axis=1).max(-1)
        if not (np.isfinite(px) and np.isfinite(extents).any()):
            return
        take = f"{recording.clip}.{camera}"
        self._px[take] = px
        sides = [*self._skeleton.left, *self._skeleton.right]
        mirror = [self._skeleton.mirror[joint] for joint in sides]
        if _median_px(x[:, mirror], place[:, sides]) < BETTER * _median_px(
            x[:, sides], place[:, sides]
        ):
            self._mirrored[take] = where
        clear, most = CLEAR_PX, MAX_PX
        if self._detected or through is not None:
            self._recorded = False
            extent = float(np.nanmedian(extents))
            clear, most = CLEAR_SHARE * extent, MAX_SHARE * extent
        if px > most and self._detected and drifts(recording.clip):
            self._drifting.append(take)
            return
        if px > clear and solid and through is None:
            self._try_other_cameras(where, recording, camera, x, target, px, clear)
        if px > most:
            raise ImportFileError(
                f"{where}: expected {self._key} within {most:.0f} px of the projected 3D, got "
                f"{px:.0f} px (median); check camera, subject and the order of the joints, and "
                "that the 2D is in pixels of the whole image; a corrupt take can be left out with "
                "h36m.skip"
            )

    def _try_other_cameras(
        self,
        where: str,
        recording: Recording,
        camera: str,
        x: np.ndarray,
        target: np.ndarray,
        px: float,
        clear: float,
    ) -> None:
        """Raise if 2D, or 2D and 3D, are clearly of another camera."""
        own = view_of(recording.owner, camera)
        world = target @ own.rotation + own.centre_mm
        fits = {}
        for other in CAMERAS:
            view = view_of(recording.owner, other)
            moved = to_camera(world, view)
            moved[moved[..., 2] < MIN_DEPTH_MM] = np.nan
            fits[other] = np.nanmin(
                [px, _median_px(x, to_pixels(target, view)), _median_px(x, to_pixels(moved, view))]
            )
        best = min(fits, key=fits.__getitem__)
        if fits[best] < min(clear, BETTER * px):
            raise ImportFileError(
                f"{where}: expected {self._key} of camera {camera}, got pixels that fit camera "
                f"{best} ({fits[best]:.1f} px from the projected 3D, not {px:.1f}); check the "
                "order and the names of the cameras"
            )

    def note(self, report: Report) -> None:
        """Report the distances over all takes.

        Raises:
            ImportFileError: If most takes fit with left and right exchanged.
        """
        if not self._px:
            return
        if len(self._mirrored) > len(self._px) / 2:
            raise ImportFileError(
                f"{next(iter(self._mirrored.values()))}: expected left joints of {self._key} on "
                f"the left, got {len(self._mirrored)} of {len(self._px)} takes that fit the "
                "projected 3D with left and right exchanged; check the order of the joints"
            )
        worst = max(self._px, key=self._px.__getitem__)
        line = (
            f"2D lies {np.median(list(self._px.values())):.2f} px from the projected 3D (median "
            f"over takes); worst take {worst}: {self._px[worst]:.2f} px"
        )
        if self._recorded:
            line += f"; expected: below {CLEAR_PX:g}"
        if self._drifting:
            line += f"; far off, since their 3D drifts: {', '.join(self._drifting)}"
        if self._mirrored:
            line += f"; fit better with left and right exchanged: {', '.join(self._mirrored)}"
        report.note(line)


def _median_px(x: np.ndarray, place: np.ndarray) -> float:
    far = np.linalg.norm(x - place, axis=-1)
    far = far[np.isfinite(far)]
    return float(np.median(far)) if len(far) else np.nan
