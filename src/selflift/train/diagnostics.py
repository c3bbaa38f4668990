"""Detect training that goes wrong: values that are not finite, and dead ends."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selflift.config import TrainConfig
from selflift.files.atomic_write import atomic_path
from selflift.geometry.anatomy import CLEAR_SCORE
from selflift.method.batches import Batch

# A discriminator with this accuracy over this many steps has won; see Watch.
WON, WON_STEPS = 0.95, 500
# A spread of depth over poses below this is flat: bodies are about 1 high, right ones have 0.16.
FLAT, FORMED_STEPS = 0.03, 500


class NonFiniteError(RuntimeError):
    """A term of the objective became NaN or infinite.

    Attributes:
        name: The term.
        value: Its value.
        step: The step that made it so, from 1.
    """

    def __init__(self, name: str, value: float, step: int, more: str = "") -> None:
        self.name, self.value, self.step = name, value, step
        super().__init__(
            f"training stopped: '{name}' became {value} at step {step}; earlier checkpoints are "
            f"intact; lower optim.lr or check the data{more}"
        )


def record_failure(
    folder: Path, error: NonFiniteError, batch: Batch, rows: Mapping[str, Tensor], seed: int
) -> Path:
    """Save the batch of a step that failed.

    Args:
        folder: The run folder.
        error: The failure.
        batch: The step's batch.
        rows: Its rows of the training poses, by domain: ``target``, ``source``.
        seed: The run's seed.

    Returns:
        The file, ``failures/step_N.npz``: ``rows_target`` and ``rows_source``, each field of the
        batch (``x``, ``confidence``, ...), ``step``, ``seed``, ``name`` and ``value``.
    """
    arrays: dict[str, Any] = {f"rows_{name}": r.cpu().numpy() for name, r in rows.items()}
    for part in fields(batch):
        value = getattr(batch, part.name)
        if isinstance(value, Tensor):
            arrays[part.name] = value.detach().cpu().numpy()
        elif value is not None:
            arrays |= {
                f"following_{f.name}": kept.detach().cpu().numpy()
                for f in fields(value)
                if isinstance(kept := getattr(value, f.name), Tensor)
            }
    arrays |= {"step": error.step, "seed": seed, "name": error.name, "value": error.value}
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    path = folder / "failures" / f"step_{error.step}.npz"
    with atomic_path(path) as temporary:
        temporary.write_bytes(packed.getvalue())
    return path


@contextmanager
def finding_anomalies(wanted: bool, step: int) -> Iterator[None]:
    """Raise a ``NonFiniteError`` that names the operation if a gradient is NaN, if wanted."""
    if not wanted:
        yield
        return
    try:
        with torch.autograd.set_detect_anomaly(True):
            yield
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        if "returned nan values" not in reason:
            raise
        raise NonFiniteError(f"gradient ({reason})", math.nan, step) from error


def check_finite(tensors: Iterable[tuple[str, Tensor]], step: int) -> None:
    """Raise a ``NonFiniteError`` if a tensor has a value that is NaN or infinite.

    Finds what no loss shows, such as infinite statistics of batch norm.
    """
    for name, tensor in tensors:
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            bad = tensor[~torch.isfinite(tensor)]
            raise NonFiniteError(name, float(bad[0]), step)


@dataclass
class Watch:
    """Detects dead ends without 3D truth, and warns of each once while it lasts.

    Attributes:
        won_since: First step at which each discriminator judged nearly all poses rightly.
        said: Names of the warnings that have been given and still hold.
    """

    won_since: dict[str, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @classmethod
    def checked(cls, saved: Any) -> Watch:
        """Restore it from a checkpoint's state; ``None`` gives a new one.

        Raises:
            ValueError: If the state is not that of a watch.
        """
        if saved is None:
            return cls()
        since, said = saved["won_since"], saved["said"]
        if not (
            isinstance(since, dict)
            and isinstance(said, list)
            and all(type(name) is str for name in (*since, *said))
            and all(type(step) is int for step in since.values())
        ):
            raise ValueError("expected the state of a watch")
        return cls(dict(since), list(said))

    def window(self, step: int, means: Mapping[str, float]) -> list[str]:
        """Warnings from the means over the steps up to one, by their TensorBoard names."""
        warnings = []
        for name in ("discriminator", "temporal_discriminator"):
            accuracy = means.get(f"{name}/accuracy")
            if accuracy is None:
                continue
            since = self.won_since.setdefault(name, step) if accuracy >= WON else None
            if since is None:
                self.won_since.pop(name, None)
            warnings += self._once(
                f"{name} has won",
                since is not None and step - since >= WON_STEPS,
                f"the {name.replace('_', ' ')} has judged at least {WON:.0%} of the poses rightly "
                f"since step {since}: the lifter learns little from it; try a lower "
                "optim.lr_discriminator, a larger loss.r1 or optim.discriminator_every",
            )
        return warnings

    def validation(
        self, step: int, depth_std: float, knee_score: float, config: TrainConfig
    ) -> list[str]:
        """Warnings from a validation.

        Args:
            step: The step.
            depth_std: Mean spread of the joints' depths over poses, where bodies are about 1 high.
            knee_score: See :func:`selflift.geometry.anatomy.knee_score`; NaN without legs.
            config: The run's config.
        """
        flat = self._once(
            "flat",
            depth_std < FLAT and step >= FORMED_STEPS,
            f"lifted bodies are flat: depths differ by {depth_std:.3f} from pose to pose, where "
            "bodies are about 1 high; try a larger loss.w_adv, a lower optim.lr, or a wider range "
            "of views (view)",
        )
        # With sign.check a later check turns it over, so that only the outcome counts.
        final = step >= config.trainer.steps
        mirrored = knee_score < -CLEAR_SCORE and (final or not config.sign.check)
        return flat + self._once(
            "mirrored",
            mirrored and step >= config.sign.first_step,
            f"the lifter is a mirror image: knees bend backward (score {knee_score:+.2f}); "
            + (
                "turn it over with Lifter.mirror_depth, or train longer"
                if config.sign.check
                else "set sign.check=true, or turn it over with Lifter.mirror_depth"
            ),
        )

    def _once(self, name: str, is_so: bool, line: str) -> list[str]:
        if not is_so:
            self.said = [kept for kept in self.said if kept != name]
            return []
        if name in self.said:
            return []
        self.said.append(name)
        return [line]
