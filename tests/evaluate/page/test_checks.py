from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.evaluate.catalogue import METRICS, Metric
from selflift.evaluate.page import (
    Covariates,
    Elevation,
    PageData,
    PublishedResult,
    Result,
    write_page,
)
from selflift.evaluate.page.checks import check

MakeData = Callable[..., PageData]
PA = METRICS["pa_mpjpe_mm"]


def test_consistent_data_pass(make_data: MakeData) -> None:
    check(make_data())


def test_refused_data_leave_an_earlier_page_intact(make_data: MakeData, tmp_path: Path) -> None:
    page = write_page(make_data(), tmp_path)
    before = page.read_bytes()
    with pytest.raises(ValueError, match="averaging"):
        write_page(make_data(averaging="median"), tmp_path)
    assert page.read_bytes() == before


def test_headline_must_be_a_result_that_uses_no_truth(make_data: MakeData) -> None:
    with pytest.raises(ValueError, match="headline 'auc' among them, got pa_mpjpe_mm"):
        check(make_data(headline="auc"))
    with pytest.raises(ValueError, match="got 'mpjpe_flip_mm', an oracle's"):
        check(make_data(headline="mpjpe_flip_mm"))
    twice = make_data()
    with pytest.raises(ValueError, match="one result per metric"):
        check(replace(twice, results=[*twice.results, twice.headline_result]))


def test_headline_must_be_the_mean_of_what_is_drawn(make_data: MakeData) -> None:
    data = make_data()
    own = data.headline_result
    assert own.per_frame is not None
    with pytest.raises(ValueError, match="the value of 'pa_mpjpe_mm' to be the mean"):
        check(replace(data, results=[replace(own, value=own.value + 0.1)], published=()))
    with pytest.raises(ValueError, match="the per-frame value of 'pa_mpjpe_mm' to be the mean"):
        check(replace(data, results=[replace(own, per_frame=own.per_frame - 0.1)], published=()))
    with pytest.raises(ValueError, match="the value of 'pa_mpjpe_mm' to be the mean"):
        wrong = replace(own, value=own.per_frame + 0.1)
        check(replace(data, results=[wrong], published=(), averaging="frames"))


def test_excluded_poses_must_be_counted(make_data: MakeData) -> None:
    data = make_data()
    errors = data.errors.copy()
    errors[0] = np.nan
    with pytest.raises(ValueError, match="expected 0 errors that are NaN, .* got 1"):
        check(replace(data, errors=errors))


@pytest.mark.parametrize("bad", [-1.0, np.inf])
def test_impossible_errors_are_refused(make_data: MakeData, bad: float) -> None:
    errors = make_data().errors.copy()
    errors[3] = bad
    with pytest.raises(ValueError, match="one error per pose"):
        check(make_data(errors=errors))


def test_errors_must_be_one_per_pose_and_one_a_number(make_data: MakeData) -> None:
    for errors in (np.empty(0), np.full(4, np.nan), np.ones((1, 2))):
        with pytest.raises(ValueError, match="one error per pose"):
            check(make_data(errors=errors))


@pytest.mark.parametrize(
    "result",
    [
        Result(METRICS["auc"], np.nan),
        Result(METRICS["auc"], 30.0, (31.0, 29.0)),
        Result(METRICS["auc"], 30.0, (np.nan, 31.0)),
        Result(METRICS["auc"], 30.0, None, np.inf),
    ],
)
def test_numbers_must_be_finite_and_intervals_ordered(make_data: MakeData, result: Result) -> None:
    data = make_data()
    with pytest.raises(ValueError, match="finite number with an ordered interval for auc"):
        check(replace(data, results=[*data.results, result]))


def test_metrics_without_definition_are_refused(make_data: MakeData) -> None:
    row = PublishedResult(Metric("mystery", "Mystery", "any"), "Someone", 1.0)
    with pytest.raises(ValueError, match="with a definition, got mystery"):
        check(make_data(published=[row]))


def test_comparable_needs_a_number_to_compare_with(make_data: MakeData) -> None:
    row = PublishedResult(METRICS["auc"], "Someone", 30.0, comparable=True)
    with pytest.raises(ValueError, match="beside 'auc' of Someone, got none"):
        check(make_data(published=[row]))
    with pytest.raises(ValueError, match="got 'not stated' of Someone"):
        row = PublishedResult(PA, "Someone", 30.0, comparable=True, alignment="not stated")
        check(make_data(published=[row]))


def test_columns_must_have_one_value_per_pose(make_data: MakeData) -> None:
    with pytest.raises(ValueError, match="expected distance_m of shape"):
        check(make_data(covariates=Covariates(distance_m=np.ones(3))))
    with pytest.raises(ValueError, match="speed_m_s of shape .* with 600 infinite"):
        check(make_data(covariates=Covariates(speed_m_s=np.full(600, np.inf))))
    with pytest.raises(ValueError, match="expected true_deg of shape"):
        check(make_data(elevation=Elevation(np.ones(600), np.ones(599))))


def test_joints_must_be_the_skeletons(make_data: MakeData) -> None:
    with pytest.raises(ValueError, match="got Tail; name its joints"):
        check(make_data(per_joint_mm={"Hip": 1.0, "Tail": 2.0}))


def test_examples_must_be_poses_of_the_skeleton(make_data: MakeData) -> None:
    good = make_data().gallery["best"][0]
    broken = good.prediction.copy()
    broken[2, 1] = np.nan
    for name, pose in (
        ("prediction", broken),
        ("truth", good.truth[:16]),
        ("pose_2d", np.full((17, 2), np.nan)),
    ):
        with pytest.raises(ValueError, match=f"expected {name} of 'best 0'"):
            changes: dict[str, Any] = {name: pose}
            check(make_data(gallery={"best": [replace(good, **changes)]}))
