"""Charts: bins against a loop, what is drawn against the numbers, images that hold only shapes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from selflift.evaluate import charts

ERRORS = np.random.default_rng(0).gamma(6.0, 8.0, 900)
MAKE: dict[str, Callable[[np.ndarray], Figure]] = {
    "histogram": lambda e: charts.histogram(e, "error, mm", {"mean": float(e.mean())}),
    "cumulative": lambda e: charts.cumulative(e, "error, mm"),
    "bars": lambda e: charts.bars({"a": float(e.max()), "b": 1.0}, "error, mm", [(1, 2), None], 1),
    "trend": lambda e: charts.trend(charts.bin_by(np.arange(len(e)), e), "x", "error, mm"),
    "density": lambda e: charts.density(e, e[::-1], "true", "learned"),
}


def source(figure: Figure) -> str:
    address = charts.svg_address(figure)
    kind, content = address.split(",")
    assert kind == "data:image/svg+xml;base64"
    return base64.b64decode(content).decode()


def test_bins_hold_every_known_pose_once() -> None:
    rng = np.random.default_rng(1)
    covariate = rng.normal(size=900)
    covariate[::7] = np.nan
    known = np.isfinite(covariate)
    bins = charts.bin_by(covariate, ERRORS)
    assert sum(one.num_poses for one in bins) == known.sum()
    assert max(one.num_poses for one in bins) - min(one.num_poses for one in bins) <= 1
    for i, one in enumerate(bins):
        last = i == len(bins) - 1
        inside = known & (covariate >= one.low)
        inside &= (covariate <= one.high) if last else (covariate < one.high)
        own = ERRORS[inside]
        assert len(own) == one.num_poses
        quartiles = np.quantile(own, [0.25, 0.75])
        np.testing.assert_allclose(one[3:], [own.mean(), *quartiles])


def test_poses_of_one_value_are_one_bin_and_unknown_ones_none() -> None:
    (one,) = charts.bin_by(np.full(5, 3.0), np.arange(5.0))
    assert (one.low, one.high, one.num_poses, one.mean) == (3, 3, 5, 2)
    assert charts.bin_by(np.full(5, np.nan), np.arange(5.0)) == []


def test_a_histogram_counts_every_pose_and_marks_values() -> None:
    (ax,) = charts.histogram(ERRORS, "error, mm", {"mean 48": 48.0}).axes
    assert sum(patch.get_height() for patch in ax.patches) == len(ERRORS)
    (line,) = ax.lines
    assert line.get_xdata()[0] == 48 and line.get_label() == "mean 48"


def test_a_cumulative_curve_is_the_share_of_poses() -> None:
    (ax,) = charts.cumulative(ERRORS, "error, mm").axes
    x, y = ax.lines[0].get_data()
    share = [100 * (value + 1e-9 >= ERRORS).mean() for value in x]
    np.testing.assert_allclose(y, share, atol=0.2)


def test_bars_are_as_long_as_their_values_with_their_intervals() -> None:
    (ax,) = charts.bars({"a" * 40: 5.0, "b": 3.0}, "x", [(4.0, 7.0), None], 4.0).axes
    assert [bar.get_width() for bar in ax.patches] == [5, 3]
    assert list(ax.lines[0].get_xdata()) == [4, 7]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["a" * 23 + "…", "b"]


def test_a_trend_draws_the_means_and_the_middle_half() -> None:
    bins = charts.bin_by(np.arange(900.0), ERRORS)
    (ax,) = charts.trend(bins, "x", "y").axes
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [one.mean for one in bins])
    edges = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert {edges.min(), edges.max()} == {
        min(one.quarter for one in bins), max(one.three_quarters for one in bins),
    }  # fmt: skip


def test_a_density_has_truth_to_the_right_and_prediction_upwards() -> None:
    (ax,) = charts.density(np.array([0.0, 10, 10]), np.array([0.0, 0, 0]), "t", "l").axes
    drawn = ax.images[0].get_array()
    assert drawn[0, -1] > drawn[0, 0] > 0 == drawn[-1].max()


@pytest.mark.parametrize("name", MAKE)
def test_images_are_the_same_bytes_and_hold_shapes_alone(name: str) -> None:
    drawn = [source(MAKE[name](ERRORS)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    tags = {element.tag.split("}")[1] for element in ElementTree.fromstring(drawn[0]).iter()}
    assert tags <= {"svg", "defs", "style", "g", "path", "use", "text", "clipPath", "rect", "image"}


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("errors", [np.zeros(3), np.full(40, 7.5), np.array([3.0])], ids=str)
def test_few_and_equal_errors_are_drawn(name: str, errors: np.ndarray) -> None:
    assert "<svg" in source(MAKE[name](errors))


@pytest.mark.parametrize("name", MAKE)
def test_charts_of_many_poses_are_as_large_as_of_few(name: str) -> None:
    many = np.random.default_rng(2).gamma(6.0, 8.0, 200_000)
    assert len(source(MAKE[name](many))) < 2 * len(source(MAKE[name](ERRORS)))


def test_labels_are_text_not_markup_nor_mathematics() -> None:
    with charts.style():
        figure = charts.bars({"<b>$x_1$": 1.0}, "a & b")
    assert "&lt;b&gt;$x_1$" in source(figure) and "a &amp; b" in source(figure)
