"""The command ``selflift eval``: its door. PyTorch is imported once the config is found good."""

from __future__ import annotations

import sys
from typing import Any

from selflift import usage
from selflift.config import EvalConfig
from selflift.eval.usage import USAGE
from selflift.interrupt import importing


def evaluate_run(config: EvalConfig) -> dict[str, Any]:
    """Evaluate, print the tables, write every file; see :mod:`selflift.eval.command`."""
    with importing():
        from selflift.eval.command import run

    return run(config)


def main() -> None:
    """The door."""
    if usage.asked(sys.argv[1:]):
        usage.show(usage.text(USAGE, sys.argv[1:]))
        return
    # Only now: Hydra takes a quarter of a second, and a help text none of it.
    from selflift.doors import run

    run("eval", EvalConfig, evaluate_run)
