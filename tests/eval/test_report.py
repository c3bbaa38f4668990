"""What is reported: means by hand, the table's rows and names, the file, the examples."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selflift.data.poses import Labels, PoseSet
from selflift.eval.cli import example_poses
from selflift.eval.evaluate import Evaluation
from selflift.eval.report import examples, summarise, table, write
from selflift.skeleton import H36M_17

ACTIONS = ("Walking 1", "Eating", "Walking 2", "Walking 1")
PA = np.array([10.0, 50.0, 20.0, 60.0])


def pose_set(actions: tuple[str, ...] = ACTIONS) -> PoseSet:
    n = len(actions)
    same = Labels.of(["one"] * n)
    return PoseSet(
        H36M_17, np.zeros((n, 17, 2), np.float32), same, Labels.of(actions), same, same,
        np.arange(n), np.ones(n, np.float32),
    )  # fmt: skip


def evaluation(knee_score: float = 0.5) -> Evaluation:
    return Evaluation(
        errors={
            "pa_mpjpe_mm": PA,
            "pa_mpjpe_reflected_mm": PA - 1,
            "n_mpjpe_mm": PA + 100,
            "mpjpe_mm": PA + 200,
        },
        baseline={"pa_mpjpe_mm": 10 * PA, "n_mpjpe_mm": 10 * PA + 1},
        predictions=np.zeros((4, 17, 3)),
        truth=np.zeros((4, 17, 3)),
        elevation_rad=None,
        knee_score=knee_score,
        skeleton_height_mm=1600.0,
    )


def test_the_headline_is_the_mean_over_actions_of_each_actions_mean() -> None:
    summary = summarise(evaluation(), pose_set())
    # Eating: 50. Walking: (10 + 20 + 60) / 3 = 30, whatever the number behind the word.
    assert summary["pa_mpjpe_mm"] == pytest.approx((50 + 30) / 2)
    assert summary["pa_mpjpe_reflected_mm"] == pytest.approx(39)
    assert summary["n_mpjpe_mm"] == pytest.approx(140)
    assert summary["mpjpe_mm"] == pytest.approx(240)
    assert summary["baseline_flat_pa_mpjpe_mm"] == pytest.approx(400)
    assert summary["baseline_flat_n_mpjpe_mm"] == pytest.approx(401)
    assert summary["num_poses"] == 4
    assert "then the mean over actions" in summary["averaging"]


def test_the_mean_over_frames_stands_beside_it() -> None:
    frames = summarise(evaluation(), pose_set())["per_frame"]
    assert frames == pytest.approx(
        {
            "pa_mpjpe_mm": 35.0,
            "pa_mpjpe_reflected_mm": 34.0,
            "n_mpjpe_mm": 135.0,
            "mpjpe_mm": 235.0,
            "baseline_flat_pa_mpjpe_mm": 350.0,
            "baseline_flat_n_mpjpe_mm": 351.0,
        }
    )


def test_every_action_has_a_row_sorted_by_name() -> None:
    rows = summarise(evaluation(), pose_set())["actions"]
    assert [(row["action"], row["num_poses"]) for row in rows] == [("Eating", 1), ("Walking", 3)]
    assert rows[1]["n_mpjpe_mm"] == pytest.approx(130)
    assert rows[1]["baseline_flat_n_mpjpe_mm"] == pytest.approx(301)


def test_an_action_is_the_first_word_and_no_prefix() -> None:
    actions = ("Sitting 1", "SittingDown", "Sitting", " ")
    rows = summarise(evaluation(), pose_set(actions))["actions"]
    assert [row["action"] for row in rows] == ["(unnamed)", "Sitting", "SittingDown"]
    assert [row["num_poses"] for row in rows] == [1, 2, 1]


@pytest.mark.parametrize(("score", "mirrored"), [(-0.3, True), (0.0, False), (0.7, False)])
def test_backward_knees_are_called_mirrored(score: float, mirrored: bool) -> None:
    summary = summarise(evaluation(score), pose_set())
    assert summary["mirrored"] is mirrored and summary["knee_score"] == score
    assert ("mirrored in depth" in table(summary)) is mirrored


def test_another_sets_evaluation_is_refused() -> None:
    with pytest.raises(ValueError, match="expected errors of 2 poses, got those of 4"):
        summarise(evaluation(), pose_set(ACTIONS[:2]))


def test_the_table_lists_actions_then_both_means() -> None:
    summary = summarise(evaluation(), pose_set())
    lines = table(summary).splitlines()
    assert [line.split() for line in lines[3:5]] == [
        ["Eating", "1", "50.0", "49.0", "150.0", "250.0", "500.0", "501.0"],
        ["Walking", "3", "30.0", "29.0", "130.0", "230.0", "300.0", "301.0"],
    ]
    assert lines[6].split() == ["mean", "over", "actions", "4", "40.0", "39.0", "140.0", "240.0",
                                "400.0", "401.0"]  # fmt: skip
    assert lines[7].split() == ["mean", "over", "frames", "4", "35.0", "34.0", "135.0", "235.0",
                                "350.0", "351.0"]  # fmt: skip
    assert len({len(line) for line in lines[:8]}) == 1, "columns must be aligned"


def test_every_column_names_its_variant() -> None:
    top, bottom = table(summarise(evaluation(), pose_set())).splitlines()[:2]
    assert top.split() == ["action", "poses", "PA-MPJPE", "PA-MPJPE", "N-MPJPE", "MPJPE",
                           "flat", "PA", "flat", "N"]  # fmt: skip
    assert [part.strip("( )") for part in bottom.split(")  ")] == [
        "proper", "reflection", "LSQ scale", "height 1600 mm", "proper", "LSQ scale",
    ]  # fmt: skip


def test_the_table_says_that_the_height_is_assumed() -> None:
    assert "assumed 1600 mm from ankles to head; no truth is used" in table(
        summarise(evaluation(), pose_set())
    )


def test_the_table_does_not_rely_on_the_order_of_the_rows() -> None:
    summary = summarise(evaluation(), pose_set())
    assert table({**summary, "actions": summary["actions"][::-1]}) == table(summary)


def test_the_file_reads_back_as_the_summary(tmp_path: Path) -> None:
    summary = summarise(evaluation(), pose_set())
    write(summary, tmp_path / "new" / "metrics.json")
    assert json.loads((tmp_path / "new" / "metrics.json").read_text()) == summary


def test_what_is_no_json_leaves_the_earlier_file_intact(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write({"a": 1}, path)
    with pytest.raises(ValueError):
        write({"a": float("nan")}, path)
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_examples_stand_at_their_quantiles() -> None:
    errors = np.random.default_rng(0).permutation(np.arange(101.0))
    chosen = examples(errors)
    assert {q: errors[i] for q, i in chosen.items()} == {
        0.05: 5.0, 0.25: 25.0, 0.50: 50.0, 0.75: 75.0, 0.95: 95.0,
    }  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_poses_give_each_example_once(count: int) -> None:
    chosen = examples(np.arange(float(count)))
    assert sorted(chosen.values()) == list(range(count))


def test_examples_are_fitted_in_scale_and_not_rotated() -> None:
    truth = np.random.default_rng(0).standard_normal((4, 17, 3))
    turned = truth[..., [2, 1, 0]] * [1, 1, -1]
    prediction = np.where(np.arange(4)[:, None, None] == 0, 3 * truth, turned)
    result = replace(evaluation(), predictions=prediction, truth=truth)
    rows = example_poses(result, pose_set())
    assert [row.error for row in rows] == [f"PA-MPJPE {e:.1f} mm" for e in (10, 20, 50, 60)]
    np.testing.assert_allclose(rows[0].prediction, truth[0])
    scale = (turned[2] * truth[2]).sum() / (turned[2] ** 2).sum()
    np.testing.assert_allclose(rows[1].prediction, scale * turned[2])
    assert rows[1].label.splitlines()[1:] == ["subject one", "Walking 2"]
