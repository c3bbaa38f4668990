"""Made-up people in pixels, and the real samples where they are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.data.recording import Recordings, Take


@pytest.fixture
def samples() -> Path:
    """The folder of sample files."""
    root = os.environ.get("SELFLIFT_DATA")
    folder = Path(root) if root else Path(__file__).parents[3].parent / "shared" / "data"
    if not (folder / "samples").is_dir():
        pytest.skip("set SELFLIFT_DATA to the folder that holds samples/")
    return folder / "samples"


@pytest.fixture
def make_people() -> Callable[..., np.ndarray]:
    """``(people, frames, joints, 3)``: x, y in pixels and a confidence between 0.5 and 1.

    Person k stands at 300 k pixels and drifts by less than a pixel a frame; rounded as float32, so
    that files return the same numbers.
    """

    def make(people: int = 1, frames: int = 4, joints: int = 17, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        pose = rng.uniform(10, 250, (people, 1, joints, 2))
        pose[..., 0] += 300 * np.arange(people)[:, None, None]
        drift = rng.uniform(-0.5, 0.5, (people, frames, joints, 2)).cumsum(1)
        confidence = rng.uniform(0.5, 1, (people, frames, joints, 1))
        return np.concatenate([pose + drift, confidence], -1).astype(np.float32)

    return make


@pytest.fixture
def write_json(tmp_path: Path) -> Callable[..., Path]:
    def write(content: Any, name: str = "people.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture
def read() -> Callable[[Recordings], list[Take]]:
    """All takes, after checking what every take promises."""

    def all_of(recordings: Recordings) -> list[Take]:
        takes = list(recordings.takes)
        for take in takes:
            assert take.poses_3d is None and take.confidence is not None
            assert take.poses_2d.dtype == take.confidence.dtype == np.float32
            assert take.frame.dtype == np.int64 and (np.diff(take.frame) > 0).all()
            joints = recordings.skeleton.num_joints
            assert take.poses_2d.shape == (len(take.frame), joints, 2)
            assert take.confidence.shape == (len(take.frame), joints)
            missing = take.confidence == 0
            assert (np.isnan(take.poses_2d).all(-1) == missing).all()
            assert np.isfinite(take.poses_2d[~missing]).all()
        assert len({(take.clip, take.camera) for take in takes}) == len(takes)
        return takes

    return all_of
