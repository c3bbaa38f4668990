"""Two steps with everything in them, in float64 or float32; in one process or several.

Run by test_parallel and test_determinism.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from selflift import parallel
from selflift.config import TrainConfig
from selflift.method.batches import Batch
from selflift.method.cycle import NextFrames
from selflift.method.training_state import TrainState
from selflift.method.training_step import train_step
from selflift.method.views import ViewSampler

POSES = 37  # not to be shared out evenly


def poses(seed: int, n: int) -> torch.Tensor:
    x = 0.05 * torch.randn(n, 17, 2, generator=torch.Generator().manual_seed(seed)).double()
    return x - x[:, :1]


def config() -> TrainConfig:
    made = TrainConfig()
    for network in (
        made.model.lifter, made.model.discriminator, made.model.temporal_discriminator,
        made.model.adapter, made.model.domain_discriminator,
    ):  # fmt: skip
        network.width, network.num_blocks = 24, 1
    made.model.lifter.confidences = True
    made.loss.w_temporal, made.loss.gradient_penalty = 0.5, 0.1
    made.domain.share, made.domain.adapter = 0.5, "joint"
    made.composite.warmup = 0
    return made


def main(path: str, dtype: torch.dtype) -> None:
    made = config()
    made.engine.precision = "float32"
    with parallel.joined(torch.device("cpu"), timeout_s=60):
        state = TrainState.create(made, "h36m_17", torch.device("cpu"), num_people=8)
        for network in (*state.networks.values(), state.average):
            network.to(dtype)
        bones = state.bones
        assert bones is not None
        bones.sums, bones.counts = bones.sums.to(dtype), bones.counts.to(dtype)
        told = {}
        for step in range(2):
            x, others = poses(step, POSES).to(dtype), poses(step + 7, 18).to(dtype)
            of = torch.arange(0, POSES, 2)
            confidence = (poses(step + 20, POSES)[..., 0] < 0.06).to(dtype)
            confidence[:, 0] = 1
            batch = Batch(
                x,
                confidence,
                NextFrames(x[of] + poses(step + 30, len(of)).to(dtype) / 5, of, confidence[of]),
                source=others,
                source_confidence=torch.ones(18, 17, dtype=dtype),
                person=torch.arange(POSES + 18) % 8,
            )
            out = train_step(state, batch, made, ViewSampler("learned"))
            told |= {f"{step}/{name}": value.double() for name, value in out.scalars.items()}
        found = {
            f"{name}/{key}": value
            for name, network in state.networks.items()
            for key, value in network.state_dict().items()
        }
        found |= {"bones": bones.sums} | told
        if parallel.world().rank == 0:
            torch.save(found, path)
    left = [name for name in threads() if "gloo" in name]
    if left:
        sys.exit(f"threads that outlive the processes' work together: {', '.join(left)}")


def threads() -> list[str]:
    """The names of this process's threads, those of libraries included; none but on Linux."""
    return [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]


if __name__ == "__main__":
    main(sys.argv[1], getattr(torch, sys.argv[2]))
