from __future__ import annotations

import math
import re

import numpy as np
import pytest

from selflift.evaluate.page import Example
from selflift.evaluate.page.poses import (
    HEADING,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    example_image,
    joint_figure,
)
from selflift.skeleton import H36M_17, make_skeleton

BONES = len(H36M_17.bones)
STICK = make_skeleton("stick", "Hip LTip<Hip", head="LTip")


def lines(svg: str, layer: str) -> list[np.ndarray]:
    """``(bones, 2, 2)`` of every group of a layer, in order."""
    groups = re.findall(rf'<g class="{layer}">(.*?)</g>', svg)
    return [
        np.array(re.findall(r'd="M(\S+) (\S+)L(\S+) (\S+)"', g), float).reshape(-1, 2, 2)
        for g in groups
    ]


def stick(offset: tuple[float, float, float], truth: tuple[float, float, float]) -> str:
    pose = np.array([[0.0, 0.0, 0.0], offset])
    true = np.array([[0.0, 0.0, 0.0], truth])
    return example_image(Example(pose[:, :2] + [0.0, 1.0], pose, true, "one", "0 mm"), STICK)


@pytest.mark.parametrize(
    ("offset", "seen"),
    [
        # right, down and away; (right, down) in each view.
        ((300.0, 0.0, 0.0), [(1, 0), (0, 0), (1, 0)]),
        ((0.0, 300.0, 0.0), [(0, 1), (0, 1), (0, 0)]),
        ((0.0, 0.0, 300.0), [(0, 0), (1, 0), (0, -1)]),
    ],
)
def test_views_show_the_axes_where_they_belong(
    offset: tuple[float, float, float], seen: list[tuple[int, int]]
) -> None:
    views = lines(stick(offset, (0.0, 1.0, 0.0)), "prediction")[1:]
    for view, direction in zip(views, seen, strict=True):
        step = view[0, 1] - view[0, 0]
        assert tuple(np.sign(np.round(step))) == direction


def test_views_of_an_example_share_one_scale() -> None:
    views = lines(stick((300.0, 400.0, 500.0), (-200.0, -100.0, 50.0)), "prediction")[1:]
    camera, side, above = (v[0, 1] - v[0, 0] for v in views)
    assert camera[1] == pytest.approx(side[1], abs=0.11)
    assert camera[0] == pytest.approx(above[0], abs=0.11)
    assert side[0] == pytest.approx(-above[1], abs=0.11)
    assert camera[0] / 300 == pytest.approx(side[0] / 500, rel=0.02)


def test_scale_bar_is_half_a_metre() -> None:
    drawn = stick((300.0, 400.0, 500.0), (0.0, 1.0, 0.0))
    bar = re.search(r'class="scale" x1="([\d.]+)" x2="([\d.]+)"', drawn)
    assert bar is not None
    camera = lines(drawn, "prediction")[1][0]
    length = np.linalg.norm(camera[1] - camera[0])
    assert float(bar[2]) - float(bar[1]) == pytest.approx(500 * length / 500, rel=0.01)


def test_truth_and_prediction_are_drawn_in_their_own_layers() -> None:
    drawn = stick((300.0, 0.0, 0.0), (0.0, 300.0, 0.0))
    truth, prediction = lines(drawn, "truth"), lines(drawn, "prediction")
    assert len(truth) == 3 and len(prediction) == 4
    assert truth[0][0, 1][1] > truth[0][0, 0][1] + 10
    assert prediction[1][0, 1][0] > prediction[1][0, 0][0] + 10


def test_everything_stays_in_its_panel() -> None:
    rng = np.random.default_rng(0)
    for size in (1.0, 4000.0):
        truth, prediction = rng.normal(0, size, (2, 17, 3))
        drawn = example_image(Example(truth[:, :2], prediction, truth, "one", "0 mm"), H36M_17)
        own = lines(drawn, "prediction")
        for panel, points in enumerate(own):
            left = panel * (PANEL_WIDTH + 5)
            assert (points[..., 0] >= left).all() and (points[..., 0] <= left + PANEL_WIDTH).all()
            assert (points[..., 1] >= HEADING).all()
            assert (points[..., 1] <= HEADING + PANEL_HEIGHT).all()
            assert len(points) == BONES


def test_missing_joints_take_their_bones_with_them() -> None:
    pose = np.random.default_rng(0).normal(0, 300, (17, 3))
    flat = pose[:, :2].copy()
    flat[H36M_17.index("LWrist")] = np.nan
    drawn = example_image(Example(flat, pose, pose, "one", "0 mm"), H36M_17)
    assert [len(g) for g in lines(drawn, "prediction")] == [BONES - 1, BONES, BONES, BONES]


def test_sides_have_their_colours() -> None:
    pose = np.random.default_rng(0).normal(0, 300, (17, 3))
    drawn = example_image(Example(pose[:, :2], pose, pose, "one", "0 mm"), H36M_17)
    for side, count in (("left", 6), ("right", 6), ("trunk", 4)):
        assert drawn.count(f'<path class="{side}"') == 7 * count


@pytest.mark.parametrize(
    # Towards a larger coordinate: away from the camera, towards the side's eye, away from above.
    ("view", "axis", "farther"),
    [(1, 2, 1.0), (2, 0, -1.0), (3, 1, 1.0)],
)
def test_what_is_nearer_covers_what_is_farther(view: int, axis: int, farther: float) -> None:
    crossed = make_skeleton("crossed", "Hip LTip<Hip RTip<Hip", head="LTip")
    for sign, first in ((farther, "left"), (-farther, "right")):
        pose = np.array([[0.0, 0, 0], [50, 60, 70], [50, 60, 70]])
        pose[1, axis], pose[2, axis] = sign * 200, -sign * 200
        drawn = example_image(Example(pose[:, :2], pose, pose, "one", "0 mm"), crossed)
        group = re.findall(r'<g class="prediction">(.*?)</g>', drawn)[view]
        assert re.findall(r'class="(left|right)"', group)[0] == first


def circles(svg: str) -> dict[str, tuple[float, float, float]]:
    found = re.findall(
        r'<circle class="[^"]*" cx="([^"]*)" cy="([^"]*)" r="([^"]*)"><title>(\w+):', svg
    )
    return {name: (float(x), float(y), float(r)) for x, y, r, name in found}


def test_areas_of_joints_are_in_proportion_to_errors() -> None:
    errors = {name: 10.0 + 6 * j for j, name in enumerate(H36M_17.joints)}
    drawn = joint_figure(errors, H36M_17)
    assert drawn is not None
    radius = {name: r for name, (_, _, r) in circles(drawn).items()}
    assert set(radius) == set(errors)
    largest = max(errors.values())
    for name, error in errors.items():
        assert radius[name] == pytest.approx(11 * math.sqrt(error / largest), abs=0.06)


def test_body_is_seen_from_the_front_upright() -> None:
    drawn = joint_figure(dict.fromkeys(H36M_17.joints, 10.0), H36M_17)
    assert drawn is not None
    place = circles(drawn)
    for left, right in zip(H36M_17.left, H36M_17.right, strict=True):
        a, b = place[H36M_17.joints[left]], place[H36M_17.joints[right]]
        assert a[0] - 90 == pytest.approx(90 - b[0], abs=0.11) and a[0] > b[0]
        assert a[1] == b[1]
    assert place["Head"][1] < place["Thorax"][1] < place["Hip"][1] < place["LFoot"][1]


def test_layouts_without_known_anatomy_have_no_body() -> None:
    assert joint_figure({"Hip": 1.0, "LTip": 2.0}, STICK) is None
