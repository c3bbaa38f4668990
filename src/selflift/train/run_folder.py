"""The folder of a run: its lock, its files, and the metadata that it keeps of the run."""

from __future__ import annotations

import json
import math
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import selflift
from selflift import checkpoint
from selflift.checkpoint import Checkpoint, CheckpointError
from selflift.config import TrainConfig
from selflift.files.atomic_write import atomic_path
from selflift.method.training_state import TrainState, lifter_arguments
from selflift.train.training_data import Poses

# Keys that may differ when a run is resumed. Another device or number of threads may round
# differently.
MAY_DIFFER = (
    "output_dir", "resume", "device", "trainer.progress", "trainer.threads",
    "trainer.poses_on_disk", "engine.anomaly", "engine.deterministic",
)  # fmt: skip


class RunFolder:
    """The folder of a run, used by one run at a time.

    Args:
        path: The folder.
        writes: Whether this process writes; of several processes only one does.
    """

    def __init__(self, path: Path, writes: bool) -> None:
        self.path, self.writes = path, writes
        self.last, self.best = (path / "checkpoints" / f"{name}.pt" for name in ("last", "best"))
        self._lock = FileLock(path / ".lock")
        # Identity of the lock file while it is held.
        self._locked: tuple[int, int] | None = None
        self._config = ""
        self._corrupt = False
        # The best checkpoint until it is written.
        self._unsaved_best: Checkpoint | None = None

    def refuse_used(self) -> None:
        """Raise a ``ValueError`` if the folder holds a run."""
        if self.writes and holds_run(self.path):
            raise ValueError(
                f"output_dir '{self.path}': expected a new folder, got one that holds a run; "
                f"continue it with resume={self.path} or choose another output_dir"
            )

    def restore(self) -> tuple[Checkpoint, list[str]]:
        """Load the newest good checkpoint; also returns warnings about those skipped.

        Raises:
            ValueError: If there is none.
        """
        if not holds_run(self.path):
            raise ValueError(
                f"resume '{self.path}': expected checkpoints/last.pt, got a run that stopped "
                f"before its first checkpoint; start it anew with output_dir={self.path}"
            )
        content, refused = checkpoint.load_newest(self.last)
        self._corrupt = bool(refused)
        warnings = [f"{line}; resuming from the one before it, {content.path}" for line in refused]
        if not refused and content.path != str(self.last):
            warnings = [f"checkpoint '{self.last}': missing; resuming from {content.path}"]
        return content, warnings

    @contextmanager
    def locked(self, config: str, resumes: bool) -> Iterator[None]:
        """Hold the folder for this run.

        Args:
            config: The run's config, as YAML.
            resumes: Whether the run is resumed; the config of a new one is written.

        Raises:
            ValueError: If another run holds it, or if it holds a run and this one is new.
            OSError: If it can't be written.
        """
        if not self.writes:
            yield
            return
        self._config = config
        self._acquire()
        try:
            # Left by a run that was killed while it wrote.
            for stale in self.path.rglob(".*.tmp"):
                stale.unlink()
            if self._corrupt:
                # Kept for inspection, but never as the checkpoint before the next.
                os.replace(self.last, self.last.with_name("last.damaged.pt"))
            if not resumes:
                self.refuse_used()
                self._write("config.yaml", self._config)
            yield
        finally:
            self._release()

    def _acquire(self) -> None:
        """Lock the folder, which is created if it is missing.

        The system drops the lock when the process ends in any way; the file stays. On a file system
        without locks the folder is not protected.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        file = Path(self._lock.lock_file)
        file.touch()
        holder = ""
        with suppress(OSError):
            # Read first: old versions of filelock empty the file even if they don't get the lock.
            holder = " ".join(file.read_text(encoding="utf-8", errors="replace")[:200].split())
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ValueError(
                f"output_dir '{self.path}': expected a folder that no other run trains in, got "
                f"one in use by {holder or 'another process'}; wait for it, stop it, or choose "
                "another output_dir"
            ) from error
        except (OSError, NotImplementedError):
            pass  # A file system without locks must not keep anyone from training.
        # Windows lets nobody write to a locked file.
        with suppress(OSError):
            file.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        self._locked = _identity(file)

    def _release(self) -> None:
        self._lock.release()
        self._locked = None

    def recreate_if_lost(self) -> bool:
        """Recreate the folder if it was removed or moved during training; returns whether it was.

        Raises:
            ValueError: If another run holds it now.
            OSError: If it can't be written.
        """
        if self._locked is None or self._locked == _identity(Path(self._lock.lock_file)):
            return False
        self._release()
        self._acquire()
        self.refuse_used()
        self._write("config.yaml", self._config)
        return True

    def keep_best(self, content: Checkpoint) -> None:
        """Keep a copy, to be written as the best checkpoint by the next :meth:`save`."""
        lifter = {name: tensor.detach().clone() for name, tensor in content.lifter.items()}
        self._unsaved_best = Checkpoint(content.metadata, lifter)

    def save(self, content: Callable[[], Checkpoint], must: bool) -> str | None:
        """Write the best checkpoint, if there is a new one, and then the last.

        The last is never written without the best that its state refers to.

        Args:
            content: Makes the last one.
            must: Whether a failure ends the run; otherwise the next save may succeed.

        Returns:
            The failure, or ``None``.

        Raises:
            CheckpointError: If it failed and must not.
        """
        if not self.writes:
            return None
        try:
            if self._unsaved_best is not None:
                checkpoint.save(self.best, self._unsaved_best)
                self._unsaved_best = None
            checkpoint.save(self.last, content(), keep=True)
        except CheckpointError as error:
            if must:
                raise
            return str(error)
        return None

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write ``metrics.json``."""
        if self.writes:
            self._write("metrics.json", json.dumps(metrics, indent=2, allow_nan=False) + "\n")

    def _write(self, name: str, text: str) -> None:
        with atomic_path(self.path / name) as path:
            path.write_text(text, encoding="utf-8")


