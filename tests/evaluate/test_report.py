"""The report page: the numbers of the evaluation, escaped, in one file that needs nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from selflift.data.pose_set import Labels
from selflift.evaluate.catalogue import METRICS, number
from selflift.evaluate.protocols import PROTOCOLS
from selflift.evaluate.published import Published
from selflift.evaluate.report import render, write_report
from selflift.evaluate.run_evaluation import ProtocolResult, Results, run_evaluation
from tests.evaluate.test_run_evaluation import config, people, save_run
from tests.test_network import assert_offline

__all__ = ["people", "save_run"]

SECTIONS = ["results", "distribution", "joints", "actions", "conditions", "elevation", "gallery",
            "definitions"]  # fmt: skip
VOID = {"meta", "img"}


class Document(HTMLParser):
    """Sections, rows and images of a page; fails on tags that don't close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[tuple[str, list[str]]] = []
        self.sections: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        if tag == "section":
            self.sections.append(str(own["id"]))
        if tag == "img":
            self.images.append(own)
        if tag == "tr":
            self.rows.append((own.get("class") or "", []))
        if tag in ("td", "th"):
            self.rows[-1][1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][1][-1] += data

    def row(self, first: str) -> tuple[str, list[str]]:
        return next(row for row in self.rows if row[1][0] == first)


@pytest.fixture
def results(save_run) -> Results:
    return run_evaluation(config(save_run("run")))


def page_of(results: Results, **changes: object) -> str:
    (result,) = results.protocols
    return render(results, replace(result, **changes), "python -m selflift.eval")


def with_protocol(result: ProtocolResult, **changes: object) -> dict[str, object]:
    return {"protocol": replace(result.protocol, **changes)}


def test_the_page_has_the_numbers_that_were_measured(results: Results) -> None:
    (result,) = results.protocols
    summary, evaluation = result.summaries["run"], result.evaluations["run"]
    text = page_of(results)
    page = Document(text)
    assert page.sections == SECTIONS
    assert re.findall('href="#([a-z]+)"', text) == SECTIONS
    for name, own in summary.metrics.items():
        metric, mean = METRICS[name], summary.headline(name)
        low, high = mean.ci95 or (None, None)
        interval = "-" if low is None else f"{number(metric, low)} to {number(metric, high)}"
        cells = [metric.full_title, number(metric, mean.value), metric.unit, interval,
                 number(metric, own.over_frames.value), str(own.excluded)]  # fmt: skip
        kind = "ours" if name == "pa_mpjpe_mm" else "other" if metric.oracle else ""
        assert page.row(metric.full_title) == (kind, cells)
        assert [metric.full_title, metric.definition] in [row for _, row in page.rows]
    for action in summary.actions:
        mean = action.metrics["pa_mpjpe_mm"]
        assert page.row(action.action)[1][1:3] == [str(action.num_poses), f"{mean.value:.1f}"]
    joint_errors = evaluation.joint_errors["pa_mpjpe_mm"]
    for name, error in zip(result.poses.skeleton.joints, joint_errors, strict=True):
        assert page.row(name)[1] == [name, f"{error:.1f}"]
    errors = evaluation.errors["pa_mpjpe_mm"]
    for percent in (5, 25, 50, 75, 95, 99):
        assert f"{percent} %: {np.percentile(errors, percent):.1f}" in text
    off = -np.degrees(evaluation.elevation_rad)
    assert f"Learned minus true elevation over {len(off)} poses: bias" in text
    for part in ("† An oracle", "run/checkpoints/best.pt", "plain: all poses", "2D input: unstated",
                 "similarity transform without reflection", "python -m selflift.eval",
                 f"{len(errors)} scored", "mean over actions"):  # fmt: skip
        assert part in text


def test_every_image_has_a_description(results: Results) -> None:
    images = Document(page_of(results)).images
    assert len(images) >= 9
    assert all(own["alt"] and own["src"].startswith("data:image/svg+xml;") for own in images)


