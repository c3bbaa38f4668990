"""The YAML files and the dataclasses agree."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from selflift.cli import hydra_entry
from selflift.config import EvalConfig, PredictConfig, PrepareConfig, TrainConfig, to_yaml

GROUPS = ("data", "model", "view", "loss", "optim", "trainer", "experiment")
CHOICES = [
    f"{group}={path.stem}"
    for group in GROUPS
    for path in sorted((hydra_entry.config_folder() / group).glob("*.yaml"))
]


def composed(*overrides: str) -> TrainConfig:
    with initialize_config_dir(str(hydra_entry.config_folder()), version_base="1.3"):
        return hydra_entry.to_schema(compose("train", list(overrides)), TrainConfig)


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_of_every_group_fits_the_schema(choice: str) -> None:
    assert isinstance(composed(choice), TrainConfig)


def test_the_dataclasses_default_to_the_default_run() -> None:
    config = composed("output_dir=outputs/run", "data.root=data", "domain.data.root=data")
    assert config == TrainConfig()


def test_the_default_run_states_every_number() -> None:
    with initialize_config_dir(str(hydra_entry.config_folder()), version_base="1.3"):
        stated = OmegaConf.to_container(compose("train"), resolve=True)

    def keys(tree: dict, prefix: str = "") -> set[str]:
        found = set()
        for key, value in tree.items():
            name = f"{prefix}{key}"
            found |= keys(value, f"{name}.") if isinstance(value, dict) else {name}
        return found

    assert keys(stated) == keys(asdict(TrainConfig()))


def test_every_key_of_the_evaluation_is_stated() -> None:
    with initialize_config_dir(str(hydra_entry.config_folder()), version_base="1.3"):
        config = compose("eval", ["checkpoint=x"])
    assert set(config) == set(asdict(EvalConfig()))


def prepared(*overrides: str) -> PrepareConfig:
    with initialize_config_dir(str(hydra_entry.config_folder()), version_base="1.3"):
        config = compose("prepare", ["input=in", "output=out.h5", *overrides])
        return hydra_entry.to_schema(config, PrepareConfig)


def test_the_dataclasses_default_to_the_default_conversion() -> None:
    assert prepared() == PrepareConfig(input="in", output="out.h5")


def test_the_dataclasses_default_to_the_default_prediction() -> None:
    with initialize_config_dir(str(hydra_entry.config_folder()), version_base="1.3"):
        config = hydra_entry.to_schema(compose("predict", ["input=in"]), PredictConfig)
        assert config == PredictConfig(input="in")
        several = ["input=in", "output=[a.npz,b.bvh]", "camera.f_px=[900,901]"]
        config = hydra_entry.to_schema(compose("predict", several), PredictConfig)
    assert config.output == ["a.npz", "b.bvh"] and config.camera.f_px == [900, 901]


def test_lists_and_tables_are_given_on_the_command_line() -> None:
    config = prepared("h36m.subjects=[S9,S11]", "mocap.bones={hip_l: LHip}", "h36m.stand_in=null")
    assert config.h36m.subjects == ["S9", "S11"]
    assert config.h36m.stand_in is None
    assert config.mocap.bones == {"hip_l": "LHip"}


def test_a_config_written_as_yaml_reads_back_the_same(tmp_path: Path) -> None:
    config = composed("experiment=cmu", "optim.lr=1e-5", "seed=7", "output_dir='a: b # c'")
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config))
    assert hydra_entry.load_yaml(path, TrainConfig) == config


def test_data_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SELFLIFT_DATA", raising=False)
    assert composed("experiment=cmu").data.root == "data"
    monkeypatch.setenv("SELFLIFT_DATA", "elsewhere")
    assert composed("experiment=cmu").data.root == "elsewhere"
    assert composed("experiment=cmu", "data.root=here").data.root == "here"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+trainer.stepz=3", "stepz"),
        ("trainer.steps=many", "trainer.steps"),
        ("loss.w_2d=[1]", "loss.w_2d"),
    ],
)
def test_unknown_keys_and_wrong_types_name_the_key(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        composed(override)


def test_a_damaged_config_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    with pytest.raises(ValueError, match="no such file"):
        hydra_entry.load_yaml(path, TrainConfig)
    path.write_text("a: [1, ")
    with pytest.raises(ValueError, match="expected YAML, got a corrupt file"):
        hydra_entry.load_yaml(path, TrainConfig)
    path.write_text("- 1\n- 2\n")
    with pytest.raises(ValueError, match="expected a mapping, got ListConfig"):
        hydra_entry.load_yaml(path, TrainConfig)


@pytest.mark.parametrize(
    ("old", "new", "got"),
    [
        ("root: ", "root: ${oc.env:SELFLIFT_TEST_SECRET} #", "a value to be looked up"),
        ("root: ", "root: a${oc.decode:${oc.env:SELFLIFT_TEST_SECRET}} #", "a value to be looked"),
        ("root: ", "root: ${output_dir} #", "a value to be looked up"),
        ("root: ", "root: !!python/object/apply:os.getcwd [] #", "a tag"),
        ("root: ", "root: &a [b] #", "a reference"),
        ("root: ", "root: *a #", "a reference|undefined alias"),
        ("root: ", f"root: {'[' * 30_000} #", "deep nesting"),
    ],
)  # fmt: skip
def test_nothing_in_a_runs_config_is_looked_up_or_unfolded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, got: str
) -> None:
    monkeypatch.setenv("SELFLIFT_TEST_SECRET", "told to nobody")
    path = tmp_path / "config.yaml"
    text = to_yaml(TrainConfig(output_dir="a"))
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=rf"config.yaml'.*got {got}|{got}") as caught:
        hydra_entry.load_yaml(path, TrainConfig)
    assert "nobody" not in str(caught.value) and "\n" not in str(caught.value)


def test_references_to_references_are_not_unfolded(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    path.write_text("\n".join(["a0: &a0 [x, x]", *lines]))
    with pytest.raises(ValueError, match="line 1: expected plain values, got a reference"):
        hydra_entry.load_yaml(path, TrainConfig)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b\n" * 20_000, "at most 65536 bytes, got 100000; use the file as training wrote it"),
        ("seed: many\n", "expected the config that a run wrote, got another .*'seed'"),
        ("seed: " + "9" * 5000, "expected"),
        ("seed: [1]\n", "expected the config that a run wrote, got another"),
        ("3: 1\n", "expected the config that a run wrote, got another"),
        ("y" * 5000 + ": 1\n", "expected"),
        ("data: 1\n", "expected the config that a run wrote, got another"),
        ("\x00", "expected YAML, got a corrupt file"),
    ],
)
def test_another_config_is_refused_in_one_line_that_names_it(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"^config '{path}': .*{message}") as caught:
        hydra_entry.load_yaml(path, TrainConfig)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 700
