"""What a run tells is bounded, whatever its length."""

from __future__ import annotations

from itertools import pairwise

import pytest

from selflift.config import TrainerConfig
from selflift.train.log_interval import MOST_PICTURES, MOST_POINTS, pictured, telling_interval


@pytest.mark.parametrize("steps", [1, 3000, 100_000, 100_001, 10_000_000])
def test_a_curve_has_no_more_than_so_many_points(steps: int) -> None:
    every = telling_interval(TrainerConfig(steps=steps))
    assert steps // every <= MOST_POINTS
    assert every == 20 or steps > 100_000


def test_an_interval_that_is_given_is_kept() -> None:
    assert telling_interval(TrainerConfig(steps=10_000_000, log_every=7)) == 7


@pytest.mark.parametrize("steps", [1, 250, 3000, 15_000, 15_250, 20_000, 1_000_003])
def test_pictures_are_of_few_validations_evenly_spread(steps: int) -> None:
    trainer = TrainerConfig(steps=steps)
    validations = [*range(250, steps, 250), steps]
    shown = [step for step in validations if pictured(step, trainer)]
    assert len(shown) == min(len(validations), MOST_PICTURES)
    assert shown[0] == validations[0] and shown[-1] == steps
    gaps = [b - a for a, b in pairwise(shown)]
    if len(gaps) > 2:
        assert max(gaps[1:-1]) - min(gaps[1:-1]) <= 250
