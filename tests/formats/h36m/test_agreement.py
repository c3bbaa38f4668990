"""Detections held against the projected 3D: good ones pass, those of something else don't."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from selflift.files.untrusted import ImportFileError
from selflift.skeleton import H36M_17
from tests.formats.h36m.people import CAMERAS, SLOTS
from tests.formats.h36m.videopose3d_files import (
    Poses3D,
    detected,
    open_pair,
    read_pair,
    seen_by,
)


def test_the_distance_to_the_3d_is_measured(tmp_path: Path, positions: Poses3D) -> None:
    poses = detected(positions, noise_px=5)
    poses["S9"]["Sitting 1"][2] += np.float32([30, 0])
    notes = read_pair(tmp_path, positions, poses)[0].report.notes
    distances = {}
    for subject, recordings in positions.items():
        for key, metres in recordings.items():
            for camera, found in zip(CAMERAS, poses[subject][key], strict=True):
                truth = seen_by(subject, camera, metres[:, SLOTS])[..., 3:]
                distances[f"{key}.{camera}"] = np.median(
                    np.hypot(*np.moveaxis(found - truth, 2, 0))
                )
    # The median of a Rayleigh distribution of 5 px.
    assert np.median(list(distances.values())) == pytest.approx(5 * np.sqrt(2 * np.log(2)), rel=0.1)
    assert notes[-1] == (
        f"2D lies {np.median(list(distances.values())):.2f} px from the projected 3D (median over "
        f"takes); worst take S9 Sitting 1.58860488: {distances['Sitting 1.58860488']:.2f} px"
    )
    assert max(distances, key=lambda name: distances[name]) == "Sitting 1.58860488"


@pytest.mark.parametrize("noise_px", [0.0, 20.0])
def test_good_and_poor_detectors_are_both_let_through(
    tmp_path: Path, positions: Poses3D, noise_px: float
) -> None:
    assert len(read_pair(tmp_path, positions, detected(positions, noise_px))[1]) == 12


def test_lying_sitting_and_drifting_takes_are_let_through(
    tmp_path: Path, standing: np.ndarray
) -> None:
    lying = standing @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]) + [0, 0, 0.2]
    body = np.repeat(lying[None], 20, 0).astype(np.float32)
    upright = np.repeat(standing[None], 20, 0).astype(np.float32)
    positions = {"S9": {"SittingDown": body, "Greeting": upright, "Waiting 1": upright}}
    poses = detected(positions, noise_px=12)
    # The truth is off by 15 cm.
    positions["S9"]["Greeting"] = upright + np.float32([0.1, 0.1, 0.05])
    assert len(read_pair(tmp_path, positions, poses)[1]) == 12


def test_takes_whose_truth_drifts_are_noted_and_others_are_refused(
    tmp_path: Path, standing: np.ndarray
) -> None:
    body = np.repeat(standing[None], 20, 0).astype(np.float32)
    for name in ("SittingDown 1", "Sitting 1"):
        positions = {"S9": {name: body, "Posing": body}}
        poses = detected(positions, noise_px=5)
        positions["S9"][name] = body + np.float32([0.4, 0.4, 0])
        recordings = open_pair(tmp_path, positions, poses)
        if name == "SittingDown 1":
            assert len(list(recordings.takes)) == 8
            assert "; far off, since their 3D drifts: S9 Sitting" in recordings.report.notes[-1]
            continue
        with pytest.raises(ImportFileError, match="S9 Sitting 1.*: expected positions_2d within"):
            list(recordings.takes)


def test_the_match_is_judged_through_the_true_lens(tmp_path: Path, positions: Poses3D) -> None:
    recordings, takes = read_pair(tmp_path, positions, detected(positions), lens=False)
    assert takes[0].view is not None and not takes[0].view.radial.any()
    assert recordings.report.notes[-1].startswith("2D lies 0.00 px from the projected 3D")


def test_skipped_takes_are_not_judged(tmp_path: Path, positions: Poses3D) -> None:
    poses = detected(positions)
    poses["S9"]["Sitting 1"][1] += np.float32(400)
    recordings, takes = read_pair(tmp_path, positions, poses, skip=["S9 Sitting 1.55011271"])
    assert len(takes) == 11 and recordings.report.dropped == {
        "on the skip list: S9 Sitting 1.55011271": 20
    }


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda v: [v[1], v[0], v[2], v[3]], "S1 Directions 1.54138969: .* fit camera 55011271 "
         r"\(3.6 px from the projected 3D, not 480.4\); check the order and the names"),
        (lambda v: [v[0], v[1], v[3], v[2]], "S1 Directions 1.58860488: .*fit camera 60457274"),
        (lambda v: [a / 500 - 1 for a in v], "S1 Directions 1.54138969: .*2D is in pixels"),
        (lambda v: [a[:, np.random.default_rng(0).permutation(17)] for a in v], "order of the joi"),
        (lambda v: [a + np.float32([150, 0]) for a in v], "within 84 px .*got 150 px"),
        (lambda v: [a[:, H36M_17.mirror, :] for a in v], "S1 Directions 1.54138969: expected left "
         "joints of positions_2d on the left, got 12 of 12 takes"),
    ],
)  # fmt: skip
def test_2d_of_something_else_is_refused(
    tmp_path: Path, positions: Poses3D, spoil: Callable, message: str
) -> None:
    poses = {s: {k: spoil(v) for k, v in row.items()} for s, row in detected(positions, 3).items()}
    recordings = open_pair(tmp_path, positions, poses)
    with pytest.raises(ImportFileError, match=f"data_2d_h36m_cpn.npz': .*{message}"):
        list(recordings.takes)


def test_a_single_exchange_of_the_sides_is_only_noted(tmp_path: Path, positions: Poses3D) -> None:
    poses = detected(positions, 3)
    poses["S1"]["WalkDog"][0] = poses["S1"]["WalkDog"][0][:, H36M_17.mirror, :]
    recordings, takes = read_pair(tmp_path, positions, poses)
    assert len(takes) == 12
    assert recordings.report.notes[-1].endswith(
        "; fit better with left and right exchanged: S1 WalkDog.54138969"
    )
