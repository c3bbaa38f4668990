"""TensorBoard gets charts of the curves that a run has, and the hyper-parameters that matter."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from selflift.config import TrainConfig
from selflift.skeleton import H36M_17
from selflift.train.tensorboard_layout import SWEPT, image, layout, swept


def charts(config: TrainConfig) -> dict[str, list[str]]:
    found = layout(config, H36M_17)
    return {title: tags for charts in found.values() for title, (_, tags) in charts.items()}


def test_d_and_g_are_seen_in_one_chart() -> None:
    shown = charts(TrainConfig())
    assert shown["D against G: losses"] == ["discriminator/loss", "loss/adversarial"]
    assert shown["D: share of poses judged rightly"] == [
        "discriminator/accuracy_real", "discriminator/accuracy_generated", "discriminator/accuracy",
    ]  # fmt: skip


def test_terms_are_grouped_and_those_of_no_weight_left_out() -> None:
    config = TrainConfig()
    config.loss.w_adv = config.loss.w_bone = 0.0
    shown = charts(config)
    assert shown["consistency"] == ["loss/2d", "loss/3d"]
    assert shown["others"] == ["loss/composite"]
    assert "adversarial" not in shown and "D against G: losses" not in shown
    config.loss.w_temporal = config.domain.share = 1.0
    shown = charts(config)
    assert shown["adversarial"] == ["loss/temporal"]
    assert "T against G: losses" in shown and "D_D against C: losses" in shown


def test_every_joint_but_the_root_has_a_curve_of_its_depth() -> None:
    (tags,) = [tags for title, tags in charts(TrainConfig()).items() if "depth" in title]
    assert len(tags) == 1 + 16 and "depth_std/Hip" not in tags


def test_hyper_parameters_are_what_a_sweep_varies() -> None:
    config = TrainConfig(seed=7, output_dir="here", device="cpu")
    config.optim.lr = 3e-4
    found = swept(config)
    assert (found["seed"], found["optim.lr"], found["data.mirror"]) == (7, 3e-4, "true")
    assert not {"output_dir", "device", "resume", "data.root", "trainer.progress"} & set(found)
    assert {type(value) for value in found.values()} <= {int, float, str}
    for part in SWEPT:
        assert any(f"{key}.".startswith(f"{part}.") for key in found), part


def test_all_runs_have_the_same_columns() -> None:
    other = TrainConfig()
    other.loss.w_adv, other.view.kind, other.domain.share = 0.0, "paper", 0.5
    assert list(swept(other)) == list(swept(TrainConfig()))
    assert asdict(other) != asdict(TrainConfig())


@pytest.mark.parametrize(
    ("encoded", "size"),
    [
        (b"GIF89a" + bytes([0x2C, 1, 200, 0]), (300, 200)),
        (b"\x89PNG\r\n\x1a\n" + bytes(8) + bytes([0, 0, 1, 44, 0, 0, 0, 200]), (300, 200)),
    ],
)
def test_a_file_becomes_a_summary_of_its_size(encoded: bytes, size: tuple[int, int]) -> None:
    (value,) = image("a/tag", encoded).value
    assert (value.image.width, value.image.height) == size
    assert value.tag == "a/tag" and value.image.encoded_image_string == encoded
