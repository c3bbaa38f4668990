"""Statistics: means by hand and by loop, intervals that cover the truth, pairs, seeds, errors."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from selflift.data.pose_set import Labels
from selflift.evaluate.bootstrap import Cells, draw
from selflift.evaluate.statistics import compare, over_seeds, summarise

PA = np.array([10.0, 50.0, 20.0, 60.0, 44.0])
ACTIONS = np.array(["Walking 1", "Eating", "Walking 2", "Walking 1", "Eating 13"])
CLIPS = np.array(["w1", "e1", "w2", "w1", "e3"])


def simulated(
    seed: int, actions: int = 5, clips: int = 5, frames: int = 20, clip_std: float = 10.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors whose action means are 40, 50, ..., by what clips add to it, and frames."""
    rng = np.random.default_rng(seed)
    shape = (actions, clips, frames)
    errors = 40 + 10 * np.arange(actions)[:, None, None]
    errors = errors + clip_std * rng.standard_normal(shape[:2])[..., None]
    errors = errors + 5 * rng.standard_normal(shape)
    action = np.repeat([f"a{k}" for k in range(actions)], clips * frames)
    return errors.ravel(), action, np.repeat(np.arange(actions * clips), frames)


def test_the_mean_over_actions_is_that_of_each_actions_mean() -> None:
    summary = summarise({"pa_mpjpe_mm": PA}, ACTIONS, CLIPS, "actions")
    # Eating: 47. Walking: (10 + 20 + 60) / 3 = 30, whatever the number behind the word.
    assert summary.headline("pa_mpjpe_mm").value == pytest.approx((47 + 30) / 2)
    assert summary.metrics["pa_mpjpe_mm"].over_frames.value == pytest.approx(PA.mean())
    rows = [(r.action, r.num_poses, r.num_clips, r.metrics["pa_mpjpe_mm"].value)
            for r in summary.actions]  # fmt: skip
    assert rows == [("Eating", 2, 2, 47.0), ("Walking", 3, 2, 30.0)]
    assert (summary.num_poses, summary.num_clips) == (5, 4)


def test_averaging_chooses_the_headline() -> None:
    frames = summarise({"pa_mpjpe_mm": PA}, ACTIONS, CLIPS, "frames")
    assert frames.headline("pa_mpjpe_mm").value == pytest.approx(36.8)
    assert frames.headline("pa_mpjpe_mm") == frames.metrics["pa_mpjpe_mm"].over_frames


def test_names_numbers_and_labels_give_the_same() -> None:
    by_name = summarise({"pa_mpjpe_mm": PA}, ACTIONS, CLIPS, "actions")
    # Labels may have names that no pose bears, and an empty one.
    labels = Labels(("unused", *Labels.of(list(ACTIONS)).names), Labels.of(list(ACTIONS)).index + 1)
    clip = Labels.of(list(CLIPS))
    assert summarise({"pa_mpjpe_mm": PA}, labels, clip, "actions") == by_name
    assert summarise({"pa_mpjpe_mm": PA}, list(ACTIONS), clip.index, "actions") == by_name
    unnamed = summarise({"pa_mpjpe_mm": PA}, [" "] * 5, CLIPS, "actions")
    assert [row.action for row in unnamed.actions] == ["(unnamed)"]


def test_means_of_random_sets_agree_with_a_loop() -> None:
    rng = np.random.default_rng(1)
    errors, action = rng.gamma(2, 20, 500), rng.choice(list("abcd"), 500)
    errors[rng.random(500) < 0.2] = np.nan
    summary = summarise({"mpjve_mm": errors}, action, rng.integers(0, 30, 500), "actions")
    each = [
        np.mean([e for e, a in zip(errors, action, strict=True) if a == name and e == e])
        for name in "abcd"
    ]
    found = summary.metrics["mpjve_mm"]
    assert found.over_actions.value == pytest.approx(np.mean(each), rel=1e-12)
    assert found.over_frames.value == pytest.approx(np.nanmean(errors), rel=1e-12)
    assert found.excluded == int(np.isnan(errors).sum())


