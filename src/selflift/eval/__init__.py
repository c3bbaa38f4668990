"""Evaluation: errors of lifted poses, under every alignment that the field has a name for."""

from selflift.eval.catalogue import METRICS, Metric
from selflift.eval.evaluate import Evaluation, evaluate, score
from selflift.eval.lifted import Lifted, lift_set
from selflift.eval.metrics import mpjpe, n_mpjpe, pa_mpjpe
from selflift.eval.protocols import PROTOCOLS, Protocol
from selflift.eval.statistics import summarise
from selflift.eval.unlabelled import Unlabelled, assess

__all__ = [
    "METRICS", "PROTOCOLS", "Evaluation", "Lifted", "Metric", "Protocol", "Unlabelled", "assess",
    "evaluate", "lift_set", "mpjpe", "n_mpjpe", "pa_mpjpe", "score", "summarise",
]  # fmt: skip
