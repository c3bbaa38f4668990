"""What every importer hands over, and the errors that it raises."""

from __future__ import annotations

import numpy as np
import pytest

from selflift.data.recording import Take
from selflift.files.untrusted import LONGEST_MESSAGE, ImportFileError, in_a_line


def take(**names: str) -> Take:
    plain = {"subject": "S1", "action": "walk", "clip": "S1/walk 1", "camera": "54138969"}
    words = {**plain, **names}
    return Take(**words, poses_2d=np.zeros((1, 17, 2)), frame=np.zeros(1, np.int64), fps=50.0)


def test_an_error_is_one_short_line_whatever_of_a_file_is_in_it() -> None:
    message = str(ImportFileError("'a\nb\x1b[31m\x00\u2028\ud800.csv': expected " + "x" * 10**6))
    assert message.isprintable() and len(message) < LONGEST_MESSAGE + 50
    assert message.startswith(r"'a\nb\x1b[31m\x00\u2028\ud800.csv': expected x")


def test_the_remedy_at_an_errors_end_stays() -> None:
    message = str(ImportFileError(f"'a': expected b, got {'y' * 10_000}; mend it"))
    assert message.endswith("yyy; mend it") and "y ... y" in message


def test_other_text_stays_as_it_is() -> None:
    text = "'Gehen \u00fcber \u6b65\u884c.json': expected b; 'it'"
    assert in_a_line(text) == text
    assert str(ImportFileError(text)) == text


@pytest.mark.parametrize("what", ["subject", "action", "clip", "camera"])
@pytest.mark.parametrize("name", ["a\x00b", "a\nb", "\x1b[31ma", "\ud800", "caf\udce9"])
def test_a_name_that_no_file_can_hold_is_refused(what: str, name: str) -> None:
    with pytest.raises(ImportFileError, match=f"{what} '.*expected a name that can be written"):
        take(**{what: name})


def test_other_names_are_kept() -> None:
    for name in ("", "caf\u00e9", "\u6b65\u884c\u30001", "a b'\"\\"):
        assert take(clip=name).select(slice(0, 1)).clip == name