def test_excluded_poses_are_counted_and_never_scored_as_zero() -> None:
    summary = summarise(
        {"pa_mpjpe_mm": PA, "mpjve_mm": np.where(ACTIONS == "Eating", np.nan, PA)},
        ACTIONS, CLIPS, "actions",
    )  # fmt: skip
    assert summary.metrics["mpjve_mm"].excluded == 1
    assert summary.metrics["mpjve_mm"].over_frames.value == pytest.approx((10 + 20 + 60 + 44) / 4)
    assert summary.metrics["pa_mpjpe_mm"].excluded == 0


def test_an_action_without_a_scored_pose_leaves_no_mean_over_actions() -> None:
    errors = np.where(np.char.startswith(ACTIONS, "Eating"), np.nan, PA)
    summary = summarise({"mpjve_mm": errors}, ACTIONS, CLIPS, "actions")
    found = summary.metrics["mpjve_mm"]
    assert (found.over_actions.value, found.over_actions.ci95) == (None, None)
    assert found.over_frames.value == pytest.approx(30)
    assert summary.actions[0].metrics["mpjve_mm"].value is None
    nothing = summarise({"mpjve_mm": np.full(5, np.nan)}, ACTIONS, CLIPS, "frames")
    assert nothing.headline("mpjve_mm").value is None


@pytest.mark.parametrize(("averaging", "clips"), [("actions", 5), ("actions", 2), ("frames", 25)])
def test_intervals_cover_the_truth_as_often_as_they_say(averaging: str, clips: int) -> None:
    covered = 0
    # Over frames: clips of one kind. Over actions: 5 or 15 actions whose means don't vary.
    actions = {25: 1, 5: 5, 2: 15}[clips]
    truth = 40 + 10 * (actions - 1) / 2
    for seed in range(200):
        errors, action, clip = simulated(seed, actions, clips)
        ci95 = summarise({"e": errors}, action, clip, averaging, seed, 400).headline("e").ci95
        assert ci95 is not None
        covered += ci95[0] <= truth <= ci95[1]
    assert 180 <= covered <= 198


def test_a_bootstrap_over_frames_would_be_far_too_narrow() -> None:
    errors, action, clip = simulated(0)

    def width(of: np.ndarray) -> float:
        ci95 = summarise({"e": errors}, action, of, "actions").headline("e").ci95
        assert ci95 is not None
        return ci95[1] - ci95[0]

    assert width(np.arange(len(errors))) < width(clip) / 3


def test_draws_have_the_variance_of_a_mean_even_in_actions_of_two_clips() -> None:
    # For normal draws the interval is 2 * 1.96 standard errors wide; drawing as many clips as
    # there are would lose half of the variance here.
    errors, action, clip = simulated(3, actions=60, clips=2)
    means = np.array([errors[clip == k].mean() for k in range(120)]).reshape(60, 2)
    standard_error = np.sqrt((means.var(1, ddof=1) / 2).sum()) / 60
    ci95 = summarise({"e": errors}, action, clip, "actions", 0, 4000).headline("e").ci95
    assert ci95 is not None
    assert (ci95[1] - ci95[0]) / (2 * 1.96) == pytest.approx(standard_error, rel=0.06)


def test_the_interval_over_frames_has_the_variance_of_a_mean_of_clips() -> None:
    errors, action, clip = simulated(4, actions=4, clips=10)
    means = np.array([errors[clip == k].mean() for k in range(40)])
    found = summarise({"e": errors}, action, clip, "frames", 0, 4000).headline("e").ci95
    assert found is not None
    assert (found[1] - found[0]) / (2 * 1.96) == pytest.approx(
        means.std(ddof=1) / 40**0.5, rel=0.06
    )


def test_an_actions_interval_is_that_of_its_own_clips() -> None:
    errors, action, clip = simulated(5, clips=40)
    row = summarise({"e": errors}, action, clip, "actions", 0, 4000).actions[2]
    means = np.array([errors[clip == k].mean() for k in range(80, 120)])
    found = row.metrics["e"]
    assert found.ci95 is not None
    assert found.value == pytest.approx(means.mean())
    assert (found.ci95[1] - found.ci95[0]) / 3.92 == pytest.approx(
        means.std(ddof=1) / 40**0.5, rel=0.06
    )


