"""A made-up evaluation, consistent with itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from selflift.evaluate.catalogue import METRICS
from selflift.evaluate.page import (
    ActionResult,
    Covariates,
    Elevation,
    Example,
    PageData,
    PublishedResult,
    Result,
)
from selflift.skeleton import H36M_17

ACTIONS = ("Walking", "Sitting", "Eating")


@pytest.fixture
def make_data() -> Callable[..., PageData]:
    def make(poses: int = 600, names: tuple[str, ...] = ACTIONS, **changes: Any) -> PageData:
        rng = np.random.default_rng(0)
        action = np.arange(poses) % len(names)
        errors = rng.gamma(6.0, 8.0, poses) + 5.0 * action
        means = [float(errors[action == i].mean()) for i in range(len(names))]
        rows = [
            ActionResult(name, int((action == i).sum()), means[i], (means[i] - 2, means[i] + 3))
            for i, name in enumerate(names)
        ]
        headline = Result(
            METRICS["pa_mpjpe_mm"], float(np.mean(means)), (41.25, 59.75), float(errors.mean())
        )
        true = rng.normal(-12.0, 3.0, poses)
        content: dict[str, Any] = {
            "title": "Evaluation",
            "run": "run-7",
            "checkpoint": "runs/7/best.pt",
            "data": "test split",
            "input": "GT",
            "protocol": "plain",
            "protocol_about": "all poses",
            "alignment": "Similarity without reflection.",
            "averaging": "actions",
            "headline": "pa_mpjpe_mm",
            "results": [
                headline,
                Result(METRICS["n_mpjpe_mm"], 1234.56, None, 1230.04),
                Result(METRICS["mpjpe_flip_mm"], 71.07),
                Result(METRICS["mpjve_mm"], 11.254, (10.125, 12.375), excluded=2345),
            ],
            "errors": errors,
            "skeleton": H36M_17,
            "published": [
                PublishedResult(METRICS["pa_mpjpe_mm"], "Same", 46.04, "GT", "", True),
                PublishedResult(METRICS["pa_mpjpe_reflected_mm"], "Mirror", 36.72, "GT"),
                PublishedResult(METRICS["pa_mpjpe_mm"], "Vague", 51.0, alignment="not stated"),
            ],
            "per_joint_mm": {name: 20.0 + 3.07 * j for j, name in enumerate(H36M_17.joints)},
            "actions": rows,
            "covariates": Covariates(
                true,
                rng.uniform(4, 6, poses),
                rng.uniform(200, 900, poses),
                np.where(np.arange(poses) % 7, rng.uniform(0, 2, poses), np.nan),
            ),
            "elevation": Elevation(true + 2.0, true),
            "gallery": {
                name: [make_example(rng, f"{name} {i}") for i in range(4)]
                for name in ("best", "median", "worst")
            },
            "gallery_about": "Scaled by least squares.",
            "notes": ["Knees bend backward."],
            "versions": {"selflift": "9.8.7"},
            "command": "python -m selflift.eval",
        }
        return PageData(**(content | changes))

    return make


def make_example(rng: np.random.Generator, label: str) -> Example:
    truth = rng.normal(0, 300, (17, 3))
    prediction = truth + rng.normal(0, 40, (17, 3))
    pose_2d = 500 + 0.2 * truth[:, :2]
    pose_2d[3] = np.nan
    return Example(pose_2d, prediction, truth, label, "PA-MPJPE 40.0 mm")
