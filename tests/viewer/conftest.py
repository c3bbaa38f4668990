"""People who move a little, and the viewer's script run by node."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.skeleton import H36M_17
from selflift.viewer import Person

NODE = shutil.which("node")
PURE = ("poses.js", "camera.js", "draw.js", "motion.js")
# A camera that looks down by 12 degrees: level axes (x right, y up, z towards it) to its own
# (x right, y down, z forward).
PITCH = np.radians(12)
LEVEL_TO_CAMERA = np.array([
    [1, 0, 0], [0, -np.cos(PITCH), np.sin(PITCH)], [0, -np.sin(PITCH), -np.cos(PITCH)],
])  # fmt: skip
F_PX, CENTRE_PX = 1150.0, np.array([500.0, 500.0])


def filmed(X_m: np.ndarray) -> np.ndarray:
    """Pixels of places before the camera at the origin."""
    X = X_m @ LEVEL_TO_CAMERA.T
    return F_PX * X[..., :2] / X[..., 2:] + CENTRE_PX


@pytest.fixture
def make_person(standing: np.ndarray) -> Callable[..., Person]:
    """A person who faces the camera and strolls along x; the 2D is what the camera films."""

    def make(
        name: str = "Ana", frames: int = 12, first: int = 0, seed: int = 0, **changes: Any
    ) -> Person:
        rng = np.random.default_rng(seed)
        # The standing person faces world +y; here +z is towards the camera.
        body = standing[:, [0, 2, 1]] * [-1, 1, 1]
        sway = np.cumsum(0.01 * rng.standard_normal((frames, *body.shape)), axis=0)
        walk = np.linspace([-0.4, 0, 0], [0.4, 0, 0], frames)[:, None]
        X_m = body + sway + walk + [0.1, -1.9, -4.5]
        return Person(
            **{
                "name": name,
                "frame": first + np.arange(frames),
                "X_m": X_m,
                "pose_2d": filmed(X_m),
                "filled": None,
                **changes,
            }
        )

    return make


@pytest.fixture
def run_js() -> Callable[..., Any]:
    """Call a function of the viewer's script, or an expression that is one, with JSON arguments."""
    if NODE is None:
        pytest.skip("node is not installed: the viewer's script is not run")

    def run(function: str, *arguments: object, source: str | None = None) -> Any:
        if source is None:
            files = resources.files("selflift.viewer")
            source = "\n".join(files.joinpath(name).read_text() for name in PURE)
        call = (
            f'"use strict";\n{source}\n;console.log(JSON.stringify(({function})('
            '...JSON.parse(require("fs").readFileSync(0, "utf8"))),'
            "(_, v) => ArrayBuffer.isView(v) ? Array.from(v) : v))"
        )
        done = subprocess.run(
            [str(NODE), "-e", call], input=json.dumps(arguments), capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def parents() -> list[int]:
    return list(H36M_17.parents)


@pytest.fixture
def fake_page() -> str:
    """JavaScript of a page without a browser: it records what is drawn."""
    return (Path(__file__).parent / "fake_page.js").read_text()