def test_cameras_of_a_clip_go_together() -> None:
    errors, action, clip = simulated(6)
    four = summarise({"e": np.tile(errors, 4)}, np.tile(action, 4), np.tile(clip, 4), "actions")
    one = summarise({"e": errors}, action, clip, "actions")
    assert four.headline("e").ci95 == pytest.approx(one.headline("e").ci95, rel=1e-12)


def test_single_clip_actions_widen_the_interval_and_are_named() -> None:
    errors, action, clip = simulated(7, actions=4, clips=6)
    # The last three actions keep their first clip only.
    kept = (action == "a0") | np.isin(clip, [6, 12, 18])
    errors, action, clip = errors[kept], action[kept], clip[kept]
    summary = summarise({"e": errors}, action, clip, "actions", 0, 4000)
    assert summary.single_clip_actions == ("a1", "a2", "a3")
    assert [row.metrics["e"].ci95 is None for row in summary.actions] == [False, True, True, True]
    own = np.array([errors[clip == k].mean() for k in range(6)]).var(ddof=1) / 6
    pooled = 3 * np.array([errors[clip == k].mean() for k in (6, 12, 18)]).var(ddof=1)
    ci95 = summary.headline("e").ci95
    assert ci95 is not None
    # Nine means of draws from three clips are no normal distribution: a coarse bound.
    assert (ci95[1] - ci95[0]) / 3.92 == pytest.approx(np.sqrt(own + pooled) / 4, rel=0.25)


@pytest.mark.parametrize("averaging", ["actions", "frames"])
def test_one_clip_has_no_interval(averaging: str) -> None:
    summary = summarise({"pa_mpjpe_mm": PA}, ["walk"] * 5, ["c"] * 5, averaging)
    assert summary.headline("pa_mpjpe_mm").value == pytest.approx(PA.mean())
    assert summary.headline("pa_mpjpe_mm").ci95 is None
    assert summary.single_clip_actions == ("walk",)


def test_means_over_actions_are_not_drawn_without_one_of_the_actions() -> None:
    cells = Cells.of(np.array([0, 0, 1, 1]), np.arange(4))
    counts = np.array([[1.0], [1.0], [0.0], [0.0]])
    draws = draw(cells, counts * 30, counts, seed=0, resamples=100)
    assert draws.over_actions is None
    assert draws.over_frames is not None and (draws.over_frames == 30).all()


def test_a_clip_without_a_scored_pose_is_not_drawn() -> None:
    errors, action, clip = simulated(8)
    holed = np.where(clip % 5 == 0, np.nan, errors)
    summary = summarise({"e": errors, "holed": holed}, action, clip, "actions")
    alone = summarise(
        {"holed": holed[clip % 5 > 0]}, action[clip % 5 > 0], clip[clip % 5 > 0], "actions"
    )
    assert summary.headline("holed") == alone.headline("holed")
    assert summary.headline("e") == summarise({"e": errors}, action, clip, "actions").headline("e")


