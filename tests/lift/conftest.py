"""An untrained lifter in a run folder, people to lift, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from selflift import checkpoint
from selflift.config import PredictConfig
from selflift.geometry.normalise import Normaliser
from selflift.lift import PoseLifter
from selflift.lift.keypoint_input import open_input
from selflift.lift.lift_people import lift_people
from selflift.lift.people import Prediction
from selflift.models import Lifter
from tests.conftest import STANDING, WORLD_TO_LEVEL

NORMALISER = Normaliser("rotate", "sample", 0.4, 0.06)
SHAPE = {"width": 16, "num_blocks": 1, "elevation": True, "confidences": True}


@pytest.fixture
def run_folder(tmp_path: Path) -> str:
    torch.manual_seed(0)
    lifter = Lifter(**SHAPE)
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    metadata = {"lifter": SHAPE, "normaliser": asdict(NORMALISER), "step": 7}
    checkpoint.save(folder / "best.pt", checkpoint.Checkpoint(metadata, dict(lifter.state_dict())))
    return str(folder.parent)


def walkers(people: int = 2, frames: int = 12) -> np.ndarray:
    """``(T, P, 17, 2)`` pixels: people who stand 5 m away and drift to the right."""
    body = (STANDING - STANDING[0]) @ WORLD_TO_LEVEL.T + [0, 0, 5.0]
    at = np.arange(frames)[:, None] * 0.02 + np.arange(people) * 1.5
    X = body + np.stack([at, 0 * at, 0 * at], -1)[:, :, None]
    return 1000 * X[..., :2] / X[..., 2:] + 500


@pytest.fixture
def save_input(tmp_path: Path) -> Callable[..., str]:
    def save(keypoints: np.ndarray, name: str = "walk") -> str:
        np.savez(tmp_path / f"{name}.npz", keypoints=keypoints, layout="h36m_17")
        return str(tmp_path / f"{name}.npz")

    return save


@pytest.fixture
def predicted(run_folder: str, save_input: Callable[..., str]) -> Callable[..., Prediction]:
    def make(x: np.ndarray, **options: object) -> Prediction:
        config = PredictConfig(
            input=save_input(x), checkpoint=run_folder, progress=False,
            **options,  # type: ignore[arg-type]
        )  # fmt: skip
        lifter = PoseLifter.from_checkpoint(run_folder, "cpu")
        return lift_people(config, lifter, open_input(config))

    return make
