"""Readers of text."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.text_configs import TEXT_CONFIGS
from tests.fuzz.text_keypoints import TEXT_KEYPOINTS
from tests.fuzz.text_motion import TEXT_MOTION

TEXT_FORMATS: tuple[Target, ...] = (*TEXT_KEYPOINTS, *TEXT_MOTION, *TEXT_CONFIGS)
