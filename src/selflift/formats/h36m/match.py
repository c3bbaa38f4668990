"""Whether 2D detections belong to the 3D that they are paired with.

Detections and positions come from two files that only share the names of their recordings. Joints
in another order, cameras in another order, another person's recording or normalised coordinates
would all go unnoticed, and whatever is trained on them would be wrong. So each take's detections
are held against the positions projected into all four cameras. The thresholds are far from what
detectors do: they err by some 5 to 20 pixels on bodies of some 400. The exception is the 3D of
three of S9's recordings, which drifts away from the video; these are noted, not refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.protocol import drifts
from selflift.skeleton import H36M_17

# Shares of the body's extent in the image: a median beyond the first is no detector's; a median
# within the second is too good to look for another explanation.
_FAR = 0.25
_NEAR = 0.05
# Another explanation has to fit this much better.
_BETTER = 0.5
# Frames of a take that other explanations are tried on.
_TRIED = 64


class Agreement:
    """How far the detections of a file lie from the projected positions, take by take.

    Args:
        path: The file of detections, for the messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._distances: dict[str, float] = {}
        self._mirrored: list[str] = []
        self._drifting: list[str] = []

    def check(
        self, clip: str, camera: str, found: np.ndarray, projected: Mapping[str, np.ndarray]
    ) -> None:
        """Compare one take.

        Args:
            clip: The recording.
            camera: The camera that the detections are said to be from.
            found: ``(T, 17, 2)``, pixels; NaN where a joint is missing.
            projected: By camera, ``(T, 17, 2)``, pixels; NaN where a joint is not in front of it.

        Raises:
            ImportFileError: If the detections fit another camera much better, or lie further from
                the positions than any detector would put them.
        """
        take = f"{clip}.{camera}"
        own = _distance(found, projected[camera])
        if own is None:
            return
        spans = np.ptp(projected[camera], axis=1).max(-1)
        if not np.isfinite(spans).any():
            return
        extent = float(np.nanmedian(spans))
        self._distances[take] = own
        rows = slice(None, None, max(1, len(found) // _TRIED))
        self._look_in_the_mirror(take, found[rows], projected[camera][rows])
        if own <= _NEAR * extent:
            return
        if own > _FAR * extent and drifts(clip):
            self._drifting.append(take)
            return
        tried = _distance(found[rows], projected[camera][rows])
        others = {
            other: _distance(found[rows], points[rows])
            for other, points in projected.items()
            if other != camera
        }
        fits = {name: d for name, d in others.items() if d is not None}
        best = min(fits, key=fits.__getitem__, default=None)
        if best is not None and tried is not None and fits[best] < _BETTER * tried:
            raise ImportFileError(
                f"'{self._path}': {take}: expected 2D of camera {camera}, got 2D that lies "
                f"{tried:.0f} px from the projected 3D in that camera and {fits[best]:.0f} px in "
                f"camera {best}; check the order of the cameras"
            )
        if own > _FAR * extent:
            raise ImportFileError(
                f"'{self._path}': {take}: expected 2D near the projected 3D, got {own:.0f} px "
                f"between them (median) on a body of {extent:.0f} px; check that it is pixels, the "
                "order of the joints and that both files have the same recordings; a damaged take "
                "can be left out with h36m.skip"
            )

    def _look_in_the_mirror(self, take: str, found: np.ndarray, projected: np.ndarray) -> None:
        sides = [*H36M_17.left, *H36M_17.right]
        mirror = [H36M_17.mirror[joint] for joint in sides]
        straight = _distance(found[:, sides], projected[:, sides])
        swapped = _distance(found[:, mirror], projected[:, sides])
        if straight is not None and swapped is not None and swapped < _BETTER * straight:
            self._mirrored.append(take)

    def summary(self) -> str | None:
        """A line on the distances; ``None`` if nothing could be compared.

        Raises:
            ImportFileError: If most takes fit with left and right exchanged.
        """
        if not self._distances:
            return None
        if len(self._mirrored) > len(self._distances) / 2:
            raise ImportFileError(
                f"'{self._path}': expected left joints on the left, got {len(self._mirrored)} of "
                f"{len(self._distances)} takes (first: {self._mirrored[0]}) that fit the projected "
                "3D with left and right exchanged; check the order of the joints"
            )
        median = float(np.median(list(self._distances.values())))
        worst = max(self._distances, key=self._distances.__getitem__)
        more = ""
        if self._drifting:
            more += f"; far off, since their 3D drifts: {', '.join(self._drifting)}"
        if self._mirrored:
            more += f"; with left and right exchanged these fit better: {', '.join(self._mirrored)}"
        return (
            f"2D lies {median:.1f} px from the projected 3D (median over takes); worst take "
            f"{worst}: {self._distances[worst]:.0f} px{more}"
        )


def _distance(found: np.ndarray, projected: np.ndarray) -> float | None:
    """Median distance over all frames and joints that both have, in pixels."""
    distances = np.linalg.norm(found - projected, axis=-1)
    there = distances[np.isfinite(distances)]
    return float(np.median(there)) if len(there) else None
