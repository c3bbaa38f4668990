from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflift.evaluate.page.bins import axis_end, bin_by, marks


def test_bins_are_those_of_a_loop_over_poses() -> None:
    rng = np.random.default_rng(0)
    covariate, errors = rng.normal(5, 2, 3000), rng.gamma(5, 8, 3000)
    covariate[::11], errors[::13] = np.nan, np.nan
    found = bin_by(covariate, errors)
    assert 6 <= len(found) <= 14
    assert {round(b.high - b.low, 9) for b in found} == {1.0}
    for i, b in enumerate(found):
        own = [
            float(e)
            for c, e in zip(covariate, errors, strict=True)
            if np.isfinite(c)
            and np.isfinite(e)
            and (c >= b.low or i == 0)
            and (c < b.high or i == len(found) - 1)
        ]
        assert b.num_poses == len(own)
        assert b.mean == pytest.approx(sum(own) / len(own))
        assert b.quarter == pytest.approx(np.percentile(own, 25))
        assert b.three_quarters == pytest.approx(np.percentile(own, 75))


@given(
    st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=300),
    st.sampled_from([1.0, 1e-3, 1e3]),
)
def test_no_pose_is_lost(values: list[float], scale: float) -> None:
    covariate = scale * np.array(values)
    found = bin_by(covariate, np.arange(len(values), dtype=float))
    assert sum(b.num_poses for b in found) == len(values)
    assert all(b.low < b.high for b in found)
    total = sum(b.mean * b.num_poses for b in found)
    assert total == pytest.approx(sum(range(len(values))))


def test_poses_of_one_value_are_one_bin_that_holds_it() -> None:
    for value in (-12.0, 0.0, 0.3, 5000.0):
        (found,) = bin_by(np.full(50, value), np.ones(50))
        assert found.num_poses == 50 and found.low <= value < found.high


def test_nothing_known_is_no_bin() -> None:
    assert bin_by(np.array([np.nan, 1.0]), np.array([1.0, np.nan])) == []


def test_marks_name_the_bad_tail() -> None:
    errors = np.arange(101.0)
    assert marks(errors, False) == {"median": 50.0, "mean": 50.0, "95 % below": 95.0}
    assert marks(errors, True) == {"median": 50.0, "mean": 50.0, "95 % above": 5.0}


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=300))
def test_axis_of_a_distribution_hides_no_more_than_its_tail(values: list[float]) -> None:
    errors = np.array(values)
    end = axis_end(errors)
    assert end > 0
    assert (errors > end * (1 + 1e-9)).mean() <= 0.005
