r"""The bootstrap over clips: how far a mean would move with other clips of the same kind.

Frames of a clip resemble each other, and its cameras see the same motion: the clip, not the frame,
is what is drawn. A resample of :math:`K` clips draws :math:`K - 1` of them with replacement, which
gives a mean the variance :math:`s^2 / K`; drawing :math:`K` would give it :math:`(K - 1) / K` of
that, too little by half for an action of two clips.

The mean over actions draws clips within each action, so that none vanishes. An action of one clip
shows no variation of its own; where there are several such actions, they are drawn from as if they
were clips of one (collapsed strata), which adds the differences between them: the interval may come
out too wide, not too narrow.

Source: Rao and Wu, Resampling inference with complex survey data, 1988; McCarthy and Snowden, The
bootstrap and finite population sampling, 1985; Wolter, Introduction to variance estimation, 2007
(collapsed strata).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Numbers in a block of resamples: bounds the memory where clips are many.
BLOCK = 4_000_000


class Cells(NamedTuple):
    """Units that are drawn: the poses that one clip has of one action.

    Attributes:
        action: Number of each cell's action, ``(C,)``.
        clip: Number of each cell's clip, ``(C,)``.
        of_pose: The cell of each pose, ``(N,)``.
        num_actions: How many actions there are.
    """

    action: np.ndarray
    clip: np.ndarray
    of_pose: np.ndarray
    num_actions: int

    @classmethod
    def of(cls, action: np.ndarray, clip: np.ndarray) -> Cells:
        """The cells of poses of which action and clip are numbered from 0, ``(N,)`` each."""
        clips = int(clip.max()) + 1
        code, of_pose = np.unique(action.astype(np.int64) * clips + clip, return_inverse=True)
        return cls(code // clips, code % clips, of_pose.reshape(-1), int(action.max()) + 1)

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sum over the poses of every cell: ``(N,)`` to ``(C,)``."""
        return np.bincount(self.of_pose, values, len(self.clip))


class Draws(NamedTuple):
    """Means of resamples; ``None`` where nothing can be drawn.

    Attributes:
        over_actions: ``(R, M)``.
        over_frames: ``(R, M)``.
        actions: ``(R, M)`` of each action; ``None`` for those with a single clip.
    """

    over_actions: np.ndarray | None
    over_frames: np.ndarray | None
    actions: list[np.ndarray | None]


def draw(cells: Cells, sums: np.ndarray, counts: np.ndarray, seed: int, resamples: int) -> Draws:
    """Resampled means of several columns, with the same clips in all of them.

    Args:
        cells: What is drawn.
        sums: Sum of the errors of each cell, ``(C, M)``.
        counts: How many poses of each cell were scored, ``(C, M)``; a cell is empty in all columns
            or in none.
        seed: Of the generator.
        resamples: How many, ``R``.
    """
    # Clips without a scored pose are left out; drawing only them would be 0 / 0.
    filled = counts[:, 0] > 0
    action, clip = cells.action[filled], cells.clip[filled]
    sums, counts = sums[filled], counts[filled]
    rng = np.random.default_rng(seed)
    frames = _ratios(_per(clip, sums), _per(clip, counts), rng, resamples)
    each = [
        _ratios(sums[action == a], counts[action == a], rng, resamples)
        for a in range(cells.num_actions)
    ]
    parts = [means for means in each if means is not None]
    alone = [a for a, means in enumerate(each) if means is None and (action == a).any()]
    if alone:
        rows = np.isin(action, alone)
        pool = sums[rows] / counts[rows]
        drawn = _ratios(pool, np.ones_like(pool), rng, resamples)
        parts.append(len(alone) * (pool if drawn is None else drawn))
    whole = len(np.unique(action)) == cells.num_actions
    over_actions = None
    if whole and any(len(part) > 1 for part in parts):
        over_actions = sum(parts, np.zeros(1)) / cells.num_actions
    return Draws(over_actions, frames, each)


def interval(draws: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """The percentile interval of resampled values ``(R,)``."""
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _per(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    _, index = np.unique(group, return_inverse=True)
    out = np.zeros((int(index.max()) + 1 if len(index) else 0, values.shape[1]))
    np.add.at(out, index.reshape(-1), values)
    return out


def _ratios(
    sums: np.ndarray, counts: np.ndarray, rng: np.random.Generator, resamples: int
) -> np.ndarray | None:
    """Means of resamples of the rows, ``(R, M)``; ``None`` for fewer than two rows."""
    rows = len(sums)
    if rows < 2:
        return None
    share = np.full(rows, 1 / rows)
    step = max(1, BLOCK // rows)
    parts = []
    for start in range(0, resamples, step):
        times = rng.multinomial(rows - 1, share, min(step, resamples - start)).astype(np.float64)
        parts.append((times @ sums) / (times @ counts))
    return np.concatenate(parts)
