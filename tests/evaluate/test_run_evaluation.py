"""A whole evaluation: names, folders, protocols, seeds, comparisons, files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from selflift import checkpoint
from selflift.cli import eval
from selflift.config import DataConfig, EvalConfig, EvalDataConfig, SubjectsConfig
from selflift.data.pose_set import Labels, PoseSet
from selflift.data.rays import rays_of
from selflift.evaluate.evaluation_files import entries, report_text, write
from selflift.evaluate.run_evaluation import labels, output_folder, run_evaluation
from selflift.geometry.normalise import Normaliser
from selflift.lift import bundled_weights
from selflift.models import Lifter

DATA = DataConfig(source="files", name="set", subjects=SubjectsConfig(train=["A"], test=["B", "C"]))


@pytest.fixture
def people(tmp_path: Path, make_pose_set: Callable[..., PoseSet]) -> PoseSet:
    """Three subjects, two actions, six clips of eight frames, four cameras; saved as set.h5."""
    poses = make_pose_set(clips=6, frames=8)
    number = poses.clip.index
    subjects = np.array(["A", "B", "C"])[number % 3]
    actions = np.array(["sit 1", "walk 2"])[number // 3]
    poses = replace(
        poses,
        subject=Labels.of(subjects.tolist()),
        action=Labels.of(actions.tolist()),
    )
    poses.save(tmp_path / "set.h5")
    return poses


@pytest.fixture
def save_run(tmp_path: Path, people: PoseSet) -> Callable[..., str]:
    """Run folders of untrained lifters."""
    normaliser = Normaliser.fit(rays_of(people, "rotate"), people.skeleton, 10.0)

    def save(name: str, seed: int = 0, elevation: bool = True, **metadata: object) -> str:
        torch.manual_seed(seed)
        shape = {"width": 16, "num_blocks": 1, "elevation": elevation}
        lifter = Lifter(**shape)
        folder = tmp_path / name / "checkpoints"
        folder.mkdir(parents=True)
        data = {**asdict(DATA), "root": str(tmp_path)}
        content = checkpoint.Checkpoint(
            {
                "lifter": shape, "normaliser": asdict(normaliser), "config": {"data": data},
                "calibrated": True, "step": 7, **metadata,
            },
            dict(lifter.state_dict()),
        )  # fmt: skip
        checkpoint.save(folder / "best.pt", content)
        return str(tmp_path / name)

    return save


def config(run: object, **changes: object) -> EvalConfig:
    return EvalConfig(**{"checkpoint": run, "device": "cpu", "resamples": 100, **changes})


def test_names_are_as_short_as_tells_them_apart(tmp_path: Path) -> None:
    def best(*parts: str) -> Path:
        return tmp_path.joinpath(*parts, "checkpoints", "best.pt")

    assert labels([best("cmu", "seed0")]) == ["seed0"]
    assert labels([best("cmu", "seed0"), best("cmu", "seed1")]) == ["seed0", "seed1"]
    assert labels([best("a", "seed0"), best("b", "seed0")]) == ["a/seed0", "b/seed0"]
    last = best("a", "seed0").with_name("last.pt")
    assert labels([best("a", "seed0"), last]) == ["seed0", "last"]
    with pytest.raises(ValueError, match="expected each one once, got '.*best.pt' twice"):
        labels([best("a", "x"), best("a", "x")])


@pytest.mark.parametrize(
    ("path", "changes", "expected"),
    [
        ("run/checkpoints/best.pt", {}, "run/eval_val"),
        ("models/mine.pt", {}, "models/eval_val_mine"),
        ("run/checkpoints/last.pt", {}, "run/eval_val_last"),
        ("run/checkpoints/best.pt", {"poses": "data/mine.h5"}, "run/eval_mine"),
        ("run/checkpoints/best.pt", {"output_dir": "elsewhere"}, "elsewhere"),
    ],
)
def test_results_go_beside_the_checkpoint(path: str, changes: dict, expected: str) -> None:
    assert output_folder(config("x", split="val", **changes), [Path(path)]) == Path(expected)


def test_bundled_weights_have_a_name(
    save_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(save_run("run"), "checkpoints", "best.pt")
    monkeypatch.setattr(bundled_weights, "bundled", lambda: {"mine": file})
    results = run_evaluation(config("mine", output_dir=str(tmp_path / "out")))
    assert [model.path for model in results.models.values()] == [file]
    with pytest.raises(ValueError, match=r"the name of bundled weights \(mine\), or a list"):
        run_evaluation(config([]))


def test_several_checkpoints_need_a_folder() -> None:
    with pytest.raises(ValueError, match="expected a folder for the results of 2 checkpoints"):
        output_folder(config("x"), [Path("a.pt"), Path("b.pt")])


def test_only_the_splits_subjects_are_scored(save_run, people: PoseSet) -> None:
    results = run_evaluation(config(save_run("run")))
    (result,) = results.protocols
    assert set(result.poses.subject.values) == {"B", "C"}
    summary = result.summaries["run"]
    assert summary.num_poses == 4 * 8 * 4
    assert [row.action for row in summary.actions] == ["sit", "walk"]
    by_hand = [
        result.evaluations["run"].errors["pa_mpjpe_mm"][result.poses.action.values == name].mean()
        for name in ("sit 1", "walk 2")
    ]
    assert summary.headline("pa_mpjpe_mm").value == pytest.approx(np.mean(by_hand))


def test_seeds_are_averaged_and_others_compared(save_run, tmp_path: Path) -> None:
    runs = [save_run(f"seed{i}", seed=i) for i in range(2)]
    other = save_run("other", seed=5)
    results = run_evaluation(config(runs, compare=[other], output_dir=str(tmp_path / "out")))
    (result,) = results.protocols
    values = [result.summaries[f"seed{i}"].headline("n_mpjpe_mm").value for i in range(2)]
    assert result.seeds is not None
    assert result.seeds.metrics["n_mpjpe_mm"].mean == pytest.approx(np.mean(values))
    assert set(result.comparisons) == {"other"}
    first, second = (result.evaluations[name].errors["n_mpjpe_mm"] for name in ("seed0", "other"))
    walk = result.poses.action.values == "walk 2"
    difference = second - first
    expected = (difference[walk].mean() + difference[~walk].mean()) / 2
    assert result.comparisons["other"].metrics["n_mpjpe_mm"].difference == pytest.approx(expected)
    told = report_text(results)
    assert "mean (2 seeds)" in told and "other - seed0: pa_mpjpe_mm" in told


def test_protocols_choose_from_one_lift(save_run, people: PoseSet, tmp_path: Path) -> None:
    renamed = replace(people, subject=Labels.of(np.where(
        people.subject.values == "A", "S9", "S11").tolist()),
        camera=Labels(tuple(
            f"{name.split('/')[0]}/{['54138969', '55011271', '58860488', '60457274'][i % 4]}"
            for i, name in enumerate(people.camera.names)), people.camera.index))  # fmt: skip
    renamed.save(tmp_path / "h36m.h5")
    results = run_evaluation(
        config(
            save_run("run"), poses=str(tmp_path / "h36m.h5"),
            protocols=["h36m-p2", "h36m-elepose", "h36m-c3dpo"],
        )
    )  # fmt: skip
    p2, elepose, c3dpo = results.protocols
    assert len(p2.poses) == len(people) > len(c3dpo.poses)
    assert p2.summaries["run"].averaging == "actions"
    assert elepose.summaries["run"].averaging == "frames"
    errors = elepose.evaluations["run"].errors["pa_mpjpe_reflected_mm"]
    assert elepose.summaries["run"].headline("pa_mpjpe_reflected_mm").value == pytest.approx(
        errors.mean()
    )


def test_files_hold_what_was_measured(save_run, tmp_path: Path) -> None:
    results = run_evaluation(config(save_run("run"), train_scale=True))
    files = write(results)
    (result,) = results.protocols
    folder = tmp_path / "run" / "eval_test"
    metrics = json.loads((folder / "metrics.json").read_text())
    own = metrics["protocols"]["plain"]["checkpoints"]["run"]
    summary = result.summaries["run"]
    for name in ("pa_mpjpe_mm", "mpjpe_train_scale_mm", "flat_pa_mpjpe_mm", "mpjve_mm"):
        assert own["metrics"][name]["value"] == summary.headline(name).value
    assert own["metrics"]["mpjve_mm"]["excluded"] == 4 * 4
    assert own["mm_per_unit"] > 0
    assert set(own["joint_errors_mm"]["pa_mpjpe_mm"]) == set(result.poses.skeleton.joints)
    assert metrics["checkpoints"]["run"]["step"] == 7
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    found = [
        float(row["value"]) for row in rows
        if (row["metric"], row["action"]) == ("pa_mpjpe_mm", "mean over actions")
    ]  # fmt: skip
    assert found == [summary.headline("pa_mpjpe_mm").value]
    assert r"\toprule" in (folder / "table.tex").read_text()
    with h5py.File(files["errors"]) as file:
        group = file["plain"]
        np.testing.assert_allclose(
            group["errors/run/pa_mpjpe_mm"][()], result.evaluations["run"].errors["pa_mpjpe_mm"],
            rtol=1e-6,
        )  # fmt: skip
        np.testing.assert_array_equal(group["frame"][()], result.poses.frame)
        names = group["clip/names"].asstr()[()]
        assert names[group["clip/index"][()]].tolist() == result.poses.clip.values.tolist()


def test_a_set_without_truth_gets_what_can_be_known(
    save_run, people: PoseSet, tmp_path: Path
) -> None:
    replace(people, poses_3d=None).save(tmp_path / "flat.h5")
    results = run_evaluation(config(save_run("run"), poses=str(tmp_path / "flat.h5")))
    assert results.protocols == []
    numbers = results.label_free["run"].per_set
    assert numbers["consistency_3d_pct"] > 0
    assert "numbers from 2D alone" in report_text(results)
    write(results)
    folder = tmp_path / "run" / "eval_flat"
    assert {p.name for p in folder.iterdir()} == {"metrics.json"}
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["label_free"]["run"]["numbers"] == numbers


def test_the_truth_is_not_asked_for_what_needs_none(save_run, people: PoseSet) -> None:
    with_truth = run_evaluation(config(save_run("run"), label_free=True))
    assert with_truth.protocols and with_truth.label_free


def test_the_command_writes_a_report_per_protocol(
    save_run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    eval.evaluate(config(save_run("run"), protocols=["plain"]))
    folder = tmp_path / "run" / "eval_test"
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "PA-MPJPE" in page and "run" in page
    assert (folder / "figures" / "eval_test.png").stat().st_size > 10_000
    assert f"report:   {folder / 'report' / 'index.html'}" in capsys.readouterr().out


BAD = {
    "no protocol": ({"protocols": []}, "protocols: expected at least one"),
    "unknown protocol": ({"protocols": ["h36m"]}, "protocol: expected one of plain, .* got 'h36m'"),
    "missing subjects": (
        {"protocols": ["h36m-p2"]},
        "protocol 'h36m-p2': expected the subjects S9, S11, got a set of B, C",
    ),
    "no resamples": ({"resamples": 3}, "resamples: expected at least 100, got 3"),
    "no set": ({"poses": "none.h5"}, "poses 'none.h5': no such file"),
    "unknown subject": (
        {"data": EvalDataConfig(subjects=["Z"])},
        "expected the subjects Z, got a file of A, B, C",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_evaluated_is_told_in_one_line(save_run, case: str) -> None:
    changes, message = BAD[case]
    with pytest.raises(ValueError, match=message) as error:
        run_evaluation(config(save_run("run"), **changes))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", [3, [], [3], None])
def test_a_checkpoint_is_a_path(given: object) -> None:
    with pytest.raises(ValueError, match="checkpoint: expected a run folder, a checkpoint file"):
        run_evaluation(config(given))


def test_the_training_scale_is_of_the_training_subjects_whoever_is_scored(save_run) -> None:
    run = save_run("run")
    usual = run_evaluation(config(run, train_scale=True))
    named = run_evaluation(config(run, train_scale=True, data=EvalDataConfig(subjects=["B"])))
    factors = [r.protocols[0].evaluations["run"].mm_per_unit for r in (usual, named)]
    assert factors[0] is not None and factors[0] == factors[1]


def test_a_run_named_mean_does_not_hide_the_mean_over_seeds(save_run, tmp_path: Path) -> None:
    runs = [save_run("mean", 0), save_run("b", 1)]
    results = run_evaluation(config(runs, output_dir=str(tmp_path / "out")))
    rows = entries(results.protocols[0])
    assert [type(row).__name__ for row in rows.values()] == ["SeedSummary", "Summary", "Summary"]


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_told_by_its_key(save_run, seed: int) -> None:
    with pytest.raises(ValueError, match=r"^seed: expected a whole number from 0"):
        run_evaluation(config(save_run("run"), seed=seed))


def test_subjects_that_would_not_be_chosen_are_refused(save_run, tmp_path: Path) -> None:
    run, chosen = save_run("run"), EvalDataConfig(subjects=["B"])
    with pytest.raises(
        ValueError, match=r"^data.subjects: expected data.source=files, .* got poses="
    ):
        run_evaluation(config(run, poses=str(tmp_path / "set.h5"), data=chosen))
    with pytest.raises(
        ValueError,
        match=r"^data.subjects: expected data.source=files, .* got data.source=synthetic",
    ):
        run_evaluation(config(run, data=replace(chosen, source="synthetic")))


def test_protocols_are_refused_where_there_is_no_truth(
    save_run, people: PoseSet, tmp_path: Path
) -> None:
    replace(people, poses_3d=None).save(tmp_path / "flat.h5")
    given = config(save_run("run"), poses=str(tmp_path / "flat.h5"), protocols=["plain", "h36m-p1"])
    with pytest.raises(ValueError, match=r"^protocols: expected plain alone .* h36m-p1"):
        run_evaluation(given)


def test_clips_of_two_subjects_may_bear_one_name(save_run, people: PoseSet, tmp_path: Path) -> None:
    names = [f"clip{i // 3}" for i in people.clip.index]
    replace(people, clip=Labels.of(names)).save(tmp_path / "same.h5")
    run = save_run("run")
    (one,) = run_evaluation(config(run, poses=str(tmp_path / "same.h5"))).protocols
    (two,) = run_evaluation(config(run, poses=str(tmp_path / "set.h5"))).protocols
    assert one.summaries["run"].num_clips == two.summaries["run"].num_clips == 6
    np.testing.assert_array_equal(
        one.evaluations["run"].errors["mpjve_mm"], two.evaluations["run"].errors["mpjve_mm"]
    )


def test_weights_for_inference_are_evaluated_as_their_checkpoint(
    save_run: Callable[..., str], tmp_path: Path
) -> None:
    run = save_run("run")
    path = tmp_path / "mine.safetensors"
    content = checkpoint.load(Path(run) / "checkpoints" / "best.pt")
    checkpoint.save_weights(path, content, torch.float32)
    errors = []
    for given in (run, str(path)):
        (result,) = run_evaluation(config(given)).protocols
        (evaluation,) = result.evaluations.values()
        errors.append(evaluation.errors["pa_mpjpe_mm"])
    np.testing.assert_array_equal(*errors)


def test_the_packages_own_folder_gets_no_results() -> None:
    config = EvalConfig(checkpoint=str(bundled_weights.bundled()["cmu17"]))
    with pytest.raises(ValueError, match="come with selflift, got none; .*outputs/cmu17"):
        output_folder(config, [bundled_weights.bundled()["cmu17"]])
