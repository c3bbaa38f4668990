"""The page itself: its sections in order, in one file that needs nothing else.

No script, no font and no image is loaded; a content security policy in the page forbids it. The
same data give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib import resources
from pathlib import Path

import numpy as np

from selflift.evaluate.page import bins, charts, fragments, poses, tables
from selflift.evaluate.page.checks import check
from selflift.evaluate.page.data import AVERAGING, PageData
from selflift.evaluate.page.definitions import DEFINITIONS
from selflift.evaluate.page.svg import decimals_of, number
from selflift.files.atomic_write import atomic_path

COVARIATES = {
    "elevation_deg": (
        "camera elevation, degrees",
        "Elevation of the view; below 0 it looks down",
    ),
    "distance_m": ("distance, m", "Distance from the camera to the person's root"),
    "depth_extent_mm": ("depth extent, mm", "Depth extent: range of the joints' true depths"),
    "speed_m_s": ("speed, m/s", "Speed: mean of the joints, relative to the root"),
}
# Kept on one line.
PERCENT = "\N{NO-BREAK SPACE}%:"
PERCENTS = (5, 25, 50, 75, 95, 99)


def write_page(data: PageData, folder: str | Path) -> Path:
    """Write the report as ``index.html``, atomically.

    Args:
        data: What it shows.
        folder: Where to; made if it doesn't exist.

    Returns:
        Path of the page.

    Raises:
        ValueError: As :func:`render`.
        OSError: If it can't be written; an earlier page is intact.
    """
    page, content = Path(folder) / "index.html", render(data)
    with atomic_path(page) as temporary:
        temporary.write_text(content, encoding="utf-8")
    return page


def render(data: PageData) -> str:
    """The page as HTML text.

    Args:
        data: What it shows.

    Raises:
        ValueError: If the data are incomplete or contradict each other, see
            :func:`~selflift.evaluate.page.checks.check`.
    """
    check(data)
    sections = {
        "results": ("Results", _results(data)),
        "published": ("Beside published numbers", _published(data)),
        "distribution": ("Distribution over poses", _distribution(data)),
        "joints": ("Joints", _joints(data)),
        "actions": ("Actions", _actions(data)),
        "conditions": ("What the error depends on", _conditions(data)),
        "elevation": ("Learned elevation", _elevation(data)),
        "gallery": ("Examples", _gallery(data)),
        "definitions": ("Definitions", _definitions(data)),
    }
    shown = {key: section for key, section in sections.items() if section[1]}
    links = "".join(f'<a href="#{key}">{title}</a>' for key, (title, _) in shown.items())
    body = "".join(
        f'<section id="{key}"><h2>{title}</h2>{content}</section>'
        for key, (title, content) in shown.items()
    )
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(data.title)}</title><style>{style}</style></head>\n"
        f"<body>{_header(data, links)}<main>{body}</main>{_footer(data)}</body></html>\n"
    )


def _header(data: PageData, links: str) -> str:
    headline = data.headline_result
    metric = headline.metric
    value = number(headline.value, decimals_of(metric.unit))
    if headline.ci95 is None:
        spread = "no interval"
    else:
        spread = f"95 % interval {tables.interval(headline.ci95, metric.unit)} {metric.unit}"
    scored = len(data.errors) - headline.excluded
    excluded = f", {headline.excluded:,} excluded" if headline.excluded else ""
    facts = {
        "Run": data.run,
        "Checkpoint": data.checkpoint,
        "Data": f"{data.data}; 2D input: {data.input}",
        "Protocol": f"{data.protocol}: {data.protocol_about}",
        "Alignment": data.alignment,
        "Poses": f"{scored:,} scored{excluded}",
    }
    return (
        f"<header><h1>{escape(data.title)}</h1>"
        f'<p class="headline"><strong>{value}<span class="unit">{escape(metric.unit)}</span>'
        f'</strong><span class="name">{escape(tables.name_of(metric))}</span>'
        f'<span class="muted">{escape(spread)}; {AVERAGING[data.averaging]}</span></p>'
        f"{''.join(f'<p class=note>{escape(note)}</p>' for note in data.notes)}"
        f"{fragments.definition_list(facts)}<nav>{links}</nav></header>"
    )


def _results(data: PageData) -> str:
    text = f"Values: {AVERAGING[data.averaging]}. {data.alignment}"
    dagger = ""
    if any(result.metric.oracle for result in data.results):
        dagger = "<p>† An oracle: the truth helps to choose the answer. Not to be quoted alone.</p>"
    return f"<p>{escape(text)}</p>{tables.results_table(data)}{dagger}"


def _published(data: PageData) -> str:
    if not data.published:
        return ""
    about = (
        "Numbers of one name are comparable only under one alignment and protocol. Those of "
        "another are grey and say which it is."
    )
    return f"<p>{about}</p>{tables.published_table(data)}"


def _distribution(data: PageData) -> str:
    metric = data.headline_result.metric
    errors = data.errors[np.isfinite(data.errors)].astype(np.float64)
    marked = bins.marks(errors, metric.higher_is_better)
    name, decimals = tables.name_of(metric), decimals_of(metric.unit)
    spread = ", ".join(
        f"{p}{PERCENT} {number(float(np.percentile(errors, p)), decimals)}" for p in PERCENTS
    )
    text = (
        f"{name} of each of {len(errors):,} poses. Percentiles in {metric.unit}: {spread}; "
        f"largest {number(float(errors.max()), decimals)}. A paler last bar holds all beyond."
    )
    drawn = charts.histogram(errors, metric.title, metric.unit, marked)
    figures = fragments.figure("How many poses", drawn)
    drawn = charts.cumulative(errors, metric.title, metric.unit)
    figures += fragments.figure("Cumulative share", drawn)
    return f'<p>{escape(text)}</p><div class="grid">{figures}</div>'


def _joints(data: PageData) -> str:
    if not data.per_joint_mm:
        return ""
    ordered = sorted(data.per_joint_mm.items(), key=lambda item: (-item[1], item[0]))
    rows = []
    for name, error in ordered:
        side = poses.side_of(data.skeleton.index(name), data.skeleton)
        rows.append(charts.Bar(name, error, None, side, f"{name}: {number(error)} mm"))
    figure = poses.joint_figure(data.per_joint_mm, data.skeleton)
    pictures = [fragments.figure("", charts.bars(rows, "mean error", "mm"))]
    if figure:
        pictures.append(fragments.figure("From the front; areas in proportion to errors", figure))
    text = "Mean error of each joint over all poses"
    if data.per_joint_alignment:
        text += f"; {data.per_joint_alignment}"
    return (
        f"<p>{escape(text)}.</p>{fragments.key_of_sides()}"
        f'<div class="grid">{"".join(pictures)}</div>'
    )


def _actions(data: PageData) -> str:
    if not data.actions:
        return ""
    headline = data.headline_result
    metric = headline.metric
    worst_first = -1 if not metric.higher_is_better else 1
    rows = []
    for row in sorted(data.actions, key=lambda a: (worst_first * a.value, a.action)):
        said = f"{row.action}: {number(row.value, decimals_of(metric.unit))} {metric.unit}"
        said += f", 95 % {tables.interval(row.ci95, metric.unit)}; {row.num_poses:,} poses"
        rows.append(charts.Bar(row.action, row.value, row.ci95, "", said))
    drawn = charts.bars(rows, metric.title, metric.unit, headline.value)
    text = (
        f"{tables.name_of(metric)} of each action, worst first; whiskers are 95 % intervals. The "
        f"dashed line is the headline, {AVERAGING[data.averaging]}."
    )
    numbers = fragments.details(
        "Numbers of all actions", tables.action_table(data.actions, metric.unit)
    )
    return f'<p>{escape(text)}</p><div class="grid">{fragments.figure("", drawn)}{numbers}</div>'


def _conditions(data: PageData) -> str:
    metric = data.headline_result.metric
    figures = []
    for key, (title, about) in COVARIATES.items():
        column = getattr(data.covariates, key)
        binned = bins.bin_by(column, data.errors) if column is not None else []
        if binned:
            drawn = charts.trend(binned, metric.title, title, metric.unit)
            numbers = fragments.details("Numbers", tables.bin_table(binned, title, metric.unit))
            figures.append(fragments.figure(about, drawn + numbers))
    if not figures:
        return ""
    text = (
        f"{tables.name_of(metric)}: mean (line) and middle half of the poses (band) in bins; "
        "below, how many poses a bin has. The outermost bins hold what lies beyond as well."
    )
    return f'<p>{escape(text)}</p><div class="grid">{"".join(figures)}</div>'


def _elevation(data: PageData) -> str:
    if data.elevation is None:
        return ""
    learned, true = data.elevation.learned_deg, data.elevation.true_deg
    known = np.isfinite(learned) & np.isfinite(true)
    learned, true = learned[known].astype(np.float64), true[known].astype(np.float64)
    if len(true) == 0:
        return ""
    off = learned - true
    text = (
        f"Learned minus true elevation over {len(off):,} poses: bias {number(off.mean())}°, "
        f"standard deviation {number(off.std())}°, root mean square "
        f"{number(float(np.sqrt((off**2).mean())))}°."
    )
    drawn = charts.density(true, learned, "true elevation, degrees", "learned elevation, degrees")
    return f'<p>{escape(text)}</p><div class="grid">{fragments.figure("", drawn)}</div>'


def _gallery(data: PageData) -> str:
    if not any(data.gallery.values()):
        return ""
    views = (
        "From the side the camera stands at the left, from above at the bottom; the 3D views of an "
        "example share one scale."
    )
    about = f"<p>{escape(data.gallery_about)}</p>" if data.gallery_about else ""
    parts = [about, f"<p>{views}</p>", fragments.key_of_sides(), fragments.key_of_lines()]
    for heading, examples in data.gallery.items():
        drawn = []
        for example in examples:
            caption = f"<b>{escape(example.error)}</b> {escape(example.label)}"
            picture = poses.example_image(example, data.skeleton)
            drawn.append(f"<figure><figcaption>{caption}</figcaption>{picture}</figure>")
        if drawn:
            parts.append(f'<h3>{escape(heading)}</h3><div class="grid wide">{"".join(drawn)}</div>')
    return "".join(parts)


def _definitions(data: PageData) -> str:
    return fragments.definition_list(
        {tables.name_of(m): DEFINITIONS[m.name] for m in data.metrics.values()}
    )


def _footer(data: PageData) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in data.versions.items())
    written = f"<p>{escape(versions)}</p>" if versions else ""
    command = f"<p><code>{escape(data.command)}</code></p>" if data.command else ""
    return f"<footer><h2>How this page was made</h2>{command}{written}</footer>"