def test_the_seed_decides_the_resamples_alone() -> None:
    errors, action, clip = simulated(9)
    first, again, other = (
        summarise({"e": errors}, action, clip, "actions", seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.headline("e").ci95 != other.headline("e").ci95


def test_resamples_in_blocks_are_the_same_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    errors, action, clip = simulated(10)
    whole = summarise({"e": errors}, action, clip, "frames", 0, 2000).headline("e").ci95
    monkeypatch.setattr("selflift.evaluate.bootstrap.BLOCK", 60)
    blocks = summarise({"e": errors}, action, clip, "frames", 0, 2000).headline("e").ci95
    assert blocks == pytest.approx(whole, rel=1e-12)


def test_summaries_are_plain_json() -> None:
    errors = {"pa_mpjpe_mm": PA, "mpjve_mm": np.full(5, np.nan)}
    summary = summarise(errors, ACTIONS, CLIPS, "actions", protocol="h36m-p2")
    read = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    assert read == summary.to_json()
    entry = read["metrics"]["pa_mpjpe_mm"]
    assert entry["value"] == pytest.approx(38.5)
    assert (
        entry["ci95"] == entry["over_actions"]["ci95"] == list(summary.headline("pa_mpjpe_mm").ci95)
    )
    assert entry["over_frames"]["value"] == pytest.approx(36.8)
    assert read["metrics"]["mpjve_mm"]["value"] is None
    assert read["actions"][0]["metrics"]["pa_mpjpe_mm"]["value"] == 47.0
    assert (read["protocol"], read["averaging"], read["num_poses"]) == ("h36m-p2", "actions", 5)


def test_pairs_on_the_same_clips_show_small_differences() -> None:
    errors, action, clip = simulated(11, clip_std=20.0)
    better = errors - 1 + np.random.default_rng(0).standard_normal(len(errors))
    found = compare({"n_mpjpe_mm": errors}, {"n_mpjpe_mm": better}, action, clip, "actions")
    change = found.metrics["n_mpjpe_mm"]
    assert change.difference == pytest.approx((better - errors).mean())
    assert change.ci95 is not None and change.ci95[0] < -1 < change.ci95[1] < -0.5
    assert change.share_b_better == 1.0
    own = summarise({"n_mpjpe_mm": errors}, action, clip, "actions").headline("n_mpjpe_mm")
    assert own.ci95 is not None and own.ci95[1] - own.ci95[0] > 10 * (
        change.ci95[1] - change.ci95[0]
    )
    assert change.a == pytest.approx(own.value)
    json.dumps(found.to_json(), allow_nan=False)


def test_better_is_higher_for_pck_and_turns_round_with_the_order() -> None:
    a, action, clip = simulated(12)
    b = a + 3 * np.random.default_rng(1).standard_normal(25)[clip]
    there = compare(
        {"pck150": a, "mpjpe_mm": a}, {"pck150": b, "mpjpe_mm": b}, action, clip, "frames"
    )
    back = compare({"pck150": b}, {"pck150": a}, action, clip, "frames")
    pck, mpjpe = there.metrics["pck150"], there.metrics["mpjpe_mm"]
    assert pck.ci95 == mpjpe.ci95 and pck.ci95 is not None
    assert pck.share_b_better == pytest.approx(1 - mpjpe.share_b_better)
    assert 0 < pck.share_b_better < 1
    assert back.metrics["pck150"].share_b_better == mpjpe.share_b_better
    assert back.metrics["pck150"].ci95 == pytest.approx((-pck.ci95[1], -pck.ci95[0]))


def test_a_model_is_not_better_than_itself() -> None:
    errors, action, clip = simulated(13)
    found = compare({"mpjpe_mm": errors}, {"mpjpe_mm": errors}, action, clip, "actions")
    same = found.metrics["mpjpe_mm"]
    assert (same.difference, same.ci95, same.share_b_better) == (0.0, (0.0, 0.0), 0.0)


def test_a_pose_that_one_model_cannot_be_scored_on_is_left_out_of_both() -> None:
    a, b = PA.copy(), PA + 1
    a[0], b[3] = np.nan, np.nan
    found = compare({"mpjpe_mm": a}, {"mpjpe_mm": b}, ACTIONS, CLIPS, "actions").metrics["mpjpe_mm"]
    assert found.excluded == 2
    assert found.difference == pytest.approx(1)
    assert found.a == pytest.approx((47 + 20) / 2)
    nothing = compare(
        {"mpjpe_mm": np.full(5, np.nan)}, {"mpjpe_mm": b}, ACTIONS, CLIPS, "actions"
    ).metrics["mpjpe_mm"]
    assert (nothing.difference, nothing.ci95, nothing.excluded) == (None, None, 5)


def test_one_clip_cannot_be_compared_with_an_interval() -> None:
    one = compare({"mpjpe_mm": PA}, {"mpjpe_mm": PA - 1}, ["w"] * 5, ["c"] * 5, "frames")
    found = one.metrics["mpjpe_mm"]
    assert (found.difference, found.ci95, found.share_b_better) == (pytest.approx(-1), None, None)


def test_different_poses_are_not_compared() -> None:
    with pytest.raises(ValueError, match="on the same poses, got those of different poses"):
        compare({"mpjpe_mm": PA}, {"mpjpe_mm": PA[:4]}, ACTIONS, CLIPS, "actions")


def test_different_or_unknown_metrics_are_not_compared() -> None:
    with pytest.raises(ValueError, match="got mpjpe_mm and n_mpjpe_mm"):
        compare({"mpjpe_mm": PA}, {"n_mpjpe_mm": PA}, ACTIONS, CLIPS, "actions")
    with pytest.raises(ValueError, match="got error and error"):
        compare({"error": PA}, {"error": PA}, ACTIONS, CLIPS, "actions")


def test_seeds_have_a_mean_and_a_sample_standard_deviation() -> None:
    each = [summarise({"e": PA + k}, ACTIONS, CLIPS, "actions") for k in (0, 1, 5)]
    found = over_seeds(each)
    assert found.metrics["e"].mean == pytest.approx(40.5)
    assert found.metrics["e"].std == pytest.approx(7**0.5)
    assert found.metrics["e"].values == pytest.approx((38.5, 39.5, 43.5))
    assert (found.num_seeds, found.num_poses, found.averaging) == (3, 5, "actions")
    json.dumps(found.to_json(), allow_nan=False)


def test_a_seed_without_a_number_leaves_no_mean_over_seeds() -> None:
    holed = np.where(ACTIONS == "Eating", np.nan, PA)
    holed[4] = np.nan
    each = [summarise({"e": column}, ACTIONS, CLIPS, "actions") for column in (PA, holed)]
    found = over_seeds(each).metrics["e"]
    assert (found.mean, found.std, found.values) == (None, None, (38.5, None))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"protocol": "cmu17"}, "same protocol, got plain and cmu17"),
        ({"averaging": "frames"}, "same averaging, got actions and frames"),
        ({"num_poses": 4}, "same num_poses, got 5 and 4"),
        ({"metrics": {}}, "same metrics"),
    ],
)
def test_seeds_of_different_evaluations_are_not_averaged(
    change: dict[str, object], what: str
) -> None:
    one = summarise({"e": PA}, ACTIONS, CLIPS, "actions")
    with pytest.raises(ValueError, match=what):
        over_seeds([one, replace(one, **change)])


