"""Evaluation: errors of lifted poses, under every alignment that the field has a name for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selflift.evaluate.catalogue import METRICS, Metric
    from selflift.evaluate.evaluation import Evaluation, evaluate, score
    from selflift.evaluate.lifted_set import LiftedSet, lift_set
    from selflift.evaluate.metrics import mpjpe, n_mpjpe, pa_mpjpe
    from selflift.evaluate.protocols import PROTOCOLS, Protocol
    from selflift.evaluate.statistics import summarise
    from selflift.evaluate.without_truth import Unlabelled, assess

__all__ = [
    "METRICS", "PROTOCOLS", "Evaluation", "LiftedSet", "Metric", "Protocol", "Unlabelled", "assess",
    "evaluate", "lift_set", "mpjpe", "n_mpjpe", "pa_mpjpe", "score", "summarise",
]  # fmt: skip

# Where each name is; imported when it is asked for, so that the command answers --help at once.
_HOMES = {
    "catalogue": ("METRICS", "Metric"),
    "evaluation": ("Evaluation", "evaluate", "score"),
    "lifted_set": ("LiftedSet", "lift_set"),
    "metrics": ("mpjpe", "n_mpjpe", "pa_mpjpe"),
    "protocols": ("PROTOCOLS", "Protocol"),
    "statistics": ("summarise",),
    "without_truth": ("Unlabelled", "assess"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
