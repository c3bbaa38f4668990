"""Reproduce the tables of docs/: train and evaluate rows over several seeds, print Markdown.

    python scripts/reproduce.py demo        # the built-in synthetic default
    python scripts/reproduce.py cmu         # motion capture; needs the files of data/README.md
    python scripts/reproduce.py cmu cmu-consistency cmu-adversary --jobs 2
    python scripts/reproduce.py ablation --jobs 2 --markdown ablation.md      # all of it
    python scripts/reproduce.py ablation --rows both temporal --views learned --inputs gt
    python scripts/reproduce.py ablation --table-only                         # only print

A run whose evaluation exists is not repeated; one that was interrupted is resumed. Each run is a
separate process, so that its CPU time can be measured and a failure doesn't affect the others.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

# The game and the cycle alone, at the paper's rate.
CORE = ["loss.w_composite=0", "loss.w_bone=0", "optim.lr=2e-4"]
PLAIN = ["experiment=cmu", *CORE]
# Short runs that compare fast paths with plain ones.
SHORT = ["experiment=cmu", "trainer.steps=1500"]
WIDE = [*SHORT, "model.lifter.width=512", "model.discriminator.width=512"]
EACH_STEP = [*SHORT, "optim.discriminator_every=1"]
ROWS = {
    "demo": ("synthetic: consistency + adversary + composites + bones", []),
    "demo-plain": ("synthetic: consistency + adversary", CORE),
    "cmu": ("cmu17: consistency + adversary + composites + bones", ["experiment=cmu"]),
    "cmu-donors": (
        "the same, and bandai17's 2D as donors",
        ["experiment=cmu", "domain=bandai", "domain.adapter=bones"],
    ),
    "cmu-plain": ("cmu17: consistency + adversary", PLAIN),
    "cmu-consistency": ("cmu17: consistency alone", [*PLAIN, "loss.w_adv=0"]),
    "cmu-adversary": ("cmu17: adversary alone", [*PLAIN, "loss.w_2d=0", "loss.w_3d=0"]),
    "cmu-paper-views": ("cmu17: the paper's views", ["experiment=cmu", "view=paper"]),
    "cmu-known-views": ("cmu17: camera pitch given", ["experiment=cmu", "view=known"]),
    "cmu-noisy": ("cmu17, detector-like 2D", ["experiment=cmu_noisy"]),
    "cmu-supervised": (
        "cmu17: NOT unsupervised, trained on the 3D truth", ["experiment=cmu_supervised"],
    ),
    "cmu-noisy-supervised": (
        "cmu17, detector-like 2D: NOT unsupervised", [
            "experiment=cmu_supervised", "data.noise.kind=detector",
            "model.lifter.confidences=true", "model.lifter.refine=true",
        ],
    ),
    "wide-float32": (
        "512 wide, 1,500 steps, float32", [*WIDE, "engine.precision=float32"],
    ),
    "wide-bfloat16": (
        "512 wide, 1,500 steps, bfloat16", [*WIDE, "engine.precision=bfloat16"],
    ),
    "two-passes": (
        "1,500 steps, D asked once for each player", [*EACH_STEP, "engine.one_pass=false"],
    ),
    "one-pass": (
        "1,500 steps, D asked once for both", [*EACH_STEP, "engine.one_pass=true"],
    ),
}  # fmt: skip
# Means over actions, except where the title says "over frames".
COLUMNS = {
    "PA-MPJPE (proper)": "pa_mpjpe_mm",
    "over frames": "pa_mpjpe_mm over frames",
    "PA (reflection)": "pa_mpjpe_reflected_mm",
    "N-MPJPE (LSQ scale)": "n_mpjpe_mm",
    "N over frames": "n_mpjpe_mm over frames",
    "flat PA": "flat_pa_mpjpe_mm",
}

# The ablation: a file of configs/ablation each, crossed with views and inputs.
ABLATION = {
    "cycle": "self-consistency alone",
    "adversary": "adversary alone",
    "both": "self-consistency + adversary",
    "temporal": "both + temporal discriminator",
    "adapter": "both + domain adapter",
    "all": "both + temporal discriminator + domain adapter",
    "source": "both + the other domain as it is (not in the paper)",
    "composites": "both + composites + bones (not in the paper)",
}
VIEWS = ("paper", "known", "learned")
INPUTS = {"gt": "2D truth", "detected": "detector-like 2D"}
ABLATION_COLUMNS = {"PA-MPJPE": "pa_mpjpe_mm", "N-MPJPE": "n_mpjpe_mm"}
ABLATION_NUMBERS = (*ABLATION_COLUMNS.values(), "pa_mpjpe_reflected_mm")
# Bounds on files and numbers; good files have a few kilobytes.
MAX_JSON_BYTES, MAX_SHOWN, MAX_MM = 2**22, 500, 1e9
# The report and narrow intervals take longer than the lifting; 100 resamples are the minimum.
QUICK = ("report=false", "resamples=100")
# A mirrored body fits the truth only by reflection; a flat or a bad one gains a few per cent.
MIRRORED = 0.8
# Exit statuses of a process that was interrupted.
INTERRUPTED = (130, 143, -2, -15)


@dataclass(frozen=True)
class Run:
    """One training and its evaluation.

    Attributes:
        folder: The run folder.
        train: Overrides of the training.
        evaluate: Overrides of the evaluation.
    """

    folder: Path
    train: tuple[str, ...]
    evaluate: tuple[str, ...] = ()

    @property
    def metrics(self) -> Path:
        """The result of the evaluation."""
        return self.folder / "eval_test" / "metrics.json"

    @property
    def resumable(self) -> bool:
        """Return whether its training has saved a checkpoint."""
        return (self.folder / "checkpoints" / "last.pt").is_file()

    @property
    def record(self) -> Path:
        """The file of its overrides."""
        return self.folder / "overrides.json"


def check(run: Run) -> None:
    """Raise a ``ValueError`` if the folder holds a run of other overrides."""
    if not (run.record.is_file() and (run.resumable or run.metrics.is_file())):
        return
    made = _json(run.record)
    if not (isinstance(made, list) and all(isinstance(one, str) for one in made)):
        raise ValueError(f"'{run.record}': expected a list of overrides, got something else")
    if made != list(run.train):
        raise ValueError(
            f"'{run.folder}': expected a run of {' '.join(run.train)}, got one of "
            f"{ascii(' '.join(made)[:MAX_SHOWN])[1:-1]}; choose another --output, or give the "
            "overrides it was made with"
        )


def make(run: Run, stop: threading.Event) -> bool:
    """Train and evaluate one run, unless that is done; returns whether it failed.

    Nothing is begun once ``stop`` is set, which happens here if the run is interrupted.
    """
    if run.metrics.is_file() or stop.is_set():
        return False
    began = time.monotonic()
    if run.resumable:
        arguments = [f"resume={run.folder}"]
    else:
        arguments = [*run.train, f"output_dir={run.folder}"]
        run.folder.mkdir(parents=True, exist_ok=True)
        run.record.write_text(json.dumps(run.train) + "\n")
    with open(run.folder / "log.txt", "a") as log:
        for module, given in (
            ("selflift.train", [*arguments, "trainer.progress=false"]),
            ("selflift.eval", [f"checkpoint={run.folder}", "split=test", *run.evaluate]),
        ):
            command = [sys.executable, "-m", module, *given]
            status = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT).returncode
            if status in INTERRUPTED:
                stop.set()
                return False
            if status:
                failed = f"{' '.join(command)} failed; see {run.folder / 'log.txt'}"
                print(f"reproduce: {failed}", file=sys.stderr)
                return True
    print(f"{run.folder}: done in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return False


def table(results: dict[str, list[Path]]) -> str:
    """Markdown: mean over seeds, spread (standard deviation), and each seed's PA-MPJPE."""
    lines = [
        "| run | seeds | " + " | ".join(COLUMNS) + " | PA-MPJPE of each seed |",
        "| --- | --- | " + "--- | " * len(COLUMNS) + "--- |",
    ]
    for row, files in results.items():
        found = [_means(path, COLUMNS.values()) for path in files]
        cells = [_cell([metrics[key] for metrics in found]) for key in COLUMNS.values()]
        each = ", ".join(f"{metrics['pa_mpjpe_mm']:.1f}" for metrics in found)
        lines.append(f"| {ROWS[row][0]} | {len(found)} | " + " | ".join(cells) + f" | {each} |")
    return "\n".join(lines)


