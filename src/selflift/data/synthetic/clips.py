"""Clips: who does what in which split, seeded person by person and clip by clip."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np

from selflift.config import SyntheticConfig
from selflift.data.rig import Clip
from selflift.data.synthetic.body import Array, Body, Motion, Rng, draw_body, turn
from selflift.data.synthetic.gaits import dance, run, step, walk
from selflift.data.synthetic.joints import pose
from selflift.data.synthetic.sitting import kneel, sit
from selflift.data.synthetic.standing import STANDING, kick, wave

SPLITS = ("train", "val", "test")
ACTIONS: dict[str, Callable[[Rng, Array, Body], Motion]] = {
    **STANDING,
    "wave": wave,
    "kick": kick,
    "walk": walk,
    "run": run,
    "step": step,
    "dance": dance,
    "sit": sit,
    "kneel": kneel,
}


def generate(split: str, config: SyntheticConfig) -> list[Clip]:
    """Generate the clips of one split.

    Args:
        split: "train", "val" or "test".
        config: Sizes and seed.

    Returns:
        Clips, subject by subject. Frames of a clip are consecutive.

    Raises:
        ValueError: If the split is unknown or a size is out of range.
    """
    if split not in SPLITS:
        raise ValueError(
            f"synthetic split: expected one of {', '.join(SPLITS)}, got {split!r}; "
            "choose one of these"
        )
    _check(config)
    subjects = int(getattr(config, f"{split}_subjects"))
    actions = tuple(ACTIONS)
    clips: list[Clip] = []
    for s in range(subjects):
        body = draw_body(_rng(config.seed, split, s, 0))
        subject = f"SYN_{split}_{s:03d}"
        takes: Counter[str] = Counter()
        for c in range(config.clips_per_subject):
            # One long round of turns over all subjects: even small splits hold every action.
            action = actions[(s * config.clips_per_subject + c) % len(actions)]
            rng = _rng(config.seed, split, s, c + 1)
            t = np.arange(config.frames_per_clip) / config.fps
            positions = _place(rng, pose(body, ACTIONS[action](rng, t, body)))
            takes[action] += 1
            clips.append(
                Clip(
                    positions=positions.astype(np.float32),
                    subject=subject,
                    action=action,
                    name=f"{subject}_{action}_{takes[action]}",
                    fps=config.fps,
                    frame=np.arange(config.frames_per_clip, dtype=np.int64),
                )
            )
    return clips


def _check(config: SyntheticConfig) -> None:
    lowest = {"seed": 0, "clips_per_subject": 1, "frames_per_clip": 2}
    lowest.update({f"{split}_subjects": 1 for split in SPLITS})
    for name, least in lowest.items():
        if getattr(config, name) < least:
            raise ValueError(
                f"synthetic {name}: expected at least {least}, got {getattr(config, name)}; "
                f"set data.synthetic.{name} to {least} or more"
            )
    if not (math.isfinite(config.fps) and config.fps > 0):
        raise ValueError(
            f"synthetic fps: expected a positive number, got {config.fps}; "
            "set data.synthetic.fps above 0"
        )


def _rng(seed: int, split: str, subject: int, part: int) -> Rng:
    """A generator of its own for each body (part 0) and each clip (part 1, 2, ...)."""
    key = (SPLITS.index(split), subject, part)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _place(rng: Rng, positions: Array) -> Array:
    """Face a random direction, and start near the world's origin."""
    placed = turn(rng.uniform(-np.pi, np.pi), positions)
    shift = rng.uniform(-0.5, 0.5, 2) - placed[:, 0, :2].mean(axis=0)
    placed[..., :2] += shift
    return placed
