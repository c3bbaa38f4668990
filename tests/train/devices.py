"""The devices on which what is promised of training is tested."""

from __future__ import annotations

import pytest
import torch

DEVICES = (
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    ),
)
