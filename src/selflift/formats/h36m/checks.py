"""Whether the arrays of a take of Human3.6M can be what they are said to be.

Bodies must be as tall as people and stand before the camera, and the 2D must lie where the
calibration projects the 3D: a wrong unit, camera or subject shows in one of the two.
"""

from __future__ import annotations

import numpy as np
import torch

from selflift.data.cmu import PLAUSIBLE_HEIGHT_M
from selflift.data.recording import Report, View
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.cameras import CAMERAS, to_pixels, view_of
from selflift.formats.h36m.protocol import drifts
from selflift.geometry.normalise import skeleton_height
from selflift.skeleton import Skeleton

# Medians between recorded 2D and projected 3D: whichever of the published lens models made the 2D,
# below the first; another camera's intrinsics give 5 to 16, another subject's place of the camera
# 2 to 50. Between the two, 2D may have been rounded or filtered.
CLEAR_PX, MAX_PX = 2.0, 10.0
# Detections miss joints, and universal bodies fit the image roughly; but half of the joints not by
# this share of the body's extent.
MAX_SHARE = 0.25
_COMPARED_FRAMES = 500


def check_bodies(
    where: str,
    key: str,
    unit: str,
    X: np.ndarray,
    skeleton: Skeleton,
    confidence: np.ndarray | None,
    report: Report,
) -> np.ndarray:
    """Which frames hold a person before the camera, ``(T,)``; the others are reported.

    Args:
        where: The take, for messages.
        key: What the source calls its 3D.
        unit: In which unit it has it.
        X: ``(T, J, 3)``, camera frame, mm.
        skeleton: The layout.
        confidence: ``(T, J)``; a joint of confidence 0 may be NaN.
        report: Where dropped frames are counted.

    Raises:
        ImportFileError: If a number is not finite, or most bodies are no people in this unit and
            frame.
    """
    bad = ~np.isfinite(X).all(-1)
    if confidence is not None:
        bad &= confidence > 0
    if bad.any():
        row, joint = np.argwhere(bad)[0]
        raise ImportFileError(
            f"{where}: expected finite {key}, got NaN or Inf in {int(bad.any(1).sum())} frames "
            f"(first: number {row}, joint {skeleton.joints[joint]}); get the file again or leave "
            "the take out with h36m.skip"
        )
    height = skeleton_height(torch.from_numpy(X), skeleton).numpy()
    whole = np.isfinite(height)
    if not whole.any():
        return np.ones(len(X), bool)
    low, high = (1000 * metres for metres in PLAUSIBLE_HEIGHT_M)
    median = np.median(height[whole])
    if not low < median < high:
        raise ImportFileError(
            f"{where}: expected {key} in {unit}, of bodies {low / 1000:g} to {high / 1000:g} m "
            f"tall, got {median / 1000:.3g} m (median); convert the unit"
        )
    depth = X[..., 2]
    if np.median(depth[whole]) <= 0:
        raise ImportFileError(
            f"{where}: expected {key} in the camera's frame (x right, y down, z forward), got a "
            f"median depth of {np.median(depth[whole]):.0f} mm; it is in another frame"
        )
    odd = whole & ~((low < height) & (height < high))
    behind = (depth <= 0).any(-1) & ~odd
    report.drop("body not as tall as a person", int(odd.sum()))
    report.drop("joint behind the camera", int(behind.sum()))
    return ~(odd | behind)


class Distances:
    """How far the 2D of a source's takes lies from its projected 3D.

    Args:
        key: What the source calls its 2D.
        detected: Whether it is a detector's, not the recording's.
    """

    def __init__(self, key: str, detected: bool) -> None:
        self._key, self._detected = key, detected
        self._recorded = not detected
        self._px: dict[str, float] = {}
        self._drifting: list[str] = []

    def check(
        self,
        where: str,
        clip: str,
        camera: str,
        x: np.ndarray,
        target: np.ndarray,
        through: View | None = None,
    ) -> None:
        """Compare one take.

        Args:
            where: The take, for messages.
            clip: Its clip, ``"S1 Photo 1"``.
            camera: Its camera.
            x: ``(T, J, 2)``, pixels; NaN where a joint is missing.
            target: ``(T, J, 3)``, camera frame, mm; or ``(T, J, 2)``, pixels where the 2D should
                be.
            through: The camera that ``target`` projects through, if not the calibrated one.

        Raises:
            ImportFileError: If they don't belong together.
        """
        few = np.unique(np.linspace(0, len(x) - 1, _COMPARED_FRAMES).astype(int))
        x, target = x[few], target[few]
        subject = clip.partition(" ")[0]
        place = target
        if target.shape[-1] == 3:
            place = to_pixels(target, through or view_of(subject, camera))
        px, limit = _median_px(x, place), MAX_PX
        extent = np.ptp(place, axis=1).max(-1)
        if not (np.isfinite(px) and np.isfinite(extent).any()):
            return
        self._px[f"{clip}.{camera}"] = px
        if self._detected or through is not None:
            self._recorded = False
            limit = MAX_SHARE * float(np.median(extent[np.isfinite(extent)]))
        elif px > CLEAR_PX:
            others = {c: _median_px(x, to_pixels(target, view_of(subject, c))) for c in CAMERAS}
            best = min(others, key=others.__getitem__)
            if others[best] < min(CLEAR_PX, px / 2):
                raise ImportFileError(
                    f"{where}: expected {self._key} of camera {camera}, got pixels that fit camera "
                    f"{best} ({others[best]:.1f} px from the projected 3D, not {px:.1f}); the "
                    "camera is mislabelled"
                )
        if px > limit and self._detected and drifts(clip):
            self._drifting.append(f"{clip}.{camera}")
            return
        if px > limit:
            raise ImportFileError(
                f"{where}: expected {self._key} within {limit:.0f} px of the projected 3D, got "
                f"{px:.0f} px (median); camera or subject is mislabelled, or the 2D is not in "
                "pixels of the whole image"
            )

    def note(self, report: Report) -> None:
        """Say how far they lie, over all takes."""
        drifting = ", ".join(self._drifting)
        if self._px:
            worst = max(self._px, key=self._px.__getitem__)
            report.note(
                f"2D lies {np.median(list(self._px.values())):.2f} px from the projected 3D "
                f"(median over takes); worst take {worst}: {self._px[worst]:.2f} px"
                f"{f'; expected: below {CLEAR_PX:g}' if self._recorded else ''}"
                f"{f'; far off, since their 3D drifts: {drifting}' if drifting else ''}"
            )


def _median_px(x: np.ndarray, place: np.ndarray) -> float:
    far = np.linalg.norm(x - place, axis=-1)
    far = far[np.isfinite(far)]
    return float(np.median(far)) if len(far) else np.nan
