"""Reading JSON piece by piece, against Python's own parser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints import json_items
from selflift.formats.keypoints.json_items import first_items, items

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def members(content: Any) -> list[tuple[str, Any]]:
    if isinstance(content, list):
        return [("", item) for item in content]
    out = []
    for key, value in content.items():
        out += [(key, item) for item in value] if isinstance(value, list) else [(key, value)]
    return out


@settings(max_examples=150, deadline=None)
@given(
    content=st.lists(values, max_size=5) | st.dictionaries(st.text(max_size=4), values),
    chunk=st.integers(1, 9),
    indent=st.sampled_from([None, 1]),
)
def test_pieces_are_what_the_whole_is(
    tmp_path_factory: pytest.TempPathFactory, content: Any, chunk: int, indent: int | None
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps(content, indent=indent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_items, "CHUNK", chunk)
        assert list(items(path)) == members(content)


@pytest.mark.parametrize("chunk", range(1, 14))
def test_a_number_across_pieces_is_one_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(json_items, "CHUNK", chunk)
    path = tmp_path / "a.json"
    path.write_text("[12.5e-3, -1E+2, 100, 7.25]")
    assert [item for _, item in items(path)] == [0.0125, -100.0, 100, 7.25]


@pytest.mark.parametrize("content", [[1.5, 2, [3, {"a": None}]], {"a": [{"b": 1}, {}], "c": 12}])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, content: Any) -> None:
    text = json.dumps(content)
    path = tmp_path / "a.json"
    for length in range(len(text)):
        path.write_text(text[:length])
        with pytest.raises(ImportFileError, match="a.json': expected JSON, got .* cut short"):
            list(items(path))


def test_items_before_the_damage_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[1, 2, 3, oops]")
    with pytest.raises(ImportFileError, match="after 3 items"):
        list(items(path))


@pytest.mark.parametrize(
    "text",
    ["", "12", '"text"', "null", "[1] [2]", "[1,]", '{"a" 1}', "{1: 2}", "\x00\x01", "[" * 9999],
)
def test_what_is_no_list_or_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ImportFileError, match="a.json': expected JSON, got a file that is corrupt"):
        list(items(path))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'["\xff\xfe"]')
    with pytest.raises(ImportFileError, match=r"a.json': expected JSON.*\(not in UTF-8\)"):
        list(items(path))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no.json", tmp_path):
        with pytest.raises(
            ImportFileError, match="expected a JSON file, got none that can be read"
        ):
            list(items(path))


def test_looking_at_a_file_reads_little_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_text("[" + ", ".join(str(n) for n in range(10_000)) + "] and then nonsense")
    monkeypatch.setattr(json_items, "PEEK", 100)
    assert first_items(path, 3) == [("", 0), ("", 1), ("", 2)]
    assert 3 < len(first_items(path, 100_000)) < 40


def test_looking_at_foreign_files_finds_nothing(tmp_path: Path) -> None:
    for name, content in (("a.json", b"\x89HDF\r\n"), ("b.json", b""), ("c.npz", b"[1, 2]")):
        (tmp_path / name).write_bytes(content)
        assert first_items(tmp_path / name) == []
    assert first_items(tmp_path) == first_items(tmp_path / "no.json") == []


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf[1]")
    assert list(items(path)) == [("", 1)]
