"""The command ``selflift eval``: its door. PyTorch is imported once the config is found good."""

from __future__ import annotations

import sys
from typing import Any

from selflift.cli import help
from selflift.cli.eval_help import USAGE
from selflift.cli.interrupt import importing
from selflift.config import EvalConfig


def evaluate_run(config: EvalConfig) -> dict[str, Any]:
    """Evaluate, print the tables, write every file; see :mod:`selflift.cli.eval_run`."""
    with importing():
        from selflift.cli.eval_run import run

    return run(config)


def main() -> None:
    """The door."""
    if help.asked(sys.argv[1:]):
        help.show(help.text(USAGE, sys.argv[1:]))
        return
    # Only now: Hydra takes a quarter of a second, and a help text none of it.
    from selflift.cli.hydra_entry import run

    run("eval", EvalConfig, evaluate_run)
