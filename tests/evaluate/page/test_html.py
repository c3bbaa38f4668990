from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from selflift.evaluate.catalogue import METRICS
from selflift.evaluate.page import (
    ActionResult,
    Covariates,
    Elevation,
    Example,
    PageData,
    PublishedResult,
    Result,
    render,
    write_page,
)
from selflift.evaluate.page.definitions import DEFINITIONS

MakeData = Callable[..., PageData]
SECTIONS = ("results", "published", "distribution", "joints", "actions", "conditions", "elevation",
            "gallery", "definitions")  # fmt: skip
VOID = {"meta"}


class Document(HTMLParser):
    """Text and classes of what is on a page; fails on tags that don't close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[tuple[str, list[str]]] = []
        self.sections: dict[str, str] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        self.elements.append((tag, own))
        if tag == "tr":
            self.rows.append((own.get("class") or "", []))
        if tag in ("td", "th"):
            self.rows[-1][1].append("")
        if tag not in VOID:
            self.open.append((tag, own))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self.open]
        if "style" in tags:
            return
        self.text += data
        if tags and tags[-1] in ("td", "th"):
            self.rows[-1][1][-1] += data
        for tag, own in self.open:
            if tag == "section":
                name = str(own["id"])
                self.sections[name] = self.sections.get(name, "") + data

    def row(self, first: str) -> tuple[str, list[str]]:
        return next(row for row in self.rows if row[1][0] == first)


def test_every_section_is_there_and_linked(make_data: MakeData) -> None:
    page = Document(render(make_data()))
    assert tuple(page.sections) == SECTIONS
    links = [own["href"] for tag, own in page.elements if tag == "a"]
    assert links == [f"#{name}" for name in SECTIONS]


def test_header_says_what_was_measured_on_what(make_data: MakeData) -> None:
    data = make_data()
    value = data.headline_result.value
    page = render(data)
    assert f"<strong>{value:.1f}<span" in page
    for part in ("PA-MPJPE (proper)", "95 % interval 41.2 to 59.8 mm", "mean over actions",
                 "run-7", "runs/7/best.pt", "test split; 2D input: GT", "plain: all poses",
                 "Similarity without reflection.", "600 scored", "Knees bend backward.",
                 "selflift 9.8.7", "python -m selflift.eval"):  # fmt: skip
        assert part in page


def test_results_are_the_numbers_of_the_run(make_data: MakeData) -> None:
    data = make_data()
    page = Document(render(data))
    headline = data.headline_result
    assert headline.per_frame is not None
    assert page.row("PA-MPJPE (proper)") == (
        "ours",
        ["PA-MPJPE (proper)", f"{headline.value:.1f}", "mm", "41.2 to 59.8",
         f"{headline.per_frame:.1f}", "0"],
    )  # fmt: skip
    dash = "\N{EN DASH}"
    assert page.row("N-MPJPE (LSQ scale)") == (
        "", ["N-MPJPE (LSQ scale)", "1,234.6", "mm", dash, "1,230.0", "0"]
    )  # fmt: skip
    assert page.row("MPJVE (LSQ scale)")[1][1:] == [
        "11.25", "mm/frame", "10.12 to 12.38", dash, "2,345"
    ]  # fmt: skip


def test_oracles_are_marked_and_explained(make_data: MakeData) -> None:
    page = Document(render(make_data()))
    kind, cells = page.row("MPJPE (depth-flip oracle) †")
    assert kind == "other" and cells[1] == "71.1"
    assert "† An oracle" in page.sections["results"]


def test_only_the_same_alignment_stands_beside_the_run(make_data: MakeData) -> None:
    page = Document(render(make_data()))
    names = [cells[0] for _, cells in page.rows]
    start = names.index("PA-MPJPE (proper): comparable")
    assert names[start : start + 6] == [
        "PA-MPJPE (proper): comparable", "this run (run-7)", "Same",
        "another alignment or protocol: not comparable", "Mirror", "Vague",
    ]  # fmt: skip
    assert page.row("Same") == ("", ["Same", "GT", "46.0", "mm", "proper", ""])
    assert page.row("Mirror") == (
        "other", ["Mirror", "GT", "36.7", "mm", "PA-MPJPE (reflection)", ""]
    )  # fmt: skip
    assert page.row("Vague")[1][4] == "PA-MPJPE (not stated)"
    assert page.row("this run (run-7)")[1][1] == "GT"


def test_published_percentages_are_listed_best_first(make_data: MakeData) -> None:
    rows = [PublishedResult(METRICS["auc"], n, v) for n, v in (("Low", 31.6), ("High", 36.3))]
    data = make_data(published=rows)
    names = [cells[0] for _, cells in Document(render(data)).rows]
    assert names.index("High") < names.index("Low")


def test_actions_are_the_numbers_given(make_data: MakeData) -> None:
    data = make_data()
    page = Document(render(data))
    for row in data.actions:
        assert row.ci95 is not None
        low, high = row.ci95
        cells = [row.action, "200", f"{row.value:.1f}", f"{low:.1f} to {high:.1f}"]
        assert page.row(row.action) == ("", cells)
    labels = [row.action for row in sorted(data.actions, key=lambda a: -a.value)]
    drawn = page.sections["actions"]
    assert [drawn.index(f"{name}: ") for name in labels] == sorted(
        drawn.index(f"{name}: ") for name in labels
    )


def test_joints_are_the_numbers_given(make_data: MakeData) -> None:
    data = make_data()
    drawn = Document(render(data)).sections["joints"]
    for name, error in data.per_joint_mm.items():
        # Once on the bar, once on the body.
        assert drawn.count(f"{name}: {error:.1f} mm") == 2


def test_percentiles_are_those_of_the_errors(make_data: MakeData) -> None:
    data = make_data()
    drawn = Document(render(data)).sections["distribution"]
    for percent in (5, 25, 50, 75, 95, 99):
        value = np.percentile(data.errors, percent)
        assert f"{percent}\N{NO-BREAK SPACE}%: {value:.1f}" in drawn
    assert f"largest {data.errors.max():.1f}" in drawn
    assert f"95 % below {np.percentile(data.errors, 95):.1f}" in drawn


def test_excluded_poses_are_counted_and_not_drawn(make_data: MakeData) -> None:
    data = make_data()
    errors = data.errors.copy()
    errors[:30] = np.nan
    scored = errors[30:]
    headline = replace(
        data.headline_result, excluded=30, value=float(scored.mean()), per_frame=None
    )
    page = Document(
        render(replace(data, errors=errors, results=[headline], averaging="frames",
                       published=(), actions=()))
    )  # fmt: skip
    assert "570 scored, 30 excluded" in page.text
    assert "of each of 570 poses" in page.sections["distribution"]
    assert f"50\N{NO-BREAK SPACE}%: {np.median(scored):.1f}" in page.sections["distribution"]


def test_learned_elevation_has_its_bias_and_spread(make_data: MakeData) -> None:
    data = make_data()
    assert data.elevation is not None
    true = data.elevation.true_deg
    noise = np.random.default_rng(1).normal(-3.0, 1.5, len(true))
    noise[5] = np.nan
    drawn = Document(render(replace(data, elevation=Elevation(true + noise, true)))).sections
    off = noise[np.isfinite(noise)]
    assert f"over 599 poses: bias \N{MINUS SIGN}{-off.mean():.1f}°" in drawn["elevation"]
    assert f"standard deviation {off.std():.1f}°" in drawn["elevation"]
    assert f"root mean square {np.sqrt((off**2).mean()):.1f}°" in drawn["elevation"]


def test_every_metric_of_the_catalogue_has_a_definition() -> None:
    assert set(DEFINITIONS) == set(METRICS)


def test_every_named_metric_is_defined_on_the_page(make_data: MakeData) -> None:
    data = make_data()
    defined = Document(render(data)).sections["definitions"]
    for name in ("pa_mpjpe_mm", "n_mpjpe_mm", "mpjpe_flip_mm", "mpjve_mm", "pa_mpjpe_reflected_mm"):
        assert DEFINITIONS[name] in defined
    assert DEFINITIONS["auc"] not in defined


def test_labels_are_escaped(make_data: MakeData) -> None:
    evil = "<script>alert(1)</script>&\"'"
    data = make_data(names=(evil, "b"))
    gallery = {evil: [replace(data.gallery["best"][0], label=evil, error=evil)]}
    published = [PublishedResult(METRICS["pa_mpjpe_mm"], evil, 1.0, evil, evil, True)]
    page = render(
        replace(data, title=evil, run=evil, checkpoint=evil, data=evil, input=evil, protocol=evil,
                protocol_about=evil, alignment=evil, per_joint_alignment=evil, gallery=gallery,
                gallery_about=evil, notes=[evil], versions={evil: evil}, command=evil,
                published=published)
    )  # fmt: skip
    assert "<script" not in page.lower() and "alert(1)</" not in page
    document = Document(page)
    assert document.text.count(evil) >= 16
    assert {tag for tag, _ in document.elements} <= {
        "html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer",
        "nav", "h1", "h2", "h3", "p", "strong", "span", "b", "a", "code", "div", "dl", "dt", "dd",
        "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "figure", "figcaption",
        "svg", "g", "path", "line", "rect", "circle", "text",
    }  # fmt: skip


def test_page_needs_nothing_from_outside(make_data: MakeData) -> None:
    page = render(make_data())
    assert not re.findall(r"https?:|//[a-z]|url\(|@import|src=|<link|<script|<img|style=", page)
    style = re.search(r"<style>(.*)</style>", page, re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page


def test_every_image_says_what_it_shows(make_data: MakeData) -> None:
    page = Document(render(make_data()))
    images = [own for tag, own in page.elements if tag == "svg" and own.get("class") != "key"]
    assert len(images) == 2 + 2 + 1 + 4 + 1 + 12
    assert all(own["role"] == "img" and own["aria-label"] for own in images)


def test_coordinates_are_finite(make_data: MakeData) -> None:
    for tag, own in Document(render(make_data())).elements:
        if tag in ("path", "line", "rect", "circle", "text"):
            written = " ".join(str(value) for value in own.values())
            assert not re.search(r"\b(nan|inf)\b", written), (tag, own)
        for name in ("width", "height", "r"):
            assert tag == "meta" or float(own.get(name) or 0) >= 0


def test_same_data_give_the_same_bytes(make_data: MakeData, tmp_path: Path) -> None:
    first = write_page(make_data(), tmp_path / "a")
    second = write_page(make_data(), tmp_path / "b" / "deep")
    assert first == tmp_path / "a" / "index.html"
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["index.html"]


def test_half_a_million_poses_are_a_small_page(make_data: MakeData) -> None:
    data = make_data(poses=550_000)
    start = time.perf_counter()
    page = render(data)
    assert time.perf_counter() - start < 10
    assert len(page.encode()) < 2_000_000
    assert "550,000 scored" in page


def test_what_is_not_known_is_left_out(make_data: MakeData) -> None:
    data = make_data(
        published=(), per_joint_mm={}, actions=(), covariates=Covariates(), elevation=None,
        gallery={}, notes=(), versions={}, command="",
    )  # fmt: skip
    page = Document(render(data))
    assert tuple(page.sections) == ("results", "distribution", "definitions")


def test_columns_without_a_known_value_are_left_out(make_data: MakeData) -> None:
    unknown = np.full(600, np.nan)
    data = make_data()
    page = Document(
        render(replace(data, covariates=replace(data.covariates, speed_m_s=unknown),
                       elevation=Elevation(unknown, unknown)))
    )  # fmt: skip
    assert "elevation" not in page.sections
    assert "Speed" not in page.sections["conditions"]
    assert "Distance" in page.sections["conditions"]


@pytest.mark.parametrize("poses", [1, 2, 5])
def test_a_single_action_of_few_poses_is_drawn(make_data: MakeData, poses: int) -> None:
    page = Document(render(make_data(poses=poses, names=("Walking",))))
    assert tuple(page.sections) == SECTIONS
    assert len([row for row in page.rows if row[1][0] == "Walking"]) == 1


def test_errors_that_are_all_equal_are_drawn(make_data: MakeData) -> None:
    for value in (0.0, 50.0):
        same = np.full(600, value)
        data = make_data(
            errors=same, averaging="frames", results=[Result(METRICS["pa_mpjpe_mm"], value)],
            actions=[ActionResult("Walking", 600, value)], published=(),
            covariates=Covariates(same, same, same, same),
            per_joint_mm=dict.fromkeys(("Hip", "Head"), value),
        )  # fmt: skip
        page = Document(render(data))
        assert page.sections["conditions"].count("600 poses") >= 4


def test_a_headline_in_percent_marks_the_lower_tail(make_data: MakeData) -> None:
    share = np.linspace(40.0, 100.0, 601)[:600]
    metric = METRICS["pa_pck150"]
    data = make_data(
        errors=share, headline=metric.name, averaging="frames", published=(),
        results=[Result(metric, float(share.mean()))],
        actions=[ActionResult("Good", 300, 90.0), ActionResult("Bad", 300, 50.0)],
    )  # fmt: skip
    page = Document(render(data))
    assert f"95 % above {np.quantile(share, 0.05):.1f}" in page.sections["distribution"]
    assert page.sections["actions"].index("Bad: 50.0 %") < page.sections["actions"].index("Good: ")


def test_other_layouts_are_drawn(make_data: MakeData) -> None:
    from selflift.skeleton import SKELETONS

    for skeleton in SKELETONS.values():
        joints = skeleton.num_joints
        pose = np.random.default_rng(0).normal(0, 300, (joints, 3))
        example = Example(pose[:, :2], pose, pose, "one", "0 mm")
        page = Document(
            render(make_data(skeleton=skeleton, gallery={"only": [example]},
                             per_joint_mm=dict.fromkeys(skeleton.joints, 10.0)))
        )  # fmt: skip
        assert page.sections["joints"].count(f"{skeleton.joints[0]}: 10.0 mm") >= 1
