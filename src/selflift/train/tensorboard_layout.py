"""What TensorBoard is told once: which curves belong together, and what a sweep would compare."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard.summary import hparams

from selflift.config import TrainConfig
from selflift.method.training_state import adapts
from selflift.skeleton import Skeleton

# Charts under one heading, each with the tags of its curves.
Layout = dict[str, dict[str, list[Any]]]

# Keys, and whole sections, that a sweep may vary. What only says where a run lies, how often it
# tells or how it is computed is left out: a table of all keys shows nothing.
SWEPT = (
    "seed", "data.source", "data.name", "data.mirror", "data.noise.kind", "normalise", "view.kind",
    "view.elevation_mean_deg", "view.elevation_std_deg", "model.lifter.width",
    "model.lifter.num_blocks", "model.lifter.norm", "model.lifter.dropout",
    "model.lifter.confidences", "model.lifter.refine", "model.discriminator.width",
    "model.discriminator.num_blocks", "sign.check", "composite", "bones", "domain.share",
    "domain.adapter", "domain.w_correction", "loss", "optim", "trainer.steps",
    "trainer.batch_size",
)  # fmt: skip
# By which runs are compared. The last is known where the validation poses have 3D truth.
RESULTS = (
    "result/best_criterion", "result/best_step", "validation/criterion", "validation/knee_score",
    "result/best_pa_mpjpe_mm_not_used",
)  # fmt: skip


def swept(config: TrainConfig) -> dict[str, str | float]:
    """The hyper-parameters of a run, ``optim.lr`` and the like."""
    chosen: dict[str, str | float] = {}
    for key, value in _leaves(asdict(config)):
        if value is not None and any(f"{key}.".startswith(f"{part}.") for part in SWEPT):
            # As words: TensorBoard's table would show a yes as 1.
            plain = str(value).lower() if isinstance(value, bool) else value
            chosen[key] = plain if isinstance(plain, int | float) else str(plain)
    return chosen


def opening(config: TrainConfig) -> tuple[list[Summary], Summary]:
    """What tells TensorBoard's table of runs about this one.

    Args:
        config: The run's config.

    Returns:
        What is written when the run begins, and what is written when it has ended.
    """
    experiment, begun, ended = hparams(swept(config), dict.fromkeys(RESULTS))
    return [experiment, begun], ended


def layout(config: TrainConfig, skeleton: Skeleton) -> Layout:
    """Which curves are drawn in one chart; only those that the run has.

    Args:
        config: The run's config.
        skeleton: Its layout, whose joints have a curve each.
    """
    loss = config.loss
    players = {"D": ("discriminator", "loss/adversarial", loss.w_adv > 0),
               "T": ("temporal_discriminator", "loss/temporal", loss.w_temporal > 0),
               "D_D": ("adapter", "adapter/adversarial", adapts(config))}  # fmt: skip
    game: dict[str, list[Any]] = {}
    norms = ["gradient/lifter"]
    for symbol, (name, against, plays) in players.items():
        if plays:
            other = "C" if name == "adapter" else "G"
            game[f"{symbol} against {other}: losses"] = _lines(f"{name}/loss", against)
            sides = (f"{name}/accuracy_{side}" for side in ("real", "generated"))
            game[f"{symbol}: share of poses judged rightly"] = _lines(*sides, f"{name}/accuracy")
            norms.append(f"{name}/gradient")
    adversarial = {"loss/adversarial": loss.w_adv, "loss/temporal": loss.w_temporal}
    others = {"loss/bone": loss.w_bone, "loss/composite": loss.w_composite,
              "loss/truth": loss.w_truth}  # fmt: skip
    terms = {"consistency": _lines("loss/2d", "loss/3d")}
    for title, weights in (("adversarial", adversarial), ("others", others)):
        tags = [tag for tag, weight in weights.items() if weight > 0]
        if tags:
            terms[title] = _lines(*tags)
    depths = [f"depth_std/{joint}" for joint in moving(skeleton)]
    body = {"spread of depth, joint by joint: 0 is flat": _lines("depth_std/mean", *depths)}
    if config.view.kind == "learned":
        body["spread of elevation, degrees"] = _lines(
            "elevation_std_deg/predicted", "elevation_std_deg/sampled"
        )
    return {
        **({"the game": game} if game else {}),
        "terms of the objective": {**terms, "weighted sum": _lines("loss/total")},
        "bodies at validation": body,
        "optimisation": {
            "learning rates": _lines("optim/lr", "optim/lr_discriminator"),
            "norms of gradients": _lines(*norms),
        },
    }


def moving(skeleton: Skeleton) -> dict[str, int]:
    """The joints that have a depth of their own: all but the root."""
    return {name: j for j, name in enumerate(skeleton.joints) if j != skeleton.root}


def image(tag: str, encoded: bytes) -> Summary:
    """A PNG or GIF file as an image summary, as it is."""
    if encoded.startswith(b"GIF"):
        width, height = struct.unpack("<HH", encoded[6:10])
    else:
        width, height = struct.unpack(">II", encoded[16:24])
    picture = Summary.Image(
        height=height, width=width, colorspace=3, encoded_image_string=encoded
    )  # fmt: skip
    return Summary(value=[Summary.Value(tag=tag, image=picture)])


def _lines(*tags: str) -> list[Any]:
    return ["Multiline", list(tags)]


def _leaves(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
