"""The command ``selflift eval``; PyTorch is imported once the config is known to be valid."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selflift.cli import help
from selflift.cli.interrupt import importing
from selflift.config import EvalConfig

if TYPE_CHECKING:
    from selflift.evaluate.run_evaluation import Results

USAGE = """usage: {program} [KEY=VALUE ...]

Evaluates a lifter under named protocols: prints tables and writes metrics.json, tables as CSV,
Markdown and LaTeX, the error of every pose, pictures, and a report as a web page that opens
offline.

Often set:
  checkpoint=RUN_DIR      a run folder (its best checkpoint), a file, or cmu17; [RUN0,RUN1]:
                          trainings that differ in their seed, whose spread is reported
  compare=[OTHER_RUN]     more checkpoints, each compared with the first, pose by pose
  protocols=[h36m-p2]     which poses, joints and means; a wrong name is answered with the list
  split=test              train, val or test
  poses=FILE.h5           another pose set, whatever the checkpoint was trained on
  data.subjects=[S9,S11]  these people of it
  output_dir=DIR          where the results go; by default eval_SPLIT in the run folder
  skeleton_height_mm=1600
                          the assumed length from ankles to head: it gives MPJPE its millimetres
  label_free=true         also what can be known without 3D truth
  report=false            no web page
  device=cpu              auto, cpu or cuda

Examples:
  {program} checkpoint=outputs/RUN
      the test split of the data that it was trained on
  {program} checkpoint=outputs/RUN poses=mine.h5
      poses of your own
  {program} checkpoint=outputs/RUN 'protocols=[h36m-p1,h36m-p2]'
      two protocols, side by side
  {program} 'checkpoint=[RUN0,RUN1,RUN2]' 'compare=[OTHER]'
      three seeds, against another run"""


def evaluate(config: EvalConfig) -> dict[str, Any]:
    """Evaluate, print the tables, write every file.

    Returns:
        The content of ``metrics.json``.

    Raises:
        ValueError: If a checkpoint, the data or the config are unusable.
        OSError: If a file can't be written.
    """
    with importing():
        from selflift.evaluate.evaluation_files import as_json, report_text, write
        from selflift.evaluate.run_evaluation import run_evaluation
    results = run_evaluation(config)
    names = ", ".join(str(model.path) for model in results.models.values())
    print(f"{names}, {results.origin.words}\n")
    print(report_text(results))
    files = {**write(results), **_pictures(config, results)}
    print("\n" + "\n".join(f"{what + ':':<10}{where}" for what, where in files.items()))
    return as_json(results)


def _pictures(config: EvalConfig, results: Results) -> dict[str, Path]:
    """Draw example poses and write the report."""
    from selflift.evaluate.gallery import example_poses
    from selflift.evaluate.report import write_report
    from selflift.viz import figure_poses, save_figure

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


def usage() -> str:
    """Return the help text."""
    return USAGE.format(program=help.program("eval")) + help.MORE


def main() -> None:
    """Run the command."""
    if help.answer(usage):
        return
    # Not at the top: Hydra takes a quarter of a second, which a help text does not need.
    from selflift.cli.hydra_entry import run

    run("eval", EvalConfig, evaluate)
