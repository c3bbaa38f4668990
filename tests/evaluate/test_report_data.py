"""From results to what a page shows; the page itself refuses what contradicts itself."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import numpy as np
import pytest

from selflift.evaluate.outputs import as_json
from selflift.evaluate.page import render
from selflift.evaluate.report_data import page_data
from selflift.evaluate.run_evaluation import run_evaluation
from tests.evaluate.test_run_evaluation import config, people, save_run

__all__ = ["people", "save_run"]


@pytest.mark.parametrize("elevation", [True, False])
def test_the_page_shows_what_was_measured(save_run, elevation: bool) -> None:
    results = run_evaluation(config(save_run("run", elevation=elevation)))
    (result,) = results.protocols
    data = page_data(results, result, "python -m selflift.eval")
    summary, evaluation = result.summaries["run"], result.evaluations["run"]
    assert data.headline_result.value == summary.headline("pa_mpjpe_mm").value
    assert [row.metric.name for row in data.results][:2] == ["pa_mpjpe_mm", "pa_mpjpe_reflected_mm"]
    assert {row.metric.name for row in data.results} == set(summary.metrics)
    assert list(data.per_joint_mm) == list(result.poses.skeleton.joints)
    assert (data.elevation is None) != elevation
    if data.elevation is not None:
        learned = -np.degrees(evaluation.elevation_rad)
        np.testing.assert_allclose(data.elevation.learned_deg, learned, rtol=1e-5)
        assert (data.elevation.true_deg < 0).all()
    assert {name: len(rows) for name, rows in data.gallery.items()} == {
        "best": 4, "median": 4, "worst": 4,
    }  # fmt: skip
    page = render(data)
    assert f"{summary.headline('pa_mpjpe_mm').value:.1f}" in page
    assert escape(as_json(results)["data"]) in page


def test_worst_means_lowest_where_higher_is_better(save_run) -> None:
    results = run_evaluation(config(save_run("run")))
    (result,) = results.protocols
    by_pck = replace(
        result, protocol=replace(result.protocol, headline="pck150", shown=("pck150",))
    )
    data = page_data(results, by_pck, "")
    errors = result.evaluations["run"].errors["pck150"]
    assert data.gallery["worst"][0].error == f"PCK@150 {errors.min():.1f} %"
    assert data.gallery["best"][0].error == f"PCK@150 {errors.max():.1f} %"
