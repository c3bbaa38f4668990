"""The page needs nothing else, obeys nothing it is given, and is written whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift import viz
from selflift.skeleton import H36M_17
from selflift.viewer import Person, render, write_viewer

MakePerson = Callable[..., Person]
EVIL = [
    "</script><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    "<!--<script>",
    "\"quotes\" and 'quotes' & entities &lt;",
    "Zoë 李 \N{WOMAN} \u2028 \x00 \\u003c",
    "[[data]] [[script]]",
    "NaN",
]
ALLOWED = {"html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "ul", "li",
           "noscript", "p", "main", "section", "canvas", "div", "button", "select", "option",
           "label", "input", "span", "svg", "path", "output", "details", "summary", "dl", "dt",
           "dd", "script"}  # fmt: skip


class Document(HTMLParser):
    """The elements of a page and the texts they begin with."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.inside = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")
        self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[-1] += data

    def of(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        """Attributes and text of all elements of a kind."""
        both = zip(self.elements, self.texts, strict=True)
        return [(own, text) for (name, own), text in both if name == tag]

    @property
    def data(self) -> dict[str, Any]:
        (text,) = [text for own, text in self.of("script") if own.get("id") == "data"]
        return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def test_the_page_holds_its_people(make_person: MakePerson) -> None:
    people = [make_person("Ana"), make_person("Ben", first=100)]
    told = {"title": "A title", "notes": ["N 1", "N"], "size_px": (1920, 1080)}
    page = Document(render(people, H36M_17, fps=29.97, **told))
    assert [text for _, text in page.of("title")] == ["A title"]
    assert page.of("h1")[0][1] == "A title"
    assert [text for _, text in page.of("li")] == ["N 1", "N"]
    data = page.data
    assert [person["name"] for person in data["people"]] == ["Ana", "Ben"]
    assert data["fps"] == 29.97 and data["size_px"] == [1920, 1080]
    assert data["parents"] == list(H36M_17.parents)
    assert data["left"] == list(H36M_17.left) and data["right"] == list(H36M_17.right)


@pytest.mark.parametrize("text", EVIL)
def test_names_titles_and_notes_are_shown_not_obeyed(make_person: MakePerson, text: str) -> None:
    people = [make_person(text)]
    plain = Document(render([make_person()], H36M_17, fps=25.0, title="t", notes=["n"]))
    source = render(people, H36M_17, fps=25.0, title=text, notes=[text])
    page = Document(source)
    assert page.elements == plain.elements, "no element or attribute more"
    assert page.data["people"][0]["name"] == text
    shown = [page.of("h1")[0][1], page.of("title")[0][1], page.of("li")[0][1]]
    # HTML reads NUL as the replacement character or drops it; all else is kept.
    assert [s.replace("\x00", "") for s in shown] == [text.replace("\x00", "")] * 3
    assert source.count("</script") == 2 and "<!--" not in source


def test_the_policy_allows_the_pages_own_style_and_script_and_nothing_else(
    make_person: MakePerson,
) -> None:
    page = Document(render([make_person()], H36M_17, fps=25.0))
    (policy,) = [own["content"] for own, _ in page.of("meta") if "http-equiv" in own]
    assert policy is not None
    hashes = {}
    for tag in ("script", "style"):
        (text,) = [text for own, text in page.of(tag) if own.get("type") != "application/json"]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[tag] = f"'sha256-{digest}'"
    assert policy.split("; ") == [
        "default-src 'none'", f"script-src {hashes['script']}", f"style-src {hashes['style']}",
        "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip


def test_the_page_needs_nothing_else(make_person: MakePerson) -> None:
    source = render([make_person()], H36M_17, fps=25.0)
    page = Document(source)
    assert {tag for tag, _ in page.elements} <= ALLOWED
    for tag, own in page.elements:
        for name in own:
            assert not name.startswith("on") and name not in ("src", "href", "style"), (tag, name)
    assert not re.search(r"https?:|//\w+\.|@import|url\(|fetch\(|XMLHttp|innerHTML|eval\(", source)


def test_every_control_has_a_name(make_person: MakePerson) -> None:
    page = Document(render([make_person()], H36M_17, fps=25.0))
    labelled = page.of("button") + page.of("canvas") + page.of("select") + page.of("summary")
    for own, text in labelled:
        assert own.get("aria-label") or text.strip() or own.get("id") == "speed", own
    ids = [own["id"] for _, own in page.elements if "id" in own]
    assert len(ids) == len(set(ids))
    script = page.of("script")[1][1]
    assert {name for name in re.findall(r'\$\("([\w-]+)"\)', script)} <= set(ids)


def test_sides_have_the_colours_of_the_figures() -> None:
    style = resources.files("selflift.viewer").joinpath("viewer.css").read_text()
    light = style[: style.index("@media")]
    named = dict(re.findall(r"--(left|right|trunk): (#\w+);", light))
    assert named == {
        "left": viz.LEFT_COLOUR, "right": viz.RIGHT_COLOUR, "trunk": viz.TRUNK_COLOUR,
    }  # fmt: skip


def test_the_same_people_give_the_same_bytes(make_person: MakePerson) -> None:
    pages = [render([make_person()], H36M_17, fps=25.0) for _ in range(2)]
    assert pages[0] == pages[1]


def test_10_000_frames_of_17_joints_take_less_than_one_and_a_half_megabytes(
    make_person: MakePerson,
) -> None:
    person = make_person(frames=10_000, filled=np.random.default_rng(0).random((10_000, 17)) < 0.05)
    assert len(render([person], H36M_17, fps=25.0).encode()) < 1.5e6


def test_the_file_is_written_whole_or_not_at_all(
    tmp_path: Path, make_person: MakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "v.html"
    write_viewer(path, [make_person(EVIL[4])], H36M_17, fps=25.0)
    before = path.read_bytes()
    assert before.decode() == render([make_person(EVIL[4])], H36M_17, fps=25.0)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        write_viewer(path, [make_person("Ben")], H36M_17, fps=25.0)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
