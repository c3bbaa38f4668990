"""Measure the speed of a training step, beside a plain step and beside its matrix products alone.

    python scripts/benchmark.py                              # the table of docs/results.md
    python scripts/benchmark.py --width 256 1024 --batch 256 8192     # scaling
    python scripts/benchmark.py --threads 1 2 --batch 1024
    python scripts/benchmark.py --profile --batch 1024                # shares of the time
    python scripts/benchmark.py --json speed.json --markdown speed.md

Three rates for each size, each measured alternately in separate processes:

* ``plain``: a straightforward step: eager, float32, PyTorch's defaults, the
  discriminator called on real and generated poses separately, once for each player.
* ``engine``: the step of ``selflift.train`` with ``engine=auto``; same losses, same updates.
* ``bound``: only the step's matrix products, in bfloat16, each with its shape in the step.

Poses are random numbers: the speed doesn't depend on them. With ``--objective paper`` (the
default) the objective has the paper's terms and one update of D a step; ``default`` is the default
of ``python -m selflift.train``, with composites and bones; its plain step is the same code with
``engine=plain``, and its products aren't counted.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from selflift.config import TrainConfig
from selflift.device import choose_device, choose_precision, keep_freed_memory, prefer_onednn
from selflift.method import losses
from selflift.method.batches import Batches, TrainingPoses, seeded
from selflift.method.cycle import as_seen_by_discriminator, run_cycle
from selflift.method.training_state import TrainState, lifter_arguments
from selflift.method.training_step import train_step
from selflift.method.views import ViewSampler
from selflift.models import Lifter, PoseDiscriminator

SKELETON = "h36m_17"
VARIANTS = ("plain", "engine", "bound")
# Kinds of the operations in a profile, by prefixes of their names; the first match counts.
KINDS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::linear"),
    "batch norm": ("aten::native_batch_norm", "aten::cudnn_batch_norm", "aten::batch_norm"),
    "ReLU": ("aten::clamp_min", "aten::relu", "aten::threshold"),
    "optimiser": ("aten::_fused_adam", "aten::_foreach", "aten::lerp", "Optimizer"),
    "copies, conversions": ("aten::copy_", "aten::cat", "aten::clone", "aten::fill_", "aten::_to"),
}


def config_of(width: int, batch: int, objective: str) -> TrainConfig:
    """The run that is timed."""
    config = TrainConfig()
    for network in (config.model.lifter, config.model.discriminator):
        network.width = width
    config.trainer.batch_size = batch
    if objective == "paper":
        config.loss.w_composite = config.loss.w_bone = config.loss.r1 = 0.0
        config.loss.game, config.loss.discriminator_size = "cross_entropy", "kept"
        config.optim.discriminator_every, config.optim.ema = 1, 0.0
        config.view.kind, config.data.mirror = "paper", False
    return config


def poses_of(batch: int, device: torch.device) -> TrainingPoses:
    """Random poses of a few people, a few batches of them."""
    generator = torch.Generator().manual_seed(0)
    x = 0.05 * torch.randn(max(4 * batch, 4096), 17, 2, generator=generator)
    person = torch.randint(20, (len(x),), generator=generator)
    return TrainingPoses((x - x[:, :1]).to(device), person=person.to(device))


def plain_step(config: TrainConfig, device: torch.device) -> Callable[[Tensor], None]:
    """A straightforward implementation of the paper's step."""
    torch.manual_seed(0)
    G = Lifter(SKELETON, **lifter_arguments(config)).to(device)
    D = PoseDiscriminator(SKELETON, **asdict(config.model.discriminator)).to(device)
    betas = (config.optim.beta1, config.optim.beta2)
    adam_G = torch.optim.Adam(G.parameters(), config.optim.lr, betas)
    adam_D = torch.optim.Adam(D.parameters(), config.optim.lr_discriminator, betas)
    views = ViewSampler(**asdict(config.view))
    loss, c = config.loss, config.model.lifter.depth
    generator = seeded(device, 0)

    def step(x: Tensor) -> None:
        out = run_cycle(G, x, views, generator)
        real = as_seen_by_discriminator(x, c, loss.discriminator_size)
        fake = as_seen_by_discriminator(out.y, c, loss.discriminator_size)
        total = (
            loss.w_2d * losses.consistency_2d(out.x, out.x_hat)
            + loss.w_3d * losses.consistency_3d(out.Y, out.Y_hat)
            + loss.w_adv * losses.generator_loss(loss.game, D(fake))
        )
        adam_G.zero_grad()
        total.backward()
        adam_G.step()
        adam_D.zero_grad()
        losses.discriminator_loss(loss.game, D(real), D(fake.detach())).backward()
        adam_D.step()

    return step


