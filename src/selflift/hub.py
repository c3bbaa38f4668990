"""Lifters on the Hugging Face Hub; needs the extra ``hub``.

    HubLifter.from_checkpoint("RUN_DIR").save_pretrained("folder")
    lifter = HubLifter.from_pretrained("folder")            # or "somebody/a-model"

A folder has ``model.safetensors`` (see :mod:`selflift.checkpoint`; it is all that is needed, and
``selflift.load`` reads it, too), ``config.json`` (the weights' metadata, for readers) and
``README.md`` (the model card).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

import selflift
from selflift import checkpoint
from selflift.files.atomic_write import atomic_path
from selflift.lift import PoseLifter, load_model
from selflift.lift.bundled_weights import portable

try:
    from huggingface_hub import ModelCard, ModelHubMixin, hf_hub_download, try_to_load_from_cache
except ImportError as error:
    raise ImportError(
        "selflift.hub: expected the package huggingface_hub, got none; pip install 'selflift[hub]'"
    ) from error

FILES = CONFIG, WEIGHTS = "config.json", "model.safetensors"
# The settings that a network's results depend on.
DECISIVE = ("lifter", "normaliser")
LONGEST_CONFIG = 2**22

CARD = """---
{{ card_data }}
---

# A lifter of 2D human keypoints

It lifts keypoints in pixels to 3D poses in metres; it was trained on 2D keypoints alone, with
selflift {{ version }}.

```python
from selflift.hub import HubLifter

lifter = HubLifter.from_pretrained("{{ repo_id | default("FOLDER_OR_REPOSITORY", true) }}")
poses = lifter(keypoints, size_px=(1920, 1080))  # (..., {{ joints | length }}, 2) in pixels
poses.X_m  # (..., {{ joints | length }}, 3): x right, y down, z forward
```

- Layout: `{{ layout }}` ({{ joints | join(", ") }}); name another one: `skeleton="coco_17"`
- Incomplete poses: {{ "yes" if incomplete else "no" }}
- Weights: {{ parameters }}
- Training data, results, licence: {{ about | default("not stated", true) }}
"""


class HubLifter(
    PoseLifter,
    ModelHubMixin,
    library_name="selflift",
    tags=["3d-human-pose", "pose-lifting", "self-supervised"],
    model_card_template=CARD,
):
    """A :class:`selflift.PoseLifter` with ``save_pretrained`` and ``push_to_hub``."""

    def _save_pretrained(self, save_directory: Path) -> None:
        content = checkpoint.Checkpoint(
            {"selflift": selflift.__version__, **self.metadata}, self.lifter.state_dict()
        )
        content = portable(content)
        checkpoint.save_weights(save_directory / WEIGHTS, content, torch.float32)
        with atomic_path(save_directory / CONFIG) as temporary:
            temporary.write_text(json.dumps(content.metadata, indent=2) + "\n", encoding="utf-8")

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """The model card; ``about`` is for what only its trainer knows."""
        facts = {
            "version": self.metadata.get("selflift", selflift.__version__),
            "layout": self.skeleton.name,
            "joints": list(self.skeleton.joints),
            "incomplete": self.lifter.confidences,
            "parameters": f"{sum(p.numel() for p in self.lifter.parameters()):,}",
        }
        return super().generate_model_card(*args, **{**facts, **kwargs})

    # Not the mixin's ``**model_kwargs``: a misspelt argument would pass unseen.
    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        device: str = "auto",
        precision: str = "auto",
    ) -> HubLifter:
        """Load a lifter from a folder, or a model on the Hub.

        Args:
            pretrained_model_name_or_path: The folder, or the model's name there.
            force_download: Whether to download cached files again.
            token: The Hub's access token.
            cache_dir: Folder of the cache.
            local_files_only: Whether to use the cache only, without the network.
            revision: Branch, tag or commit.
            device: As for :func:`selflift.load`.
            precision: As for :func:`selflift.load`.

        Raises:
            ValueError: If it is neither, or its files are unusable.
        """
        name = str(pretrained_model_name_or_path)
        if force_download and local_files_only:
            raise ValueError(f"hub '{name}': expected force_download or local_files_only, got both")
        where = {"revision": revision, "cache_dir": cache_dir}
        fetch = {"token": token, "force_download": force_download, **where}
        folder = Path(name) if Path(name).is_dir() else None
        if folder is not None:
            files = {file: folder / file for file in FILES}
        elif local_files_only:
            files = {file: _cached(name, file, where) for file in FILES}
        else:
            files = {file: _fetched(name, file, fetch) for file in FILES}
        if absent := [file for file, path in files.items() if not path.is_file()]:
            raise ValueError(
                f"hub '{name}': expected a folder with {CONFIG} and {WEIGHTS}, got one without "
                f"{' and '.join(absent)}; write it by save_pretrained"
            )
        model = load_model(files[WEIGHTS])
        lifter = cls(model.lifter, model.normaliser, name, device, precision, model.metadata)
        _check_config(files[CONFIG], lifter)
        return lifter


def _fetched(name: str, file: str, fetch: dict[str, Any]) -> Path:
    try:
        return Path(hf_hub_download(name, file, **fetch))
    except Exception as error:  # the client raises many kinds: names, network, access
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"hub '{name}': expected a folder, or a model on the Hub with {file}, got neither "
            f"({type(error).__name__}: {reason}); check the name and the network"
        ) from error


def _cached(name: str, file: str, where: dict[str, Any]) -> Path:
    # Not hf_hub_download(local_files_only=True): the client 2.4 asks the Hub, in that case too,
    # for the names of programs that it may be run by.
    try:
        found, reason = try_to_load_from_cache(name, file, **where), "it isn't cached"
    except ValueError as error:  # no name that the Hub could have
        found, reason = None, " ".join(str(error).split())[:200]
    if not isinstance(found, str):
        raise ValueError(
            f"hub '{name}': expected a folder, or a model on the Hub with {file} in the cache, got "
            f"neither ({reason}); check the name, or let it be fetched: local_files_only=False"
        )
    return Path(found)


def _check_config(path: Path, lifter: PoseLifter) -> None:
    """Refuse a config that contradicts the weights, since editing it would have no effect."""
    try:
        if path.stat().st_size > LONGEST_CONFIG:
            raise ValueError("it is too long")
        config = json.loads(path.read_text(encoding="utf-8"))
        stated = {name: config[name] for name in DECISIVE}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise ValueError(
            f"hub '{path}': expected a JSON object with {' and '.join(DECISIVE)}, got another file "
            f"({reason}); write it by save_pretrained"
        ) from error
    own = json.loads(json.dumps({name: lifter.metadata[name] for name in DECISIVE}))
    if wrong := [name for name in DECISIVE if stated[name] != own[name]]:
        raise ValueError(
            f"hub '{path}': expected the {' and '.join(wrong)} that the weights in {WEIGHTS} are "
            "for, got another; editing it has no effect: write both by save_pretrained"
        )
