"""A step in float32 has float64's gradients, up to a bound."""

from __future__ import annotations

import statistics

import pytest
import torch
from torch import Tensor

from selflift.geometry.rotation import azimuth, pitch
from selflift.method.batches import Batch
from selflift.method.training_state import TrainState
from selflift.method.training_step import train_step
from selflift.method.views import ViewSampler
from tests.geometry.extremes import SHAPES, body
from tests.train.test_engine import tiny

# Of the gradient of a network's weights, all in one vector, and of the terms of the objective. Of
# most; where a ReLU or the nearest depth has a joint on its other side, or a bone lies across the
# line of sight to the last digit (the square root of what is left of its length), they jump.
GRADIENT_BOUND, JUMP_BOUND, LOSS_BOUND = 1e-4, 1e-2, 1e-5


class SameViews(ViewSampler):
    """Draws the same numbers in either precision."""

    def look(
        self, like: Tensor, elevation_rad: Tensor | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        assert elevation_rad is not None
        elevation, kind = elevation_rad, elevation_rad.dtype
        draws = torch.rand(2, len(like), generator=generator, dtype=torch.float64).to(kind)
        noise = 2 * draws[1] - 1
        new = elevation.mean() + elevation.std(correction=0) * noise
        return pitch(new) @ azimuth(2 * torch.pi * draws[0]), new


def found(seen: Tensor, dtype: torch.dtype, seed: int) -> tuple[dict[str, Tensor], dict]:
    """Gradients of each network after one step, as vectors, and the losses."""
    # Composites draw as many numbers as they need, which differ between precisions.
    config = tiny(w_composite=0.0, r1=0.2)
    config.seed = seed
    state = TrainState.create(config, "h36m_17", torch.device("cpu"), num_people=5)
    for network in (*state.networks.values(), state.average):
        network.to(dtype)
    assert state.bones is not None
    state.bones.sums, state.bones.counts = state.bones.sums.to(dtype), state.bones.counts.to(dtype)
    batch = Batch(seen.to(dtype), person=torch.arange(len(seen)) % 5)
    state.step = 2000  # composites' and bones' terms count in full
    state.step -= state.step % config.optim.discriminator_every
    out = train_step(state, batch, config, SameViews("learned"))
    gradients = {
        name: torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
        for name, network in state.networks.items()
    }
    return gradients, {k: v for k, v in out.scalars.items() if k.startswith("loss/")}


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "point"])
@pytest.mark.parametrize("size", [1e-6, 0.1, 10.0])
def test_float32_gradients_are_float64s(shape: str, size: float) -> None:
    errors: dict[str, list[float]] = {"lifter": [], "discriminator": [], "loss": []}
    for seed in range(5):
        x = (size * body(seed, shape, n=64, d=2)).float()
        (single, told), (double, exact) = (
            found(x, dtype, seed) for dtype in (torch.float32, torch.float64)
        )
        for name, expected in double.items():
            assert single[name].dtype == torch.float32
            error = float((single[name].double() - expected).norm() / expected.norm())
            errors[name].append(error)
        for name, value in exact.items():
            scale = float(value.abs().clamp_min(1e-6))
            errors["loss"].append(float((told[name] - value).abs()) / scale)
    told_errors = [f"{statistics.median(e):.1e} | {max(e):.1e}" for e in errors.values()]
    print(f"| {shape} | {size:g} |", " | ".join(told_errors), "|")
    for name in ("lifter", "discriminator"):
        assert statistics.median(errors[name]) <= GRADIENT_BOUND
        assert max(errors[name]) <= JUMP_BOUND
    assert statistics.median(errors["loss"]) <= LOSS_BOUND
    assert max(errors["loss"]) <= JUMP_BOUND
