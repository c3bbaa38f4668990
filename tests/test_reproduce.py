"""The script behind the tables of docs/, and the ablation that it runs."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir

from selflift.cli import hydra_entry
from selflift.config import TrainConfig
from selflift.train.config_check import check

SCRIPT = Path(__file__).parents[1] / "scripts" / "reproduce.py"
PA, REFLECTED, N = "pa_mpjpe_mm", "pa_mpjpe_reflected_mm", "n_mpjpe_mm"
ABLATION = ("cycle", "adversary", "both", "temporal", "adapter", "all", "source", "composites")
# loss.w_2d, w_3d, w_adv, w_temporal, w_composite; the source domain's share and adapter.
ROWS = {
    "cycle": (1, 0.1, 0, 0, 0, 0, None),
    "adversary": (0, 0, 1, 0, 0, 0, None),
    "both": (1, 0.1, 1, 0, 0, 0, None),
    "temporal": (1, 0.1, 1, 1, 0, 0, None),
    "adapter": (1, 0.1, 1, 0, 0, 0.5, "joint"),
    "all": (1, 0.1, 1, 1, 0, 0.5, "joint"),
    "source": (1, 0.1, 1, 0, 0, 0.5, "none"),
    "composites": (1, 0.1, 1, 0, 2, 0, None),
}
SMALL = (
    "data=synthetic", "data.synthetic.train_subjects=1", "data.synthetic.val_subjects=1",
    "data.synthetic.test_subjects=1", "data.synthetic.clips_per_subject=2",
    "data.synthetic.frames_per_clip=10", "model.lifter.width=16", "model.discriminator.width=16",
    "trainer.batch_size=8", "trainer.steps=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def reproduce() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reproduce", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up.
    sys.modules["reproduce"] = module
    spec.loader.exec_module(module)
    return module


def write_metrics(folder: Path, pa: float, n: float = 1.0, reflected: float | None = None) -> Path:
    values = {PA: pa, REFLECTED: pa if reflected is None else reflected, N: n}
    values["flat_pa_mpjpe_mm"] = 100.0
    metrics = {
        name: {"value": value, "over_frames": {"value": value - 3}}
        for name, value in values.items()
    }
    path = folder / "eval_test" / "metrics.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoints = {"seed0": {"metrics": metrics}}
    path.write_text(json.dumps({"protocols": {"plain": {"checkpoints": checkpoints}}}))
    return path


Calls = list[tuple[str, list[str]]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, reproduce: ModuleType) -> Calls:
    """The commands that would run, each of which succeeds and leaves its files."""
    made: Calls = []

    def run(command: list[str], **given: object) -> SimpleNamespace:
        module, arguments = command[2], command[3:]
        made.append((module, arguments))
        if module == "selflift.eval":
            write_metrics(Path(arguments[0].split("=")[1]), 50.0)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(reproduce.subprocess, "run", run)
    return made


@pytest.fixture
def command(reproduce: ModuleType, tmp_path: Path) -> Callable[..., int]:
    def call(*arguments: str) -> int:
        with pytest.raises(SystemExit) as end:
            reproduce.main([*arguments, "--output", str(tmp_path)])
        return end.value.code

    return call


def composed(*overrides: str) -> TrainConfig:
    with initialize_config_dir(str(hydra_entry.config_folder()), version_base="1.3"):
        return hydra_entry.to_schema(compose("train", list(overrides)), TrainConfig)


@pytest.mark.parametrize(("row", "given"), list(product(ROWS, ("gt", "detected"))))
def test_each_row_is_what_it_says_and_nothing_else(row: str, given: str) -> None:
    config = composed("experiment=ablation", f"ablation={row}", "view=known", f"poses_2d={given}")
    check(config)
    loss, domain = config.loss, config.domain
    found = (loss.w_2d, loss.w_3d, loss.w_adv, loss.w_temporal, loss.w_composite, domain.share)
    assert found == ROWS[row][:6]
    if domain.share:
        assert (domain.adapter, domain.data.name) == (ROWS[row][6], "extra_bandai17")
    assert domain.data.noise.kind == "none"
    expected = {"gt": ("none", False), "detected": ("detector", True)}[given]
    assert (config.data.noise.kind, config.model.lifter.confidences) == expected
    # All rows have one budget, data and view.
    both = composed("experiment=ablation", "ablation=both", "view=known", f"poses_2d={given}")
    both.loss, both.domain, both.output_dir = loss, domain, config.output_dir
    assert config == both
    assert (config.trainer.steps, config.view.kind, config.data.name) == (1500, "known", "cmu17")


def test_a_row_applies_to_any_experiment_and_yields_to_the_command_line() -> None:
    assert composed("experiment=cmu", "ablation=cycle").loss.w_adv == 0
    assert composed("experiment=cmu", "ablation=cycle", "loss.w_adv=3").loss.w_adv == 3


def test_the_script_and_the_configs_name_the_same_rows(reproduce: ModuleType) -> None:
    files = (hydra_entry.config_folder() / "ablation").glob("*.yaml")
    assert {path.stem for path in files} == set(reproduce.ABLATION) == set(ABLATION)


def test_the_ablation_is_every_row_view_input_and_seed_once(
    command: Callable[..., int], calls: Calls, tmp_path: Path
) -> None:
    assert command("ablation", "--jobs", "3") == 0
    trained = [arguments for module, arguments in calls if module == "selflift.train"]
    chosen = {tuple(arguments[:5]) for arguments in trained}
    assert len(trained) == len(chosen) == 8 * 3 * 2 * 3
    expected = ("experiment=ablation", "ablation=all", "view=paper", "poses_2d=detected", "seed=2")
    assert expected in chosen
    folder = tmp_path / "ablation" / "all" / "paper" / "detected" / "seed2"
    assert [*expected, f"output_dir={folder}", "trainer.progress=false"] in trained
    evaluated = [f"checkpoint={folder}", "split=test", "report=false", "resamples=100"]
    assert ("selflift.eval", evaluated) in calls


def test_what_is_done_is_skipped_and_what_was_interrupted_resumed(
    command: Callable[..., int], calls: Calls, tmp_path: Path
) -> None:
    folder = tmp_path / "ablation" / "both" / "learned" / "gt"
    write_metrics(folder / "seed0", 40.0)
    last = folder / "seed1" / "checkpoints" / "last.pt"
    last.parent.mkdir(parents=True)
    last.touch()
    one = ("ablation", "--rows", "both", "--views", "learned", "--inputs", "gt", "--seeds")
    assert command(*one, "0", "1", "--override", "trainer.steps=2") == 0
    assert calls[0] == ("selflift.train", [f"resume={folder / 'seed1'}", "trainer.progress=false"])
    assert [module for module, _ in calls] == ["selflift.train", "selflift.eval"]
    assert command(*one, "0", "1") == 0
    assert len(calls) == 2


def test_a_run_of_other_overrides_is_not_taken_for_the_one_asked_for(
    command: Callable[..., int], calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    one = ("ablation-both", "--views", "paper", "--inputs", "gt", "--seeds", "0")
    assert command(*one, "--override", "trainer.steps=2") == 0
    assert "trainer.steps=2" in calls[0][1]
    assert command(*one) == 2
    assert "got one of experiment=ablation ablation=both" in capsys.readouterr().err
    assert command(*one, "--override", "trainer.steps=2") == 0
    assert len(calls) == 2


def test_a_run_that_fails_is_told_and_leaves_the_others_be(
    command: Callable[..., int], calls: Calls, reproduce: ModuleType,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    works = reproduce.subprocess.run

    def run(command: list[str], **given: object) -> SimpleNamespace:
        return SimpleNamespace(returncode=2) if "seed=1" in command else works(command)

    monkeypatch.setattr(reproduce.subprocess, "run", run)
    assert command("demo") == 1
    shown = capsys.readouterr()
    assert "1 of 3 runs failed" in shown.err and "seed1/log.txt" in shown.err
    row = (
        "| synthetic: consistency + adversary + composites + bones | 2 | 50.0 ± 0.0 | 47.0 ± 0.0 |"
    )
    assert row in shown.out


@pytest.mark.parametrize("status", [130, -2])
def test_after_an_interruption_nothing_more_is_begun(
    command: Callable[..., int], reproduce: ModuleType, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    begun: list[str] = []

    def run(command: list[str], **given: object) -> SimpleNamespace:
        begun.append(command[2])
        return SimpleNamespace(returncode=status)

    monkeypatch.setattr(reproduce.subprocess, "run", run)
    assert "the same command goes on" in str(command("demo"))
    assert begun == ["selflift.train"]


def test_the_table_has_mean_spread_number_of_seeds_and_mirrored_runs(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = tmp_path / "ablation" / "both" / "learned"
    for seed, pa, n in ((0, 50.0, 60.0), (1, 52.0, 66.0), (2, 57.0, 60.0)):
        write_metrics(both / "gt" / f"seed{seed}", pa, n)
    write_metrics(both / "detected" / "seed0", 70.0, 80.0)
    cycle = tmp_path / "ablation" / "cycle" / "learned"
    # Reflection gains a mirrored run much, and a flat one a little.
    for seed, pa, reflected in ((0, 120.0, 60.0), (1, 100.0, 97.0), (2, 110.0, 50.0)):
        write_metrics(cycle / "gt" / f"seed{seed}", pa, 150.0, reflected)
    chosen = ("ablation", "--rows", "both", "cycle", "--views", "learned", "--table-only")
    assert command(*chosen, "--markdown", str(tmp_path / "new" / "table.md")) == 0
    text = (tmp_path / "new" / "table.md").read_text()
    assert text == capsys.readouterr().out
    assert text.splitlines() == [
        "| row | 2D truth, view=learned: PA-MPJPE | N-MPJPE "
        "| detector-like 2D, view=learned: PA-MPJPE | N-MPJPE |",
        "| --- | --- | --- | --- | --- |",
        "| `cycle`: self-consistency alone | 110.0 ± 10.0 †2 | 150.0 ± 0.0 †2 | - | - |",
        "| `both`: self-consistency + adversary | 53.0 ± 3.6 | 62.0 ± 3.5 "
        "| 70.0 (n=1) | 80.0 (n=1) |",
        "",
        "Millimetres on the test split; mean ± standard deviation over seeds (n=3, unless a "
        "cell says otherwise). †k: k of the runs ended mirrored (with reflection, PA-MPJPE is "
        "below 80% of the proper one), so that the mean says little.",
    ]


def test_table_only_runs_nothing(command: Callable[..., int], calls: Calls) -> None:
    assert command("cmu_supervised", "ablation", "--table-only") == 0
    assert calls == []


def test_filters_without_the_ablation_are_refused(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("demo", "--views", "paper") == 2
    assert "expected the row ablation" in capsys.readouterr().err


def test_a_run_is_trained_evaluated_resumed_and_shown(tmp_path: Path) -> None:
    """The commands themselves, on a few synthetic poses."""
    chosen = ("ablation-temporal", "--views", "paper", "--inputs", "detected", "--seeds", "0")
    script = (sys.executable, str(SCRIPT), *chosen, "--output", str(tmp_path))

    def call() -> str:
        command = [*script, "--override", *SMALL]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    table = call().split("CPU time")[0]
    assert "`temporal`: both + temporal discriminator | " in table
    run = tmp_path / "ablation" / "temporal" / "paper" / "detected" / "seed0"
    assert json.loads((run / "metrics.json").read_text())["step"] == 2
    (run / "eval_test" / "metrics.json").unlink()
    assert call().split("CPU time")[0] == table
    assert "nothing to do" in (run / "log.txt").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "[" * 10**5, "9" * 5000, '{"protocols": {"plain": 1}}',
        '{"protocols": {"plain": {"checkpoints": {}}}}',
        '{"protocols": {"plain": {"checkpoints": {"a": {"metrics": {}}}}}}',
        '{"protocols": {"plain": {"checkpoints": {"a": {"metrics": {"pa_mpjpe_mm": 1}}}}}}',
    ],
)  # fmt: skip
def test_damaged_metrics_are_one_line(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = write_metrics(tmp_path / "demo" / "seed0", 50.0)
    path.write_text(text)
    assert command("demo", "--seeds", "0") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"reproduce: '{path}': expected ") and len(line) < 500


@pytest.mark.parametrize("value", ['"x"', "null", "NaN", "1e999", "true", "[1]", "9" * 400])
def test_metrics_that_are_no_numbers_are_refused(
    reproduce: ModuleType, tmp_path: Path, value: str
) -> None:
    path = write_metrics(tmp_path, 50.0)
    path.write_text(path.read_text().replace("50.0", value))
    with pytest.raises(ValueError, match="expected the metrics of one checkpoint as selflift.eval"):
        reproduce.table({"demo": [path]})


@pytest.mark.parametrize("text", ["{", "1", '["a", 1]', "[" * 10**5, '["' + "y" * 10**6 + '"]'])
def test_a_damaged_record_of_overrides_is_one_line(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    write_metrics(tmp_path / "demo" / "seed0", 50.0)
    (tmp_path / "demo" / "seed0" / "overrides.json").write_text(text)
    assert command("demo", "--seeds", "0") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected" in line and len(line) < 1000
