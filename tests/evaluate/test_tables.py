"""Tables: the numbers of the summary and nothing else, in every format; captions, notes, errors."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest

from selflift.evaluate.catalogue import ALIGNMENTS, METRICS
from selflift.evaluate.evaluation_files import CSV_COLUMNS, csv_rows
from selflift.evaluate.protocols import PROTOCOLS, Protocol
from selflift.evaluate.statistics import over_seeds, summarise
from selflift.evaluate.summary import Summary
from selflift.evaluate.tables import latex_table, markdown_table, text_table

PLAIN = PROTOCOLS["plain"]
FORMATS = [text_table, markdown_table, latex_table]


def summary_of(protocol: Protocol = PLAIN, seed: int = 0, shift: float = 0.0) -> Summary:
    """Two actions of four clips, every metric of the catalogue with numbers of its own."""
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(8), [10, 10, 10, 10, 4, 4, 4, 4])
    base = (
        50 + 5 * rng.standard_normal(8)[clip] + rng.standard_normal(56) + np.where(clip < 4, 9, 0)
    )
    errors = {name: base + k + shift for k, name in enumerate(METRICS)}
    action = np.where(clip < 4, "Walking 1", "Sitting_Down")
    return summarise(errors, action, clip, protocol.averaging, protocol=protocol.name)


def row_of(table: str, label: str) -> str:
    return next(line for line in table.splitlines() if line.startswith(label))


def test_the_text_table_has_the_summarys_numbers() -> None:
    summary = summary_of()
    table = text_table({"best.pt": summary}, PLAIN)
    for row in summary.actions:
        means = [row.metrics[name] for name in PLAIN.shown]
        printed = re.findall(r"(\S+) ±(\S+)", row_of(table, row.action))
        expected = [
            (f"{m.value:.1f}", f"{(m.ci95[1] - m.ci95[0]) / 2:.1f}") for m in means if m.ci95
        ]
        assert printed == expected and len(printed) == len(PLAIN.shown)
        assert row_of(table, row.action).split()[1] == str(row.num_poses)
    for label, which in (
        ("mean over actions", "over_actions"),
        ("mean over frames", "over_frames"),
    ):
        values = [getattr(summary.metrics[name], which).value for name in PLAIN.shown]
        printed = re.findall(r"(\S+) ±", row_of(table, label))
        assert printed == [f"{value:.1f}" for value in values]


@pytest.mark.parametrize("show", FORMATS)
@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_every_table_says_protocol_averaging_and_alignment(show, protocol: Protocol) -> None:
    table = " ".join(show({"best.pt": summary_of(protocol)}, protocol).split())
    plain = table.replace("\\", "")
    assert f"Protocol {protocol.name}: {protocol.about[:40]}" in plain
    headline = METRICS[protocol.headline]
    how = "mean over actions (the mean" if protocol.averaging == "actions" else "over frames (the"
    assert f"Headline: {headline.title} ({headline.variant}), " in plain
    assert how in plain
    for name in protocol.shown:
        assert METRICS[name].title in plain and METRICS[name].variant in plain
        assert f"{METRICS[name].variant}: {ALIGNMENTS[METRICS[name].variant]}" in plain


def test_every_variant_of_the_catalogue_has_its_alignment_explained() -> None:
    assert {metric.variant for metric in METRICS.values()} <= set(ALIGNMENTS)


def test_the_headline_stands_in_the_caption_with_its_interval() -> None:
    summary = summary_of()
    mean = summary.headline("pa_mpjpe_mm")
    assert mean.ci95 is not None
    expected = (
        f"{mean.value:.1f} mm, 95% interval {mean.ci95[0]:.1f} to {mean.ci95[1]:.1f}, of best.pt."
    )
    assert expected in " ".join(text_table({"best.pt": summary}, PLAIN).split())
    assert "bootstrap over 8 clips (2000 resamples)" in text_table({"best.pt": summary}, PLAIN)


def test_the_mean_that_leads_comes_first() -> None:
    for name in ("plain", "h36m-elepose"):
        protocol = PROTOCOLS[name]
        table = text_table({"best.pt": summary_of(protocol)}, protocol)
        actions, frames = (table.index(f"\nmean over {what}") for what in ("actions", "frames"))
        assert (actions < frames) == (protocol.averaging == "actions")


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_text_tables_fit_a_terminal(protocol: Protocol) -> None:
    entries = {"best.pt": summary_of(protocol)}
    assert max(map(len, text_table(entries, protocol).splitlines())) <= 110
    assert max(map(len, text_table(entries, protocol, published=True).splitlines())) <= 120


@pytest.mark.parametrize("show", FORMATS)
def test_oracles_bear_a_dagger_and_a_note(show) -> None:
    protocol = PROTOCOLS["h36m-c3dpo"]
    table = show({"best.pt": summary_of(protocol)}, protocol)
    dagger = r"$^\dagger$" if show is latex_table else "†"
    assert f"MPJPE{dagger} " in table
    assert f"{dagger} oracle: the truth chooses between answers" in table
    assert table.count(dagger) == 2
    assert dagger not in show({"best.pt": summary_of()}, PLAIN)


def test_several_checkpoints_have_a_row_each_with_the_headline_mean() -> None:
    a, b = summary_of(), summary_of(shift=-3)
    for averaging, protocol in (("actions", PLAIN), ("frames", replace(PLAIN, averaging="frames"))):
        entries = {name: replace(s, averaging=averaging) for name, s in (("a", a), ("b", b))}
        table = text_table(entries, protocol)
        for label, summary in entries.items():
            printed = re.findall(r"(\S+) ±", row_of(table, f"{label} "))
            assert printed == [f"{summary.headline(name).value:.1f}" for name in PLAIN.shown]
        assert "Walking" not in table


def test_the_best_of_each_column_is_bold_lower_errors_higher_pck() -> None:
    protocol = replace(PLAIN, shown=("pa_mpjpe_mm", "pck150"))
    entries = {"low": summary_of(shift=-3), "high": summary_of(), "also high": summary_of()}
    lines = [line.strip() for line in latex_table(entries, protocol).splitlines()]
    bold = {
        line.split("&")[0].strip(): [r"\textbf" in cell for cell in line.split("&")[2:]]
        for line in lines
        if line.startswith(("low ", "high ", "also high "))
    }
    assert bold == {"low": [True, False], "high": [False, True], "also high": [False, True]}
    marked = markdown_table(entries, protocol).splitlines()
    assert ["**" in cell for cell in marked[2].split("|")[3:5]] == [True, False]
    assert r"\textbf" not in latex_table({"alone": summary_of()}, protocol)


def test_seeds_have_mean_and_standard_deviation() -> None:
    seeds = over_seeds([summary_of(shift=shift) for shift in (0.0, 1.0, 5.0)])
    score = seeds.metrics["pa_mpjpe_mm"]
    for show in (text_table, markdown_table):
        table = show({"ours": seeds, "other": summary_of(shift=9)}, PLAIN)
        assert "ours (3 seeds)" in table
        assert f"{score.mean:.1f}" in table and f"±{score.std:.1f}" in table
        assert "± beside a mean of seeds: sample standard deviation" in table
        assert "± half of" not in table and "±: half of the 95% interval" in table
    alone = text_table({"ours": seeds}, PLAIN)
    assert "bootstrap" not in alone
    assert row_of(alone, "ours (3 seeds)").count("±") == len(PLAIN.shown)


def test_latex_escapes_what_latex_would_read() -> None:
    table = latex_table({r"50%_a&b\{c}#$~^": summary_of()}, PLAIN)
    assert r"50\%\_a\&b\textbackslash{}\{c\}\#\$\textasciitilde{}\textasciicircum{}" in table
    assert re.search(r"Sitting\\_Down +& +16 &", table)
    assert r"95\% interval" in table
    for line in table.splitlines():
        assert not re.search(r"(?<!\\)%", line)
    begins, ends = (re.findall(rf"\\{word}{{(\w+)}}", table) for word in ("begin", "end"))
    assert begins == ["table", "tabular"] and ends == ["tabular", "table"]
    body = [line for line in table.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {len(PLAIN.shown) + 1}
    depth = np.cumsum([{"{": 1, "}": -1}.get(c, 0) for c in re.sub(r"\\[{}]", "", table)])
    assert depth.min() >= 0 and depth[-1] == 0


def test_markdown_has_as_many_cells_in_every_row_and_escapes_bars() -> None:
    table = markdown_table({"a|b": summary_of(), "c_d*": summary_of(seed=1)}, PLAIN)
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {len(PLAIN.shown) + 3}
    assert r"a\|b" in table and r"c\_d\*" in table


def test_published_numbers_stand_in_the_column_of_their_alignment() -> None:
    protocol = PROTOCOLS["h36m-p2"]
    entries = {"best.pt": summary_of(protocol)}
    table = text_table(entries, protocol, published=True)
    assert row_of(table, "Yu 2021 (GT)").split()[-1] == "42.0"
    assert row_of(table, "Chen 2019 (detected)").split()[-1] == "(68.0)"
    grey = row_of(table, "ElePose 2022 (GT)")
    assert grey.endswith("(36.7)") and grey.count("36.7") == 1
    reflected = row_of(table, "action").split("[mm]")
    # Right-aligned under the second column of metrics, PA-MPJPE with reflection.
    assert len(grey) == len("[mm]".join(reflected[:2])) + len("[mm]")
    assert "ElePose 2022: not comparable; measured as in h36m-elepose" in table
    assert "Yu 2021: checkpoint chosen on the test set" in table
    latex = latex_table(entries, protocol, published=True)
    assert r"\textcolor{gray}{ElePose 2022 (GT)}" in latex and r"\textcolor{gray}{36.7}" in latex
    assert re.search(r"^ *Yu 2021 \(GT\) +& +& +42.0 &", latex, re.MULTILINE)
    assert "Yu 2021" not in text_table(entries, protocol)


def test_exclusions_and_missing_metrics_are_said() -> None:
    holed = np.full(8, 50.0)
    holed[:3] = np.nan
    errors = {"mpjpe_mm": np.arange(8) + 50.0, "mpjve_mm": holed}
    clip = np.arange(8) // 2
    summary = summarise(errors, ["walk"] * 8, clip, "actions", protocol="h36m-p1")
    table = text_table({"best.pt": summary}, PROTOCOLS["h36m-p1"])
    note = "best.pt: 3 of 8 poses excluded from MPJVE (LSQ scale), for they can't be scored."
    assert note in table
    assert "Not measured: n_mpjpe_mm, pa_mpjpe_mm." in table
    assert "50.00 ±0.00" in table


def test_what_could_not_be_scored_is_a_dash() -> None:
    errors = {"pa_mpjpe_mm": np.arange(4.0), "n_mpjpe_mm": np.full(4, np.nan)}
    summary = summarise(errors, list("wwss"), list("abcd"), "actions")
    table = text_table({"best.pt": summary}, PLAIN)
    assert row_of(table, "mean over actions").split()[-1] == "-"
    worse = {**errors, "pa_mpjpe_mm": 1 + np.arange(4.0)}
    other = summarise(worse, list("wwss"), list("abcd"), "actions")
    two = latex_table({"a": summary, "b": other}, PLAIN)
    assert r"\textbf{-}" not in two and r"\textbf{1.5}" in two
    assert r"\textbf" not in latex_table({"a": summary, "b": summary}, PLAIN)


def test_too_few_clips_are_said() -> None:
    protocol = replace(PLAIN, shown=("pa_mpjpe_mm",))
    errors = {"pa_mpjpe_mm": np.arange(6.0)}
    one = summarise(errors, ["walk"] * 6, ["c"] * 6, "actions")
    table = text_table({"best.pt": one}, protocol)
    assert "no interval, the set has too few clips for one" in table and "±" not in table
    few = summarise(errors, ["walk"] * 6, list("abcdef"), "actions")
    table = " ".join(text_table({"best.pt": few}, protocol).split())
    assert "best.pt: of 6 clips only; intervals from so few cover the truth less often" in table


def test_actions_of_a_single_clip_are_said() -> None:
    protocol = replace(PLAIN, shown=("pa_mpjpe_mm",))
    errors = {"pa_mpjpe_mm": np.arange(12.0)}
    single = summarise(errors, list("wwwwwwwwwwsr"), list("abcdefghijkl"), "actions")
    table = " ".join(text_table({"best.pt": single}, protocol).split())
    assert "r, s have one clip each and are drawn as one action" in table
    assert "clips only" not in table
    lone = summarise(errors, list("wwwwwwwwwwws"), list("abcdefghijkl"), "actions")
    table = " ".join(text_table({"best.pt": lone}, protocol).split())
    assert "s has one clip, whose variation the interval leaves out" in table


def test_csv_has_every_number_once_with_its_bounds() -> None:
    summary = summary_of()
    rows = csv_rows({"best.pt": summary})
    assert all(tuple(row) == CSV_COLUMNS for row in rows)
    assert len(rows) == len(METRICS) * (2 + 2)
    assert len({(row["metric"], row["action"]) for row in rows}) == len(rows)
    found = {(row["metric"], row["action"]): row for row in rows}
    mean = summary.metrics["pck150"].over_frames
    assert mean.ci95 is not None
    assert found["pck150", "mean over frames"] == dict(
        zip(
            CSV_COLUMNS,
            ("plain", "best.pt", "pck150", "assumed height", "mean over frames", mean.value,
             *mean.ci95, 56, "%"),
            strict=True,
        )
    )  # fmt: skip
    assert found["auc", "Walking"]["value"] == summary.actions[1].metrics["auc"].value
    assert found["auc", "Walking"]["poses"] == 40
    file = io.StringIO()
    writer = csv.DictWriter(file, CSV_COLUMNS)
    writer.writerows(rows)
    assert len(list(csv.reader(io.StringIO(file.getvalue())))) == len(rows)


def test_csv_has_each_seed_their_mean_and_spread() -> None:
    seeds = over_seeds([summary_of(shift=shift) for shift in (0.0, 2.0)])
    rows = [row for row in csv_rows({"ours": seeds}) if row["metric"] == "mpjpe_mm"]
    score = seeds.metrics["mpjpe_mm"]
    assert [(row["checkpoint"], row["action"], row["value"]) for row in rows] == [
        ("ours seed 1", "mean over actions", score.values[0]),
        ("ours seed 2", "mean over actions", score.values[1]),
        ("ours", "mean over actions", score.mean),
        ("ours", "standard deviation over seeds", score.std),
    ]
    assert all(row["low"] is None and row["high"] is None for row in rows)


@pytest.mark.parametrize("show", FORMATS)
def test_summaries_of_another_protocol_are_refused(show) -> None:
    with pytest.raises(ValueError, match="of protocol 'cmu17' averaged over actions, got 'a' of"):
        show({"a": summary_of()}, PROTOCOLS["cmu17"])
    with pytest.raises(ValueError, match="averaged over frames, got 'a' of 'plain' over actions"):
        show({"a": summary_of()}, replace(PLAIN, averaging="frames"))
    with pytest.raises(ValueError, match="expected at least one summary, got none"):
        show({}, PLAIN)
    with pytest.raises(ValueError, match="expected pa_mpjpe_mm, the headline of protocol 'plain'"):
        show({"a": replace(summary_of(), metrics={})}, PLAIN)


def test_csv_refuses_metrics_without_a_meaning() -> None:
    odd = summarise({"error": np.arange(4.0)}, ["w"] * 4, list("abcd"), "actions")
    with pytest.raises(ValueError, match="expected metrics of pa_mpjpe_mm, .*, got error"):
        csv_rows({"a": odd})
