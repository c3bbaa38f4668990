"""The device that a run computes on."""

from __future__ import annotations

import torch


def choose_device(name: str) -> torch.device:
    """``auto`` takes CUDA when there is one.

    Raises:
        ValueError: If the device is unknown or not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise ValueError(f"device: expected auto, cpu or cuda, got '{name}'")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: expected a CUDA device, got none; set device=cpu")
    return torch.device(name)
