"""What a file may promise."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from selflift.files.untrusted import (
    LONGEST_MESSAGE,
    MOST_BYTES,
    MOST_GROWTH,
    UntrustedError,
    check_nesting,
    check_promise,
    in_a_line,
    most_bytes,
)


def test_a_file_may_promise_a_hundred_times_its_size_and_some_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(1000))
    assert most_bytes(path) == MOST_BYTES
    path.write_bytes(bytes(MOST_BYTES // 50))
    assert most_bytes(path) == MOST_GROWTH * (MOST_BYTES // 50)
    check_promise("poses_2d", most_bytes(path), most_bytes(path))
    with pytest.raises(UntrustedError, match="at most 67 MB.*'poses_2d'.*download it again"):
        check_promise("poses_2d", most_bytes(path) + 1, most_bytes(path))


def laughs(times: int) -> list:
    out: list = ["ha"]
    for _ in range(times):
        out = [out, out]
    return out


def test_containers_that_name_each_other_without_end_are_refused() -> None:
    check_nesting(laughs(10))
    for content in (laughs(50), {"a": [laughs(50)]}, np.array([None, laughs(50)], dtype=object)):
        with pytest.raises(UntrustedError, match="name each other and come to more"):
            check_nesting(content)


def test_containers_that_hold_themselves_or_are_deep_are_refused() -> None:
    circle: list = [1]
    circle.append({"again": circle})
    deep: object = None
    for _ in range(100_000):
        deep = (deep,)
    for content in (circle, deep):
        with pytest.raises(UntrustedError, match="nested at most 64 deep"):
            check_nesting(content)


def test_ordinary_content_is_not_refused() -> None:
    shared = {"w": 1, "h": 2}
    check_nesting(3)
    check_nesting({"S1": OrderedDict(a=[np.ones(3)] * 1000, b=(shared, shared), c={1, "x"})})
    check_nesting(["text"] * 2_000_000, most=2_000_010)


def test_a_message_is_one_line_that_steers_no_terminal() -> None:
    assert in_a_line("got 'a\nb\x1b[2J\u202e\ud800'; rename it") == (
        r"got 'a\nb\x1b[2J\u202e\ud800'; rename it"
    )
    long = in_a_line("expected this, got " + "x" * 5000 + "; rename it")
    assert len(long) <= LONGEST_MESSAGE
    assert long.startswith("expected this, got x") and long.endswith("x; rename it")
