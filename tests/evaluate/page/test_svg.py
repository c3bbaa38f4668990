from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflift.evaluate.page.svg import (
    coordinate,
    nice_step,
    number,
    shape,
    text,
    tick_labels,
    ticks,
)


@pytest.mark.parametrize(
    ("value", "decimals", "written"),
    [
        (1234567.89, 1, "1,234,567.9"),
        (-12.34, 1, "\N{MINUS SIGN}12.3"),
        (-0.04, 1, "0.0"),
        (-0.06, 1, "\N{MINUS SIGN}0.1"),
        (109556, 0, "109,556"),
    ],
)
def test_numbers_are_written_as_in_print(value: float, decimals: int, written: str) -> None:
    assert number(value, decimals) == written


@given(st.floats(1e-3, 1e6), st.integers(1, 60))
def test_steps_are_round_and_the_smallest_that_suffice(span: float, count: int) -> None:
    step = nice_step(span, count)
    assert span / step <= count * (1 + 1e-6)
    leading = f"{step:e}"
    assert leading[0] in "125" and float(leading.split("e")[0]) == int(leading[0])
    assert span / (step / 2.5) > count * (1 - 1e-6)


@given(st.floats(-1e4, 1e4), st.floats(1e-2, 1e4))
def test_ticks_lie_inside_and_are_evenly_spaced(low: float, span: float) -> None:
    found = ticks(low, low + span)
    slack = 1e-6 * span
    assert 2 <= len(found) <= 6
    assert low - slack <= found[0] and found[-1] <= low + span + slack
    labels = tick_labels(found)
    assert len(set(labels)) == len(labels)


def test_tick_labels_have_the_decimals_of_their_step() -> None:
    assert tick_labels([0.0, 0.5, 1.0]) == ["0.0", "0.5", "1.0"]
    assert tick_labels([0.0, 500.0, 1000.0]) == ["0", "500", "1,000"]
    assert tick_labels([-0.02, 0.0]) == ["\N{MINUS SIGN}0.02", "0.00"]


def test_coordinates_are_short() -> None:
    assert [coordinate(v) for v in (3.0, 3.14, -0.04, 100.0)] == ["3", "3.1", "0", "100"]


def test_texts_tooltips_and_attributes_are_escaped() -> None:
    assert "&lt;b&gt;" in text(0, 0, "<b>")
    assert "<title>&lt;b&gt;</title>" in shape("rect", "k", "<b>")
    assert 'data-a="&quot;&lt;"' in shape("rect", "k", data_a='"<')
