"""Counting what was converted, and printing it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from selflift.data.recording import Report, Take

BLOCK_ROWS = 1 << 16
MOST_ROWS = 40


@dataclass
class _Row:
    actions: set[str] = field(default_factory=set)
    cameras: set[str] = field(default_factory=set)
    frames: dict[str, dict[str, int]] = field(default_factory=dict)
    poses: int = 0


class Tally:
    """Counts per subject."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}

    def add(self, take: Take) -> None:
        """Count a take."""
        row = self._rows.setdefault(take.subject, _Row())
        row.actions.add(take.action)
        row.cameras.add(take.camera)
        seen = row.frames.setdefault(take.clip, {})
        seen[take.camera] = seen.get(take.camera, 0) + len(take)
        row.poses += len(take)

    @property
    def poses(self) -> int:
        """Poses in all: frames times the cameras that saw them."""
        return sum(row.poses for row in self._rows.values())

    def table(self) -> str:
        """Subjects with their actions, clips, frames, cameras and poses, as aligned text."""
        titles = ("subject", "actions", "clips", "frames", "cameras", "poses")
        rows = [
            # Cameras of one recording see the same frames; the one that has most counts.
            (name, len(row.actions), len(row.frames),
             sum(max(seen.values()) for seen in row.frames.values()), len(row.cameras), row.poses)
            for name, row in self._rows.items()
        ]  # fmt: skip
        actions = set().union(*(row.actions for row in self._rows.values()))
        cameras = set().union(*(row.cameras for row in self._rows.values()))
        total = (
            "all", len(actions), sum(r[2] for r in rows), sum(r[3] for r in rows), len(cameras),
            self.poses,
        )  # fmt: skip
        cells = [[f"{c:,}" if isinstance(c, int) else c for c in row] for row in [*rows, total]]
        widths = [max(len(str(line[i])) for line in [titles, *cells]) for i in range(len(titles))]

        def line(values: tuple[str, ...] | list[str]) -> str:
            first, *rest = [f"{v:>{w}}" for v, w in zip(values, widths, strict=True)]
            return "  ".join([f"{values[0]:<{len(first)}}", *rest])

        rule = "-" * len(line(titles))
        body = [line(cell) for cell in cells[:-1][:MOST_ROWS]]
        if len(rows) > MOST_ROWS:
            body.append(f"... and {len(rows) - MOST_ROWS} more")
        return "\n".join([line(titles), rule, *body, rule, line(cells[-1])])


def dropped(report: Report) -> str:
    """What was left out and why, one line each."""
    if not report.dropped:
        return "dropped: nothing"
    reasons = [f"  {count:,}: {reason}" for reason, count in report.dropped.most_common()]
    total = sum(report.dropped.values())
    return "\n".join([f"dropped: {total:,} pose{'s' * (total != 1)}", *reasons])


def content_sha256(path: Path) -> str:
    """A checksum of what a pose set holds, whatever its compression and the version of HDF5."""
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