def ablation_table(results: dict[tuple[str, str, str], list[Path]], num_seeds: int) -> str:
    """Markdown: a line per row; for each input and view, means over seeds and their spread.

    Args:
        results: Metrics files by row, view and input.
        num_seeds: Expected number of each; a cell with fewer shows its own.
    """
    rows, views, inputs = (tuple(dict.fromkeys(names)) for names in zip(*results, strict=True))
    head, first = [], next(iter(ABLATION_COLUMNS))
    for given, view in product(inputs, views):
        for name in ABLATION_COLUMNS:
            head.append(f"{INPUTS[given]}, view={view}: {name}" if name == first else name)
    lines = ["| row | " + " | ".join(head) + " |", "| --- " * (len(head) + 1) + "|"]
    note = (
        "Millimetres on the test split; mean ± standard deviation over seeds "
        f"(n={num_seeds}, unless a cell says otherwise)."
    )
    footnote = ""
    for row in rows:
        cells = []
        for given, view in product(inputs, views):
            files, mark = results[row, view, given], ""
            found = [_means(path, ABLATION_NUMBERS) for path in files]
            if mirrored := sum(map(is_mirrored, found)):
                mark += f" †{mirrored}"
                footnote = (
                    " †k: k of the runs ended mirrored (with reflection, PA-MPJPE is below "
                    f"{MIRRORED:.0%} of the proper one), so that the mean says little."
                )
            if 0 < len(found) < num_seeds:
                mark += f" (n={len(found)})"
            for key in ABLATION_COLUMNS.values():
                cells.append(_cell([metrics[key] for metrics in found]) + mark)
        lines.append(f"| `{row}`: {ABLATION[row]} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", note + footnote])


