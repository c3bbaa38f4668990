"""Choice of the poses that are shown."""

from __future__ import annotations

import numpy as np

from selflift.evaluate.gallery import extremes, spread


def test_quantiles_are_spread_over_the_errors() -> None:
    errors = np.random.default_rng(0).permutation(101).astype(float)
    chosen = spread(errors)
    assert {q: errors[i] for q, i in chosen.items()} == {
        0.05: 5, 0.25: 25, 0.5: 50, 0.75: 75, 0.95: 95,
    }  # fmt: skip


def test_few_poses_are_shown_once_each() -> None:
    chosen = spread(np.array([3.0, 1.0]))
    assert sorted(chosen.values()) == [0, 1]


def test_extremes_are_of_different_clips_where_there_are_enough() -> None:
    errors = np.arange(40.0)
    clips = np.repeat(np.arange(8), 5)
    found = extremes(errors, clips, 4)
    assert found["best"] == [0, 5, 10, 15]
    assert found["worst"] == [39, 34, 29, 24]
    assert {clips[i] for i in found["median"]} == {3, 4, 2, 5}
    assert abs(errors[found["median"][0]] - 19.5) <= 1


def test_one_clip_fills_all_places_and_nan_none() -> None:
    errors = np.array([np.nan, 4.0, 2.0, 3.0, 1.0])
    found = extremes(errors, np.zeros(5, int), 3)
    assert found["best"] == [4, 2, 3]
    assert found["worst"] == [1, 3, 2]
    assert extremes(errors, np.zeros(5, int), 9)["best"] == [4, 2, 3, 1]
