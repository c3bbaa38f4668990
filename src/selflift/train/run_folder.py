"""A run's folder: one run at a time, saved so that no failure takes what was there before."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selflift import checkpoint
from selflift.checkpoint import Checkpoint, CheckpointError
from selflift.files.atomic_write import atomic_path
from selflift.train.run_lock import FolderLock


class RunFolder:
    """The folder of a run.

    Args:
        path: Where it is.
        writes: Whether this process writes; of several that train one lifter one does.
    """

    def __init__(self, path: Path, writes: bool) -> None:
        self.path, self.writes = path, writes
        self.last, self.best = (path / "checkpoints" / f"{name}.pt" for name in ("last", "best"))
        self._lock: FolderLock | None = None
        self._config = ""
        self._damaged = False
        # The best checkpoint, until it is written.
        self._owed: Checkpoint | None = None

    def refuse_used(self) -> None:
        """Refuse a folder that holds a run.

        Raises:
            ValueError: If it does.
        """
        if self.writes and holds_run(self.path):
            raise ValueError(
                f"output_dir '{self.path}': expected a new folder, got one that holds a run; "
                f"continue it with resume={self.path} or choose another output_dir"
            )

    def restore(self) -> tuple[Checkpoint, list[str]]:
        """The newest good checkpoint, and what is to be said of those passed over.

        Raises:
            ValueError: If there is none.
        """
        if not holds_run(self.path):
            raise ValueError(
                f"resume '{self.path}': expected checkpoints/last.pt, got a run that stopped "
                f"before its first checkpoint; start it anew with output_dir={self.path}"
            )
        content, refused = checkpoint.load_newest(self.last)
        self._damaged = bool(refused)
        said = [f"{line}; going on from the one before it, {content.path}" for line in refused]
        if not refused and content.path != str(self.last):
            said = [f"checkpoint '{self.last}': gone; going on from {content.path}"]
        return content, said

    @contextmanager
    def taken(self, config: str, resumes: bool) -> Iterator[None]:
        """Within it the folder is this run's.

        Args:
            config: The run's config, as YAML.
            resumes: Whether the run was begun before; otherwise its config is written.

        Raises:
            ValueError: If another run has it, or if it holds a run and this one is new.
            OSError: If it can't be written.
        """
        if not self.writes:
            yield
            return
        self._lock, self._config = FolderLock(self.path), config
        try:
            # What a run that was killed while it wrote has left.
            for stale in self.path.rglob(".*.tmp"):
                stale.unlink()
            if self._damaged:
                # Kept for whoever wants to know, but never as the checkpoint before the next.
                os.replace(self.last, self.last.with_name("last.damaged.pt"))
            if not resumes:
                self.refuse_used()
                self._write("config.yaml", self._config)
            yield
        finally:
            self._lock.release()
            self._lock = None

    def made_anew(self) -> bool:
        """Have a folder that was removed in the midst of training again; whether it was.

        Raises:
            ValueError: If another run has it now.
            OSError: If it can't be written.
        """
        if self._lock is None or not self._lock.lost():
            return False
        self._lock.release()
        self._lock = FolderLock(self.path)
        self.refuse_used()
        self._write("config.yaml", self._config)
        return True

    def owe_best(self, content: Checkpoint) -> None:
        """Have this written as the best checkpoint with the next :meth:`save`."""
        lifter = {name: tensor.detach().clone() for name, tensor in content.lifter.items()}
        self._owed = Checkpoint(content.metadata, lifter)

    def save(self, content: Callable[[], Checkpoint], must: bool) -> str | None:
        """Write the best checkpoint, if there is a new one, and then the last.

        In this order, and not the second without the first: what the last one says of the best is
        true of the file.

        Args:
            content: Makes the last one.
            must: Whether a failure ends the run; otherwise the next save may go well.

        Returns:
            What failed; ``None``: nothing.

        Raises:
            CheckpointError: If it failed, and must not.
        """
        if not self.writes:
            return None
        try:
            if self._owed is not None:
                checkpoint.save(self.best, self._owed)
                self._owed = None
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
    """Whether there is a run in a folder that can go on, or is damaged."""
    last = folder / "checkpoints" / "last.pt"
    return last.exists() or checkpoint.previous(last).exists()
