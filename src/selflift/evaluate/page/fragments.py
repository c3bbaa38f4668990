"""Pieces of HTML that the sections of the page share."""

from __future__ import annotations

from html import escape


def figure(caption: str, content: str) -> str:
    """A figure; its caption is escaped, its content is HTML."""
    said = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{said}{content}</figure>"


def details(summary: str, content: str) -> str:
    """What opens on a click; the summary is escaped, the content is HTML."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def definition_list(entries: dict[str, str]) -> str:
    """Terms and what they stand for; all of it is escaped."""
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in entries.items())
    return f'<dl class="facts">{rows}</dl>'


def key_of_sides() -> str:
    """What the colours of limbs mean."""
    return _keys({"left": "left limbs", "right": "right limbs", "trunk": "trunk"}, "prediction")


def key_of_lines() -> str:
    """How prediction and truth are told apart."""
    key = '<svg class="key" viewBox="0 0 30 10" aria-hidden="true">'
    line = '<path class="trunk" d="M2 5H28"/>'
    return (
        f'<div class="keys"><span>{key}<g class="prediction">{line}</g></svg> prediction</span>'
        f'<span>{key}<g class="truth">{line}</g></svg> truth</span></div>'
    )


def _keys(kinds: dict[str, str], layer: str) -> str:
    spans = "".join(
        '<span><svg class="key" viewBox="0 0 30 10" aria-hidden="true">'
        f'<g class="{layer}"><path class="{kind}" d="M2 5H28"/></g></svg> {name}</span>'
        for kind, name in kinds.items()
    )
    return f'<div class="keys">{spans}</div>'
