"""Run ``selflift eval``: evaluate, print, and write every file."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from selflift.config import EvalConfig
from selflift.evaluate.gallery import example_poses
from selflift.evaluate.outputs import as_json, report_text, write
from selflift.evaluate.report import write_report
from selflift.evaluate.run_evaluation import Results, run_evaluation
from selflift.viz import figure_poses, save_figure


def run(config: EvalConfig) -> dict[str, Any]:
    """Evaluate, print the tables, write every file.

    Args:
        config: What to evaluate on what.

    Returns:
        The content of ``metrics.json``.

    Raises:
        ValueError: If a checkpoint, the data or the config are unusable.
        OSError: If a file can't be written.
    """
    results = run_evaluation(config)
    names = ", ".join(str(model.path) for model in results.models.values())
    print(f"{names}, {results.origin.words}\n")
    print(report_text(results))
    files = {**write(results), **_pictures(config, results)}
    print("\n" + "\n".join(f"{what + ':':<10}{where}" for what, where in files.items()))
    return as_json(results)


def _pictures(config: EvalConfig, results: Results) -> dict[str, Path]:
    files: dict[str, Path] = {}
    if not results.protocols:
        return files
    first = results.protocols[0]
    evaluation = next(iter(first.evaluations.values()))
    name = config.split if config.poses is None else Path(config.poses).stem
    files["pictures"] = results.folder / "figures" / f"eval_{name}.png"
    save_figure(figure_poses(example_poses(evaluation, first.poses)), files["pictures"])
    if not config.report:
        return files
    command = shlex.join(["python", "-m", "selflift.eval", *sys.argv[1:]])
    for number, result in enumerate(results.protocols):
        folder = results.folder / "report"
        place = folder if number == 0 else folder / result.protocol.name
        page = write_report(results, result, command, place)
        files.setdefault("report", page)
    return files
