"""Counts and checksums of what was converted."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tabulate import SEPARATING_LINE, tabulate

from selflift.data.recording import Report, Take

BLOCK_ROWS = 1 << 16
MOST_ROWS = 40
TITLES = ("subject", "actions", "clips", "frames", "cameras", "poses")


class Tally:
    """Counts of what was converted, per subject."""

    def __init__(self) -> None:
        # Of each subject, its actions, and the frames of each clip and camera.
        self._actions: dict[str, set[str]] = {}
        self._frames: dict[str, Counter[tuple[str, str]]] = {}

    def add(self, take: Take) -> None:
        """Count a take."""
        self._actions.setdefault(take.subject, set()).add(take.action)
        self._frames.setdefault(take.subject, Counter())[take.clip, take.camera] += len(take)

    @property
    def poses(self) -> int:
        """The number of poses: frames times the cameras that saw them."""
        return sum(frames.total() for frames in self._frames.values())

    def table(self) -> str:
        """Format subjects with their actions, clips, frames, cameras and poses as aligned text."""
        rows: list[list[Any]] = []
        cameras: set[str] = set()
        for subject, counts in self._frames.items():
            # Cameras of one recording see the same frames; the one that has most counts.
            clips: dict[str, int] = {}
            for (clip, _), frames in counts.items():
                clips[clip] = max(clips.get(clip, 0), frames)
            own = {camera for _, camera in counts}
            cameras |= own
            actions = len(self._actions[subject])
            numbers = [actions, len(clips), sum(clips.values()), len(own), counts.total()]
            rows.append([subject, *numbers])
        actions = len(set().union(*self._actions.values()))
        clips_in_all, frames_in_all = (sum(row[n] for row in rows) for n in (2, 3))
        total = ["all", actions, clips_in_all, frames_in_all, len(cameras), self.poses]
        shown = rows[:MOST_ROWS]
        if len(rows) > MOST_ROWS:
            shown.append([f"... and {len(rows) - MOST_ROWS} more"])
        lines = [*map(_with_commas, shown), SEPARATING_LINE, _with_commas(total)]
        align = ("left", *["right"] * (len(TITLES) - 1))
        return tabulate(lines, TITLES, colalign=align, disable_numparse=True)


def _with_commas(row: list[Any]) -> list[str]:
    return [f"{cell:,}" if isinstance(cell, int) else cell for cell in row]


def dropped(report: Report) -> str:
    """List what was left out and why, one line each."""
    if not report.dropped:
        return "dropped: nothing"
    reasons = [f"  {count:,}: {reason}" for reason, count in report.dropped.most_common()]
    total = sum(report.dropped.values())
    return "\n".join([f"dropped: {total:,} pose{'s' * (total != 1)}", *reasons])


def content_sha256(path: Path) -> str:
    """Compute a checksum of a pose set that does not depend on compression or HDF5's version."""
    digest = hashlib.sha256()
    with h5py.File(path, "r") as file:
        digest.update(str(file.attrs["skeleton"]).encode())
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        for name in sorted(names):
            dataset = file[name]
            digest.update(f"{name} {dataset.shape}".encode())
            if h5py.check_string_dtype(dataset.dtype) is not None:
                digest.update("\n".join(dataset.asstr()[()]).encode())
                continue
            for start in range(0, len(dataset), BLOCK_ROWS):
                block = dataset[start : start + BLOCK_ROWS]
                digest.update(np.ascontiguousarray(block, block.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
