"""TensorBoard finds every event of a run once, also over a resume, and a bounded number."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.api_pb2 import Status

from selflift.config import TrainConfig, TrainerConfig
from selflift.train.tensorboard import MAX_POINTS, SWEPT, RunLog, log_interval, swept, window_means
from selflift.train.trainer import Run

from .test_trainer import complete, small

EVERYTHING = {"scalars": 0, "images": 0, "histograms": 0, "tensors": 0}


def events_of(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance=EVERYTHING).Reload()


def events_without_step(folder: Path) -> dict[str, list[Any]]:
    """Everything that is written without a step, by its tag."""
    found: dict[str, list[Any]] = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if value.tag.startswith(("custom_scalars", "_hparams_")):
                    found.setdefault(value.tag, []).append(value)
    return found


@pytest.fixture(scope="module")
def stopped_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything at once, stopped after 6 of 12 steps and resumed."""
    folder = tmp_path_factory.mktemp("log") / "run"
    config = small(folder)
    complete(config, "joint")
    config.sign.check = False
    Run(config).train(stop=lambda step: step == 6)
    Run(config, resume=True).train()
    return folder


def test_every_curve_of_every_chart_is_there(stopped_run: Path) -> None:
    (written,) = events_without_step(stopped_run)["custom_scalars__config__"]
    layout = Layout.FromString(written.tensor.string_val[0])
    scalars = set(events_of(stopped_run).Tags()["scalars"])
    shown = {
        chart.title: {
            tag for tag in scalars if any(re.match(own, tag) for own in chart.multiline.tag)
        }
        for category in layout.category
        for chart in category.chart
    }
    assert all(shown.values())
    assert {
        "discriminator/loss", "temporal_discriminator/loss", "adapter/loss", "loss/adversarial",
    } <= shown["losses"]  # fmt: skip
    depths = shown["spread of depth, joint by joint (0 is flat)"]
    assert len(depths) == 1 + 16 and "depth_std/Hip" not in depths


def test_accuracy_is_the_mean_of_its_two_sides(stopped_run: Path) -> None:
    events = events_of(stopped_run)
    for name in ("discriminator", "temporal_discriminator", "adapter"):
        whole, real, generated = (
            [event.value for event in events.Scalars(f"{name}/accuracy{side}")]
            for side in ("", "_real", "_generated")
        )
        assert whole == pytest.approx([(r + g) / 2 for r, g in zip(real, generated, strict=True)])


def test_a_resumed_run_tells_nothing_twice(stopped_run: Path) -> None:
    events = events_of(stopped_run)
    assert [event.step for event in events.Scalars("loss/total")] == [2, 4, 6, 8, 10, 12]
    for tag in ("validation/criterion", "depth_std/mean", "elevation_std_deg/sampled"):
        assert [event.step for event in events.Scalars(tag)] == [4, 8, 12]
    for tag in events.Tags()["images"]:
        assert [event.step for event in events.Images(tag)] == [4, 8, 12]
    for tag in events.Tags()["histograms"]:
        assert [event.step for event in events.Histograms(tag)] == [4, 8, 12]
    assert {tag: len(values) for tag, values in events_without_step(stopped_run).items()} == {
        "custom_scalars__config__": 1,
        metadata.EXPERIMENT_TAG: 1,
        metadata.SESSION_START_INFO_TAG: 1,
        metadata.SESSION_END_INFO_TAG: 1,
    }


def test_pictures_are_files_that_a_browser_shows(stopped_run: Path) -> None:
    events = events_of(stopped_run)
    tags = ["validation/poses", "validation/real_and_generated", "validation/turning"]
    assert events.Tags()["images"] == tags
    for tag in tags:
        for shown in events.Images(tag):
            with Image.open(io.BytesIO(shown.encoded_image_string)) as picture:
                assert picture.format == "PNG"
                assert picture.size == (shown.width, shown.height)
                assert min(picture.size) > 100
                # Limbs are drawn in it, in colours.
                assert np.ptp(np.asarray(picture.convert("RGB"), int), axis=-1).max() > 100
    last = events.Images("validation/poses")[-1].encoded_image_string
    assert (stopped_run / "figures" / "validation.png").read_bytes() == last


def test_histograms_count_every_validation_pose_within_the_same_bounds(stopped_run: Path) -> None:
    events = events_of(stopped_run)
    assert set(events.Tags()["histograms"]) == {"elevation_deg/predicted", "elevation_deg/sampled"}
    for tag in events.Tags()["histograms"]:
        for event in events.Histograms(tag):
            shown = event.histogram_value
            assert sum(shown.bucket) == shown.num > 100
            assert shown.bucket_limit[0] >= -60 and shown.bucket_limit[-1] <= 60


