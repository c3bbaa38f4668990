"""The viewer's mathematics, run by node, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from selflift.skeleton import COCO_17_HIP, H36M_17, Skeleton
from selflift.viewer import Person
from selflift.viewer.html_page import encode_person
from tests.viewer.conftest import filmed

MakePerson = Callable[..., Person]
RunJs = Callable[..., Any]


def look(view: dict[str, Any], X: np.ndarray) -> np.ndarray:
    """Pixels and depth of places by rotation matrices and a camera matrix."""
    a, e = view["azimuth"], view["elevation"]
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]])
    seen = (X - view["target"]) @ (tilt @ turn).T
    depth = view["distance"] - seen[..., 2]
    f = view["scale"] * view["distance"]
    K = np.array([[f, 0, view["centre"][0]], [0, -f, view["centre"][1]]])
    homogeneous = np.stack([seen[..., 0] / depth, seen[..., 1] / depth, np.ones_like(depth)], -1)
    return np.concatenate([homogeneous @ K.T, depth[..., None]], -1)


def similar(a: np.ndarray, b: np.ndarray) -> float:
    """How far ``a`` is from ``b`` after scaling (not mirroring) and moving, as a share of size."""
    a, b = a - a.mean(0), b - b.mean(0)
    scale = max((a * b).sum() / (a * a).sum(), 0.0)
    return float(np.linalg.norm(scale * a - b) / np.linalg.norm(b))


@pytest.mark.parametrize("skeleton", [H36M_17, COCO_17_HIP], ids=lambda s: s.name)
def test_decoding_inverts_encoding(run_js: RunJs, skeleton: Skeleton) -> None:
    rng = np.random.default_rng(1)
    T, J = 30, skeleton.num_joints
    pose = rng.uniform(-50, 2000, (T, J, 2))
    pose[rng.random((T, J)) < 0.3] = np.nan
    pose[4] = np.nan
    person = Person(
        "Zoë", 7 + 3 * np.arange(T), rng.normal(0, 4, (T, J, 3)), pose, rng.random((T, J)) < 0.3
    )
    back = run_js("decodePerson", encode_person(person, skeleton, 0.25), skeleton.parents, 0.25)
    assert back["name"] == "Zoë" and back["frame"] == person.frame.tolist()
    np.testing.assert_allclose(
        np.reshape(back["X"], (T, J, 3)), np.rint(person.X_m * 1000) / 1000, atol=1e-5
    )
    seen = np.array(back["pose"], dtype=float).reshape(T, J, 2)
    np.testing.assert_allclose(seen, pose, atol=0.126)
    np.testing.assert_array_equal(np.reshape(back["filled"], (T, J)), person.filled)


def test_numbers_beyond_32_bits_survive(run_js: RunJs) -> None:
    from selflift.viewer.html_page import _text

    values = [0, 1, 127, 128, 2**31, 2**32, 2**45, 3]
    assert run_js("decodeNumbers", _text(np.array(values))) == values


@pytest.mark.parametrize("seed", range(4))
def test_projecting_is_the_camera_matrix(run_js: RunJs, seed: int) -> None:
    rng = np.random.default_rng(seed)
    view = {
        "azimuth": rng.uniform(-4, 4), "elevation": rng.uniform(-1.57, 1.57), "distance": 6.0,
        "target": rng.normal(0, 2, 3).tolist(), "scale": 200.0, "centre": [400.0, 310.0],
    }  # fmt: skip
    X = np.array(view["target"]) + rng.uniform(-1, 1, (20, 3))
    got = np.array(run_js("(view, points) => points.map(projector(view))", view, X.tolist()))
    expected = look(view, X)
    np.testing.assert_allclose(got[:, :3], expected, atol=1e-9)
    np.testing.assert_allclose(got[:, 3], 200.0 * 6.0 / expected[:, 2])


@pytest.mark.parametrize(
    ("name", "right", "up", "nearer"),
    [
        ("camera", [1, 0, 0], [0, 1, 0], [0, 0, 1]),
        # Depth, which is -z, grows to the right.
        ("side", [0, 0, -1], [0, 1, 0], [1, 0, 0]),
        # The camera stands at the bottom: what is farther is higher.
        ("above", [1, 0, 0], [0, 0, -1], [0, 1, 0]),
    ],
)
def test_presets_look_from_where_they_say(
    run_js: RunJs, name: str, right: list[int], up: list[int], nearer: list[int]
) -> None:
    view = run_js("presetView", name, [0.5, 1.0, -3.0], 1.0, False)
    view |= {"scale": 100.0, "centre": [0, 0]}
    ends = (np.array(view["target"]) + 0.1 * np.array([right, up, nearer])).tolist()
    (x1, y1, *_), (x2, y2, *_), (_, _, depth, _) = run_js(
        "(view, points) => points.map(projector(view))", view, ends
    )
    np.testing.assert_allclose([x1, y1, x2, y2], [10, 0, 0, -10], atol=1e-9)
    assert depth < view["distance"]


def test_the_camera_preset_stands_where_the_camera_stood(
    run_js: RunJs, make_person: MakePerson
) -> None:
    person = make_person(frames=40)
    body = person.X_m[20]
    view = run_js("presetView", "camera", body.mean(0).tolist(), 1.0, True)
    seen = look({**view, "scale": 100.0, "centre": [0.0, 0.0]}, body)[:, :2]
    # Turned towards the body instead of tilted by 12 degrees: the same picture up to a keystone.
    assert similar(seen, filmed(body)) < 0.02
    assert similar(seen * [-1, 1], filmed(body)) > 0.5
    eye = np.array(view["target"]) + view["distance"] * np.array([
        np.sin(view["azimuth"]) * np.cos(view["elevation"]), np.sin(view["elevation"]),
        np.cos(view["azimuth"]) * np.cos(view["elevation"]),
    ])  # fmt: skip
    np.testing.assert_allclose(eye, 0, atol=1e-9)


@pytest.mark.parametrize("name", ["camera", "side", "above"])
def test_a_view_holds_all_points_and_fills_the_picture(run_js: RunJs, name: str) -> None:
    X = np.random.default_rng(0).uniform([-2, -1, -9], [3, 1, -5], (200, 3))
    picture = {"width": 640, "height": 480, "margin": 0.1, "top": 40}
    bare = run_js("presetView", name, X.mean(0).tolist(), 3.0, True)
    view = run_js("fitView", bare, X.tolist(), picture)
    x, y = look(view, X)[:, :2].T
    assert x.min() > 62 and x.max() < 578 and y.min() > 82 and y.max() < 438
    np.testing.assert_allclose([x.min() + x.max(), y.min() + y.max()], [640, 520], atol=4)
    assert np.ptp(x) > 500 or np.ptp(y) > 340


def test_zooming_keeps_what_is_under_the_pointer(run_js: RunJs) -> None:
    view = {"azimuth": 0.3, "elevation": 0.2, "distance": 5.0, "target": [0, 0, 0],
            "scale": 100.0, "centre": [320, 240]}  # fmt: skip
    point = np.array([0.4, 0.7, -0.2])
    x, y, _ = look(view, point)
    after = run_js("(view, x, y) => { zoom(view, 2.5, x, y); return view; }", view, x, y)
    np.testing.assert_allclose(look(after, point)[:2], [x, y])
    assert after["scale"] == 250


def test_a_line_is_cut_at_the_camera(run_js: RunJs) -> None:
    view = {"azimuth": 0.0, "elevation": 0.0, "distance": 2.0, "target": [0, 0, 0],
            "scale": 100.0, "centre": [0, 0]}  # fmt: skip
    call = "(view, a, b) => projectLine(view, projector(view), a, b)"
    assert run_js(call, view, [0, 0, 3], [1, 0, 2.5]) is None
    whole = run_js(call, view, [0, 0, 0], [1, 0, -1])
    np.testing.assert_allclose([p[:2] for p in whole], look(view, np.eye(3)[[1, 0]] * 0)[:, :2] + [
        [0, 0], [200 / 3, 0],
    ])  # fmt: skip
    for ends in (([0, 0, 0], [0.5, 0, 4]), ([0.5, 0, 4], [0, 0, 0])):
        depths = [p[2] for p in run_js(call, view, *ends)]
        np.testing.assert_allclose(sorted(depths), [0.05, 2.0])


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([[3, 4, 5]], {"first": 3, "stride": 1, "count": 3}),
        ([[10, 14, 22]], {"first": 10, "stride": 4, "count": 4}),
        ([[10, 20], [15, 35]], {"first": 10, "stride": 5, "count": 6}),
        ([[8]], {"first": 8, "stride": 1, "count": 1}),
    ],
)
def test_the_timeline_has_every_frame(
    run_js: RunJs, frames: list[list[int]], expected: dict[str, int]
) -> None:
    people = [{"frame": own, "count": len(own)} for own in frames]
    assert run_js("timeline", people) == expected
    rows = "(person, frames) => frames.map((f) => [rowAt(person, f), lastRow(person, f)])"
    asked = list(range(frames[0][0] - 1, frames[0][-1] + 2))
    assert run_js(rows, people[0], asked) == [
        [frames[0].index(f) if f in frames[0] else -1, sum(g <= f for g in frames[0]) - 1]
        for f in asked
    ]


def test_smoothing_is_a_running_mean(run_js: RunJs) -> None:
    pairs = np.random.default_rng(0).standard_normal((20, 2))
    got = np.reshape(run_js("smooth", pairs.ravel().tolist(), 3), (20, 2))
    around = [min(3, t, 19 - t) for t in range(20)]
    expected = [pairs[t - a : t + a + 1].mean(0) for t, a in enumerate(around)]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_a_pose_that_isnt_seen_keeps_the_middle_of_the_one_before(
    run_js: RunJs, make_person: MakePerson
) -> None:
    person = make_person()
    person.pose_2d[:, 5] = np.nan
    person.pose_2d[[0, 1, 6]] = np.nan
    table = encode_person(person, H36M_17, 0.5)
    call = "(table, parents) => middleOfPose(decodePerson(table, parents, 0.5))"
    got = np.reshape(run_js(call, table, H36M_17.parents), (12, 2))
    with np.errstate(all="ignore"):
        rows = np.array([2, 2, 2, 3, 4, 5, 5, 7, 8, 9, 10, 11])
    np.testing.assert_allclose(got, np.nanmean(person.pose_2d[rows], axis=1), atol=0.3)


def test_the_floor_has_squares_under_everybody(run_js: RunJs) -> None:
    X = np.random.default_rng(0).uniform([-20, 0, -60], [5, 1, -6], (500, 3))
    squares = run_js("groundSquares", X.tolist())
    assert squares["width"] in (1, 2, 5)
    for k, axis in ((0, "x"), (2, "z")):
        low, high = squares[axis]
        assert low < X[:, k].min() and high > X[:, k].max()
        assert low % squares["width"] == high % squares["width"] == 0
