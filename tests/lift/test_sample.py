"""The bundled weights on real motion that they haven't seen, written as a detector's files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from selflift.geometry.align import procrustes
from tests.cli.test_predict import command

SAMPLES = Path(os.environ.get("SELFLIFT_DATA", "data")) / "samples"


@pytest.mark.skipif(
    not (SAMPLES / "projected_truth.npz").is_file(),
    reason="set SELFLIFT_DATA to the folder that holds samples/",
)
@pytest.mark.parametrize(
    ("camera", "at_most_mm"),
    [(["camera.size_px=[1000,1000]", "camera.f_px=1145"], (43, 54)), ([], (43, 66))],
    ids=["known", "unknown"],
)
def test_openpose_files_of_an_unseen_player(
    tmp_path: Path, camera: list[str], at_most_mm: tuple[float, float]
) -> None:
    done = command(
        tmp_path, "selflift.predict", f"input={SAMPLES / 'projected_openpose'}", "output=out.npz",
        "keypoints.fps=25", *camera,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as found, np.load(SAMPLES / "projected_truth.npz") as truth:
        frame, levelled = found["frame"], found["levelled_m"] * 1000
        world = truth["world"][frame] * 1000.0
    assert len(frame) == 60
    # The camera is level and looks along the world's y axis: x right, y up, z towards it.
    X = torch.from_numpy(levelled).double()
    Y = torch.from_numpy((world - world[:, :1])[..., [0, 2, 1]] * [1, 1, -1])
    aligned = (procrustes(X, Y) - Y).norm(dim=-1).mean()
    print(f"PA-MPJPE {aligned:.1f} mm, MPJPE at 1.70 m {(X - Y).norm(dim=-1).mean():.1f} mm")
    assert aligned < at_most_mm[0]
    assert (X - Y).norm(dim=-1).mean() < at_most_mm[1]