def test_runs_compare_by_hyper_parameters_and_results(stopped_run: Path) -> None:
    told = events_without_step(stopped_run)
    (begun,), (ended,), (about,) = (
        told[tag]
        for tag in (
            metadata.SESSION_START_INFO_TAG, metadata.SESSION_END_INFO_TAG, metadata.EXPERIMENT_TAG,
        )
    )  # fmt: skip
    hparams = metadata.parse_session_start_info_plugin_data(
        begun.metadata.plugin_data.content
    ).hparams
    assert hparams["trainer.steps"].number_value == 12
    assert hparams["domain.adapter"].string_value == "joint"
    end = metadata.parse_session_end_info_plugin_data(ended.metadata.plugin_data.content)
    assert end.status == Status.Value("STATUS_SUCCESS")
    experiment = metadata.parse_experiment_plugin_data(about.metadata.plugin_data.content)
    metrics = {info.name.tag for info in experiment.metric_infos}
    assert "result/best_pa_mpjpe_mm_not_used" in metrics
    assert metrics <= set(events_of(stopped_run).Tags()["scalars"])


def test_the_best_is_the_record_of_its_step(tmp_path: Path) -> None:
    config = small(tmp_path / "run")
    config.sign.check = False
    metrics = Run(config).train()
    events = events_of(tmp_path / "run")
    (best,) = [r for r in metrics["validation"] if r["step"] == metrics["best_step"]]
    assert events.Scalars("result/best_step")[-1].value == metrics["best_step"]
    assert events.Scalars("result/best_criterion")[-1].value == pytest.approx(best["criterion"])
    assert events.Scalars("result/best_pa_mpjpe_mm_not_used")[-1].value == pytest.approx(
        best["pa_mpjpe_mm_not_used"]
    )


def test_without_an_elevation_head_there_are_no_histograms(tmp_path: Path) -> None:
    config = small(tmp_path / "run", steps=4)
    config.view.kind = "known"
    Run(config).train()
    tags = events_of(tmp_path / "run").Tags()
    assert tags["histograms"] == [] and len(tags["images"]) == 3


def test_a_stopped_run_is_not_called_a_success(tmp_path: Path) -> None:
    Run(small(tmp_path / "run")).train(stop=lambda step: step == 6)
    told = events_without_step(tmp_path / "run")
    assert metadata.SESSION_START_INFO_TAG in told
    assert metadata.SESSION_END_INFO_TAG not in told


def test_a_run_that_stopped_before_its_first_step_begins_once(tmp_path: Path) -> None:
    config = small(tmp_path / "run")
    complete(config, "first")
    Run(config).train(stop=lambda step: step == 0)
    Run(config, resume=True).train()
    assert {len(values) for values in events_without_step(tmp_path / "run").values()} == {1}


def test_one_of_several_processes_writes(tmp_path: Path) -> None:
    with RunLog(str(tmp_path / "run"), 0, 3, progress=False, writes=False) as log:
        log.begin(TrainConfig())
        log.add_step(1, {"loss/2d": torch.tensor(1.0), "loss/3d": torch.tensor(2.0)}, 8)
        log.flush(1)
        log.end(TrainConfig())
    assert not (tmp_path / "run").exists()


def test_means_are_over_the_steps_that_have_a_scalar() -> None:
    window = [(1, {"a": torch.tensor(1.0)}), (2, {"a": torch.tensor(3.0), "b": torch.tensor(5.0)})]
    assert window_means(window) == {"a": 2.0, "b": 5.0}


def test_hyper_parameters_are_what_a_sweep_varies() -> None:
    config = TrainConfig(seed=7, output_dir="here", device="cpu")
    config.optim.lr = 3e-4
    found = swept(config)
    assert (found["seed"], found["optim.lr"], found["data.mirror"]) == (7, 3e-4, "true")
    assert not {"output_dir", "device", "resume", "data.root", "trainer.progress"} & set(found)
    assert {type(value) for value in found.values()} <= {int, float, str}
    for part in SWEPT:
        assert any(f"{key}.".startswith(f"{part}.") for key in found), part
    other = TrainConfig()
    other.loss.w_adv, other.view.kind, other.domain.share = 0.0, "paper", 0.5
    assert list(swept(other)) == list(found), "all runs have the same columns"


@pytest.mark.parametrize("steps", [1, 3000, 100_000, 100_001, 10_000_000])
def test_a_curve_has_a_bounded_number_of_points(steps: int) -> None:
    every = log_interval(TrainerConfig(steps=steps))
    assert steps // every <= MAX_POINTS
    assert every == 20 or steps > 100_000
    assert log_interval(TrainerConfig(steps=steps, log_every=7)) == 7