def engine_step(config: TrainConfig, device: torch.device) -> Callable[[Tensor], None]:
    """The step of ``selflift.train``, with batches drawn as in a run; ignores its argument."""
    poses = poses_of(config.trainer.batch_size, device)
    state = TrainState.create(config, SKELETON, device, num_people=20)
    batches = Batches(
        poses, config.trainer.batch_size, 0, state.lifter.skeleton, config.data.mirror
    )
    views = ViewSampler(**asdict(config.view))

    def step(_: Tensor) -> None:
        train_step(state, batches(state.step), config, views)

    return step


def products(config: TrainConfig) -> dict[tuple[int, int], tuple[int, int, int]]:
    """The paper's step as matrix products: layers (in, out), and how often each is multiplied.

    Returns:
        For each layer: products forward, back to its input, and back to its weights; each of a
        whole batch.
    """
    counts: dict[tuple[int, int], list[int]] = {}

    def count(network: torch.nn.Module, passes: int, first_needs_input: int) -> None:
        linears = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
        for place, layer in enumerate(linears):
            found = counts.setdefault((layer.in_features, layer.out_features), [0, 0, 0])
            back = first_needs_input if place == 0 else passes
            for k, times in enumerate((passes, back, passes)):
                found[k] += times

    # Lifted are x and y, and only y needs a gradient; judged are real and generated poses.
    count(Lifter(SKELETON, **lifter_arguments(config)), 2, 1)
    count(PoseDiscriminator(SKELETON, **asdict(config.model.discriminator)), 2, 1)
    return {shape: (k[0], k[1], k[2]) for shape, k in counts.items()}


def bound(config: TrainConfig, device: torch.device, repeats: int) -> dict[str, Any]:
    """Samples/s if a step were its matrix products in bfloat16, each as fast as it is alone."""
    batch, seconds, flops = config.trainer.batch_size, 0.0, 0.0
    for (n_in, n_out), times in products(config).items():
        x = torch.randn(batch, n_in, device=device).bfloat16()
        w = torch.randn(n_out, n_in, device=device).bfloat16()
        g = torch.randn(batch, n_out, device=device).bfloat16()
        forms = (lambda: x @ w.T, lambda: g @ w, lambda: g.T @ x)  # noqa: B023
        for form, count in zip(forms, times, strict=True):
            seconds += count * statistics.median(timed(form, device, repeats, warm_up=2))
            flops += count * 2.0 * batch * n_in * n_out
    return {"rates": [batch / seconds], "gflops": flops / seconds / 1e9}


