from __future__ import annotations

import re

import numpy as np
import pytest

from selflift.evaluate.page import charts
from selflift.evaluate.page.bins import axis_end, bin_by, marks
from selflift.evaluate.page.charts import Bar, bars, cumulative, density, histogram, trend


@pytest.fixture
def errors() -> np.ndarray:
    return np.random.default_rng(0).gamma(5, 8, 20_000)


def attributes(svg: str, kind: str, *names: str) -> list[tuple[float, ...]]:
    """Attributes of the elements of one class, in order."""
    tags = re.findall(rf'<\w+ class="{kind}"([^>]*)>', svg)
    return [tuple(float(re.search(rf' {n}="([^"]*)"', t)[1]) for n in names) for t in tags]  # type: ignore[index]


def test_histogram_counts_every_pose_once(errors: np.ndarray) -> None:
    drawn = histogram(errors, "PA-MPJPE", "mm", marks(errors, False))
    bins = re.findall(r"<title>([\d.,]+) (?:to ([\d.,]+)|and more) mm: ([\d,]+) poses", drawn)
    counts = [int(count.replace(",", "")) for *_, count in bins]
    assert sum(counts) == 20_000
    for (low, high, _), count in zip(bins[:-1], counts, strict=False):
        assert count == ((errors >= float(low)) & (errors < float(high))).sum()
    assert bins[-1][1] == "" and counts[-1] == (errors >= float(bins[-1][0])).sum()


def test_histogram_bars_are_as_high_as_their_counts(errors: np.ndarray) -> None:
    drawn = histogram(errors, "PA-MPJPE", "mm", marks(errors, False))
    counts = [int(c.replace(",", "")) for c in re.findall(r"mm: ([\d,]+) poses</title>", drawn)]
    heights = [h for (h,) in attributes(drawn, "bar(?: beyond)?", "height")]
    np.testing.assert_allclose(heights, max(heights) * np.array(counts) / max(counts), atol=0.11)


def test_marks_stand_at_their_values(errors: np.ndarray) -> None:
    marked = marks(errors, False)
    drawn = histogram(errors, "PA-MPJPE", "mm", marked)
    end = axis_end(errors)
    for i, value in enumerate(marked.values()):
        ((x,),) = attributes(drawn, f"mark mark-{i}", "x1")
        assert (x - 46) / (346 - 46) == pytest.approx(value / end, abs=0.012)


def test_cumulative_curve_is_the_share_of_poses(errors: np.ndarray) -> None:
    drawn = cumulative(errors, "PA-MPJPE", "mm")
    curve = re.search(r'class="curve" d="M([^"]*)"', drawn)
    assert curve is not None
    points = np.array([p.split() for p in curve[1].split("L")], float)
    errors_at = (points[:, 0] - 46) / 300 * axis_end(errors)
    share = (220 - points[:, 1]) / (220 - 26)
    expected = [(errors <= e).mean() for e in errors_at]
    np.testing.assert_allclose(share, expected, atol=0.01)
    assert (np.diff(share) >= 0).all()


def test_bars_begin_at_zero_and_whiskers_span_the_interval() -> None:
    rows = [Bar("a", 40.0, (30.0, 50.0), "", "a"), Bar("b", 20.0, None, "left", "b")]
    drawn = bars(rows, "error", "mm", mean=30.0)
    (width_a,), (width_b,) = attributes(drawn, "bar(?: left)?", "width")
    assert width_a == pytest.approx(2 * width_b, abs=0.16)
    whisker = re.search(r'class="whisker" d="M([\d.]+) [\d.]+H([\d.]+)', drawn)
    assert whisker is not None
    low, high = (float(end) - 112 for end in whisker.groups())
    assert low / width_a == pytest.approx(30 / 40, abs=0.002)
    assert high / width_a == pytest.approx(50 / 40, abs=0.002)
    ((x,),) = attributes(drawn, "mark mark-1", "x1")
    assert (x - 112) / width_a == pytest.approx(30 / 40, abs=0.002)


def test_long_names_are_shortened_with_the_whole_in_the_tooltip() -> None:
    name = "an action with a very long name"
    drawn = bars([Bar(name, 1.0, None, "", f"{name}: 1")], "error", "mm")
    assert "an action with …<" in drawn and f"<title>{name}: 1</title>" in drawn


def test_trend_draws_mean_band_and_count_of_every_bin(errors: np.ndarray) -> None:
    covariate = np.random.default_rng(1).uniform(0, 10, len(errors))
    bins = bin_by(covariate, errors + 3 * covariate)
    drawn = trend(bins, "PA-MPJPE", "distance, m", "mm")
    band = attributes(drawn, "band", "y", "height")
    count = attributes(drawn, "count", "height")
    dots = attributes(drawn, "dot", "cy")
    assert len(band) == len(count) == len(dots) == len(bins) == 10
    # From a bin's own band, the scale of the vertical axis.
    per_mm = band[0][1] / (bins[0].three_quarters - bins[0].quarter)
    for b, (top, height), (cy,), (bar,) in zip(bins, band, dots, count, strict=True):
        assert height == pytest.approx(per_mm * (b.three_quarters - b.quarter), abs=0.2)
        assert cy - top == pytest.approx(per_mm * (b.three_quarters - b.mean), abs=0.2)
        assert bar == pytest.approx(20 * b.num_poses / max(o.num_poses for o in bins), abs=0.06)


def test_density_counts_poses_and_those_outside() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(-12, 3, 5000)
    learned = true + rng.normal(0, 1, 5000)
    learned[0] = 500.0
    drawn = density(true, learned, "true elevation", "learned elevation")
    inside = sum(int(c.replace(",", "")) for c in re.findall(r"<title>([\d,]+) poses", drawn))
    outside = re.search(r"; ([\d,]+) of 5,000 poses lie outside", drawn)
    assert outside is not None and inside + int(outside[1]) == 5000
    assert int(outside[1]) >= 1


def test_density_puts_truth_right_and_prediction_up() -> None:
    drawn = density(np.full(50, 10.0), np.linspace(-10, 9, 50), "true", "learned")
    places = np.array(attributes(drawn, "cell", "x", "y"))
    assert len(set(places[:, 0])) == 1 and len(set(places[:, 1])) > 5
    identity = re.search(r'class="identity" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', drawn)
    assert identity is not None
    x0, y0, x1, y1 = map(float, identity.groups())
    assert x1 > x0 and y1 < y0
    # All predictions are too low: below the line of equality.
    for x, y in places:
        assert y > y0 + (x - x0) / (x1 - x0) * (y1 - y0) - 8


def test_charts_of_many_poses_are_as_large_as_of_few() -> None:
    few, many = (
        len(histogram(e, "PA", "mm", marks(e, False)) + cumulative(e, "PA", "mm"))
        for e in (np.random.default_rng(0).gamma(5, 8, n) for n in (2000, 500_000))
    )
    assert many < 1.5 * few
    assert many / 4 < charts.HISTOGRAM_BINS * 200
