"""Lifters in the Hugging Face Hub's form; no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import selflift
from selflift import checkpoint
from selflift.geometry.normalise import Normaliser
from selflift.models import Lifter

pytest.importorskip("huggingface_hub", reason="the extra 'hub' is not installed")

from huggingface_hub import hub_mixin

from selflift.hub import HubLifter

X_PX = np.random.default_rng(0).uniform(100, 900, (5, 17, 2))
NORMALISER = Normaliser("rotate", "sample", 0.4, 0.06, tuple(np.linspace(0, 2, 17).tolist()))


def lifter(**options: object) -> HubLifter:
    torch.manual_seed(0)
    made = Lifter(**{"width": 16, "num_blocks": 1, "elevation": True, **options})  # type: ignore[arg-type]
    config = {"data": {"root": "/home/me/data", "name": "cmu17"}, "output_dir": "/home/me"}
    metadata = {"step": 3, "config": config}
    return HubLifter(made.eval(), NORMALISER, "a lifter", "cpu", "float32", metadata)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lifter().save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_what_was_saved_lifts_the_same(folder: Path) -> None:
    assert sorted(f.name for f in folder.iterdir()) == [
        "README.md", "config.json", "model.safetensors"
    ]  # fmt: skip
    expected = lifter()(X_PX, size_px=(1000, 1000))
    again = HubLifter.from_pretrained(folder, device="cpu", precision="float32")
    np.testing.assert_array_equal(again(X_PX, size_px=(1000, 1000)).X_m, expected.X_m)
    assert again.name == str(folder) and again.normaliser == NORMALISER
    again.save_pretrained(folder)
    third = selflift.load(folder / "model.safetensors", "cpu", "float32")
    np.testing.assert_array_equal(third(X_PX, size_px=(1000, 1000)).X_m, expected.X_m)


def test_the_files_tell_what_the_lifter_is_and_nothing_of_the_machine(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["lifter"]["width"] == 16 and config["lifter"]["elevation"] is True
    assert config["step"] == 3 and config["config"] == {"data": {"name": "cmu17"}}
    assert config["selflift"] == selflift.__version__
    assert config == checkpoint.load(folder / "model.safetensors").metadata
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: selflift\n") and "- pose-lifting" in card
    assert "Layout: `h36m_17` (Hip, RHip" in card
    assert "Incomplete poses: no" in card and "{{" not in card
    for file in folder.iterdir():
        assert b"/home/me" not in file.read_bytes()


def test_a_card_that_is_there_is_kept_and_may_say_more(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    lifter().save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    lifter().save_pretrained(tmp_path / "b", model_card_kwargs={"about": "made up"})
    assert "licence: made up" in (tmp_path / "b" / "README.md").read_text()


def test_pushing_uploads_these_files(monkeypatch: pytest.MonkeyPatch) -> None:
    uploaded = {}

    class Hub:
        def __init__(self, **_: object) -> None:
            pass

        def create_repo(self, repo_id: str, **_: object) -> object:
            return type("Url", (), {"repo_id": repo_id})

        def upload_folder(self, repo_id: str, folder_path: Path, **_: object) -> str:
            uploaded[repo_id] = sorted(f.name for f in Path(folder_path).iterdir())
            return "url"

    monkeypatch.setattr(hub_mixin, "HfApi", Hub)
    assert lifter().push_to_hub("me/lifter") == "url"
    assert uploaded == {"me/lifter": ["README.md", "config.json", "model.safetensors"]}


def refused(folder: object, **options: object) -> str:
    with pytest.raises(ValueError) as caught:
        HubLifter.from_pretrained(folder, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_without_the_files_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "got one without config.json and model.safetensors" in refused(tmp_path / "empty")
    (folder / "config.json").unlink()
    assert "got one without config.json; write it by save_pretrained" in refused(folder)


def test_a_name_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for name in ("somebody/gone", "no/such/folder", "a b"):
        message = refused(name, local_files_only=True, cache_dir=tmp_path)
        assert f"hub '{name}': expected a folder, or a model on the Hub with config" in message
        assert "local_files_only=False" in message


def test_what_is_cached_is_opened_without_asking_anybody(folder: Path, tmp_path: Path) -> None:
    # The cache's form: a branch names a commit, whose files lie in a folder of that name.
    model = tmp_path / "cache" / "models--somebody--a-model"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("c0ffee")
    shutil.copytree(folder, model / "snapshots" / "c0ffee")
    told = {"local_files_only": True, "cache_dir": tmp_path / "cache"}
    opened = HubLifter.from_pretrained(
        "somebody/a-model", device="cpu", precision="float32", **told
    )
    expected = lifter()(X_PX, size_px=(1000, 1000))
    np.testing.assert_array_equal(opened(X_PX, size_px=(1000, 1000)).X_m, expected.X_m)
    assert "got neither" in refused("somebody/a-model", revision="other", **told)
    assert "got both" in refused("somebody/a-model", force_download=True, **told)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '"lifter"', "{}", '{"lifter": 3}', "[" * 99999, "\x00"]
)
def test_a_config_of_another_kind_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    assert "expected a JSON object with lifter and normaliser" in refused(folder)


def test_a_config_that_was_changed_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["lifter"]["mirror_average"] = True
    (folder / "config.json").write_text(json.dumps(config))
    assert "expected the lifter that the weights in model.safetensors are for" in refused(folder)


def test_damaged_weights_are_refused(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-1])
    assert "corrupt, cut short" in refused(folder)


def test_without_the_extra_a_line_names_it() -> None:
    code = "import sys; sys.modules['huggingface_hub'] = None; import selflift.hub"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    last = told.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: selflift.hub: expected the package huggingface_hub")
    assert last.endswith("pip install 'selflift[hub]'")