def test_one_seed_has_no_spread() -> None:
    one = summarise({"e": PA}, ACTIONS, CLIPS, "actions")
    with pytest.raises(ValueError, match="expected at least two summaries, .* got 1"):
        over_seeds([one])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"e": PA}, ACTIONS, CLIPS, "poses"), "expected one of actions, frames, got 'poses'"),
        (({"e": PA[:4]}, ACTIONS, CLIPS, "actions"), "e: expected one for each of 5 poses, got 4"),
        (({"e": PA}, ACTIONS, CLIPS[:3], "actions"), "clips: expected one for each of 5 poses"),
        (({}, ACTIONS, CLIPS, "actions"), "expected at least one pose and one metric, got none"),
        (({"e": PA[:0]}, [], [], "actions"), "expected at least one pose"),
        (({"e": PA * np.inf}, ACTIONS, CLIPS, "actions"), "e: expected finite errors, .* got 5"),
        (({"e": PA}, ACTIONS, CLIPS, "actions", 0, 99), "resamples: expected at least 100, got 99"),
    ],
)  # fmt: skip
def test_unusable_errors_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summarise(*arguments)


def test_clips_of_several_actions_give_no_interval_over_actions() -> None:
    rng = np.random.default_rng(0)
    clips = np.repeat(np.arange(8), 20)
    actions = np.tile(np.repeat(["sit", "walk"], 10), 8)
    errors = {"pa_mpjpe_mm": 50 + rng.normal(0, 10, 8)[clips] + rng.normal(0, 1, 160)}
    mixed = summarise(errors, actions, clips, "actions").metrics["pa_mpjpe_mm"]
    assert mixed.over_actions.value is not None and mixed.over_actions.ci95 is None
    assert mixed.over_frames.ci95 is not None
    other = {"pa_mpjpe_mm": errors["pa_mpjpe_mm"] + 1}
    difference = compare(errors, other, actions, clips, "actions").metrics["pa_mpjpe_mm"]
    assert difference.difference == pytest.approx(1) and difference.ci95 is None
    own = summarise(errors, np.where(clips < 4, "sit", "walk"), clips, "actions")
    assert own.metrics["pa_mpjpe_mm"].over_actions.ci95 is not None
