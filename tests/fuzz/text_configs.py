"""What run folders, weights and scripts tell in YAML and JSON."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import torch

from selflift import checkpoint
from selflift.checkpoint import Checkpoint
from selflift.cli import hydra_entry
from selflift.config import EvalConfig, TrainConfig, to_yaml
from selflift.evaluate.inputs import resolve_data
from selflift.geometry.normalise import Normaliser
from selflift.lift import PoseLifter
from selflift.models import Lifter
from selflift.skeleton import COCO_17, Skeleton
from tests.fuzz.target import Target
from tests.fuzz.text_damage import again, encoded, in_json, yaml

SECRET = "told-to-nobody"
JSON = (in_json, in_json, in_json, again)
OVERRIDES = ("experiment=cmu", "seed=1")


def _config(folder: Path) -> None:
    (folder / "config.yaml").write_text(to_yaml(TrainConfig(output_dir="runs/one")))


def _read_config(folder: Path) -> None:
    os.environ["SELFLIFT_FUZZ_SECRET"] = SECRET
    config = hydra_entry.load_yaml(folder / "config.yaml", TrainConfig)
    if SECRET in repr(config) or os.environ["HOME"] in repr(config):
        raise RuntimeError("a config has read the environment")


def _skeleton(folder: Path) -> None:
    (folder / "skeleton.json").write_text(COCO_17.to_json())


def _read_skeleton(folder: Path) -> None:
    skeleton = Skeleton.from_json((folder / "skeleton.json").read_text(errors="surrogateescape"))
    assert len(skeleton.mirror) == skeleton.num_joints and skeleton.bones is not None


@cache
def _lifter() -> Lifter:
    torch.manual_seed(0)
    return Lifter(width=16, num_blocks=1).eval()


def _metadata() -> dict[str, Any]:
    normaliser = Normaliser("rotate", "sample", 0.4, 0.06)
    config = asdict(TrainConfig(output_dir="runs/one"))
    return {
        "lifter": _lifter().arguments, "normaliser": asdict(normaliser), "step": 7,
        "calibrated": True, "config": config,
    }  # fmt: skip


def _card(folder: Path) -> None:
    (folder / "metadata.json").write_text(json.dumps(_metadata()))


def _read_card(folder: Path) -> None:
    try:
        metadata = json.loads((folder / "metadata.json").read_bytes())
        text = json.dumps(metadata)
    except (ValueError, RecursionError):
        return
    if len(text) > 2**21 or not isinstance(metadata, dict):
        return
    with TemporaryDirectory() as made:
        path = Path(made, "weights.safetensors")
        checkpoint.save_weights(path, Checkpoint(metadata, _lifter().state_dict()))
        lifter = PoseLifter.from_checkpoint(path, "cpu")
        repr(lifter)
        resolve_data(EvalConfig(checkpoint=str(path)), lifter.metadata)


@cache
def _weights() -> bytes:
    with TemporaryDirectory() as made:
        path = Path(made, "model.safetensors")
        checkpoint.save_weights(path, Checkpoint(_metadata(), _lifter().state_dict()))
        return path.read_bytes()


def _hub(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(_metadata()))


def _read_hub(folder: Path) -> None:
    from selflift.hub import HubLifter

    with TemporaryDirectory() as made:
        Path(made, "model.safetensors").write_bytes(_weights())
        shutil.copy(folder / "config.json", made)
        HubLifter.from_pretrained(made, device="cpu")


@cache
def _reproduce() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts" / "reproduce.py"
    spec = importlib.util.spec_from_file_location("reproduce_under_attack", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _record(folder: Path) -> None:
    names = ("pa_mpjpe_mm", "pa_mpjpe_reflected_mm", "n_mpjpe_mm", "flat_pa_mpjpe_mm")
    metrics = {name: {"value": 50.5, "over_frames": {"value": 51.5}} for name in names}
    (folder / "overrides.json").write_text(json.dumps(OVERRIDES))
    (folder / "eval_test").mkdir()
    (folder / "eval_test" / "metrics.json").write_text(
        json.dumps({"protocols": {"plain": {"checkpoints": {"run": {"metrics": metrics}}}}})
    )


def _read_record(folder: Path) -> None:
    script = _reproduce()
    run = script.Run(folder, OVERRIDES)
    script.check(run)
    script.table({"cmu": [run.metrics]})
    script.ablation_table({("cycle", "paper", "gt"): [run.metrics]}, 1)


TEXT_CONFIGS = (
    Target("config_yaml", _config, _read_config, True, (yaml, yaml, yaml, encoded)),
    Target("skeleton_json", _skeleton, _read_skeleton, True, JSON),
    Target("weights_metadata", _card, _read_card, True, JSON),
    Target("hub_config", _hub, _read_hub, True, (*JSON, encoded)),
    Target("reproduce", _record, _read_record, True, (*JSON, encoded)),
)
