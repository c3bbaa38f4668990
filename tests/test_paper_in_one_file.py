"""The example is the method: the library's losses on the same weights; and it learns."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selflift.config import RigConfig, SyntheticConfig
from selflift.data import PoseSet, synthetic
from selflift.data.rays import rays_of
from selflift.data.rig import film
from selflift.geometry.align import procrustes
from selflift.geometry.normalise import Normaliser
from selflift.method.cycle import as_seen_by_discriminator, run_cycle
from selflift.method.losses import (
    consistency_2d,
    consistency_3d,
    discriminator_loss,
    generator_loss,
)
from selflift.method.views import ViewSampler
from selflift.models import Lifter, PoseDiscriminator
from selflift.skeleton import H36M_17

FILE = Path(__file__).parents[1] / "examples" / "paper_in_one_file.py"

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="an installation without examples/")


@pytest.fixture(scope="module")
def paper() -> ModuleType:
    spec = importlib.util.spec_from_file_location("paper_in_one_file", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def poses() -> PoseSet:
    people = SyntheticConfig(train_subjects=12, clips_per_subject=10, frames_per_clip=40)
    return film(synthetic.generate("train", people), RigConfig(), H36M_17)


def copy_weights(library: nn.Module, example: nn.Module) -> None:
    """Layer by layer; the example's last layer is all heads of the library's in one."""
    own, *heads = [library.trunk, *(m for n, m in library.named_children() if n.endswith("head"))]
    with torch.no_grad():
        *trunk, weight, bias = example.parameters()
        for to, by in zip(trunk, own.parameters(), strict=True):
            to.copy_(by)
        weight.copy_(torch.cat([head.weight for head in heads]))
        bias.copy_(torch.cat([head.bias for head in heads]))


def test_a_step_of_the_paper_in_one_file_has_the_librarys_losses(
    paper: ModuleType, poses: PoseSet
) -> None:
    torch.manual_seed(0)
    x = paper.normalise(poses)[:64]
    lifter, views = Lifter(width=32, num_blocks=4, elevation=True), ViewSampler("learned")
    discriminator = PoseDiscriminator(width=32)
    G = paper.Network(34, 18, 32, 4, norm=True)
    D = paper.Network(34, 1, 32, 3, norm=False)
    copy_weights(lifter, G)
    copy_weights(discriminator, D)

    out = run_cycle(lifter, x, views, torch.Generator().manual_seed(1))
    real, fake = (as_seen_by_discriminator(p, lifter.depth, "unit") for p in (out.x, out.y))
    logits = discriminator(fake)
    game = "least_squares"
    expected = [
        consistency_2d(out.x, out.x_hat),
        consistency_3d(out.Y, out.Y_hat),
        generator_loss(game, logits),
        discriminator_loss(game, discriminator(real), discriminator(fake.detach())),
    ]
    own = paper.cycle(G, x, H36M_17.root, torch.Generator().manual_seed(1))
    for name in ("X", "Y", "y", "Y_hat", "X_hat", "x_hat"):
        torch.testing.assert_close(getattr(own, name), getattr(out, name), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(list(paper.losses(D, own)), expected, atol=1e-6, rtol=1e-5)
    # The running statistics, too, which both update by the first lift alone.
    means = [[m.running_mean for m in net.modules() if isinstance(m, nn.BatchNorm1d)]
             for net in (lifter, G)]  # fmt: skip
    torch.testing.assert_close(*means)


def test_its_size_of_poses_and_its_error_are_the_librarys(
    paper: ModuleType, poses: PoseSet
) -> None:
    normaliser = Normaliser.fit(
        rays_of(poses, "translate"), poses.skeleton, paper.C, "translate", "sample"
    )
    x = normaliser.apply(rays_of(poses, "translate"), poses.skeleton).x
    torch.testing.assert_close(paper.normalise(poses), x, rtol=0.02, atol=1e-3)
    flat, truth = F.pad(x[:500], (0, 1)), torch.from_numpy(poses.poses_3d[:500])
    aligned: Tensor = procrustes(flat.double(), truth.double())
    error = float((aligned - truth).norm(dim=-1).mean())
    assert paper.pa_mpjpe(flat, truth) == pytest.approx(error, rel=1e-4)


def test_it_beats_the_flat_baseline_on_a_person_it_has_not_seen(
    paper: ModuleType, poses: PoseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few steps ask for a discriminator that learns faster.
    monkeypatch.setattr(paper, "LR_D", 5e-4)
    last = poses.subject.index == poses.subject.index.max()
    G = paper.train(poses.select(~last), steps=600, width=128)
    unseen = poses.select(last)
    x, truth = paper.normalise(unseen), torch.from_numpy(unseen.poses_3d)
    with torch.no_grad():
        X, elevation = paper.lift(G, x, H36M_17.root)
    assert paper.pa_mpjpe(X, truth) < 0.8 * paper.pa_mpjpe(F.pad(x, (0, 1)), truth)
    assert 5 < math.degrees(elevation.mean()) < 20, "the cameras look down by 12 degrees"


def test_it_is_one_short_file() -> None:
    assert len(FILE.read_text(encoding="utf-8").splitlines()) <= 150