def is_mirrored(metrics: dict[str, float]) -> bool:
    """Return whether the bodies of a run are mirror images of the true ones."""
    return metrics["pa_mpjpe_reflected_mm"] < MIRRORED * metrics["pa_mpjpe_mm"]


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):.1f}{spread}"


def _means(path: Path, names: Iterable[str]) -> dict[str, float]:
    """The headline means of the one checkpoint in a metrics.json.

    Raises:
        ValueError: If ``selflift eval`` didn't write the file, or a number is missing.
    """
    content = _json(path)
    try:
        (checkpoint,) = content["protocols"]["plain"]["checkpoints"].values()
        metrics = checkpoint["metrics"].items()
        over_frames = {
            f"{name} over frames": metric["over_frames"]["value"]
            for name, metric in metrics
            if metric.get("over_frames")
        }
        found = {name: metric["value"] for name, metric in metrics} | over_frames
        return {name: _number(found[name]) for name in names}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"'{path}': expected the metrics of one checkpoint as selflift.eval writes them, got "
            f"another file ({type(error).__name__}: {str(error)[:100]!r}); remove it to repeat the "
            "evaluation"
        ) from error


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError("it is too long")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"'{path}': expected JSON, got a corrupt file ({type(error).__name__}: "
            f"{str(error)[:100]!r}); remove it to repeat the run"
        ) from error


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < MAX_MM:
        raise ValueError(f"expected a number, got {str(value)[:40]!r}")
    return float(value)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    names = [*ROWS, "ablation", *(f"ablation-{row}" for row in ABLATION)]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    # Experiments are spelt with underscores; rows may be, too.
    parser.add_argument(
        "names", nargs="+", choices=names, metavar="ROW", help=", ".join(names),
        type=lambda name: name.replace("_", "-"),
    )  # fmt: skip
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", choices=list(ABLATION), help="of the ablation")
    parser.add_argument("--views", nargs="+", choices=VIEWS, help="of the ablation")
    parser.add_argument("--inputs", nargs="+", choices=list(INPUTS), help="of the ablation")
    parser.add_argument(
        "--override", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="for every training, such as trainer.steps=100; with an --output of their own",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("outputs/reproduce"))
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--table-only", action="store_true", help="run nothing")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there, too")
    parsed = parser.parse_args(given)
    ablates = any(name.startswith("ablation") for name in parsed.names)
    if (parsed.rows and "ablation" not in parsed.names) or (
        (parsed.views or parsed.inputs) and not ablates
    ):
        parser.error("--rows, --views, --inputs: expected the row ablation, which they narrow down")
    parsed.seeds = list(dict.fromkeys(parsed.seeds))
    return parsed


