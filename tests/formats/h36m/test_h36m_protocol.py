"""Skip lists for sources that number the recordings of an action."""

from __future__ import annotations

import pytest

from selflift.config.prepare_schema import H36MOptions
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.h36m_protocol import BAD_TAKE, DRIFTING_TAKES, by_subaction


def test_the_usual_takes_get_the_numbers_that_public_code_gives_them() -> None:
    # (9, 5, 2), (9, 10, 2), (9, 13, 1) of MotionBERT; (11, 2, 2) of h36m-fetch.
    assert by_subaction(DRIFTING_TAKES) == ["S9 Greeting 2", "S9 SittingDown 2", "S9 Waiting 1"]
    assert by_subaction([BAD_TAKE]) == ["S11 Directions 2.54138969"]
    assert by_subaction(H36MOptions().skip) == ["S11 Directions 2.54138969"]


def test_numbers_that_are_given_stay() -> None:
    assert by_subaction(["S1 Walking 2.55011271", "S5 Photo 1"]) == [
        "S1 Walking 2.55011271", "S5 Photo 1",
    ]  # fmt: skip


def test_a_recording_whose_number_is_not_known_is_refused() -> None:
    with pytest.raises(ImportFileError, match="'S1 Walking 1' or 'S1 Walking 2', .*got 'S1 Wal"):
        by_subaction(["S1 Walking.55011271"])
