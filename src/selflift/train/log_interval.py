"""How often a run tells of itself, so that what it writes stays small however long it is."""

from __future__ import annotations

from selflift.config import TrainerConfig

# Steps between two points of a curve, and how many points a curve has at most.
LEAST_INTERVAL, MOST_POINTS = 20, 5000
# Validations of which TensorBoard gets pictures and histograms.
MOST_PICTURES = 60


def telling_interval(trainer: TrainerConfig) -> int:
    """Steps between two points of a run's curves: the config's, or as few as seem sensible."""
    if trainer.log_every is not None:
        return trainer.log_every
    return max(LEAST_INTERVAL, -(-trainer.steps // MOST_POINTS))


def pictured(step: int, trainer: TrainerConfig) -> bool:
    """Whether TensorBoard gets pictures of a step's validation: of at most so many, evenly spread.

    Of the first one and the last one it always does.

    Args:
        step: Where the validation is.
        trainer: The run's length and rhythm.
    """
    last, number = (-(-s // trainer.validate_every) for s in (trainer.steps, step))
    most = MOST_PICTURES - 1
    if last <= MOST_PICTURES or number == 1:
        return True
    return number * most // last > (number - 1) * most // last