def _plan(given: argparse.Namespace) -> dict[str | tuple[str, str, str], list[Run]]:
    """The requested runs, by the row's name, or by the ablation's row, view and input."""
    planned: dict[str | tuple[str, str, str], list[Run]] = {}
    extra = tuple(given.override)
    for name in ROWS:
        if name in given.names:
            planned[name] = [
                Run(given.output / name / f"seed{n}", (*ROWS[name][1], f"seed={n}", *extra))
                for n in given.seeds
            ]
    rows = [
        row
        for row in ABLATION
        if f"ablation-{row}" in given.names
        or ("ablation" in given.names and row in (given.rows or ABLATION))
    ]
    views = [view for view in VIEWS if view in (given.views or VIEWS)]
    inputs = [one for one in INPUTS if one in (given.inputs or INPUTS)]
    for row, view, one in product(rows, views, inputs):
        chosen = ("experiment=ablation", f"ablation={row}", f"view={view}", f"poses_2d={one}")
        folder = given.output / "ablation" / row / view / one
        planned[row, view, one] = [
            Run(folder / f"seed{n}", (*chosen, f"seed={n}", *extra), QUICK) for n in given.seeds
        ]
    return planned


def _make_all(runs: list[Run], jobs: int) -> bool:
    """Run what is missing; returns whether all of it succeeded."""
    stop = threading.Event()
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(make, run, stop) for run in runs]
        try:
            failed = sum(future.result() for future in futures)
        except KeyboardInterrupt:
            stop.set()
    if stop.is_set():
        sys.exit("reproduce: interrupted; the same command goes on from here")
    if failed:
        print(f"reproduce: {failed} of {len(runs)} runs failed", file=sys.stderr)
    return not failed


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _arguments(arguments)
    planned = _plan(given)
    runs = [run for group in planned.values() for run in group]
    complete = True
    if not given.table_only:
        try:
            for run in runs:
                check(run)
        except ValueError as error:
            print(f"reproduce: {error}", file=sys.stderr)
            sys.exit(2)
        complete = _make_all(runs, given.jobs)
    results = {
        key: [run.metrics for run in group if run.metrics.is_file()]
        for key, group in planned.items()
    }
    rows = {key: files for key, files in results.items() if isinstance(key, str)}
    ablation = {key: files for key, files in results.items() if isinstance(key, tuple)}
    try:
        tables = [table(rows)] if rows else []
        tables += [ablation_table(ablation, len(given.seeds))] if ablation else []
    except ValueError as error:
        print(f"reproduce: {error}", file=sys.stderr)
        sys.exit(2)
    text = "\n\n".join(tables) + "\n"
    print(text, end="")
    if given.markdown is not None:
        given.markdown.parent.mkdir(parents=True, exist_ok=True)
        given.markdown.write_text(text)
    if not given.table_only:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        minutes = (used.ru_utime + used.ru_stime) / 60
        print(f"\nCPU time of the runs made now, evaluation included: {minutes:.1f} minutes")
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    main()