def timed(
    what: Callable[[], object], device: torch.device, repeats: int, warm_up: int
) -> list[float]:
    """Seconds of each repeat."""
    seconds = []
    for k in range(warm_up + repeats):
        _wait(device)
        began = time.perf_counter()
        what()
        _wait(device)
        if k >= warm_up:
            seconds.append(time.perf_counter() - began)
    return seconds


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def measure(given: dict[str, Any]) -> dict[str, Any]:
    """One variant at one size, in this process."""
    device = choose_device(given["device"])
    torch.set_num_threads(given["threads"])
    config = config_of(given["width"], given["batch"], given["objective"])
    variant, repeats = given["variant"], given["repeats"]
    if variant != "plain" and device.type == "cpu":
        prefer_onednn()
        keep_freed_memory()
    if variant == "bound":
        return bound(config, device, repeats)
    if variant == "plain":
        config.engine.precision, config.engine.one_pass = "float32", False
    else:
        config.engine.precision = choose_precision(device, given["width"])
    textbook = variant == "plain" and given["objective"] == "paper"
    step = (plain_step if textbook else engine_step)(config, device)
    x = poses_of(given["batch"], device).x[: given["batch"]]
    seconds = timed(lambda: step(x), device, repeats, given["warm_up"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated()
    found: dict[str, Any] = {
        "rates": [given["batch"] / s for s in seconds],
        "peak_bytes": peak,
        "precision": config.engine.precision,
    }
    if given["profile"]:
        found["profile"] = profiled(lambda: step(x), device)
    return found


def profiled(what: Callable[[], object], device: torch.device) -> dict[str, float]:
    """Share of a step's time by kind of operation."""
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds) as profile:
        for _ in range(3):
            what()
        _wait(device)
    shares: dict[str, float] = {}
    for event in profile.key_averages():
        on_device = device.type == "cuda"
        used = event.self_device_time_total if on_device else event.self_cpu_time_total
        kind = next((k for k, names in KINDS.items() if event.key.startswith(names)), "all else")
        shares[kind] = shares.get(kind, 0.0) + used
    whole = sum(shares.values()) or 1.0
    return {kind: used / whole for kind, used in sorted(shares.items(), key=lambda p: -p[1])}


def in_a_process(given: dict[str, Any]) -> dict[str, Any]:
    """Measure in a process of its own: threads, allocator and precision are a process's."""
    command = [sys.executable, __file__, "--child", json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        sys.exit(f"benchmark: {given}: {lines[-1] if lines else done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def machine(device: str) -> str:
    """Describe the machine."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    if choose_device(device).type == "cuda":
        name = f"{torch.cuda.get_device_name()}, {name}"
    return f"{name}, Python {platform.python_version()}, torch {torch.__version__}"


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: a line for each size."""
    lines = [
        "| width | batch | threads | plain, samples/s | engine, samples/s | ratio | products alone"
        " | engine / products | engine's peak memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for found in results:
        measured = [name for name in VARIANTS if name in found]
        rates = {name: statistics.median(found[name]["rates"]) for name in measured}
        spread = {name: _spread(found[name]["rates"]) for name in measured}
        products_alone, share = "-", "-"
        if "bound" in rates:
            products_alone = f"{rates['bound']:,.0f} ({found['bound']['gflops']:,.0f} GFLOP/s)"
            share = f"{rates['engine'] / rates['bound']:.0%}"
        lines.append(
            f"| {found['width']} | {found['batch']} | {found['threads']} "
            f"| {rates['plain']:,.0f} ± {spread['plain']:.0f} % "
            f"| {rates['engine']:,.0f} ± {spread['engine']:.0f} % ({found['engine']['precision']}) "
            f"| {rates['engine'] / rates['plain']:.2f} | {products_alone} | {share} "
            f"| {found['engine']['peak_bytes'] / 2**30:.2f} GiB |"
        )
    return "\n".join(lines)


def _spread(rates: list[float]) -> float:
    """Half of the middle half's width, per cent of the median."""
    if len(rates) < 2:
        return 0.0
    low, median, high = statistics.quantiles(rates, n=4, method="inclusive")
    return 50 * (high - low) / median


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", nargs="+", type=_count, default=[1024])
    parser.add_argument("--batch", nargs="+", type=_count, default=[1024, 8192])
    parser.add_argument("--threads", nargs="+", type=_count, default=[torch.get_num_threads()])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--objective", default="paper", choices=["paper", "default"])
    parser.add_argument("--rounds", type=_count, default=3, help="processes of each variant")
    parser.add_argument("--repeats", type=_count, default=5, help="steps of each process")
    parser.add_argument("--warm-up", type=_count, default=2, help="steps before these")
    parser.add_argument(
        "--profile", action="store_true", help="print the shares of the time by operation"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args(given)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got '{text}'")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _arguments(arguments)
    if given.child is not None:
        print(json.dumps(measure(given.child)))
        return
    results = []
    for width, batch, threads in product(given.width, given.batch, given.threads):
        size = {"width": width, "batch": batch, "threads": threads}
        asked = {
            **size, "device": given.device, "objective": given.objective,
            "repeats": given.repeats, "warm_up": given.warm_up, "profile": given.profile,
        }  # fmt: skip
        found: dict[str, Any] = dict(size)
        for _ in range(given.rounds):
            for variant in VARIANTS if given.objective == "paper" else VARIANTS[:2]:
                one = in_a_process({**asked, "variant": variant})
                if variant in found:
                    one["rates"] = found[variant]["rates"] + one["rates"]
                found[variant] = one
        results.append(found)
        print(f"benchmark: width {width}, batch {batch}, threads {threads}: done", file=sys.stderr)
    text = table(results)
    setting = f"{machine(given.device)}; objective: {given.objective}"
    print(f"{setting}\n\n{text}")
    for found in results if given.profile else ():
        for variant in ("plain", "engine"):
            shares = ", ".join(f"{k} {v:.0%}" for k, v in found[variant]["profile"].items())
            print(f"\nwidth {found['width']}, batch {found['batch']}, {variant}: {shares}")
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps({"machine": setting, "results": results}, indent=2) + "\n")
    if given.markdown is not None:
        given.markdown.parent.mkdir(parents=True, exist_ok=True)
        given.markdown.write_text(f"{setting}\n\n{text}\n")


if __name__ == "__main__":
    main()