def holds_run(folder: Path) -> bool:
    """Return whether a folder holds checkpoints of a run, good or corrupt."""
    last = folder / "checkpoints" / "last.pt"
    return last.exists() or checkpoint.previous(last).exists()


def _identity(file: Path) -> tuple[int, int] | None:
    """Device and inode of a file; ``None`` if it is missing."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def metadata_of(
    config: TrainConfig, poses: Poses, state: TrainState, history: Sequence[dict[str, float]]
) -> dict[str, Any]:
    """Metadata of a checkpoint."""
    return {
        "selflift": selflift.__version__,
        "step": state.step,
        "lifter": {"skeleton": poses.skeleton.name, **lifter_arguments(config)},
        "normaliser": asdict(poses.normaliser),
        "calibrated": poses.calibrated,
        "depth_sign": depth_sign_of(config, state, history),
        "config": asdict(config),
    }


def metrics_of(
    config: TrainConfig, state: TrainState, history: Sequence[dict[str, float]]
) -> dict[str, Any]:
    """Content of ``metrics.json``."""
    return {
        "step": state.step,
        "best_step": state.best_step,
        "best_criterion": state.best if math.isfinite(state.best) else None,
        "criterion": "log(bone_variation) + log(consistency_3d); uses no 3D truth",
        "depth_sign": depth_sign_of(config, state, history),
        "validation": history,
    }


def depth_sign_of(
    config: TrainConfig, state: TrainState, history: Sequence[dict[str, float]]
) -> dict[str, Any]:
    """Describe how the depth sign was settled; includes the last knee score."""
    sign = config.sign
    settled_by = "anatomy"
    if not sign.check:
        settled_by = "the view sampler alone (sign.check=false)"
    elif state.step < sign.first_step:
        settled_by = f"nothing yet (anatomy is asked from step {sign.first_step} on)"
    return {
        "settled_by": settled_by,
        "turned_over_at_steps": list(state.flips),
        "knee_score": history[-1].get("knee_score") if history else None,
    }


def defining(config: dict[str, Any]) -> dict[str, Any]:
    """A run's config as plain values, without the keys that may differ when it is resumed."""
    # Through JSON, so that values from a file compare equal to those of the command line.
    kept: dict[str, Any] = json.loads(json.dumps(config))
    for key in MAY_DIFFER:
        *groups, name = key.split(".")
        part: Any = kept
        for group in groups:
            part = part.get(group) if isinstance(part, dict) else None
        if isinstance(part, dict):
            part.pop(name, None)
    return kept
