"""Evaluation: metrics, errors of a set of poses, report and the command line."""

from selflift.eval.evaluate import Evaluation, evaluate
from selflift.eval.metrics import mpjpe, n_mpjpe, pa_mpjpe
from selflift.eval.report import summarise, table, write

__all__ = [
    "Evaluation",
    "evaluate",
    "mpjpe",
    "n_mpjpe",
    "pa_mpjpe",
    "summarise",
    "table",
    "write",
]