def test_published_numbers_stand_beside_those_of_one_alignment_only(results: Results) -> None:
    (result,) = results.protocols
    published = (
        Published("Same", 46.04, "pa_mpjpe_mm", "GT", "code", "plain"),
        Published("Better", 40.0, "pa_mpjpe_mm", "GT", "code", "plain"),
        Published("Mirror", 36.7, "pa_mpjpe_reflected_mm", "GT", "code", "h36m-elepose"),
        Published("Vague", 51.0, "pa_mpjpe_mm", "detected", "code", None, "a note"),
    )
    page = Document(page_of(results, **with_protocol(result, published=published)))
    names = [cells[0] for _, cells in page.rows]
    start = names.index("PA-MPJPE (proper): comparable")
    assert names[start + 1 : start + 7] == [
        "this run (run)", "Better", "Same", "another alignment or protocol: not comparable",
        "Mirror", "Vague",
    ]  # fmt: skip
    assert page.row("this run (run)")[0] == "ours"
    assert page.row("Same") == ("", ["Same", "GT", "46.0", "mm", "proper", ""])
    assert page.row("Mirror")[1][4] == "PA-MPJPE (reflection)"
    vague = ["Vague", "detected", "51.0", "mm", "PA-MPJPE (alignment not stated)", "a note"]
    assert page.row("Vague") == ("other", vague)


def test_a_headline_in_percent_has_its_worst_at_the_lower_end(results: Results) -> None:
    (result,) = results.protocols
    changes = with_protocol(result, headline="pck150", shown=("pck150", "auc"))
    errors = result.evaluations["run"].errors["pck150"]
    text = page_of(results, **changes)
    *_, best, _, worst = re.findall('alt="([^"]+)"', text)
    assert f"PCK@150 {errors.max():.1f} %" in best.split(";")[0]
    assert f"PCK@150 {errors.min():.1f} %" in worst.split(";")[0]


def test_excluded_poses_are_counted_and_not_drawn(results: Results) -> None:
    (result,) = results.protocols
    changes = with_protocol(result, headline="mpjve_mm", shown=("mpjve_mm",))
    errors = result.evaluations["run"].errors["mpjve_mm"]
    left_out = int(np.isnan(errors).sum())
    text = page_of(results, **changes)
    assert f"{len(errors) - left_out} scored, {left_out} excluded" in text
    assert f"of each of {len(errors) - left_out} poses" in text


def test_what_is_not_known_is_left_out(save_run) -> None:
    results = run_evaluation(config(save_run("run", elevation=False)))
    (result,) = results.protocols
    assert "elevation" not in Document(page_of(results)).sections
    cameras = replace(result.poses.cameras, rotation=None)
    text = page_of(results, poses=replace(result.poses, cameras=cameras))
    assert "camera elevation, degrees" not in text and "distance from the camera" in text


@pytest.mark.parametrize(("score", "note"), [(-0.9, "mirrored in depth"), (0.0, "hardly formed")])
def test_a_lifter_without_sound_depth_bears_a_note(
    results: Results, score: float, note: str
) -> None:
    (result,) = results.protocols
    evaluation = replace(result.evaluations["run"], knee_score=score)
    text = page_of(results, evaluations={"run": evaluation})
    assert re.search(f'class="note">[^<]*{note}', text)


def test_labels_are_escaped(results: Results, tmp_path: Path) -> None:
    (result,) = results.protocols
    evil = "<script>alert(1)</script>\"'&$x_1$"
    poses = replace(result.poses, clip=Labels.of([evil] * len(result.poses)))
    summary = result.summaries["run"]
    actions = tuple(replace(row, action=f"{evil}{i}") for i, row in enumerate(summary.actions))
    changes = {"poses": poses, "summaries": {"run": replace(summary, actions=actions)}}
    text = page_of(results, **changes)
    assert "<script" not in text and evil in unescape(text)
    assert Document(text).row(f"{evil}0")
    page = tmp_path / "index.html"
    page.write_text(text)
    assert_offline(page)


def test_the_same_results_give_the_same_bytes_and_an_offline_page(
    results: Results, tmp_path: Path
) -> None:
    (result,) = results.protocols
    pages = [write_report(results, result, "x", tmp_path / name) for name in ("a", "b")]
    assert pages[0] == tmp_path / "a" / "index.html"
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert_offline(pages[0])


def test_published_numbers_of_another_protocol_are_listed(results: Results) -> None:
    text = page_of(results, protocol=replace(PROTOCOLS["h36m-p2"], averaging="frames"))
    assert "PoseTriplet 2022" in text and "mean over all poses" in text
